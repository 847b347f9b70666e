"""What printable promises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.printable import printable


@pytest.mark.parametrize(
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


@given(st.text())
def test_foreign_text_is_always_printable_afterwards(text):
    assert printable(text).isprintable()
