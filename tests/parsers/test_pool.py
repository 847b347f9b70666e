"""The pool of parser processes: whatever happens to them, every page comes back once, and close leaves nothing."""

import asyncio
import os
import random
import resource
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from crawler.core.config import LEAST_PARSER_MEMORY_BYTES, CrawlConfig
from crawler.core.errors import CrawlerError
from crawler.core.model import Done, Download
from crawler.parsers.batch import LIMITS, BatchLimits
from crawler.parsers.pool import ParserPool
from crawler.parsers.process import BATCHES_PER_PARSER
from crawler.parsers.reading.reader import parse_page
from crawler.parsers.reading.whole_body import LARGE_PAGE_BYTES
from crawler.parsers.signs import WORN
from crawler.parsers.worker import NICENESS
from crawler.web.urls import url_key
from tests.support.downloads import download_of
from tests.support.patience import PATIENCE_S
from tests.support.thorough import first_quickly

BATCH_BYTES, BATCH_PAGES = LIMITS.bytes, LIMITS.pages

# What the parsers do here: the first word of a page's body is an order. It stands in a file of its own, because parser
# processes import it.
HOOKS = """
    import ctypes, gc, multiprocessing.connection, os, resource, signal, sys, time

    from crawler.core.model import Done

    kept = []

    def deeper(depth):
        return deeper(depth + 1) + 1

    def obey(download, state):
        task, answer = download.task, download.answer
        word, _, rest = bytes(answer.body[:40]).partition(b" ")
        if word == b"sleep":
            time.sleep(float(rest.split()[0]))
        elif word == b"spin":
            pow(7, 1 << 28)  # one C call of minutes that holds the GIL
        elif word == b"abort":
            os.abort()
        elif word == b"segfault":
            ctypes.string_at(0)
        elif word == b"exit":
            os._exit(int(rest))
        elif word == b"sys.exit":
            sys.exit()
        elif word == b"interrupt":
            raise KeyboardInterrupt
        elif word == b"recurse":
            deeper(0)
        elif word == b"nothing":
            return None
        elif word == b"another":
            return Done(b"?" * 16, "fetched")
        elif word == b"bytes":
            kept.append([bytes(1 << 20) for _ in iter(int, 1)])
        elif word == b"lists":
            while True:
                kept.append([[] for _ in range(1000)])
        elif word == b"close":
            os.closerange(3, 1000)
        elif word == b"answer":
            for one in gc.get_objects():
                if isinstance(one, multiprocessing.connection.Connection) and one.writable:
                    one.send_bytes(rest)
        elif word == b"print":
            print("garbage", flush=True)
            os.write(1, b"garbage\\n")
        elif word == b"core":
            return Done(task.key, "fetched", "", *resource.getrlimit(resource.RLIMIT_CORE)[:1])
        elif word == b"keep":
            kept.append(b"x" * int(rest.split()[0]))
            return Done(task.key, "fetched", "", os.getpid())
        elif word == b"kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif word == b"raise":
            raise ValueError("what the page says")
        elif word == b"detach":
            ctypes.CDLL(None).prctl(1, 0)  # undo PR_SET_PDEATHSIG
        elif word == b"big":
            return Done(task.key, "fetched", "", answer.status, b"x" * 3_000_000, (), answer.body_bytes)
        return Done(task.key, "fetched", "", answer.status, task.url.encode(), (), answer.body_bytes)
"""


def page_of(number: int, body: bytes = b"", **facts) -> Download:
    return download_of(body, url=f"http://h.example/{number}", fetched_at=1e9, **facts)


@pytest.fixture(scope="module")
def hooks(tmp_path_factory) -> Iterator[Callable]:
    """The function `obey` of `HOOKS`, importable here and in the parsers."""
    folder = tmp_path_factory.mktemp("hooks")
    (folder / "parse_hooks.py").write_text(textwrap.dedent(HOOKS), encoding="utf-8")
    sys.path.insert(0, str(folder))
    try:
        from parse_hooks import obey  # type: ignore[import-not-found]

        yield obey
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop("parse_hooks", None)


