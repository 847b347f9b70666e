"""What parsers are made to do with a page at /bad: hang, run out of memory, or die. Parser processes import this."""

import ctypes
import os
import resource
import sys
import time
from typing import Any

from crawler.model import Done, Page
from crawler.worker import parse_page

__all__ = ["aborts", "allocates", "exits", "hoards", "hogs", "raises", "segfaults", "sleeps", "spins"]


def _bad(page: Page) -> bool:
    return page.url.endswith("/bad")


def _without_core() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def sleeps(page: Page, state: Any) -> Done:
    """An hour."""
    if _bad(page):
        time.sleep(3600)
    return parse_page(page, state)


def spins(page: Page, state: Any) -> Done:
    """In one C call that holds the GIL."""
    if _bad(page):
        pow(7, 1 << 28)
    return parse_page(page, state)


def allocates(page: Page, state: Any) -> Done:
    """Without end, a megabyte at a time."""
    kept = []
    while _bad(page):
        kept.append(bytearray(1 << 20))
    return parse_page(page, state)


def hogs(page: Page, state: Any) -> Done:
    """Too much at once."""
    if _bad(page):
        bytearray(1 << 34)
    return parse_page(page, state)


def hoards(page: Page, state: Any) -> Done:
    """A list that grows while every MemoryError is caught."""
    kept: list[Any] = []
    while _bad(page):
        try:
            kept.append(bytearray(1 << 20))
        except MemoryError:
            time.sleep(0.01)
    return parse_page(page, state)


def aborts(page: Page, state: Any) -> Done:
    """SIGABRT."""
    if _bad(page):
        _without_core()
        os.abort()
    return parse_page(page, state)


def segfaults(page: Page, state: Any) -> Done:
    """SIGSEGV."""
    if _bad(page):
        _without_core()
        ctypes.string_at(0)
    return parse_page(page, state)


def exits(page: Page, state: Any) -> Done:
    """Ends the process as if all were well."""
    if _bad(page):
        os._exit(0)
    return parse_page(page, state)


def raises(page: Page, state: Any) -> Done:
    """An exception that is none of `Exception`."""
    if _bad(page):
        sys.exit("enough")
    return parse_page(page, state)
