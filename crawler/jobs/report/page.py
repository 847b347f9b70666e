"""A report as one file of HTML that needs nothing else: no script, no style but its own, no font, no picture of others.

What comes from a crawl is text, whatever it says: the template escapes all of it, and a URL becomes a link only if it
is one of HTTP. A policy (CSP) in the page forbids the browser whatever would get past that.
"""

import base64
import hashlib
import time
from collections.abc import Iterator
from importlib.resources import files
from typing import Any, Final, NamedTuple

from crawler.core.extras import needed
from crawler.core.printable import printable
from crawler.core.quantity import count, duration, rate, size
from crawler.core.version import __version__
from crawler.jobs.report.charts import charts_of, check_installed, svg
from crawler.jobs.report.palette import style_of
from crawler.jobs.report.report import Report
from crawler.jobs.report.svg import as_part
from crawler.jobs.report.table import Kind, Table, Value

__all__ = ["as_page", "shown"]

_PURPOSE: Final = "crawler report"
_UNKNOWN: Final = "\N{EN DASH}"
_LOOKS: Final[dict[str, str]] = {"text": "t", "url": "u", "urls": "u"}
"""Classes of columns; numbers are `n`."""


class _Section(NamedTuple):
    """A part of the page: its tables, by name. Those that are `open` are read as they are."""

    name: str
    title: str
    words: str
    tables: tuple[str, ...]
    open: tuple[str, ...] = ()


_SECTIONS: Final = (
    _Section(
        "speed",
        "Speed",
        "Pages that servers answered, bytes of their bodies, and how URLs ended, over the time in which the crawl ran: "
        "the time between two runs is left out, a dashed line shows where one follows the other.",
        ("speed", "outcomes_over_time", "ended", "runs"),
        ("runs",),
    ),
    _Section(
        "limits",
        "What limited it",
        "A crawl is as fast as its slowest stage: the one that held up all others, and what would lift that.",
        ("limits", "limits_over_time"),
        ("limits",),
    ),
    _Section(
        "outcomes",
        "Outcomes",
        "Each URL that the job ever met ends in one way. Statuses are those of pages, redirects apart.",
        ("outcomes", "statuses"),
    ),
    _Section(
        "errors",
        "Errors",
        "URLs that failed, by kind, and pages whose status says that they are none, with a few examples of each.",
        ("errors", "failing_hosts", "failed_attempts"),
        ("errors",),
    ),
    _Section(
        "latency",
        "Latency",
        "From the start of a request to the end of its body, of the last attempts of each URL.",
        ("latency", "latency_histogram", "slowest_hosts"),
        ("latency", "slowest_hosts"),
    ),
    _Section(
        "hosts",
        "Hosts and depth",
        "Hosts (name and port) by the URLs that are known of them; which of them lead to which, by the page on which "
        "each URL was found first; and how many links URLs are away from a seed.",
        ("hosts", "depths", "host_links"),
    ),
    _Section(
        "queues",
        "Queues",
        "URLs that have not ended, and how many are in each stage of the ring at once.",
        ("queues",),
    ),
    _Section(
        "parsers",
        "Parsers and memory",
        "Which share of its time each parser was at pages; of the main process, which share of a core it took.",
        ("parsers", "memory"),
    ),
    _Section(
        "repeats",
        "Duplicates and traps",
        "Pages that were there before, and URLs that were left out since they lead nowhere.",
        ("duplicates", "traps", "repeats", "parameters"),
        ("duplicates",),
    ),
    _Section("fields", "Fields", "Which share of the records has a value in each field.", ("fields",)),
    _Section("steered", "Steering", "What a person changed while the crawl ran.", ("steered",), ("steered",)),
)
_TILES: Final[tuple[tuple[str, str, Kind], ...]] = (
    ("pages", "pages", "count"),
    ("records", "records", "count"),
    ("bytes", "bytes of bodies", "bytes"),
    ("seconds", "time it ran", "seconds"),
    ("pages_per_s", "pages a second", "rate"),
    ("known", "URLs known", "count"),
    ("due", "not ended", "count"),
    ("redirected", "redirected", "count"),
    ("skipped", "skipped", "count"),
    ("failed", "failed", "count"),
    ("errors", "of status 400+", "count"),
    ("hosts_with_pages", "hosts with pages", "count"),
    ("hosts", "hosts known", "count"),
)


