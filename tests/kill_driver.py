"""Runs the command line with a kill -9 planted at a named point. Started by test_kill.py:

    python tests/kill_driver.py POINT COUNT crawl SEED… --option…

POINT is a name of `POINTS`; the process kills itself (or its whole group) the COUNT-th time it gets there.
"""

import os
import signal
import sys

import crawler.ledger
from crawler.cli import main
from crawler.frontier import Frontier
from crawler.ledger import Ledger
from crawler.sinks import jsonl
from crawler.store import Store
from crawler.transport.aiohttp import AiohttpTransport


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Countdown:
    def __init__(self, count: int) -> None:
        self.left = count

    def __call__(self) -> bool:
        self.left -= 1
        return self.left == 0


def after_fetch(now: Countdown) -> None:
    """A page was downloaded and has not reached a parser."""
    fetch = AiohttpTransport.fetch

    async def fetch_and_die(self, request):
        result = await fetch(self, request)
        if now():
            die()
        return result

    AiohttpTransport.fetch = fetch_and_die


def in_record(now: Countdown) -> None:
    """Half of a batch's bytes are in the file, the last record cut in the middle."""
    write_all = jsonl.write_all

    def write_half_and_die(fd, data, name):
        if now():
            os.write(fd, data[: len(data) // 2 + 3])
            die()
        return write_all(fd, data, name)

    jsonl.write_all = write_half_and_die


def before_commit(now: Countdown) -> None:
    """The records are on the disk, the store does not know."""
    commit = Store.commit

    def die_or_commit(self):
        if self.pending_rows and now():
            die()
        commit(self)

    Store.commit = die_or_commit


def after_commit(now: Countdown) -> None:
    """The store knows, nobody else does."""
    commit = Store.commit

    def commit_and_die(self):
        commit(self)
        if now():
            die()

    Store.commit = commit_and_die


def in_resume_store(now: Countdown) -> None:
    """The store was opened again, the sink was not cut yet."""
    init = Store.__init__

    def init_and_die(self, *args, **kwargs):
        init(self, *args, **kwargs)
        if now():
            die()

    Store.__init__ = init_and_die


def in_resume_sink(now: Countdown) -> None:
    """The sink was cut, nothing was handed out yet."""
    init = Frontier.__init__

    def init_and_die(self, *args, **kwargs):
        init(self, *args, **kwargs)
        if now():
            die()

    Frontier.__init__ = init_and_die


def in_hand_out(now: Countdown) -> None:
    """Results were taken and discovered URLs were not committed."""
    put = Ledger.put_records

    def put_and_die(self, results):
        put(self, results)
        if now():
            die()

    Ledger.put_records = put_and_die


def between_slices(now: Countdown) -> None:
    """Some links of a result are committed, the result itself is not."""
    crawler.ledger.SLICE_LINKS = 10
    take = Frontier.take_links
    taken = []

    def take_and_note(self, done, links, at):
        take(self, done, links, at)
        taken.append(done)

    def commit_and_die(self):
        self._commit()
        if taken and now():
            die()

    Frontier.take_links = take_and_note
    Ledger._catch_up = commit_and_die


POINTS = {
    "after-fetch": after_fetch,
    "in-record": in_record,
    "before-commit": before_commit,
    "after-commit": after_commit,
    "in-resume-store": in_resume_store,
    "in-resume-sink": in_resume_sink,
    "in-hand-out": in_hand_out,
    "between-slices": between_slices,
}

if __name__ == "__main__":
    point, count = sys.argv[1], int(sys.argv[2])
    POINTS[point](Countdown(count))
    sys.argv = ["crawler", *sys.argv[3:]]
    sys.exit(main())
