"""Crawl a site from a program, and show how far it is every second.

    python examples/crawl_site.py https://example.com/ output/example

Run it again to resume. The last line of this file matters: parser processes import the file that started them.
"""

import asyncio
import sys
from pathlib import Path

from crawler import CrawlConfig, Crawler, CrawlStats


async def crawl(seed: str, job: Path) -> CrawlStats:
    config = CrawlConfig(job=job, scope="host", max_pages=50, user_agent="example/1.0")
    crawler = Crawler(config, [seed])
    crawl = asyncio.create_task(crawler.run())
    while not crawl.done():
        await asyncio.wait({crawl}, timeout=1)
        now = crawler.stats()
        print(f"{now.pages} pages, {now.queued} queued, {now.fetching} requests under way")
    return crawl.result()  # raises UsageError or StorageError if the crawl could not go on


def main() -> None:
    seed, job = sys.argv[1], Path(sys.argv[2])
    stats = asyncio.run(crawl(seed, job))
    print(f"{stats.ended}: {stats.outcomes}")


if __name__ == "__main__":
    main()
