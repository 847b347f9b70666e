"""What a shard had brought, at one commit, where the loss of its disk does not take it away: the values.

    checkpoints/003/00000005-00000012-000123.sst      a file of the store, brought by the holder with epoch 5
    checkpoints/003/00000005-00000012-listing.json    which files, and which new parts, checkpoint 12 has
    records/_staged/00000005-003-00000012-00041.jsonl a part that waits until its checkpoint is accepted
    records/part-003-00041.jsonl                      a part that is public

No two holders of a shard write one name, since names hold the epoch of the lease: one that slept, and wakes in the
middle of an upload, writes what nobody will read.
"""

from msgspec import Struct

from crawler.core.shard import Mark

__all__ = ["Checkpoint", "Listing", "OutputTotal", "Part", "StoreFile", "part_name"]


class StoreFile(Struct, frozen=True, omit_defaults=True):
    """A file of a store: its name in the store's folder, the name under which it is kept, its size.

    A small one is kept in the listing, as `content`, and has no name of its own.
    """

    name: str
    stored_as: str
    size: int
    content: bytes | None = None


class Part(Struct, frozen=True):
    """A closed part of an output: `number` counts the parts that the shard has in it, from 1.

    `output` counts the outputs of the job, from 0. `staged_as` is the name under which it waits, in the folder of the
    output, until it gets its public name. `records` are URLs in an archive; `bytes` is the size of the file.
    """

    output: int
    number: int
    ending: str
    staged_as: str
    records: int
    bytes: int


class OutputTotal(Struct, frozen=True):
    """What a shard has brought to one output up to a checkpoint: its parts have the numbers 1 to `parts`."""

    ending: str
    parts: int = 0
    records: int = 0
    bytes: int = 0


class Listing(Struct, frozen=True):
    """What a checkpoint is made of: all files of the store, and the parts that are new with it."""

    files: tuple[StoreFile, ...] = ()
    parts: tuple[Part, ...] = ()


class Checkpoint(Struct, frozen=True):
    """What a shard offers to the coordinator, whose next state makes it count.

    `number` counts the checkpoints of the shard from 1, `epoch` is that of the lease under which it was made,
    `incarnation` how often the shard began anew from a checkpoint. `listing` names the file with its listing, `bytes`
    is the size of the store. `outputs` has a total for each output. `marks` say up to where links of other shards were
    taken, by sender; `pages`, `sent` and `taken` count pages, and links sent to others and taken from them.
    """

    number: int
    epoch: int
    incarnation: int
    listing: str
    bytes: int
    outputs: tuple[OutputTotal, ...]
    marks: dict[int, Mark]
    pages: int
    sent: int = 0
    taken: int = 0


def part_name(shard: int, number: int, ending: str) -> str:
    """Return the public name of a part: `part-003-00041.jsonl.gz`."""
    return f"part-{shard:03}-{number:05}{ending}"
