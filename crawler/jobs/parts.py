"""Parts of the outputs of a job: which files hold its records, as readers of tables want them."""

from collections.abc import Iterator

from msgspec import Struct

from crawler.core.config import CrawlConfig
from crawler.ledger.sinks.outputs import files_of

__all__ = ["OutputPart", "kind_of", "parts_of"]


class OutputPart(Struct, frozen=True, kw_only=True):
    """A file with records of a job, which a reader may read whole.

    `path` is a path of this machine or a URL; `kind` says how it is read: `jsonl`, `csv`, `parquet`, `warc`, `db`,
    with `.gz` or `.zst` behind it if it is compressed. `shard` is that of a cluster job which wrote it, None of any
    other job. `records` and `bytes` are None where nobody has counted them.
    """

    path: str
    kind: str
    shard: int | None = None
    records: int | None = None
    bytes: int | None = None


def kind_of(name: str) -> str:
    """Return how a file is read, by its name."""
    packed = next((end for end in (".gz", ".zst") if name.endswith(end)), "")
    return name.removesuffix(packed).rpartition(".")[2].lower() + packed


def parts_of(config: CrawlConfig) -> Iterator[OutputPart]:
    """Give the files that the outputs of a job on this machine have now. Raises `StorageError` for a refused folder."""
    for file in files_of(config):
        yield OutputPart(path=str(file), kind=kind_of(file.name), bytes=file.stat().st_size)
