"""What of a job of many shards is public: its parts, and the records that are read back from them."""

import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby

from crawler.core.config import CrawlConfig
from crawler.jobs.inlinks import Rows
from crawler.jobs.parts import OutputPart
from crawler.ledger.sinks.outputs import is_remote, records_of
from crawler.shards.manifest import MANIFEST, counts_in, manifest_of
from crawler.shards.place import Place
from crawler.shards.state import ClusterState

__all__ = ["public_parts", "rows_of_parts"]


def public_parts(place: Place, state: ClusterState) -> Iterator[OutputPart]:
    """Give the parts that are public by the state of a job, output by output, shard by shard.

    How many records and bytes each has comes from the manifest, which may be a minute old.
    """
    made = manifest_of(state, counts_in(place.read(MANIFEST)), now=time.time())
    for output in made.outputs:
        for part in output.parts:
            is_whole = part.path.startswith("/") or is_remote(part.path)
            path = part.path if is_whole else f"{(place.path or place.shown)!s}".rstrip("/") + f"/{part.path}"
            yield OutputPart(path=path, kind=part.kind, shard=part.shard, records=part.records, bytes=part.bytes)


def rows_of_parts(parts: Iterable[OutputPart], columns: Sequence[str] | None) -> Iterator[tuple[str, Rows | None]]:
    """Give each output by the folder of its parts, with all of their records, read back one part after the other.

    Of tables `columns` are read; None is all. None stands for the records of what does not lie on this machine, or
    cannot be read again.
    """
    for folder, of_output in groupby(parts, key=lambda one: one.path.rpartition("/")[0]):
        files = [one.path for one in of_output]
        reads = [None if is_remote(file) else records_of(file, CrawlConfig(output=file), columns) for file in files]
        yield folder, None if any(one is None for one in reads) else chain.from_iterable(filter(None, reads))
