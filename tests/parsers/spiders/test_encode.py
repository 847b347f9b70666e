"""Records of spiders as lines of JSON: what becomes what, and how an error names the place."""

import json
import math
from collections import OrderedDict, namedtuple
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from fractions import Fraction
from pathlib import PurePosixPath
from types import MappingProxyType
from uuid import UUID

import msgspec
import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from crawler.parsers.spiders.encode import MAX_NESTING, RecordError, encode_record, is_record, plain_record
from tests.support.table import table


class Colour(Enum):
    RED = "red"


class Size(IntEnum):
    LARGE = 3


@dataclass(frozen=True)
class Part:
    name: str
    tags: list[str] = field(default_factory=list)


class Product(msgspec.Struct, rename="camel", tag=True):
    unit_price: Decimal
    part: Part | None = None


class Model(BaseModel):
    url: str
    when: date
    part: Part


Point = namedtuple("Point", "x y")  # noqa: PYI024 - the untyped kind is meant


@table(
    ("value", "expected"),
    [
        pytest.param(
            {"a": 1, "b": None, "c": True, "d": "é", "e": 1.5},
            {"a": 1, "b": None, "c": True, "d": "é", "e": 1.5},
            id="dict",
        ),
        pytest.param(OrderedDict(a=1), {"a": 1}, id="mapping"),
        pytest.param(MappingProxyType({"a": 1}), {"a": 1}, id="mapping-that-is-no-dict"),
        pytest.param(Part("x", ["y"]), {"name": "x", "tags": ["y"]}, id="dataclass"),
        pytest.param(
            Product(Decimal("1.50"), Part("x")), {"unitPrice": "1.50", "part": {"name": "x", "tags": []}}, id="struct"
        ),
        pytest.param(
            Model(url="u", when=date(2026, 1, 2), part=Part("x")),
            {"url": "u", "when": "2026-01-02", "part": {"name": "x", "tags": []}},
            id="pydantic",
        ),
        pytest.param(Point(1, [2]), {"x": 1, "y": [2]}, id="named-tuple"),
    ],
)
def test_a_record_may_be_any_object_with_named_fields(value, expected):
    assert is_record(value)
    assert encode_record(value) == json.dumps(expected, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


@table(
    ("value", "expected"),
    [
        pytest.param(math.nan, None, id="nan"),
        pytest.param(-math.inf, None, id="infinity"),
        pytest.param(10**30, 10**30, id="large-number"),
        pytest.param(Decimal("0.10"), "0.10", id="decimal"),
        pytest.param(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05+00:00", id="datetime"),
        pytest.param(
            datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta(hours=2))), "2026-01-02T03:00:00+02:00", id="zone"
        ),
        pytest.param(time(3, 4), "03:04:00", id="time"),
        pytest.param(timedelta(days=1, seconds=5), "P1DT5S", id="timedelta"),
        pytest.param(UUID(int=1), "00000000-0000-0000-0000-000000000001", id="uuid"),
        pytest.param(PurePosixPath("/a/b"), "/a/b", id="path"),
        pytest.param(Colour.RED, "red", id="enum"),
        pytest.param(Size.LARGE, 3, id="int-enum"),
        pytest.param((1, [2]), [1, [2]], id="tuple"),
        pytest.param("a\ud800b", "ab", id="lone-surrogate"),
        pytest.param({1: "x", Colour.RED: 2, "\udfff": 3}, {"1": "x", "red": 2, "": 3}, id="keys"),
        pytest.param({"a": [{"b": Part("\ud800")}]}, {"a": [{"b": {"name": "", "tags": []}}]}, id="nested"),
    ],
)
def test_values_become_what_json_has(value, expected):
    assert json.loads(encode_record({"value": value})) == {"value": expected}


def test_numbers_that_json_has_not_are_gone_before_a_sink_sees_them():
    assert plain_record({"a": math.nan, "b": math.inf}) == {"a": None, "b": None}


def test_text_of_a_tree_becomes_plain_text_that_does_not_hold_on_to_the_tree():
    text = BeautifulSoup("<title>T</title>", "lxml").title.string
    assert type(text) is not str
    assert type(plain_record({"title": text})["title"]) is str


def nested(levels: int):
    value = {"x": 1}
    for _ in range(levels - 1):
        value = {"x": value}
    return value


@table(
    ("value", "reason"),
    [
        pytest.param({"tags": [{"a"}]}, "set in .tags[]", id="set"),
        pytest.param({"a": {"b": Fraction(1, 2)}}, "Fraction in .a.b", id="fraction"),
        pytest.param({"body": b"x"}, "bytes in .body", id="bytes"),
        pytest.param({"f": print}, "builtin_function_or_method in .f", id="function"),
        pytest.param({"it": iter([1])}, "list_iterator in .it", id="iterator"),
        pytest.param({"p": Part}, "type in .p", id="class"),
        pytest.param({"a": {(1, 2): 3}}, "tuple as a key in .a", id="key"),
        pytest.param({None: 3}, "NoneType as a key in the record", id="key-at-the-top"),
        pytest.param({"a": {"what the page says": {1}}}, "set in .a.…", id="key-of-a-page"),
        pytest.param({"a" * 41: {1}}, "set in .…", id="long-key"),
        pytest.param({"a" * 40: {"b" * 40: {"c" * 40: {1}}}}, f"set in .{'a' * 40}.{'b' * 40}.{'c' * 10}…", id="long"),
        pytest.param(Part("x", {"y"}), "set in .tags", id="dataclass"),
        pytest.param(nested(MAX_NESTING + 1), f"more than {MAX_NESTING} levels in .x.x.x", id="too-deep"),
        pytest.param("text", "str is no record", id="text"),
        pytest.param(3, "int is no record", id="number"),
        pytest.param([{}], "list is no record", id="list"),
        pytest.param(Part, "type is no record", id="a-class"),
    ],
)
def test_what_cannot_be_written_is_named_with_its_place(value, reason):
    with pytest.raises(RecordError) as caught:
        encode_record(value)
    assert caught.value.reason == reason


def test_only_the_message_shows_the_exact_place():
    with pytest.raises(RecordError, match=r"^set in \.tags\[1\]\.what a page says$"):
        encode_record({"tags": [0, {"what a page says": {1}}]})


def test_a_value_that_holds_itself_is_an_error_and_no_recursion():
    value = {}
    value["x"] = value
    with pytest.raises(RecordError, match="levels"):
        encode_record(value)


def test_a_record_as_deep_as_may_be_is_written():
    assert encode_record(nested(MAX_NESTING)).count(b"{") == MAX_NESTING


def test_fields_choose_and_order_what_is_written_and_missing_ones_are_null():
    assert encode_record({"a": 1, "b": 2}, ("b", "x")) == b'{"b":2,"x":null}\n'


@table("value", [None, 3, "x", [], (1,), {1}, Part, b"x"], ids=repr)
def test_what_is_no_record(value):
    assert not is_record(value)


@given(
    st.dictionaries(
        st.text(),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
            max_leaves=10,
        ),
        max_size=4,
    )
)
def test_any_record_of_json_kinds_is_one_line_that_json_reads(record):
    line = encode_record(record)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert json.loads(line.decode()).keys() == {key.encode("utf-8", "ignore").decode() for key in record}
