"""Honest sites whose pages say little: what tells one from another is a number, a picture, a word or a link.

Each is finite, and none of its pages may be lost (`bench.traps`).
"""

import random
from collections.abc import Callable, Sequence
from urllib.parse import parse_qsl, urlsplit

from bench.made_site import MENU, WORDS, Page, Site, words

__all__ = ["plain_sites"]

_SAME = words("the same on all pages", 100)


def _name(number: int) -> str:
    """Two or three words for a number, as addresses have them."""
    places = []
    while number or not places:
        number, place = divmod(number, len(WORDS))
        places.append(WORDS[place])
    return "-".join(places)


def _site(count: int, page: Callable[[str, dict[str, str]], tuple[str, Sequence[str]]]) -> Site:
    """A site of honest pages alone: the first page, two of the menu and `count` more."""

    def answer(path: str) -> Page:
        if path in MENU[1:]:
            return Page(f"<p>{path}</p>", [], True)
        parts = urlsplit(path)
        html, links = page(parts.path, dict(parse_qsl(parts.query)))
        return Page(html, links, True)

    return Site(answer, 3 + count)


def gallery(photos: int) -> Site:
    """Photos without a caption, 24 to a list, and lists that only lead to the next one."""

    def page(path: str, asked: dict[str, str]) -> tuple[str, list[str]]:
        if path.startswith("/photo/"):
            number = int(path.removeprefix("/photo/"))
            near = [f"/photo/{n}" for n in (number - 1, number + 1) if 0 <= n < photos]
            return f'<img src="/images/{random.Random(path).getrandbits(64):x}.jpg" width=800>', near
        start = int(asked.get("page", 1)) - 1
        shown = range(start * 24, min(photos, start * 24 + 24))
        thumbs = "".join(f'<img src="/small/{random.Random(f"{n}").getrandbits(64):x}.jpg">' for n in shown)
        more = [f"/?page={start + 2}"] if shown and shown[-1] + 1 < photos else []
        return thumbs, [*(f"/photo/{n}" for n in shown), *more]

    return _site(photos + -(-photos // 24) - 1, page)


def _in_lists(lists: int, each: int, say: Callable[[str], str]) -> Site:
    """Entries that say something by their paths, so many to a list."""

    def page(path: str, _: dict[str, str]) -> tuple[str, list[str]]:
        kind, _, name = path.strip("/").partition("/")
        if not kind:
            return "<h1>All</h1>", [f"/list/{_name(n)}" for n in range(lists)]
        if kind == "list":
            first = next(n for n in range(lists) if _name(n) == name) * each
            return "<h1>List</h1>", [f"/entry/{_name(n)}" for n in range(first, first + each)]
        return say(path), ["/"]

    return _site(lists * (1 + each), page)


def one_number(pages: int) -> Site:
    """Pages of the same hundred words with one number each, in lists of a hundred."""
    return _in_lists(pages // 100, 100, lambda path: f"<p>{_SAME}</p><b>{random.Random(path).randrange(10**6)}</b>")


def stations(number: int) -> Site:
    """Weather stations, their months, and for each day a table of bare numbers."""

    def page(path: str, _: dict[str, str]) -> tuple[str, list[str]]:
        parts = [part for part in path.split("/") if part]
        if not parts:
            return "<h1>Stations</h1>", [f"/{_name(n)}/" for n in range(number)]
        if len(parts) == 1:
            return "<h1>Months</h1>", [f"/{parts[0]}/2023-{month:02}/" for month in range(1, 13)]
        if len(parts) == 2:
            return "<h1>Days</h1>", [f"/{parts[0]}/{parts[1]}/{day:02}.html" for day in range(1, 29)]
        rng = random.Random(path)
        rows = "".join(f"<tr><td>{hour}<td>{rng.randrange(300) / 10}" for hour in range(24))
        day = int(parts[2][:2])
        near = [f"/{parts[0]}/{parts[1]}/{other:02}.html" for other in (day - 1, day + 1) if 1 <= other <= 28]
        return f"<table>{rows}</table>", [f"/{parts[0]}/{parts[1]}/", *near]

    return _site(number * (1 + 12 * 29), page)


def events(years: int) -> Site:
    """A calendar that ends: years, months, days, most of which are empty and say so."""

    def page(path: str, _: dict[str, str]) -> tuple[str, list[str]]:
        parts = [part for part in path.split("/") if part]
        if not parts:
            return "<h1>Calendar</h1>", [f"/{2000 + n}/" for n in range(years)]
        if len(parts) == 1:
            return f"<h1>{parts[0]}</h1>", [f"/{parts[0]}/{month}/" for month in range(1, 13)]
        if len(parts) == 2:
            return f"<h1>{parts[1]} {parts[0]}</h1>", [f"{path}{day}" for day in range(1, 29)]
        happens = f"<p>{words(path, 12)}</p>" if random.Random(path).random() < 0.2 else "<p>Nothing on this day.</p>"
        return happens, [f"/{parts[0]}/{parts[1]}/"]

    return _site(years * (1 + 12 * 29), page)


def dictionary(entries: int) -> Site:
    """Entries of two words, one of them the word itself, in lists of 200."""

    def say(path: str) -> str:
        return f"<b>{path.rpartition('/')[2]}</b> <i>{random.Random(path).choice(WORDS)}</i>"

    return _in_lists(entries // 200, 200, say)


def stubs(articles: int) -> Site:
    """A wiki of stubs: the title, which is the address, the same sentence, and when it was edited; links to others."""

    def page(path: str, _: dict[str, str]) -> tuple[str, list[str]]:
        number = 0 if path == "/" else int(path.rpartition("-")[2])
        rng = random.Random(number)
        others = {2 * number + 1, 2 * number + 2, rng.randrange(1, articles)}
        edited = f"{rng.randrange(1, 29)} May {rng.randrange(2003, 2025)}, {rng.randrange(24)}:{rng.randrange(60)}"
        text = f"<h1>Subject {number}</h1><p>This article is a stub.</p><p>Last edited on {edited}</p>"
        return text, [f"/subject-{n}" for n in sorted(others) if n < articles]

    return _site(articles - 1, page)


def replies(threads: int) -> Site:
    """A forum in which people say one word."""

    def page(path: str, asked: dict[str, str]) -> tuple[str, list[str]]:
        if path.startswith("/thread/"):
            said = "".join(
                f"<p>{random.Random(f'{path}{n}').choice(('yes', 'no', 'thanks', 'bump'))}</p>" for n in range(3)
            )
            return f"<h1>{path.rpartition('/')[2]}</h1>{said}", ["/"]
        start = int(asked.get("page", 1)) - 1
        shown = range(start * 50, min(threads, start * 50 + 50))
        more = [f"/?page={start + 2}"] if shown and shown[-1] + 1 < threads else []
        return "<h1>Threads</h1>", [*(f"/thread/{_name(n)}" for n in shown), *more]

    return _site(threads + -(-threads // 50) - 1, page)


def sources(files: int) -> Site:
    """A browser of source code: folders of 40 files, each with the same licence and a few names of its own."""

    def page(path: str, _: dict[str, str]) -> tuple[str, list[str]]:
        parts = [part for part in path.split("/") if part]
        if not parts:
            return "<h1>Tree</h1>", [f"/{_name(n)}/" for n in range(files // 40)]
        if len(parts) == 1:
            return f"<h1>{parts[0]}</h1>", [f"/{parts[0]}/{_name(n)}.c" for n in range(40)]
        rng = random.Random(path)
        lines = "".join(f"<td>{n}<td>int {rng.choice(WORDS)}_{rng.randrange(99)};" for n in range(9))
        return f"<p>{_SAME}</p><table>{lines}</table>", [f"/{parts[0]}/"]

    return _site(files // 40 * 41, page)


def variants(products: int) -> Site:
    """Products in five colours, each at an address of its own with a price of its own."""
    colours = WORDS[:5]

    def page(path: str, asked: dict[str, str]) -> tuple[str, list[str]]:
        if path.startswith("/product/"):
            number, colour = path.removeprefix("/product/"), asked.get("colour", "")
            price = random.Random(f"{number}{colour}").randrange(10**5)
            others = [f"/product/{number}?colour={one}" for one in colours]
            return f"<h1>{number}</h1><p>{words(number, 8)}</p><b>{colour} {price}</b>", others
        start = int(asked.get("page", 1)) - 1
        shown = range(start * 24, min(products, start * 24 + 24))
        more = [f"/?page={start + 2}"] if shown and shown[-1] + 1 < products else []
        return "<h1>Products</h1>", [*(f"/product/{_name(n)}" for n in shown), *more]

    return _site(products * 6 + -(-products // 24) - 1, page)


def comic(chapters: int) -> Site:
    """Chapters of 25 pages: a picture each, and a link to the next."""

    def page(path: str, _: dict[str, str]) -> tuple[str, list[str]]:
        parts = [part for part in path.split("/") if part]
        if not parts:
            return "<h1>Chapters</h1>", [f"/{_name(n)}/1" for n in range(chapters)]
        number = int(parts[1])
        more = [f"/{parts[0]}/{number + 1}"] if number < 25 else []
        return f'<img src="/scans/{random.Random(path).getrandbits(64):x}.png">', more

    return _site(chapters * 25, page)


def bookmarks(folders: int) -> Site:
    """A tree of folders that hold nothing but links to other sites."""

    def page(path: str, _: dict[str, str]) -> tuple[str, list[str]]:
        number = 0 if path == "/" else int(path.rpartition("-")[2])
        rng = random.Random(number)
        below = [f"/folder-{n}" for n in range(number * 8 + 1, number * 8 + 9) if n < folders]
        return "<h1>Links</h1>", [
            *below,
            *(f"https://{rng.choice(WORDS)}-{rng.randrange(10**6)}.test/" for _ in range(9)),
        ]

    return _site(folders - 1, page)


def languages(pages: int) -> Site:
    """Pages in twenty languages, each of which leads to the other nineteen and to the next pages of its own."""

    def page(path: str, _: dict[str, str]) -> tuple[str, list[str]]:
        parts = [part for part in path.split("/") if part] or ["la", "0"]
        number = int(parts[1])
        text = words(f"{parts[0]} {number}", 20)
        others = [f"/l{one}/{number}" for one in "abcdefghijklmnopqrst"]
        more = [f"/{parts[0]}/{n}" for n in range(number * 3 + 1, number * 3 + 4) if n < pages]
        return f"<h1>{parts[0]} {number}</h1><p>{text}</p>", [*others, *more]

    return _site(pages * 20, page)


def edited(articles: int) -> Site:
    """A wiki whose articles lead to four pages of their own each that robots.txt forbids."""

    def page(path: str, asked: dict[str, str]) -> tuple[str, list[str]]:
        if path == "/":
            start = int(asked.get("from", 0))
            shown = range(start, min(start + 200, articles))
            more = [f"/?from={start + 200}"] if start + 200 < articles else []
            return "<h1>All articles</h1>", [*(f"/wiki/{_name(n)}" for n in shown), *more]
        name, rng = path.rpartition("/")[2], random.Random(path)
        own = [f"/w/{name}/{action}" for action in ("edit", "history", "info", "print")]
        text = f"<h1>{name}</h1><p>{words(path, 60)}</p>"
        return text, [*(f"/wiki/{_name(rng.randrange(articles))}" for _ in range(3)), *own]

    return _site(articles + -(-articles // 200) - 1, page)._replace(robots="User-agent: *\nDisallow: /w/\n")


def papers(number: int) -> Site:
    """Papers that say no more than where their file is, in lists linked page to page."""

    def answer(path: str) -> Page:
        if path in MENU[1:]:
            return Page(f"<p>{path}</p>", [], True)
        if path.startswith("/paper/"):
            return Page("<p>Abstract on paper</p>", [f"/file/{path.rpartition('/')[2]}"], True)
        if path.startswith("/file/"):
            return Page(path, [], True, is_file=True)
        start = int(path.partition("=")[2] or 0)
        more = [f"/?from={start + 48}"] if start + 48 < number else []
        return Page("<h1>List</h1>", [*(f"/paper/{n}" for n in range(start, min(start + 48, number))), *more], True)

    return Site(answer, 2 + 2 * number + -(-number // 48))


def plain_sites(scale: int) -> dict[str, Site]:
    """All of them; `scale` divides their size."""
    return {
        "gallery": gallery(4_000 // scale),
        "one number": one_number(4_000 // scale),
        "stations": stations(20 // min(scale, 10)),
        "events": events(20 // min(scale, 10)),
        "dictionary": dictionary(6_000 // scale),
        "stubs": stubs(4_000 // scale),
        "replies": replies(4_000 // scale),
        "sources": sources(8_000 // scale),
        "variants": variants(1_000 // scale),
        "comic": comic(160 // scale),
        "bookmarks": bookmarks(3_000 // scale),
        "languages": languages(200 // scale),
        "edited": edited(8_000 // scale),
        "papers": papers(4_000 // scale),
    }
