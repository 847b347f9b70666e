"""What one frontier tells another one at once. It is a row of an outbox, and travels as a parcel (`core.shard`)."""

from typing import Final

import msgspec
from msgspec import Struct

from crawler.core.model import SeedContext, Sent

__all__ = ["Letter", "Reread", "opened", "sealed"]


class Reread(Struct, frozen=True, array_like=True, gc=False):
    """That the URL `key` is to be read again for the links that a seed has in its scope (`frontier.joined_scopes`)."""

    key: bytes
    seed: int


class Letter(Struct, frozen=True, array_like=True, gc=False):
    """Links with the seeds that they come from, and what else the receiver has to know.

    `look` is how many looks the sender had taken (`frontier.looks`). `seeds` are those of `sent` and `rereads`, and
    others whose scope has grown. `cut`: somewhere URLs were left out since they are too far away. All numbers of seeds
    are those by which other shards know them.
    """

    look: int
    seeds: tuple[SeedContext, ...]
    sent: tuple[Sent, ...]
    rereads: tuple[Reread, ...] = ()
    cut: bool = False


sealed: Final = msgspec.msgpack.Encoder().encode
opened: Final = msgspec.msgpack.Decoder(Letter).decode
