"""The end of a crawl on one screen, and the same as a file."""

import contextlib
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct
from rich.console import Console
from rich.text import Text

from crawler.cli.report.advice import advice, by_savings
from crawler.cli.report.ending import Ending, ending, limited_by
from crawler.cli.report.screen import STYLES
from crawler.cli.report.view import is_sitemap, phrase
from crawler.core.config import CRAWL_SETTINGS, CrawlConfig
from crawler.core.expectation import Verdict
from crawler.core.folders import sync_folder
from crawler.core.job_place import is_url
from crawler.core.json_line import indented
from crawler.core.lesson import Lesson
from crawler.core.printable import printable
from crawler.core.quantity import count, duration, rate, size
from crawler.core.refusal import moved, refusal
from crawler.core.stats import CrawlStats, Ended
from crawler.core.symlinks import written_anew
from crawler.core.version import __version__
from crawler.ledger.sinks.outputs import STDOUT, row_pattern

__all__ = ["Summary", "print_summary", "summarise", "summary_path", "write_summary"]

SCHEMA_VERSION = 2
MAX_ROWS = 20
"""Kinds of outcome or status that are listed before the rest is summed up."""

_LEFT_OUT = {"job", "seeds", "output"}
Row = tuple[str, str]
Name = TypeVar("Name", bound=int | str)


class Summary(Struct, frozen=True, kw_only=True):
    """What `summary.json` holds; `docs/summary.md` describes each key."""

    schema_version: int
    crawler_version: str
    written_at: str
    ended: Ended
    job: str
    outputs: tuple[str, ...]
    elapsed_s: float
    pages: int
    run_pages: int
    records: int
    pages_per_s: float
    bytes: int
    run_bytes: int
    duplicates: int
    near_duplicates: int
    reread: int
    repeats: dict[str, int]
    parameters: dict[str, Lesson]
    outcomes: dict[str, int]
    statuses: dict[int, int]
    known: int
    queued: int
    retrying: int
    unreachable_hosts: int
    bad_seeds: int
    body_waits: int
    commits: int
    commit_s: float
    parser_busy_s: tuple[float, ...]
    parsers_replaced: int
    loop_lag_p99_s: float
    limited_s: dict[str, float]
    expectations: tuple[Verdict, ...]
    settings: dict[str, Any]


def summarise(stats: CrawlStats, config: CrawlConfig, *, now: float, verdicts: Sequence[Verdict] = ()) -> Summary:
    """Gather a summary at unix time `now`, with the verdicts on what was expected.

    Values of request headers, which may be secret, stay out.
    """
    settings: dict[str, Any] = {
        setting.field: getattr(config, setting.field)
        for setting in CRAWL_SETTINGS
        if setting.field not in _LEFT_OUT and not setting.kind.secret
    }
    return Summary(
        schema_version=SCHEMA_VERSION,
        crawler_version=__version__,
        written_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
        ended=stats.ended,
        job=_text(config.folder),
        outputs=tuple(map(_shown, config.outputs)),
        elapsed_s=round(stats.elapsed_s, 3),
        pages=stats.pages,
        run_pages=stats.run_pages,
        records=stats.records,
        pages_per_s=round(_pages_per_s(stats), 3),
        bytes=stats.bytes,
        run_bytes=stats.run_bytes,
        duplicates=stats.duplicates,
        near_duplicates=stats.near_duplicates,
        reread=stats.reread,
        repeats=dict(_by_number(stats.repeats)),
        parameters=dict(by_savings(stats.parameters)),
        outcomes=dict(_by_number(stats.outcomes)),
        statuses=dict(sorted(stats.statuses.items())),
        known=stats.known,
        queued=stats.queued,
        retrying=stats.retrying,
        unreachable_hosts=stats.unreachable_hosts,
        bad_seeds=stats.bad_seeds,
        body_waits=stats.body_waits,
        commits=stats.commits,
        commit_s=round(stats.commit_s, 3),
        parser_busy_s=tuple(round(busy, 3) for busy in stats.parser_busy_s),
        parsers_replaced=stats.parsers_replaced,
        loop_lag_p99_s=round(stats.loop_lag_p99_s, 4),
        limited_s={stage: round(seconds, 3) for stage, seconds in _longest_first(stats.limited_s)},
        expectations=tuple(verdicts),
        settings={
            **settings,
            "headers": [name for name, _ in config.headers],
            "ca_bundle": None if config.ca_bundle is None else _text(config.ca_bundle),
        },
    )


def summary_path(config: CrawlConfig) -> Path:
    """Where `write_summary` writes."""
    return config.folder / "summary.json"


def write_summary(stats: CrawlStats, config: CrawlConfig, verdicts: Sequence[Verdict] = ()) -> Path:
    """Write `<job>/summary.json` and return its path. A reader sees the old file or the new one, never a part.

    Raises `StorageError` if it cannot be written; then the old file, if any, is still there.
    """
    path = summary_path(config)
    summary = summarise(stats, config, now=time.time(), verdicts=verdicts)
    body = indented(summary)
    # One process runs a job at a time, so the name needs not be unique.
    temporary = path.with_name("summary.json.tmp")
    try:
        with written_anew(temporary) as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if not path.parent.is_dir():
            raise moved(path.parent, "all that lay in it") from error
        raise refusal(f"write the summary {_text(path)}", error, "the records are safe in the job") from error
    return path


