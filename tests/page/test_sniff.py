"""What a body is: its declared type is believed unless that says nothing, or the bytes say otherwise."""

import pytest

from crawler.page.sniff import sniffed_type
from tests.support.table import table
from tests.support.yardstick import takes_linear_time

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 20
BITMAP = b"BM\x46\x00\x00\x00\x00\x00\x00\x00\x36"


@table(
    ("declared", "body", "sniffed"),
    [
        ("text/html", b"", None),
        ("text/html", b"no tags at all", None),
        ("application/xhtml+xml", b"<html>", None),
        ("text/html", PNG, "image/png"),
        ("application/xhtml+xml", PNG, "image/png"),
        ("text/html", b"\xff\xd8\xff\xe0", "image/jpeg"),
        ("text/html", b"GIF89a", "image/gif"),
        ("text/html", BITMAP, "image/bmp"),
        ("text/html", b"BMW builds cars", None),
        ("text/html", b"%PDF-1.7", "application/pdf"),
        ("text/html", b"PK\x03\x04", "application/zip"),
        ("text/html", b"\x1f\x8b\x08", "application/gzip"),
        ("text/html", b"RIFF\x10\x00\x00\x00WEBPVP8 ", "image/webp"),
        ("text/html", b"RIFF is also a word", None),
        ("text/html", b"ID3 is a kind of tag", None),
        ("text/html", b"ID3\x03\x00", "audio/mpeg"),
        ("text/html", b"\0\0\0 only NULs", None),
        # What says something and is no HTML is believed.
        ("image/png", b"<html>", None),
        ("application/json", b"<html>", None),
        ("text/css", PNG, None),
        # What says nothing, or what servers give to everything, is not.
        (None, b"<!DOCTYPE html><p>", "text/html"),
        (None, b"\n\n <!-- a --> <!-- b --><HTML lang=en>", "text/html"),
        (None, b"\xef\xbb\xbf<html>", "text/html"),
        (None, "\ufeff<html>".encode("utf-16-le"), "text/html"),
        (None, "\ufeff<html>".encode("utf-16-be"), "text/html"),
        (None, b'<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "x">', "text/html"),
        (None, b"plain text about <html>", None),
        (None, b"", None),
        (None, b"<htmlx>", None),
        (None, PNG, "image/png"),
        ("*/*", b"<html>", "text/html"),
        ("application/octet-stream", b"<html>", "text/html"),
        ("application/octet-stream", PNG, "image/png"),
        ("application/octet-stream", b"\x01\x02", None),
        ("text/plain", b"<!doctype html>", "text/html"),
        ("text/plain", b"a < b", None),
        ("text/xml", b"<?xml version='1.0'?><rss>", None),
        ("text/xml", b"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'>", "text/html"),
    ],
)
def test_a_type_is_sniffed_only_where_the_declared_one_cannot_be_believed(declared, body, sniffed):
    assert sniffed_type(declared, body) == sniffed


@pytest.mark.parametrize(
    ("start", "filler", "end", "times"),
    [
        (b"", b"<!-- -->", b"x", 128),
        (b"", b"<!--", b"", 256),
        (b"", b" ", b"", 1024),
        (b"<?xml", b" ", b"", 1019),
        (b"", b"<!-- --> ", b"<", 113),
        (b"\xff\xfe", b" \0", b"", 5_000_000),
    ],
)
def test_sniffing_takes_linear_time(start, filler, end, times):
    """A hundred times over, so that what is not linear can be seen in the little that is looked at."""

    def work(size):
        body = start + filler * size + end
        for _ in range(100):
            assert sniffed_type(None, body) is None

    assert takes_linear_time(work, times // 8)
