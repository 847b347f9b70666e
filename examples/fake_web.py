"""Crawl a web that does not exist: everything is real but the network.

    python examples/fake_web.py

Good for tests and simulations.
"""

import asyncio
import tempfile
from pathlib import Path

from crawler import CrawlConfig, Crawler, FakeTransport, FetchRequest, FetchResult

HTML = (("content-type", "text/html; charset=utf-8"),)
PAGES = 100


def web(request: FetchRequest) -> FetchResult:
    """A page for each number, with links to its double and the one after. A `Failure` would be no answer at all."""
    name = request.url.rpartition("/")[2]
    if not name.isdecimal() or int(name) > PAGES:
        return FetchResult(request.url, 404)
    links = "".join(f'<a href="/{number}">{number}</a>' for number in (int(name) * 2, int(name) * 2 + 1))
    body = f"<title>Number {name}</title>{links}".encode()
    return FetchResult(request.url, 200, HTML, body, len(body))


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        config = CrawlConfig(job=Path(folder), delay_s=0)
        stats = asyncio.run(Crawler(config, ["http://numbers.example/1"], transport=FakeTransport(web)).run())
    print(stats.outcomes, stats.statuses)


if __name__ == "__main__":
    main()