class _Cell(NamedTuple):
    """What stands in a cell: texts, each with where it links to, if anywhere. `look` is a class of the style."""

    parts: tuple[tuple[str, str], ...]
    look: str


def as_page(report: Report) -> str:
    """Return the HTML. Raises `ConfigError` if matplotlib or jinja2 is not installed."""
    check_installed()
    jinja2 = needed("jinja2", "report", _PURPOSE)
    own = files("crawler.jobs.report")
    style = style_of(":root") + "".join(own.joinpath("page.css").read_text("utf-8").splitlines())
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    safe = environment.filters["safe"]
    page: str = environment.from_string(own.joinpath("page.html").read_text("utf-8")).render(
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
        style=safe(style),
        job=printable(report.job),
        state=report.state,
        written_at=shown(report.written_at, "time"),
        version=__version__,
        headline=[printable(sentence) for sentence in report.headline],
        tiles=[(title, shown(report.figures[name], kind)) for name, title, kind in _TILES],
        sections=[_section(report, section, safe) for section in _SECTIONS],
    )
    return page + "\n"


def shown(value: Value, kind: Kind) -> str:  # noqa: PLR0911 - one for each kind
    """Return a value of a table as people read it."""
    if value is None:
        return _UNKNOWN
    if isinstance(value, tuple):
        return "\n".join(map(printable, value))
    if isinstance(value, str):
        return printable(value)
    match kind:
        case "share":
            return f"{value * 100:.1f} %"
        case "seconds":
            return duration(value)
        case "milliseconds":
            return f"{value:,.0f} ms"
        case "bytes":
            return size(value)
        case "rate":
            return rate(value)
        case "time":
            return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(value))
        case "count" if isinstance(value, int):
            return count(value)
    return f"{value:g}"


def _section(report: Report, section: _Section, safe: Any) -> dict[str, Any]:
    tables = [report.tables[name] for name in section.tables if not _is_twice(report, name)]
    return {
        "name": section.name,
        "title": section.title,
        "words": section.words,
        "charts": [
            {
                "title": chart.title,
                "svg": safe(as_part(svg(chart, table), f"chart-{chart.name}", chart.title, chart.says)),
            }
            for table in tables
            for chart in charts_of(table)
        ],
        "tables": [_table(table, is_open=table.name in section.open) for table in tables],
    }


def _is_twice(report: Report, name: str) -> bool:
    """Whether a table says what a better one says: ends by the clock, where samples tell the time it ran."""
    return name == "ended" and bool(report.tables["outcomes_over_time"].rows)


def _table(table: Table, *, is_open: bool) -> dict[str, Any]:
    return {
        "name": f"table-{table.name}",
        "title": table.title,
        "note": printable(table.note),
        "is_open": is_open,
        "columns": [{"title": printable(one.title), "look": _look(one.kind)} for one in table.columns],
        "rows": [
            [
                _Cell(tuple(_parts(value, one.kind)), _look(one.kind))
                for value, one in zip(row, table.columns, strict=True)
            ]
            for row in table.rows
        ],
    }


def _look(kind: Kind) -> str:
    return _LOOKS.get(kind, "n")


def _parts(value: Value, kind: Kind) -> Iterator[tuple[str, str]]:
    values = value if isinstance(value, tuple) else (value,)
    for one in values:
        text = shown(one, kind)
        # One that is shown otherwise than it is (signs that do not print, a password) leads nowhere.
        is_link = kind in {"url", "urls"} and text == one and text.startswith(("http://", "https://"))
        yield text, text if is_link else ""
