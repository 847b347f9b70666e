"""What the text of a number or a date means."""

import pytest

from crawler.page.fields.values import date_of_parts, to_date, to_float, to_int
from tests.support.table import table
from tests.support.thorough import first_quickly
from tests.support.yardstick import takes_linear_time

# text, as int, as float
NUMBERS = [
    ("7", 7, 7.0),
    ("-7", -7, -7.0),
    ("\u22127", -7, -7.0),
    ("12.50", None, 12.5),
    ("12,50", None, 12.5),
    ("12.00", 12, 12.0),
    ("1,299", 1299, 1299.0),
    ("1.299", 1299, 1.299),
    ("0.125", None, 0.125),
    ("0,125", None, 0.125),
    ("1.234,56 €", None, 1234.56),
    ("$1,234.56", None, 1234.56),
    ("1.234.567", 1234567, 1234567.0),
    ("1 299,00", 1299, 1299.0),
    ("1\xa0299,50", None, 1299.5),
    ("1\u202f299\u202f000", 1299000, 1299000.0),
    ("1'299.50", None, 1299.5),
    ("1\u2019299", 1299, 1299.0),
    ("1,23,456.50", None, 123456.5),
    ("12,34,567", 1234567, 1234567.0),
    ("12345 678", 12345, 12345.0),
    ("15\n128", 15, 15.0),
    ("1.234.5", None, 1.234),
    ("1,2,3", None, 1.2),
    (".5", None, 0.5),
    ("$.50", None, 0.5),
    ("No.5", 5, 5.0),
    ("-$5.00", -5, -5.0),
    ("EUR 12,-", 12, 12.0),
    ("SKU-500", 500, 500.0),
    ("10-20", 10, 10.0),
    ("10 - 20", 10, 10.0),
    ("a - 5", 5, 5.0),
    ("from 3 to 4", 3, 3.0),
    ("1e5", 1, 1.0),
    ("\u0661\u0662\u0663", 123, 123.0),
    ("9223372036854775807", 2**63 - 1, 2.0**63),
    ("-9223372036854775808", -(2**63), -(2.0**63)),
    ("9223372036854775808", None, 2.0**63),
    ("9" * 350, None, None),
    ("9" * 5_000, None, None),
    ("0." + "1" * 5_000, None, None),
    ("", None, None),
    ("none", None, None),
    ("\u00bd \u2167 \u00b2", None, None),
]


@table(("text", "whole", "fraction"), NUMBERS, ids=[text[:12] for text, *_ in NUMBERS])
def test_a_number_is_found_in_its_surroundings(text, whole, fraction):
    assert to_int(text) == whole
    assert to_float(text) == fraction
    assert type(to_int(text)) in {int, type(None)}
    assert type(to_float(text)) in {float, type(None)}


@table(
    ("text", "expected"),
    [
        ("2026-03-05", "2026-03-05"),
        ("2026-3-5", "2026-03-05"),
        ("2026/03/05", "2026-03-05"),
        ("2026.03.05", "2026-03-05"),
        ("2026-03/05", None),
        ("2026-03-05T10:30:00Z", "2026-03-05T10:30:00Z"),
        ("2026-03-05t10:30z", "2026-03-05T10:30:00Z"),
        ("2026-03-05 10:30", "2026-03-05T10:30:00"),
        ("2026-03-05T10:30:00.125+0130", "2026-03-05T10:30:00.125000+01:30"),
        ("2026-03-05T10:30:00.1234567Z", "2026-03-05T10:30:00.123456Z"),
        ("2026-03-05T10:30:00\u221205:00", "2026-03-05T10:30:00-05:00"),
        ("5.3.2026", "2026-03-05"),
        ("05.03.2026, 10:30", "2026-03-05T10:30:00"),
        ("5. 3. 2026", "2026-03-05"),
        ("1.5.3.2026", None),
        ("5 March 2026", "2026-03-05"),
        ("5th of March, 2026", "2026-03-05"),
        ("5-Mar-2026", "2026-03-05"),
        ("MARCH 5, 2026", "2026-03-05"),
        ("Mar. 5th 2026 at 10:30 p.m.", "2026-03-05T22:30:00"),
        ("March 5, 2026 12:05 AM", "2026-03-05T00:05:00"),
        ("March 5, 2026 13:05 AM", None),
        ("Published on 5 Sept. 2026 by me", "2026-09-05"),
        ("Thu, 05 Mar 2026 10:00:00 GMT", "2026-03-05T10:00:00Z"),
        ("5 marbles 2026", None),
        ("03/05/2026", None),
        ("2026-02-30", None),
        ("2026-13-01", None),
        ("0000-01-01", None),
        ("2026-03-05T25:00", None),
        ("2026-03-05T10:30:00+25:00", None),
        ("12026-03-05", None),
        ("20260305", None),
        ("March 2026", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_a_date_is_found_and_written_as_iso_8601(text, expected):
    assert to_date(text) == expected


@table(
    ("parts", "expected"),
    [
        ({"year": "2026", "month": "03", "day": "5"}, "2026-03-05"),
        ({"year": "26", "month": "Mar", "day": "5"}, "2026-03-05"),
        ({"year": "69", "month": "1", "day": "1"}, "1969-01-01"),
        ({"year": "68", "month": "1", "day": "1"}, "2068-01-01"),
        ({"year": "2026", "month": "3", "day": "5", "hour": "9"}, "2026-03-05T09:00:00"),
        ({"year": "2026", "month": "3", "day": "5", "minute": "9"}, "2026-03-05"),
        ({"year": "2026", "month": "Foo", "day": "5"}, None),
        ({"year": "2026", "month": "", "day": "5"}, None),
        ({"year": "2026", "month": "3"}, None),
        ({"year": "9" * 5_000, "month": "3", "day": "5"}, None),
        ({"year": "9" * 50, "month": "3", "day": "5"}, None),
        ({"year": "99999", "month": "3", "day": "9" * 30}, None),
    ],
)
def test_a_date_can_be_given_in_parts(parts, expected):
    assert date_of_parts(parts) == expected


@pytest.mark.parametrize("convert", first_quickly([to_int, to_float, to_date], 3), ids=lambda convert: convert.__name__)
@pytest.mark.parametrize(
    "piece", first_quickly(["9", "1,", "1.1", "1 ", "1,234,", "-", "5 mar ", "may  ", "2026-03-", "5.", " ", "a "], 3)
)
def test_long_texts_take_time_in_proportion(convert, piece):
    assert takes_linear_time(lambda size: convert(piece * size), 4_000)
