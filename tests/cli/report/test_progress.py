"""Progress while a crawl runs: on a terminal, in a log, and not at all."""

import asyncio
import contextlib
import io
import logging
import sys
import threading
import time
from collections.abc import AsyncIterator

import pytest
from rich.console import Console

from crawler.cli.report.progress import Progress
from crawler.core.stats import CrawlStats

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"


class Crawl:
    """Counters that grow with time."""

    def __init__(self) -> None:
        self.asked = 0
        self._started_at = time.monotonic()

    def stats(self) -> CrawlStats:
        self.asked += 1
        elapsed_s = time.monotonic() - self._started_at
        return CrawlStats(
            elapsed_s=elapsed_s,
            pages=self.asked,
            run_pages=self.asked,
            known=100,
            queued=50,
            outcomes={"failed: time\nout": 2},
        )


def terminal(file: io.StringIO) -> Console:
    return Console(file=file, force_terminal=True, width=80, height=30, _environ={"TERM": "xterm"})


@contextlib.asynccontextmanager
async def running(progress: Progress) -> AsyncIterator[asyncio.Task]:
    task = asyncio.create_task(progress.run())
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(condition) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)


async def test_live_display_is_drawn_and_leaves_the_terminal_as_it_was():
    file, stdout, stderr = io.StringIO(), sys.stdout, sys.stderr
    async with running(Progress(Crawl().stats, mode="live", title="a title", console=terminal(file))):
        await until(lambda: "a title" in file.getvalue())
        assert sys.stdout is stdout, "records may go to standard output"
    assert sys.stderr is stderr
    text = file.getvalue()
    assert text.count(HIDE) == text.count(SHOW) == 1
    after = text[text.rindex(SHOW) :]
    assert "a title" not in after
    assert "\x1b[2K" in after, "the display is wiped, what follows stands in its place"


async def test_live_display_draws_at_most_four_times_a_second():
    crawl = Crawl()
    async with running(Progress(crawl.stats, mode="live", title="", console=terminal(io.StringIO()), interval_s=0.001)):
        await until(lambda: crawl.asked)
        began_at = time.monotonic()
        await until(lambda: crawl.asked >= 3)
        assert time.monotonic() - began_at > 0.9 * 2 / 4


async def test_a_terminal_that_blocks_does_not_block_the_event_loop():
    """Ctrl-S stops the display, not the crawl: the loop comes to free the display, which waits for nothing else."""
    free, blocked, freed = threading.Event(), threading.Event(), []

    class Frozen(io.StringIO):
        def write(self, text: str) -> int:
            blocked.set()
            freed.append(free.wait(60))
            return super().write(text)

    async with running(Progress(Crawl().stats, mode="live", title="", console=terminal(Frozen()))):
        try:
            await until(blocked.is_set)
            assert freed == []
        finally:
            free.set()
    assert all(freed)


async def test_a_terminal_that_goes_away_ends_the_display_and_nothing_else():
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

    stderr = sys.stderr
    crawl = Crawl()
    async with running(Progress(crawl.stats, mode="live", title="", console=terminal(Gone()))) as task:
        await until(lambda: crawl.asked and sys.stderr is stderr)
        await asyncio.sleep(0.1)
        assert not task.done()
        assert crawl.asked == 1
    assert task.cancelled()


async def test_close_brings_the_cursor_back_at_once_and_for_good():
    """The command line calls it before a hard stop, from wherever it is."""
    file = io.StringIO()
    progress = Progress(Crawl().stats, mode="live", title="", console=terminal(file))
    progress.close()
    assert file.getvalue() == ""
    progress = Progress(Crawl().stats, mode="live", title="", console=terminal(file))
    async with running(progress):
        await until(lambda: HIDE in file.getvalue())
        await asyncio.to_thread(progress.close)
        progress.close()
        text = file.getvalue()
        assert SHOW in text
        await asyncio.sleep(0.3)
        assert file.getvalue() == text
    assert file.getvalue().count(SHOW) == 1


async def test_an_error_of_the_counters_comes_out_and_the_terminal_is_restored():
    file = io.StringIO()
    crawl = Crawl()

    def stats() -> CrawlStats:
        if crawl.asked:
            raise ValueError("counter")
        return crawl.stats()

    with pytest.raises(ValueError, match="counter"):
        await Progress(stats, mode="live", title="", console=terminal(file)).run()
    assert file.getvalue().count(HIDE) == file.getvalue().count(SHOW) == 1


async def test_log_mode_writes_one_plain_line_an_interval(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, "crawler")
    async with running(Progress(Crawl().stats, mode="log", title="", interval_s=0.02)):
        await until(lambda: len(caplog.records) >= 2)
    assert {record.name for record in caplog.records} == {"crawler"}
    line = caplog.records[0].getMessage()
    assert line.isprintable()
    for part in (
        "2 pages",
        "pages/s",
        "50 queued",
        "0/0 fetching",
        "2 errors, most: time\\nout",
        "ends in",
    ):
        assert part in line
    assert "limited by" not in line  # nobody knows as yet


@pytest.mark.parametrize(
    "console",
    [Console(file=io.StringIO()), Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "dumb"})],
    ids=["a file", "a dumb terminal"],
)
async def test_live_mode_logs_where_nothing_can_be_drawn(console: Console, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, "crawler")
    progress = Progress(Crawl().stats, mode="live", title="", console=console, interval_s=0.02)
    assert progress.mode == "log"
    async with running(progress):
        await until(lambda: caplog.records)
    assert console.file.getvalue() == ""


async def test_quiet_mode_does_nothing_until_cancelled(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG, "crawler")
    crawl, file = Crawl(), io.StringIO()
    async with running(Progress(crawl.stats, mode="quiet", title="", console=terminal(file), interval_s=0)) as task:
        await asyncio.sleep(0.05)
        assert not task.done()
    assert (crawl.asked, file.getvalue(), caplog.records) == (0, "", [])


async def test_what_others_print_to_stderr_stands_above_the_display():
    file = io.StringIO()
    async with running(Progress(Crawl().stats, mode="live", title="a title", console=terminal(file))):
        await until(lambda: "a title" in file.getvalue())
        start = len(file.getvalue())
        print("a warning [bold]", file=sys.stderr)
        text = file.getvalue()[start:]
    assert text.index("a warning [bold]") < text.index("a title")
