"""What each value of a page costs on real documentation: the median of 500 pages, in µs.

    python -m bench.page        # needs PostgreSQL's HTML documentation (Debian: postgresql-doc)

Each value is taken from a page on which what it is made from is there already: `text` and `extracted` once `charset` is
known, `tree` and `soup` with `text`, `simhash` with `visible_text`, the others with `extracted`.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from crawler.page.page import Page
from crawler.web.urls import LinkResolver

PAGES = 500
REPEATS = 3
MEASURED: dict[str, tuple[tuple[str, ...], Callable[[Page], Any]]] = {
    "charset": ((), lambda page: page.charset),
    "text": (("charset",), lambda page: page.text),
    "document": (("charset",), lambda page: page.document),
    "css('a[href]')": (("document",), lambda page: page.css("a[href]")),
    "xpath('//a/@href')": (("document",), lambda page: page.xpath("//a/@href")),
    "tree": (("text",), lambda page: page.tree),
    "tree.xpath('//a[@href]')": (("tree",), lambda page: page.tree.xpath("//a[@href]")),
    "soup": (("text",), lambda page: page.soup),
    "soup('a', href=True)": (("soup",), lambda page: page.soup("a", href=True)),
    "soup.select('a[href]')": (("soup",), lambda page: page.soup.select("a[href]")),
    "title, links": (("charset",), lambda page: page.links),
    "visible_text": (("extracted",), lambda page: page.visible_text),
    "simhash": (("visible_text",), lambda page: page.simhash),
    "record()": (("extracted",), lambda page: page.record()),
    "follow(css='a')": (("document", "extracted"), lambda page: page.follow(css="a")),
    **{
        name: (("extracted", "text"), lambda page, name=name: getattr(page, name))
        for name in (
            *("meta", "open_graph", "json_ld", "microdata", "tables", "article", "main_text", "markdown", "feed"),
        )
    },
}


def main() -> None:
    roots = sorted(Path("/usr/share/doc").glob("postgresql-doc-*/html"))
    if not roots:
        sys.exit("no PostgreSQL documentation to read (Debian: apt-get install postgresql-doc)")
    files = sorted(roots[-1].glob("*.html"))
    files = [files[number * len(files) // PAGES] for number in range(PAGES)]
    bodies = [(file.read_bytes(), f"http://docs.example/html/{file.name}") for file in files]
    resolver = LinkResolver()
    sizes, tags = [len(body) for body, _ in bodies], [body.count(b"<") for body, _ in bodies]
    print(f"{len(bodies)} pages, median {median(sizes):.0f} bytes with {median(tags):.0f} tags; the slowest tenth over")
    for name, (needed, value) in MEASURED.items():
        best = [float("inf")] * len(bodies)
        for _ in range(REPEATS):
            for number, (body, url) in enumerate(bodies):
                page = Page(Page.from_html(body, url).download, resolver)
                for attribute in needed:
                    getattr(page, attribute)
                started_at = time.perf_counter()
                value(page)
                best[number] = min(best[number], time.perf_counter() - started_at)
        best.sort()
        print(f"{name:26}{median(best) * 1e6:8.0f} µs{best[len(best) * 9 // 10] * 1e6:10.0f} µs")


if __name__ == "__main__":
    main()
