"""Records as tables of Arrow, pandas, polars and DuckDB: the same values in documented columns."""

import logging
import math
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import msgspec
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.config import CrawlConfig
from crawler.core.errors import ConfigError
from crawler.core.model import Field
from crawler.core.record import DEFAULT_FIELDS, RECORD_FIELDS, Record
from crawler.fetcher.transport.fake import FakeTransport
from crawler.ledger.tables import tables as arrow
from crawler.ledger.tables.batch import Batches, in_batches
from crawler.ledger.tables.schema import (
    MOST_COLUMNS,
    OTHER,
    RECORD_COLUMNS,
    Column,
    Inference,
    arrow_schema,
    columns_of,
)
from crawler.ring.library import crawl, crawl_to_arrow
from tests.support.servers import Answer, LocalServer, html
from tests.support.table import table

ROOT = Path(__file__).parents[3]
AT = datetime(2026, 11, 22, 16, 20, 0, 125_000, UTC)


def record(number: int = 1, **fields) -> Record:
    plain = Record(
        url=f"http://a.example/{number}", status=200, fetched_at="2026-11-22T16:20:00.125Z", depth=1, parent=None,
        redirected_from=(), content_type="text/html", sniffed_type=None, charset="utf-8", body_bytes=2**40,
        body_hash="ab", truncated=False, title="Ti\ntle", description=None, language=None, canonical=None, text="ä\t",
        links=("http://a.example/", "http://b.example/"), links_dropped=0, seed={"team": "docs", "n": [1]},
    )  # fmt: skip
    return msgspec.structs.replace(plain, **fields)


def config(**settings) -> CrawlConfig:
    return CrawlConfig(job=Path("job"), **settings)


# The columns of a record


def test_there_is_a_column_for_each_field_of_a_record():
    assert tuple(RECORD_COLUMNS) == RECORD_FIELDS


def test_a_record_comes_back_from_a_table_as_it_was():
    (row,) = arrow.to_table([record(status=599)]).to_pylist()
    expected = msgspec.structs.asdict(record(status=599)) | {
        "fetched_at": AT,
        "redirected_from": [],
        "links": ["http://a.example/", "http://b.example/"],
        "seed": '{"team":"docs","n":[1]}',
    }
    assert row == expected
    assert isinstance(arrow.to_table([record()]).schema.field("fetched_at").type.tz, str)


def test_dicts_with_the_columns_of_records_make_the_same_table():
    plain = msgspec.to_builtins(record())
    assert arrow.to_table([plain, plain], tuple(RECORD_COLUMNS.values())).equals(arrow.to_table([record(), record()]))


def test_dicts_lose_nothing_even_if_the_first_ones_look_like_records():
    plain = msgspec.to_builtins(record())
    table = arrow.to_table([plain] * 1_500 + [plain | {"price": 1}])
    assert table.select(["url", "price"]).to_pylist()[-2:] == [
        {"url": plain["url"], "price": None},
        {"url": plain["url"], "price": 1},
    ]


@table(
    ("settings", "names"),
    [
        ({}, DEFAULT_FIELDS),
        ({"fields": ("title", "url")}, ("title", "url")),
        ({"scope": "page"}, (*DEFAULT_FIELDS, "outcome", "reason", "detail")),
        ({"scope": "page", "record_per_seed": False}, DEFAULT_FIELDS),
        ({"select": (Field(name="price"),)}, ("url", "seed", "price")),
        ({"select": (Field(name="price"),), "fields": ("status",)}, ("status", "price")),
        ({"select": (Field(name="title", css="h1"),), "fields": ("title", "url")}, ("url", "title")),
    ],
    ids=["default", "chosen", "a record for each seed", "turned off", "selectors", "both", "same name"],
)
def test_the_settings_tell_the_columns(settings, names):
    assert tuple(column.name for column in columns_of(config(**settings))) == names


def test_nobody_knows_the_columns_of_a_spider():
    assert columns_of(config(spider="shop:parse", fields=("a",))) is None


