"""What printable promises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.printable import printable
from tests.support.table import table
from tests.support.yardstick import takes_linear_time


@table(
    ("text", "limit", "shown"),
    [
        ("plain ü", None, "plain ü"),
        ("site01.localhost", None, "site01.localhost"),
        ("bücher.example 漢字", None, "bücher.example 漢字"),
        ("a\nb\x1b[31m\x9b\x7f", None, r"a\nb\x1b[31m\x9b\x7f"),
        ("\x1b[2Jgone", None, r"\x1b[2Jgone"),
        ("two\nlines\r", None, r"two\nlines\r"),
        ("\u202e\ud800\u2028", None, r"\u202e\ud800\u2028"),
        ("\udc80", None, r"\udc80"),
        ("x" * 100, 100, "x" * 100),
        ("x" * 101, 100, "x" * 99 + "…"),
    ],
)
def test_printable_is_one_harmless_line(text, limit, shown):
    assert printable(text, limit) == shown
    assert shown.isprintable()


@table(
    "url",
    [
        "http://user:s3cret@host/",
        "HTTPS://s3cret@host",
        "htp://user:s3cret@host",
        "http:/user:s3cret@host/",
        r"http:\\user:s3cret@host",
        "https:user:s3cret@host",
        "//user:s3cret@host",
        "user:s3cret@host",
        "http://user:s3cret@host:99999/",
        "http://user:p#s3cret@host/",
        "http://user:p/s3cret?@host/",
        "http://user:80-/s3cret@host/",
        "http://user:a@s3cret@host/",
        "http://user:a b's3cret@host/",
        f"http://user:{'x' * 200}s3cret@host/",
    ],
)
@table("text", ["{}", "a.txt:2: not an http(s) URL: '{}'", '{{"url": "{}"}}', "two {} and {} in one"])
def test_user_name_and_password_of_a_url_are_not_shown(url, text):
    for limit in (None, 60):
        shown = printable(text.format(url, url), limit)
        assert "cret" not in shown
        assert "xxx" not in shown
        assert "…@host" in shown


@table(
    "text",
    [
        "https://example.com/@name/a:b@c?d@e",
        "http://[::1]:8080/@name",
        "http://example.com:80/a@b",
        "mailto:a@example.com",
        "a@example.com",
        "12:30: a@example.com",
    ],
)
def test_an_at_sign_elsewhere_stays(text):
    assert printable(text) == text


@pytest.mark.parametrize("piece", ["//a:b", "/", ":/", "a:", " a:b", "//x:y?", "@", "//"])
@pytest.mark.parametrize(("start", "end"), [("@", ""), ("", "@")])
def test_a_line_of_300_000_characters_takes_linear_time(start, piece, end):
    assert takes_linear_time(lambda size: printable(start + piece * size + end, 100), 37_500 // len(piece))


@given(st.text())
def test_foreign_text_is_always_printable_afterwards(text):
    assert printable(text).isprintable()
