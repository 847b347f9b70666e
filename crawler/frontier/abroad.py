"""What the frontier of a shard has to do with other shards: it tells them of their URLs, and is told of its own."""

from msgspec import structs

from crawler.core.counters import Counters
from crawler.core.model import Link, Seed, SeedContext
from crawler.frontier.discovery import Discovery
from crawler.frontier.elsewhere import Elsewhere
from crawler.frontier.hops import Hops
from crawler.frontier.intake import Intake
from crawler.frontier.looks import Looks
from crawler.frontier.outbox import Outbox
from crawler.frontier.reach import Limits
from crawler.frontier.second_look import SecondLook
from crawler.frontier.seed_contexts import SeedContexts
from crawler.frontier.seed_lines import extra_of
from crawler.frontier.source import Source
from crawler.frontier.store import Store
from crawler.web.urls import robots_url

__all__ = ["Abroad"]


class Abroad:
    """Outbox, intake and looks of one shard. Part of the frontier; its state is theirs."""

    def __init__(
        self, store: Store, elsewhere: Elsewhere, seeds: SeedContexts, counters: Counters, *, hops: Hops
    ) -> None:
        self._store = store
        self._elsewhere = elsewhere
        self._seeds = seeds
        self._counters = counters
        self._hops = hops
        self.looks = Looks(store)
        self.outbox = Outbox(store, elsewhere, seeds, counters, hops=hops, looks=self.looks)

    def listen(self, limits: Limits, discovery: Discovery, second_look: SecondLook) -> None:
        """Take what other shards tell from now on."""
        self.intake = Intake(
            self._store,
            self._elsewhere,
            self._seeds,
            self._counters,
            limits=limits,
            hops=self._hops,
            looks=self.looks,
            discovery=discovery,
            second_look=second_look,
        )

    def source(self, source: Source) -> Source:
        """Return what leads to links as that of a shard: rows keep the URL of a parent that has none here."""
        kept = self._elsewhere.kept(source.parent_url)
        return source if kept is None else structs.replace(source, kept_url=kept)

    def send_seed(self, number: int, seed: Seed, *, sitemaps: bool) -> bool:
        """Send a seed to the shard that owns it; False if that is this one."""
        if self._elsewhere.owns(seed.url):
            return False
        context = SeedContext(number, (seed.url,), extra_of(seed))
        self._seeds.put(context)
        links = [Link(seed.url, kind=seed.kind)]
        if sitemaps and seed.kind == "page":
            links.append(Link(robots_url(seed.url), kind="sitemap"))
        source = Source.of_seed(context)
        self.outbox.take([(link, source) for link in links])
        return True

    def save(self) -> None:
        """Put what other shards are to be told into the open batch."""
        self.outbox.save()
        self.looks.save()

    def committed(self) -> None:
        """Learn that the open batch was committed."""
        self.outbox.committed()
        self.intake.committed()
        self._hops.committed()