def test_fields_found_by_selectors_have_the_types_that_were_asked_for():
    fields = (
        Field(name="name"),
        Field(name="price", type="float"),
        Field(name="stock", type="int", default=0),
        Field(name="odd", type="int", default="none"),
        Field(name="day", type="date"),
        Field(name="tags", many=True),
        Field(
            name="offers", many=True, fields=(Field(name="n", type="int"), Field(name="urls", type="url", many=True))
        ),
    )
    schema = arrow_schema(columns_of(config(select=fields)))
    offers = pa.list_(pa.struct({"n": pa.int64(), "urls": pa.list_(pa.string())}))
    assert dict(zip(schema.names, schema.types, strict=True)) == {
        "url": pa.string(), "seed": pa.string(), "name": pa.string(), "price": pa.float64(), "stock": pa.int64(),
        "odd": pa.string(),
        "day": pa.string(), "tags": pa.list_(pa.string()), "offers": offers,
    }  # fmt: skip
    rows = [
        {"url": "u", "seed": None, "name": "a", "price": 3, "stock": 2, "odd": 5, "day": "2026-11-22", "tags": [],
         "offers": [{"n": 1, "urls": ["x", None]}, {"n": None, "urls": []}]},
        {"url": "v", "odd": "none"},
    ]  # fmt: skip
    first, second = arrow.to_table(rows, columns_of(config(select=fields))).to_pylist()
    assert first == rows[0] | {"price": 3.0, "odd": "5"}
    assert second == dict.fromkeys(first) | rows[1]


@pytest.mark.parametrize("value", [2**63, 1.5, "1", True, [1], {"a": 1}], ids=repr)
def test_a_value_that_does_not_fit_a_known_column_is_null_and_named_once(value, caplog):
    rows = [{"n": 1}, {"n": value}, {"n": value}, {"n": 2}]
    with caplog.at_level(logging.WARNING, "crawler"):
        table = arrow.to_table(rows, [Column("n", "int")])
    assert table["n"].to_pylist() == [1, None, None, 2]
    (line,) = caplog.messages
    assert line.startswith("column n: ")
    assert repr(value)[:20] in line


# Columns that are inferred


@table(
    ("values", "kind", "found"),
    [
        ([1, 2], pa.int64(), [1, 2]),
        ([1, 2.5], pa.float64(), [1.0, 2.5]),
        ([True, None], pa.bool_(), [True, None]),
        ([True, 1], pa.string(), ["true", "1"]),
        (["a", None], pa.string(), ["a", None]),
        (["a", 1], pa.string(), ["a", "1"]),
        ([None, None], pa.string(), [None, None]),
        ([2**63], pa.string(), ["9223372036854775808"]),
        ([{"a": 1}, {"b": [2]}], pa.string(), ['{"a":1}', '{"b":[2]}']),
        ([[1], [2.5], []], pa.list_(pa.float64()), [[1.0], [2.5], []]),
        ([["a", None], None], pa.list_(pa.string()), [["a", None], None]),
        ([[], []], pa.list_(pa.string()), [[], []]),
        ([["a", 1]], pa.string(), ['["a",1]']),
        ([[{"a": 1}], ["b"]], pa.string(), ['[{"a":1}]', '["b"]']),
        ([[[1]]], pa.string(), ["[[1]]"]),
        ([[1], 1], pa.string(), ["[1]", "1"]),
        (["2026-11-22T16:20:00Z"], pa.string(), ["2026-11-22T16:20:00Z"]),
    ],
    ids=str,
)
def test_a_column_has_the_kind_of_all_its_values(values, kind, found):
    for order in (1, -1):
        table = arrow.to_table([{"a": value} for value in values[::order]])
        assert table.schema == pa.schema({"a": kind})
        assert table["a"].to_pylist() == found[::order]


def test_columns_stand_in_the_order_of_their_first_appearance():
    assert arrow.to_table([{"b": 1}, {"a": 1, "b": 2}, {"c": 1}]).to_pylist() == [
        {"b": 1, "a": None, "c": None},
        {"b": 2, "a": 1, "c": None},
        {"b": None, "a": None, "c": 1},
    ]


