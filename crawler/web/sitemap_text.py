"""The body of a sitemap as text: unpacked, decoded, and, for XML, in pieces of whole tags with common slips mended.

All of it streams, in pieces of at most 64 KiB but for what has no tag or line to cut at, which the readers in
`web.sitemap` refuse past a limit.
"""

import codecs
import re
from collections.abc import Iterable, Iterator
from typing import Final

from crawler.web.gzip_members import GZIP_MAGIC, PIECE_BYTES, GzipError, GzipMembers, TooManyMembersError

__all__ = ["BLANK", "MAX_ENTRY_CHARS", "MAX_SITEMAP_BYTES", "SitemapBody", "decoded", "whole_tags"]

MAX_SITEMAP_BYTES: Final = 52_428_800
"""Bytes of a sitemap that are read, after unpacking (sitemaps.org: 50 MB)."""

MAX_ENTRY_CHARS: Final = 1 << 20
"""Characters of XML in which one entry must end, or of text a line. More is not read: it would fill the memory."""

BLANK: Final = "\ufeff\0\t\n\v\f\r "
"""What may stand before the beginning, or around a line: byte-order marks, zeros, white space."""

# Each costs as much as some kilobytes. Parallel packers start a new one every 64 KB or more.
_MAX_GZIP_MEMBERS = 1_000
_HEAD_BYTES = 1_024
_BARE_AMPERSAND = re.compile("&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6});)")
# No part of XML 1.0 (§2.2): control characters, and U+FFFE and U+FFFF.
_CONTROLS = bytes(byte for byte in range(0x20) if byte not in b"\t\n\r")
_NONCHARACTERS = (b"\xef\xbf\xbe", b"\xef\xbf\xbf")
_CHARSET = re.compile(r"""charset\s*=\s*["']?([A-Za-z0-9._-]{1,40})""", re.IGNORECASE)
_DECLARED = re.compile(rb"""\s*<\?xml[^>]{1,200}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
# Common labels of encodings in which "<", ">" and "&" are the bytes of ASCII. Anything else is read as UTF-8.
_CODECS = {
    **dict.fromkeys(("iso-8859-1", "latin1", "us-ascii", "ascii", "cp1252"), "cp1252"),
    **{f"iso-8859-{part}": f"iso8859-{part}" for part in (2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 15, 16)},
    **{f"windows-{page}": f"cp{page}" for page in range(1250, 1259)},
    **dict.fromkeys(("gb2312", "gbk", "gb18030"), "gb18030"),
    "koi8-r": "koi8-r",
    "koi8-u": "koi8-u",
    "big5": "big5hkscs",
    "shift_jis": "cp932",
    "euc-jp": "euc_jp",
    "euc-kr": "cp949",
}


class SitemapBody:
    """A body in pieces of at most 64 KiB, unpacked if it is gzip; `truncated` says that it lacks its end.

    `cut` is empty, or tells, once all has been read, why it was not more: `52,428,800 bytes`, `broken gzip`,
    `1,000 gzip members`, `an incomplete body`. `size` is the number of bytes that came out so far.
    """

    def __init__(self, body: bytes, *, truncated: bool = False) -> None:
        self._body = memoryview(body)
        self._truncated = truncated
        self.cut = ""
        self.size = 0

    def __iter__(self) -> Iterator[bytes]:
        packed = bytes(self._body[:2]) == GZIP_MAGIC
        for piece in self._unpacked() if packed else self._plain():
            room = MAX_SITEMAP_BYTES - self.size
            if len(piece) > room:
                self.cut = f"{MAX_SITEMAP_BYTES:,} bytes"
                yield piece[:room]
                return
            self.size += len(piece)
            yield piece
        if self._truncated and not self.cut:
            self.cut = f"{MAX_SITEMAP_BYTES:,} bytes" if self.size == MAX_SITEMAP_BYTES else "an incomplete body"

    def _plain(self) -> Iterator[bytes]:
        for start in range(0, len(self._body), PIECE_BYTES):
            yield bytes(self._body[start : start + PIECE_BYTES])

    def _unpacked(self) -> Iterator[bytes]:
        """Unpack gzip, as `GzipMembers` has it; what came before a break, or a member too many, counts."""
        members = GzipMembers(_MAX_GZIP_MEMBERS)
        try:
            for packed in self._plain():
                yield from members.decode(packed)
        except TooManyMembersError:
            self.cut = f"{_MAX_GZIP_MEMBERS:,} gzip members"
        except GzipError:
            self.cut = "broken gzip"
        else:
            # A first byte of another member is one that has lost its end, too.
            if members.held or not members.complete:
                self.cut = "broken gzip"


def decoded(pieces: Iterable[bytes], content_type: str | None) -> Iterator[str]:
    """Decode a body; what does not fit its encoding becomes U+FFFD. It begins with what is not `BLANK`.

    XML: by byte-order mark, the zeros of UTF-16, the charset of the Content-Type, the XML declaration (RFC 7303 §3),
    else UTF-8. All other text is UTF-8 (sitemaps.org), or UTF-16 with a byte-order mark.
    """
    begun = False
    for text in _texts(pieces, content_type):
        kept = text if begun else text.lstrip(BLANK)
        if kept:
            begun = True
            yield kept


def _texts(pieces: Iterable[bytes], content_type: str | None) -> Iterator[str]:
    head = b""
    rest = iter(pieces)
    for piece in rest:
        head += piece
        if len(head) >= _HEAD_BYTES:
            break
    decoder = codecs.getincrementaldecoder(_encoding(head, content_type))("replace")
    yield decoder.decode(head)
    for piece in rest:
        yield decoder.decode(piece)
    yield decoder.decode(b"", final=True)


def _encoding(head: bytes, content_type: str | None) -> str:
    """Return the name of Python's codec for a body that begins so."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if head.startswith((b"<\0", b"\0<")):
        return "utf-16-le" if head[0] else "utf-16-be"
    if not head.lstrip().startswith(b"<"):  # with a byte-order mark of UTF-8, too
        return "utf-8"
    if content_type is not None and (named := _CHARSET.search(content_type)) is not None:
        label = named[1]
    elif (declared := _DECLARED.match(head)) is not None:
        label = declared[1].decode("ascii")
    else:
        return "utf-8"
    return _CODECS.get(label.lower(), "utf-8")


def whole_tags(texts: Iterable[str]) -> Iterator[bytes]:
    """Cut XML into pieces that end with a ">", in UTF-8 and mended, so that no tag, entity or CDATA mark is split.

    The last piece ends as the text does. What has no ">" in `MAX_ENTRY_CHARS` comes in one piece as well.

    Mended: characters that XML excludes are dropped, and each `&` that begins neither one of its five entities nor a
    character reference becomes `&amp;`, unless it stands in a CDATA section.
    """
    in_cdata = False
    rest = ""
    for text in texts:
        rest += text
        end = rest.rfind(">") + 1
        if not end and len(rest) > MAX_ENTRY_CHARS:
            end = len(rest)
        if end:
            mended, in_cdata = _mended(rest[:end], in_cdata=in_cdata)
            rest = rest[end:]
            yield mended
    if rest:
        yield _mended(rest, in_cdata=in_cdata)[0]


def _mended(text: str, *, in_cdata: bool) -> tuple[bytes, bool]:
    """Return the bytes, and whether a CDATA section is open at their end."""
    parts = []
    start = 0
    while True:
        mark = "]]>" if in_cdata else "<![CDATA["
        end = text.find(mark, start)
        part = text[start:] if end < 0 else text[start:end]
        parts.append(_BARE_AMPERSAND.sub("&amp;", part) if "&" in part and not in_cdata else part)
        if end < 0:
            break
        parts.append(mark)
        start = end + len(mark)
        in_cdata = not in_cdata
    data = "".join(parts).encode("utf-8", "replace").translate(None, _CONTROLS)
    for character in _NONCHARACTERS:
        data = data.replace(character, b"")
    return data, in_cdata
