"""`crawler compare`: the command, and what a person sees of it."""

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click
import msgspec

from crawler.cli.exit_code import ExitCode
from crawler.cli.options import GroupedCommand, with_settings
from crawler.cli.settings import combine, from_environment, from_options, named_as_spelled
from crawler.cli.terminal import Terminal
from crawler.core.config import StrategyKind
from crawler.core.errors import CrawlerError, StorageError

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["compare"]

_FOLDER = Path("output/compare")


@with_settings("compare")
@click.command(
    cls=GroupedCommand,
    epilog="""\b
Examples:
  crawler compare
  crawler compare --strategy async --strategy hybrid --spider heavy --rounds 3
  crawler compare http://127.0.0.1:8000/ --allow-private --delay 0 --per-host 16 --pages 500

Exit codes: 0 all crawls gave the same records, 1 they did not, or one failed, 2 usage, 4 interrupted.""",
)
@click.argument("seeds", nargs=-1, metavar="[SEED]...")
@click.option("-o", "--output", metavar="DIR", help=f"Folder for the charts and results.json.  [{_FOLDER}]")
@click.option(
    "--strategy",
    "strategies",
    multiple=True,
    type=click.Choice(get_args(StrategyKind)),
    metavar="NAME",
    help="Compare only this strategy. May be repeated.  [all]",
)
@click.option(
    "--spider",
    type=click.Choice(("light", "heavy", "both")),
    metavar="light|heavy|both",
    default="both",
    help="Spiders to compare with: turbohtml, BeautifulSoup.  [both]",
)
@click.option(
    "--cores",
    multiple=True,
    type=click.IntRange(1),
    metavar="N",
    help="Give the crawls so many cores and parsers. May be repeated.  [1, 2, 4, as many as there are]",
)
@click.option(
    "--rounds", type=click.IntRange(1), metavar="N", default=1, help="Crawl so often; the median counts.  [1]"
)
@click.option("--pages", type=click.IntRange(1), metavar="N", help="End each crawl after so many pages.  [none]")
@click.option(
    "--latency",
    type=click.FloatRange(0, 10),
    metavar="S",
    default=0.01,
    help="Seconds that each answer of the demo site comes late, as over a network.  [0.01]",
)
@click.pass_obj
def compare(
    terminal: Terminal,
    /,
    *,
    seeds: tuple[str, ...],
    output: str | None,
    strategies: tuple[StrategyKind, ...],
    spider: str,
    cores: tuple[int, ...],
    rounds: int,
    pages: int | None,
    latency: float,
    **options: Any,
) -> int:
    """Crawl the demo site, or from each SEED, with every strategy: speed, memory and charts; the records must agree.

    Each SEED is crawled many times over: once for each strategy, spider and number of cores.
    """
    from crawler.cli.compare.charts import check_installed, draw  # noqa: PLC0415 - for this command alone

    check_installed()
    from crawler.cli.compare.plan import DEMO_SETTINGS, Plan, default_cores  # noqa: PLC0415 - as above
    from crawler.cli.compare.results import tables, write_results  # noqa: PLC0415 - as above
    from crawler.cli.compare.run import compare as run_all  # noqa: PLC0415 - psutil is an extra

    run = combine(
        {"job": Path(), "seeds": seeds, "max_pages": pages},
        {} if seeds else DEMO_SETTINGS,
        from_environment(os.environ, "compare"),
        from_options(options),
    )
    plan = Plan(
        config=msgspec.structs.replace(run.config, seeds=run.seeds),
        strategies=strategies or get_args(StrategyKind),
        spiders=("light", "heavy") if spider == "both" else (spider,),  # type: ignore[arg-type]
        cores=tuple(sorted(set(cores))) or default_cores(),
        rounds=rounds,
        latency_s=latency,
    )
    folder = _FOLDER if output is None else Path(output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot write into {folder}: {error.strerror}; choose another --output") from error
    try:
        with named_as_spelled(run.places):
            results = run_all(plan, folder, terminal.say)
    except KeyboardInterrupt:
        terminal.say("interrupted; the same command begins anew")
        return ExitCode.INTERRUPTED
    path = folder / "results.json"
    write_results(results, path)
    charts = draw(results, folder)
    _show(*tables(results))
    terminal.say("speed-up   over sequential on as many cores; start s: until the first page has ended")
    terminal.say("CPU ms     processor time a page, of all processes, main ms: of the main one; MB: peak memory of all")
    terminal.say(f"results    {path}")
    for name, chart in zip(("charts", *[""] * len(charts)), charts, strict=False):
        terminal.say(f"{name:<10} {chart}")
    if results.differences:
        number = len(results.differences)
        crawls = "1 crawl differs" if number == 1 else f"{number} crawls differ"
        raise CrawlerError(f"{crawls} from the first: {results.differences[0]}")
    whole = "" if pages is None else f", as far as they have the same pages (--pages {pages})"
    terminal.say(f"records    the same in all {len(results.runs)} crawls{whole}")
    return ExitCode.DONE


def _show(*tables: "Table") -> None:
    from rich.console import Console  # noqa: PLC0415  0.1 s, and only at the end

    with contextlib.suppress(OSError):  # as `Terminal.say`; the same is in results.json
        Console(stderr=True).print(*tables, sep="\n")
