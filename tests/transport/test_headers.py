"""Headers are sent as configured, and come out fit to be stored and shown."""

import pytest

from crawler.config import CrawlConfig
from crawler.transport.headers import clean_headers, content_encoding, request_headers, with_headers


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        (b"text/html", "text/html"),
        ("/caf\u00e9".encode(), "/caf\u00e9"),
        ("/caf\u00e9".encode("latin-1"), "/caf\u00e9"),
        (b"\xff\xfe\xed\xa0\x80", "\u00ff\u00fe\u00ed"),
        (b"a\x1b[31mred\x07\x7f", "a[31mred"),
        ("x\u009b31m".encode(), "x31m"),
        (b"folded\r\n\tvalue", "folded value"),
        (b"a\tb", "a b"),
        (b"", ""),
    ],
)
@pytest.mark.parametrize(("codec", "errors"), [("utf-8", "surrogateescape"), ("latin-1", "strict")])
def test_header_values_come_out_without_controls_and_surrogates(raw, clean, codec, errors):
    ((name, value),) = clean_headers([("X-Thing", raw.decode(codec, errors))], codec, errors)
    assert (name, value) == ("x-thing", clean)
    value.encode("utf-8")


def test_configured_headers_win_over_defaults_whatever_their_case(tmp_path):
    config = CrawlConfig(job=tmp_path, user_agent="me/1", headers=(("ACCEPT", "text/plain"), ("X-Key", "1")))
    headers = request_headers(config)
    assert headers["User-Agent"] == "me/1"
    assert headers["ACCEPT"] == "text/plain"
    assert headers["X-Key"] == "1"
    assert headers["Accept-Encoding"] == "gzip, deflate, br, zstd"
    assert len(headers) == 4


def test_a_requests_own_headers_replace_common_ones_whatever_their_case():
    assert with_headers({"Accept": "a", "X": "1"}, [("accept", "b"), ("Y", "2")]) == {"X": "1", "accept": "b", "Y": "2"}


@pytest.mark.parametrize(
    ("headers", "value"),
    [
        ([], ""),
        ([("content-type", "text/html")], ""),
        ([("content-encoding", "br")], "br"),
        ([("content-encoding", "gzip"), ("x", "y"), ("content-encoding", "br")], "gzip, br"),
    ],
)
def test_several_content_encoding_headers_are_one_list(headers, value):
    assert content_encoding(headers) == value
