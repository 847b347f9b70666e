"""The job in Scrapy: SEED OUTPUT PREFIX on the command line."""

import sys
from collections.abc import Iterator
from typing import Any

import scrapy
from scrapy.crawler import CrawlerProcess

seed, output, prefix, concurrency = *sys.argv[1:4], int(sys.argv[4])


class Docs(scrapy.Spider):
    name = "docs"
    start_urls = (seed,)

    def parse(self, response: Any) -> Iterator[Any]:
        links = [response.urljoin(href) for href in response.css("a::attr(href)").getall()]
        yield {"url": response.url, "status": response.status, "title": response.css("title::text").get(), "links": links}
        for link in links:
            if link.startswith(prefix):
                yield scrapy.Request(link)


process = CrawlerProcess(
    settings={
        "FEEDS": {output: {"format": "jsonlines"}},
        "CONCURRENT_REQUESTS": concurrency,
        "CONCURRENT_REQUESTS_PER_DOMAIN": concurrency,
        "DOWNLOAD_DELAY": 0,
        "ROBOTSTXT_OBEY": False,
        "COOKIES_ENABLED": False,
        "RETRY_ENABLED": False,
        "REDIRECT_ENABLED": True,
        "AUTOTHROTTLE_ENABLED": False,
        "HTTPCACHE_ENABLED": False,
        "TELNETCONSOLE_ENABLED": False,
        "LOG_ENABLED": False,
        "TWISTED_REACTOR": "twisted.internet.asyncioreactor.AsyncioSelectorReactor",
        "ASYNCIO_EVENT_LOOP": "uvloop.Loop",
    }
)
process.crawl(Docs)
process.start()
