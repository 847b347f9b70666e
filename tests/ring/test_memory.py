"""Memory is flat in the number of URLs: a simulated site on a fake transport, everything else real.

`make test-memory` crawls 200,000 and 1,000,000 pages (minutes); every test run crawls two small sites and compares.
"""

import json
import subprocess
import sys
import textwrap

import pytest

from crawler.frontier.families import CACHE_BYTES

CACHE_MIB = CACHE_BYTES >> 20
"""What the store's cache fills up to: with 200,000 URLs it is not full yet."""

CRAWL = textwrap.dedent("""
    import asyncio, json, sys, threading, time
    from pathlib import Path
    import psutil
    from crawler.core.config import CrawlConfig
    from crawler.ring.crawler import Crawler
    from crawler.fetcher.transport.fake import FakeTransport, answer

    TOTAL = int(sys.argv[2])
    NAVIGATION = "".join(f'<a href="/{n}">{n}</a>' for n in range(1, 41))

    def page(request):
        path = request.url.rpartition("/")[2]
        if path == "robots.txt":
            return answer(request, status=404)
        number = int(path or 0)
        children = range(number * 10 + 1, min(number * 10 + 11, TOTAL))
        links = "".join(f'<a href="/{child}">{child}</a>' for child in children)
        return answer(request, f"<title>{number}</title><p>{'word ' * 100}</p>{NAVIGATION}{links}")

    peak = {"all": 0, "main": 0}

    def watch():
        me = psutil.Process()
        while True:
            sizes = []
            for process in [me, *me.children(recursive=True)]:
                try:
                    sizes.append(process.memory_info().rss)
                except psutil.NoSuchProcess:
                    pass
            peak["all"] = max(peak["all"], sum(sizes))
            peak["main"] = max(peak["main"], sizes[0])
            time.sleep(0.25)

    async def main():
        threading.Thread(target=watch, daemon=True).start()
        config = CrawlConfig(
            job=Path(sys.argv[1]), delay_s=0.0, per_host=256, per_address=256, fields=("url", "status", "title"),
            max_repeats=None,  # its pages say nothing
        )
        return await Crawler(config, ["http://million.example/"], transport=FakeTransport(page)).run()

    if __name__ == "__main__":
        stats = asyncio.run(main())
        mib = {name: size >> 20 for name, size in peak.items()}
        print(json.dumps({"pages": stats.pages, "seconds": stats.elapsed_s, "mib": mib}))
""")


def crawl(tmp_path, total: int) -> dict:
    """Crawl a site of `total` pages in a process of its own; pages, seconds, and peak memory in MiB."""
    script = tmp_path / "crawl.py"
    script.write_text(CRAWL)
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / f"job{total}"), str(total)], stdout=subprocess.PIPE, check=True
    )
    result = json.loads(done.stdout)
    print(f"\n{total:,} URLs: {result}")
    assert result["pages"] == total
    return result


@pytest.mark.thorough
def test_memory_of_a_small_crawl_does_not_grow_with_its_pages(tmp_path):
    """Four times the pages, about the same memory."""
    small, large = crawl(tmp_path, 5_000), crawl(tmp_path, 20_000)
    assert large["mib"]["all"] < small["mib"]["all"] * 1.3 + 20


@pytest.mark.slow
def test_memory_of_a_million_urls_is_that_of_200_000(tmp_path):
    """Under 400 MiB for all processes together; from 200,000 to a million only the store's cache still fills up."""
    small, large = crawl(tmp_path, 200_000), crawl(tmp_path, 1_000_000)
    assert large["mib"]["all"] < 400
    assert large["mib"]["all"] < small["mib"]["all"] * 1.1 + CACHE_MIB