class Run:
    """A started pool and what came out of it."""

    def __init__(
        self, parse: Callable, *, parsers: int = 2, timeout_s: float = 10.0, memory_bytes: int | None = 1 << 30
    ) -> None:
        self.done: list[Done] = []
        self.failures: list[CrawlerError] = []
        config = CrawlConfig(
            job=Path("unused"), parsers=parsers, parser_timeout_s=timeout_s, parser_memory_bytes=memory_bytes
        )
        self.pool = ParserPool(config, self.done.extend, on_failure=self.failures.append, parse=parse)

    def __enter__(self):
        self.pool.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.pool.close()

    async def submit(self, pages: list[Download]) -> None:
        """Submit from 20 tasks at once, like downloads that end in any order."""

        async def some(start: int) -> None:
            for page in pages[start::20]:
                await self.pool.submit(page)

        await asyncio.gather(*(some(start) for start in range(20)))

    async def have_all_parsers(self) -> None:
        """Submit pages until each parser has read some: the second starts only when it has something to do."""
        while not all(self.pool.busy_s):
            await self.submit([page_of(-number, b"sleep 0.1") for number in range(1, 5)])
            await self.pool.drain()
        self.done.clear()

    def assert_each_once(self, pages: list[Download]) -> None:
        assert Counter(done.key for done in self.done) == Counter(page.task.key for page in pages)
        assert self.pool.pending == 0

    def outcomes(self) -> Counter:
        return Counter(f"{done.outcome} {done.reason}".strip() for done in self.done)


def parsers_of(pid: int | None = None) -> list[psutil.Process]:
    """Parser processes below a process: multiprocessing's own helper is none."""
    found = []
    for process in psutil.Process(pid).children(recursive=True):
        try:
            if "spawn_main" in " ".join(process.cmdline()):
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


async def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        await asyncio.sleep(0.005)


async def test_every_page_comes_back_exactly_once_with_its_own_result(hooks):
    pages = [page_of(number, b"x" * (number * 997 % 50_000)) for number in range(500)]
    with Run(hooks) as run:
        await run.submit(pages)
        await run.pool.drain()
        run.assert_each_once(pages)
        assert {done.key: done.records for done in run.done} == {
            page.task.key: page.task.url.encode() for page in pages
        }
        assert run.pool.replaced == 0


async def test_the_default_work_is_to_make_records(hooks):
    done: list[Done] = []
    pool = ParserPool(CrawlConfig(job=Path("unused"), parsers=1, fields=("title",)), done.extend)
    pool.start()
    try:
        await pool.submit(page_of(1, b"<title>T</title><a href=x>"))
        await pool.drain()
    finally:
        pool.close()
    assert [(one.records, [link.url for link in one.links]) for one in done] == [
        (b'{"title":"T"}\n', ["http://h.example/x"])
    ]


async def test_a_page_goes_at_once_to_an_idle_pool_and_past_a_busy_parser(hooks):
    """The busy one would need an hour."""
    with Run(hooks, timeout_s=3600) as run:
        await run.pool.submit(page_of(0))
        await run.pool.drain()
        await run.pool.submit(page_of(1, b"sleep 3600"))
        await run.pool.submit(page_of(2))
        await wait_for(lambda: len(run.done) == 2)
        assert run.done[1].key == url_key("http://h.example/2")


async def test_submit_waits_when_the_parsers_have_as_much_as_they_may_have(hooks):
    """And the event loop goes on meanwhile: it turns more often than there are pages to wait for."""
    body = b"sleep 0.1 " + b"x" * BATCH_BYTES
    pages = [page_of(number, body) for number in range(16)]
    with Run(hooks) as run:
        await run.have_all_parsers()
        feeding = asyncio.create_task(run.submit(pages))
        most = 0
        seemed_full = False
        turns = 0
        while not feeding.done():
            await asyncio.sleep(0.001)
            turns += 1
            most = max(most, run.pool.pending)
            seemed_full |= run.pool.capacity == run.pool.pending
        # A batch each: what two parsers may have, and the open one.
        assert most == 2 * BATCHES_PER_PARSER + 1
        assert seemed_full
        assert turns > 2 * len(pages)
        await run.pool.drain()
        run.assert_each_once(pages)
        assert run.pool.capacity == 2 * BATCHES_PER_PARSER * BATCH_PAGES
        assert sum(run.pool.busy_s) >= 1.6


