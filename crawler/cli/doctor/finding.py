"""What one look at the machine found: pure."""

from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from crawler.core.printable import printable

__all__ = ["Finding", "looked"]

State = Literal["ok", "warning", "problem"]


class Finding(Struct, frozen=True):
    """What was looked at, how it stands, the value seen, and what to do about it; `then` is empty if that is nothing.

    With a `problem` a crawl cannot run, or loses what it has. With a `warning` it runs worse than it could.
    """

    name: str
    state: State
    seen: str
    then: str = ""


def looked(name: str, look: Callable[[], Finding]) -> Finding:
    """Return what a look finds; one that fails is a problem of its own, and hides no other."""
    try:
        found = look()
    except Exception as error:  # noqa: BLE001 - whatever a strange machine does
        return Finding(name, "problem", f"{type(error).__name__}: {printable(str(error))}", "see what that says")
    return Finding(found.name, found.state, printable(found.seen), printable(found.then))
