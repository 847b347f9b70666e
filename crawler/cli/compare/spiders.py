"""The two spiders that strategies are compared with: one that costs little and one that costs much."""

from collections.abc import Iterator
from typing import Any

from crawler.page.page import Page

__all__ = ["heavy", "light"]


def light(page: Page) -> Iterator[Any]:
    """Read a page with the fast tree, which is in C: less than a millisecond."""
    headings = [heading.text for heading in page.css("h1, h2, h3")]
    yield {"url": page.url, "title": page.title, "headings": headings, "links": page.links}
    yield page.follow()


def heavy(page: Page) -> Iterator[Any]:
    """Read a page with BeautifulSoup, which is in Python: ten times as long."""
    soup = page.soup
    headings = [heading.get_text(" ", strip=True) for heading in soup.select("h1, h2, h3")]
    anchors = soup.select("a[href]")
    yield {
        "url": page.url,
        "title": soup.title.get_text(strip=True) if soup.title else None,
        "headings": headings,
        "links": [anchor["href"] for anchor in anchors],
        "words": len(soup.get_text(" ").split()),
    }
    yield page.follow(anchors)
