"""Records of WARC files, as warcio writes and reads them: byte by byte what they were, or a word on what is wrong.

Needs warcio, an extra: `web.warc.check_installed` says so in time. No file is opened here: a record becomes bytes, and
what is open already becomes records.

A record that cannot be read is an error with its place, and the file is read on behind it where that can be found: at
the end of its gzip member, or where the next head begins. Nothing that a file says makes memory grow: heads are bounded
in bytes, lines and bytes of a line, and blocks are read in pieces.

This is the one file that knows warcio, and leans on what it does not promise, so that a new version of it has one file
to break. `pyproject.toml` admits the versions that it was tested with; tests/web/test_warc_records.py names what has
changed in another one. The parts are:

- `StatusAndHeaders`: `headers_buff` is the head that is written, once `compute_headers_buffer(filter)` has made it.
- `WARCWriter(out, gzip=, warc_version=)`: `create_warc_record`; and `write_record`, after which a record has digests.
- `ArcWarcRecordLoader(verify_http=, arc2warc=)`: `parse_record_stream(stream, first line, "warc")` makes a record. It
  reads heads with `_detect_type_load_headers(stream, first line, format)` and, within the record,
  `load_http_headers(type, uri, stream, length)`, from both by `readline()` alone.
- `DecompressingBufferedReader(stream, block_size=, decomp_type=)`, None if the file is not compressed: `stream`;
  `decompressor`; `read(length)` ends with the member; `_fillbuff()` reads a block into `buff` unless that still holds
  something, and `empty()` says whether it does; `read_next_member()`; `rem_length()`, the bytes of the file that were
  read and not given; `_decompress(data)` unpacks each block that was read.
- A record: `rec_type`, `rec_headers`, `http_headers` (`headers`, `get_statuscode`), `length`, and `raw_stream`, which
  reads to the record's end and has `limit`, the bytes that are left of it.
"""

import logging
import re
import sys
import zlib
from io import BytesIO
from typing import Any, BinaryIO, Self

from warcio.bufferedreaders import DecompressingBufferedReader
from warcio.recordloader import ArcWarcRecordLoader
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from crawler.web.gzip_members import GZIP_MAGIC
from crawler.web.plain_record import PlainMembers, plain_record

__all__ = ["HEAD_BYTES", "HEAD_LINES", "LINE_BYTES", "DamagedError", "WarcRecords", "written"]

HEAD_BYTES = 2 << 20
"""Longest head, of a record or of the HTTP message in it: twice what a crawl takes from a server."""
HEAD_LINES = 20_000
LINE_BYTES = 131_072
"""Longest line of a head; servers and browsers end at 64 KiB or before."""

_BLANK_LINES = 1_000  # between two records there are two
_PIECE_BYTES = 65_536
_BLOCK_BYTES = 2_048  # all that comes out of a piece of the file is in memory at once, up to 1,030 times as much
_PEEK_BYTES = 512
_MEMBER = GZIP_MAGIC + b"\x08"
_HEAD = re.compile(rb"\n\r?\n(?=WARC/[01]\.[0-9]{1,2}\r?\n)")
_HEAD_CHARS = 16  # longer than any match, with what it looks ahead to
_VERSION = b"WARC/"
# The magic numbers of a frame, and of the dictionary with which such archives begin.
_ZSTD = (b"\x28\xb5\x2f\xfd", b"\x5d\x2a\x4d\x18")

_CUT = "the file ends within a record"
_LONGER = "a record that is longer than its Content-Length"
_SHORTER = "a record that is shorter than its Content-Length"
_WHOLE = "it is compressed as a whole, not record by record: `warcio recompress` mends that"
_ZSTANDARD = "it is compressed with zstd: `zstd -d` unpacks it"

# It warns of odd URLs, as they came: not on the terminal of a program that has set up no logging.
logging.getLogger("warcio").addHandler(logging.NullHandler())


class DamagedError(Exception):
    """A record cannot be read, or what stands behind it."""


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


