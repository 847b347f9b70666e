"""`crawler new` and `crawler try`: the commands, and what a person sees of them."""

import asyncio
import json
import os
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crawler.cli.exit_code import ExitCode
from crawler.cli.options import GroupedCommand, with_settings
from crawler.cli.report.certificates import NO_TLS, is_of_certificate, is_without_tls
from crawler.cli.settings import Run, combine, from_environment, from_options, named_as_spelled
from crawler.cli.terminal import Terminal, set_up_logging
from crawler.core.errors import CrawlerError
from crawler.core.event_loop import loop_factory
from crawler.core.printable import printable
from crawler.frontier.seeds import is_url, no_such_source

if TYPE_CHECKING:
    from crawler.core.model import Done
    from crawler.ring.try_page import Step

__all__ = ["new", "try_"]

_PACKAGE = str(Path(__file__).parents[2])
_SHOWN_LINKS = 20
_SHOWN_VALUES = 10
_SHOWN_CHARS = 300

_HTML = {".html", ".htm", ".xhtml"}
_REMEDIES = {
    "failed: dns": "check the spelling of the host's name, and the network",
    "failed: connect": "nothing listens there: check host and port, and whether the server runs",
    "failed: timeout": "--timeout S waits longer",
}


@click.group(no_args_is_help=True)
def new() -> None:
    """Write first versions of files that are then yours."""


@new.command("spider")
@click.argument("name", metavar="NAME")
@click.pass_obj
def new_spider_(terminal: Terminal, /, name: str) -> int:
    """Write a working spider, spiders/NAME.py, and its test, tests/test_NAME.py, into this folder."""
    from crawler.cli.new.spider import new_spider  # noqa: PLC0415  for this command alone

    paths = new_spider(name, Path())
    terminal.say(f"wrote {' and '.join(map(str, paths))}")
    spider = f"--spider {paths[0]}:parse"
    terminal.say(f"run its test:  python -m pytest {paths[1]}")
    terminal.say(f"see a page:    crawler try https://example.com/ {spider}")
    terminal.say(f"crawl a site:  crawler crawl https://example.com/ {spider} -o {name}.jsonl")
    return 0


@with_settings("try")
@click.command(
    "try",
    cls=GroupedCommand,
    epilog="""\b
Examples:
  crawler try https://example.com/ --spider spiders/shop.py:parse
  crawler try https://example.com/ --select title=h1 --select 'links[]:url=a::attr(href)'
  crawler try saved.html --url https://example.com/a --spider shop:parse

Exit codes: 0 done, 1 the spider failed, 2 usage, 3 no page fetched.""",
)
@click.argument("page", metavar="PAGE")
@click.option("--url", metavar="URL", help="Where a page from a file comes from.  [http://example.com/]")
@click.option("--all", "everything", is_flag=True, help="Show long values, long lists and all links whole.")
@click.pass_obj
def try_(terminal: Terminal, /, page: str, url: str | None, everything: bool, **options: Any) -> int:
    """Show what a spider, or fields, make of one PAGE: records, links and the time that each step takes.

    PAGE is a URL, fetched as a crawl would do it (robots.txt counts), or an HTML file of this machine. Nothing is
    written, and the spider runs in this process: breakpoint() works in it.
    """
    run = combine(
        {"job": Path()},
        from_environment(os.environ, "try"),
        from_options(options),
    )
    with named_as_spelled(run.places):
        return _tried(run, page, url, terminal, everything=everything)


def _tried(run: Run, target: str, url: str | None, terminal: Terminal, *, everything: bool) -> int:
    # They take long to import.
    from crawler.parsers.spiders.spider import load_spider  # noqa: PLC0415 - see above
    from crawler.ring.try_page import Step, download_of_file, fetch_page, try_page  # noqa: PLC0415 - see above

    set_up_logging(run, terminal)
    config = run.config
    if config.spider is not None:
        load_spider(config.spider)  # nobody is asked for a page in vain
    steps: tuple[Step, ...] = ()
    if is_url(target) and url is None:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            fetched = runner.run(fetch_page(config, target))
        for hop in fetched.hops:
            _show(f"redirected: {hop}")
        steps = fetched.steps
        download = fetched.download
        if download is None:
            _show(fetched.why)
            if advice := _remedy(fetched.outcome):
                _show(f"  {advice}")
            return ExitCode.NO_PAGE
    else:
        if url is None and not Path(target).exists() and Path(target).suffix.lower() not in _HTML:
            raise no_such_source(target, "of HTML")
        download = download_of_file(Path(target), url or "http://example.com/")
    answer = download.answer
    _show(f"{answer.status} {download.task.url} ({answer.body_bytes:,} bytes)")
    try:
        tried = try_page(config, download)
    except CrawlerError:
        raise
    except BaseException as error:  # noqa: BLE001 - a parser process catches all of them, too
        _show_error(error)
        return ExitCode.ERROR
    for line in _shown(tried.done, spider=config.spider is not None, everything=everything):
        _show(line)
    _show("")
    for line in _times((*steps, *tried.steps), config.parser_timeout_s):
        _show(line)
    return ExitCode.ERROR if tried.done.outcome == "failed" else ExitCode.DONE


