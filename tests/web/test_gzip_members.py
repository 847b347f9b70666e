"""Gzip: members in any pieces, bounds on what comes out at a time, and what ends a stream."""

import gzip
import zlib

import pytest

from crawler.web.content_coding import CodingError, decoders
from crawler.web.gzip_members import PIECE_BYTES, GzipError, GzipMembers, TooManyMembersError
from crawler.web.sitemap_text import SitemapBody

ONE, TWO = gzip.compress(b"one ", mtime=0), gzip.compress(b"two", mtime=0)


def unpacked(*pieces, most=10):
    members = GzipMembers(most)
    return members, b"".join(part for piece in pieces for part in members.decode(piece))


@pytest.mark.parametrize("size", [1, 2, 7, 1_000])
def test_members_come_out_one_after_the_other_whatever_pieces_they_come_in(size):
    data = ONE + TWO
    members, text = unpacked(*(data[start : start + size] for start in range(0, len(data), size)))
    assert (text, members.complete, members.held) == (b"one two", True, b"")


def test_no_piece_is_larger_than_was_promised():
    members = GzipMembers(1)
    sizes = [len(piece) for piece in members.decode(gzip.compress(bytes(10 * PIECE_BYTES + 1)))]
    assert max(sizes) <= PIECE_BYTES
    assert sum(sizes) == 10 * PIECE_BYTES + 1


@pytest.mark.parametrize(
    ("behind", "complete", "held"),
    [(b"\0\0\0", True, b""), (b"\x1f", True, b"\x1f"), (b"\x1fx", True, b""), (TWO[:5], False, b"")],
)
def test_what_follows_a_member_is_another_one_or_left_out(behind, complete, held):
    members, text = unpacked(ONE + behind)
    assert (text, members.complete, members.held) == (b"one ", complete, held)


@pytest.mark.parametrize("behind", [b"\0\0\0", b"\x1f", b"\x1fx"])
def test_nothing_behind_what_is_left_out_is_read(behind):
    members, text = unpacked(ONE + behind, b"no member", TWO)
    assert (text, members.complete) == (b"one ", True)


def test_a_break_is_told_when_all_before_it_was_given():
    members = GzipMembers(10)
    given = list(members.decode(ONE))
    with pytest.raises(GzipError):
        given.extend(members.decode(TWO[:10] + b"\xff" * 20))
    assert b"".join(given) == b"one "
    assert not members.complete


def test_a_member_too_many_is_told():
    with pytest.raises(TooManyMembersError, match="more than 2 gzip members"):
        unpacked(ONE * 3, most=2)


@pytest.mark.parametrize(
    ("body", "error", "cut"),
    [
        (ONE + b"rubbish", None, ""),
        (ONE + b"\x1f", None, "broken gzip"),
        (ONE + TWO[:10], None, "broken gzip"),
        (ONE[:10] + b"\xff" * 20, "Error -3", "broken gzip"),
        (ONE * 1_001, None, "1,000 gzip members"),
        (ONE * 1_025, "more than 1,024 gzip members", "1,000 gzip members"),
    ],
)
def test_a_body_that_cannot_be_undone_is_an_error_and_a_sitemap_is_cut(body, error, cut):
    """One reader, two ways to say it."""
    (decoder,) = decoders("gzip")
    told = None
    try:
        list(decoder.decode(body))
    except CodingError as caught:
        told = str(caught)
    assert (told is None) == (error is None)
    assert error is None or told.startswith(error)
    sitemap = SitemapBody(body)
    text = b"".join(sitemap)
    assert sitemap.cut == cut
    assert text == b"one " * body[: len(ONE) * 1_000].count(ONE)


def test_a_break_below_is_the_cause_of_the_error():
    with pytest.raises(GzipError) as caught:
        unpacked(ONE[:10] + b"\xff" * 20)
    assert isinstance(caught.value.__cause__, zlib.error)
