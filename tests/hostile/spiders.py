"""What parsers are made to do with a page at /bad: hang, run out of memory, or die. Parser processes import this."""

import ctypes
import os
import re
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
    "exits_at_killers",
    "hoards",
    "hogs",
    "raises",
    "reads_all",
    "segfaults",
    "selects",
    "sleeps",
    "sleeps_at_slow_hosts",
    "spins",
]


def _at(pattern: str) -> Callable[[Callable[[], None]], Callable[[Page], Iterator[Any]]]:
    """A spider that reads pages as a crawl without one does; where a URL matches it does harm first."""
    bad = re.compile(pattern)

    def decorate(harm: Callable[[], None]) -> Callable[[Page], Iterator[Any]]:
        @wraps(harm)  # a parser process finds it by that name
        def parse(page: Page) -> Iterator[Any]:
            if bad.search(page.url):
                harm()
            yield page.record()
            yield page.follow()

        return parse

    return decorate


_at_bad = _at("/bad$")


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


@_at(r"slow_parse_hosts\.localhost:")
def sleeps_at_slow_hosts() -> None:
    """Half a second."""
    time.sleep(0.5)


@_at(r"killer_hosts\.localhost:\d+/.")
def exits_at_killers() -> None:
    """Ends the process, at all but their first pages."""
    os._exit(9)
