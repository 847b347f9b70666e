"""Which records are read at once, and that no other is: tests/fuzz/test_archive.py compares them with warcio's."""

import gzip
import io
import tracemalloc

import pytest

from crawler.web.plain_record import PlainMembers, plain_record
from crawler.web.warc_records import WarcRecords, written
from tests.support.table import table
from tests.support.yardstick import takes_linear_time

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type:  text/html \r\nA: 1\r\na: 2\r\n\r\n"
FIELDS = {"WARC-Date": "2026-01-01T00:00:00Z"}
RECORD = written("response", "http://a.test/", FIELDS, HEAD, b"<p>body")[0]


def test_a_plain_record_has_what_warcio_would_give():
    record = plain_record(RECORD)
    assert record is not None
    assert (record.rec_type, record.rec_headers.get_header("warc-target-URI")) == ("response", "http://a.test/")
    assert record.http_headers is not None
    assert record.http_headers.get_statuscode() == "200"
    assert record.http_headers.headers == [("Content-Type", "text/html"), ("A", "1"), ("a", "2")]
    assert record.raw_stream.read() == b"<p>body"


@table(
    ("changed", "to"),
    [
        (b"<p>body", b"<p>"),
        (b"<p>body", b"<p>body "),
        (b"\r\n\r\n<p>body\r\n\r\n", b"\r\n\r\n<p>body\n\r\n\r"),
        (b"\r\nA: 1", b"\r\n A:1"),
        (b"A: 1", b"A: \xe4"),
        (b"A: 1", b"A:\t1"),
        (b"A: 1\r\n", b"A: 1 \n"),
        (b"200 OK", b"20 OK?"),
        (b"http://a.test/", b"http://a.t st/"),
        (b"http://a.test/", b"<ttp://a.test>"),
        (b"WARC/1.1", b"WARC/2.0"),
    ],
)
def test_what_is_odd_is_left_to_warcio(changed, to):
    assert changed in RECORD
    assert plain_record(RECORD.replace(changed, to)) is None


def test_members_that_unpack_to_much_are_left_to_warcio_and_take_little_memory():
    packed = gzip.compress(written("resource", "", FIELDS, b"", bytes(64 << 20))[0], 9)
    tracemalloc.start()
    try:
        assert PlainMembers(io.BytesIO(packed)).read(0) is None
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_a_head_without_end_takes_linear_time():
    def read(size: int) -> None:
        for line in (b"a", b"a:", b"a: b\r\n", b" "):
            assert plain_record(b"WARC/1.1\r\n" + line * (size // len(line))) is None

    assert takes_linear_time(read, 8_000)


@pytest.mark.parametrize("behind", [b"", b"garbage", b"\x1f\x8b\x08broken", b"\0" * 512])
def test_a_file_that_is_odd_behind_plain_records_gives_all_of_them(behind):
    records = WarcRecords(io.BytesIO(gzip.compress(RECORD) * 3 + behind))
    assert [next(records).raw_stream.read() for _ in range(3)] == [b"<p>body"] * 3
