"""Standard input that a crawl follows: seeds are taken as they are written there."""

import contextlib
import io
import queue
import select
import threading
from collections.abc import Callable
from typing import BinaryIO, Final, cast

from crawler.core.errors import SeedError
from crawler.core.model import Seed
from crawler.frontier.seed_lines import BadSeed
from crawler.frontier.seeds import STDIN, stream_seeds

__all__ = ["SeedStream"]

_AHEAD: Final = 10_000
"""Seeds that are read before they are taken. Whoever writes more waits."""
_LOOKS_EVERY_S: Final = 0.2


class SeedStream:
    """Reads seeds in a thread of its own until their end, or `close`. `changed()` is called when some have come.

    State: seeds and bad lines that were read and not taken; whether the end has come; whether the thread is to end.
    """

    def __init__(self, stream: BinaryIO, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._read: queue.Queue[Seed | BadSeed] = queue.Queue(_AHEAD)
        self._ended = False
        self._closed = False
        self._thread = threading.Thread(target=self._work, args=(stream,), name="follow", daemon=True)
        self._thread.start()

    @property
    def are_waiting(self) -> bool:
        """Whether something was read that was not taken."""
        return not self._read.empty()

    @property
    def is_open(self) -> bool:
        """Whether more may come."""
        return not self._ended or self.are_waiting

    def take(self, most: int) -> list[Seed | BadSeed]:
        """Take up to so many seeds and bad lines that were read."""
        taken: list[Seed | BadSeed] = []
        with contextlib.suppress(queue.Empty):
            while len(taken) < most:
                taken.append(self._read.get_nowait())
        return taken

    def close(self) -> None:
        """Read no more."""
        self._closed = True
        self._thread.join()

    def _work(self, stream: BinaryIO) -> None:
        try:
            with contextlib.suppress(_ClosedError):
                for seed in stream_seeds(_buffered(stream, lambda: self._closed), STDIN, self._put):
                    self._put(seed)
        except SeedError as error:
            with contextlib.suppress(_ClosedError):
                self._put(BadSeed("standard input", "", str(error)))
        finally:
            self._ended = True
            self._changed()

    def _put(self, item: Seed | BadSeed) -> None:
        while not self._closed:
            with contextlib.suppress(queue.Full):
                self._read.put(item, timeout=_LOOKS_EVERY_S)
                self._changed()
                return
        raise _ClosedError


class _ClosedError(Exception):
    """Nobody takes what is read any more."""


class _Polled(io.RawIOBase):
    """An open file that is read when it has something, so that its reader never waits for longer than a moment."""

    def __init__(self, fd: int, is_closed: Callable[[], bool]) -> None:
        self._file = io.FileIO(fd, closefd=False)
        self._is_closed = is_closed

    def readable(self) -> bool:
        """Whether it can be read: it can."""
        return True

    def readinto(self, buffer: object) -> int | None:
        """Wait for bytes, and read them; none at the end."""
        while not self._is_closed():
            if select.select([self._file], [], [], _LOOKS_EVERY_S)[0]:
                return self._file.readinto(buffer)  # type: ignore[arg-type]  # whatever BufferedReader gives
        return 0


def _buffered(stream: BinaryIO, is_closed: Callable[[], bool]) -> io.BufferedReader:
    try:
        fd = stream.fileno()
    except (OSError, AttributeError):  # a program's own stream, which is no file
        return io.BufferedReader(cast("io.RawIOBase", stream))
    return io.BufferedReader(_Polled(fd, is_closed))
