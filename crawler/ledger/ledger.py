"""The only writer of anything durable: takes results, writes records, commits, hands out what is due.

One thread runs it. The commit protocol, on which "nothing lost, nothing twice" rests:

    1. write the records of a batch to each sink and wait for the device;
    2. commit one store batch with the URLs done, the URLs discovered, the retries, the counters, the sinks' positions.

Killed before 2, the sinks are cut back to the positions of the commit before, and those URLs are due again.

A result with very many links (a sitemap may list 50,000 pages) is taken in slices, with commits between them: links
may be committed before their page ends, never after.
"""

import time
from collections.abc import Callable, Sequence

import msgspec

from crawler.core.host_rows import Remembered
from crawler.core.json_line import lines_in
from crawler.core.model import Done, Finished, Result, Task
from crawler.core.run_clock import RunClock
from crawler.core.stats import Ended
from crawler.frontier.frontier import Frontier
from crawler.frontier.store import Store
from crawler.ledger.begun import note_drained
from crawler.ledger.changes import Changes
from crawler.ledger.exchange import Exchange
from crawler.ledger.host_rows import HostRows
from crawler.ledger.intake import Intake, size_of
from crawler.ledger.sampling import Look, Sampling
from crawler.ledger.sinks.base import Parts, Sink
from crawler.ledger.sinks.consumer import ConsumerLeftError
from crawler.ledger.time_use import TimeUse

__all__ = ["Ledger"]

COMMIT_INTERVAL_S = 0.25
COMMIT_ROWS = 5_000
"""Rows that close a batch early: the store's write holds the GIL for about 1 µs a row."""
COMMIT_BYTES = 8 << 20
"""Bytes of records, and of what is remembered of hosts, that close a batch early."""
SLICE_LINKS = 1_000
"""Links taken between two looks at whether a commit is due: about 20 ms of work."""
_STARVED_INTERVAL_S = 0.01


