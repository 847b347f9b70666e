"""Sites without end: calendars, session ids, paths that repeat."""

import asyncio
import datetime as dt
import uuid
from itertools import count

from tests.hostile.registry import behaviour

CHAIN = 8
SETTINGS = {"max_chain": CHAIN, "per_host": 8}
BUDGET = "depth and per-pattern budget: `skipped: trap`"


def ends_in_traps(most: int):
    """A few pages only, and at least one link that was not followed because of a trap."""

    def check(seen):
        assert len(seen.asked) <= most, f"{len(seen.asked)} requests: {seen.asked[-1]['path']}"
        assert any(ended in {"skipped: trap", "skipped: repeats"} for _, ended in seen.ended)

    return check


TRAP = {"/": "fetched", "/*": "fetched | skipped: trap | skipped: repeats"}


def calendar(does: str, most: int = 4 * CHAIN):
    return behaviour(row=22, does=does, must=BUDGET, settings=SETTINGS, expects=TRAP, check=ends_in_traps(most))


@calendar("calendar without end, both ways, in the query")
async def query_calendar(ask):
    year, month = map(int, ask.path.partition("=")[2].split("-")) if "=" in ask.path else (2026, 1)
    number = year * 12 + month - 1
    await ask.page(*(f"/?month={n // 12:04}-{n % 12 + 1:02}" for n in (number - 1, number + 1)))


@calendar("calendar in the path, day by day")
async def path_calendar(ask):
    parts = [part for part in ask.path.split("/") if part]
    day = dt.date(*map(int, parts)) if parts else dt.date(2026, 1, 1)
    await ask.page(*((day + dt.timedelta(n)).strftime("/%Y/%m/%d/") for n in (-1, 1)))


@calendar("calendar with names of months and days")
async def named_calendar(ask):
    spelling = "/events/%A-%d-%B-%Y"
    day = dt.datetime(2026, 1, 1) if ask.path == "/" else dt.datetime.strptime(ask.path, spelling)  # noqa: DTZ001, DTZ007
    await ask.page((day + dt.timedelta(17)).strftime(spelling))


@calendar("calendar that goes from month to week to month", 12 * CHAIN)
async def alternating_calendar(ask):
    number = int(ask.path.rpartition("/")[2] or 0)
    await ask.page(f"/week/{number + 1}" if "month" in ask.path else f"/month/{number + 1}")


@calendar("pages of random tokens, each of which leads to another")
async def token_pages(ask):
    await ask.page(f"/id/{uuid.uuid4()}", "/")


@calendar("a rotation of many patterns, so that none follows itself", 12 * CHAIN)
async def rotating_patterns(ask):
    number = int(ask.path.rpartition("/")[2] or 0) + 1
    await ask.page(f"/{'abcdefg'[number % 7]}/{number}")


@calendar("words that count without digits", 12 * CHAIN)
async def spelled_numbers(ask):
    number = ask.path.count("x") + 1
    await ask.page("/" + "-".join(["x"] * number))


@calendar("calendar on each page of which something fresh is found, which ends too", 250 * CHAIN)
async def bringing_calendar(ask):
    number = int(ask.path.rpartition("/")[2] or 0) if "by" not in ask.path else None
    await ask.page(*([] if number is None else [f"/month/{number + 1}", "/by-" + "x" * number]))


@calendar("calendar whose months are found from fresh pages only", 12 * CHAIN)
async def calendar_by_way_of_others(ask):
    number = int(ask.path.rpartition("/")[2] or 0) if "by" not in ask.path else len(ask.path)
    await ask.page(f"/month/{number + 1}" if "by" in ask.path else "/by-" + "x" * (number - 3))


@calendar("a tree of random tokens: two fresh ones on each page", 250 * CHAIN)
async def token_tree(ask):
    await ask.page(f"/id/{uuid.uuid4()}", f"/id/{uuid.uuid4()}")