def test_keys_that_are_data_do_not_make_columns_without_end():
    inference = Inference()
    for number in range(MOST_COLUMNS + 5):
        inference.add({str(number): number})
    assert len(inference.columns()) == MOST_COLUMNS


TEXT = st.text(st.characters(codec="utf-8"), max_size=3)
NUMBERS = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
NAMES = st.sampled_from(["a", "b", "_other"])


@given(st.lists(st.dictionaries(NAMES, JSON), max_size=6), st.integers(0, 6))
def test_nothing_is_lost_whatever_the_first_records_look_like(rows, seen):
    """With columns inferred from some records, the others find a place in them or in `_other`."""
    inference = Inference()
    for row in rows[:seen]:
        inference.add(row)
    batches = Batches(inference.columns(), other=True)
    for row, found in zip(rows, batches.batch(rows).to_pylist() if rows else [], strict=True):
        other = msgspec.json.decode(found.pop(OTHER) or "{}")
        for name, value in row.items():
            there = other[name] if name in other else found[name]
            assert same(there, value)
        assert not other.keys() - row.keys()


def same(there: object, value: object) -> bool:
    """Whether a table's value is a record's, or its JSON text; in a list item by item."""
    if isinstance(there, list) and isinstance(value, list):
        return len(there) == len(value) and all(map(same, there, value))
    if isinstance(there, str) and not isinstance(value, str):
        there = msgspec.json.decode(there)
    if isinstance(there, float) and isinstance(value, (int, float)):
        return math.isclose(there, value) or value == there
    return there == value


# Streams


def test_a_reader_takes_records_only_when_it_is_asked():
    taken = []

    def records():
        for number in range(2_500):
            taken.append(number)
            yield record(number)

    stream = arrow.reader(records(), columns_of(config()))
    assert taken == []
    assert stream.read_next_batch().num_rows == 1_000
    assert len(taken) == 1_000
    assert sum(batch.num_rows for batch in stream) == 1_500


def test_a_batch_of_long_texts_holds_fewer_records():
    rows = [{"text": "x" * 5_000_000} for _ in range(8)]
    assert [len(batch) for batch in in_batches(rows)] == [4, 4]


def test_a_reader_without_columns_takes_those_of_its_first_batch():
    rows = [{"a": 1}] * 1_000 + [{"a": "x", "b": 2}, {"a": 3}]
    stream = arrow.reader(rows)
    assert stream.schema == pa.schema({"a": pa.int64(), OTHER: pa.string()})
    *_, last = stream
    assert last.to_pylist() == [{"a": None, OTHER: '{"a":"x","b":2}'}, {"a": 3, OTHER: None}]


def test_an_exception_of_the_records_comes_out_of_the_reader():
    def records():
        yield {"a": 1}
        raise ConfigError("broken in the middle")

    stream = arrow.reader(records(), [Column("a", "int")])
    with pytest.raises(Exception, match="broken in the middle"):
        stream.read_all()


def test_no_records_make_an_empty_table():
    assert arrow.to_table([]).num_rows == 0
    table = arrow.to_table([], columns_of(config()))
    assert (table.num_rows, table.schema.names) == (0, list(DEFAULT_FIELDS))
    assert arrow.reader([], columns_of(config())).read_all().schema == table.schema
    assert arrow.to_polars([], columns_of(config())).columns == list(DEFAULT_FIELDS)


def test_what_is_no_record_is_refused():
    with pytest.raises(TypeError, match="not int"):
        arrow.to_table([1])


# Other libraries


def test_duckdb_queries_a_stream_of_records():
    stream = arrow.reader(record(number, status=200 + number % 2) for number in range(3_000))
    query = "select status, count(*), max(fetched_at), sum(len(links)) from stream group by 1 order by 1"
    found = duckdb.connect().register("stream", stream).sql(query).fetchall()
    assert [(row[0], row[1], row[2].astimezone(UTC), row[3]) for row in found] == [
        (200, 1_500, AT, 3_000),
        (201, 1_500, AT, 3_000),
    ]


