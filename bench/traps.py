"""Labelled sites: what a crawl takes of honest large ones, and when it ends traps that have no numbers.

    python -m bench.traps                                                  (make bench-traps: about 6 minutes)
    python -m bench.traps --quick shop words                               (small ones, these alone)

The ring is that of a crawl, with a made-up web in the place of the network, and parsing in its own process. Each site
answers by a rule that knows nothing of the crawler; it says which of its pages are honest. Prints, for each site, how
many pages were fetched, how many honest ones there are and how many of them were lost, and of traps how many pages of
theirs were fetched. Ends with exit code 1 if an honest page is lost, or a trap takes more than 1,000 pages.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from bench.made_site import MENU, WORDS, Page, Site, anchors, words
from bench.plain_sites import plain_sites
from crawler.core.config import CrawlConfig
from crawler.core.stats import CrawlStats
from crawler.fetcher.transport.base import FetchRequest, FetchResult
from crawler.fetcher.transport.fake import FakeTransport, answer
from crawler.ring.crawler import Crawler

MOST_TRAP_PAGES = 1_000


class Found(NamedTuple):
    """What a crawl has taken: honest pages, each once; all others; URLs that it knows; seconds; its counters."""

    honest: int
    others: int
    known: int
    seconds: float
    stats: CrawlStats


def documentation(pages: int) -> Site:
    """Chapters of 30 sections, each with its neighbours, the chapter, and another one: a tree with cross-references."""

    def page(path: str) -> Page:
        if path == "/":
            return Page("<h1>Contents</h1>", [f"/chapter-{n}/" for n in range(pages // 31)], True)
        if path in MENU:
            return Page(f"<p>{path}</p>", [], True)
        chapter, _, section = path.strip("/").partition("/")
        number = int(chapter.removeprefix("chapter-"))
        if not section:
            here = [f"/{chapter}/section-{n}.html" for n in range(30)]
            return Page(f"<h1>Chapter {number}</h1><p>{words(path, 60)}</p>", here, True)
        own = int(section.removeprefix("section-").removesuffix(".html"))
        rng = random.Random(path)
        near = [f"/{chapter}/section-{n}.html" for n in (own - 1, own + 1) if 0 <= n < 30]
        far = [f"/chapter-{rng.randrange(pages // 31)}/section-{rng.randrange(30)}.html"]
        return Page(f"<h1>Section {own}</h1><p>{words(path, 120)}</p>", [f"/{chapter}/", *near, *far], True)

    return Site(page, 3 + pages // 31 * 31)


def directory(branches: int, levels: int) -> Site:
    """A tree: each page leads to its children and up, and to nothing else. Only the last level says something."""

    def page(path: str) -> Page:
        if path in MENU[1:]:
            return Page(f"<p>{path}</p>", [], True)
        parts = [part for part in path.split("/") if part]
        below = [f"{path.rstrip('/')}/{WORDS[n]}" for n in range(branches)] if len(parts) < levels else []
        text = f"<p>{words(path, 80)}</p>" if not below else ""
        return Page(f"<h1>{' '.join(parts)}</h1>{text}", [*below, "/" + "/".join(parts[:-1])], True)

    return Site(page, 2 + sum(branches**level for level in range(levels + 1)))


FACETS = {
    name: WORDS[n * 5 : n * 5 + 5] for n, name in enumerate(("color", "size", "brand", "cloth", "style", "season"))
}


def shop(products: int) -> Site:
    """Lists of 24 products, page by page and by facets in any order; each product with five like it."""
    traits = [
        {name: random.Random(f"{n}{name}").choice(values) for name, values in FACETS.items()} for n in range(products)
    ]

    def page(path: str) -> Page:
        if path in MENU[1:]:
            return Page(f"<p>{path}</p>", [], True)
        if path.startswith("/product/"):
            number = int(path.removeprefix("/product/"))
            rng = random.Random(path)
            like = [f"/product/{rng.randrange(products)}" for _ in range(5)]
            return Page(f"<h1>Product {number}</h1><p>{words(path, 40)}</p>", like, True)
        chosen = dict(parse_qsl(urlsplit(path).query))
        start = int(chosen.pop("page", 1)) - 1
        found = [n for n, has in enumerate(traits) if chosen.items() <= has.items()]
        shown = found[start * 24 : start * 24 + 24]
        asked = urlsplit(path).query.partition("&page=")[0].removeprefix("page=1&")
        asked = "" if asked.startswith("page=") else asked
        more = [f"/?{asked}&page={start + 2}" if asked else f"/?page={start + 2}"] if found[start * 24 + 24 :] else []
        facets = [
            f"/?{asked}&{name}={value}" if asked else f"/?{name}={value}"
            for name, values in FACETS.items() if name not in chosen for value in values
        ]  # fmt: skip
        items = "".join(f"<li>Product {n} for {n * 7 % 99} euro</li>" for n in shown)
        links = [*(f"/product/{n}" for n in shown), *more, *facets]
        return Page(f"<h1>{' '.join(chosen.values())}</h1><ul>{items}</ul>", links, path == "/")

    return Site(page, 3 + products)


def forum(threads: int) -> Site:
    """Boards, their pages, threads and users; each link holds a session of the page on which it stands."""

    def page(path: str) -> Page:
        if path in MENU[1:]:
            return Page(f"<p>{path}</p>", [], True)
        asked = dict(parse_qsl(urlsplit(path).query))
        fresh = random.Random(path).getrandbits(128).to_bytes(16).hex()
        place = urlsplit(path).path
        if place == "/":
            links, text = [f"/board?id={n}" for n in range(threads // 200)], "<h1>Boards</h1>"
        elif place == "/board":
            board, start = int(asked["id"]), int(asked.get("start", 0))
            shown = range(board * 200 + start, min(board * 200 + start + 20, board * 200 + 200))
            links = [f"/thread?id={n}" for n in shown]
            links += [f"/board?id={board}&start={start + 20}"] if start < 180 else []
            text = f"<h1>Board {board}</h1>"
        else:
            number = int(asked["id"])
            links, text = [f"/board?id={number // 200}"], f"<p>{words(f'thread {number}', 90)}</p>"
        return Page(text, [f"{url}{'&' if '?' in url else '?'}sid={fresh}" for url in links], True)

    return Site(page, 3 + threads // 200 * 210)


def wiki(articles: int, revisions: int) -> Site:
    """Articles that link to eight others, with a history of old versions each, which are nearly the same."""

    def page(path: str) -> Page:
        if path in MENU[1:]:
            return Page(f"<p>{path}</p>", [], True)
        asked = dict(parse_qsl(urlsplit(path).query))
        number = int(asked.get("title", "Page_0").removeprefix("Page_"))
        rng = random.Random(number)
        others = [f"/index.php?title=Page_{rng.randrange(articles)}" for _ in range(8)]
        others += [f"/index.php?title=Page_{number + 1}"] if number + 1 < articles else []
        own = f"/index.php?title=Page_{number}"
        text = "".join(f"<p>{words(f'{number} {n}', 25)}</p>" for n in range(5))
        if asked.get("action") == "history":
            old = [f"{own}&oldid={number * 1000 + n}" for n in range(revisions)]
            edits = "".join(f"<li>{n} May: {words(f'edit {number} {n}', 5)}</li>" for n in range(revisions))
            return Page(f"<h1>History of page {number}</h1>{edits}", [own, *old], True)
        if "oldid" in asked:
            change = words(f"change {asked['oldid']}", 25)
            return Page(
                f"<h1>Page {number}, an old version</h1>{text}<p>{change}</p>",
                [own, f"{own}&action=history", *others],
                True,
            )
        return Page(f"<h1>Page {number}</h1>{text}", [*others, f"{own}&action=history"], True)

    return Site(page, 3 + articles * (2 + revisions))


def marked(products: int) -> Site:
    """A shop whose links say where they stand (`ref`, `utm_source` with `utm_campaign`), and how a list was sorted.

    Only `id` and `page` count, and `view` on lists. Of each page the first URL that is asked for is honest.
    """
    seen: set[str] = set()
    lists = products // 24

    def page(path: str) -> Page:
        parts = urlsplit(path)
        asked = dict(parse_qsl(parts.query))
        own = parts.path
        if own == "/item":
            number = int(asked["id"])
            own += f" {number}"
            text = f"<h1>Item {number}</h1><p>{words(own, 40)}</p>"
            links = [f"/item?id={(number * 7 + n) % products}&ref={WORDS[number % 8]}" for n in range(6)]
        elif own == "/list":
            number, view = int(asked.get("page", 1)), asked.get("view", "rows")
            own += f" {number} {view}"
            text = f"<h1>Items as {view}, page {number}</h1><p>{words(own, 30)}</p>"
            first = (number - 1) * 24
            links = [
                f"/item?id={n}&ref=list&utm_source=shop&utm_campaign={WORDS[n % 40]}" for n in range(first, first + 24)
            ]
            links += [
                f"/list?page={n}&sort={sort}&view={view}"
                for n in (number - 1, number + 1)
                if 0 < n <= lists
                for sort in ("name", "price", "new", "best")
            ]
            links += [f"/list?page={number}&view={shown}" for shown in ("rows", "tiles")]
        elif own == "/":
            text, links = "<h1>Shop</h1>", ["/list?page=1"]
        else:
            text, links = f"<p>{path}</p>", []
        fresh = own not in seen
        seen.add(own)
        return Page(text, links, fresh)

    return Site(page, 3 + lists * 24 + 2 * lists)


# Traps: everything but the menu is none of their honest pages.


def trap(page: Callable[[str], tuple[str, list[str]]], **more: str) -> Site:
    """A site of nothing but a trap and its menu."""

    def honest(path: str) -> Page:
        if path in MENU[1:]:
            return Page(f"<p>{path} is written here at some length</p>", [], True)
        html, links = page(path)
        return Page(html, links, path == "/")

    return Site(honest, 3, **more)


def twelve(chosen: list[str]) -> str:
    """Twelve items, the same for the same facets in any order."""
    picked = random.Random(str(sorted(chosen))).sample(range(len(WORDS) - 1), 12)
    return "".join(f"<li>{WORDS[n]} {WORDS[n + 1]}</li>" for n in picked)


def _facets(path: str) -> tuple[str, list[str]]:
    chosen = [part for part in urlsplit(path).query.split("&") if part]
    items = "".join(
        f"<li>{WORDS[n]} {WORDS[n + 1]}</li>"
        for n in random.Random(str(sorted(chosen))).sample(range(len(WORDS) - 1), 12)
    )
    more = [f"{name}={value}" for name, values in FACETS.items() for value in values]
    links = [f"/?{'&'.join([*chosen, one])}" for one in more if one not in chosen]
    return f"<h1>{' and '.join(chosen)}: 12 results</h1><ul>{items}</ul>", links


def _path_facets(path: str) -> tuple[str, list[str]]:
    chosen = [part for part in path.split("/") if part]
    items = "".join(
        f"<li>{WORDS[n]} {WORDS[n + 1]}</li>"
        for n in random.Random(str(sorted(chosen))).sample(range(len(WORDS) - 1), 12)
    )
    links = [f"{path.rstrip('/')}/{value}" for values in FACETS.values() for value in values if value not in chosen]
    return f"<h1>{' and '.join(chosen)}: 12 results</h1><ul>{items}</ul>", links


def _soft_404(path: str) -> tuple[str, list[str]]:
    rng = random.Random(path)
    links = [f"{path.rstrip('/')}/{rng.choice(WORDS)}" for _ in range(6)]
    return f"<h1>Not found</h1><p>There is no page {path} here.</p>", links


def _words(path: str) -> tuple[str, list[str]]:
    rng = random.Random(path)
    links = ["/" + "-".join(rng.choice(WORDS) for _ in range(5)) for _ in range(8)]
    return f"<h1>{words(path, 3)}</h1><p>{words(path, 150)}</p>", links


def _sessions(path: str) -> tuple[str, list[str]]:
    rng = random.Random(path)
    session = "-".join(rng.choice(WORDS) for _ in range(4))
    place = path.rpartition("/")[2] or "home"
    links = [f"/{session}/{name}" for name in ("home", "news", "goods", "prices", "staff", "places")]
    return f"<h1>{place}</h1><p>{words(place, 100)}</p>", links


COUNTED = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "october", "november", "december")


def _calendar(path: str) -> tuple[str, list[str]]:
    spelled = path.strip("/").removeprefix("calendar/").split("/")
    digits = [COUNTED.index(word) for word in spelled[0].split("-")] if path != "/" else [5, 5, 5, 5]
    number = sum(digit * 10**n for n, digit in enumerate(reversed(digits)))

    def name(year: int, month: str) -> str:
        return f"/calendar/{'-'.join(COUNTED[int(digit)] for digit in str(year))}/{month}"

    links = [name(year, month) for year in (number - 1, number, number + 1) for month in MONTHS]
    return f"<h1>{' '.join(spelled)}</h1><p>Nothing happens in this month.</p>", links


def _wildcard(url: str) -> tuple[str, list[str]]:
    rng = random.Random(url)
    links = [f"http://{rng.choice(WORDS)}-{rng.choice(WORDS)}-{rng.choice(WORDS)}.trap.test/" for _ in range(10)]
    return f"<h1>Welcome</h1><p>{words(url, 60)}</p>", links


def _counter(path: str) -> tuple[str, list[str]]:
    """Addresses at random, and a number that is another each time."""
    _, links = _words(path)
    return f"<p>You are visitor {random.randrange(10**9)}.</p>", links


def _pictures(path: str) -> tuple[str, list[str]]:
    """Addresses at random, each with a picture of its own."""
    _, links = _words(path)
    return f'<img src="/images/{random.Random(path).getrandbits(64):x}.jpg">', links


def mixed(pages: int) -> Site:
    """Documentation that a trap of random words stands beside, found from each of its pages."""
    honest = documentation(pages)

    def page(path: str) -> Page:
        if path.startswith("/maze/"):
            html, links = _words(path)
            return Page(html, [f"/maze{url}" for url in links], False)
        found = honest.page(path)
        return Page(found.html, [*found.links, f"/maze/{words(path, 1)}"], True)

    return Site(page, honest.honest)


def sites(scale: int) -> dict[str, Site]:
    """All of them; `scale` divides the size of honest ones."""
    return {
        "documentation": documentation(30_000 // scale),
        "directory": directory(31 if scale == 1 else 10, 3),
        "shop": shop(5_000 // scale),
        "forum": forum(10_000 // scale),
        "wiki": wiki(2_000 // scale, 10),
        "marked": marked(480),
        **plain_sites(scale),
        "facets": trap(_facets),
        "facets in paths": trap(_path_facets),
        "soft 404": trap(_soft_404),
        "words": trap(_words),
        "sessions in paths": trap(_sessions),
        "calendar in words": trap(_calendar),
        "counter": trap(_counter),
        "pictures": trap(_pictures),
        "wildcard DNS": trap(_wildcard, seed="http://trap.test/", scope="domain")._replace(honest=0),
        "mixed": mixed(10_000 // scale),
    }


def crawled(site: Site, folder: Path, **settings: object) -> Found:
    """Crawl a site to its end."""
    honest: set[str] = set()
    others = 0

    def respond(request: FetchRequest) -> FetchResult:
        nonlocal others
        parts = urlsplit(request.url)
        if parts.path == "/robots.txt":
            return answer(request, site.robots) if site.robots else answer(request, status=404)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        asked = request.url if site.scope == "domain" else path
        page = site.page("/" if request.url == site.seed and site.scope == "host" else asked)
        if page.honest:
            honest.add(path if site.scope == "host" else request.url)
        else:
            others += 1
        if page.is_file:
            return answer(request, f"%PDF-1.7 {page.html}", headers=(("content-type", "application/pdf"),))
        menu = "".join(f'<a href="{url}">{url.strip("/") or "home"}</a> ' for url in MENU)
        body = (
            f"<title>A site</title><div>{menu}</div>{page.html}<ul>{anchors(page.links)}</ul><p>The end of a page</p>"
        )
        return answer(request, body)

    config = CrawlConfig(
        seeds=(site.seed,), job=folder, scope=site.scope, delay_s=0, per_host=16, strategy="async", **settings
    )
    started = time.perf_counter()
    crawler = Crawler(config, transport=FakeTransport(respond))
    stats = asyncio.run(crawler.run())
    return Found(len(honest), others, stats.known, time.perf_counter() - started, stats)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="these sites alone")
    parser.add_argument("--quick", action="store_true", help="honest sites of a tenth of the size")
    arguments = parser.parse_args()
    made = sites(10 if arguments.quick else 1)
    missed = False
    print("| site | honest pages | lost | other pages | URLs known | seconds |\n| --- | --- | --- | --- | --- | --- |")
    for name in arguments.names or made:
        with tempfile.TemporaryDirectory(prefix="bench-traps-") as folder:
            found = crawled(made[name], Path(folder) / "job")
        lost = made[name].honest - found.honest
        trapped = found.others > MOST_TRAP_PAGES and name not in {"shop", "marked"}
        missed |= lost > 0 or trapped
        print(
            f"| {name} | {made[name].honest:,} | {lost:,} | {found.others:,} | {found.known:,} | {found.seconds:.0f} |",
            flush=True,
        )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
