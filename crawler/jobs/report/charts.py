"""The charts of a report: each is drawn of one of its tables, by matplotlib, as wide as a phone."""

import io
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

from msgspec import Struct

from crawler.core.extras import needed
from crawler.jobs.report import drawing
from crawler.jobs.report.drawing import shown
from crawler.jobs.report.palette import GRID, INK, MUTED
from crawler.jobs.report.table import Table
from crawler.jobs.report.timeline import OUTCOMES

__all__ = ["Chart", "charts_of", "check_installed", "png", "svg"]

_PURPOSE: Final = "crawler report"
_WIDTH: Final = 4.2
_HEIGHT: Final = 2.3
_ROW: Final = 0.235
"""Inches. A chart is drawn for a width of 300 points, so that its text can be read on a phone; on a wide screen several
stand side by side."""
_DPI: Final = 200
_STYLE: Final = {
    "svg.fonttype": "none",
    "font.size": 9,
    "text.parse_math": False,  # text is text, whatever signs it holds
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.labelcolor": INK,
}
_OF_OUTCOMES: Final = (2, 0, 4, 7)
"""Green for what was fetched, blue for what redirected, red for what failed, grey for what was skipped."""
_MOST_BARS: Final = 12


class Chart(Struct, frozen=True):
    """A chart of one table: its name is that of its picture's file. `says` describes it for who does not see it."""

    name: str
    title: str
    table: str
    draw: Callable[[Any, Table], None]
    rows: int = 0
    says: str = ""


def check_installed() -> None:
    """Raise `ConfigError`, with the extra to install, if matplotlib is missing."""
    needed("matplotlib.figure", "report", _PURPOSE)


def charts_of(table: Table) -> Iterator[Chart]:
    """Give the charts of a table: none of one that is empty, or that is read better as it is."""
    if table.rows and table.name in _CHARTS:
        yield from _CHARTS[table.name](table)


def svg(chart: Chart, table: Table) -> bytes:
    """Return the SVG of a chart, as matplotlib writes it."""
    return _saved(chart, table, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})


def png(chart: Chart, table: Table) -> bytes:
    """Return the PNG of a chart, in the light colours."""
    return _saved(chart, table, format="png", dpi=_DPI, facecolor="white")


def _saved(chart: Chart, table: Table, **how: Any) -> bytes:
    matplotlib = needed("matplotlib", "report", _PURPOSE)
    figure_class = needed("matplotlib.figure", "report", _PURPOSE).Figure
    height = max(_HEIGHT if not chart.rows else 0.7, 0.5 + _ROW * chart.rows)
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": chart.name}), warnings.catch_warnings():
        # A letter that matplotlib's font lacks is drawn by the browser's; it only measures it wrong.
        warnings.filterwarnings("ignore", message=".*[Gg]lyph.*")
        figure = figure_class(figsize=(_WIDTH, height), layout="constrained", facecolor="none")
        axes = figure.subplots()
        axes.set_facecolor("none")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y")
        axes.set_axisbelow(True)
        chart.draw(axes, table)
        raw = io.BytesIO()
        figure.savefig(raw, **how)
    return raw.getvalue()


def _over_time(
    name: str, title: str, names: tuple[str, ...], colours: tuple[int, ...], *, stacked: bool = False
) -> Callable[[Table], Iterator[Chart]]:
    def make(table: Table) -> Iterator[Chart]:
        draw = drawing.areas if stacked else drawing.lines
        told = [f"{_title(table, one)} {_ranges(table, one)}" for one in names]
        yield Chart(name, title, table.name, partial(draw, names=names, colours=colours), says="; ".join(told))

    return make


def _ranges(table: Table, name: str) -> str:
    kind = next(column.kind for column in table.columns if column.name == name)
    values = [value or 0 for value in table.column(name)]
    return f"at most {shown(max(values), kind)}, at the end {shown(values[-1], kind)}"


def _title(table: Table, name: str) -> str:
    return next(column.title for column in table.columns if column.name == name)


def _bars(
    name: str, title: str, label: tuple[str, ...], value: str, colours: tuple[int, ...] = (0,)
) -> Callable[[Table], Iterator[Chart]]:
    def make(table: Table) -> Iterator[Chart]:
        most = min(_MOST_BARS, len(table.rows))
        draw = partial(drawing.bars, label=label, value=value, most=most, colours=colours)
        kind = next(column.kind for column in table.columns if column.name == value)
        first = list(zip(*map(table.column, (*label, value)), strict=True))[:3]
        told = "; ".join(
            f"{drawing.cut(': '.join(str(part) for part in row[:-1] if part != ''), 60)} {shown(row[-1] or 0, kind)}"
            for row in first
        )
        yield Chart(name, title, table.name, draw, rows=most, says=told)

    return make


