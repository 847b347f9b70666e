"""Codings are undone piece by piece; what comes is whole or marked as truncated, and never larger than the limit."""

import gzip
import random
import tracemalloc
import zlib

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.model import Coding
from crawler.web.content_coding import CodingError, Undoing, undone, zstd
from crawler.web.gzip_members import PIECE_BYTES
from tests.support.table import table
from tests.support.yardstick import takes_linear_time

TEXT = b"".join(b"<p>line %d of a page that compresses</p>\n" % n for n in range(5_000))
NOISE = random.Random(7).randbytes(200_000)


def bare_deflate(data):
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


ENCODERS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": lambda data: brotli.compress(data, quality=5),
    "zstd": zstd.compress,
}


def feed(undoing, chunk, into):
    """Take a chunk with all its pieces; whether more is wanted."""
    before = undoing.size
    pieces = list(undoing.feed(chunk))
    assert sum(map(len, pieces)) == undoing.size - before
    assert all(pieces) or not chunk
    into += pieces
    return not undoing.full


def read(encoding, wire, limit=10_000_000, step=None):
    """Feed `wire` in steps; the decoded bytes and whether they are truncated."""
    undoing = Undoing(encoding, limit)
    if step is None:
        whole = undone(wire, Coding(encoding, limit))
        assert whole.size == len(whole.body)
        assert undone(wire, Coding(encoding, limit, is_read=False)) == whole._replace(body=b"")
        return whole.body, whole.truncated
    pieces = []
    for start in range(0, len(wire), step):
        if not feed(undoing, wire[start : start + step], pieces):
            break
    undoing.finish()
    return b"".join(pieces), undoing.truncated


@table("step", [1, 7, 1000, None])
@table("data", [b"", b"x", TEXT[:3000], TEXT, NOISE], ids=["empty", "x", "short", "text", "noise"])
@table("name", [*ENCODERS, "bare"])
def test_every_offered_coding_is_undone_however_it_is_cut(name, data, step):
    if step == 1 and len(data) > 3000:
        data = data[:3000]
    encode, encoding = (bare_deflate, "deflate") if name == "bare" else (ENCODERS[name], name)
    assert read(encoding, encode(data), step=step) == (data, False)


@table("outer", ["gzip", "deflate", "br", "zstd"])
@table("inner", ["gzip", "deflate", "br", "zstd"])
def test_two_layers_are_undone_the_last_named_first(inner, outer):
    wire = ENCODERS[outer](ENCODERS[inner](TEXT))
    assert read(f"{inner}, {outer}", wire, step=777) == (TEXT, False)


@table("encoding", ["gzip, gzip, gzip", "gzip,deflate,br,zstd,gzip", "compress", "GZIP, exi"])
def test_more_than_two_layers_or_an_unknown_registered_coding_is_an_error(encoding):
    with pytest.raises(CodingError):
        Undoing(encoding, 1000)


@table("encoding", ["", "identity", "utf-8", "none", "identity, identity, identity", " , ", "UTF-8"])
def test_names_that_are_no_coding_mean_a_plain_body(encoding):
    assert read(encoding, b"plain") == (b"plain", False)


def test_the_name_of_a_coding_may_be_in_upper_case():
    assert read("GZip", gzip.compress(b"x", mtime=0)) == (b"x", False)


