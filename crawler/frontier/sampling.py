"""Which of a host's URLs come first in a crawl that is only to show what a whole one would meet."""

from xxhash import xxh3_64_intdigest

from crawler.frontier.row import UrlRow, late_key
from crawler.web.traps import shape

__all__ = ["Sampling"]


class Sampling:
    """The order of a sample (`CrawlConfig.sampled`): what a host has at each depth, and of each shape, takes turns.

    A crawl goes breadth first; the first hundred pages of a large site are its menus then. Here a host's URLs stand in
    one line, each anywhere among those of its depth and shape (`web.traps.shape`). So few pages show all folders and
    depths that are known. Seeds and sitemaps come first.

    State: how many URLs of each host, depth and shape were placed.
    """

    def __init__(self) -> None:
        self._placed: dict[int, int] = {}

    def place(self, key: bytes, row: UrlRow, host: bytes) -> bytes:
        """Return the queue key of a URL, instead of that of its row."""
        place = row.place(host)
        if row.is_sitemap or not row.depth:
            return place
        stratum = xxh3_64_intdigest(host + row.depth.to_bytes(8, "big") + shape(row.url).encode())
        before = self._placed.get(stratum, 0)
        self._placed[stratum] = before + 1
        return late_key(place, key, before)
