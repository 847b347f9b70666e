"""The table, the targets and the chart of a race."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

DOCS = Path(__file__).parent.parent / "docs"
START, END = "<!-- peers -->", "<!-- /peers -->"
TARGETS = {"spider-rs": 2.0, "crawlee": 20.0, "crawlee-seen": 20.0, "scrapy": 30.0, "scrapy-seen": 30.0, "wget2": 1.0}
"""How many times as fast as each peer ours has to be; for those that their user's code helps, the same."""


@dataclass(frozen=True)
class Row:
    """Medians of one peer's runs; times are CPU time for each page."""

    name: str
    rounds: int
    rate: float
    cpu_ms: float
    main_ms: float
    server_ms: float
    peak_mb: float
    whole: bool
    """It found every page; else its speed is not compared."""
    note: str


def table(rows: Sequence[Row], missing: Mapping[str, str], pages: int) -> str:
    lines = [
        f"{pages:,} pages.\n",
        "| crawler | pages/s | CPU ms/page | of it main process | server ms/page | peak MB | runs | note |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        *(
            f"| {row.name} | {row.rate:,.0f} | {row.cpu_ms:.2f} | {row.main_ms:.2f} | {row.server_ms:.3f} "
            f"| {row.peak_mb:.0f} | {row.rounds} | {row.note} |"
            for row in rows
        ),
        *(f"| {name} | | | | | | | {lack} |" for name, lack in missing.items()),
    ]
    by_name = {row.name: row for row in rows}
    lines += ["\n| target | measured | met |", "| --- | --- | --- |"]
    for name, least in TARGETS.items():
        if name in by_name and not by_name[name].whole:
            lines.append(f"| at least {least:g} times {name} | | it did not find every page |")
        elif name in by_name:
            ratio = by_name["ours"].rate / by_name[name].rate
            lines.append(
                f"| at least {least:g} times {name} | {ratio:.2f} times | {'yes' if ratio >= least else 'no'} |"
            )
    for name, most, value in (
        ("CPU", 0.65, by_name["ours"].cpu_ms),
        ("CPU of the main process", 0.25, by_name["ours"].main_ms),
    ):
        met = "yes" if value <= most else "no"
        lines.append(f"| {name} at most {most} ms a page | {value:.2f} ms | {met} |")
    return "\n".join(lines) + "\n"


def chart(rows: Sequence[Row], file: Path) -> None:
    """Three bars for each crawler, side by side."""
    shown = sorted(rows, key=lambda row: row.rate)
    figure, axes = plt.subplots(1, 3, figsize=(11, 0.5 * len(shown) + 1.2), sharey=True, layout="constrained")
    names = [row.name for row in shown]
    for axis, title, labels in (
        (axes[0], "pages/s", [f"{row.rate:,.0f}" for row in shown]),
        (axes[1], "CPU ms a page, all processes", [f"{row.cpu_ms:.2f}" for row in shown]),
        (axes[2], "peak memory, MB", [f"{row.peak_mb:,.0f}" for row in shown]),
    ):
        colours = ["tab:blue" if name == "ours" else "lightgrey" for name in names]
        bars = axis.barh(names, [float(label.replace(",", "")) for label in labels], color=colours)
        axis.bar_label(bars, labels, padding=3)
        axis.set_title(title, fontsize=10)
        axis.set_xticks([])
        axis.margins(x=0.2)
        axis.spines[["top", "right", "bottom"]].set_visible(False)
    file.parent.mkdir(exist_ok=True)
    figure.savefig(file, dpi=120)
    plt.close(figure)


def write(rows: Sequence[Row], missing: Mapping[str, str], pages: int, *, keep: bool) -> None:
    """Print the table; with `keep`, put it between the marks of docs/performance.md and draw the chart."""
    text = table(rows, missing, pages)
    print(text)
    if keep:
        chart(rows, DOCS / "img" / "peers.png")
        page = DOCS / "performance.md"
        before, _, rest = page.read_text("utf-8").partition(START)
        _, _, after = rest.partition(END)
        picture = "![pages/s, CPU and memory of each crawler](img/peers.png)"
        page.write_text(f"{before}{START}\n\n{picture}\n\n{text}\n{END}{after}", "utf-8")