async def test_pages_that_take_long_travel_in_small_batches(hooks):
    """Else one parser has nothing to do at the end, while a whole batch lies in the inbox of another."""
    sizes: list[int] = []
    pool = ParserPool(CrawlConfig(job=Path("unused"), parsers=1), lambda done: sizes.append(len(done)), parse=hooks)
    pool.start()
    try:
        for number in range(50):
            await pool.submit(page_of(number, b"sleep 0.04"))
        await pool.drain()
        assert sizes[-5:] == [1] * 5
        for number in range(400):
            await pool.submit(page_of(number, b"x"))
        await pool.drain()
        assert max(sizes[-10:]) > BATCH_PAGES // 2
    finally:
        pool.close()


async def test_batches_are_as_large_as_they_are_asked_to_be(hooks):
    """With limits of one's own: full batches, whether parsers have anything to do or not, and at the end the rest."""
    sizes: list[int] = []
    limits = BatchLimits(bytes=1 << 30, pages=7, parse_s=60.0, wait_s=60.0, eager=False)
    config = CrawlConfig(job=Path("unused"), parsers=2)
    pool = ParserPool(config, lambda done: sizes.append(len(done)), parse=hooks, limits=limits)
    pool.start()
    try:
        for number in range(30):
            await pool.submit(page_of(number, b"sleep 0.02"))
        await pool.drain()
        assert sorted(sizes) == [2, 7, 7, 7, 7]
    finally:
        pool.close()


def quick_page(number: int) -> Download:
    return download_of(b"x", url=f"http://q{number % 5}.quick.example/{number}")


async def quick_hosts(run: Run) -> None:
    """Have it known that these hosts are quick."""
    for number in range(5):
        await run.pool.submit(quick_page(number))
        await run.pool.drain()


