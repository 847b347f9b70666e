"""A job of many shards: what `Job` asks where there are some."""

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from heapq import merge
from itertools import chain
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import BinaryIO

from msgspec.structs import replace

from crawler.core.dates import rfc3339
from crawler.core.errors import JobError, UrlError
from crawler.core.expectation import Verdict
from crawler.core.job_place import url_of
from crawler.core.printable import printable
from crawler.core.sample import Sample
from crawler.core.shard import Shard
from crawler.core.steered import Change
from crawler.frontier.reopening import Retried
from crawler.frontier.seed_lines import OnBad, sitemap_url
from crawler.frontier.store import Store
from crawler.jobs.among_shards import AmongShards
from crawler.jobs.changes import Answer, Patience
from crawler.jobs.clustered.checked import checked
from crawler.jobs.clustered.joined_samples import joined_samples
from crawler.jobs.clustered.joined_status import gives_signs, glanced, is_begun, joined_status
from crawler.jobs.clustered.opening import place_of, state_at
from crawler.jobs.clustered.orders import concerned, give, give_seeds, waited
from crawler.jobs.clustered.public import public_parts, rows_of_parts
from crawler.jobs.clustered.shard_view import ShardView
from crawler.jobs.explain import explain
from crawler.jobs.explanation import Explanation
from crawler.jobs.hosts import HostFacts, hosts
from crawler.jobs.inlinks import COLUMNS, Inlinks, Rows
from crawler.jobs.parts import OutputPart
from crawler.jobs.rulings import Rulings
from crawler.jobs.status import JobStatus, status
from crawler.jobs.urls import UrlFacts, Wanted, urls
from crawler.ledger.inbox import Order
from crawler.shards.glance import Glances
from crawler.shards.orders import OrderBox
from crawler.shards.state import ClusterState
from crawler.web.shards import owner
from crawler.web.urls import normalise

__all__ = ["ShardedJob"]


