"""Outputs read back by other programs than the one that wrote them."""

import csv
import gzip
import io
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow.parquet

from crawler.web.content_coding import zstd


def parts(path: Path) -> list[Path]:
    """The files of an output: itself, or the row that `--rotate` made of it."""
    if path.exists():
        return [path]
    ending = "".join(path.suffixes[-2:]) if path.suffix in (".gz", ".zst") else path.suffix
    name = re.compile(re.escape(path.name.removesuffix(ending)) + r"-\d{5,}" + re.escape(ending))
    return sorted(one for one in path.parent.iterdir() if name.fullmatch(one.name))


def rows(path: Path) -> list[dict[str, Any]]:
    """All records of an output, in order; raises if it is not whole."""
    return [row for part in parts(path) for row in rows_of(part)]


def rows_of(path: Path) -> list[dict[str, Any]]:
    """All records of one file."""
    if path.suffix == ".parquet":
        return [row for part in sorted(path.glob("*.parquet")) for row in pyarrow.parquet.read_table(part).to_pylist()]
    if path.suffix in (".db", ".sqlite"):
        return list(_table(path))
    if path.name.endswith(".warc.gz"):
        return list(_warc(path))
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    elif path.suffix == ".zst":
        content = zstd.decompress(content)
    if ".csv" in path.suffixes:
        before = csv.field_size_limit(100_000_000)  # of the whole process
        try:
            return list(csv.DictReader(io.StringIO(content.decode(), newline=""), strict=True))
        finally:
            csv.field_size_limit(before)
    assert content[-1:] in (b"", b"\n"), f"{path} ends in the middle of a record"
    return [json.loads(line) for line in content.splitlines()]


def _table(path: Path) -> Iterator[dict[str, Any]]:
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        database.row_factory = sqlite3.Row
        yield from map(dict, database.execute("SELECT * FROM records ORDER BY rowid"))


def _warc(path: Path) -> Iterator[dict[str, Any]]:
    """One row for each answer of a page: those that are responses or revisits."""
    from warcio.archiveiterator import ArchiveIterator

    with path.open("rb") as file:
        for record in ArchiveIterator(file, check_digests="raise"):
            if record.rec_type in ("response", "revisit"):
                yield {"url": record.rec_headers.get_header("WARC-Target-URI"), "type": record.rec_type}
