"""The servers of a web, and what stands in their logs."""

import asyncio
import random
from collections import defaultdict
from typing import NamedTuple

from bench.simulation.web import Web, host_of
from bench.simulation.world import Process, World
from crawler.core.model import Failure
from crawler.fetcher.transport.base import FetchRequest, FetchResult

__all__ = ["Asked", "Servers", "Wire"]

_HTML = (("content-type", "text/html"),)
_TEXT = (("content-type", "text/plain"),)
BODY_BYTES = 20_000


class Asked(NamedTuple):
    """A request as its server saw it: when it came, for what, by which shard (number and epoch) and process."""

    at: float
    url: str
    shard: int
    epoch: int
    process: str


class Servers:
    """All servers. State: their logs by host; how often each URL was asked for; until when each host is not to be
    asked, by what it has answered; whom the network cuts off.
    """

    def __init__(self, world: World, web: Web, seed: int) -> None:
        self.world = world
        self.web = web
        self.rng = random.Random(f"servers {seed}")
        self.log: dict[str, list[Asked]] = defaultdict(list)
        self.told: dict[str, list[tuple[float, float, str]]] = defaultdict(list)
        self.asked: dict[str, int] = defaultdict(int)

    def note(self, url: str, shard: int, epoch: int, process: str) -> None:
        """Write a request into the log of its server."""
        self.log[host_of(url)].append(Asked(self.world.now, url, shard, epoch, process))
        self.world.tell(f"{process} asks for {url}")

    def answer(self, url: str, sitemap: bool, process: str) -> FetchResult | Failure:
        """What the server of a URL says to a request that comes now."""
        host = host_of(url)
        path = url.removeprefix(host)
        if path == "/robots.txt":
            body = self.web.robots(host).encode()
            return FetchResult(url, 200, _TEXT, body, len(body), address="192.0.2.1")
        self.asked[url] += 1
        if self.asked[url] <= self.web.flaky.get(url, 0):
            return self._fault(url, host, process)
        what, found = self.web.answer(url, "sitemap" if sitemap else "page")
        if what == "dead":
            return Failure("protocol", "", retryable=False)
        if what == "moved":
            headers = (("location", found[0][0]), *_HTML)
            return FetchResult(url, 301, headers, address="192.0.2.1")
        status = 404 if what == "missing" else 200
        return FetchResult(url, status, _HTML, b"", BODY_BYTES, address="192.0.2.1")

    def _fault(self, url: str, host: str, process: str) -> FetchResult | Failure:
        kind = self.rng.choice(("busy", "busy", "reset", "error"))
        if kind == "reset":
            return Failure("reset", "", retryable=True)
        if kind == "error":
            return FetchResult(url, 500, _HTML, address="192.0.2.1")
        wait_s = self.rng.choice((2, 5, 20))
        self.told[host].append((self.world.now, float(wait_s), process))
        return FetchResult(url, 503, (("retry-after", str(wait_s)),), address="192.0.2.1")


class Wire:
    """The transport of one process: requests take their time on the way to a server and back.

    State: whether the process is cut off from the web; then nothing that it asks for comes to an answer.
    """

    def __init__(self, servers: Servers, process: Process, shard: int, epoch: int) -> None:
        self._servers = servers
        self._process = process
        self._shard = shard
        self._epoch = epoch
        self.is_cut = False

    async def fetch(self, request: FetchRequest) -> FetchResult | Failure:
        """Ask a server."""
        servers, url = self._servers, request.url
        host = host_of(url)
        if self._process.is_alive and not self.is_cut:
            servers.note(url, self._shard, self._epoch, self._process.name)
        try:
            async with asyncio.timeout(request.timeout_s):
                down = servers.web.down.get(host, (0.0, 0.0))
                if self.is_cut or down[0] <= servers.world.now < down[1]:
                    await asyncio.sleep(0.05)
                    return Failure("connect", "refused", retryable=True)
                latency_s = servers.web.latency_s[host] * servers.rng.uniform(0.5, 1.5)
                is_sitemap = any(value.startswith("application/xml") for _, value in request.headers)
                result = servers.answer(url, is_sitemap, self._process.name)
                await asyncio.sleep(latency_s)
        except TimeoutError:
            return Failure("timeout", "", retryable=True)
        if isinstance(result, Failure):
            return result
        return FetchResult(
            result.url, result.status, result.headers, result.body, result.body_bytes,
            latency_s=latency_s, address=result.address,
        )  # fmt: skip

    async def address(self, _url: str) -> str | None:
        """Where a host is: each at an address of its own."""
        return None

    async def close(self) -> None:
        """Nothing is open."""