class ShardedJob:
    """Answers for all shards of a job. Where it was named by a URL, they work elsewhere, on disks of their nodes.

    State: the last state of the job, the views of its shards, what was fetched.
    """

    is_of_shards = True

    def __init__(self, job: str | os.PathLike[str]) -> None:
        """Find the job. Raises `JobError` if none is at that place, `StorageError` if it cannot be read."""
        place = place_of(job)
        if place is None:
            raise JobError(f"{printable(os.fspath(job))} is no job of many shards")
        self._place = place
        self.shown = place.shown
        self.folder = place.path
        self._works_here = url_of(PurePath(job)) is None
        self._aside: TemporaryDirectory[str] | None = None
        _ = self._state

    @cached_property
    def _state(self) -> ClusterState:
        return state_at(self._place)

    @cached_property
    def _views(self) -> list[ShardView]:
        return [ShardView(self._place, number, one, self._put_aside) for number, one in enumerate(self._state.shards)]

    def _put_aside(self) -> Path:
        if self._aside is None:
            self._aside = TemporaryDirectory(prefix="crawler-job-")
        return Path(self._aside.name)

    @property
    def _opened(self) -> list[tuple[ShardView, Store]]:
        """All shards that have brought something, with their stores."""
        found = [(view, view.store) for view in self._views]
        opened = [(view, store) for view, store in found if store is not None]
        if not opened:
            raise JobError(f"no shard of job {self.shown} has brought anything yet: ask again when its crawl has begun")
        return opened

    @property
    def stores(self) -> Sequence[Store]:
        """The stores of all shards that have brought something."""
        return [store for _, store in self._opened]

    @property
    def folders(self) -> Sequence[Path]:
        """The folders of these stores."""
        return [view.folder for view, _ in self._opened if view.folder is not None]

    @property
    def said(self) -> Sequence[str]:
        """How old what was fetched is, and which shards have brought nothing."""
        fetched = [view for view in self._views if view.is_fetched]
        empty = [str(view.number) for view in self._views if view.store is None]
        said = []
        if fetched:
            oldest = min(view.state.checkpoint_at for view in fetched)
            of = "all shards" if len(fetched) == len(self._views) else f"{len(fetched)} of {len(self._views)} shards"
            said.append(f"What {of} had is that of their checkpoints; the oldest is of {rfc3339(oldest)}.")
        if empty:
            said.append(f"Nothing came from shard {', '.join(empty)} as yet.")
        return said

    @property
    def is_running(self) -> bool:
        """Whether a crawl runs the job: by the locks of its shards here, elsewhere by the signs that it gives.

        Here, too, it runs before it has started any shard.
        """
        if any(view.is_running for view in self._views):
            return True
        return is_begun(self._state) if self._works_here else gives_signs(self._state, Glances(self._place).all())

    def close(self) -> None:
        """Let go of the stores, and of what was fetched."""
        for view in self.__dict__.pop("_views", ()):
            view.close()
        self.__dict__.pop("_state", None)
        if self._aside is not None:
            self._aside.cleanup()
            self._aside = None

    def status(self) -> JobStatus:
        """Say how the job stands: of one at a URL by what its shards show there, and nothing is fetched."""
        if not self._works_here:
            glances = Glances(self._place).all()
            runs = gives_signs(self._state, glances)
            found = {number: glanced(self.shown, one, runs=runs) for number, one in glances.items()}
            return joined_status(self.shown, self._state, found, runs=runs)
        told = {
            view.number: status(view.folder, store, running=view.was_running)
            for view in self._views
            if (store := view.store) is not None and view.folder is not None
        }
        return joined_status(self.shown, self._state, told, runs=self.is_running)

    def samples(self) -> Iterator[Sample]:
        """Give the time series of all shards as one."""
        return joined_samples([store.samples.all() for store in self.stores])

    def urls(self, wanted: Wanted, *, parents: bool) -> Iterator[UrlFacts]:
        """Give the URLs that are wanted, shard by shard."""
        return chain.from_iterable(urls(store, wanted, parents=parents) for store in self.stores)

    def inlinks(self, wanted: Iterable[UrlFacts]) -> Inlinks:
        """Give the links to some URLs, from the records that are public."""
        return Inlinks(self.stores, rows_of_parts(self.parts(), COLUMNS), wanted)

    def records(self) -> Iterator[tuple[str, Rows | None]]:
        """Give the outputs with the records that are public."""
        return rows_of_parts(self.parts(), None)

    def check(self, texts: Sequence[str]) -> list[Verdict]:
        """Judge what is expected of all shards together."""
        return checked(self.shown, self.stores, self.status(), texts, self.parts)

    def explain(self, url: str) -> Explanation:
        """Tell the story of a URL, of which the shard that owns it knows."""
        of = len(self._views)
        view = self._views[_owner(url, of)]
        store = view.store
        if store is None or view.folder is None:
            why = f"nothing came from shard {view.number} as yet, which owns it"
            return Explanation(asked=url, url=url, why_unknown=(why,), shard=view.number, shards=of)
        among = AmongShards(Shard(view.number, of), self.shown, self.is_running, self._at_hand)
        told = explain(view.folder, store, url, among)
        as_of = view.state.checkpoint_at if view.is_fetched else None
        return replace(told, shard=view.number, shards=of, as_of=as_of)

    def _at_hand(self, url: str) -> Store | None:
        view = self._views[owner(url, len(self._views))]
        return view.store if view.is_open or self._place.path is not None else None

    def hosts(self) -> Iterator[HostFacts]:
        """Give every host: each is of one shard."""
        agent = Rulings(self.stores[0]).config.user_agent
        return merge(*(hosts(store, agent) for store in self.stores), key=_urls_of, reverse=True)

    def parts(self) -> Iterator[OutputPart]:
        """Give the parts that are public."""
        return public_parts(self._place, self._state)

    def add(
        self, sources: Sequence[str], *, stdin: BinaryIO | None, on_bad: OnBad, patience: Patience
    ) -> Answer | None:
        """Deal seeds out to the shards that own them; wait for a crawl that runs."""
        put = give_seeds(self._place, len(self._views), sources, stdin=stdin, on_bad=on_bad)
        return self._awaited(put, patience)

    def retry(self, which: Retried, *, patience: Patience) -> int | None:
        """Make URLs due again in the shards that it concerns."""
        which.check()
        asked = concerned(which, len(self._views))
        put = [one for shard, what in asked.items() for one in give(self._place, [shard], Order(retried=what))]
        answer = self._awaited(put, patience)
        return None if answer is None else answer.due

    def steer(self, change: Change, *, patience: Patience) -> bool:
        """Make one change: in the shard that owns the host, in all shards, or in the crawl as a whole."""
        of = len(self._views)
        if change.do in {"pause", "resume", "stop"} and not self.is_running:
            raise JobError(f"no crawl runs job {self.shown}: there is nothing to {change.do}")
        shards: Iterable[int | None] = range(of)
        if change.do == "stop":
            shards = (None,)
        elif change.host:
            shards = (owner(f"http://{change.host}/", of),)
        return self._awaited(give(self._place, shards, Order(change=change)), patience) is not None

    def _awaited(self, put: Sequence[tuple[OrderBox, str]], patience: Patience) -> Answer | None:
        """Wait for a crawl that runs; if none does, what was put there waits for the next one."""
        is_running = self.is_running
        self.close()
        return waited(put, patience) if is_running else None


def _urls_of(facts: HostFacts) -> int:
    return facts.due + sum(facts.outcomes.values())


def _owner(url: str, of: int) -> int:
    """Return the shard that owns what a person has typed; the first one for what is no URL."""
    named = sitemap_url(url.strip())
    try:
        return owner(normalise(url.strip() if named is None else named), of)
    except UrlError:
        return 0
