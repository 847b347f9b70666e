"""One page, fetched and read as a crawl would do it, in this process: for people who write a spider."""

import asyncio
import logging
import mimetypes
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from crawler.core.config import CrawlConfig
from crawler.core.errors import ConfigError
from crawler.core.host_rows import HEAD
from crawler.core.model import Again, Done, Download, Failure, Result, SeedContext, Task
from crawler.fetcher.fetcher import Fetcher
from crawler.fetcher.transport.base import FetchRequest, FetchResult
from crawler.fetcher.transport.budget import ByteBudget
from crawler.fetcher.transport.chosen import transport_class
from crawler.page.page import Page
from crawler.parsers.reading.reader import PageReader
from crawler.parsers.reading.settings import ParserSettings
from crawler.parsers.reading.whole_body import with_whole_body
from crawler.parsers.spiders.spider import load_spider, pack_spider
from crawler.ring.costly_patterns import tell_costly
from crawler.web.content_coding import CodingError
from crawler.web.host_state import HostState
from crawler.web.urls import normalise, origin, url_key

if TYPE_CHECKING:
    from crawler.fetcher.transport.base import Transport

__all__ = ["Fetched", "Step", "Tried", "download_of_file", "fetch_page", "try_page"]

_log = logging.getLogger(__name__)


class Step(Struct, frozen=True):
    """One part of the work, and how long it took."""

    name: str
    seconds: float


