"""The kinds of drawings of a report: each draws columns of a table on axes of matplotlib."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from crawler.core.printable import printable
from crawler.core.quantity import duration, share, short_count, size
from crawler.jobs.report.palette import GRID, INK, MUTED, SERIES
from crawler.jobs.report.table import Kind, Table

__all__ = ["areas", "bars", "columns", "flows", "lanes", "lines", "shown"]

_LABEL_CHARS = 25
_UNITS = ((86_400 * 2, 86_400, "days"), (7_200, 3_600, "hours"), (180, 60, "minutes"), (0, 1, "seconds"))


def shown(value: float, kind: Kind) -> str:
    """Return a number as a label: few characters."""
    match kind:
        case "share":
            return share(value)
        case "bytes":
            return size(value)
        case "seconds":
            return duration(value)
        case "milliseconds":
            return f"{value:.0f} ms" if value < 1_000 else duration(value / 1_000)
        case "rate":
            return f"{value:.2g}" if value < 10 else short_count(round(value), 6)
    return short_count(round(value), 6) if value == round(value) else f"{value:.3g}"


def lines(axes: Any, table: Table, names: Sequence[str], colours: Sequence[int]) -> None:
    """Draw columns over time as lines; a single one is filled."""
    times, scale = _times(axes, table)
    for name, colour in zip(names, colours, strict=True):
        values = _steps(table.column(name))
        axes.plot(times, values, color=SERIES[colour], linewidth=1.4, label=_title(table, name), drawstyle="steps-pre")
        if len(names) == 1:
            axes.fill_between(times, values, step="pre", color=SERIES[colour], alpha=0.25, linewidth=0)
    _finish_times(axes, table, names, scale)


def areas(axes: Any, table: Table, names: Sequence[str], colours: Sequence[int]) -> None:
    """Draw columns over time, one upon the other."""
    times, scale = _times(axes, table)
    bottom = [0.0] * len(times)
    for name, colour in zip(names, colours, strict=True):
        top = [low + value for low, value in zip(bottom, _steps(table.column(name)), strict=True)]
        axes.fill_between(
            times, bottom, top, step="pre", color=SERIES[colour % len(SERIES)], linewidth=0, label=_title(table, name)
        )
        bottom = top
    _finish_times(axes, table, names, scale)


def lanes(axes: Any, table: Table, names: Sequence[str], colours: Sequence[int]) -> None:
    """Draw a lane for each column over time: filled as high as its share."""
    times, scale = _times(axes, table)
    gap = 0.12
    for number, (name, colour) in enumerate(zip(names, colours, strict=True)):
        low = len(names) - 1 - number + gap / 2
        axes.fill_between([times[0], times[-1]], low, low + 1 - gap, color=GRID, linewidth=0)
        top = [low + (1 - gap) * value for value in _steps(table.column(name))]
        axes.fill_between(times, low, top, step="pre", color=SERIES[colour], linewidth=0)
    labels = [_title(table, name).partition(",")[0] for name in reversed(names)]
    axes.set_yticks([number + 0.5 for number in range(len(names))], labels)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False)
    axes.set_ylim(0, len(names))
    axes.spines["left"].set_visible(False)
    _mark_runs(axes, table, scale)


def bars(axes: Any, table: Table, *, label: Sequence[str], value: str, most: int, colours: Sequence[int]) -> None:
    """Draw a bar for each of the first rows, from the left, with its number. `label` are columns that name a row."""
    rows = list(zip(*(table.column(name) for name in label), table.column(value), strict=True))[:most]
    kind = next(column.kind for column in table.columns if column.name == value)
    numbers = [float(row[-1] or 0) for row in rows]
    places = range(len(rows) - 1, -1, -1)
    hues = [SERIES[colours[place % len(colours)]] for place in range(len(rows))]
    drawn = axes.barh(list(places), numbers, 0.72, color=hues)
    axes.bar_label(drawn, [shown(number, kind) for number in numbers], padding=3, color=INK)
    names = [cut(": ".join(str(part) for part in row[:-1] if part != "")) for row in rows]
    axes.set_yticks(list(places), names)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.tick_params(axis="y", length=0)
    axes.set_xticks([])
    axes.spines[["bottom", "left"]].set_visible(False)
    axes.grid(visible=False)
    axes.set_xlim(0, max([*numbers, 1e-9]) * 1.28)


def columns(axes: Any, table: Table, label: str, names: Sequence[str], colours: Sequence[int]) -> None:
    """Draw an upright bar for each row, made of columns, one upon the other."""
    kind = next(column.kind for column in table.columns if column.name == label)
    labels = [
        shown(value, kind) if isinstance(value, int | float) else cut(str(value)) for value in table.column(label)
    ]
    bottom = [0.0] * len(labels)
    for name, colour in zip(names, colours, strict=True):
        values = [float(value or 0) for value in table.column(name)]
        if any(values):
            axes.bar(range(len(labels)), values, 0.8, bottom, color=SERIES[colour], label=_title(table, name))
        bottom = [low + value for low, value in zip(bottom, values, strict=True)]
    every = max(1, -(-sum(len(label) + 2 for label in labels) // 44))
    axes.set_xticks(range(0, len(labels), every), labels[::every])
    axes.tick_params(axis="x", length=0)
    _numbers(axes, "count")
    if len(names) > 1:
        _legend(axes)


def flows(axes: Any, table: Table, most: int) -> None:
    """Draw which of the hosts at the left leads to which at the right, as wide as there are URLs."""
    from matplotlib.patches import PathPatch  # noqa: PLC0415 - an extra
    from matplotlib.path import Path  # noqa: PLC0415 - an extra

    ways: list[tuple[str, str, float]] = list(zip(*map(table.column, ("from_host", "to_host", "urls")), strict=True))[
        :most
    ]
    total = sum(number for *_, number in ways)
    least = 0.075
    places = [
        _stacked([(source, number / total) for source, _, number in ways], least),
        _stacked([(target, number / total) for _, target, number in ways], least),
    ]
    sides = [{name: place[0] for name, place in side.items()} for side in places]
    hues = {name: SERIES[number % len(SERIES)] for number, name in enumerate(places[0])}
    for source, target, number in ways:
        width = number / total
        left, right = sides[0][source], sides[1][target]
        sides[0][source] -= width
        sides[1][target] -= width
        corners = [
            *((0.0, left), (0.5, left), (0.5, right), (1.0, right)),
            *((1.0, right - width), (0.5, right - width), (0.5, left - width), (0.0, left - width), (0.0, left)),
        ]
        codes = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3, Path.CLOSEPOLY]
        axes.add_patch(PathPatch(Path(corners, codes), facecolor=hues[source], alpha=0.55, linewidth=0))
    for side, where, align in ((places[0], -0.03, "right"), (places[1], 1.03, "left")):
        for name, (top, bottom) in side.items():
            axes.text(where, (top + bottom) / 2, cut(name, 20), ha=align, va="center", color=INK)
    lowest = min(bottom for side in places for _, bottom in side.values())
    axes.set_xlim(-0.95, 1.95)
    axes.set_ylim(lowest - 0.02, 1.02)
    axes.set_axis_off()


def cut(text: str, chars: int = _LABEL_CHARS) -> str:
    """Return foreign text as a short label: its beginning and its end."""
    text = printable(text)
    if len(text) <= chars:
        return text
    end = (chars - 1) // 2
    return f"{text[: chars - 1 - end]}…{text[-end:]}"


def _stacked(parts: list[tuple[str, float]], least: float) -> dict[str, tuple[float, float]]:
    """Return where each name stands on a side, from the top: (top, bottom), the largest first.

    Each has room for its label, which is `least` high.
    """
    sums: dict[str, float] = {}
    for name, part in parts:
        sums[name] = sums.get(name, 0.0) + part
    top = 1.0
    found = {}
    for name, part in sorted(sums.items(), key=lambda item: -item[1]):
        room = max(part, least)
        found[name] = (top - (room - part) / 2, top - (room + part) / 2)
        top -= room + least / 4
    return found


def _times(axes: Any, table: Table) -> tuple[list[float], float]:
    """Return the edges of the steps of a table, in the unit that suits them, and what a unit is in seconds."""
    clock = "from_at" in (column.name for column in table.columns)
    starts, ends = table.column("from_at" if clock else "from_s"), table.column("to_at" if clock else "to_s")
    first = float(starts[0]) if clock else 0.0
    long = ends[-1] - first
    _, scale, unit = next(one for one in _UNITS if long >= one[0])
    axes.set_xlabel(unit if not clock else f"{unit} since the first URL ended")
    edges = [(float(starts[0]) - first) / scale, *((float(end) - first) / scale for end in ends)]
    axes.set_xlim(edges[0], edges[-1])
    return edges, scale


def _steps(values: Sequence[Any]) -> list[float]:
    """Return the values of steps for their edges: the first one twice."""
    numbers = [float(value or 0) for value in values]
    return [numbers[0], *numbers]


def _finish_times(axes: Any, table: Table, names: Sequence[str], scale: float) -> None:
    kind = next(column.kind for column in table.columns if column.name == names[0])
    _numbers(axes, kind)
    if len(names) > 1:
        _legend(axes)
    _mark_runs(axes, table, scale)


def _mark_runs(axes: Any, table: Table, scale: float) -> None:
    if "run" not in (column.name for column in table.columns):
        return
    rows = list(zip(table.column("run"), table.column("from_s"), strict=True))
    for (before, _), (after, at_s) in pairwise(rows):
        if before != after:
            axes.axvline(at_s / scale, color=MUTED, linewidth=0.8, linestyle=(0, (3, 3)))


def _numbers(axes: Any, kind: Kind) -> None:
    axes.yaxis.set_major_formatter(lambda value, _: shown(value, kind))
    axes.set_ylim(bottom=0)
    if kind == "share":
        axes.set_ylim(0, 1)
    if kind == "count":
        axes.yaxis.get_major_locator().set_params(integer=True)


def _legend(axes: Any) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        axes.figure.legend(
            handles, labels, loc="outside lower center", ncols=min(3, len(labels)), frameon=False, handlelength=1.0
        )


def _title(table: Table, name: str) -> str:
    return cut(next(column.title for column in table.columns if column.name == name).removesuffix("/s"))
