"""`crawler plan`: what a crawl will be, before it; or what other settings would have done to a job."""

import asyncio
import logging
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from crawler.cli.bad_seeds import BadSeeds
from crawler.cli.exit_code import ExitCode
from crawler.cli.options import GroupedCommand, with_settings
from crawler.cli.settings import (
    CONFIG_VARIABLE,
    SETTINGS,
    Layer,
    Run,
    combine,
    named_as_spelled,
    told,
)
from crawler.cli.signals import ended_by_signals
from crawler.cli.standard_output import written
from crawler.cli.terminal import Terminal, set_up_logging
from crawler.core.config import CrawlConfig
from crawler.core.errors import ConfigError, SeedError
from crawler.core.event_loop import loop_factory
from crawler.core.json_line import indented
from crawler.core.quantity import duration
from crawler.core.setting import Setting, settings_of
from crawler.frontier.seeds import STDIN, check_sources

if TYPE_CHECKING:
    from crawler.planning.plan import Plan
    from crawler.planning.planner import Planner

__all__ = ["plan"]

_SAMPLE_PAGES = 100
_SAMPLE_S = 60.0


@with_settings("crawl")
@click.command(
    cls=GroupedCommand,
    epilog="""\b
Examples:
  crawler plan https://docs.python.org/3/ --scope prefix --delay 1
  crawler plan seeds.txt --sample 30 --json | jq .seconds.likely
  crawler plan --job output/example.com --exclude '/tag/' --depth 4

A plan of seeds reads a sample of the crawl, as politely as the crawl itself, and writes nothing. A plan of
a job asks nobody for anything. docs/plan.md says how the numbers come about, and how far they can be trusted.
Exit codes: 0 done, 1 error, 2 usage, 3 no page would be fetched, 4 interrupted, 5 storage failure.""",
)
@click.argument("seeds", nargs=-1, metavar="[SEED]...")
@click.option("--config", metavar="FILE", envvar=CONFIG_VARIABLE, help="TOML file of settings, named as the options.")
@click.option(
    "--sample",
    metavar="N",
    type=click.IntRange(1),
    default=_SAMPLE_PAGES,
    help=f"Read at most this many pages of each host.  [{_SAMPLE_PAGES}]",
)
@click.option(
    "--sample-time",
    metavar="S",
    type=click.FloatRange(0, min_open=True),
    default=_SAMPLE_S,
    help=f"Read them for at most this many seconds.  [{_SAMPLE_S:g}]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
@click.pass_obj
def plan(
    terminal: Terminal,
    /,
    seeds: tuple[str, ...],
    config: str | None,
    **options: Any,
) -> int:
    """Say what a crawl from each SEED will be, with these settings: pages, time, bytes, the slowest hosts.

    Without a SEED, but with --job, say what these settings would have done to that job.
    """
    sample, sample_s, as_json = (options.pop(name) for name in ("sample", "sample_time", "as_json"))
    layers = told(seeds, config, options)
    if not any(layer.get("seeds") for layer in layers):
        if any(layer.get("job") for layer in layers):
            return _judged(layers, as_json=as_json)
        raise SeedError("no seeds given: name a URL, a file of URLs, or - for standard input (or --job for a job)")
    run = combine(*layers)
    with named_as_spelled(run.places):
        return _planned(run, terminal, sample=sample, sample_s=sample_s, as_json=as_json)


def _judged(layers: Sequence[Mapping[str, Any]], *, as_json: bool) -> int:
    """Say what other settings would have done to a job."""
    from crawler.cli.report.what_if_text import what_if_lines  # noqa: PLC0415 - with the store
    from crawler.jobs.opening import find_job  # noqa: PLC0415 - the store
    from crawler.ledger.kept import kept_settings  # noqa: PLC0415 - the store
    from crawler.planning.what_if import changed, what_if  # noqa: PLC0415 - the store

    given = {name: value for layer in layers for name, value in layer.items()}
    places = {name: place for layer in layers if isinstance(layer, Layer) for name, place in layer.places.items()}
    folder = find_job(given.pop("job"))
    kept = kept_settings(folder)
    with named_as_spelled(places):
        for setting in settings_of(Run):
            if given.pop(setting.field, None) and setting.field == "fresh":
                raise ConfigError("fresh: a plan of a job changes nothing in it")
        before = CrawlConfig(**({} if kept is None else kept.settings))
        config = changed(before, given, {setting.field: setting for setting in SETTINGS})
        others = [setting for setting in SETTINGS if given.get(setting.field) != getattr(before, setting.field, None)]
        changes = {f"--{one.name}": _shown(one, given[one.field]) for one in others if one.field in given}
        found = what_if(folder, config, changes)
    return written([indented(found)] if as_json else _encoded(what_if_lines(found)), sys.stdout.buffer)


def _shown(setting: Setting, value: object) -> str:
    return setting.kind.nothing if value is None else setting.kind.shown(value)


def _planned(run: Run, terminal: Terminal, *, sample: int, sample_s: float, as_json: bool) -> int:
    from crawler.planning.planner import Planner  # noqa: PLC0415  aiohttp, the store and the parser take 0.3 s to import

    set_up_logging(run, terminal)
    # What is said of single URLs is said in the plan.
    logging.getLogger("crawler").setLevel("DEBUG" if run.log_level == "debug" else "ERROR")
    bad_seeds = BadSeeds(terminal, quiet=run.quiet)
    stdin = sys.stdin.buffer if STDIN in run.seeds and sys.stdin is not None else None
    planner = Planner(run.config, run.seeds, sample_pages=sample, sample_s=sample_s, stdin=stdin, on_bad_seed=bad_seeds)
    check_sources(run.seeds, stdin)
    if not run.quiet:
        terminal.say(f"reading a sample: at most {sample:,} pages of each host, for at most {duration(sample_s)}")
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            made = runner.run(_watched(planner, None if run.quiet else terminal))
    finally:
        bad_seeds.sum_up()
    code = written(_lines(made, as_json=as_json), sys.stdout.buffer)
    if code != ExitCode.DONE:
        return code
    if made.sample.ended == "interrupted":
        return ExitCode.INTERRUPTED
    return ExitCode.DONE if made.pages.likely else ExitCode.NO_PAGE


def _lines(made: "Plan", *, as_json: bool) -> Iterable[bytes]:
    if as_json:
        return [indented(made)]
    from crawler.cli.report.plan_text import plan_lines  # noqa: PLC0415 - with the plan

    return _encoded(plan_lines(made))


def _encoded(lines: Iterable[str]) -> Iterable[bytes]:
    return (f"{line}\n".encode() for line in lines)


async def _watched(planner: "Planner", terminal: Terminal | None) -> "Plan":
    """Make the plan; the first signal ends its sample, the second ends the process."""

    def stop() -> None:
        planner.stop()
        if terminal is not None:
            terminal.say("stopping the sample: press Ctrl-C again to leave at once, without a plan")

    def leave() -> None:
        planner.abandon()
        os._exit(ExitCode.INTERRUPTED)

    with ended_by_signals(stop, leave):
        return await planner.run()
