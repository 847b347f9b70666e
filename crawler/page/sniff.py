"""What a body is when its declared media type cannot be believed. Pure; looks at the first 1,024 bytes at most."""

import re

__all__ = ["HTML_TYPES", "sniffed_type"]

HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
"""Media types that are read as HTML."""

_SNIFF_BYTES = 1024
# Types that say nothing, or that servers give to everything (WHATWG MIME Sniffing §5.1 and §7, without images).
_VAGUE_TYPES = frozenset(
    {None, "*/*", "application/octet-stream", "application/xml", "text/plain", "text/xml", "unknown/unknown"}
)
# WHATWG MIME Sniffing §7.1, without the tags that text which is not a page may well start with.
_HTML_START = re.compile(
    rb"\s*(?:<\?xml[^>]*>\s*)?(?>(?:<!--.*?-->\s*)*)<(?:!doctype\s+html|html|head|body|title|meta|script|iframe|h1|div|table)[\s/>]",
    re.IGNORECASE | re.DOTALL,
)
# WHATWG MIME Sniffing §6.1-6.4 and §7.1, and a few formats that it leaves out.
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"\x00\x00\x01\x00", "image/x-icon"),
    (b"%PDF-", "application/pdf"),
    (b"%!PS-Adobe-", "application/postscript"),
    (b"\x1f\x8b\x08", "application/gzip"),
    (b"PK\x03\x04", "application/zip"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"OggS\x00", "application/ogg"),
    (b"ID3\x02", "audio/mpeg"),
    (b"ID3\x03", "audio/mpeg"),
    (b"ID3\x04", "audio/mpeg"),
    (b"\x1a\x45\xdf\xa3", "video/webm"),
    (b"wOFF", "font/woff"),
    (b"wOF2", "font/woff2"),
    (b"\x7fELF", "application/x-elf"),
    (b"\x00asm", "application/wasm"),
)
_STARTS = tuple(start for start, _ in _SIGNATURES)
_RIFF_TYPES = {b"WEBP": "image/webp", b"WAVE": "audio/wave", b"AVI ": "video/avi"}


def sniffed_type(declared: str | None, body: bytes) -> str | None:
    """Return the media type that the first bytes of a body show, or None if `declared` is to be believed.

    `declared` is the media type of the Content-Type header, lower case and without parameters; None if there is none.
    It is not believed if it is a type of HTML and the bytes are certainly something else (an image, an archive), or if
    it says nothing or little (none, `application/octet-stream`, `text/plain`, plain XML) and the bytes are either that
    or begin like a page (`text/html`). Never raises.
    """
    if declared in HTML_TYPES:
        return _binary_type(body)
    if declared not in _VAGUE_TYPES:
        return None
    binary = _binary_type(body)
    if binary is not None:
        return binary
    start = body[:_SNIFF_BYTES]
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        start = start[2:].replace(b"\0", b"")
    return "text/html" if _HTML_START.match(start.removeprefix(b"\xef\xbb\xbf")) else None


def _binary_type(body: bytes) -> str | None:
    if body.startswith(_STARTS):
        return next(kind for start, kind in _SIGNATURES if body.startswith(start))
    if body.startswith(b"RIFF"):
        return _RIFF_TYPES.get(body[8:12])
    # The reserved bytes of the header tell a bitmap from a text about a car.
    if body.startswith(b"BM") and body[6:10] == b"\0\0\0\0":
        return "image/bmp"
    return None
