"""A crawl in which URLs come to every outcome: started as a process of its own by tests/jobs/test_explain.py.

    python -m tests.support.every_outcome JOB LIST [open]

Without `open` the host held.example never answers: the crawl does not end, and all else has.
"""

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from crawler import CrawlConfig, Crawler, Failure, FakeTransport, Page
from crawler.fetcher.transport.base import FetchRequest, FetchResult
from crawler.fetcher.transport.fake import answer

SITE = "http://site.example"
ROBOTS = "# be polite\nUser-agent: *\nDisallow: /denied\nAllow: /denied/open\nCrawl-delay: 0.001\n"
WORDS = " ".join(f"word{number} stands here" for number in range(200))
FAILING = {
    "connect": "refused",
    "reset": "broken off",
    "incomplete": "7 of 9 bytes",
    "protocol": "no status line",
    "encoding": "gzip: damaged",
    "tls: expired": "expired yesterday",
    "dns": "no such name",
    "timeout": "no answer within 30 s",
}
READING = ("raises", "dies", "sleeps", "unwritable")
LINKS = (
    "/a", "/a?b", "/moved", "/round-1", "/denied/x", "/denied/open", "/filtered", "/missing",
    "/x/x/x/x/x/", "http://other.example/", *(f"/fails/{kind}" for kind in FAILING), *(f"/{one}" for one in READING),
)  # fmt: skip
PAGES = {
    "/": "".join(f'<a href="{link}">x</a>' for link in LINKS) + '<a rel=nofollow href="/asked-not-to">x</a>',
    "/a": '<a href="/deep">x</a> <a href="/same">x</a> <a href="/alike">x</a>',
    "/deep": '<a href="/too-deep">x</a>',
    "/a?b": "",
    "/denied/open": "",
}
SITEMAP = f"<urlset><url><loc>{SITE}/listed</loc><lastmod>2026-01-02</lastmod></url></urlset>"


def read(page: Page) -> Iterator[object]:
    """Read a page, or fail at it as its URL says."""
    name = page.url.rpartition("/")[2]
    if name == "raises":
        raise ValueError("a mistake")
    if name == "dies":
        os._exit(9)
    if name == "sleeps":
        time.sleep(60)
    yield {"url": object()} if name == "unwritable" else {"url": page.url}
    yield page.follow()


async def web(request: FetchRequest) -> FetchResult | Failure:
    """Play the web."""
    origin, _, path = request.url.partition(".example")
    if path == "/robots.txt":
        return answer(request, ROBOTS, headers=(("content-type", "text/plain"),))
    if origin == "http://small":
        return answer(request, "".join(f'<a href="/{number}">{path} {number}</a>' for number in range(40)))
    if origin == "http://held":
        if "open" not in sys.argv:
            await asyncio.sleep(3_600)
        return answer(request, "here I am")
    if origin.startswith("http://127."):
        return Failure("private-address", "127.0.0.1 is a loopback address", retryable=False)
    kind = path.removeprefix("/fails/").replace("%20", " ")
    if kind in FAILING:
        return Failure(kind, FAILING[kind], retryable=False, answered=True)
    if path in {"/moved", "/round-1", "/round-2"}:
        to = {"/moved": "/target", "/round-1": "/round-2", "/round-2": "/round-1"}[path]
        return answer(request, status=301, headers=(("location", to),))
    if path == "/map.xml":
        return answer(request, SITEMAP, headers=(("content-type", "application/xml"),))
    if path == "/no-map.xml":
        return answer(request, "<html>", headers=(("content-type", "application/xml"),))
    text = {"/a": WORDS, "/same": WORDS, "/alike": f"{WORDS} and nearly the same"}.get(path, path)
    body = f"<title>t</title><p>{text}</p>{PAGES.get(path.replace('/same', '/a'), '')}"
    return answer(request, body, status=404 if path == "/missing" else 200)


def main(job: Path, seeds: str) -> None:
    """Crawl."""
    config = CrawlConfig(
        job=job, delay_s=0.0, depth=2, exclude=("/filtered",), parsers=1, parser_timeout_s=3.0, retries=0,
        skip_duplicates="near", max_pages_per_host=30, spider="tests.support.every_outcome:read", per_host=8,
        timeout_s=3_600.0,
    )  # fmt: skip
    asyncio.run(Crawler(config, [seeds], transport=FakeTransport(web)).run())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
