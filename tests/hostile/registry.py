"""The behaviours of hostile servers: what each does, and what a crawl of it must show.

A behaviour is one small handler with the decorator `behaviour`, in one of the files that `THEMES` names:

    @behaviour(
        row=4,
        does="gzip bomb",
        must="count decompressed bytes, stop at the cap",
        expects={"/": "fetched"},
        records={"/": {"truncated": True, "body_bytes": CAP}},
    )
    async def gzip_bomb(ask):
        await ask.answer(gzip_of(50 << 20), "Content-Encoding: gzip")

The handler is called for each request (`tests/hostile/ask.py`); `/robots.txt` is 404 unless `robots=True`.
`test_rows.py` crawls it beside three healthy hosts and compares; `docs/robustness.md` lists it.
"""

import importlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from tests.hostile.ask import Ask

__all__ = ["CAP", "ROWS", "Behaviour", "behaviour", "behaviours"]

THEMES = (
    "headers",
    "bodies",
    "codings",
    "redirects",
    "addresses",
    "cookies",
    "traps",
    "pages",
    "charsets",
    "robots",
    "waiting",
    "sitemaps",
    "tls",
    "parsers",
    "machine",
    "neighbours",
)
ROWS = 47
CAP = 100_000
"""Longest body in these crawls, unless a behaviour sets another."""

Handler = Callable[[Ask], Awaitable[None]]


@dataclass(frozen=True)
class Behaviour:
    """What a server does and what follows.

    `row` of the list of 47; `does` and `must` in words. `settings` are those of `CrawlConfig` that differ from
    `run.SETTINGS`; behaviours of a row with the same settings share a crawl. `seed` is the path where it starts, or a
    URL with `{places}`.

    `expects` maps URLs that come to be known to how they end. A URL is a path, or a whole one with `{places}`; `*`
    stands for anything. An end is an outcome with its reason (`*` too); `waits` means "due again later". Every URL that
    the seed leads to needs its line, the first that matches counts, and every line but `*` needs its URL. `records`
    has fields of the records of those that were fetched, by path. `check` gets the crawl's `Evidence` and asserts the
    rest.
    `lasts`: the crawl is ended when the pages of the healthy hosts have come.
    `shows` is the outcome in words, where `expects` and `records` say too little.
    """

    name: str
    row: int
    does: str
    must: str
    handler: Handler
    theme: str
    address: str
    seed: str
    settings: Mapping[str, Any]
    expects: Mapping[str, str]
    records: Mapping[str, Mapping[str, Any]]
    check: Callable[[Any], None] | None
    shows: str
    robots: bool
    both: bool
    parse: Callable[..., Any] | None = None
    names: Mapping[str, Any] = field(default_factory=dict)
    lasts: bool = False


_registered: list[Behaviour] = []


def behaviour(
    *,
    row: int,
    does: str,
    must: str,
    expects: Mapping[str, str],
    records: Mapping[str, Mapping[str, Any]] | None = None,
    settings: Mapping[str, Any] | None = None,
    seed: str = "/",
    check: Callable[[Any], None] | None = None,
    shows: str = "",
    robots: bool = False,
    both: bool = False,
    parse: Callable[..., Any] | None = None,
    names: Mapping[str, Any] | None = None,
    lasts: bool = False,
) -> Callable[[Handler], Handler]:
    """Register a handler; for the arguments see `Behaviour`.

    `robots`: the handler answers /robots.txt too. `both`: run it on both transports. `parse`: the crawl's spider.
    `names`: what a resolver answers, by name: addresses, or a list of such answers in turn. `lasts`: see there.
    """

    def register(handler: Handler) -> Handler:
        name = handler.__name__
        assert all(known.name != name for known in _registered), f"two behaviours are called {name}"
        variant = 1 + sum(known.row == row for known in _registered)
        _registered.append(
            Behaviour(
                name=name,
                row=row,
                does=does,
                must=must,
                handler=handler,
                theme=handler.__module__.rpartition(".")[2],
                address=f"127.66.{row}.{variant}",
                seed=seed,
                settings=dict(settings or {}),
                expects=dict(expects),
                records=dict(records or {}),
                check=check,
                shows=shows,
                robots=robots,
                both=both,
                parse=parse,
                names=dict(names or {}),
                lasts=lasts,
            )
        )
        return handler

    return register


@cache
def behaviours() -> tuple[Behaviour, ...]:
    """All of them, row by row."""
    for theme in THEMES:
        importlib.import_module(f"tests.hostile.{theme}")
    return tuple(sorted(_registered, key=lambda one: one.row))
