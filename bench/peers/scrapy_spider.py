"""The job in Scrapy: see `job`."""

from collections.abc import AsyncIterator, Iterator
from hashlib import sha1
from typing import Any

import scrapy
from job import at_once, below, output, seeds, seen
from scrapy.crawler import CrawlerProcess

AT_ONCE = at_once(16)


class ByUrl:
    """A request fingerprinter as the documentation proposes where URLs need no sorting of their query."""

    def fingerprint(self, request: scrapy.Request) -> bytes:
        return sha1(request.url.partition("#")[0].encode()).digest()


class Docs(scrapy.Spider):
    name = "docs"

    async def start(self) -> AsyncIterator[Any]:
        for seed in seeds:
            yield scrapy.Request(seed)

    def parse(self, response: Any) -> Iterator[Any]:
        links = [response.urljoin(href) for href in response.css("a::attr(href)").getall()]
        yield {
            "url": response.url,
            "status": response.status,
            "title": response.css("title::text").get(),
            "links": links,
        }
        for link in {link.partition("#")[0] for link in links}:
            if below(link) and (seen is None or link not in seen):
                if seen is not None:
                    seen.add(link)
                yield scrapy.Request(link)


process = CrawlerProcess(
    settings={
        "FEEDS": {output: {"format": "jsonlines"}},
        "CONCURRENT_REQUESTS": AT_ONCE,
        "CONCURRENT_REQUESTS_PER_DOMAIN": 16,
        "DOWNLOAD_DELAY": 0,
        "ROBOTSTXT_OBEY": False,
        "COOKIES_ENABLED": False,
        "RETRY_ENABLED": False,
        "REFERER_ENABLED": False,
        "TELNETCONSOLE_ENABLED": False,
        "LOG_ENABLED": False,
        "REQUEST_FINGERPRINTER_CLASS": ByUrl,
        "TWISTED_REACTOR": "twisted.internet.asyncioreactor.AsyncioSelectorReactor",
        "ASYNCIO_EVENT_LOOP": "uvloop.Loop",
    }
)
process.crawl(Docs)
process.start()
