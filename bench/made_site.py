"""A made-up site: what its URLs answer, and which of its pages are honest."""

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

__all__ = ["MENU", "WORDS", "Page", "Site", "anchors", "words"]

_WORDS = """
amber birch cedar daisy elder fern gorse hazel iris juniper kale larch maple nettle oak pine quince rose sage thyme
umber violet willow yarrow anchor basin candle dagger engine feather garden hammer island jacket kettle ladder mirror
needle orchard pepper quiver ribbon saddle timber urn valley wagon yard
"""
WORDS = _WORDS.split()


class Page(NamedTuple):
    """What a URL answers: its text as HTML, its links, and whether nobody would want to miss it; or a file."""

    html: str
    links: Sequence[str]
    honest: bool
    is_file: bool = False


class Site(NamedTuple):
    """A made-up site: what its URLs answer, the number of its honest pages, where the crawl begins, its robots.txt."""

    page: Callable[[str], Page]
    honest: int
    seed: str = "http://site.test/"
    scope: str = "host"
    robots: str = ""


def words(seed: str, number: int) -> str:
    """Words that look like a sentence, the same for the same seed."""
    rng = random.Random(seed)
    return " ".join(rng.choice(WORDS) for _ in range(number))


def anchors(links: Sequence[str]) -> str:
    """A list of links, named by the last part of their URLs."""
    return "".join(f'<li><a href="{url}">{url.rstrip("/").rpartition("/")[2]}</a></li>' for url in links)


MENU = ["/", "/about", "/contact"]
