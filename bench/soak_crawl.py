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
from pathlib import Path
from typing import Any
from unittest.mock import patch

from crawler.model import Done, Page
from crawler.worker import parse_page


def parse(page: Page, state: Any) -> Done:
    """Parse a page, or do to the parser what the spider of its hostile host does."""
    if page.url.endswith("/bad"):
        from tests.hostile.registry import behaviours  # noqa: PLC0415 - parsers import this file: see `main`

        for one in behaviours():
            if one.parse and (f"//{one.address}:" in page.url or f"/{one.name}/" in page.url):
                return one.parse(page, state)
    return parse_page(page, state)


class Hosts(dict[str, Any]):
    """Addresses of the names that hostile servers use. No other name exists, so that no resolver is asked."""

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or str(name).endswith("localhost")

    def __missing__(self, name: str) -> list[str]:
        return ["127.0.0.1"]


def main() -> None:
    # Not at the top: parser processes import this file too, and their memory is measured.
    from uvloop import new_event_loop  # noqa: PLC0415

    from crawler.config import CrawlConfig  # noqa: PLC0415
    from crawler.crawl import Crawler  # noqa: PLC0415
    from crawler.memory_limit import return_large_blocks  # noqa: PLC0415
    from tests.hostile.names import Names  # noqa: PLC0415
    from tests.hostile.registry import behaviours  # noqa: PLC0415

    return_large_blocks()  # as the command line does
    settings = Path(sys.argv[1])
    config = CrawlConfig(job=settings.parent, **literal_eval(settings.read_text()))
    crawler = Crawler(config, [sys.argv[2]], parse=parse)
    resolver = Names(Hosts({name: found for one in behaviours() for name, found in one.names.items()}))
    print(json.dumps({"started_at": time.time()}), flush=True)
    with (
        patch("crawler.transport.aiohttp_connections.DefaultResolver", lambda: resolver),
        asyncio.Runner(loop_factory=new_event_loop) as runner,
    ):
        stats = runner.run(crawler.run())
    ended = {"ended": stats.ended, "outcomes": stats.outcomes, "parsers_replaced": stats.parsers_replaced}
    print(json.dumps({**ended, "seconds": stats.elapsed_s, "body_waits": stats.body_waits}), flush=True)


if __name__ == "__main__":
    main()