def _remedy(outcome: str) -> str:
    """Say what to do about a page that could not be had; empty for what says it itself."""
    if is_of_certificate(outcome):
        return "--ca-bundle FILE trusts further authorities, --insecure any certificate"
    if is_without_tls(outcome):
        return NO_TLS
    return next((then for start, then in _REMEDIES.items() if outcome.startswith(start)), "")


def _show(line: str) -> None:
    click.echo(printable(line))


def _show_error(error: BaseException) -> None:
    """Print what went wrong in the spider, without the frames that lead there."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next and frame.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.tb_next
    for line in "".join(traceback.format_exception(type(error), error, frame)).splitlines():
        _show(line)
    _show(f"the page would end as  failed: parser-error: {type(error).__name__}")


def _shown(done: "Done", *, spider: bool, everything: bool) -> Iterator[str]:
    """Give the lines about records and links."""
    if done.outcome != "fetched":
        yield f"{done.outcome}: {done.reason}" if done.reason else done.outcome
        if done.detail:
            yield f"  {done.detail}"
    lines = (done.records or b"").splitlines()
    if done.outcome == "fetched":
        why = f" ({done.reason})" if done.reason else ""
        if not 200 <= done.status < 300 and not lines:
            why = f" (only pages with a 2xx status are read; this one has {done.status})"
        yield ""
        yield f"{len(lines)} record{'' if len(lines) == 1 else 's'}{why}"
    for line in lines:
        record = json.loads(line)
        shown = record if everything else {name: _short(value) for name, value in record.items()}
        yield from json.dumps(shown, indent=2, ensure_ascii=False).splitlines()
    followed = [link for link in done.links if not link.skip]
    yield ""
    plural = "" if len(followed) == 1 else "s"
    yield f"{len(followed)} link{plural} to follow, {len(done.links) - len(followed)} skipped"
    if not done.links and spider and done.outcome == "fetched":
        yield "  a spider follows what it yields with page.follow()"
    shown_links = [*followed, *(link for link in done.links if link.skip)]
    for link in shown_links[: None if everything else _SHOWN_LINKS]:
        yield f"  {f'skipped: {link.skip}' if link.skip else 'follow'}  {link.url}"
    if len(shown_links) > _SHOWN_LINKS and not everything:
        yield f"  … and {len(shown_links) - _SHOWN_LINKS} more (--all shows them)"


def _short(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _SHOWN_CHARS:
        return f"{value[:_SHOWN_CHARS]}… ({len(value):,} characters)"
    if isinstance(value, list):
        short = [_short(one) for one in value[:_SHOWN_VALUES]]
        return [*short, f"… and {len(value) - _SHOWN_VALUES:,} more"] if len(value) > _SHOWN_VALUES else short
    if isinstance(value, dict):
        return {name: _short(one) for name, one in value.items()}
    return value


_MEANING = {
    "start": "starting",
    "robots.txt": "its robots.txt",
    "download": "looking up, connecting, answer",
    "import": "importing the spider",
    "page": "tree, links and title",
    "spider": "the spider, with the trees that it asks for",
    "fields": "finding the fields",
}


def _times(steps: Sequence["Step"], limit_s: float) -> Iterator[str]:
    """Give a line for each step that was made, with its time."""
    parsed_s = sum(step.seconds for step in steps if step.name in {"page", "spider", "fields"})
    for step in steps:
        if step.name != "start":
            yield f"{1000 * step.seconds:9.1f} ms  {step.name:<10}  {_MEANING[step.name]}"
    if parsed_s > limit_s:
        yield f"a crawl would give the page up: failed: parser-timeout (--parser-timeout {limit_s:g})"
