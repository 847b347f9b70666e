"""Hosts of a job by a part of their names."""

import time
from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import Struct

from crawler.core.host_rows import CLOCK, HEAD, WHOLE
from crawler.frontier.store import Store
from crawler.web.urls import authority

__all__ = ["host_names"]

_KEY_BYTES: Final = 8
_LOOK_EVERY: Final = 256
_LAST: Final = b"\xff" * 9
"""Behind a host's key: greater than any place of its URLs."""
_STATES: Final = {HEAD, WHOLE, CLOCK}


class _Named(Struct, array_like=True):
    """What of a host's row is looked at."""

    host: str


_named: Final = msgspec.msgpack.Decoder(_Named).decode


def host_names(store: Store, part: str, most: int, patience_s: float) -> list[str]:
    """Return up to so many hosts (authorities) whose name holds a text in lower case.

    First one of just that name; then those that the job has asked, a million in a second or two; then those of which
    URLs are due, which takes longer. Ends with what was found when so many seconds have passed.
    """
    found: dict[str, None] = {}
    until = time.monotonic() + patience_s
    for number, name in enumerate(_names(store, part)):
        if part in name:
            found[name] = None
        if len(found) >= most or (number % _LOOK_EVERY == 0 and time.monotonic() > until):
            break
    return list(found)


def _names(store: Store, exact: str) -> Iterator[str]:
    """Give names of hosts, many of them twice."""
    yield from _due_at(store, store.keys.authority(exact))
    for place, value in store.host_items():
        if place[_KEY_BYTES:] in _STATES:
            yield _named(value).host
    host = store.queue.next_host(bytes(_KEY_BYTES))
    while host is not None:
        yield from _due_at(store, host)
        host = store.queue.next_host(host + _LAST)


def _due_at(store: Store, host: bytes) -> Iterator[str]:
    """Give the name of the host with a key, if something of it is due."""
    for _, value in store.queue.scan(host, host + _LAST):
        yield authority(store.queue.row(value).url)
        return
