"""The rows in which the store keeps what is known of a host: their names, and how they come back."""

from typing import Final

from msgspec import Struct

__all__ = ["CLOCK", "HEAD", "TEXT", "WHOLE", "Begun", "Remembered"]

HEAD: Final = b"h"
"""Stands behind a host's key: all but the texts of its robots.txt. Few bytes, asked for whenever a host comes."""
TEXT: Final = b"r"
"""The same for the robots.txt of one of its origins, with the scheme behind it. Asked for when its rules are needed."""
WHOLE: Final = b""
"""Of jobs of earlier versions: all of it."""
CLOCK: Final = b"c"
"""Of jobs of earlier versions: its clock, if that was kept after the rest."""


class Begun(Struct, frozen=True):
    """How a shard of a cluster job began. Rows say in which `incarnation` they were written.

    Those of one before `exact_from` come from a checkpoint, and their host may have been asked since: as late as
    `at` (unix time), when the shard began from it.
    """

    incarnation: int = 0
    exact_from: int = 0
    at: float = 0.0


class Remembered(Struct, frozen=True, gc=False):
    """A host (authority) that something is due of, and the rows that are kept of it; none of one that is new."""

    host: str
    rows: tuple[bytes, ...]