async def test_pages_of_quick_hosts_stand_behind_no_slow_ones(hooks):
    """One parser is kept for them, and each slow host has its turn; it is held meanwhile, and they are not."""
    slow = [download_of(b"sleep 3600", url=f"http://h{number % 4}.slow.example/{number}") for number in range(8)]
    quick = [quick_page(number) for number in range(100, 160)]
    with Run(hooks, timeout_s=7200) as run:
        await quick_hosts(run)
        waiting = [asyncio.create_task(run.pool.submit(page)) for page in slow]
        await wait_for(lambda: run.pool.pending)
        await run.submit(quick)
        await wait_for(lambda: {page.task.key for page in quick} <= {done.key for done in run.done})
        assert not run.pool.holds("q1.quick.example")
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_with_one_parser_quick_pages_wait_for_one_slow_page_and_not_for_all(hooks):
    slow = [download_of(b"sleep 1", url=f"http://slow.example/{number}") for number in range(12)]
    quick = [quick_page(number) for number in range(100, 120)]
    with Run(hooks, parsers=1) as run:
        await quick_hosts(run)
        waiting = [asyncio.create_task(run.pool.submit(page)) for page in slow]
        await wait_for(lambda: run.pool.pending)
        assert run.pool.holds("slow.example")
        await run.submit(quick)
        await wait_for(lambda: {page.task.key for page in quick} <= {done.key for done in run.done})
        assert sum(done.key in {page.task.key for page in slow} for done in run.done) <= 4
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_host_whose_pages_kill_parsers_is_to_wait_ever_longer_and_others_lose_nothing(hooks):
    killers = [download_of(b"abort", url=f"http://killer.example/{number}") for number in range(3)]
    quick = [quick_page(number) for number in range(100, 200)]
    waits: list[dict[str, float]] = []
    with Run(hooks) as run:
        run.pool.tell(waits.append)
        await quick_hosts(run)
        for killer in killers:
            await run.pool.submit(killer)
            await run.submit(quick[: len(quick) // 3])
            await run.pool.drain()
            run.done.clear()
        await wait_for(lambda: sum("killer.example" in some for some in waits) == len(killers))
    told = [some["killer.example"] for some in waits if "killer.example" in some]
    assert [later >= 2 * sooner for sooner, later in zip((0.5, 1.0, 2.0), told, strict=True)] == [True] * 3
    assert not any(host.endswith("quick.example") for some in waits for host in some)


async def done_in_order(run: Run, pages: list[Download]) -> list[str]:
    """Submit pages, all at once and in this order; return the hosts in the order in which theirs ended."""
    hosts = {page.task.key: page.task.url.split("/")[2] for page in pages}
    run.done.clear()
    await asyncio.gather(*(run.pool.submit(page) for page in pages))
    await run.pool.drain()
    return [hosts[done.key] for done in run.done if done.key in hosts]


async def test_neighbours_of_a_slow_host_come_behind_new_hosts_even_if_they_waited_before_them(hooks):
    slow = [download_of(b"sleep 0.3", url=f"http://h{number}.slow.example/") for number in range(6)]
    with Run(hooks, parsers=1) as run:
        ended = await done_in_order(run, [*slow, *(download_of(b"x", url=f"http://new.n{n}/") for n in range(4))])
    assert ended[0] == "h0.slow.example"
    assert ended[1:5] == [f"new.n{number}" for number in range(4)]


async def test_neighbours_of_a_slow_host_come_behind_the_others_of_their_batch(hooks):
    slow = [download_of(b"sleep 0.3", url=f"http://h{number}.slow.example/") for number in range(4)]
    new = [download_of(b"x", url=f"http://new.n{number}/") for number in range(4)]
    with Run(hooks, parsers=1) as run:
        await done_in_order(run, [download_of(b"x", url="http://first.example/")])  # new hosts are thought to be quick
        ended = await done_in_order(run, [download_of(b"sleep 0.15", url="http://first.example/1"), *slow, *new])
    assert ended[:2] == ["first.example", "h0.slow.example"]
    assert sorted(ended[2:6]) == [f"new.n{number}" for number in range(4)]


async def test_who_shares_a_batch_with_a_page_that_ends_its_parser_is_not_suspected(hooks):
    """Else one bad host makes all others wait until they have proved themselves anew, again and again."""
    quick = [quick_page(number) for number in range(1, 15)]
    with Run(hooks, parsers=1) as run:
        await quick_hosts(run)
        await run.pool.submit(download_of(b"", url="http://killer.example/"))
        await run.pool.drain()
        await run.pool.submit(download_of(b"sleep 0.1", url="http://q0.quick.example/"))
        for page in (*quick[:7], download_of(b"abort", url="http://killer.example/1"), *quick[7:]):
            await run.pool.submit(page)
        await wait_for(lambda: run.pool.replaced)
        assert all(run.pool.is_quick(f"q{number}.quick.example", 0) for number in range(1, 5))
        assert not run.pool.is_quick("killer.example", 0)
        await run.pool.drain()
        assert run.outcomes()["failed parser-died"] == 1
        assert run.pool.replaced == 2


async def test_large_pages_that_wait_for_their_turn_are_part_of_what_a_host_may_have(hooks):
    """Else one host fills the memory for bodies with them."""
    pool = ParserPool(CrawlConfig(job=Path("unused"), parsers=1), lambda _: None, parse=hooks)
    body = b"x" * LARGE_PAGE_BYTES
    waiting = [asyncio.create_task(pool.submit(page_of(number, body))) for number in range(7)]
    await asyncio.sleep(0)
    assert not pool.holds("h.example")
    waiting += [asyncio.create_task(pool.submit(page_of(number, body))) for number in range(7, 9)]
    await asyncio.sleep(0)
    assert pool.holds("h.example")
    assert not pool.holds("other.example")
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert not pool.holds("h.example")
    pool.close()


async def test_parsers_step_back_behind_the_event_loop(hooks):
    with Run(hooks):
        wanted = [min(19, psutil.Process().nice() + NICENESS)]
        await wait_for(lambda: [process.nice() for process in parsers_of()] == wanted)


async def test_a_further_parser_starts_when_more_pages_are_under_way_than_there_are_parsers(hooks):
    with Run(hooks, parsers=3) as run:
        for number in range(3):
            await run.pool.submit(page_of(number))
            await run.pool.drain()
        assert len(parsers_of()) == 1
        for parsers in (2, 3):
            await run.submit([page_of(10 * parsers + number, b"sleep 60") for number in range(2)])
            await wait_for(lambda parsers=parsers: len(parsers_of()) == parsers)


async def test_a_submit_that_is_cancelled_has_not_taken_its_page(hooks):
    body = b"sleep 0.1 " + b"x" * BATCH_BYTES
    with Run(hooks, parsers=1) as run:
        waiting = [asyncio.create_task(run.pool.submit(page_of(number, body))) for number in range(7)]
        await wait_for(lambda: any(task.done() for task in waiting))
        late = [number for number, task in enumerate(waiting) if not task.done()]
        waiting[late[0]].cancel()
        await asyncio.wait(waiting)
        await run.pool.drain()
        run.assert_each_once([page_of(number) for number in range(7) if number != late[0]])


@pytest.mark.parametrize(
    "word",
    first_quickly(
        [
            b"abort",
            b"segfault",
            b"kill",
            b"exit 0",
            pytest.param(b"exit %d" % WORN, id="exit as if swollen"),
            b"bytes",
            pytest.param(b"lists", marks=pytest.mark.thorough),  # a second way to run out of memory
            b"close",
            pytest.param(b"answer \xc1", id="answer what is no msgpack"),
            pytest.param(b"answer \x90", id="answer for no page"),
        ],
        5,
    ),
)
async def test_a_page_that_kills_its_parser_fails_alone(hooks, word):
    pages = [page_of(number, word if number in {20, 33} else b"") for number in range(60)]
    with Run(hooks, timeout_s=PATIENCE_S, memory_bytes=LEAST_PARSER_MEMORY_BYTES) as run:
        await run.submit(pages)
        await run.pool.drain()
        run.assert_each_once(pages)
        assert run.outcomes() == {"fetched": 58, "failed parser-died": 2}
        failed = [done for done in run.done if done.outcome == "failed"]
        assert {done.key for done in failed} == {pages[20].task.key, pages[33].task.key}
        assert {(done.status, done.records, done.links) for done in failed} == {(200, None, ())}
        # Once with its batch, once alone; both may have shared a batch.
        assert run.pool.replaced in {3, 4}


@pytest.mark.parametrize("word", [b"sleep 60", b"spin"])
async def test_a_page_that_takes_too_long_fails_alone(hooks, word):
    pages = [page_of(number, word if number == 5 else b"") for number in range(40)]
    with Run(hooks, timeout_s=0.4) as run:
        await run.submit(pages)
        await run.pool.drain()
        run.assert_each_once(pages)
        assert run.outcomes() == {"fetched": 39, "failed parser-timeout": 1}
        assert run.pool.replaced == 2


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        (b"raise", "ValueError"),
        (b"sys.exit", "SystemExit"),
        (b"interrupt", "KeyboardInterrupt"),
        (b"recurse", "RecursionError"),
        (b"nothing", "TypeError"),
        (b"another", "TypeError"),
    ],
)
async def test_an_exception_is_the_outcome_of_its_page_and_tells_its_kind_only(hooks, word, kind):
    pages = [page_of(1, word), page_of(2)]
    with Run(hooks, parsers=1) as run:
        await run.submit(pages)
        await run.pool.drain()
        run.assert_each_once(pages)
        assert run.outcomes() == {f"failed parser-error: {kind}": 1, "fetched": 1}
        assert run.pool.replaced == 0


