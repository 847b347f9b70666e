"""What a person sees while a crawl runs: a live display, log lines, or nothing."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal

from crawler.cli.report.view import View, errors
from crawler.core.estimate import estimate
from crawler.core.printable import printable
from crawler.core.quantity import count, duration, rate, size
from crawler.core.rate import History, rates
from crawler.core.stats import CrawlStats
from crawler.ring.bottleneck import Bottleneck, silent_hosts
from crawler.ring.who_holds import named_holders

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live

__all__ = ["Progress", "ProgressMode", "figures", "log_line"]

ProgressMode = Literal["live", "log", "quiet"]

LIVE_INTERVAL_S = 0.25
LOG_INTERVAL_S = 10.0
SPEED_SPAN_S = 5.0
"""Time that the displayed speed is averaged over."""
ESTIMATE_SPAN_S = 30.0

logger = logging.getLogger("crawler")


class Progress:
    """Shows a crawl while `run` runs.

    Args:
        stats: called in the event loop, `1 / interval_s` times a second; must be cheap and not block.
        mode: `live` draws on `console`, or logs if that is not a terminal that can be drawn on; `log` writes one line
            at level INFO to the logger `crawler`; `quiet` does nothing.
        title: stands above the live display.
        console: where to draw; default: one on standard error. Log handlers that write to the same terminal must
            write through the same console, else their lines and the display overwrite each other.
        interval_s: seconds between two pictures (default 0.25, never less) or two log lines (default 10).
        lines: further lines to show, called as `stats` is.

    Drawing happens in a thread of its own, because a terminal may block (Ctrl-S, a stalled connection) and the
    crawl must not. State: the history belongs to the event loop, the display to whoever holds the lock.
    """

    def __init__(
        self,
        stats: Callable[[], CrawlStats],
        *,
        mode: ProgressMode,
        title: str,
        console: "Console | None" = None,
        interval_s: float | None = None,
        lines: Callable[[], tuple[str, ...]] = tuple,
    ) -> None:
        self._stats = stats
        self._lines = lines
        self._title = title
        self._console = _standard_error() if console is None and mode == "live" else console
        self.mode: ProgressMode = "log" if mode == "live" and not _is_drawable(self._console) else mode
        if self.mode == "live":
            self._interval_s = max(LIVE_INTERVAL_S, interval_s or 0.0)
        else:
            self._interval_s = LOG_INTERVAL_S if interval_s is None else interval_s
        self._history = History(ESTIMATE_SPAN_S)
        self._live: Live | None = None
        self._closed = False
        self._drawing = threading.RLock()

    async def run(self) -> None:
        """Show progress until cancelled; the display is gone and the cursor back when this returns."""
        if self.mode == "live":
            await self._run_live()
        elif self.mode == "log":
            while True:
                self._history.add(self._stats())
                await asyncio.sleep(self._interval_s)
                view = self._view()
                logger.info("%s", log_line(view), extra={"figures": figures(view)})
                for line in view.lines:
                    logger.info("%s", line)
        await asyncio.Event().wait()

    async def _run_live(self) -> None:
        """Draw until cancelled, or until the terminal has gone away."""
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, thread_name_prefix="crawler-display") as pool:
            try:
                while True:
                    await loop.run_in_executor(pool, self._draw, self._view())
                    await asyncio.sleep(self._interval_s)
            except OSError as error:
                logger.info("the live display ends: cannot write to the terminal: %s", error)
            finally:
                pool.submit(self.close)

    def close(self) -> None:
        """Remove the display and bring the cursor back; any thread, any number of times.

        `run` does it when it is cancelled; call it before a process ends without that.
        """
        with self._drawing:
            self._closed = True
            live, self._live = self._live, None
            if live is not None:
                try:
                    live.stop()
                except OSError:
                    logger.debug("the terminal is gone", exc_info=True)

    def _view(self) -> View:
        stats = self._stats()
        history = self._history
        history.add(stats)
        recent_from = history.before(SPEED_SPAN_S)
        end = estimate(stats, rates(history.before(ESTIMATE_SPAN_S), stats))
        return View(
            title=self._title,
            stats=stats,
            recent=rates(recent_from, stats),
            overall=rates(history.first, stats),
            limit=Bottleneck(stats.limit, stats.why, stats.lift),
            end=end,
            clock="" if end.left_s is None else _clock(end.left_s),
            lines=self._lines(),
        )

    def _draw(self, view: View) -> None:
        from rich.live import Live  # noqa: PLC0415  rich is slow to import, and not needed without a terminal

        from crawler.cli.report.screen import frame  # noqa: PLC0415  as above

        console = self._console
        if console is None:
            return
        width, height = console.size
        picture = frame(view, width, height - 1, ascii_only=not console.encoding.startswith("utf"))
        with self._drawing:
            if self._closed:
                return
            if self._live is None:
                # Standard output may carry records, so it must stay what it is.
                self._live = Live(
                    picture,
                    console=console,
                    auto_refresh=False,
                    transient=True,
                    redirect_stdout=False,
                    vertical_overflow="crop",
                )
                self._live.start(refresh=True)
            else:
                self._live.update(picture, refresh=True)


def _standard_error() -> "Console":
    from rich.console import Console  # noqa: PLC0415  as above

    return Console(stderr=True)


def _is_drawable(console: "Console | None") -> bool:
    return console is not None and console.is_terminal and not console.is_dumb_terminal


def figures(view: View) -> dict[str, Any]:
    """The figures of a log line, by names that stay: those of `CrawlStats`, and what is worked out of them."""
    s = view.stats
    return {
        "event": "progress",
        "elapsed_s": s.elapsed_s,
        "pages": s.pages,
        "pages_per_s": view.recent.pages_per_s,
        "records": s.records,
        "bytes": s.bytes,
        "bytes_per_s": view.recent.bytes_per_s,
        "known": s.known,
        "queued": s.queued,
        "retrying": s.retrying,
        "fetching": s.fetching,
        "parsing": s.parsing,
        "committing": s.committing,
        "held_bytes": s.body_bytes_held,
        "active_hosts": s.active_hosts,
        "silent_hosts": s.silent_hosts,
        "errors": sum(number for _, number in errors(s)),
        "limited_by": view.limit.stage,
        "left_s": view.end.left_s,
    }


def log_line(view: View) -> str:
    """One line of text that says how the crawl goes."""
    s = view.stats
    done = f"{count(s.pages)} of {count(s.max_pages)} pages" if s.max_pages is not None else f"{count(s.pages)} pages"
    wrong = errors(s)
    failed = f"; {count(sum(number for _, number in wrong))} errors, most: {wrong[0][0]}" if wrong else ""
    silent = f"; {silent_hosts(s)}" if s.silent_hosts else ""
    held = f"; most is held by {named}" if (named := named_holders(s)) else ""
    left = "unknown" if view.end.left_s is None else duration(view.end.left_s)
    limited = f"limited by {view.limit.stage}; " if view.limit.stage else ""
    return printable(
        f"{duration(s.elapsed_s)}: {done}, {rate(view.recent.pages_per_s)} pages/s, {size(view.recent.bytes_per_s)}/s; "
        f"{count(s.queued)} queued, {s.fetching}/{s.concurrency} fetching, {s.parsing}/{s.parse_capacity} parsing, "
        f"{count(s.committing)} committing, {size(s.body_bytes_held)} held, {count(s.active_hosts)} hosts"
        f"{held}{silent}{failed}; "
        f"{limited}ends in: {left} ({view.end.why})"
    )


def _clock(left_s: float) -> str:
    """Local time in `left_s` seconds; with the date unless that is within a day, nothing beyond ten years."""
    if left_s > 10 * 365 * 86_400:
        return ""
    return time.strftime("%H:%M" if left_s < 86_400 else "%Y-%m-%d %H:%M", time.localtime(time.time() + left_s))
