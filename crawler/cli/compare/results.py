"""What a comparison found: all measurements, which runs stand for several rounds, tables, and the file of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from crawler.cli.compare.work import BatchesMeasured, CrawlMeasured, SpiderKind
from crawler.core.config import StrategyKind
from crawler.core.errors import StorageError

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["Results", "tables", "write_results"]

SCHEMA_VERSION = 1


class Results(Struct, frozen=True, kw_only=True):
    """Everything that `results.json` holds. `differences` has a line for each crawl that was not like the first."""

    version: str
    python: str
    machine: str
    site: str
    max_pages: int | None
    settings: dict[str, Any]
    runs: tuple[CrawlMeasured, ...]
    batches: tuple[BatchesMeasured, ...]
    differences: tuple[str, ...]

    @property
    def strategies(self) -> tuple[StrategyKind, ...]:
        """Strategies in the order in which they ran."""
        return tuple(dict.fromkeys(run.strategy for run in self.runs))

    @property
    def spiders(self) -> tuple[SpiderKind, ...]:
        """Spiders in the order in which they ran."""
        return tuple(dict.fromkeys(run.spider for run in self.runs))

    @property
    def cores(self) -> tuple[int, ...]:
        """Numbers of cores."""
        return tuple(dict.fromkeys(run.cores for run in self.runs))

    def of(self, strategy: StrategyKind, spider: SpiderKind, cores: int) -> CrawlMeasured | None:
        """Return the run of median speed of all rounds; None if there is none."""
        wanted = (strategy, spider, cores)
        rounds = [run for run in self.runs if (run.strategy, run.spider, run.cores) == wanted]
        return sorted(rounds, key=lambda run: run.pages_per_s)[len(rounds) // 2] if rounds else None

    def speedup(self, run: CrawlMeasured) -> float | None:
        """How many times as fast as the sequential crawl on as many cores a run is; None without such a crawl."""
        slow = self.of("sequential", run.spider, run.cores)
        return run.pages_per_s / slow.pages_per_s if slow is not None and slow.pages_per_s else None


def tables(results: Results) -> Iterator["Table"]:
    """Give a table for each spider, narrow enough for 80 columns."""
    from rich import box  # noqa: PLC0415  0.1 s, and not needed by a measurement
    from rich.table import Table  # noqa: PLC0415  as above

    for spider in results.spiders:
        title = f"{spider} spider"
        table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, show_edge=False)
        table.add_column("strategy", no_wrap=True)
        for name in ("cores", "pages/s", "speed-up", "start s", "CPU ms", "main ms", "MB"):
            table.add_column(name, justify="right", no_wrap=True)
        for cores in results.cores:
            for strategy in results.strategies:
                run = results.of(strategy, spider, cores)
                if run is not None:
                    table.add_row(*_row(results, run))
        yield table


def _row(results: Results, run: CrawlMeasured) -> tuple[str, ...]:
    speedup = results.speedup(run)
    return (
        run.strategy,
        str(run.cores),
        f"{run.pages_per_s:,.0f}",
        "" if speedup is None else f"{speedup:.1f}",
        f"{run.start_s:.1f}",
        f"{run.cpu_ms_per_page:.2f}",
        f"{1000 * run.main_cpu_s / max(1, run.pages):.2f}",
        f"{run.memory_bytes / 1e6:,.0f}" if run.memory else "",
    )


def write_results(results: Results, path: Path) -> None:
    """Write all of it as JSON. Raises `StorageError` if the disk refuses."""
    plain = msgspec.to_builtins(results)
    for run, measured in zip(plain["runs"], results.runs, strict=True):
        run["pages_per_s"] = round(measured.pages_per_s, 1)
        run["cpu_ms_per_page"] = round(measured.cpu_ms_per_page, 3)
    plain = {"schema_version": SCHEMA_VERSION, "same_records": not results.differences, **plain}
    try:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(plain), indent=1))
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error