@table("name", ["gzip", "deflate", "br", "zstd"])
def test_a_stream_that_breaks_off_is_truncated_never_silently_complete(name):
    wire = ENCODERS[name](NOISE)
    data, truncated = read(name, wire[: len(wire) * 2 // 3], step=5000)
    assert truncated
    assert data
    assert NOISE.startswith(data)


@table("name", ["gzip", "deflate", "br", "zstd"])
@table("received", [1, 2, 4])
def test_a_stream_that_breaks_off_before_it_gives_anything_is_truncated_too(name, received):
    assert read(name, ENCODERS[name](TEXT)[:received]) == (b"", True)
    assert read(f"{name}, gzip", gzip.compress(ENCODERS[name](TEXT)[:received])) == (b"", True)
    assert read(f"br, {name}", ENCODERS[name](TEXT)[:received]) == (b"", True)


@table("missing", [1, 4, 8])
def test_a_gzip_body_without_all_of_its_trailer_is_truncated(missing):
    assert read("gzip", gzip.compress(TEXT, mtime=0)[:-missing]) == (TEXT, True)


def test_an_empty_body_is_complete_whatever_its_coding():
    assert read("gzip, br", b"") == (b"", False)


@table("name", ["gzip", "deflate", "br", "zstd"])
def test_a_body_that_is_not_in_its_coding_is_an_error(name):
    with pytest.raises(CodingError):
        read(name, b"\xff<!doctype html><title>not compressed at all</title>" * 20)


def test_a_wrong_checksum_is_an_error():
    wire = bytearray(gzip.compress(TEXT, mtime=0))
    wire[-6] ^= 0xFF
    with pytest.raises(CodingError):
        read("gzip", bytes(wire))


@table("step", [1, 10, None])
def test_gzip_members_follow_each_other_and_what_comes_after_them_is_ignored(step):
    members = gzip.compress(b"one ", mtime=0) + gzip.compress(b"", mtime=0) + gzip.compress(b"two", mtime=0)
    for rest in (b"", b"\0" * 100, b"\x1f", b"\x1fx", b"<!-- server note -->"):
        assert read("gzip", members + rest, step=step) == (b"one two", False)


@table("step", [1, 10, None])
def test_zstd_frames_follow_each_other(step):
    assert read("zstd", zstd.compress(b"one ") + zstd.compress(b"two"), step=step) == (b"one two", False)


@pytest.mark.parametrize(("name", "member"), [("gzip", gzip.compress(b"", mtime=0)), ("zstd", zstd.compress(b""))])
def test_a_stream_of_endless_empty_members_is_refused_in_linear_time(name, member):
    def work(size):
        with pytest.raises(CodingError):
            read(name, member * size)

    assert takes_linear_time(work, 2_500)


def test_what_follows_a_finished_deflate_stream_is_ignored():
    assert read("deflate", zlib.compress(TEXT) + b"more") == (TEXT, False)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
def test_a_bomb_stops_at_the_cap_and_never_fills_memory(name, layers):
    zeros = bytes(50_000_000)
    wire = brotli.compress(zeros, quality=1) if name == "br" else ENCODERS[name](zeros)
    if layers == 2:
        wire = gzip.compress(wire, mtime=0)
    limit = 1_000_000
    tracemalloc.start()
    data, truncated = read(f"{name}, gzip" if layers == 2 else name, wire, limit)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (len(data), truncated) == (limit, True)
    # Python's own zlib and brotli allocate through malloc, unseen here; their windows are a few MiB at most.
    assert peak < 4 * limit + 10 * PIECE_BYTES


def test_a_stream_that_decodes_to_nothing_is_not_read_for_ever():
    empty_stored_block = b"\0\0\0\xff\xff"
    undoing = Undoing("deflate", 10_000)
    fed, pieces = 0, []
    while feed(undoing, empty_stored_block * 1000, pieces):
        fed += 5000
        assert fed < 1_000_000
    assert (pieces, undoing.truncated) == ([], True)


def test_nothing_more_is_decoded_when_an_inner_layer_wants_no_more():
    stored_nothing = b"\0\0\0\xff\xff" * 2_000_000
    undoing = Undoing("deflate, gzip", 10_000)
    outer = undoing._layers[0]
    pieces = []

    class Watched:
        def decode(self, data):
            for piece in outer.decode(data):
                pieces.append(piece)
                yield piece

    undoing._layers[0] = Watched()
    assert not feed(undoing, gzip.compress(stored_nothing, mtime=0), [])
    assert undoing.truncated
    assert 1 <= len(pieces) <= 3


def test_a_body_of_exactly_the_cap_is_whole_and_one_byte_more_is_not():
    assert read("", b"x" * 1000, limit=1000) == (b"x" * 1000, False)
    assert read("", b"x" * 1001, limit=1000) == (b"x" * 1000, True)
    assert read("gzip", gzip.compress(b"x" * 1000, mtime=0), limit=1000) == (b"x" * 1000, False)


@given(st.sampled_from(["", *ENCODERS, "gzip, br", "br, zstd"]), st.lists(st.binary(max_size=200), max_size=8))
def test_no_bytes_raise_anything_but_a_coding_error(encoding, chunks):
    undoing = Undoing(encoding, 500)
    pieces = []
    try:
        for chunk in chunks:
            if not feed(undoing, chunk, pieces):
                break
        assert len(b"".join(pieces)) == undoing.size <= 500
    except CodingError:
        pass
