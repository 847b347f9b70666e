"""What parsers are made to do with a page at /bad: hang, run out of memory, or die. Parser processes import this."""

import ctypes
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

from crawler.page.page import Page

__all__ = [
    "aborts",
    "allocates",
    "exits",
    "hoards",
    "hogs",
    "raises",
    "reads_all",
    "segfaults",
    "selects",
    "sleeps",
    "spins",
]


def _at_bad(harm: Callable[[], None]) -> Callable[[Page], Iterator[Any]]:
    """A spider that reads pages as a crawl without one does; at the one at /bad it does `harm` first."""

    @wraps(harm)  # a parser process finds it by that name
    def parse(page: Page) -> Iterator[Any]:
        if page.url.endswith("/bad"):
            harm()
        yield page.record()
        yield page.follow()

    return parse


def reads_all(page: Page) -> Iterator[Any]:
    """What the values of a page that can get large hold, besides its record."""
    places = sum(len(row) for table in page.tables for row in table)
    yield {**page.record(), "places": places, "items": len(page.microdata)}
    yield page.follow()


def selects(page: Page) -> Iterator[Any]:
    """With an expression that takes time by the square of the page."""
    yield {**page.record(), "found": len(page.css("p ~ i")), "behind": page.xpath("count(//p/following::i)")}
    yield page.follow()


def _without_core() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@_at_bad
def sleeps() -> None:
    """An hour."""
    time.sleep(3600)


@_at_bad
def spins() -> None:
    """In one C call that holds the GIL."""
    pow(7, 1 << 28)


@_at_bad
def allocates() -> None:
    """Without end, a megabyte at a time."""
    kept = []
    while True:
        kept.append(bytearray(1 << 20))


@_at_bad
def hogs() -> None:
    """Too much at once."""
    bytearray(1 << 34)


@_at_bad
def hoards() -> None:
    """A list that grows while every MemoryError is caught."""
    kept: list[Any] = []
    while True:
        try:
            kept.append(bytearray(1 << 20))
        except MemoryError:
            time.sleep(0.01)


@_at_bad
def aborts() -> None:
    """SIGABRT."""
    _without_core()
    os.abort()


@_at_bad
def segfaults() -> None:
    """SIGSEGV."""
    _without_core()
    ctypes.string_at(0)


@_at_bad
def exits() -> None:
    """Ends the process as if all were well."""
    os._exit(0)


@_at_bad
def raises() -> None:
    """An exception that is none of `Exception`."""
    sys.exit("enough")
