"""`crawler crawl` and `crawler demo`: one crawl with all that a person sees of it."""

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec import structs

from crawler.cli.bad_seeds import BadSeeds
from crawler.cli.exit_code import ExitCode
from crawler.cli.options import GroupedCommand, with_settings
from crawler.cli.settings import (
    CONFIG_VARIABLE,
    Run,
    combine,
    from_options,
    named_as_spelled,
    resumed,
    told,
)
from crawler.cli.terminal import Terminal, live_console, set_up_logging
from crawler.cli.watched import leave_at_once, watched
from crawler.core.errors import ConfigError, UnmetError
from crawler.core.event_loop import loop_factory
from crawler.core.job_place import is_url
from crawler.core.printable import printable
from crawler.fetcher.transport.descriptors import raise_limit
from crawler.frontier.seeds import STDIN
from crawler.parsers.memory import collect_rarely, return_large_blocks

if TYPE_CHECKING:
    from rich.console import Console

    from crawler.cli.report.progress import Progress
    from crawler.core.config import CrawlConfig
    from crawler.core.expectation import Verdict
    from crawler.core.stats import CrawlStats
    from crawler.ring.crawler import Crawler

__all__ = ["crawl", "demo"]

_SUMMED_UP = ("ended", "elapsed_s", "pages", "run_pages", "records", "bytes", "known", "queued", "outcomes", "statuses")
"""What a line of JSON at the end has of the counters."""
_TERMINAL_PATIENCE_S = 0.5


@with_settings("crawl")
@click.command(
    cls=GroupedCommand,
    epilog="""\b
Examples:
  crawler crawl https://docs.python.org/3/ --scope prefix --max-pages 100
  crawler crawl seeds/example.txt --depth 1 --fields url,status,title -o titles.jsonl
  crawler crawl sitemap:https://docs.python.org/sitemap.xml --depth 0
  zcat urls.txt.gz | crawler crawl - --scope page -o - | jq -r .title

The same command again picks up where it left off. Every option is also a key of the --config file
(max-pages = 100) and an environment variable (CRAWLER_MAX_PAGES); a switch such as --strict is taken back by
--no-strict. Exit codes: 0 done, 1 error, 2 usage,
3 no page fetched, 4 interrupted, 5 storage failure, 6 some hosts do not answer (their URLs stay due),
7 done, but not as --expect says.""",
)
@click.argument("seeds", nargs=-1, metavar="[SEED]...")
@click.option("--config", metavar="FILE", envvar=CONFIG_VARIABLE, help="TOML file of settings, named as the options.")
@click.pass_obj
def crawl(terminal: Terminal, /, seeds: tuple[str, ...], config: str | None, **options: Any) -> int:
    """Crawl from each SEED: an http(s) URL, a file of them, - for standard input, or sitemap:URL for its pages.

    Files are .txt (one URL a line), .csv (with a column url) or .jsonl (with a key url), each also .gz.
    """
    run = combine(*resumed(*told(seeds, config, options)))
    with named_as_spelled(run.places):
        return _crawled_by_many(run, terminal) if run.config.cluster else _crawled(run, terminal)