class WarcRecords:
    """Records of one file, one after the other; each must be read before the next is asked for.

    `next` raises `DamagedError` for a record that cannot be read, and so may reading a record; `read_on` then goes to
    the next one. `offset` is where the record that was asked for last begins in the file, or its gzip member.

    Its state is where in the file it is: `_member` is where a gzip member begins of which nothing was read yet, None
    while warcio reads. One thread uses it.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.offset = file.tell()
        self._members = PlainMembers(file)
        self._member = self.offset if self._members.begins(self.offset) else None
        file.seek(self.offset)
        self._file = file
        self._loader = _Loader()
        self._reader = _Reader(file)
        self._record: Any = None  # its end is known, and was not looked for yet
        self._is_behind = False  # a record stands before this place, in the same member

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        while True:
            if (record := self._plain()) is not None:
                return record
            self._end_record()
            if line := self._first_line(at_next_member=False):
                return self._read(line)
            if self._member is None:
                raise StopIteration

    def _read(self, line: bytes) -> Any:
        """Return the record that begins with a line, as warcio reads it."""
        reader = self._reader
        self.offset = reader.member_at if reader.decompressor is not None else reader.place - len(line)
        self._is_behind = True
        self._loader.refused = ""
        try:
            self._record = self._loader.parse_record_stream(reader, line, "warc")
        except (DamagedError, OSError):
            raise
        except EOFError as error:
            raise DamagedError(self._early_end) from error
        except Exception as error:
            # Bytes that warcio does not expect end in errors of any type.
            raise DamagedError(str(error) or type(error).__name__) from error
        if self._loader.refused:
            raise DamagedError(self._loader.refused)
        return self._record

    def _plain(self) -> Any:
        """Return the next record if its member is a plain one; None if warcio has to read on, or nothing is left."""
        if self._member is None:
            return None
        place, self._member = self._member, None
        if (read := self._members.read(place)) is not None and (record := plain_record(read[0])) is not None:
            self.offset, end = place, read[1]
            if self._members.begins(end):
                self._member = end
            else:
                self._behind_plain(end)
            return record
        self.offset = place
        self._resume(place)
        return None

    def _behind_plain(self, end: int) -> None:
        """Have warcio go on behind a plain record, where no member begins: it has to see what the record ends with."""
        if self._members.is_end(end):
            self._resume(end)
            return
        self._resume(self.offset)
        self._read(self._first_line())

    def check_start(self) -> None:
        """Raise `DamagedError` if the file does not begin as a WARC file does; an empty one is one."""
        start = self._file.read(len(_ZSTD[0]))
        self._file.seek(self.offset)
        if start in _ZSTD:
            raise DamagedError(_ZSTANDARD)
        try:
            line = self._first_line()
        except DamagedError:
            if not self.read_on():
                raise
            return
        if line and not line.startswith(_VERSION):
            raise DamagedError(f"its first line is {line[:_PEEK_BYTES].decode('latin-1').strip()!r}")

    def check_whole(self, record: Any) -> None:
        """Raise `DamagedError` if something of a record is missing, all of which was read."""
        if record.raw_stream.limit:
            self._record = None
            raise DamagedError(self._early_end)

    def read_on(self) -> bool:
        """After a `DamagedError`: go to the next record. Return whether there may be one."""
        if self._reader.is_broken:
            return self._resume(self._next_member())
        if self._record is not None:
            return True
        if self._reader.decompressor is None:
            return self._resume(self._next_head())
        try:
            while self._reader.read(_PIECE_BYTES):
                pass
        except DamagedError:
            return self.read_on()
        return not self._reader.is_open

    @property
    def _early_end(self) -> str:
        return _CUT if self._reader.decompressor is None or self._reader.is_open else _SHORTER

    def _end_record(self) -> None:
        """Read the rest of the last record."""
        record, self._record = self._record, None
        if record is not None:
            while record.raw_stream.read(_PIECE_BYTES):
                pass
            self.check_whole(record)

    def _first_line(self, *, at_next_member: bool = True) -> bytes:
        """Return the line that the next record begins with, behind blank ones; nothing at the end of the file.

        Nothing as well where a gzip member begins, unless that is to be read too; then `_member` says where.
        """
        reader = self._reader
        blank, odd = 0, False
        while True:
            line: bytes = reader.readline(LINE_BYTES)
            if not line:
                if reader.is_open:
                    raise DamagedError(_CUT)
                if not reader.read_next_member() or (not at_next_member and self._hands_over()):
                    return b""
                self.offset = reader.member_at
                self._is_behind = False
                blank, odd = 0, False
            elif not line.strip():
                blank += 1
                if blank > _BLANK_LINES:
                    raise DamagedError(f"more than {_BLANK_LINES:,} blank lines")
            elif not self._is_behind:
                return line
            elif reader.decompressor is None:
                if not blank:
                    raise DamagedError(_LONGER)
                return line
            elif line.startswith(_VERSION):
                raise DamagedError(_WHOLE)
            elif odd or blank:
                raise DamagedError(_LONGER)
            else:
                odd = True  # a line too many in a member of its own does no harm

    def _hands_over(self) -> bool:
        """Whether a gzip member begins here, which then need not be read by warcio."""
        here = self._file.tell()
        if self._members.begins(self._reader.member_at):
            self._member = self._reader.member_at
        self._file.seek(here)
        return self._member is not None

    def _resume(self, place: int | None) -> bool:
        if place is None:
            return False
        self._file.seek(place)
        self._reader = _Reader(self._file)
        self._record, self._is_behind = None, False
        return True

    def _next_member(self) -> int | None:
        """Return where, behind a member that is broken, one begins with a record."""
        # Not before the piece in which the break was found, so that nothing is looked at again and again.
        place = max(self._reader.member_at + 1, self._reader.piece_at)
        self._file.seek(place)
        data = b""
        while more := self._file.read(_PIECE_BYTES):
            data += more
            at = data.find(_MEMBER)
            while at >= 0:
                if len(data) - at < _PEEK_BYTES:
                    data += self._file.read(_PEEK_BYTES)
                if _begins_with_record(data[at : at + _PEEK_BYTES]):
                    return place + at
                at = data.find(_MEMBER, at + 1)
            place += len(data) - len(_MEMBER)
            data = data[-len(_MEMBER) :]
        return None

    def _next_head(self) -> int | None:
        """Return where, in a file that is not compressed, the next record begins."""
        # What was read last may end with the blank line.
        place = max(self.offset + 1, self._reader.place - len(b"\r\n\r\n"))
        self._file.seek(place)
        data = b""
        while more := self._file.read(_PIECE_BYTES):
            data += more
            if found := _HEAD.search(data):
                return place + found.end()
            place += max(0, len(data) - _HEAD_CHARS)
            data = data[-_HEAD_CHARS:]
        return None


def _begins_with_record(member: bytes) -> bool:
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(member, len(_VERSION)) == _VERSION
    except zlib.error:
        return False


class _Loader(ArcWarcRecordLoader):  # type: ignore[misc]  # warcio has no types
    """Reads heads within bounds, also where warcio takes for granted that there is a URL or more than a head.

    `refused` is what is wrong with the HTTP head of the last record, whose end is known all the same.
    """

    def __init__(self) -> None:
        super().__init__(verify_http=False, arc2warc=False)
        self.refused = ""

    def _detect_type_load_headers(self, stream: Any, statusline: Any = None, known_format: Any = None) -> Any:
        kind, headers = super()._detect_type_load_headers(_Head(stream), statusline, known_format)
        length = headers.get_header("Content-Length")
        if length is None:
            raise DamagedError("a record without Content-Length")
        if not (length.isascii() and length.isdecimal() and len(length) < len(str(sys.maxsize))):
            raise DamagedError(f"Content-Length is {length[:_PEEK_BYTES]!r}")
        return kind, headers

    def load_http_headers(self, rec_type: str | None, uri: str | None, stream: Any, length: int | None) -> Any:
        try:
            return None if uri is None else super().load_http_headers(rec_type, uri, _Head(stream), length)
        except _HeadError as error:
            self.refused = f"HTTP: {error}"
        return None


class _HeadError(DamagedError):
    """A head is larger than any that is meant to be read."""


class _Head:
    """A stream while a head is read from it, in lines. Its state is how much of that there was."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._bytes = self._lines = 0

    def readline(self) -> bytes:
        line: bytes = self._stream.readline(LINE_BYTES)
        self._lines += 1
        self._bytes += len(line)
        if len(line) == LINE_BYTES:
            raise _HeadError(f"a head with a line of {LINE_BYTES:,} bytes or more")
        if self._lines > HEAD_LINES:
            raise _HeadError(f"a head of more than {HEAD_LINES:,} lines")
        if self._bytes > HEAD_BYTES:
            raise _HeadError(f"a head of more than {HEAD_BYTES:,} bytes")
        return line


