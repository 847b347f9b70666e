"""One crawl for `bench/soak.py`, in a process of its own so that its memory can be told from everything else's.

    python -m bench.soak_crawl SETTINGS SEEDS.txt

`SETTINGS` is a file with a Python literal of what `CrawlConfig` takes but for `job`, which is the file's folder.
Prints a line of JSON when the crawl begins, and one when it has ended.
"""

import asyncio
import json
import sys
import time
from ast import literal_eval
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from uvloop import new_event_loop

from crawler.core.config import CrawlConfig
from crawler.page.page import Page
from crawler.parsers.memory import return_large_blocks
from crawler.ring.crawler import Crawler
from tests.hostile.names import Names


def parse(page: Page) -> Iterator[Any]:
    """Read a page as a crawl without a spider does, or do to the parser what the spider of its hostile host does."""
    if page.url.endswith("/bad"):
        from tests.hostile.registry import behaviours  # noqa: PLC0415 - the memory of parsers is measured

        for one in behaviours():
            if one.parse and (f"//{one.address}:" in page.url or f"/{one.name}/" in page.url):
                yield from one.parse(page)
                return
    yield page.record()
    yield page.follow()


class Hosts(dict[str, Any]):
    """Addresses of the names that hostile servers use. No other name exists, so that no resolver is asked."""

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or str(name).endswith("localhost")

    def __missing__(self, name: str) -> list[str]:
        return ["127.0.0.1"]


def main() -> None:
    from tests.hostile.registry import behaviours  # noqa: PLC0415 - as in `parse`

    return_large_blocks()  # as the command line does
    settings = Path(sys.argv[1])
    config = CrawlConfig(job=settings.parent, **literal_eval(settings.read_text()))
    crawler = Crawler(config, [sys.argv[2]], spider=parse)
    resolver = Names(Hosts({name: found for one in behaviours() for name, found in one.names.items()}))
    print(json.dumps({"started_at": time.time()}), flush=True)
    with (
        patch("crawler.fetcher.transport.aiohttp.resolver.DefaultResolver", lambda: resolver),
        asyncio.Runner(loop_factory=new_event_loop) as runner,
    ):
        stats = runner.run(crawler.run())
    ended = {"ended": stats.ended, "outcomes": stats.outcomes, "parsers_replaced": stats.parsers_replaced}
    print(json.dumps({**ended, "seconds": stats.elapsed_s, "body_waits": stats.body_waits}), flush=True)


if __name__ == "__main__":
    main()