@pytest.mark.thorough
@pytest.mark.skipif(sys.platform != "linux", reason="the limit and the size of a process are Linux's")
async def test_a_parser_that_swells_page_by_page_is_replaced_before_it_runs_out_of_memory(hooks):
    pages = [page_of(number, b"keep 8000000") for number in range(60)]
    with Run(hooks, parsers=1, memory_bytes=256 << 20) as run:
        for page in pages:
            await run.pool.submit(page)
            await run.pool.drain()
        run.assert_each_once(pages)
        assert run.outcomes() == {"fetched": 60}
        # What status holds here is the process. Each kept some 110 MB, not what the limit allows.
        assert 3 <= len({done.status for done in run.done}) <= 10
        assert run.pool.replaced == 0


@pytest.mark.thorough
@pytest.mark.skipif(sys.platform != "linux", reason="the limit and the size of a process are Linux's")
async def test_pages_that_lie_behind_a_parser_that_swells_are_not_blamed_for_it(hooks):
    # Each is a batch, and as much as a parser may keep: it goes, and the one that waits behind it moves on.
    pages = [page_of(number, b"keep 130000000 " + b"x" * BATCH_BYTES) for number in range(20)]
    with Run(hooks, memory_bytes=256 << 20) as run:
        await run.submit(pages)
        await run.pool.drain()
        run.assert_each_once(pages)
        assert run.outcomes() == {"fetched": 20}
        assert run.pool.replaced == 0


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
async def test_a_page_that_is_too_much_for_the_html_parser_fails_alone():
    pages = [page_of(number, b"x<p>" * 2_000_000 if number == 1 else b"<p>x") for number in range(3)]
    with Run(parse_page, parsers=1, memory_bytes=LEAST_PARSER_MEMORY_BYTES) as run:
        await run.submit(pages)
        await run.pool.drain()
        run.assert_each_once(pages)
        assert run.outcomes() == {"fetched": 2, "failed parser-died": 1}


