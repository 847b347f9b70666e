"""A body is kept as it came, no copy more than needed, and never more of it than is wanted."""

import gzip

import pytest

from crawler.fetcher.transport.base import FetchRequest
from crawler.fetcher.transport.body import Body
from crawler.web.content_coding import CodingError
from tests.support.table import table

REQUEST = FetchRequest("http://a.example/")


def result_of(body):
    return body.result(REQUEST, 200, (), latency_s=0.1, address=None, version="1.1", reason=b"", raw_headers=())


def test_a_body_that_comes_at_once_is_not_copied():
    chunk = b"x" * 1000
    body = Body("", 1000)
    body.add(chunk)
    assert result_of(body).body is chunk


@table("step", [1, 7, 999])
def test_a_plain_body_of_exactly_the_cap_is_whole_and_one_byte_more_is_not(step):
    for size, truncated in ((1000, False), (1001, True)):
        body = Body("identity", 1000)
        for start in range(0, size, step):
            chunk = b"x" * min(step, size - start)
            expected = body.size_with(chunk)
            body.add(chunk)
            assert len(body) == expected
        result = result_of(body)
        assert (result.body, result.truncated, result.coding) == (b"x" * 1000, truncated, None)
        assert body.full is truncated


def test_of_an_encoded_body_twice_the_cap_is_taken_and_a_piece():
    body = Body("gzip", 10_000)
    sent = 0
    while not body.full:
        sent += 1000
        assert sent < 100_000
        assert body.size_with(bytes(1000)) <= 2 * 10_000 + 65_536
        body.add(bytes(1000))
    result = result_of(body)
    assert (len(result.body), result.truncated) == (85_000, True)
    assert (result.coding.names, result.coding.most_bytes, result.coding.is_read) == ("gzip", 10_000, True)


def test_a_look_stops_what_holds_enough_and_changes_nothing_else():
    wire = gzip.compress(bytes(100_000), mtime=0)
    for most, full in ((99_999, True), (100_000, False)):
        body = Body("gzip", most)
        sizes = []
        for byte in wire:
            body.add(bytes((byte,)))
            sizes += body.look()
        assert sum(sizes) == most
        assert body.full is full
        assert (result_of(body).body, result_of(body).truncated) == (wire, False)
        assert not list(body.look()) or full


def test_a_look_finds_a_broken_stream_and_too_many_layers_need_none():
    body = Body("gzip", 1000)
    body.add(b"no gzip at all")
    with pytest.raises(CodingError):
        list(body.look())
    for codings in ("gzip, gzip, gzip", "compress"):
        with pytest.raises(CodingError):
            Body(codings, 1000)


def test_an_empty_body_has_no_coding():
    assert result_of(Body("gzip", 1000)).coding is None
