"""Hosts as a person is shown them: one line each."""

from msgspec import Struct

__all__ = ["HostLine", "HostLines"]


class HostLine(Struct, frozen=True):
    """A host (name and port) as it stands now.

    `pending`: URLs that are due and handed out, but not asked for yet; `more`: further ones wait in the store.
    `under_way`: requests. `delay_s`: seconds between the starts of two requests. `state` says in a few words what it
    waits for, `silent` whether that is an answer.
    """

    name: str
    pending: int = 0
    more: bool = False
    under_way: int = 0
    delay_s: float = 0.0
    state: str = ""
    silent: bool = False


class HostLines(Struct, frozen=True):
    """Some of the hosts that were looked for: `found` counts those with the name, `of` all that are in memory.

    `stored` of the lines are of hosts that are in the store alone.
    """

    lines: tuple[HostLine, ...] = ()
    found: int = 0
    of: int = 0
    stored: int = 0