@with_settings("demo")
@click.command(cls=GroupedCommand)
@click.option("--job", metavar="DIR", help="Folder of the demo's crawl.  [output/demo]")
@click.option("--port", metavar="N", type=click.IntRange(0, 65535), default=0, help="Port of the site.  [a free one]")
@click.option("--serve", is_flag=True, help="Only serve the site, until Ctrl-C.")
@click.pass_obj
def demo(terminal: Terminal, /, job: str | None, port: int, serve: bool, **options: Any) -> int:
    """Serve a built-in site on this machine and crawl it: 20 hosts, 2,000 pages, all kinds of trouble."""
    if serve:
        from crawler.cli.demo.server import main as serve_site  # noqa: PLC0415  aiohttp's server, for this alone

        return ExitCode.USAGE if serve_site(["--port", str(port)]) else ExitCode.DONE
    from crawler.cli.demo.run import DEMO_JOB, program_name  # noqa: PLC0415  the site's model, for this command alone
    from crawler.cli.demo.run import run as run_demo  # noqa: PLC0415  as above

    given = from_options(options)
    given.setdefault("fresh", False)
    of_crawl = {name: given.pop(name) for name in ("dashboard",) if name in given}

    def crawled(config: "CrawlConfig", seeds: Sequence[str], fresh: bool) -> int:
        config = structs.replace(config, **of_crawl)
        run = Run(**{**given, "config": config, "seeds": tuple(seeds), "fresh": fresh})
        with named_as_spelled(given.places):
            return _crawled(run, terminal)

    return run_demo(
        DEMO_JOB if job is None else Path(job),
        crawled,
        say=(lambda _: None) if given.get("quiet") else terminal.say,
        port=port,
        fresh=given["fresh"],
        program=program_name(sys.argv[0]),
    )


def _crawled_by_many(run: Run, terminal: Terminal) -> int:
    """Run one crawl of many shards; return the exit code."""
    from crawler.cli.commands.on_cluster import crawl_on_cluster  # noqa: PLC0415  Ray, for this alone

    def finished(stats: "CrawlStats", outputs: tuple[str, ...], console: "Console | None") -> ExitCode:
        told = structs.replace(run, config=structs.replace(run.config, output=outputs))
        return _finished(stats, told, (), terminal, console)

    return crawl_on_cluster(run, terminal, finished)


def _crawled(run: Run, terminal: Terminal) -> int:
    """Run one crawl with all that a person sees of it; return the exit code."""
    collect_rarely()  # before the imports, of which nothing becomes garbage
    from crawler.cli.report.progress import Progress  # noqa: PLC0415  as below
    from crawler.ring.crawler import Crawler  # noqa: PLC0415  aiohttp, the store and the parser take 0.3 s to import

    if "-" in run.config.outputs and sys.stdout is None:
        raise ConfigError("--output -: standard output is closed")
    _check_bundle(run.config)
    return_large_blocks()
    raise_limit(run.config.most_at_once, run.config.parser_processes)
    set_up_logging(run, terminal)
    console = live_console(run, terminal)
    if run.config.insecure:
        logging.getLogger(__name__).warning(
            "--insecure: TLS certificates are not checked; answers may come from anyone"
        )
    bad_seeds = BadSeeds(terminal, quiet=run.quiet)
    stdin = None
    if STDIN in (*run.seeds, run.config.follow) and sys.stdin is not None:
        stdin = sys.stdin.buffer
        if stdin.isatty() and not run.quiet:
            terminal.say("reading seeds from the terminal: one URL a line, Ctrl-D ends")
    crawler = Crawler(
        run.config,
        run.seeds,
        fresh=run.fresh,
        stdin=stdin,
        on_bad_seed=bad_seeds,
        on_dashboard=lambda address: terminal.say(f"dashboard: {address}"),
    )
    progress = Progress(
        crawler.stats,
        mode="quiet" if run.quiet else "live" if console else "log",
        title="standard input" if run.config.job is None else printable(str(run.config.job)),
        console=console,
    )
    try:
        with _records_alone(run.config), asyncio.Runner(loop_factory=loop_factory()) as runner:
            stats = runner.run(_watched(crawler, progress, None if run.quiet else terminal))
    except UnmetError:
        stats = crawler.stats()
    except BrokenPipeError:
        # Whoever read the records has seen enough; the job can go on. Nothing may be flushed there at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return ExitCode.INTERRUPTED
    finally:
        bad_seeds.sum_up()
    return _finished(stats, run, crawler.verdicts, terminal, console)


