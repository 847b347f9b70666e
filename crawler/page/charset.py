"""In which encoding a page is written, and the page in it: HTML as a tree, other texts as text. Nothing here raises.

The encoding is found as HTML Standard §13.2.3 says, by labels of the Encoding Standard.
"""

import codecs
import re

from turbohtml import Document, parse
from turbohtml.detect import detect

from crawler.page.roots import with_few_roots
from crawler.page.shadow_roots import with_shadow_roots

__all__ = ["decoded", "encoding_of", "parsed"]

# RFC 9110 §8.3.1, with the blanks and single quotes that servers write besides.
_HEADER_CHARSET = re.compile(r"""(?:^|[;,\s])charset\s*=\s*["']?\s*([^\s;"',]+)""", re.IGNORECASE)
# HTML Standard §13.2.3.2, "get an XML encoding". Its label holds no blanks and ends before the declaration does.
_XML_ENCODING = re.compile(
    rb"""<\?xml(?:(?!encoding)[^>])*encoding[\x00-\x20]*=[\x00-\x20]*(["'])([^\x00-\x20>]*?)\1[^>]*>"""
)
# The same section, "prescan": these are the first characters of `<?x` in UTF-16.
_XML_UTF16 = {b"<\0?\0x\0": "utf-16le", b"\0<\0?\0x": "utf-16be"}
_XML_STARTS = (b"<?xml", *_XML_UTF16)
_PRESCAN_BYTES = 1024
_NOT_ASCII = dict.fromkeys(range(0x80, 0x100), "x")
# Share of a body that is looked at when a few wrong bytes keep it from being UTF-8.
_REPAIR_BYTES = 65_536
_BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")


def parsed(body: bytes, content_type: str | None) -> Document:
    """Parse one HTML page, its encoding found as `extract` says, its shadow roots in their hosts. Never raises.

    Only so many tags of `html` and `body` bring attributes (`page.roots`).
    """
    return with_shadow_roots(_parsed(with_few_roots(body), content_type))


def _parsed(body: bytes, content_type: str | None) -> Document:
    header = _HEADER_CHARSET.search(content_type) if content_type else None
    if header is not None and (document := _parsed_as(body, header[1])) is not None:
        return document
    # Parsing once is enough unless there may be a `<meta>`, which would come first: only the parser can tell.
    if body.startswith(_XML_STARTS) and b"charset" not in body[:_PRESCAN_BYTES].lower():
        declared = _xml_encoding(body)
        if declared is not None and (document := _parsed_as(body, declared)) is not None:
            return document
    document = parse(body, detect_encoding=True, positions=False, allow_declarative_shadow_roots=False)
    if document.encoding_confidence != "tentative":
        return document
    declared = _xml_encoding(body)
    # It is a guess, or from a `<meta>` that is none, in a script say: the standard lets that count.
    if declared is not None:
        better = declared
    elif document.encoding != "UTF-8" and _nearly_utf8(body):
        better = "utf-8"
    else:
        return document
    if better == (document.encoding or "").lower() or _prescanned(body):
        return document
    return _parsed_as(body, better) or document


def encoding_of(body: bytes, content_type: str | None) -> str:
    """Return the encoding of a text that is not HTML: a WHATWG label in lower case. Never raises, parses nothing.

    It is the first of: byte-order mark, `charset` of the header if it is a known label, an XML declaration, UTF-8 if
    all but a few bytes are that, a guess.
    """
    header = _HEADER_CHARSET.search(content_type) if content_type else None
    if header is not None and (known := _parsed_as(body[:4], header[1])) is not None and known.encoding is not None:
        return known.encoding.lower()
    if body.startswith(_BYTE_ORDER_MARKS):
        return (detect(body[:4]).encoding or "utf-8").lower().removesuffix("-sig")
    declared = _xml_encoding(body)
    if declared is not None:
        return declared
    try:
        body.decode()
    except UnicodeDecodeError:
        if not _nearly_utf8(body):
            return (detect(body).encoding or "windows-1252").lower()
    return "utf-8"


def decoded(body: bytes, encoding: str) -> str:
    """Return a text without its byte-order mark. `encoding` is a WHATWG label, as of `Extracted`. Never raises.

    Bytes that fit no character become U+FFFD. The tables are those of the Encoding Standard, not Python's.
    """
    return codecs.lookup(f"whatwg-{encoding}").decode(body)[0].removeprefix("\ufeff")


def _parsed_as(body: bytes, label: str) -> Document | None:
    """Parse with the encoding called `label`, unless a byte-order mark says otherwise; None if there is none."""
    try:
        return parse(body, encoding=label, positions=False, allow_declarative_shadow_roots=False)
    except (LookupError, UnicodeError):
        return None


def _xml_encoding(body: bytes) -> str | None:
    """Return the encoding, in lower case, that an XML declaration at the start of a body names; None if it does not."""
    utf16 = _XML_UTF16.get(body[:6])
    if utf16 is not None:
        return utf16
    match = _XML_ENCODING.match(body[:_PRESCAN_BYTES])
    if match is None:
        return None
    known = _parsed_as(b"", match[2].decode("latin-1"))
    if known is None or known.encoding is None:
        return None
    # Where this could be read, there is no UTF-16.
    return "utf-8" if known.encoding.startswith("UTF-16") else known.encoding.lower()


def _prescanned(body: bytes) -> bool:
    """Whether the prescan of the first bytes, not a guess, gave an encoding other than UTF-8."""
    start = body[:_PRESCAN_BYTES].decode("latin-1").translate(_NOT_ASCII).encode("ascii")
    # Without a word of its own it would be UTF-8 now.
    return parse(start + "é".encode(), positions=False).encoding != "UTF-8"


def _nearly_utf8(body: bytes) -> bool:
    """Whether a body that is not valid UTF-8 is so only for some bytes: cut in a character, or pasted from elsewhere.

    Text of a legacy encoding hardly ever makes a valid sequence, so four of them to one fault are no chance.
    """
    text = body[:_REPAIR_BYTES].decode("utf-8", "replace")
    faults = text.count("\ufffd")
    sequences = len(text) - len(text.encode("ascii", "ignore")) - faults
    return sequences > 4 * faults
