"""A record is one line, whatever a reader takes for the end of one."""

import json

from hypothesis import example, given
from hypothesis import strategies as st

from crawler.core.json_line import json_line, lines_in
from crawler.parsers.spiders.encode import encode_record
from tests.support.downloads import download_of, record_of
from tests.support.table import table

ENDS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"


@table("value", [ENDS, {ENDS: [ENDS, {"a": ENDS}]}, "\\u2028 \u2028", '"\u2029"', "“é” 中", "\xa0", {}, None, 1.5])
def test_a_line_is_one_line_and_says_the_same(value):
    line = json_line(value)
    assert line.endswith(b"\n")
    assert len(line.decode().splitlines()) == 1
    assert json.loads(line) == value


@given(st.recursive(st.text() | st.text(ENDS + '“\\"é'), lambda one: st.lists(one) | st.dictionaries(st.text(), one)))
@example("\\\u2028")
def test_any_value_is_one_line(value):
    assert len(json_line(value).decode().splitlines()) == 1
    assert json.loads(json_line(value)) == value


def test_records_of_pages_and_of_spiders_are_one_line():
    html = "<title>a\u2028b</title><p>a\u2028b\u2029c&#x2028;d"
    record = record_of(download_of(html))
    assert (record["title"], record["text"]) == ("a b", "a\u2028b\u2029c\u2028d")
    assert encode_record({"a\x85": "b\u2028"}) == rb'{"a\u0085":"b\u2028"}' + b"\n"


def test_lines_are_counted():
    assert [lines_in(lines) for lines in (None, b"", b"{}\n", b"{}\n{}\n", b"\n\n\n")] == [0, 0, 1, 2, 3]
