"""The charts of a comparison: PNG files, drawn by matplotlib without a display."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from crawler.cli.compare.results import Results
from crawler.cli.compare.work import Activity, BatchesMeasured, CrawlMeasured, SpiderKind
from crawler.core.errors import StorageError
from crawler.core.extras import needed

__all__ = ["check_installed", "draw"]

# Colours of Okabe and Ito, which people with any kind of colour blindness can tell apart.
_CORES = ("#56B4E9", "#0072B2", "#004466", "#001a2b")
_ACTIVITIES: dict[Activity, str] = {
    "fetch": "#0072B2",
    "parse": "#E69F00",
    "held up": "#CC79A7",
    "frontier": "#56B4E9",
    "commit": "#009E73",
}
_WAIT = "#ebebeb"
_PROCESSES = ("#0072B2", "#E69F00", "#F0C35A", "#F7DD9E", "#FBEECB", "#FBEECB", "#FBEECB", "#FBEECB", "#FBEECB")
_TRACKER = "#999999"
_NAMES: dict[SpiderKind, str] = {
    "light": "light spider (turbohtml, in C)",
    "heavy": "heavy spider (BeautifulSoup, in Python)",
}
_MEANING: dict[Activity, str] = {
    "fetch": "fetch",
    "parse": "parse",
    "held up": "at a page, but without the lock or a core",
    "frontier": "frontier and records",
    "commit": "commit",
}
_DPI = 110


def check_installed() -> None:
    """Raise `ConfigError`, with the extra to install, if something is missing that a comparison needs."""
    needed("matplotlib.figure", "report", "crawler compare")
    needed("psutil", "report", "crawler compare")


def draw(results: Results, folder: Path) -> list[Path]:
    """Draw all charts into a folder; return their paths. Raises `StorageError` if the disk refuses."""
    charts: dict[str, Callable[[], Any]] = {
        "pages-per-second": lambda: _bars(results, "pages per second", lambda run: run.pages_per_s, "{:,.0f}"),
        "cpu-per-page": lambda: _cpu(results),
        "memory": lambda: _memory(results),
    }
    if "sequential" in results.strategies:
        charts["speed-up"] = lambda: _bars(
            results, "times as fast as sequential", lambda run: results.speedup(run) or 0.0, "{:.1f}", line=1.0
        )
    for spider in results.spiders:
        charts[f"timeline-{spider}"] = partial(_timeline, results, spider)
    if results.batches:
        charts["batch-size"] = lambda: _batch_size(results)
    paths = []
    for name, chart in charts.items():
        path = folder / f"{name}.png"
        figure = chart()
        try:
            figure.savefig(path, dpi=_DPI)
        except OSError as error:
            raise StorageError(f"cannot write {path}: {error.strerror}") from error
        paths.append(path)
    return paths


def _figure(columns: int, height: float = 4.2) -> tuple[Any, list[Any]]:
    """A figure with axes side by side, in one style."""
    figure = needed("matplotlib.figure", "report", "crawler compare").Figure(
        figsize=(5.4 * max(columns, 1.4), height), layout="constrained", facecolor="white"
    )
    axes = list(figure.subplots(1, columns, squeeze=False)[0])
    for one in axes:
        _plain(one)
    return figure, axes


def _plain(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)


def _bars(
    results: Results, title: str, value: Callable[[CrawlMeasured], float], form: str, line: float | None = None
) -> Any:
    """A panel a spider; a group of bars a strategy, one for each number of cores."""
    figure, panels = _figure(len(results.spiders))
    width = 0.8 / len(results.cores)
    for axes, spider in zip(panels, results.spiders, strict=True):
        for number, cores in enumerate(results.cores):
            places, heights = [], []
            for place, strategy in enumerate(results.strategies):
                run = results.of(strategy, spider, cores)
                if run is not None:
                    places.append(place + (number - (len(results.cores) - 1) / 2) * width)
                    heights.append(value(run))
            label = "1 core" if cores == 1 else f"{cores} cores"
            bars = axes.bar(places, heights, width * 0.92, color=_CORES[number % len(_CORES)], label=label)
            axes.bar_label(bars, [form.format(height) for height in heights], padding=2, fontsize=9)
        axes.set_xticks(range(len(results.strategies)), results.strategies)
        axes.set_title(_NAMES[spider], fontsize=11)
        axes.set_ylabel(title)
        axes.margins(y=0.12)
        if line is not None:
            axes.axhline(line, color="#555555", linewidth=1, linestyle="--")
    panels[0].legend(frameon=False, loc="upper left")
    return figure


def _stacked(results: Results, title: str, parts: Callable[[CrawlMeasured], list[tuple[str, str, float]]]) -> Any:
    """A panel a spider, on most cores; a bar a strategy, made of (name, colour, height)."""
    figure, panels = _figure(len(results.spiders))
    for axes, spider in zip(panels, results.spiders, strict=True):
        shown: dict[str, Any] = {}
        for place, strategy in enumerate(results.strategies):
            run = results.of(strategy, spider, max(results.cores))
            bottom = 0.0
            for name, colour, height in parts(run) if run is not None else ():
                shown[name] = axes.bar(place, height, 0.6, bottom, color=colour, edgecolor="white", linewidth=0.8)
                bottom += height
            axes.text(place, bottom, f"{bottom:,.1f}" if bottom < 100 else f"{bottom:,.0f}", ha="center", va="bottom")
        axes.set_xticks(range(len(results.strategies)), results.strategies)
        axes.set_title(_NAMES[spider], fontsize=11)
        axes.set_ylabel(title)
        axes.margins(y=0.35)
        axes.set_ylim(bottom=0)
        axes.legend(shown.values(), shown.keys(), frameon=False, loc="upper left", fontsize=9)
    return figure


def _memory(results: Results) -> Any:
    def parts(run: CrawlMeasured) -> list[tuple[str, str, float]]:
        return [
            (one.name, _TRACKER if one.name == "resource tracker" else _PROCESSES[number % 9], one.bytes / 1e6)
            for number, one in enumerate(run.memory)
        ]

    return _stacked(results, f"memory at its peak, MB ({_cores(results)})", parts)


def _cpu(results: Results) -> Any:
    def parts(run: CrawlMeasured) -> list[tuple[str, str, float]]:
        pages = max(1, run.pages)
        found = [("main process", _PROCESSES[0], 1000 * run.main_cpu_s / pages)]
        if run.parsers_cpu_s:
            found.append(("parser processes", _PROCESSES[1], 1000 * run.parsers_cpu_s / pages))
        return found

    return _stacked(results, f"processor time, ms a page ({_cores(results)})", parts)


def _cores(results: Results) -> str:
    most = max(results.cores)
    return "1 core" if most == 1 else f"{most} cores"


def _timeline(results: Results, spider: SpiderKind) -> Any:
    """A panel a strategy, a lane a thread or process: how much of its time went into what."""
    runs = [run for strategy in results.strategies if (run := results.of(strategy, spider, max(results.cores)))]
    lanes = [len(run.lanes) for run in runs]
    figure = needed("matplotlib.figure", "report", "crawler compare").Figure(
        figsize=(10.8, 1.2 + sum(0.46 * count + 0.5 for count in lanes)), layout="constrained", facecolor="white"
    )
    panels = figure.subplots(len(runs), 1, squeeze=False, sharex=True, height_ratios=[count + 0.3 for count in lanes])
    # One that takes much longer than all others would leave no room for them.
    ends = sorted(run.crawl_s for run in runs)
    until = min(ends[-1] * 1.01, 1.15 * ends[-2]) if len(ends) > 1 else ends[-1] * 1.01
    for axes, run in zip(panels[:, 0], runs, strict=True):
        _lanes(axes, run, until)
        axes.set_xlim(0, until)
    panels[-1][0].set_xlabel("seconds")
    figure.suptitle(f"{_NAMES[spider]}, {_cores(results)}: what each thread and process does", fontsize=11)
    patch = needed("matplotlib.patches", "report", "crawler compare").Patch
    seen = {activity for run in runs for lane in run.lanes for activity in lane.shares}
    legend = [patch(color=colour, label=_MEANING[name]) for name, colour in _ACTIVITIES.items() if name in seen]
    legend.append(patch(color=_WAIT, label="wait"))
    figure.legend(handles=legend, loc="outside lower center", ncols=len(legend), frameon=False, fontsize=9)
    return figure


def _lanes(axes: Any, run: CrawlMeasured, until: float) -> None:
    end = run.crawl_s
    gap = 0.12
    for number, lane in enumerate(reversed(run.lanes)):
        axes.fill_between([0, end], number + gap / 2, number + 1 - gap / 2, color=_WAIT, linewidth=0)
        bins = max((len(values) for values in lane.shares.values()), default=0)
        edges = [min(end, at * run.bin_s) for at in range(bins + 1)]
        bottom = [0.0] * bins
        for activity, values in lane.shares.items():
            top = [low + value for low, value in zip(bottom, values, strict=True)]
            low_line, top_line = (
                [number + gap / 2 + (1 - gap) * height for height in (*line, line[-1])] for line in (bottom, top)
            )
            axes.fill_between(edges, low_line, top_line, step="post", color=_ACTIVITIES[activity], linewidth=0)
            bottom = top
    axes.set_yticks([number + 0.5 for number in range(len(run.lanes))], [lane.name for lane in reversed(run.lanes)])
    axes.set_ylim(0, len(run.lanes))
    axes.tick_params(axis="y", length=0, labelsize=9)
    axes.spines[["top", "right", "left"]].set_visible(False)
    pages = f"{run.pages_per_s:,.0f} pages/s"
    cut = f" (the first {until:.1f} s are shown)" if end > until else ""
    axes.set_title(f"{run.strategy}: {pages}, {end:.1f} s{cut}", loc="left", fontsize=10, fontweight="bold")


def _batch_size(results: Results) -> Any:
    """A panel a spider: what a page takes by the size of its batch."""
    figure, panels = _figure(len(results.spiders), height=4.6)
    series: tuple[tuple[str, str, str, Callable[[BatchesMeasured], float]], ...] = (
        ("by the clock", "#000000", "o", lambda one: one.wall_s),
        ("processor time of the parsers", "#E69F00", "s", lambda one: one.parsers_cpu_s),
        ("processor time of the main process", "#0072B2", "^", lambda one: one.main_cpu_s),
    )
    for axes, spider in zip(panels, results.spiders, strict=True):
        found = [one for one in results.batches if one.spider == spider]
        sizes = [one.size for one in found]
        for name, colour, marker, value in series:
            values = [1000 * value(one) / one.pages for one in found]
            axes.plot(sizes, values, color=colour, marker=marker, markersize=5, label=name)
        axes.set_xscale("log", base=2)
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.minorticks_off()
        axes.set_xlabel("pages a batch")
        axes.set_ylabel("ms a page")
        axes.set_title(f"{_NAMES[spider]}, {found[0].cores if found else 0} parsers", fontsize=11)
        axes.set_ylim(bottom=0)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=9)
    return figure