@behaviour(
    row=22,
    does="a long list of pages of 10 articles each (no trap)",
    must="pagination that brings articles is crawled to its end",
    settings=SETTINGS,
    expects={"/": "fetched", "/*": "fetched"},
    check=lambda seen: seen.assert_ended("fetched", 1 + 3 * CHAIN + 3 * CHAIN * 2),
)
async def honest_pagination(ask):
    number = int(ask.path.partition("=")[2] or 1) if "=" in ask.path else 1
    words = ["amber", "birch", "cedar", "daisy", "elder", "fern", "gorse", "hazel", "iris", "juniper"]

    def article(n: int, suffix: str) -> str:
        return f"/article/on-{words[n % 10]}-and-{words[n // 10 % 10]}-{suffix}"

    if ask.path.startswith("/article/"):
        await ask.page()
        return
    following = [f"/?page={number + 1}"] if number <= 3 * CHAIN else []
    articles = [article(number, "one"), article(number, "two")] if number > 1 else []
    await ask.page(*following, *articles)


STRIPPED = "known parameters stripped, duplicate content noticed"
_fresh = count(1)


def ten_pages_once(seen):
    """However many spellings there are, each page was asked for once."""
    paths = [one["path"] for one in seen.asked if one["path"] != "/robots.txt"]
    assert len(paths) == 11, paths


def session(does: str):
    return behaviour(row=23, does=does, must=STRIPPED, expects={"/": "fetched", "/*": "fetched"}, check=ten_pages_once)


@session("session ids in the path of every link, new on every page")
async def path_sessions(ask):
    await ask.page(*(f"/page/{n};jsessionid={next(_fresh):032X}" for n in range(10)))


@session("session ids in the query, new on every page")
async def query_sessions(ask):
    await ask.page(*(f"/page?n={n}&PHPSESSID={next(_fresh):032x}" for n in range(10)))


@session("session ids under ordinary names, among other parameters")
async def sid_sessions(ask):
    await ask.page(*(f"/page?sid=a{next(_fresh):031x}&n={n}&s=kept" for n in range(10)))


@behaviour(
    row=23,
    does="a redirect that adds the session id",
    must="followed: no loop",
    expects={"/": "redirected", "/?*": "fetched", "/page": "fetched"},
)
async def redirect_with_session(ask):
    if ask.path == "/":
        await ask.redirect("/?PHPSESSID=0123456789abcdef0123456789abcdef")
    else:
        await ask.page("/page?PHPSESSID=0123456789abcdef0123456789abcdef")


@behaviour(
    row=23,
    does="the same page under ten parameters that nobody knows",
    must="duplicates are noticed and counted",
    expects={"/": "fetched", "/?ref=*": "fetched"},
    check=lambda seen: _duplicates(seen, 10),
)
async def same_page(ask):
    await ask.page(*(f"/?ref={n}" for n in range(10)), title="the same")


def _duplicates(seen, number):
    assert seen.stats.duplicates == number, seen.stats.duplicates
    assert len({record["body_hash"] for record in seen.records.values()}) == 1


def repeats(does: str, expects: dict, most: int):
    return behaviour(
        row=24,
        does=does,
        must="more than 3 repeats: `skipped: trap`",
        expects=expects,
        check=lambda seen: seen.assert_requests(most),
    )


@repeats(
    "/a/a/a/a…",
    {"/": "fetched", "/a/": "fetched", "/a/a/": "fetched", "/a/a/a/": "fetched", "/a/a/a/a/": "skipped: trap"},
    5,
)
async def one_repeats(ask):
    await ask.answer('<a href="a/">deeper</a>')


@repeats("/a/b/a/b…", {"/": "fetched", "/a/b/a/b/a/b/a/b*": "skipped: trap", "/a*": "fetched"}, 9)
async def two_repeat(ask):
    await ask.answer(f'<a href="{"b" if ask.path.rstrip("/").endswith("a") else "a"}/">deeper</a>')


@repeats("blocks of five segments that repeat", {"/": "fetched", "/*": "fetched | skipped: trap"}, 22)
async def five_repeat(ask):
    await ask.answer(f'<a href="{"abcde"[ask.path.count("/") % 5]}x/">deeper</a>')


@repeats("the same parameter again and again", {"/": "fetched", "/?*": "fetched | skipped: trap"}, 6)
async def parameter_repeats(ask):
    await ask.page(f"{ask.path}&again=1" if "?" in ask.path else "/?again=1")


@repeats("repeats under something that changes", {"/": "fetched", "/*": "fetched | skipped: trap"}, 8)
async def repeats_below(ask):
    start = ask.path if ask.path != "/" else f"/n{ask.number}/"
    await ask.page(f"{start}same/", "/other/same/same/same/same/x")
    await asyncio.sleep(0)
