"""Headers are sent as configured, and come out fit to be stored and shown."""

import pytest

from crawler.core.config import CrawlConfig
from crawler.fetcher.transport.headers import (
    HeadError,
    clean_headers,
    codings_of,
    content_encoding,
    is_clear_redirect,
    request_headers,
)
from crawler.web.content_coding import CodingError
from tests.support.table import table


@table(
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
@table(("codec", "errors"), [("utf-8", "surrogateescape"), ("latin-1", "strict")])
def test_header_values_come_out_without_controls_and_surrogates(raw, clean, codec, errors):
    ((name, value),) = clean_headers([("X-Thing", raw.decode(codec, errors))], codec, errors)
    assert (name, value) == ("x-thing", clean)
    value.encode("utf-8")


def test_configured_headers_win_over_defaults_whatever_their_case(tmp_path):
    config = CrawlConfig(job=tmp_path, user_agent="me/1", headers=((" ACCEPT", " text/plain "), ("DNT", "1")))
    headers = request_headers(config)
    assert headers["User-Agent"] == "me/1"
    assert headers["ACCEPT"] == "text/plain"
    assert headers["DNT"] == "1"
    assert headers["Accept-Encoding"] == "gzip, deflate, br, zstd"
    assert len(headers) == 4


def test_headers_that_may_be_secret_are_not_for_every_server(tmp_path):
    secret = (("Authorization", "Basic c2VjcmV0"), ("cookie", "a=secret"), ("X-Api-Key", "secret"), ("Host", "a"))
    headers = request_headers(CrawlConfig(job=tmp_path, headers=secret))
    assert set(headers) == {"User-Agent", "Accept", "Accept-Encoding"}
    assert "secret" not in str(headers)


@table(
    ("location", "clear"),
    [
        (b"/a", True),
        (b" /a \t", True),
        (b"/a b", True),
        ("/\u00c0\u20ac".encode(), True),
        ("/caf\u00e9".encode("latin-1"), True),
        (b"/a\tb", False),
        (b"/a\r\n /b", False),
        (b"/a\rb", False),
        (b"/a\0b", False),
        (b"/a\x1b[2J", False),
        (b"/a\x7f", False),
        (b"/a\x93b", False),
        ("/a\u009bb".encode(), False),
    ],
)
@table(("codec", "errors"), [("utf-8", "surrogateescape"), ("latin-1", "strict")])
def test_a_location_with_control_characters_is_not_clear(location, clear, codec, errors):
    value = location.decode(codec, errors)
    assert is_clear_redirect([("X", "\0"), ("LocaTion", value)], codec, errors) is clear
    assert is_clear_redirect([("Location", "/a"), ("location", value)], codec, errors) is clear


@table(
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
    assert codings_of(headers) == value


@table(
    ("transfer", "codings"),
    [
        (["chunked"], "br"),
        (["Chunked "], "br"),
        (["chunked, chunked"], "br"),
        (["identity"], "br, identity"),
        (["gzip, chunked"], "br, gzip"),
        (["gzip", " chunked"], "br, gzip"),
        (["GZIP"], "br, gzip"),
        (["deflate,\tx-gzip ,, chunked"], "br, deflate, x-gzip"),
        (["chunked, gzip"], HeadError),
        (["chunked", "gzip, chunked"], HeadError),
        (["br, chunked"], CodingError),
        (["xchunked"], CodingError),
    ],
)
def test_transfer_codings_are_undone_before_those_of_the_content_or_refused(transfer, codings):
    """RFC 9112 §7: all but `chunked`, which is the last of them."""
    headers = [("content-encoding", "br"), *(("transfer-encoding", value) for value in transfer)]
    if isinstance(codings, str):
        assert codings_of(headers) == codings
    else:
        with pytest.raises(codings):
            codings_of(headers)
