"""Queries of links in the encoding of their page, as a browser sends them. Pure; nothing here raises.

URL Standard, "percent-encode after encoding", and Encoding Standard, the encoders. turbohtml's tables only decode, so
they are turned round when an encoding is met first.
"""

import codecs
from functools import cache

from crawler.page.charset import decoded
from crawler.web.urls import MAX_URL_CHARS

__all__ = ["encodes_queries", "with_encoded_query"]

# First bytes of characters of two bytes. Those that are left out are read and not written (Encoding Standard §5): the
# extensions of Big5, and in Shift_JIS a second copy of some rows, and private characters.
_LEADS = {
    "gbk": range(0x81, 0xFF),
    "gb18030": range(0x81, 0xFF),
    "big5": range(0xA1, 0xFF),
    "euc-jp": (0x8E, *range(0xA1, 0xFF)),
    "euc-kr": range(0x81, 0xFF),
    "shift_jis": (*range(0x81, 0xA0), *range(0xE0, 0xED), *range(0xFA, 0xFD)),
}
_TRAILS = (*range(0x40, 0x7F), *range(0x80, 0xFF))
# Of two places for one character the first one counts, but for these (§5).
_LAST_IN_BIG5 = frozenset("═╞╡╪十卅")
# What the encoders say besides their tables (§10 to §12).
_OTHERS = {
    "gbk": {"€": b"\x80"},
    "gb18030": {"€": b"\xa2\xe3"},
    "euc-jp": {"¥": b"\\", "‾": b"~", "\u2212": b"\xa1\xdd"},
    "shift_jis": {"¥": b"\\", "‾": b"~", "\u2212": b"\x81|"},
}
# Encoding Standard §4.3: the output encoding of these is UTF-8.
_UTF_8 = frozenset({"utf-8", "utf-16le", "utf-16be", "replacement"})
# URL Standard §1.3, the special-query percent-encode set.
_ESCAPED = [
    chr(byte) if 0x20 < byte < 0x7F and chr(byte) not in "\"#<>'" else f"%{byte:02X}" for byte in range(256)
]  # fmt: skip
_REMOVED = {ord("\t"): None, ord("\n"): None, ord("\r"): None}
_STRIPPED = "".join(map(chr, range(0x21)))
_ERRORS = "crawler-query"


def encodes_queries(encoding: str) -> bool:
    """Whether links of a page in `encoding` (a WHATWG label, lower case) have queries that are not in UTF-8."""
    return encoding not in _UTF_8


def with_encoded_query(href: str, encoding: str) -> str:
    """Return a reference whose query is percent-encoded as a page in `encoding` sends it; as it is, if that is ASCII.

    A character that the encoding has not becomes `&#N;`, percent-encoded. Path and fragment are always UTF-8.
    """
    if href.isascii() or encoding in _UTF_8 or len(href) > MAX_URL_CHARS:
        return href
    before, mark, rest = href.partition("?")
    query, hash_mark, fragment = rest.partition("#")
    if query.isascii() or "#" in before:
        return href
    query = query.translate(_REMOVED)
    if not hash_mark:
        query = query.rstrip(_STRIPPED)
    # ISO-2022-JP alone has states, so that a character has no bytes of its own.
    encoded = (
        query.encode("iso2022_jp", _ERRORS)
        if encoding == "iso-2022-jp"
        else b"".join(
            [character.encode() if character < "\x80" else _bytes(character, encoding) for character in query]
        )
    )
    return before + mark + "".join([_ESCAPED[byte] for byte in encoded]) + hash_mark + fragment


def _bytes(character: str, encoding: str) -> bytes:
    """Return what a character that is not ASCII is in an encoding, or its reference."""
    found = _table(encoding).get(character)
    if found is None and encoding == "gb18030" and character != "\ue5e5":
        found = character.encode("gb18030", "ignore")
    return found or _reference(character).encode()


@cache
def _table(encoding: str) -> dict[str, bytes]:
    """Return the characters of an encoding that are not ASCII, and what each is. 10 ms for one with two bytes."""
    table: dict[str, bytes] = {}
    places = [bytes((byte,)) for byte in range(0x80, 0x100)]
    places += [bytes((lead, trail)) for lead in _LEADS.get(encoding, ()) for trail in _TRAILS]
    for place in places:
        character = decoded(place, encoding)
        if len(character) == 1 and (character not in table or (encoding == "big5" and character in _LAST_IN_BIG5)):
            table[character] = place
    table.pop("\ufffd", None)
    return table | _OTHERS.get(encoding, {})


def _reference(character: str) -> str:
    code = ord(character)
    return f"%26%23{0xFFFD if 0xD800 <= code <= 0xDFFF else code}%3B"


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_reference, error.object[error.start : error.end])), error.end


codecs.register_error(_ERRORS, _replace)
