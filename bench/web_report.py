"""What `bench.web` writes into docs/performance.md: tables, and pictures in docs/img/."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from bench.target import AtLeast, AtMost
from bench.web_curves import Curves, Point
from bench.web_look import Look
from bench.web_peers import PeerRow

__all__ = ["write_curves", "write_peers", "write_seen", "write_stages"]

DOCS = Path(__file__).parent.parent / "docs"
COLOURS = ("tab:blue", "tab:orange", "tab:green", "tab:red")
LEAST_SHOWN = 0.005
Stages = dict[str, dict[str, float]]
"""By kind of crawl: CPU ms a page by process and stage."""


def _cells(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    return [_cells(*head), _cells(*["---"] * len(head)), *(_cells(*row) for row in rows), ""]


def _targets(rows: Sequence[AtLeast | AtMost]) -> list[str]:
    met = [("" if row.target is None else f"{row.word} {row.target:g}", f"{row.measured:,.2f}", row) for row in rows]
    verdict = {True: "yes", False: "**no**"}
    return _table(
        ("figure", "target", "measured", "met"),
        [(row.name, asked, figure, verdict[row.met] if asked else "") for asked, figure, row in met],
    )


def order(stages: Stages) -> list[str]:
    """Processes and stages, the main process first, what takes most first."""
    names = {name for one in stages.values() for name in one}
    most = {name: max(one.get(name, 0.0) for one in stages.values()) for name in names}
    return sorted((name for name in names if most[name] >= LEAST_SHOWN), key=lambda name: (name[0], -most[name]))


def _stages(stages: Stages) -> list[str]:
    rows = [(name, *(f"{one.get(name, 0.0):.2f}" for one in stages.values())) for name in order(stages)]
    for process in ("main", "parsers"):
        sums = (sum(used for name, used in one.items() if name.startswith(process)) for one in stages.values())
        rows.append((f"**{process}: all**", *(f"**{one:.2f}**" for one in sums)))
    return _table(("process: stage, CPU ms a page", *stages), rows)


def _peers(rows: Sequence[PeerRow]) -> list[str]:
    return _table(
        ("crawler", "web", "pages/s", "CPU ms/page", "of it main process", "pages a CPU second", "peak MB", "note"),
        [
            (row.name, row.kind, "", "", "", "", "", row.lack)
            if row.lack
            else (
                *(row.name, row.kind, f"{row.rate:,.0f}", f"{row.cpu_ms:.2f}", f"{row.main_ms:.2f}"),
                *(f"{1000 / row.cpu_ms:,.0f}", f"{row.peak_mb:,.0f}", row.note),
            )
            for row in rows
        ],
    )


def _save(figure: mpl.figure.Figure, name: str) -> None:
    (DOCS / "img").mkdir(exist_ok=True)
    figure.savefig(DOCS / "img" / name, dpi=120)
    plt.close(figure)


def _draw_stages(stages: Stages) -> None:
    """Bars for each stage, one for each kind of crawl."""
    names = order(stages)[::-1]
    figure, axis = plt.subplots(figsize=(9, 0.42 * len(names) + 1.2), layout="constrained")
    height = 0.8 / len(stages)
    for number, (kind, one) in enumerate(stages.items()):
        at = [place + 0.4 - height * (number + 0.5) for place in range(len(names))]
        bars = axis.barh(at, [one.get(name, 0.0) for name in names], height, label=kind, color=COLOURS[number])
        axis.bar_label(bars, fmt="%.2f", padding=2, fontsize=7)
    axis.set_yticks(range(len(names)), names, fontsize=9)
    axis.set_title("CPU ms a page by process and stage", fontsize=10)
    axis.spines[["top", "right"]].set_visible(False)
    axis.margins(x=0.1)
    axis.legend(fontsize=8, loc="lower right")
    _save(figure, "web-stages.png")


def _draw_curve(axis: Axes, points: Sequence[Point], what: str, unit: float, *, both: bool) -> None:
    at = [point.at / unit for point in points]
    axis.plot(at, [point.cpu for point in points], marker="o", label="all processes", color=COLOURS[0])
    if both:
        axis.plot(at, [point.main for point in points], marker="o", label="main process", color=COLOURS[1])
        axis.legend(fontsize=8)
    axis.set_xlabel(what)
    axis.set_ylim(bottom=0)
    axis.spines[["top", "right"]].set_visible(False)


def _draw_curves(curves: Curves) -> None:
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.2), layout="constrained")
    _draw_curve(axes[0], curves.sizes, "KB of HTML", 1000, both=True)
    _draw_curve(axes[1], curves.hosts, "hosts", 1, both=True)
    _draw_curve(axes[2], curves.known, "million URLs known", 1e6, both=False)
    for axis, title in zip(axes, ("CPU ms a page", "CPU ms a page", "CPU µs a URL looked up"), strict=True):
        axis.set_title(title, fontsize=10)
    _save(figure, "web-curves.png")


def _draw_peers(rows: Sequence[PeerRow]) -> None:
    """Pages for each second of CPU time, plain and over TLS."""
    shown = [row for row in rows if not row.lack]
    names = list(dict.fromkeys(row.name for row in sorted(shown, key=lambda row: -row.cpu_ms)))
    figure, axes = plt.subplots(1, 2, figsize=(9, 0.5 * len(names) + 1.2), sharey=True, layout="constrained")
    for axis, kind in zip(axes, ("plain", "TLS"), strict=True):
        rates = {row.name: 1000 / row.cpu_ms for row in shown if row.kind == kind}
        colours = ["tab:blue" if name == "ours" else "lightgrey" for name in names]
        bars = axis.barh(names, [rates.get(name, 0.0) for name in names], color=colours)
        axis.bar_label(bars, fmt="%.0f", padding=3)
        axis.set_title(f"pages a CPU second, {kind}", fontsize=10)
        axis.set_xticks([])
        axis.margins(x=0.15)
        axis.spines[["top", "right", "bottom"]].set_visible(False)
    _save(figure, "web-peers.png")


def _curve_table(curves: Curves) -> list[str]:
    pages = [(f"{point.at / 1000:,.0f} KB", point) for point in curves.sizes]
    pages += [(f"{point.at:,} hosts", point) for point in curves.hosts]
    rows = [(name, f"{point.cpu:.2f}", f"{point.main:.2f}") for name, point in pages]
    known = [(f"{point.at / 1e6:,.1f} million", f"{point.cpu:.1f}") for point in curves.known]
    return [
        *_table(("TLS, without the start", "CPU ms a page", "of it main process"), rows),
        *_table(("URLs known", "CPU µs to look one up"), known),
    ]


def _put(part: str, lines: Sequence[str]) -> None:
    """Put lines between the marks of a part of docs/performance.md."""
    page = DOCS / "performance.md"
    start, end = f"<!-- web-{part} -->", f"<!-- /web-{part} -->"
    before, mark, rest = page.read_text("utf-8").partition(start)
    if not mark:
        raise SystemExit(f"{page} has no {start}")
    text = "\n".join(lines)
    page.write_text(f"{before}{start}\n\n{text}\n{end}{rest.partition(end)[2]}", "utf-8")


def write_stages(title: str, rows: Sequence[AtLeast | AtMost], stages: Stages) -> None:
    """Write what crawls cost, and where their time goes."""
    _draw_stages(stages)
    picture = "![CPU time a page by process and stage](img/web-stages.png)"
    _put("stages", [title, "", *_targets(rows), picture, "", *_stages(stages)])


def write_peers(title: str, rows: Sequence[PeerRow]) -> None:
    """Write what peers cost."""
    _draw_peers(rows)
    _put("peers", [title, "", "![pages a CPU second of each crawler](img/web-peers.png)", "", *_peers(rows)])


def write_curves(measured: Curves) -> None:
    """Write what a page costs against its size, the hosts, and the URLs known."""
    _draw_curves(measured)
    _put("curves", ["![cost against size, hosts and URLs known](img/web-curves.png)", "", *_curve_table(measured)])


def write_seen(seen: Look) -> None:
    """Write what the web is like."""
    rows = _table(("of the web that is served", "asked", "seen"), seen.rows)
    _put("seen", [f"What {seen.hosts:,} of the hosts served, seen from outside:", "", *rows])
