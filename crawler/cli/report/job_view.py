"""A job that another process runs, or none, as people are shown it: the live display's picture, or one line. Pure."""

import os
import time
from collections.abc import Sequence
from typing import Any

from msgspec import Struct, structs

from crawler.cli.report.ending import limited_by
from crawler.cli.report.view import View
from crawler.core.estimate import estimate
from crawler.core.printable import printable
from crawler.core.quantity import count, count_of, duration, rate
from crawler.jobs.status import JobStatus
from crawler.ring.bottleneck import Bottleneck, limits_of_run

__all__ = ["JobLine", "as_data", "job_line", "job_view", "table", "unreadable_line"]

_LATE_S = 15.0
"""A crawl gives a sign of itself each five seconds; after three times as long something holds it up."""
_STOPPED_BY = {
    "max-pages": "by --max-pages",
    "max-time": "by --max-time",
    "interrupted": "as it was asked to",
    "unreachable": "with nothing left but URLs of hosts that do not answer",
}
_NARROWEST = 11


class JobLine(Struct, frozen=True):
    """A job in one line: its columns, as they are shown."""

    folder: str
    state: str
    pages: str
    due: str
    failed: str
    pages_per_s: str
    limited_by: str
    last_sign: str


_HEAD = JobLine("JOB", "STATE", "PAGES", "DUE", "FAILED", "PAGES/S", "LIMITED BY", "LAST SIGN")
_NUMBERS = ("pages", "due", "failed", "pages_per_s")


def job_view(status: JobStatus, now: float) -> View:
    """Return what the live display would show of a job at unix time `now`."""
    end = estimate(status.stats, status.trend)
    return View(
        title=status.folder,
        stats=status.stats,
        recent=status.recent if status.is_running else status.overall,
        overall=status.overall,
        limit=_limit(status),
        end=end,
        clock="" if end.left_s is None else _clock(now + end.left_s),
        state=_state(status, now),
    )


def job_line(status: JobStatus, now: float) -> JobLine:
    """Return a job as a row of `table`."""
    stats = status.stats
    speed = status.recent if status.is_running else status.overall
    by = stats.ended if status.state == "stopped" and stats.ended in _STOPPED_BY else ""
    return JobLine(
        folder=printable(status.folder),
        state=by or status.state,
        pages=count(stats.pages),
        due=count(stats.queued),
        failed=count(_failed(status)),
        pages_per_s=rate(speed.pages_per_s) if status.at is not None else "",
        limited_by=_limit(status).stage,
        last_sign="" if status.at is None else _age(now - status.at),
    )


def unreadable_line(folder: str) -> JobLine:
    """Return a job that cannot be read as a row of `table`."""
    return JobLine(printable(folder), "unreadable", "", "", "", "", "", "")


def table(lines: Sequence[JobLine], width: int | None) -> list[str]:
    """Return lines of text with a heading, its columns in line, in at most `width` columns; None is no limit."""
    rows = [_HEAD, *lines]
    widths = {name: max(len(getattr(row, name)) for row in rows) for name in JobLine.__struct_fields__}
    if width is not None:
        for name, least in (("limited_by", _NARROWEST), ("folder", _NARROWEST), ("limited_by", 4)):
            excess = sum(widths.values()) + 2 * (len(widths) - 1) - width
            if excess > 0:
                widths[name] = max(min(least, widths[name]), widths[name] - excess)
    return ["  ".join(_cell(row, name, wide) for name, wide in widths.items()).rstrip()[:width] for row in rows]


def as_data(status: JobStatus, now: float) -> dict[str, Any]:
    """Return all that is known of how a job stands, with every counter, as values that JSON can hold."""
    end = estimate(status.stats, status.trend) if status.is_running else None
    plain = structs.asdict(status)
    speeds = {name: structs.asdict(plain.pop(name)) for name in ("recent", "trend", "overall")}
    plain["folder"] = os.fsencode(status.folder).decode("utf-8", "replace")
    plain["stats"] = structs.asdict(status.stats)
    age_s = None if status.at is None else max(0.0, now - status.at)
    return {**plain, "age_s": age_s, "ends_in_s": None if end is None else end.left_s, "speeds": speeds}


def _cell(row: JobLine, name: str, wide: int) -> str:
    text: str = getattr(row, name)
    if len(text) > wide:
        # The end of a folder's name tells it from others; the beginning of all else says most.
        text = f"…{text[len(text) - wide + 1 :]}" if name == "folder" else f"{text[: wide - 1]}…"
    return text.rjust(wide) if name in _NUMBERS else text.ljust(wide)


def _age(seconds: float) -> str:
    """Return about how long ago something was, in one unit: `0.4 s`, `10 min`."""
    return " ".join(duration(seconds).split(" ")[:2])


def _limit(status: JobStatus) -> Bottleneck:
    """Return what limits the crawl now; of one that does not run, what limited its last run most."""
    if status.is_running:
        return Bottleneck(status.limit, status.why, status.stats.lift)
    of_run = limits_of_run(status.stats)
    return Bottleneck(of_run[0][0], f"in its last run; {limited_by(status.stats)}") if of_run else Bottleneck("", "")


def _failed(status: JobStatus) -> int:
    return sum(number for kind, number in status.stats.outcomes.items() if kind.startswith("failed"))


def _state(status: JobStatus, now: float) -> str:
    """Say how a job stands that does not simply run; empty for one that does."""
    if status.is_running:
        return _of_running(status, now)
    at = "" if status.at is None else f" at {_moment(status.at)}"
    go_on = f"`crawler crawl --job {printable(status.folder)}` goes on"
    left = f"; {count_of(status.stats.queued, 'URL', 'are')} still queued: {go_on}" if status.stats.queued else ""
    if status.state == "killed":
        return f"killed, or lost power,{at}; nothing is lost: {go_on}"
    if status.state == "done":
        return f"done{at}: every URL that was found has ended"
    if status.stats.ended == "done":
        return f"done{at}, but URLs are due since{left}"
    by = _STOPPED_BY.get(status.stats.ended)
    return f"stopped{at} {by}{left}" if by else f"nobody runs it; an earlier version did{left}"


def _of_running(status: JobStatus, now: float) -> str:
    if status.state == "starting":
        return "starting: it reads its seeds, or starts its parsers"
    if status.state == "paused":
        return f"paused: `crawler steer {printable(status.folder)} resume` lets it go on"
    age_s = 0.0 if status.at is None else now - status.at
    if age_s < _LATE_S:
        return ""
    return f"running, but without a sign for {duration(age_s)}: its disk, or whoever takes its records, holds it up"


def _moment(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def _clock(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at)) if at < 10_000_000_000 else ""
