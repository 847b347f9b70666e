"""A crawl in an event loop of the program's own, beside other work: here it tells how far the crawl is.

    python examples/crawl_site.py https://example.com/ output/example

Run it again to resume: the state and the records lie in the folder.
"""

import asyncio
import sys
from pathlib import Path

from crawler import CrawlConfig, Crawler


async def watch(crawler):
    while True:
        await asyncio.sleep(1)
        now = crawler.stats()
        print(f"{now.pages} pages, {now.queued} queued, {now.fetching} requests under way")


async def main(seed, job):
    config = CrawlConfig(seeds=(seed,), job=job, output=str(job / "pages.jsonl"), max_pages=50)
    async with Crawler(config) as crawler:
        watching = asyncio.create_task(watch(crawler))
        async for page in crawler:
            print(page.status, page.url)
        watching.cancel()
    print(f"{crawler.stats().ended}: {crawler.stats().outcomes}")


asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
