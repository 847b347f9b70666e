"""`crawler crawl --cluster`: one crawl of many shards, with all that a person sees of it."""

import asyncio
import contextlib
import io
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from crawler.cli.bad_seeds import BadSeeds
from crawler.cli.exit_code import ExitCode
from crawler.cli.settings import Run
from crawler.cli.terminal import Terminal, live_console, set_up_logging
from crawler.cli.watched import leave_at_once, watched
from crawler.core.event_loop import loop_factory
from crawler.core.job_place import url_of
from crawler.core.printable import printable
from crawler.core.quantity import count
from crawler.frontier.seeds import STDIN

if TYPE_CHECKING:
    from crawler.cli.report.progress import Progress
    from crawler.cluster.driver import Driver
    from crawler.cluster.watching import ShardLine
    from crawler.core.stats import CrawlStats

__all__ = ["crawl_on_cluster"]

_PATIENCE_S = 2.0


def crawl_on_cluster(
    run: Run, terminal: Terminal, finished: Callable[["CrawlStats", tuple[str, ...], Any], ExitCode], **how: Any
) -> ExitCode:
    """Run one crawl on Ray; return the exit code, which `finished` gives for its counters, the folders that its records
    are in, and a console or None.

    `how` goes to the `Driver`, for tests.
    """
    from crawler.cli.report.progress import Progress  # noqa: PLC0415  as below
    from crawler.cluster.driver import Driver  # noqa: PLC0415  the store and more, which take 0.3 s to import

    set_up_logging(run, terminal)
    bad_seeds = BadSeeds(terminal, quiet=run.quiet)
    stdin = sys.stdin.buffer if STDIN in run.seeds and sys.stdin is not None else None

    def say(line: str) -> None:
        if not run.quiet:
            terminal.say(line)

    driver = Driver(run.config, run.seeds, fresh=run.fresh, stdin=stdin, on_bad_seed=bad_seeds, say=say, **how)
    try:
        with _printed_nowhere(), contextlib.closing(driver):
            driver.prepare()
            console = live_console(run, terminal)
            progress = Progress(
                driver.stats,
                mode="quiet" if run.quiet else "live" if console else "log",
                title=printable(url_of(run.config.folder) or str(run.config.folder)),
                console=console,
                lines=lambda: tuple(shard_line(line) for line in driver.lines()),
            )
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                stats = runner.run(_watched(driver, progress, say))
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    finally:
        bad_seeds.sum_up()
    return finished(stats, driver.outputs(), console)


def shard_line(line: "ShardLine") -> str:
    """Say in one line how one shard is."""
    stats = line.stats
    limit = f"  limited by {stats.limit}" if stats.limit and line.doing == "running" else ""
    return (
        f"shard {line.shard:<3} {line.doing:<8} {count(stats.pages):>9} pages  {count(stats.queued):>9} queued  "
        f"{stats.fetching:>4} fetching  {count(stats.active_hosts):>6} hosts  {line.node}{limit}"
    )


async def _watched(driver: "Driver", progress: "Progress", say: Callable[[str], None]) -> "CrawlStats":
    """Look on with a display; the first signal drains all shards, the second one ends their processes."""

    def stop() -> None:
        driver.stop()
        say("stopping: all shards finish what is under way; press Ctrl-C again to stop at once")

    def end() -> None:
        """What is under way will be done again. Ray that was started here ends with this process."""
        progress.close()
        driver.end_actors()

    return await watched(driver.run(), progress.run(), stop=stop, leave=lambda: leave_at_once(end, _PATIENCE_S))


@contextlib.contextmanager
def _printed_nowhere() -> Iterator[None]:
    """Keep from the terminal what Ray prints of processes that end: a crawl tells itself what came of it."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield
