"""One page, fetched and read as a crawl would do it, in this process: for people who write a spider."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from crawler.core.config import CrawlConfig
from crawler.core.errors import ConfigError
from crawler.core.model import Done, Download, Failure, SeedContext, Task
from crawler.fetcher.request import Requests
from crawler.fetcher.robots_fetch import fetch_robots, robots_answer
from crawler.fetcher.transport.base import is_redirect
from crawler.fetcher.transport.budget import ByteBudget
from crawler.fetcher.transport.chosen import transport_class
from crawler.fetcher.verdict import downloaded, redirected
from crawler.page.page import Page
from crawler.parsers.reading.parse import ParserSettings, ParserState, parse_page
from crawler.parsers.spiders.spider import pack_spider
from crawler.web.redirect import redirect_scope
from crawler.web.robots import rules_for
from crawler.web.urls import normalise, origin, url_key

if TYPE_CHECKING:
    from crawler.fetcher.transport.base import Transport

__all__ = ["Fetched", "Step", "Tried", "fetch_page", "page_of_file", "try_page"]


class Step(Struct, frozen=True):
    """One part of the work, and how long it took."""

    name: str
    seconds: float


class Fetched(Struct, frozen=True):
    """What a server answered: the page, or in one line why there is none; `hops` are the URLs that redirected."""

    download: Download | None
    why: str
    hops: tuple[str, ...]
    steps: tuple[Step, ...]


class Tried(Struct, frozen=True):
    """What came of a page: how it ended, and how long each part of that took."""

    done: Done
    steps: tuple[Step, ...]


class _Clock:
    """Notes how long each step takes. State: the steps so far; those of one name are added up."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._since = time.perf_counter()

    def note(self, name: str) -> None:
        """Say that what was done since the last call, or the start, is this step."""
        now = time.perf_counter()
        self._seconds[name] = self._seconds.get(name, 0.0) + now - self._since
        self._since = now

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps in the order in which they began."""
        return tuple(Step(name, seconds) for name, seconds in self._seconds.items())


def page_of_file(path: Path, url: str) -> Download:
    """Return an HTML file of this machine as if it had been fetched from `url`.

    Raises `ConfigError` if it cannot be read, `UrlError` if `url` is no http(s) URL.
    """
    try:
        body = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    return Page.from_html(body, url, fetched_at=time.time()).download


async def fetch_page(config: CrawlConfig, url: str) -> Fetched:
    """Fetch one page as a crawl with these settings would: robots.txt, address guard, limits and redirects hold.

    Nothing is tried again. Raises `UrlError` if `url` is no http(s) URL.
    """
    url = normalise(url)
    clock = _Clock()
    transport = transport_class(config)(config, ByteBudget(config.bytes_in_flight))
    clock.note("start")
    try:
        return await _fetched(config, url, transport, clock)
    finally:
        await transport.close()


def _private(failure: Failure) -> str:
    return f"skipped: private-address: {failure.detail} (--allow-private fetches from such addresses)"


async def _fetched(config: CrawlConfig, url: str, transport: "Transport", clock: _Clock) -> Fetched:
    requests = Requests(config)
    scope = redirect_scope("any", (), (), None)
    seed = SeedContext(0, (url,), b"null")
    task = Task(url_key(url), url, 0, None, (), 0, seed)
    while True:

        def ended(why: str, download: Download | None = None, task: Task = task) -> Fetched:
            return Fetched(download, why, task.redirected_from, clock.steps)

        if config.robots == "obey":
            found = await fetch_robots(transport, origin(task.url), config.timeout_s)
            if isinstance(found, Failure) and found.kind == "private-address":
                return ended(_private(found))
            answer = robots_answer(found, time.time())
            rules = rules_for(answer)
            clock.note("robots.txt")
            if not rules.allows(task.url, config.user_agent):
                said = "cannot be had" if rules is rules.DISALLOW_ALL else "does not allow it"
                status = f" (status {answer.status})" if answer.status else ""
                return ended(f"skipped: robots: the robots.txt of {origin(task.url)} {said}{status}")
        result = await transport.fetch(requests.of(task, time.time()))
        clock.note("download")
        if isinstance(result, Failure):
            if result.kind == "private-address":
                return ended(_private(result))
            return ended(f"failed: {result.kind}: {result.detail}")
        requests.answered(result, time.time())
        if not is_redirect(result.status, result.headers):
            return ended("", downloaded(task, result, time.time(), 0.0))
        done = redirected(task, result, 0.0, scope)
        if not done.links:
            return ended(f"failed: redirects: status {result.status} to {result.header('location')}")
        target = done.links[0].url
        hops = (*task.redirected_from, task.url)
        task = msgspec.structs.replace(task, key=url_key(target), url=target, redirected_from=hops)


def try_page(config: CrawlConfig, download: Download) -> Tried:
    """Read a page as a parser process would: with the spider or the selectors of the settings, if there are any.

    Runs in this process, so `breakpoint()` works, and no deadline holds. Raises `ConfigError` for a spider that cannot
    be used, and what the spider raises.
    """
    clock = _Clock()
    state = ParserState(ParserSettings.of(config, pack_spider(config.spider)))
    if state.reader is None:
        clock.note("start")
        done = parse_page(download, state)
        clock.note("page")
        return Tried(done, clock.steps)
    clock.note("import" if config.spider else "start")
    page = state.reader.page(download)
    _ = page.extracted
    clock.note("page")
    done = state.reader.read_page(page)
    clock.note("spider" if config.spider else "fields")
    return Tried(done, clock.steps)