def test_polars_has_the_values_and_types_of_arrow():
    rows = [record(number, seed=None if number % 2 else {"a": number}) for number in range(1_200)]
    frame = arrow.to_polars(rows)
    assert frame.equals(pl.from_arrow(arrow.to_table(rows)))
    offers = Column("o", "object", many=True, fields=(Column("n", "int"), Column("t", "bool")))
    plain = [{"o": [{"n": 1, "t": None}]}, {"o": []}, {}]
    expected = pl.from_arrow(arrow.to_table(plain, [offers]))
    assert arrow.to_polars(plain, [offers]).equals(expected)
    assert arrow.to_polars(plain, [offers]).schema == expected.schema


def test_pandas_gets_times_as_times_and_numbers_as_numbers():
    frame = arrow.to_pandas([record(1), record(2, status=404)])
    assert frame["status"].tolist() == [200, 404]
    assert str(frame["fetched_at"].dtype) == "datetime64[ms, UTC]"
    assert list(frame["links"][0]) == ["http://a.example/", "http://b.example/"]


@pytest.mark.parametrize(
    ("make", "package", "extra"),
    [
        (arrow.to_table, "pyarrow", "arrow"),
        (arrow.reader, "pyarrow", "arrow"),
        (arrow.to_pandas, "pandas", "pandas"),
        (arrow.to_pandas, "pyarrow", "pandas"),
        (arrow.to_polars, "polars", "polars"),
    ],
    ids=["table", "reader", "pandas", "pandas without pyarrow", "polars"],
)
def test_a_package_that_is_not_installed_is_named_with_its_extra_before_a_record_is_taken(
    make, package, extra, monkeypatch
):
    monkeypatch.setitem(sys.modules, package, None)
    taken = iter([record()])
    with pytest.raises(ConfigError, match=rf"needs {package}: pip install {package}, or .* '\.\[{extra}\]'"):
        make(taken)
    assert next(taken)


def test_polars_needs_no_pyarrow():
    program = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from crawler.ledger.tables.tables import to_polars\n"
        "frame = to_polars([{'a': 1, 'b': ['x']}, {'a': 2.5}])\n"
        "print(frame.schema, frame.rows())"
    )
    printed = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert printed.stdout.strip().endswith("[(1.0, ['x']), (2.5, None)]")


# Crawls


LOCAL = {"allow_private": True, "delay_s": 0, "parsers": 1}


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    def respond(_: str, path: str) -> Answer:
        if path == "/robots.txt":
            return Answer(status=404)
        return Answer(html(*("abc" if path == "/" else ""), title=f"Page {path}"))

    with LocalServer(respond) as server:
        yield f"http://site.localhost:{server.port}/"


def test_a_crawl_becomes_a_table(site):
    table = crawl_to_arrow(site, **LOCAL)
    assert table.schema == arrow_schema(columns_of(config()))
    assert sorted(table["title"].to_pylist()) == ["Page /", "Page /a", "Page /b", "Page /c"]


def test_a_spider_s_records_become_a_table(site):
    table = crawl_to_arrow(site, spider=lambda page: {"title": page.title, "n": len(page.links)}, **LOCAL)
    assert table.to_pylist() == [{"title": "Page /", "n": 3}]
    assert table.schema == pa.schema({"title": pa.string(), "n": pa.int64()})


def test_a_crawl_is_read_as_a_stream(site):
    pages = crawl(site, **LOCAL)
    query = "SELECT url, len(links), epoch_ms(fetched_at) > 0 FROM pages WHERE depth = 0"
    stream = pa.RecordBatchReader.from_stream(pages)
    assert duckdb.connect().register("pages", stream).sql(query).fetchall() == [(site, 3, True)]
    assert pl.DataFrame(crawl(site, fields=("status",), **LOCAL)).rows() == [(200,)] * 4


def test_nothing_is_fetched_if_pyarrow_is_not_installed(site, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    asked = []
    transport = FakeTransport(lambda request: asked.append(request) or html())
    with pytest.raises(ConfigError, match="needs pyarrow"):
        crawl_to_arrow(site, transport=transport, **LOCAL)
    assert asked == []
