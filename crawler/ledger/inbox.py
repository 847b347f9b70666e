"""The inbox of a job: a folder in it, through which people change a crawl that another process runs.

    JOB/inbox/<time>-<process>-<random>.jsonl         seeds, as a file of them (`frontier.seeds`)
    JOB/inbox/<time>-<process>-<random>.json          an order: one `Order`
    JOB/inbox/<the same>.answer                       what came of it, for whoever waits for that
    JOB/inbox/.<the same>.tmp                         one that is still being written

Whoever asks writes a file aside, syncs it and renames it. Whoever holds the lock of the job takes each file, whole, in
the order of the names, which is that of time; says what came of it; and removes it. What else lies there is left alone.
"""

import contextlib
import os
import re
import secrets
import stat
import time
from collections.abc import Iterable
from io import BufferedReader
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from crawler.core.folders import make_folder, sync_folder
from crawler.core.steered import Change
from crawler.core.symlinks import open_unlinked, refuse_link
from crawler.frontier.reopening import Retried

__all__ = ["Answer", "Inbox", "Order", "Waiting", "opened_regular", "put_at_ns"]

_NAME: Final = re.compile(r"\d{19}-\d{1,10}-[0-9a-f]{8}\.jsonl?")
_ANSWER: Final = ".answer"
_OURS: Final = re.compile(rf"\.?{_NAME.pattern}(\.answer|\.tmp)?")
_STALE_S: Final = 86_400
"""Seconds after which nobody waits for an answer any more, or writes at a file."""
_MOST_ORDER_BYTES: Final = 16 << 20


class Order(Struct, frozen=True, omit_defaults=True):
    """What a person wants of a crawl, beside seeds: a change of what is in force, or that URLs are retried."""

    change: Change | None = None
    retried: Retried | None = None


class Answer(Struct, frozen=True, omit_defaults=True):
    """What came of a file: of seeds, how many were `new`, `known` before, or `bad`; of a retry, how many are `due`.

    `refused` says why nothing came of it, empty if something did.
    """

    new: int = 0
    known: int = 0
    bad: int = 0
    due: int = 0
    refused: str = ""


class Waiting(NamedTuple):
    """A file that is to be taken: its name, and what tells it from another one of that name."""

    name: str
    identity: tuple[int, ...]


class Inbox:
    """The inbox of the job in `folder`. Has no state. All raise OSError for what the disk refuses.

    Those who ask call `put_seeds` and `put_order`, and then look whether their file `is_there`, until there is an
    `answered`. Who holds the lock calls the others.
    """

    key = "inbox/"
    is_open = False
    """Whether the crawl waits for more: whoever changes a job does not hold its crawl."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "inbox"

    # Who asks

    def put_seeds(self, lines: Iterable[bytes]) -> str:
        """Put a file of seeds there, given as lines of JSON; return its name."""
        return self._put(".jsonl", lines)

    def put_order(self, order: Order) -> str:
        """Put an order there; return the name of its file."""
        return self._put(".json", [msgspec.json.encode(order)])

    def put_as(self, name: str, content: bytes) -> None:
        """Put a file there that has a name already, since it was put into an inbox elsewhere. One process does that."""
        (self.path / f".{name}.tmp").unlink(missing_ok=True)
        self._put_named(name, [content])

    def is_there(self, name: str) -> bool:
        """Whether a file waits still to be taken, or is being taken."""
        return (self.path / name).exists()

    def answered(self, name: str) -> Answer | None:
        """Take the answer to a file that was taken; None if there is none, since the disk was full, say."""
        path = self.path / (name + _ANSWER)
        try:
            with opened_regular(path) as file:
                answer = msgspec.json.decode(file.read(_MOST_ORDER_BYTES), type=Answer)
        except (OSError, msgspec.MsgspecError):
            return None
        with contextlib.suppress(OSError):
            path.unlink()
        return answer

    def take_back(self, name: str) -> None:
        """Remove a file that nobody has taken."""
        self._unlink(name)

    def _unlink(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)

    def _put(self, ending: str, lines: Iterable[bytes]) -> str:
        name = f"{time.time_ns():019d}-{os.getpid()}-{secrets.token_hex(4)}{ending}"
        self._put_named(name, lines)
        return name

    def _put_named(self, name: str, lines: Iterable[bytes]) -> None:
        refuse_link(self.path)
        make_folder(self.path)
        aside = self.path / f".{name}.tmp"
        try:
            with os.fdopen(open_unlinked(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:
                file.writelines(lines)
                file.flush()
                os.fsync(file.fileno())
            aside.rename(self.path / name)
        except BaseException:
            with contextlib.suppress(OSError):
                aside.unlink()
            raise
        sync_folder(self.path)

    # Who takes

    def close(self) -> None:
        """Learn that the crawl has ended: what comes now is for the next one."""

    def stamp(self) -> tuple[int, int]:
        """Return what changes when a file comes or goes; look at it before `waiting`. (0, 0) without a folder."""
        try:
            found = self.path.lstat()
        except OSError:
            return 0, 0
        return found.st_mtime_ns, found.st_ino

    def waiting(self) -> tuple[list[Waiting], list[str]]:
        """Return the files that are to be taken, in their order, and names of others that nobody has put there."""
        found: list[Waiting] = []
        foreign: list[str] = []
        try:
            refuse_link(self.path)
            entries = list(os.scandir(self.path))
        except FileNotFoundError:
            return found, foreign
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):  # whoever has asked for an answer takes it away
                of = entry.stat(follow_symlinks=False)
                if not _OURS.fullmatch(entry.name) or not stat.S_ISREG(of.st_mode):
                    foreign.append(entry.name)
                elif _NAME.fullmatch(entry.name):
                    found.append(Waiting(entry.name, (of.st_ino,)))
                elif time.time() - of.st_mtime > _STALE_S:
                    self._unlink(entry.name)
        return sorted(found), sorted(foreign)

    def is_seeds(self, name: str) -> bool:
        """Whether a file holds seeds, and no order."""
        return name.endswith(".jsonl")

    def open(self, name: str) -> BufferedReader:
        """Open a file that waits."""
        return opened_regular(self.path / name)

    def order(self, name: str) -> Order:
        """Read an order. Raises `msgspec.MsgspecError` for a file that holds none."""
        with self.open(name) as file:
            return msgspec.json.decode(file.read(_MOST_ORDER_BYTES), type=Order)

    def finish(self, name: str, answer: Answer) -> None:
        """Say what came of a file that was taken, and remove it; `sync` makes that last."""
        with contextlib.suppress(OSError):  # whoever waits sees that it was taken; a full disk must not stop the crawl
            path = self.path / f"{name}{_ANSWER}"
            aside = self.path / f".{name}.tmp"
            with os.fdopen(open_unlinked(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
                file.write(msgspec.json.encode(answer))
            aside.rename(path)
        self._unlink(name)

    def sync(self) -> None:
        """Wait until what was removed is gone for good."""
        with contextlib.suppress(FileNotFoundError):
            sync_folder(self.path)


def put_at_ns(name: str) -> int:
    """Return when a file was put into an inbox: unix time in nanoseconds."""
    return int(name.partition("-")[0])


def opened_regular(path: Path) -> BufferedReader:
    """Open a file to be read, if it is no link and nothing but a file. Raises OSError."""
    fd = open_unlinked(path, os.O_RDONLY | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(f"{path} is no file")
    return os.fdopen(fd, "rb")