class Fetched(Struct, frozen=True):
    """What a server answered: the page, or in one line why there is none; `hops` are the URLs that redirected.

    `outcome` is what a crawl would count the URL under, as in its summary (`failed: dns`); empty for a page.
    """

    download: Download | None
    why: str
    outcome: str
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
        self.add(name, now - self._since)
        self._since = now

    def add(self, name: str, seconds: float) -> None:
        """Say how long a part of this step took."""
        self._seconds[name] = self._seconds.get(name, 0.0) + seconds

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps in the order in which they began."""
        return tuple(Step(name, seconds) for name, seconds in self._seconds.items())


def download_of_file(path: Path, url: str) -> Download:
    """Return a file of this machine, HTML unless its name says otherwise, as if it had been fetched from `url`.

    Raises `ConfigError` if it cannot be read, `UrlError` if `url` is not an http(s) URL.
    """
    try:
        body = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    kind = mimetypes.guess_type(path.name)[0] or "text/html"
    return Page.from_html(body, url, headers={"Content-Type": kind}, fetched_at=time.time()).download


async def fetch_page(config: CrawlConfig, url: str) -> Fetched:
    """Fetch one page with the fetcher of a crawl: robots.txt, politeness, address guard, limits and redirects hold.

    Redirects lead anywhere. Nothing is tried again. Raises `UrlError` if `url` is not an http(s) URL.
    """
    url = normalise(url)
    clock = _Clock()
    budget = ByteBudget(config.bytes_in_flight)
    transport = transport_class(config)(config, budget)
    clock.note("start")
    try:
        return await _fetched(config, url, _Watched(transport, clock, config), budget)
    finally:
        await transport.close()


async def _fetched(config: CrawlConfig, url: str, watched: "_Watched", budget: ByteBudget) -> Fetched:
    ends: asyncio.Queue[Download | Result | BaseException] = asyncio.Queue()

    def report(results: Sequence[Result]) -> None:
        for result in results:
            ends.put_nowait(result)

    fetcher = Fetcher(
        msgspec.structs.replace(
            config,
            scope="any",
            include=(),
            exclude=(),
            depth=None,
            retries=0,
            give_up_after_s=0.0,
            fail_unreachable=True,
        ),
        watched,
        budget,
        submit=ends.put,
        report=report,
        remember=watched.remember,
        fail=ends.put_nowait,
    )
    task = Task(url_key(url), url, 0, None, (), 0, SeedContext(0, (url,), b"null"))
    try:
        while True:
            watched.task = task
            fetcher.feed([task], [])
            match await ends.get():
                case Download() as download:
                    try:
                        download = with_whole_body(download)
                    except CodingError as error:
                        why = f"failed: encoding: {error}"
                        return Fetched(None, why, "failed: encoding", task.redirected_from, watched.steps)
                    return Fetched(download, "", "", task.redirected_from, watched.steps)
                case Again(at=at):
                    wait_s = at - time.time()
                    _log.warning("%s wants no request for another %.0f s: waiting", origin(task.url), wait_s)
                    await asyncio.sleep(wait_s)
                case Done(links=(link,)):
                    hops = (*task.redirected_from, task.url)
                    task = msgspec.structs.replace(
                        task, key=url_key(link.url), url=link.url, redirected_from=hops, spent_s=link.spent_s
                    )
                case Done() as done:
                    done = watched.cause(done)
                    outcome = f"{done.outcome}: {done.reason}"
                    return Fetched(None, watched.why(done), outcome, task.redirected_from, watched.steps)
                case BaseException() as error:
                    raise error
    finally:
        await fetcher.abort()


class _Watched:
    """A transport that notes what it was asked for and how long that took.

    State: the task that the fetcher has now, set by who feeds it; the status that each origin's robots.txt had, 0 for
    none; the last answer; and the time of a look-up, which counts to the request after it.
    """

    def __init__(self, transport: "Transport", clock: _Clock, config: CrawlConfig) -> None:
        self._transport = transport
        self._clock = clock
        self._asks_robots = config.robots == "obey"
        self._robots: dict[str, int] = {}
        self._last: FetchResult | Failure | None = None
        self._look_up_s = 0.0
        self.task: Task | None = None

    @property
    def steps(self) -> tuple[Step, ...]:
        """How long things took."""
        return self._clock.steps

    async def fetch(self, request: FetchRequest) -> FetchResult | Failure:
        """Ask for a page, or for the robots.txt that the fetcher wants to know before."""
        step = "robots.txt" if self._asks_robots and self._origin not in self._robots else "download"
        began = time.perf_counter()
        self._last = await self._transport.fetch(request)
        self._clock.add(step, time.perf_counter() - began + self._look_up_s)
        self._look_up_s = 0.0
        return self._last

    async def address(self, url: str) -> str | None:
        """Look the host up."""
        began = time.perf_counter()
        address = await self._transport.address(url)
        self._look_up_s += time.perf_counter() - began
        return address

    async def close(self) -> None:
        """Close the transport."""
        await self._transport.close()

    def remember(self, _host: str, part: bytes, state: bytes) -> None:
        """Take what the fetcher has learned of a host: the robots.txt of its origins."""
        if part != HEAD:
            return
        answers = msgspec.msgpack.decode(state, type=HostState).robots
        self._robots.update({origin: answer.status for origin, answer in answers.items()})

    @property
    def _origin(self) -> str:
        return "" if self.task is None else origin(self.task.url)

    def cause(self, done: Done) -> Done:
        """Return an end because the host does not answer by what its last request came to."""
        if done.reason != "host-down" or self._last is None:
            return done
        if isinstance(self._last, Failure):
            return msgspec.structs.replace(done, reason=self._last.kind, detail=self._last.detail)
        self._robots[self._origin] = self._last.status  # no page's status is a reason to give its host up
        return msgspec.structs.replace(done, outcome="skipped", reason="robots-unreachable")

    def why(self, done: Done) -> str:
        """Return in one line why there is no page."""
        status = self._robots.get(self._origin)
        last = self._last
        if done.reason == "private-address":
            return f"skipped: private-address: {done.detail} (--allow-private fetches from such addresses)"
        if done.outcome == "failed" and isinstance(last, Failure):
            return f"failed: {last.kind}: {last.detail}"
        if done.reason in {"robots", "robots-unreachable"}:
            said = "does not allow it" if done.reason == "robots" else "cannot be had"
            told = f" (status {status})" if status else ""
            return f"skipped: robots: the robots.txt of {self._origin} {said}{told}"
        if done.reason == "redirects" and isinstance(last, FetchResult):
            return f"failed: redirects: status {done.status} to {last.header('location')}"
        return f"{done.outcome}: {done.reason}: {done.detail}"


def try_page(config: CrawlConfig, download: Download) -> Tried:
    """Read a page as a parser process would: with the spider or the selectors of the settings, if there are any.

    Runs in this process, so `breakpoint()` works, and no deadline holds. Raises `ConfigError` for a spider that cannot
    be used, and what the spider raises.
    """
    clock = _Clock()
    tell_costly(config, None if config.spider is None else load_spider(config.spider), alone=True)
    reader = PageReader(ParserSettings.of(config, pack_spider(config.spider)))
    clock.note("import" if config.spider else "start")
    page = reader.page(download)
    _ = page.extracted
    clock.note("page")
    done = reader.read_page(page)
    clock.note("spider" if config.spider else "fields" if config.select else "page")
    return Tried(done, clock.steps)