async def test_without_a_memory_limit_a_parser_may_have_what_it_wants(hooks):
    pages = [page_of(number, b"keep 100000000") for number in range(3)]
    with Run(hooks, parsers=1, memory_bytes=None) as run:
        await run.submit(pages)
        await run.pool.drain()
        assert run.outcomes() == {"fetched": 3}
        assert len({done.status for done in run.done}) == 1


async def test_parsers_that_die_leave_no_core_dumps(hooks):
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    # Here they are allowed, if the system lets us, which the parsers inherit.
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    try:
        with Run(hooks, parsers=1) as run:
            await run.pool.submit(page_of(1, b"core"))
            await run.pool.drain()
            assert [done.status for done in run.done] == [0]
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


@pytest.mark.skipif(sys.platform != "linux", reason="the size of a process is Linux's")
async def test_parsers_too_large_for_their_limit_break_the_pool_with_one_clear_error(tmp_path, monkeypatch):
    (tmp_path / "large_at_import.py").write_text(
        "import sys\nif '--multiprocessing-fork' in sys.orig_argv:\n    ballast = b'x' * 150_000_000\n"
        "def parse(download, state): ...\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    from large_at_import import parse  # type: ignore[import-not-found]

    with Run(parse, memory_bytes=LEAST_PARSER_MEMORY_BYTES) as run:
        await run.pool.submit(page_of(1))
        with pytest.raises(CrawlerError, match="--parser-memory"):
            await run.pool.drain()


@pytest.mark.parametrize("after", [0, 1, 40, 120])
async def test_a_parser_killed_from_outside_loses_nothing(hooks, after):
    pages = [page_of(number, b"sleep 0.004 " + b"x" * 9000) for number in range(200)]
    with Run(hooks) as run:
        feeding = asyncio.create_task(run.submit(pages))
        await wait_for(lambda: len(run.done) >= after and parsers_of())
        parsers_of()[0].kill()
        await feeding
        await run.pool.drain()
        run.assert_each_once(pages)
        assert run.outcomes() == {"fetched": 200}
        assert run.pool.replaced == 1


async def test_a_parser_killed_while_it_waits_with_its_inbox_locked_is_replaced(hooks):
    with Run(hooks, parsers=1) as run:
        for number in range(3):
            await run.pool.submit(page_of(number))
            await run.pool.drain()
            parsers_of()[0].kill()
        await wait_for(lambda: run.pool.replaced == 3)
        assert run.outcomes() == {"fetched": 3}


async def test_a_parser_killed_in_the_middle_of_its_answer_loses_nothing(hooks):
    pages = [page_of(number, b"big") for number in range(12)]
    blocked = threading.Event()
    received: list[Done] = []

    def slow(done: list[Done]) -> None:
        received.extend(done)
        # Meanwhile the next answer fills the pipe, and its parser hangs in the middle of it.
        blocked.wait(0.3)

    pool = ParserPool(CrawlConfig(job=Path("unused"), parsers=1), slow, parse=hooks)
    pool.start()
    try:
        for page in pages:
            await pool.submit(page)
            await asyncio.sleep(0.03)
        await wait_for(lambda: len(received) > 0)
        await asyncio.sleep(0.1)
        parsers_of()[0].kill()
        blocked.set()
        await pool.drain()
        assert Counter(done.key for done in received) == Counter(page.task.key for page in pages)
        assert {done.outcome for done in received} == {"fetched"}
    finally:
        pool.close()


@pytest.mark.thorough
async def test_parsers_killed_all_the_time_lose_nothing(hooks):
    chance = random.Random(7)
    orders = {50: b"kill", 150: b"sleep 60", 151: b"abort"}
    pages = [
        page_of(number, orders.get(number, b"sleep 0.002 " + b"x" * chance.choice([10, 1000, 30_000])))
        for number in range(300)
    ]
    with Run(hooks, timeout_s=0.4) as run:
        feeding = asyncio.create_task(run.submit(pages))
        while not feeding.done():
            before = len(run.done)
            await asyncio.sleep(0.2 + 0.3 * chance.random())
            # A start takes about 0.15 s; parsers that never get beyond it break the pool, as another test says.
            await wait_for(lambda known=before: len(run.done) > known or feeding.done())
            for process in chance.sample(parsers := parsers_of(), min(1, len(parsers))):
                process.kill()
        await feeding
        await run.pool.drain()
        run.assert_each_once(pages)
        assert run.outcomes()["fetched"] >= 290


async def test_parsers_leave_sigint_and_sigterm_to_their_parent(hooks):
    with Run(hooks) as run:
        await wait_for(parsers_of)
        # At once, while they start, and again when they work.
        for _ in range(2):
            for process in parsers_of():
                process.send_signal(signal.SIGINT)
                process.send_signal(signal.SIGTERM)
            await run.pool.submit(page_of(1))
            await run.pool.drain()
        assert run.pool.replaced == 0
        assert len(run.done) == 2


async def test_parsers_that_cannot_start_break_the_pool_with_one_clear_error(tmp_path, monkeypatch):
    (tmp_path / "dies_at_import.py").write_text(
        "import os, sys\nif '--multiprocessing-fork' in sys.orig_argv:\n    os._exit(7)\ndef parse(page, state): ...\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    from dies_at_import import parse  # type: ignore[import-not-found]

    with Run(parse) as run:
        await run.pool.submit(page_of(1))
        with pytest.raises(CrawlerError, match="exit code 7"):
            await run.pool.drain()
        with pytest.raises(CrawlerError, match="exit code 7"):
            await run.pool.submit(page_of(2))
        await wait_for(lambda: len(run.failures) == 1)
    assert parsers_of() == []


async def test_an_error_of_the_receiver_reaches_everybody_who_waits(hooks):
    def refuse(done: list[Done]) -> None:
        raise OSError("disk full")

    pool = ParserPool(CrawlConfig(job=Path("unused"), parsers=1), refuse, parse=hooks)
    pool.start()
    try:
        body = b"sleep 0.1 " + b"x" * BATCH_BYTES
        tasks = [asyncio.create_task(pool.submit(page_of(number, body))) for number in range(8)]
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(result) for result in results if result is not None] == [
            CrawlerError
        ] * 6  # but for one at the parser, and one behind
        with pytest.raises(CrawlerError, match="disk full") as caught:
            await pool.drain()
        assert isinstance(caught.value.__cause__, OSError)
    finally:
        pool.close()


async def test_header_values_that_are_no_text_do_not_stop_the_crawl(hooks):
    with Run(hooks, parsers=1) as run:
        await run.pool.submit(page_of(1, headers=(("x", "\udcff"), ("content-type", "text/html"))))
        await run.pool.drain()
        assert run.outcomes() == {"fetched": 1}


async def test_two_pools_share_nothing(hooks):
    with Run(hooks, parsers=1) as one, Run(hooks, parsers=1, timeout_s=1.0) as other:
        await asyncio.gather(
            one.submit([page_of(1, b"sleep 1.5")]), other.submit([page_of(2, b"sleep 60"), page_of(3)])
        )
        await asyncio.gather(one.pool.drain(), other.pool.drain())
        assert one.outcomes() == {"fetched": 1}
        assert other.outcomes() == {"fetched": 1, "failed parser-timeout": 1}
        assert (one.pool.replaced, other.pool.replaced) == (0, 2)
        assert other.pool.busy_s[0] < one.pool.busy_s[0] / 2


@pytest.mark.parametrize("busy", ["idle", "starting", "hanging", "full", "replaced"])
async def test_close_leaves_no_process_no_thread_and_no_open_file(hooks, busy):
    """Nor does it wait for the parsers, which may have an hour's work."""
    me = psutil.Process()
    if busy == "idle":
        # multiprocessing keeps a helper process and a page of shared memory from the first use on.
        with Run(hooks):
            await wait_for(parsers_of)
    threads, files = set(threading.enumerate()), me.num_fds()
    with Run(hooks, timeout_s=3600) as run:
        if busy == "starting":
            await wait_for(parsers_of)
        else:
            await run.pool.submit(page_of(0))
            await run.pool.drain()
        if busy == "hanging":
            await run.pool.submit(page_of(1, b"spin"))
        if busy == "full":
            pages = [page_of(number, b"sleep 3600 " + b"x" * 2 * BATCH_BYTES) for number in range(2, 7)]
            await run.submit(pages)
            waiting = asyncio.create_task(run.pool.submit(page_of(8)))
        if busy == "replaced":
            await run.submit([page_of(number, b"kill" if number == 7 else b"x" * 99_999) for number in range(30)])
            await run.pool.drain()
        run.pool.close()
        run.pool.close()
        if busy == "full":
            with pytest.raises(CrawlerError, match="closed"):
                await waiting
        with pytest.raises(CrawlerError, match="closed"):
            await run.pool.submit(page_of(9))
    assert parsers_of() == []
    # A thread of an earlier test may still be about to end.
    until = time.monotonic() + PATIENCE_S
    while (set(threading.enumerate()) - threads or me.num_fds() > files) and time.monotonic() < until:
        await asyncio.sleep(0.05)
    assert set(threading.enumerate()) <= threads
    assert me.num_fds() <= files
    assert len(run.pool.busy_s) == 2


def test_a_pool_that_was_never_started_can_be_closed(hooks):
    Run(hooks).pool.close()


SCRIPT = """
    import asyncio, sys
    sys.path[:0] = {paths!r}
    from pathlib import Path
    from crawler.core.config import CrawlConfig
    from crawler.parsers.pool import ParserPool
    from tests.support.downloads import download_of
    from parse_hooks import obey

    async def main():
        config = CrawlConfig(job=Path("unused"), parsers=1, parser_timeout_s=3600)
        pool = ParserPool(config, lambda done: None, parse=obey)
        pool.start()
        for word in {words!r}:
            await pool.submit(download_of(word))
            if word != b"spin":
                await pool.drain()
        print("ready", flush=True)
        if {stays!r}:
            await asyncio.sleep(3600)

    if __name__ == "__main__":
        asyncio.run(main())
"""


def run_script(tmp_path: Path, words: list[bytes], *, stays: bool) -> subprocess.Popen[str]:
    paths = [str(Path(__file__).parents[2]), str(Path(sys.modules["parse_hooks"].__file__).parent)]
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT.format(paths=paths, words=words, stays=stays)), encoding="utf-8")
    return subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG and its undoing are Linux's")
@pytest.mark.parametrize("words", [[b"x"], [b"x", b"spin"], [b"detach"]], ids=["idle", "busy", "without the kernel"])
async def test_parsers_end_when_their_parent_is_killed(hooks, tmp_path, words):
    process = run_script(tmp_path, words, stays=True)
    try:
        assert process.stdout.readline() == "ready\n"
        parsers = parsers_of(process.pid)
        assert len(parsers) == 1
        os.kill(process.pid, signal.SIGKILL)
        await wait_for(lambda: not any(one.is_running() for one in parsers))
    finally:
        process.kill()
        process.communicate()


def test_what_a_parser_prints_does_not_reach_standard_output(hooks, tmp_path):
    process = run_script(tmp_path, [b"print"], stays=False)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out, err) == (0, "ready\n", "garbage\n" * 2)


def test_a_program_that_forgets_to_close_its_pool_still_ends(hooks, tmp_path):
    process = run_script(tmp_path, [b"x", b"spin"], stays=False)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out, err) == (0, "ready\n", "")
