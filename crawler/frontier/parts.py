"""The parts of a frontier, put together: what each is given of the others."""

from crawler.core.config import CrawlConfig
from crawler.core.model import SeedRow
from crawler.core.shard import Shard
from crawler.frontier.abroad import Abroad
from crawler.frontier.budgets import Budgets
from crawler.frontier.cut_urls import CutUrls
from crawler.frontier.deferred import Deferred
from crawler.frontier.discovery import Discovery
from crawler.frontier.duplicates import Duplicates
from crawler.frontier.early_look import EarlyLook
from crawler.frontier.elsewhere import Elsewhere
from crawler.frontier.ends import Ends
from crawler.frontier.gate import Gate
from crawler.frontier.hops import Hops
from crawler.frontier.joined_scopes import JoinedScopes
from crawler.frontier.leftovers import Leftovers
from crawler.frontier.page_limits import PageLimits
from crawler.frontier.reach import Limits
from crawler.frontier.record_numbers import RecordNumbers
from crawler.frontier.rest import Rest
from crawler.frontier.same_pages import SamePages
from crawler.frontier.sampling import Sampling
from crawler.frontier.second_look import SecondLook
from crawler.frontier.seed_contexts import SeedContexts
from crawler.frontier.seed_records import SeedRecords
from crawler.frontier.sleepers import Sleepers
from crawler.frontier.store import Store
from crawler.frontier.tasks import Tasks
from crawler.frontier.window import Window

__all__ = ["Parts"]


class Parts:
    """The parts of the frontier of one job. `abroad` is None without a shard. Has no state but theirs."""

    def __init__(self, store: Store, config: CrawlConfig, shard: Shard | None) -> None:
        self.counters = counters = store.counters
        self.limits = limits = Limits(config)
        self.seeds = seeds = SeedContexts(store)
        elsewhere = None if shard is None else Elsewhere(shard)
        same_pages = SamePages(store, config, counters, limits, elsewhere)
        self.gate = gate = Gate(store, PageLimits(store, config), Budgets(store, config), same_pages)
        sleepers, cut_urls, hops = Sleepers(), CutUrls(), Hops(store, config)
        self.abroad = None if elsewhere is None else Abroad(store, elsewhere, seeds, counters, hops=hops)
        outbox = None if self.abroad is None else self.abroad.outbox
        read = Tasks(seeds, limits, gate, hops=hops, rows_for=self._rows_for).read
        self.window = window = Window(store.queue, read, gate, sleepers, level_by_level=limits.by_depth)
        self.deferred = Deferred(store, window, counters)
        self.duplicates = duplicates = Duplicates(store, config.skip_duplicates)
        self.discovery = discovery = Discovery(
            store, window, seeds, counters, limits=limits, cut_urls=cut_urls, same_pages=same_pages
        )
        discovery.sampling = Sampling() if config.sampled else None
        joined = JoinedScopes(store, config, outbox)
        self.second_look = second_look = SecondLook(store, discovery, counters, limits, joined, outbox=outbox)
        self.early_look = early_look = EarlyLook(
            store, window, discovery, second_look, limits=limits, cut_urls=cut_urls, config=config
        )
        numbers = RecordNumbers(store, counters.records)
        self.seed_records = SeedRecords(store, config, seeds, counters, discovery, numbers=numbers, hops=hops)
        self.ends = Ends(
            store,
            counters,
            limits,
            gate,
            duplicates=duplicates,
            numbers=numbers,
            early_look=early_look,
            elsewhere=elsewhere,
        )
        leftovers = Leftovers(store.queue, read, gate, sleepers, window)
        looks = None if self.abroad is None else self.abroad.looks
        self.rest = Rest(store, counters, window, second_look, leftovers=leftovers, looks=looks)
        if self.abroad is not None:
            self.abroad.listen(limits, discovery, second_look)

    def _rows_for(self, key: bytes, seed: int) -> tuple[SeedRow, ...]:
        return self.seed_records.rows_to_read_for(key, seed)