def _finished(
    stats: "CrawlStats", run: Run, verdicts: Sequence["Verdict"], terminal: Terminal, console: "Console | None"
) -> ExitCode:
    """Tell how the crawl ended; return the exit code for that."""
    from crawler.cli.report.ending import ending, why_no_page  # noqa: PLC0415  as above

    _sum_up(stats, run, verdicts, terminal, console)
    code = _judged(_exit_code(stats), stats, run, verdicts, terminal)
    if run.quiet and code == ExitCode.NO_PAGE:
        terminal.say(f"crawler: error: no page was fetched: {why_no_page(stats, run.config)}")
    if run.quiet and code == ExitCode.UNREACHABLE:
        end = ending(stats, run.config)
        terminal.say(f"crawler: error: {end.what}; {end.then}")
    return code


def _sum_up(
    stats: "CrawlStats", run: Run, verdicts: Sequence["Verdict"], terminal: Terminal, console: "Console | None"
) -> None:
    """Write the summary of a run into its job, and show it."""
    from crawler.cli.report.ending import ending  # noqa: PLC0415  as below
    from crawler.cli.report.summary import print_summary, write_summary  # noqa: PLC0415  rich: only at the end

    if run.config.job is not None and not is_url(run.config.job):
        write_summary(stats, run.config, verdicts)
    if run.quiet:
        return
    if terminal.as_json:
        end = ending(stats, run.config)
        figures = {name: getattr(stats, name) for name in _SUMMED_UP}
        terminal.say(end.what, {"event": "summary", **figures, "next": end.then, "expectations": verdicts})
        return
    with contextlib.suppress(OSError):  # as `Terminal.say`; the same is in summary.json
        print_summary(stats, run.config, console=console)


def _records_alone(config: "CrawlConfig") -> contextlib.AbstractContextManager[object]:
    """Let a spider print to standard error in this process too, as it does in a parser."""
    return contextlib.nullcontext() if config.strategy == "hybrid" else contextlib.redirect_stdout(sys.stderr)


def _check_bundle(config: "CrawlConfig") -> None:
    """Refuse a file of authorities that cannot be used, before a job is made."""
    if config.ca_bundle is None:
        return
    from crawler.fetcher.transport.tls import tls_context  # noqa: PLC0415  needs ssl, which is slow to import

    tls_context(ca_bundle=config.ca_bundle)


def _exit_code(stats: "CrawlStats") -> ExitCode:
    if stats.ended == "interrupted":
        return ExitCode.INTERRUPTED
    if stats.ended == "unreachable":
        return ExitCode.UNREACHABLE
    return ExitCode.DONE if stats.pages else ExitCode.NO_PAGE


def _judged(
    code: ExitCode, stats: "CrawlStats", run: Run, verdicts: Sequence["Verdict"], terminal: Terminal
) -> ExitCode:
    """Say what is not as it was expected; return the exit code with that. A worse one stays."""
    if run.config.expect and stats.ended == "interrupted" and not run.quiet:
        terminal.say("what is expected was not checked, since the crawl has not come to its end")
    missed = [verdict for verdict in verdicts if not verdict.met]
    for verdict in missed:
        terminal.say(f"crawler: error: not as expected: {verdict.text}")
    return ExitCode.UNMET if missed and code == ExitCode.DONE else code


async def _watched(crawler: "Crawler", progress: "Progress", terminal: Terminal | None) -> "CrawlStats":
    """Run the crawler with its display; the first signal drains it, the second ends the process."""

    def stop() -> None:
        crawler.stop()
        if terminal is not None:
            requests = crawler.stats().fetching
            terminal.say(f"stopping: finishing {requests} requests; press Ctrl-C again to stop at once")

    def leave() -> None:
        """End without a commit: what is under way will be done again. Parsers notice by themselves."""
        crawler.abandon()
        leave_at_once(progress.close, _TERMINAL_PATIENCE_S)

    return await watched(crawler.run(), progress.run(), stop=stop, leave=leave)
