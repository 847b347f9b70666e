"""Pages reach parsers as they came, and are decoded there: under the same caps, and large ones one at a time."""

import asyncio
import gzip
import json
from pathlib import Path

import brotli
import pytest

from crawler.core.config import LEAST_PARSER_MEMORY_BYTES, CrawlConfig
from crawler.core.model import Coding
from crawler.parsers.chosen import chosen_parsers
from crawler.parsers.reading.whole_body import LARGE_PAGE_BYTES
from crawler.web.urls import url_key
from tests.support.downloads import download_of
from tests.support.patience import PATIENCE_S

CAP = 10_000_000
STRATEGIES = ["hybrid", "threads", "sequential"]


class Counted:
    """What counts the pages that parsers have given back. State: bytes held, and the most pages held at once."""

    def __init__(self):
        self.held = []
        self.seen = 0

    def __call__(self, size, host):
        self.held.append(size)
        self.seen += 1
        return self

    def release(self):
        self.held.pop()


class Run:
    """A crawl's parsers and what came out of them."""

    def __init__(self, strategy="hybrid", **settings):
        self.done = []
        self.counted = Counted()
        config = CrawlConfig(job=Path("unused"), strategy=strategy, **{"parsers": 2, **settings})
        self.parsers = chosen_parsers(
            config, self.done.extend, on_failure=lambda _: None, spider=b"", hash_seed=7, keep=self.counted
        )

    async def __aenter__(self):
        self.parsers.start()
        return self

    async def __aexit__(self, *_):
        self.parsers.close()

    async def end(self, *downloads):
        """Parse them; how each ended, and its record, by URL."""
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(*map(self.parsers.submit, downloads))
            await self.parsers.drain()
        assert sorted(done.key for done in self.done) == sorted(one.task.key for one in downloads)
        by_key = {done.key: done for done in self.done}
        return [by_key[one.task.key] for one in downloads]


def packed(number, html, *, names="gzip", most_bytes=CAP, is_read=True, wire=None, **facts):
    body = gzip.compress(html, 1, mtime=0) if wire is None else wire
    coding = Coding(names, most_bytes, is_read)
    return download_of(body, url=f"http://h{number}.example/", coding=coding, **facts)


def record_of(done):
    return json.loads(done.records)


HTML = b"<title>%d</title>" + b"<p>some text that is the same</p>" * 100


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_a_page_that_came_encoded_is_what_it_would_be_if_it_had_come_plain(strategy):
    html = HTML % 1
    plain = download_of(html, url="http://h0.example/")
    gzipped, twice = packed(1, html), packed(2, b"", names="gzip, br", wire=brotli.compress(gzip.compress(html)))
    cut, broken_off = packed(3, html, most_bytes=50), packed(4, b"", wire=gzip.compress(html, mtime=0)[:-4])
    async with Run(strategy) as run:
        first, *others, small, short = await run.end(plain, gzipped, twice, cut, broken_off)
    for one in (*others, short):
        assert (one.body_bytes, one.body_hash, one.body_key) == (len(html), first.body_hash, first.body_key)
        assert record_of(one)["title"] == "1"
        assert record_of(one)["truncated"] is (one is short)
    assert (small.body_bytes, record_of(small)["truncated"]) == (50, True)


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_a_page_that_cannot_be_decoded_has_failed_for_that_reason(strategy, caplog):
    members = gzip.compress(b"", mtime=0) * 10_000
    async with Run(strategy) as run:
        broken, lie, many, whole = await run.end(
            packed(1, b"", wire=gzip.compress(HTML, mtime=0)[:-8] + bytes(8)),
            packed(2, b"", wire=b"<html>" * 9),
            packed(3, b"", wire=members),
            packed(4, HTML),
        )
    for one in (broken, lie, many):
        assert (one.outcome, one.reason, one.records, one.body_bytes) == ("failed", "encoding", None, 0)
    assert "incorrect header check" in lie.detail
    assert "more than 1,024 gzip members" in many.detail
    assert whole.outcome == "fetched"
    assert not caplog.records, "it is the server's fault, and no news of the crawl"


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_of_a_page_that_nobody_reads_the_bytes_are_counted_and_nothing_is_kept(strategy):
    kind = ("content-type", "image/png")
    pages = [
        packed(number, bytes(size), is_read=False, headers=(kind,)) for number, size in enumerate((9, CAP, CAP + 1))
    ]
    async with Run(strategy) as run:
        ends = await run.end(*pages)
        assert run.counted.seen == 0
    assert [(end.body_bytes, record_of(end)["truncated"], end.body_hash) for end in ends] == [
        (9, False, b""),
        (CAP, False, b""),
        (CAP, True, b""),
    ]


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_pages_that_show_to_be_large_are_parsed_once_each(strategy):
    """A few kilobytes of each have come. What parsers give back counts until it is parsed."""
    size = LARGE_PAGE_BYTES
    pages = [packed(number, b"<title>%d</title>" % number + b" " * (size + number)) for number in range(6)]
    pages += [packed(number, HTML % number) for number in range(6, 30)]
    async with Run(strategy) as run:
        ends = await run.end(*pages)
        assert run.counted.seen == (6 if strategy == "hybrid" else 0)
        assert not run.counted.held
        assert run.parsers.pending == 0
    assert [record_of(end)["title"] for end in ends] == [str(number) for number in range(30)]
    assert all(end.body_bytes > size for end in ends[:6])


async def test_large_pages_are_parsed_one_at_a_time_over_all_parsers():
    """Else their trees would take the memory of all parsers at once."""
    async with Run(parsers=3) as run:
        await run.end(*[packed(number, HTML) for number in range(90, 99)])
        most, done_before = 0, len(run.done)
        pages = [packed(number, b"<p>x</p>" * (LARGE_PAGE_BYTES // 8 + 1)) for number in range(6)]
        submitting = [asyncio.create_task(run.parsers.submit(page)) for page in pages]
        while len(run.done) < done_before + 6:
            most = max(
                most,
                sum(
                    item.is_large
                    for one in run.parsers._intake.dispatch.parsers()
                    for batch in one.batches
                    for item in batch.items
                ),
            )
            await asyncio.sleep(0.001)
        await asyncio.gather(*submitting)
        await run.parsers.drain()
    assert most == 1


async def test_a_large_page_that_ends_its_parser_twice_has_failed_alone():
    """It holds more than a parser may have, which its process cannot know before."""
    bomb = packed(1, bytes(2 * LEAST_PARSER_MEMORY_BYTES), most_bytes=2 * LEAST_PARSER_MEMORY_BYTES)
    async with Run(parsers=1, parser_memory_bytes=LEAST_PARSER_MEMORY_BYTES) as run:
        bad, good, small = await run.end(bomb, packed(2, b" " * LARGE_PAGE_BYTES), packed(3, HTML))
        assert run.parsers.replaced == 2
        assert not run.counted.held
    assert (bad.outcome, bad.reason) == ("failed", "parser-died")
    assert (good.outcome, small.outcome) == ("fetched", "fetched")


async def test_a_closed_pool_leaves_no_large_page_behind():
    run = Run(parsers=1)
    async with run:
        pages = [packed(number, b" " * LARGE_PAGE_BYTES) for number in range(4)]
        await asyncio.gather(*map(run.parsers.submit, pages))
        async with asyncio.timeout(PATIENCE_S):
            while run.counted.seen < 2:
                await asyncio.sleep(0.001)
    async with asyncio.timeout(PATIENCE_S):
        while run.counted.held:
            await asyncio.sleep(0.001)
    assert {done.key for done in run.done} < {url_key(f"http://h{number}.example/") for number in range(4)} | {b""}
