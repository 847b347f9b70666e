"""The job in Crawlee: see `job`."""

import json
import logging
from pathlib import Path
from urllib.parse import urljoin

import uvloop
from crawlee import ConcurrencySettings
from crawlee.crawlers import ParselCrawler, ParselCrawlingContext
from crawlee.http_clients import ImpitHttpClient
from crawlee.storage_clients import MemoryStorageClient
from job import at_once, below, is_list, output, seeds, seen

AT_ONCE = at_once(64)


async def main() -> None:
    crawler = ParselCrawler(
        storage_client=MemoryStorageClient(),
        # Of several hosts the certificates are unknown to it, and it takes no file of an authority.
        http_client=ImpitHttpClient(browser=None, verify=not is_list),
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
            new = {page for page in (link.partition("#")[0] for link in links) if below(page)}
            if seen is not None:
                new -= seen
                seen.update(new)
            if new:
                await context.add_requests(list(new))

        await crawler.run(seeds)


logging.disable(logging.CRITICAL)
uvloop.run(main())
