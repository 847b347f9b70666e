"""Fields: any page has values for them, of their types, or none; and none of them is an error."""

import re

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from crawler.page.fields.find import find
from crawler.page.fields.lines import read_fields
from crawler.page.fields.values import to_date, to_float, to_int
from crawler.page.page import Page
from tests.fuzz.damage import ANY_TEXT, damaged, damaged_text, fragments
from tests.fuzz.profile import fuzz

BODIES = damaged(fragments("html")) | st.binary(max_size=200)
DATES = fragments("dates")
NUMBERS = st.text("0123456789.,' -\u2212$\u00a0\u202f\u0661", max_size=12)
TYPES = st.sampled_from(["text/html", "text/html; charset=utf-16", "application/json", "image/png", ""])
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
FIELDS = read_fields(
    {
        "all": "html",
        "html": "body::html",
        "texts[]": "p, a, li, td, div, title",
        "comments[]": "//comment()",
        "attributes[]": "//@*",
        "urls[]:url": "a::attr(href)",
        "numbers[]:float": "p, a, td",
        "count:int": "xpath:count(//*)",
        "dates[]:date": "//text()",
        "language": "::attr(lang)",
        "patterns[]": "//*[re:test(., @title)]",
        "objects": {
            "css": "*",
            "many": True,
            "fields": {"tag": "./*::html", "own:int": "::attr(id)", "text": "::text"},
        },
    }
)
KINDS = {"int": int, "float": float}


@fuzz(300)
@given(BODIES, TYPES)
def test_any_page_has_clean_values_of_the_types_of_its_fields(body, content_type):
    values = find(Page.from_html(body, "http://h.example/a/", headers={"Content-Type": content_type}), FIELDS)
    assert list(values) == [field.name for field in FIELDS]
    for field in FIELDS:
        for value in values[field.name] if field.many else [values[field.name]]:
            kind = dict if field.fields else KINDS.get(field.type, str)
            assert type(value) is kind or (value is None and not field.many)
    assert all(url.startswith(("http://", "https://")) for url in values["urls"])
    written = msgspec.json.encode(values)
    assert b"\n" not in written
    for text in (*values["texts"], *values["attributes"], values["all"] or "", values["html"] or ""):
        assert not CONTROLS.search(text)


@fuzz(600)
@given(NUMBERS | damaged_text(DATES, 9) | ANY_TEXT)
def test_any_text_is_a_number_and_a_date_or_none(text):
    whole, fraction, date = to_int(text), to_float(text), to_date(text)
    assert whole is None or -(2**63) <= whole < 2**63
    assert fraction is None or abs(fraction) < float("inf")
    assert date is None or re.match(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d|$)", date)
