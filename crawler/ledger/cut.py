"""What a checkpoint of a shard holds, as it was cut at one commit."""

from pathlib import Path

from msgspec import Struct

from crawler.core.shard import Mark
from crawler.ledger.sinks.base import ClosedPart

__all__ = ["Cut"]


class Cut(Struct, frozen=True, kw_only=True):
    """What a checkpoint holds: `folder` has the files of the store; `parts` are the closed parts of outputs that are
    here still. Up to the `marks` it has what others sent, by sender. The rest counts as `Standing` does.
    """

    folder: Path
    parts: tuple[ClosedPart, ...]
    marks: dict[int, Mark]
    pages: int
    sent: int
    taken: int