def _outcome_bars(table: Table) -> Iterator[Chart]:
    hues = dict(zip(OUTCOMES, _OF_OUTCOMES, strict=True)) | {"due": 6}
    colours = tuple(hues.get(outcome, 6) for outcome in table.column("outcome"))
    yield from _bars("outcomes", "URLs by outcome", ("outcome", "reason"), "urls", colours)(table)


def _depth_columns(table: Table) -> Iterator[Chart]:
    names = (*OUTCOMES, "due")
    draw = partial(drawing.columns, label="depth", names=names, colours=(*_OF_OUTCOMES, 6))
    sums = [sum(row[1:]) for row in table.rows]  # type: ignore[arg-type]
    most, deepest = max(sums), table.rows[-1][0]
    told = f"most URLs ({shown(most, 'count')}) are at depth {sums.index(most)}, the deepest at {deepest}"
    yield Chart("depths", "URLs by their links from a seed", table.name, draw, says=told)


def _latency_columns(table: Table) -> Iterator[Chart]:
    draw = partial(drawing.columns, label="to_ms", names=("answers",), colours=(0,))
    most = max(table.rows, key=lambda row: row[2])  # type: ignore[arg-type, return-value]
    told = f"most answers took {shown(most[0], 'milliseconds')} to {shown(most[1], 'milliseconds')}"  # type: ignore[arg-type]
    yield Chart("latency", "Answers by the time they took, up to", table.name, draw, says=told)


def _limit_areas(table: Table) -> Iterator[Chart]:
    names = tuple(column.name for column in table.columns[3:])
    yield from _over_time(
        "limits-over-time", "What limited the crawl, over time", names, tuple(range(len(names))), stacked=True
    )(table)


def _stage_lines(table: Table) -> Iterator[Chart]:
    yield from _over_time("due", "URLs that have not ended", ("queued", "retrying"), (0, 4))(table)
    names = ("fetching", "parsing", "committing")
    yield from _over_time("stages", "URLs in the stages of the ring", names, (0, 1, 2))(table)


def _speed_lines(table: Table) -> Iterator[Chart]:
    yield from _over_time("pages-per-second", "Pages a second", ("pages_per_s",), (0,))(table)
    yield from _over_time("bytes-per-second", "Bytes a second", ("bytes_per_s",), (5,))(table)


def _parser_lanes(table: Table) -> Iterator[Chart]:
    names = tuple(column.name for column in table.columns[3:])
    means = [sum(table.column(name)) / len(table.rows) for name in names]
    told = "; ".join(f"{_title(table, name)} {shown(mean, 'share')}" for name, mean in zip(names, means, strict=True))
    draw = partial(drawing.lanes, names=names, colours=(0, *[1] * (len(names) - 1)))
    yield Chart(
        "parsers", "How busy each process was", table.name, draw, rows=2 + len(names), says=f"on average {told}"
    )


def _link_flows(table: Table) -> Iterator[Chart]:
    first = "; ".join(f"{source} to {target}: {shown(number, 'count')}" for source, target, number in table.rows[:3])  # type: ignore[arg-type]
    most = min(_MOST_BARS, len(table.rows))
    yield Chart(
        "host-graph",
        "Which hosts lead to which",
        table.name,
        partial(drawing.flows, most=most),
        rows=4 + most,
        says=first,
    )


_CHARTS: Final[dict[str, Callable[[Table], Iterator[Chart]]]] = {
    "speed": _speed_lines,
    "outcomes_over_time": _over_time(
        "outcomes-over-time",
        "URLs that ended, a second",
        tuple(f"{name}_per_s" for name in OUTCOMES),
        _OF_OUTCOMES,
        stacked=True,
    ),
    "ended": _over_time("ended", "URLs that ended, by the clock", OUTCOMES, _OF_OUTCOMES, stacked=True),
    "limits": _bars("limits", "What limited the crawl", ("limit",), "share", tuple(range(8))),
    "limits_over_time": _limit_areas,
    "outcomes": _outcome_bars,
    "statuses": _bars("statuses", "Pages by status of HTTP", ("status",), "pages"),
    "errors": _bars("errors", "Errors by kind", ("kind",), "urls", (4,)),
    "latency_histogram": _latency_columns,
    "hosts": _bars("hosts", "Hosts with most URLs", ("host",), "urls"),
    "slowest_hosts": _bars("slowest-hosts", "Slowest hosts, mean of their answers", ("host",), "mean_ms", (1,)),
    "failing_hosts": _bars("failing-hosts", "Hosts with most errors", ("host",), "wrong", (4,)),
    "depths": _depth_columns,
    "queues": _stage_lines,
    "parsers": _parser_lanes,
    "memory": _over_time("memory", "Memory", ("main_bytes", "parser_bytes"), (0, 1)),
    "fields": _bars("fields", "Fields that have a value", ("field",), "share", (2,)),
    "host_links": _link_flows,
}
