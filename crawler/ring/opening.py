"""From a job's folder to a crawl that can begin: settle what it is, cut the sinks back, make the seeds known."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import BinaryIO, NamedTuple

from crawler.core.config import CrawlConfig
from crawler.core.errors import SeedError
from crawler.core.host_rows import Begun
from crawler.core.model import Seed
from crawler.core.page_fields import has_seed_records
from crawler.core.printable import printable
from crawler.core.steered import Steered
from crawler.frontier.frontier import Frontier
from crawler.frontier.reopening import Retried
from crawler.frontier.seed_lines import OnBad
from crawler.frontier.seeds import STDIN, BadSeed, fingerprint, is_seed, read_seeds, spool
from crawler.frontier.store import Store
from crawler.ledger.added import is_added, own_numbers
from crawler.ledger.begun import begin_shard
from crawler.ledger.changes import kept_steering
from crawler.ledger.exchange import Exchange
from crawler.ledger.job import JobFolder
from crawler.ledger.kept import as_begun
from crawler.ledger.sinks.base import Sink
from crawler.ledger.sinks.locks import OutputLocks
from crawler.ledger.sinks.outputs import part_sinks, places_of, sinks_for
from crawler.ledger.sinks.successor import Successor
from crawler.ring.member import Member, exchange_of

__all__ = ["Opened", "Opening"]

_log = logging.getLogger(__name__)
_SEED_BATCH = 5_000


class Opened(NamedTuple):
    """What the ring runs on: all of it belongs to the thread that opened it, but for two values.

    `config` is what the job goes on by, and `steered` what a person changed in earlier runs. A shard has an `exchange`
    with its cluster, and `begun` says how it began.
    """

    store: Store
    sinks: Sequence[Sink]
    frontier: Frontier
    locks: OutputLocks
    config: CrawlConfig
    steered: Steered
    exchange: Exchange | None = None
    begun: Begun | None = None


class Opening:
    """How a run of a job begins, first or resumed. `open` runs in the ledger's thread.

    `sources` may be empty for a job that exists; `fresh` starts the job over; `stdin` is read where a source is "-".
    `on_bad_seed` may raise to end it; `stopping()` is asked now and then while seeds are read. `sinks` are used beside
    those of the outputs, each under a name of its own. `member`: the job is a shard.

    Raises `ConfigError` for outputs that cannot be written.
    """

    def __init__(
        self,
        job: JobFolder,
        config: CrawlConfig,
        sources: Sequence[str],
        *,
        fresh: bool,
        stdin: BinaryIO | None,
        on_bad_seed: Callable[[BadSeed], None],
        stopping: Callable[[], bool],
        sinks: Sequence[Sink] = (),
        member: Member | None = None,
    ) -> None:
        self._job = job
        self._config = config
        self._sources = sources
        self._fresh = fresh
        self._stdin = stdin
        self._on_bad_seed = on_bad_seed
        self._stopping = stopping
        self._given = tuple(sinks)
        self._member = member
        self._sinks = (*sinks, *self._sinks_for(config))

    def open(self) -> Opened:
        """Open the store, the sinks and the frontier; nothing stays open when it raises.

        Raises `SeedError`, `JobError` and `StorageError`.
        """
        job = self._job
        if not self._sources and not job.exists and not self._may_be_without_seeds:
            raise SeedError(f"no seeds given, and {job.path} has no crawl to resume")
        with self._standard_input() as stdin, ExitStack() as undo:
            seeds = fingerprint(self._sources, stdin) if self._sources else ""
            locks = OutputLocks()
            undo.callback(locks.discard)
            # A shard holds a lease: nobody else writes its parts, wherever they are.
            locks.take(places_of(self._config) if self._member is None else [])
            undo.callback(job.bring_back)
            if self._fresh:
                job.start_over()
            store = self._settled_store(seeds)
            undo.callback(store.close)
            begun = None if self._member is None else begin_shard(store)
            self._go_on_as_begun(store)
            positions = store.meta("sinks") or {}
            for sink in self._sinks:
                undo.callback(sink.close)
                sink.open(positions.get(sink.name))
            if not positions:
                self._note_places(store)
            frontier = Frontier(store, self._config, None if self._member is None else self._member.shard)
            if not store.meta("seeded"):
                self._seed(store, frontier, stdin)
            elif not job.has_other_seeds or self._add_seeds(store, frontier, stdin):
                self._widen(store, frontier)
            if self._config.retry_failed:
                self._reopen(store, frontier)
            undo.pop_all()
        job.begun()
        exchange = None if self._member is None else exchange_of(self._member, frontier)
        return Opened(store, self._sinks, frontier, locks, self._config, self._steered(store), exchange, begun)

    @property
    def _may_be_without_seeds(self) -> bool:
        return self._config.follow is not None or self._member is not None

    def _sinks_for(self, config: CrawlConfig) -> Sequence[Sink]:
        return sinks_for(config) if self._member is None else part_sinks(config, self._job.path)

    def _steered(self, store: Store) -> Steered:
        """Return what a person changed in earlier runs; tell of it, since it may be long ago."""
        steered = kept_steering(store)
        if steered.paused:
            _log.info("job %s was paused: it goes on", self._job.path)
        if steered.words:
            _log.info("job %s is steered: %s", self._job.path, printable(", ".join(steered.words)))
        return steered

    def _note_places(self, store: Store) -> None:
        """Commit where the outputs of a new job begin: what a run leaves there that dies before its first commit is cut
        by the next one, and not taken for an earlier output.
        """
        local = [sink for sink in self._sinks if isinstance(sink, Successor)]
        store.put_meta("sinks", {sink.name: sink.flush() for sink in local})
        store.commit()
        for sink in local:
            sink.committed()

    def _go_on_as_begun(self, store: Store) -> None:
        """Let a job that an earlier version began write what it wrote then."""
        config = as_begun(store, self._config)
        if config is not self._config:
            self._config = config
            self._sinks = (*self._given, *self._sinks_for(config))

    def _standard_input(self) -> AbstractContextManager[BinaryIO | None]:
        """A copy of standard input, if seeds come from there: it is read once for what they are, once for all."""
        if self._stdin is None or STDIN not in self._sources:
            return nullcontext()
        return spool(self._stdin, self._job.path)

    def _settled_store(self, seeds: str) -> Store:
        """The store of a job that is, or becomes, the crawl from these seeds with these settings."""
        member = self._member
        store = (
            Store(self._job.state_path)
            if member is None
            else Store(self._job.state_path, hash_seed=member.hash_seed, incarnation=member.incarnation)
        )
        try:
            if self._job.settle(store, seeds, shard=member is not None):
                return store
        except BaseException:
            store.close()
            raise
        store.close()
        _log.info("job %s had no record yet: it begins anew with the settings given now", self._job.path)
        self._job.start_over()
        return self._settled_store(seeds)

    def _seed(self, store: Store, frontier: Frontier, stdin: BinaryIO | None) -> None:
        """Make all seeds known. Interrupted or killed in between, a later run does it again: known URLs stay."""
        if not self._sources and self._may_be_without_seeds:
            store.put_meta("seeded", value=True)
            _commit(store, frontier)
            return
        if not self._sources:
            raise SeedError("the run before was stopped while it read its seeds: name them again")
        if stdin is not None:
            stdin.seek(0)
        number = 0

        def told(bad: BadSeed) -> None:
            nonlocal number
            self._on_bad_seed(bad)
            _keep_bad(store, bad)
            if bad.is_line and has_seed_records(self._config):
                number += 1
                frontier.add_bad_seed(number, bad, time.time())

        for added, seed in enumerate(read_seeds(self._sources, told, stdin), start=1):
            number += 1
            frontier.add_seed(number, seed)
            if added % _SEED_BATCH == 0:
                _commit(store, frontier)
                if self._stopping():
                    return
        store.put_meta("seeded", value=True)
        _commit(store, frontier)

    def _reopen(self, store: Store, frontier: Frontier) -> None:
        """Make URLs due again that have failed. Killed in between, a run that is asked to do it again does the rest."""
        kinds = () if self._config.retry_failed is True else self._config.retry_failed or ()
        number = 0
        after: bytes | None = b""
        while after is not None and not self._stopping():
            opened, after = frontier.reopen(Retried(kinds=tuple(kinds)), after)
            number += opened
            _commit(store, frontier)
        _log.info("%d URLs that had failed are due again", number)

    def _widen(self, store: Store, frontier: Frontier) -> None:
        if self._job.widen(store):
            _commit(store, frontier)

    def _add_seeds(self, store: Store, frontier: Frontier, stdin: BinaryIO | None) -> bool:
        """Make those seeds known that the job did not begin with; False if stopped in between. None is taken away."""
        if self._member is None:  # the seeds of a shard are those of its job that it owns: there may have been none
            self._refuse_others(store, stdin)
        known = number = max(store.last_seed, frontier.counters.rows)
        rows = own_numbers(store)
        row = 0

        def told(bad: BadSeed) -> None:
            nonlocal row
            self._on_bad_seed(bad)
            _keep_bad(store, bad)
            if bad.is_line:
                row = next(rows)
            if bad.is_line and in_rows and row > known:
                frontier.add_bad_seed(row, bad, time.time())

        in_rows = has_seed_records(self._config)
        for read, seed in enumerate(self._seeds_again(told, stdin), start=1):
            row = next(rows)
            if not in_rows:
                number += frontier.add_seed(number + 1, seed)
            elif row > known:
                frontier.add_seed(row, seed)
                number = row
            elif not store.is_seed(row, seed):
                raise self._job.refused(f"row {row:,} of the seeds is another, and rows may be added at the end alone")
            if read % _SEED_BATCH == 0:
                _commit(store, frontier)
                if self._stopping():
                    return False
        _log.info("job %s: %d seeds were added", self._job.path, number - known)
        return True

    def _refuse_others(self, store: Store, stdin: BinaryIO | None) -> None:
        """Raise `JobError` for seeds that are not those of the job and more, but others.

        A list may have grown and shrunk; URLs that a command names may only be more.
        """
        if all(map(is_seed, self._sources)):
            given = {seed.url for seed in read_seeds(self._sources, self._on_bad_seed)}
            added = is_added(store)
            others = any(one.anchors[0] not in given for one in store.seeds() if not added(one.number))
        else:
            again = self._seeds_again(lambda _: None, stdin)
            others = not any(store.urls.values([store.keys.url(seed.url, seed.kind)])[0] for seed in again)
        if others:
            raise self._job.refused("seeds are others than before")

    def _seeds_again(self, on_bad: OnBad, stdin: BinaryIO | None) -> Iterator[Seed]:
        if stdin is not None:
            stdin.seek(0)
        return read_seeds(self._sources, on_bad, stdin)


def _keep_bad(store: Store, bad: BadSeed) -> None:
    if bad.is_line:
        store.bad_rows.put(bad)


def _commit(store: Store, frontier: Frontier) -> None:
    frontier.save()
    store.commit()
    frontier.committed()
