"""Records of WARC files, as warcio writes and reads them: byte by byte what they were, or a word on what is wrong.

Needs warcio, an extra: `web.warc.check_installed` says so in time. No file is opened here: a record becomes bytes, and
what is open already becomes records.

This is the one file that knows warcio, and leans on what it does not promise, so that a new version of it has one file
to break. `pyproject.toml` admits the versions that it was tested with; tests/web/test_warc_records.py names what has
changed in another one. The parts are:

- `StatusAndHeaders`: `headers_buff` is the head that is written, once `compute_headers_buffer(filter)` has made it.
- `WARCWriter(out, gzip=, warc_version=)`: `create_warc_record`; and `write_record`, after which a record has digests.
- `ArchiveIterator`: `reader` and `loader` can be replaced after it was made. `record`, and `offset`, are those given
  last. `_consume_blanklines()` reads what stands between two records; it returns the first line that is not blank, or
  None, and how many bytes the others have. `close()`. "non-chunked gzip" is in its error about a file that is
  compressed as a whole.
- `ArcWarcRecordLoader(verify_http=, arc2warc=)`: `load_http_headers(type, uri, stream, length)` reads the head within
  a record. An EOFError in it would end the file.
- `DecompressingBufferedReader`: `stream`; `decompressor`, None if the file is not compressed; `readline(length)`;
  `_decompress(data)` unpacks each piece that was read.
- A record: `rec_type`, `rec_headers`, `http_headers` (`headers`, `get_statuscode`), `length`, and `raw_stream`, which
  reads to the record's end and has `limit`, the bytes that are left of it.
"""

import logging
import sys
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import Any, BinaryIO

from warcio.archiveiterator import ArchiveIterator
from warcio.bufferedreaders import DecompressingBufferedReader
from warcio.recordloader import ArcWarcRecordLoader
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

__all__ = ["DamagedError", "WarcRecords", "unread_bytes", "written"]

# It warns of odd URLs, as they came: not on the terminal of a program that has set up no logging.
logging.getLogger("warcio").addHandler(logging.NullHandler())


class DamagedError(Exception):
    """A file cannot be read on from here."""


def written(kind: str, url: str, fields: dict[str, str], head: bytes, body: bytes) -> tuple[bytes, str]:
    """Return a record, not compressed, and the digest of its payload ("" for a kind that has none).

    `fields` are headers of the record, `head` is that of an HTTP message, or empty.
    """
    http = None
    if head:
        http = StatusAndHeaders(head.partition(b"\r\n")[0].decode("latin-1"), [])
        # warcio would write bytes that are not ASCII as something else.
        http.headers_buff, http.compute_headers_buffer = head, lambda *_: None
    out = BytesIO()
    writer = WARCWriter(out, gzip=False, warc_version="1.1")
    record = writer.create_warc_record(
        url, kind, payload=BytesIO(body), length=len(body), http_headers=http, warc_headers_dict=fields
    )
    writer.write_record(record)
    return out.getvalue(), record.rec_headers.get_header("WARC-Payload-Digest") or ""


def unread_bytes(record: Any) -> int:
    """Count the bytes of a record that have not been read; after the end of its stream, those that are missing."""
    return getattr(record.raw_stream, "limit", 0)  # without a Content-Length the stream is the file itself


class WarcRecords(ArchiveIterator):  # type: ignore[misc]  # warcio has no types
    """Records of one file. Says what is wrong with it, where warcio would go on with less, or write to the terminal."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.source = self.reader = _Reader(file)
        self.loader = _Loader()

    def __iter__(self) -> Iterator[Any]:
        records = super().__iter__()
        try:
            while (record := next(records, None)) is not None:
                yield record
        except (DamagedError, OSError):
            raise
        except Exception as error:
            # Bytes that warcio does not expect end in errors of any type.
            raise DamagedError(_words(error)) from error
        if self.source.is_open:
            raise DamagedError("the file ends within a record")

    def _consume_blanklines(self) -> tuple[bytes | None, int]:
        if unread_bytes(self.record) and self.reader.decompressor is None:
            raise DamagedError("the file ends within a record")
        size = 0
        while line := self.reader.readline():
            # A line too many in a member of its own does no harm.
            if line.strip() and (size or self.reader.decompressor is None):
                if not size:
                    raise DamagedError("a record that is longer than its Content-Length")
                return line, size
            size += len(line)
        return None, size


class _Loader(ArcWarcRecordLoader):  # type: ignore[misc]  # warcio has no types
    """Reads the head of a record, also where warcio takes for granted that there is a URL or more than a head."""

    def __init__(self) -> None:
        super().__init__(verify_http=False, arc2warc=False)

    def load_http_headers(self, rec_type: str | None, uri: str | None, stream: Any, length: int | None) -> Any:
        try:
            return None if uri is None else super().load_http_headers(rec_type, uri, stream, length)
        except EOFError as error:
            # For warcio it would be the end of the file.
            raise DamagedError("the file ends within a record") from error


class _Reader(DecompressingBufferedReader):  # type: ignore[misc]  # warcio has no types
    """The decompressed file. `is_open`: it is compressed, and the last stream in it has not come to its end."""

    is_open = False

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self._start = file.tell()

    decompressor: Any
    num_block_read: int

    def readline(self, length: int | None = None) -> bytes:
        # A Content-Length may say more than a stream in memory takes.
        line: bytes = super().readline(None if length is None else min(length, sys.maxsize))
        return line

    def _decompress(self, data: bytes) -> bytes:
        if self.decompressor and data:
            try:
                unpacked: bytes = self.decompressor.decompress(data)
                self.is_open = not self.decompressor.eof
                return unpacked
            except zlib.error as error:
                if self.stream.tell() > self._start + len(data):
                    raise DamagedError(str(error)) from error
                self.decompressor = None  # it is not compressed
        return data


def _words(error: Exception) -> str:
    text = str(error) or type(error).__name__
    if "non-chunked gzip" in text:
        return "it is compressed as a whole, not record by record: `warcio recompress` mends that"
    return text
