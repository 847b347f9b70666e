"""The job in Crawlee: SEED OUTPUT PREFIX, and `seen` to keep the links that were met in the handler too."""

import json
import logging
import sys
from pathlib import Path
from urllib.parse import urljoin

import uvloop
from crawlee import ConcurrencySettings
from crawlee.crawlers import ParselCrawler, ParselCrawlingContext
from crawlee.http_clients import ImpitHttpClient
from crawlee.storage_clients import MemoryStorageClient

AT_ONCE = 64
seed, output, prefix, *more = sys.argv[1:]
seen = {seed} if more else None


async def main() -> None:
    crawler = ParselCrawler(
        storage_client=MemoryStorageClient(),
        http_client=ImpitHttpClient(browser=None),
        concurrency_settings=ConcurrencySettings(
            min_concurrency=AT_ONCE, desired_concurrency=AT_ONCE, max_concurrency=AT_ONCE
        ),
        configure_logging=False,
        use_session_pool=False,
        retry_on_blocked=False,
    )
    with Path(output).open("w") as out:  # noqa: ASYNC230 - a local file

        @crawler.router.default_handler
        async def handle(context: ParselCrawlingContext) -> None:
            url = context.request.loaded_url or context.request.url
            links = [urljoin(url, href) for href in context.selector.css("a::attr(href)").getall()]
            title = context.selector.css("title::text").get()
            record = {"url": url, "status": context.http_response.status_code, "title": title, "links": links}
            out.write(json.dumps(record) + "\n")
            new = {link.partition("#")[0] for link in links if link.startswith(prefix)}
            if seen is not None:
                new -= seen
                seen.update(new)
            if new:
                await context.add_requests(list(new))

        await crawler.run([seed])


logging.disable(logging.CRITICAL)
uvloop.run(main())
