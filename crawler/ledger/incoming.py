"""What comes into a job from outside while it runs, or when nothing does: seeds, changes and retries, exactly once.

A file is taken in slices, so that the crawl goes on beside it. Each slice is one commit with the mark that says how far
the file was taken. When the last one is committed, the file is answered and removed, and then its mark goes: so a kill
at any instant leaves a file that goes on at its mark, or one that is done and only removed. A mark of a file that is
gone counts for nothing.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import BufferedReader
from itertools import islice
from typing import Final, Protocol

import msgspec
from msgspec import Struct, structs

from crawler.core.config import CrawlConfig
from crawler.core.errors import SeedError, UsageError
from crawler.core.model import Seed
from crawler.core.page_fields import has_seed_records
from crawler.core.printable import printable
from crawler.core.refusal import refusal
from crawler.core.steered import Change
from crawler.frontier.frontier import Frontier
from crawler.frontier.reopening import Retried
from crawler.frontier.seed_lines import BadSeed, OnBad
from crawler.frontier.seeds import stream_seeds
from crawler.frontier.store import Store
from crawler.ledger.added import Added
from crawler.ledger.inbox import Answer, Order, Waiting, put_at_ns
from crawler.ledger.seed_stream import SeedStream

__all__ = ["Box", "Incoming"]

_log = logging.getLogger(__name__)

_MARKS: Final = "inbox"
_LOOKS_EVERY_S: Final = 0.5
_SURE_AFTER_NS: Final = 2_000_000_000
"""A folder that changed so lately may change again with the same time: it is looked at again."""
_SEEDS_AT_ONCE: Final = 1_000
"""Seeds taken between two looks at the rest of the ring: about 20 ms of work."""
_OF_A_RUN: Final = {"pause", "resume", "stop"}


class Box(Protocol):
    """A folder into which people put files. `key` stands before their names in marks, and is that of no other."""

    key: str

    @property
    def is_open(self) -> bool:
        """Whether the crawl is to wait for more."""

    def close(self) -> None:
        """Learn that the crawl has ended since nothing is left."""

    def is_seeds(self, name: str) -> bool:
        """Whether a file holds seeds, and no order."""

    def stamp(self) -> object:
        """Return what changes when a file comes."""

    def waiting(self) -> tuple[list[Waiting], list[str]]:
        """Return the files to be taken, in their order, and names of others."""

    def open(self, name: str) -> BufferedReader:
        """Open a file."""

    def finish(self, name: str, answer: Answer) -> None:
        """Say what came of a file, and take it away."""

    def sync(self) -> None:
        """Make that last."""


class Mark(Struct, frozen=True, array_like=True):
    """How far a file was taken: lines of seeds, or behind which key a retry goes on; and what came of it until then."""

    identity: tuple[int, ...]
    rows: int = 0
    after: bytes = b""
    answer: Answer = Answer()
    done: bool = False


class _File(Struct):
    """The file that is being taken. `items` are its seeds and bad lines; or it is an `order`."""

    box: Box
    name: str
    mark: Mark
    items: Iterator[Seed | BadSeed] = iter(())
    order: Order | None = None

    @property
    def key(self) -> str:
        return self.box.key + self.name


class Incoming:
    """Takes what waits in `boxes`. Runs in the ledger's thread, or where a job is changed that nothing runs.

    `stream` brings further seeds, of which nothing is marked. `steer(change)` puts a change in force; `on_bad` is told
    of lines that are no seeds. Orders about the run itself that are older than `since_ns` (unix time) were meant for a
    run before. State: marks, as the next commit keeps them; the file that is being taken; when to look again, and what
    the folders looked like; names that were told of.
    """

    def __init__(
        self,
        store: Store,
        frontier: Frontier,
        config: CrawlConfig,
        boxes: Sequence[Box],
        *,
        steer: Callable[[Change], None],
        on_bad: OnBad,
        since_ns: int,
        stream: SeedStream | None = None,
    ) -> None:
        self._store = store
        self._frontier = frontier
        self._boxes = boxes
        self._steer = steer
        self._on_bad = on_bad
        self._since_ns = since_ns
        self._stream = stream
        self._in_rows = has_seed_records(config)
        self._added = Added(store, frontier.counters)
        self._decode = msgspec.msgpack.Decoder(dict[str, Mark]).decode
        self._marks = self._decode(store.meta(_MARKS) or b"\x80")
        self._file: _File | None = None
        self._look_at = 0.0
        self._looks: list[object] = []
        self._told: set[str] = set()
        self._closed = False
        for box in boxes:
            self._settle(box)

    @property
    def is_due(self) -> bool:
        """Whether there is something to take, or it is time to look."""
        return not self._closed and (self._file is not None or self._has_read or time.monotonic() >= self._look_at)

    @property
    def keep_open(self) -> bool:
        """Whether the crawl is to wait for more."""
        followed = any(box.is_open for box in self._boxes) or (self._stream is not None and self._stream.is_open)
        return not self._closed and followed

    @property
    def _has_read(self) -> bool:
        return self._stream is not None and self._stream.are_waiting

    def has_more(self) -> bool:
        """Look now whether something is to be taken."""
        self._looks.clear()
        return not self._closed and (self._file is not None or self._has_read or self._next())

    def close(self, *, done: bool) -> None:
        """Take nothing more: what comes now is for the next run. `done`: nothing is left."""
        self._closed = True
        for box in self._boxes if done else ():
            box.close()

    def take(self) -> None:
        """Take one slice of what waits, if anything does."""
        if self._stream is not None and (read := self._stream.take(_SEEDS_AT_ONCE)):
            self._add(read)
        file = self._file
        if file is None and (not self._next() or (file := self._file) is None):
            return
        try:
            mark = self._take_seeds(file) if file.order is None else self._obey(file, file.order)
        except UsageError as error:
            mark = self._refused(file, str(error))
        except OSError as error:
            mark = self._refused(file, f"cannot be read: {error.strerror or error}")
        if mark.done:
            self._file = None
        file.mark = self._marks[file.key] = mark
        self._save()

    def committed(self) -> None:
        """Learn that the open batch was committed: files that were taken to their end go, and then their marks."""
        done = [key for key, mark in self._marks.items() if mark.done]
        for box in self._boxes if done else ():
            self._finish(box, [key for key in done if key.startswith(box.key)])
        if done:
            self._save()

    # Which file is next

    def _next(self) -> bool:
        """Look for the next file, as often as that is worth it; say whether there is one."""
        self._look_at = time.monotonic() + _LOOKS_EVERY_S
        stamps = [box.stamp() for box in self._boxes]
        if stamps == self._looks:
            return False
        self._looks = stamps if all(map(_is_sure, stamps)) else []
        for box in self._boxes:
            try:
                waiting, foreign = box.waiting()
            except OSError as error:
                self._tell_once(box.key, f"cannot read it: {error.strerror or error}")
                continue
            for name in foreign:
                self._tell_once(box.key + name, "it is left alone: nothing that a crawl could take")
            for found in waiting:
                mark = self._marks.get(box.key + found.name)
                if mark is None or not mark.done:
                    known = mark is not None and mark.identity == found.identity
                    self._file = self._opened(box, found.name, mark if mark and known else Mark(found.identity))
                    self._looks = []  # there may be another one behind it
                    return True
        return False

    def _opened(self, box: Box, name: str, mark: Mark) -> _File:
        try:
            raw = box.open(name)
            if box.is_seeds(name):
                return _File(box, name, mark, islice(_items(raw, box.key + name), mark.rows, None))
            with raw:
                return _File(box, name, mark, order=msgspec.json.decode(raw.read(), type=Order))
        except (OSError, msgspec.MsgspecError) as error:
            return _File(box, name, mark, _broken(SeedError(f"{printable(name)} cannot be read: {error}")))

    def _settle(self, box: Box) -> None:
        """See to what a killed run has left: files that were taken go, and so do marks of files that are gone."""
        try:
            there = {box.key + found.name: found.identity for found in box.waiting()[0]}
        except OSError:
            return
        of_box = {key: mark for key, mark in self._marks.items() if key.startswith(box.key)}
        for key, mark in of_box.items():
            if there.get(key) != mark.identity:
                del self._marks[key]
                self._save()
        self._finish(box, [key for key, mark in of_box.items() if key in self._marks and mark.done])

    def _finish(self, box: Box, keys: Sequence[str]) -> None:
        try:
            for key in keys:
                box.finish(key.removeprefix(box.key), self._marks[key].answer)
            if keys:
                box.sync()
        except OSError as error:
            raise refusal("take a file out of the inbox", error, "make the folder writable") from error
        for key in keys:
            del self._marks[key]

    def _tell_once(self, what: str, why: str) -> None:
        if what not in self._told:
            self._told.add(what)
            _log.warning("inbox: %s: %s", printable(what), why)

    # What is in it

    def _take_seeds(self, file: _File) -> Mark:
        mark, before = file.mark, file.mark.answer
        rows, new, bad = self._add(islice(file.items, _SEEDS_AT_ONCE))
        answer = Answer(before.new + new, before.known + rows - new - bad, before.bad + bad)
        done = rows < _SEEDS_AT_ONCE
        if done:
            _log.info("%d seeds were added, %d of them were known", answer.new + answer.known, answer.known)
        return structs.replace(mark, rows=mark.rows + rows, answer=answer, done=done)

    def _add(self, items: Iterable[Seed | BadSeed]) -> tuple[int, int, int]:
        """Add seeds, and rows that are none; return how many these were, how many were new, and how many bad."""
        rows, new, bad = 0, 0, 0
        for item in items:
            rows += 1
            if isinstance(item, BadSeed):
                bad += 1
                self._on_bad(item)
                if item.is_line:
                    self._store.bad_rows.put(item)
                if self._in_rows and item.is_line:
                    self._frontier.add_bad_seed(self._added.next(), item, time.time())
                    self._added.use()
            else:
                is_new = self._frontier.add_seed(self._added.next(), item)
                new += is_new
                if is_new or self._in_rows:
                    self._added.use()
        self._added.save()
        return rows, new, bad

    def _obey(self, file: _File, order: Order) -> Mark:
        if order.change is not None:
            if order.change.do in _OF_A_RUN and put_at_ns(file.name) < self._since_ns:
                return self._refused(file, "the run that it was meant for had ended")
            self._steer(order.change)
        return self._retry(file.mark, order.retried) if order.retried else structs.replace(file.mark, done=True)

    def _retry(self, mark: Mark, which: Retried) -> Mark:
        which.check()
        due, after = self._frontier.reopen(which, mark.after)
        answer = structs.replace(mark.answer, due=mark.answer.due + due)
        if after is None:
            _log.info("%d URLs are due again", answer.due)
        return structs.replace(mark, after=after or b"", answer=answer, done=after is None)

    def _refused(self, file: _File, why: str) -> Mark:
        """End a file of which nothing more can come."""
        _log.warning("inbox: %s", printable(why))
        return structs.replace(file.mark, answer=structs.replace(file.mark.answer, refused=why), done=True)

    def _save(self) -> None:
        self._store.put_meta(_MARKS, msgspec.msgpack.encode(self._marks))


def _items(raw: BufferedReader, name: str) -> Iterator[Seed | BadSeed]:
    """Give the seeds of a file, and its bad lines, in their order."""
    bad: list[BadSeed] = []
    with raw:
        for seed in stream_seeds(raw, name, bad.append):
            yield from bad
            bad.clear()
            yield seed
    yield from bad


def _broken(error: SeedError) -> Iterator[Seed]:
    """Give nothing but an error."""
    raise error
    yield


def _is_sure(stamp: object) -> bool:
    """Whether a folder that looks the same later is the same."""
    match stamp:
        case (int(changed_ns), _):
            return time.time_ns() - changed_ns > _SURE_AFTER_NS
    return False
