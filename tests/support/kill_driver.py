"""Runs the command line with a kill -9 planted at a named point. Started by test_kill.py:

    python tests/support/kill_driver.py POINT COUNT crawl SEED… --option…

POINT is a name of `POINTS`, `SINK_POINTS` or `INBOX_POINTS`; the process kills itself (or its whole group) the COUNT-th
time it gets there.
"""

import os
import signal
import sys

import crawler.ledger.ledger
from crawler.cli.entry import main
from crawler.fetcher.transport.aiohttp.transport import AiohttpTransport
from crawler.frontier import reopening
from crawler.frontier.frontier import Frontier
from crawler.frontier.store import Store
from crawler.ledger import inbox, incoming
from crawler.ledger.inbox import Inbox
from crawler.ledger.incoming import Incoming
from crawler.ledger.intake import Intake
from crawler.ledger.ledger import Ledger
from crawler.ledger.sinks.files import file, parquet
from crawler.ledger.sinks.files.parquet import ParquetSink
from crawler.ledger.sinks.files.sqlite import SqliteSink


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
    """Half of a batch's bytes are in one of the outputs, the last record cut in the middle, and nothing in the next."""
    write_all, insert = file.write_all, SqliteSink.write

    def write_half_and_die(fd, data, name):
        if now():
            os.write(fd, data[: len(data) // 2 + 3])
            die()
        return write_all(fd, data, name)

    def insert_half_and_die(self, finished):
        if finished and now():
            insert(self, finished[: len(finished) // 2 + 1])
            die()
        insert(self, finished)

    file.write_all = parquet.write_all = write_half_and_die
    SqliteSink.write = insert_half_and_die


def in_seal(now: Countdown) -> None:
    """A Parquet part has its name, and nobody knows."""
    seal = ParquetSink._seal

    def seal_and_die(self, number):
        seal(self, number)
        if now():
            die()

    ParquetSink._seal = seal_and_die


def before_clean(now: Countdown) -> None:
    """The store knows, and what only the commit before needed is still there."""
    committed = ParquetSink.committed

    def die_or_clean(self):
        if now():
            die()
        committed(self)

    ParquetSink.committed = die_or_clean


def in_next_part(now: Countdown) -> None:
    """A file of a row is complete, the next one is empty."""
    begin = file.FileSink._next_part

    def begin_and_die(self):
        begin(self)
        if now():
            die()

    file.FileSink._next_part = begin_and_die


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
    put = Intake.put_records

    def put_and_die(self, results):
        put(self, results)
        if now():
            die()

    Intake.put_records = put_and_die


def between_slices(now: Countdown) -> None:
    """Some links of a result are committed, the result itself is not."""
    crawler.ledger.ledger.SLICE_LINKS = 10
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


def in_slice(now: Countdown) -> None:
    """A part of what came in is in the open batch, with its mark, and is not committed. A part has 10 seeds or URLs."""
    incoming._SEEDS_AT_ONCE = reopening.ROWS_AT_ONCE = 10
    take = Incoming.take

    def take_and_die(self):
        was_open = self._file is not None
        take(self)
        if (was_open or self._file is not None) and now():
            die()

    Incoming.take = take_and_die


def after_slice(now: Countdown) -> None:
    """A part of what came in is committed."""
    incoming._SEEDS_AT_ONCE = reopening.ROWS_AT_ONCE = 10
    committed = Incoming.committed

    def die_or_go_on(self):
        if self._marks and now():
            die()
        committed(self)

    Incoming.committed = die_or_go_on


def before_removal(now: Countdown) -> None:
    """All that came in a file is committed, and the file is there still."""
    finish = Inbox.finish

    def die_or_finish(self, name, answer):
        if now():
            die()
        finish(self, name, answer)

    Inbox.finish = die_or_finish


def after_removal(now: Countdown) -> None:
    """The file is gone, and its mark is there still."""
    sync = Inbox.sync

    def sync_and_die(self):
        sync(self)
        if now():
            die()

    Inbox.sync = sync_and_die


def in_putting(now: Countdown) -> None:
    """A file for the inbox is written in part, aside."""
    opened = inbox.open_unlinked

    def open_and_die(path, flags, mode=0o644):
        fd = opened(path, flags, mode)
        if now():
            die()
        return fd

    inbox.open_unlinked = open_and_die


INBOX_POINTS = {
    "in-putting": in_putting,
    "in-slice": in_slice,
    "after-slice": after_slice,
    "before-removal": before_removal,
    "after-removal": after_removal,
}
"""Points on the way of what is added to a job or retried."""
SINK_POINTS = {
    "in-record": in_record,
    "before-commit": before_commit,
    "after-commit": after_commit,
    "in-resume-sink": in_resume_sink,
    "in-next-part": in_next_part,
    "in-seal": in_seal,
    "before-clean": before_clean,
}
"""Points at which outputs may differ from each other and from the store."""
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
    (POINTS | SINK_POINTS | INBOX_POINTS)[point](Countdown(count))
    sys.argv = ["crawler", *sys.argv[3:]]
    sys.exit(main())