class _Reader(DecompressingBufferedReader):  # type: ignore[misc]  # warcio has no types
    """The decompressed file, from where it stands; `decompressor` is None if it is not compressed there.

    `member_at` is where the member under way begins in the file, `piece_at` the block of it that was unpacked last.
    `is_open`: the member has not come to its end. `is_broken`: nor will it.
    """

    buff: BytesIO
    decompressor: Any

    def __init__(self, file: BinaryIO) -> None:
        self.member_at = self.piece_at = file.tell()
        self.is_open = self.is_broken = False
        packed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        file.seek(self.member_at)
        super().__init__(file, block_size=_BLOCK_BYTES, decomp_type="gzip" if packed else None)

    @property
    def place(self) -> int:
        """Where in the file the next byte stands, if it is not compressed."""
        place: int = self.stream.tell() - self.rem_length()
        return place

    def readline(self, length: int = LINE_BYTES) -> bytes:
        # warcio's own counts what it has read more than once, and parts long lines.
        line = b""
        while len(line) < length and not line.endswith(b"\n"):
            self._fillbuff()
            if self.empty():
                break
            line += self.buff.readline(length - len(line))
        return line

    def read_next_member(self) -> bool:
        if self.decompressor is None:
            return False
        place = self.stream.tell() - len(self.decompressor.unused_data)
        has_begun: bool = super().read_next_member()
        if has_begun:
            self.member_at = place
        return has_begun

    def _decompress(self, data: bytes) -> bytes:
        if not self.decompressor or not data:
            return data
        self.piece_at = self.stream.tell() - len(data)
        try:
            unpacked: bytes = self.decompressor.decompress(data)
        except zlib.error as error:
            self.is_broken = True
            raise DamagedError(str(error)) from error
        self.is_open = not self.decompressor.eof
        return unpacked
