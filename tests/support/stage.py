"""A fetcher with a fake network before it and nothing behind it."""

import asyncio
import inspect
import math
import time
from contextlib import asynccontextmanager

import msgspec

from crawler.core.config import CrawlConfig
from crawler.core.model import Again, Failure, SeedContext, Task
from crawler.fetcher.fetcher import Fetcher
from crawler.fetcher.transport.budget import ByteBudget
from crawler.fetcher.transport.fake import FakeTransport, answer
from crawler.fetcher.transport.leased import LeasedTransport
from crawler.web.urls import host_key, task_key

__all__ = ["Stage", "stage", "task"]

SEED = SeedContext(1, ("http://a.test/",), b"null")


def task(url: str, **changes) -> Task:
    first = Task(task_key(url, changes.get("kind", "page")), url, 0, None, (), 0, SEED)
    return msgspec.structs.replace(first, **changes)


class Stage:
    """A fetcher with nothing behind it: `asked` are the requests, `pages` and `ends` what came of them."""

    def __init__(self, respond, tmp_path, *, by_url=False, load=None, may_ask=None, begun=None, **settings) -> None:
        self.by_url = by_url
        self.asked = []
        self.pages = []
        self.ends = []
        self.woken = []
        self.rows = {}
        self.parsers_take_pages = asyncio.Event()
        self.parsers_take_pages.set()
        self.respond = respond
        config = CrawlConfig(job=tmp_path, **{"delay_s": 0.0, "retries": 0, **settings})
        self.budget = ByteBudget(config.bytes_in_flight)
        self.transport = FakeTransport(self._answer)
        self.fetcher = Fetcher(
            config,
            self.transport if may_ask is None else LeasedTransport(self.transport, may_ask),
            self.budget,
            submit=self._submit,
            report=self.ends.extend,
            remember=self._remember,
            recall=self._recall,
            wake=self._wake,
            fail=self._fail,
            load=load,
            begun=begun,
            **({} if may_ask is None else {"may_ask": may_ask}),
        )

    def _remember(self, host, part, row):
        self.rows[host, part] = row

    async def _recall(self, host, parts):
        return [self.rows.get((host, part)) for part in parts]

    async def _answer(self, request):
        self.asked.append(request)
        path = request.url if self.by_url else request.url.partition("//")[2].partition("/")[2]
        found = self.respond(path)
        if inspect.isawaitable(found):
            found = await found
        if isinstance(found, Failure):
            return found
        body, status, headers = (found, 200, ()) if isinstance(found, str | bytes) else found
        return answer(request, body, status=status, headers=headers)

    async def _submit(self, page):
        self.pages.append(page)
        await self.parsers_take_pages.wait()

    def _fail(self, error):
        raise AssertionError("a server can never cause this") from error

    async def ended(self, *tasks: Task) -> None:
        """Fetch these, and wait until each has come to something."""
        before = len(self.pages) + len(self.ends)
        self.fetcher.feed(list(tasks), [])
        async with asyncio.timeout(60):
            while len(self.pages) + len(self.ends) < before + len(tasks):
                await asyncio.sleep(0.001)

    def _wake(self, hosts):
        self.woken += hosts

    async def crawled(self, *tasks: Task) -> dict[str, str]:
        """Fetch these as a frontier would have it, again and again, until each has ended or is due in no time.

        Return how each one ended by its path: `due` for one that stays, with the number of attempts used up behind it.
        """
        due, ended, later = list(tasks), {}, []
        known = {one.key: one for one in tasks}
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(60):
            while True:
                woken = {host_key(f"http://{host}/") for host in self.woken}
                self.woken.clear()
                now = loop.time()
                due += [one for at, one in later if at <= now or host_key(one.url) in woken]
                later = [(at, one) for at, one in later if at > now and host_key(one.url) not in woken]
                if due:
                    self.fetcher.feed(due, [])
                    due = []
                pages, self.pages = self.pages, []
                ends, self.ends[:] = list(self.ends), []
                ended |= {page.task.url: f"fetched {page.task.attempts}" for page in pages}
                for end in ends:
                    one = known[end.key]
                    if isinstance(end, Again):
                        used = end.reason is not None
                        known[end.key] = one = msgspec.structs.replace(one, attempts=one.attempts + used)
                        later.append((now + end.at - time.time(), one))
                    else:
                        ended[one.url] = f"{end.outcome}: {end.reason}".removesuffix(": ")
                left = [one for at, one in later if at < math.inf]
                if len(ended) + len(later) - len(left) == len(tasks):
                    return ended | {one.url: f"due {one.attempts}" for _, one in later}
                await asyncio.sleep(0.002)

    def outcomes(self) -> list[str]:
        """How the tasks ended, or why they are due again."""
        return [
            f"again: {end.reason}" if isinstance(end, Again) else f"{end.outcome}: {end.reason}".removesuffix(": ")
            for end in self.ends
        ]


@asynccontextmanager
async def stage(respond, tmp_path, **settings):
    made = Stage(respond, tmp_path, **settings)
    yield made
    await made.fetcher.abort()