def print_summary(stats: CrawlStats, config: CrawlConfig, *, console: Console | None = None) -> None:
    """Print the summary to `console` (default: standard error): styled on a terminal, else plain text.

    Each line is printed whole: a terminal wraps it, a file keeps it.
    """
    if console is None:
        console = Console(stderr=True)
    end = ending(stats, config)
    _print_facts(console, _head(stats, config, end))
    tables = [
        ("outcome", "URLs", [(printable(kind), count(number)) for kind, number in _top(stats.outcomes)]),
        ("status", "records", [(_status(status), count(number)) for status, number in _top(stats.statuses)]),
    ]
    cells = [row for title, unit, rows in tables for row in [(title, unit), *rows]]
    width = max(len(name) for name, _ in cells)
    amounts = max(len(value) for _, value in cells)
    for title, unit, rows in tables:
        if rows:
            _print(console, ("", ""))
            _print(console, (f"  {title.ljust(width)}  {unit.rjust(amounts)}", "title"))
            for name, value in rows:
                _print(console, (f"  {name.ljust(width)}  ", "label"), (value.rjust(amounts), ""))
    _print(console, ("", ""))
    _print_facts(console, _foot(stats, config, end))


def _head(stats: CrawlStats, config: CrawlConfig, end: Ending) -> list[Row]:
    per_s = stats.run_bytes / stats.elapsed_s if stats.elapsed_s > 0 else 0.0
    earlier = f" ({count(stats.run_pages)} of them in this run)" if stats.pages > stats.run_pages else ""
    rows = [
        ("crawl", end.what),
        ("pages", count(stats.pages) + earlier),
        *([("wrote", f"{count(stats.records)} records")] if stats.records != stats.pages else []),
        ("time", f"{duration(stats.elapsed_s)}, {rate(_pages_per_s(stats))} pages/s"),
        ("received", f"{size(stats.bytes)}, {size(per_s)}/s"),
        ("URLs", f"{count(stats.known)} known, {count(stats.queued)} still queued"),
        *([("limited by", limited)] if (limited := limited_by(stats)) else []),
    ]
    sitemaps = sum(number for kind, number in stats.outcomes.items() if is_sitemap(kind))
    if sitemaps:
        cut = stats.outcomes.get("fetched: sitemap: cut", 0)
        rows.append(("sitemaps", f"{count(sitemaps)} read" + (f", {count(cut)} of them not to the end" if cut else "")))
    if stats.reread:
        rows.append(("read again", f"{count(stats.reread)} pages, for their links: a shorter way to them was found"))
    if stats.duplicates + stats.near_duplicates:
        rows.append(("duplicates", _duplicates(stats, skipped=config.skip_duplicates != "no")))
    if stats.unreachable_hosts and stats.ended != "unreachable":
        rows.append(("hosts", f"{count(stats.unreachable_hosts)} do not answer; their URLs are still queued"))
    if stats.steered:
        rows.append(("steered", printable(", ".join(stats.steered)) + " (crawler steer JOB takes it back)"))
    if stats.bad_seeds:
        rows.append(("bad seeds", f"{count(stats.bad_seeds)} left out (--strict stops at the first)"))
    if stats.loop_lag_p99_s:
        rows.append(("event loop", f"p99 lag {1_000 * stats.loop_lag_p99_s:.0f} ms"))
    if stats.parsers_replaced:
        rows.append(("parsers", f"{count(stats.parsers_replaced)} died or hung and were replaced"))
    return rows


def _foot(stats: CrawlStats, config: CrawlConfig, end: Ending) -> list[Row]:
    rows = [
        *(("note", text) for text in advice(stats, config)),
        *(("records", printable(_where(output, config))) for output in config.outputs),
    ]
    if config.job is not None and not is_url(config.job):
        rows.append(("summary", printable(_text(summary_path(config)))))
    return [*rows, ("next", end.then)] if end.then else rows


def _where(output: str, config: CrawlConfig) -> str:
    """Name an output as people find it: a row of files by its pattern."""
    if output == STDOUT:
        return "standard output"
    return _shown(row_pattern(output) if config.rotate is not None else output)


def _duplicates(stats: CrawlStats, *, skipped: bool) -> str:
    near = f", {count(stats.near_duplicates)} nearly the same text" if stats.near_duplicates else ""
    no_record = "; they have no record" if skipped else ""
    return f"{count(stats.duplicates)} pages have the same body as an earlier one{near}{no_record}"


def _print_facts(console: Console, rows: list[Row]) -> None:
    for name, value in rows:
        _print(console, (f"{name:<11}", "label"), (value, "title" if name in ("crawl", "next") else ""))


def _print(console: Console, *pieces: tuple[str, str]) -> None:
    text = Text(end="")
    for piece, style in pieces:
        text.append(piece, STYLES[style])
    console.print(text, soft_wrap=True, highlight=False)


def _top(numbers: Mapping[Name, int]) -> list[tuple[Name | str, int]]:
    """Return the most frequent kinds, and in one last row what is left of them."""
    ordered = _by_number(numbers)
    shown: list[tuple[Name | str, int]] = list[tuple[Name | str, int]](ordered[:MAX_ROWS])
    rest = ordered[MAX_ROWS:]
    if rest:
        shown.append((f"{count(len(rest))} others", sum(number for _, number in rest)))
    return shown


def _by_number(numbers: Mapping[Name, int]) -> list[tuple[Name, int]]:
    return sorted(numbers.items(), key=lambda item: (-item[1], str(item[0])))


def _longest_first(seconds: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(seconds.items(), key=lambda item: -item[1])


def _status(status: int | str) -> str:
    return f"{status} {phrase(status)}".rstrip() if isinstance(status, int) else status


def _pages_per_s(stats: CrawlStats) -> float:
    return stats.run_pages / stats.elapsed_s if stats.elapsed_s > 0 else 0.0


def _shown(output: str) -> str:
    """Return an output as valid text, without the password that a URL may hold."""
    return printable(output) if "://" in output else _text(output)


def _text(path: Path | str) -> str:
    """Return a path as valid text: file names may hold bytes that are not UTF-8."""
    return os.fsencode(path).decode("utf-8", "replace")