class Ledger:
    """Turns results into durable facts.

    `intake` is how other threads give it something; `run` owns the rest. `hosts` are the rows of hosts that it keeps
    for the fetcher, `changes` is what people change while it runs. `deliver(tasks, hosts)` gets what is due, with what
    is remembered of hosts that entered the window; `ended(why)` is called once, when nothing is left that can be asked
    for, or the page budget is used up; `look(run, last)` takes a sample of the crawl. All three run in the ledger's
    thread. With an `exchange` the crawl is a shard: it ends when it is told to, and never by itself.
    """

    def __init__(
        self,
        store: Store,
        frontier: Frontier,
        sinks: Sequence[Sink],
        *,
        deliver: Callable[[list[Task], list[Remembered]], None],
        ended: Callable[[Ended], None],
        look: Look,
        told: Callable[[Sequence[Finished]], None] | None = None,
        exchange: Exchange | None = None,
    ) -> None:
        self._store = store
        self._host_key = store.keys.authority
        self._frontier = frontier
        self._sinks = sinks
        self._deliver = deliver
        self._ended = ended
        self._sampling = Sampling(store.samples, look)
        self._told = told
        self.intake = Intake()
        self._exchange = exchange
        if exchange is not None:
            exchange.changed = self.intake.notify
        self.hosts = HostRows(store, self.intake.notify)
        self.changes = Changes(store, frontier, self.intake.notify)
        # State of the ledger's thread: what ended in the open batch, whether the end was announced, and whether who
        # took the records has left before it.
        self._announced = False
        self._finished: list[Finished] = []
        self._finished_bytes = 0
        self._committed_at = time.monotonic()
        self._clock = RunClock()
        self.commits = 0
        self.commit_s = 0.0
        self.time_use = TimeUse("work")
        self.was_left = False

    # The ledger's thread

    def run(self) -> None:
        """Work until `stop`.

        Raises `StorageError` when the disk, the store or a sink refuses, `ConsumerLeftError` when nobody takes records.
        """
        try:
            stopping = False
            while not stopping:
                self._hand_out()
                results, stopping = self._take()
                self._settle(results)
                if stopping or self._commit_due():
                    self._commit(last=stopping)
        except ConsumerLeftError as left:
            self.was_left = True
            self._seal(left.taken)
            raise
        finally:
            self.intake.close()
            if self._exchange is not None:
                self._exchange.close()

    def _settle(self, results: Sequence[Result]) -> None:
        """Give results to the frontier, not more than `SLICE_LINKS` links at once; take what it owes to the sinks."""
        self._keep(self._frontier.owed(time.time()))
        part: list[Result] = []
        links = 0
        for result in results:
            if isinstance(result, Done) and result.links:
                if links and links + len(result.links) > SLICE_LINKS:
                    self._finish(part)
                    self._catch_up()
                    part, links = [], 0
                if len(result.links) > SLICE_LINKS:
                    result = self._shortened(result)  # noqa: PLW2901 - its last links, with which it ends
                links += len(result.links)
            part.append(result)
        self._finish(part)

    def _shortened(self, done: Done) -> Done:
        """Give the frontier all but the last links of a result; return the result with those."""
        last = len(done.links) - SLICE_LINKS
        for start in range(0, last, SLICE_LINKS):
            self._frontier.take_links(done, done.links[start : min(start + SLICE_LINKS, last)], time.time())
            self._catch_up()
        return msgspec.structs.replace(done, links=done.links[last:])

    def _finish(self, results: list[Result]) -> None:
        if results:
            self._keep(self._frontier.finish(results, time.time()))

    def _keep(self, finished: list[Finished]) -> None:
        self._finished += finished
        self._finished_bytes += sum(map(size_of, finished))

    def _catch_up(self) -> None:
        """Do what is due in the middle of many results."""
        if self._commit_due():
            self._commit()
            self._hand_out()

    def _hand_out(self) -> None:
        """Give the fetcher what is due; say so when nothing can be due any more."""
        if roused := self.intake.roused():
            self._frontier.rouse(map(self._host_key, roused))
        if self.changes.are_waiting:
            self.changes.apply()
        if self.hosts.are_asked_for:
            self.hosts.answer()
        if self._exchange is None or self._serves(self._exchange):
            tasks, entered = self._frontier.refill(self._clock())
            if tasks:
                self._deliver(tasks, self.hosts.of_hosts(entered))
        if not self._announced and (why := self._why_ended()) is not None:
            self._announced = True
            self._ended(why)

    def _serves(self, exchange: Exchange) -> bool:
        """Do what the cluster asks for; say whether tasks may be handed out: not while the outbox is full."""
        exchange.serve(time.time())
        self.intake.hold(exchange.is_full)
        exchange.stand(self._rests_as)
        return not exchange.is_full

    def _take(self) -> tuple[list[Result], bool]:
        """Wait for results, the next commit, the next retry or `stop`; return what came and whether it was `stop`."""
        return self.intake.take(self._is_asked, self._patience_s, self.time_use)

    def _is_asked(self) -> bool:
        """Whether somebody waits for an answer, or for a change to be made."""
        if self.hosts.are_asked_for or self.changes.are_waiting:
            return True
        exchange = self._exchange
        return exchange is not None and (exchange.are_waiting or (exchange.ends_as is not None and not self._announced))

    def _patience_s(self) -> float:
        if self._dirty():
            wait_s = _STARVED_INTERVAL_S if self._frontier.starved else COMMIT_INTERVAL_S
            return max(0.001, self._committed_at + wait_s - time.monotonic())
        retry_at = self._frontier.next_retry_at
        return COMMIT_INTERVAL_S if retry_at is None else min(COMMIT_INTERVAL_S, max(0.001, retry_at - self._clock()))

    def _dirty(self) -> bool:
        return self._store.dirty or self.hosts.are_changed

    def _commit_due(self) -> bool:
        if self._exchange is not None and self._exchange.wants_cut:
            return True
        if not self._dirty():
            return self._sampling.is_overdue
        if self._store.pending_rows >= COMMIT_ROWS or self._finished_bytes + self.hosts.size_bytes >= COMMIT_BYTES:
            return True
        age_s = time.monotonic() - self._committed_at
        return age_s >= COMMIT_INTERVAL_S or (age_s >= _STARVED_INTERVAL_S and self._frontier.starved)

    def _commit(self, *, last: bool = False) -> None:
        """Steps 1 and 2 of the protocol; `last` tells the sinks that the run ends in good order."""
        started_at = time.monotonic()
        exchange = self._exchange
        sealed = exchange is not None and (exchange.wants_cut or (last and exchange.ends_sealed))
        to_sinks = bool(self._finished) or last or sealed
        changed = self._is_changed
        if to_sinks:
            # Those of sinks that only another run of the job has stay.
            positions = self._store.meta("sinks") or {}
            for sink in self._sinks:
                self.time_use.turn_to(sink.name)
                sink.write(self._finished)
                if sealed and isinstance(sink, Parts):
                    sink.seal()
                positions[sink.name] = sink.flush(last=last)
            self.time_use.turn_to("work")
            self._store.put_meta("sinks", positions)
            self._frontier.counters.records += sum(lines_in(one.records) for one in self._finished)
            if self._told is not None:
                self._told(self._finished)
            self._finished, self._finished_bytes = [], 0
        if self.changes.are_waiting:
            self.changes.apply()
        self.hosts.write()
        self._sampling.take(last=last)
        if exchange is not None and last:
            note_drained(self._store)
        self._frontier.save()
        self.time_use.turn_to("store")
        self._store.commit()
        self.time_use.turn_to("work")
        self._frontier.committed()
        self.changes.committed()
        if to_sinks:
            for sink in self._sinks:
                sink.committed()
        if exchange is not None:
            exchange.committed(changed=changed)
            if sealed or last:
                exchange.cut(self._store, self._sinks, last=last)
        self._committed_at = time.monotonic()
        self.commits += 1
        self.commit_s += self._committed_at - started_at

    def _seal(self, taken: int) -> None:
        """Forget the open batch, whose URLs stay due: who took the records has left. All other sinks end in good order.

        A consumer comes first among the sinks, so that no other one has got this batch. `taken` records of it count as
        such all the same, for whoever asks now how many there were.
        """
        self._store.forget()
        self._frontier.leave(self._finished, taken)
        positions = self._store.meta("sinks") or {}
        positions |= {sink.name: sink.flush(last=True) for sink in self._sinks}
        self._store.put_meta("sinks", positions)
        self._sampling.take(last=True)
        self._store.commit()
        for sink in self._sinks:
            sink.committed()

    def _why_ended(self) -> Ended | None:
        """Return why nothing more can come; then nothing more is taken of what people may still put into the job."""
        if self._exchange is not None:
            why = self._exchange.ends_as
            if why is not None:
                self.changes.close(done=why == "done")
            return why
        why = "max-pages" if self._frontier.budget_spent else None
        if not self.changes.keep_open:
            if self._frontier.exhausted:
                why = "done"
            elif self._frontier.stranded and not self._dirty():
                why = "unreachable"
        return None if why is None or self.changes.has_more(done=why == "done") else why

    def _rests_as(self) -> Ended | None:
        """Return why nothing is to be done in a shard until others send something; None if something is."""
        frontier = self._frontier
        if self._dirty() or self._finished or self.intake.backlog:
            return None
        why: Ended
        if frontier.rests:
            why = "unreachable" if frontier.counters.queued else "done"
        elif frontier.budget_spent and not frontier.handed_out:
            why = "max-pages"
        else:
            return None
        return why if self.changes.is_quiet else None

    @property
    def _is_changed(self) -> bool:
        """Whether the open batch changes what is known, and not only what was sent or sampled."""
        return bool(self._finished) or self._store.pending_rows > 0
