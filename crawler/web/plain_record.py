"""The usual record of a WARC file, read at once: nine tenths of what reading an archive takes go into odd ones.

A record is plain if it has a gzip member of its own, is small, and its heads are of the printable ASCII that RFC 9112
and WARC 1.1 ask for. Of such a record this is what warcio makes of it, in a tenth of the time; every other one, and
every one that is damaged, is left to warcio (`web.warc_records`). Nothing here knows what is wrong with a record.
"""

import re
import zlib
from io import BytesIO
from typing import BinaryIO, NamedTuple

from crawler.web.gzip_members import GZIP_MAGIC

__all__ = ["PlainMembers", "PlainRecord", "plain_record"]

_BLOCK_BYTES = 65_536
_PIECE_BYTES = 4_096
"""All that comes out of a piece of the file is in memory at once, up to 1,030 times as much."""
_MOST_BYTES = 4 << 20
"""Largest record that is read at once."""
_MOST_HEAD_BYTES = 65_536
_END = b"\r\n\r\n"
_FIELDS = rb"((?:[!-9;-~]+:[ -~]*\r\n)*)\r\n"
_RECORD_HEAD = re.compile(rb"WARC/1\.[01]\r\n" + _FIELDS)
_ANSWER_HEAD = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: [ -~]*)?\r\n" + _FIELDS)
_MEMBER = GZIP_MAGIC + b"\x08"


class _Block(BytesIO):
    """A record's block, or what is left of it behind its HTTP head: all of it is there."""

    limit = 0


class _Fields(dict[str, str]):
    """Fields of a record by name, in lower case; of those that stand twice the first."""

    def get_header(self, name: str) -> str | None:
        return self.get(name.lower())


class _AnswerHead(NamedTuple):
    """Status and headers of an answer."""

    status: str
    headers: list[tuple[str, str]]

    def get_statuscode(self) -> str:
        return self.status


class PlainRecord(NamedTuple):
    """A record as warcio gives it, as far as it is used here."""

    rec_type: str
    rec_headers: _Fields
    http_headers: _AnswerHead | None
    raw_stream: _Block


def plain_record(data: bytes) -> PlainRecord | None:
    """Read a record, the whole of `data`; None if it is not plain."""
    head = _RECORD_HEAD.match(data, 0, _MOST_HEAD_BYTES)
    if head is None:
        return None
    fields = _Fields((name.lower(), value) for name, value in reversed(_pairs(head[1])))
    kind, url, length = fields.get("warc-type"), fields.get("warc-target-uri", ""), fields.get("content-length", "")
    start, end = head.end(), len(data) - len(_END)
    if not kind or length != str(end - start) or not data.endswith(_END):
        return None
    answer = None
    if kind in {"response", "revisit", "request"}:
        if not url.startswith(("http:", "https:")) or " " in url:
            return None
        if kind == "request":
            if data.find(_END, start, start + _MOST_HEAD_BYTES) < 0:
                return None
        else:
            found = _ANSWER_HEAD.match(data, start, min(end, start + _MOST_HEAD_BYTES))
            if found is None:
                return None
            answer = _AnswerHead(found[1].decode("ascii"), _pairs(found[2]))
            start = found.end()
    return PlainRecord(kind, fields, answer, _Block(data[start:end]))


def _pairs(lines: bytes) -> list[tuple[str, str]]:
    pairs = [line.partition(":") for line in lines.decode("ascii").split("\r\n")]
    return [(name, value.strip()) for name, colon, value in pairs if colon]


class PlainMembers:
    """The gzip members of a file, each unpacked at once. State: a piece of the file, and where it begins there."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._block = memoryview(b"")
        self._at = 0

    def begins(self, place: int) -> bool:
        """Whether a member begins at a place of the file."""
        return bytes(self._from(place, len(_MEMBER))[: len(_MEMBER)]) == _MEMBER

    def is_end(self, place: int) -> bool:
        """Whether the file ends at a place."""
        return not self._from(place, 1)

    def read(self, place: int) -> tuple[bytes, int] | None:
        """Unpack the member at a place, and tell where it ends; None if it is broken, or too large for that."""
        member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        parts, size, at = [], 0, place
        while size <= _MOST_BYTES and (packed := self._from(at, 1)[:_PIECE_BYTES]):
            try:
                parts.append(part := member.decompress(packed))
            except zlib.error:
                return None
            size += len(part)
            at += len(packed)
            if member.eof:
                return b"".join(parts), at - len(member.unused_data)
        return None

    def _from(self, place: int, size: int) -> memoryview:
        """Return the file from a place on: at least so many bytes, unless it ends before them."""
        skip = place - self._at
        if not 0 <= skip <= len(self._block) - size:
            self._file.seek(place)
            self._block, self._at, skip = memoryview(self._file.read(_BLOCK_BYTES)), place, 0
        return self._block[skip:]
