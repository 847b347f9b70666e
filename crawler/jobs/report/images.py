"""The charts of a report as files: SVG in the colours of the reader's scheme, PNG in the light ones."""

from pathlib import Path

from crawler.core.refusal import refusal
from crawler.core.symlinks import written_anew
from crawler.jobs.report.charts import charts_of, check_installed, png, svg
from crawler.jobs.report.report import Report
from crawler.jobs.report.svg import as_file

__all__ = ["write_images"]


def write_images(report: Report, folder: Path) -> list[Path]:
    """Write `NAME.svg` and `NAME.png` for each chart into a folder, which is made; return their paths.

    Raises `ConfigError` if matplotlib is not installed, `StorageError` if the disk refuses.
    """
    check_installed()
    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for table in report.tables.values():
            for chart in charts_of(table):
                drawn = as_file(svg(chart, table), chart.name, chart.title, chart.says)
                for ending, content in (("svg", drawn.encode()), ("png", png(chart, table))):
                    path = folder / f"{chart.name}.{ending}"
                    with written_anew(path) as file:
                        file.write(content)
                    paths.append(path)
    except OSError as error:
        raise refusal(
            f"write the pictures into {folder}", error, "choose another --images", room="make room, or choose another"
        ) from error
    return paths
