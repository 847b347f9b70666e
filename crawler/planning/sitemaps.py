"""How many pages the sitemaps list that robots.txt names: read as a crawl reads them, none of their pages asked for."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from crawler.core.config import CrawlConfig
from crawler.frontier.keyed_rows import keyed_rows
from crawler.frontier.store import Store
from crawler.planning.census import Census, SitemapCount
from crawler.planning.sample import held, sampled
from crawler.ring.crawler import Crawler
from crawler.web.scope import Scope
from crawler.web.urls import authority, url_key

__all__ = ["Listed", "count_sitemaps"]

Listed = Mapping[str, tuple[int, int]]
"""For hosts: URLs of theirs that are listed and admitted, and how many of these links lead to."""

_MOST_HOSTS: Final = 500
"""Hosts whose robots.txt is read for its sitemaps."""
_NO_PAGE: Final = "."
"""Matches each URL: as `exclude`, no page that a sitemap lists is asked for, and each is known all the same."""


async def count_sitemaps(
    config: CrawlConfig, census: Census, folder: Path, *, seconds: float, started: Callable[[Crawler], None]
) -> tuple[tuple[SitemapCount, ...], Listed]:
    """Read the sitemaps that robots.txt names, for at most so many seconds, with a job in `folder`.

    Return each sitemap, and what is listed of hosts.

    Raises what `Crawler.run` does.
    """
    seeds = [f"sitemap:{url}" for url in census.robots_urls[:_MOST_HOSTS]]
    plain = replace(
        config,
        seeds=(),
        scope="any",
        depth=None,
        include=(),
        exclude=(_NO_PAGE,),
        spider=None,
        select=(),
        fields=None,
        record_per_seed=False,
        max_pages=None,
    )
    await sampled(plain, seeds, folder, (), pages=1, seconds=seconds, started=started)
    return await asyncio.to_thread(_counted, folder, config, census)


def _counted(folder: Path, config: CrawlConfig, census: Census) -> tuple[tuple[SitemapCount, ...], Listed]:
    scope = Scope(config.scope, config.include, config.exclude)
    known: dict[bytes, SitemapCount] = {}
    lists: Counter[bytes] = Counter()
    listed: Counter[str] = Counter()
    linked: Counter[str] = Counter()
    with held(folder), Store(folder / "state", read_only=True) as store:
        for key, row in keyed_rows(store):
            if row.is_sitemap:
                lists[row.parent] += 1
                if row.url in census.robots_urls:
                    continue
                known[key] = SitemapCount(row.url, f"{row.outcome}: {row.reason}" if row.outcome else "not read", 0)
                continue
            lists[row.parent] += 1
            host = authority(row.url)
            anchors = census.anchors.get(host, ())
            if not scope.is_costly and not scope.verdict(row.url, anchors, 0):
                listed[host] += 1
                linked[host] += url_key(row.url) in census.linked
    counts = tuple(replace(sitemap, urls=lists[key]) for key, sitemap in known.items())
    return counts, {host: (number, linked[host]) for host, number in listed.items()}
