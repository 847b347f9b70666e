"""Content-Encoding: any stream in any pieces is decoded, within the cap, or a CodingError."""

import gzip
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.web.content_coding import OFFERED_CODINGS, CodingError, Undoing, decoders
from crawler.web.gzip_members import PIECE_BYTES
from tests.fuzz.damage import ANY_TEXT, damaged_text, fragments
from tests.fuzz.profile import fuzz

PACKERS = {
    "gzip": lambda data: gzip.compress(data, 1, mtime=0),
    "deflate": lambda data: zlib.compress(data, 1),
    "raw deflate": lambda data: zlib.compress(data, 1, wbits=-15),
}
if "br" in OFFERED_CODINGS:
    PACKERS["br"] = pytest.importorskip("brotli").compress
if "zstd" in OFFERED_CODINGS:
    try:
        from compression import zstd
    except ImportError:
        from backports import zstd
    PACKERS["zstd"] = lambda data: zstd.compress(data, 1)

DATA = st.binary(max_size=300) | st.builds(
    bytes.__mul__, st.binary(min_size=1, max_size=8), st.sampled_from([1, 1_000, 50_000])
)


@st.composite
def streams(draw):
    """Names of codings, and a body that was packed with those or others, in one or several members, then damaged."""
    names, body = [], draw(DATA)
    for _ in range(draw(st.integers(0, 2))):
        packer = draw(st.sampled_from(sorted(PACKERS)))
        names.append(packer.removeprefix("raw "))
        body = PACKERS[packer](body) * draw(st.sampled_from([1, 1, 1, 2, 3]))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(body)))
        body = body[:at] + draw(st.binary(max_size=4)) + body[at + draw(st.integers(0, 4)) :]
    if draw(st.booleans()):
        body = body[: draw(st.integers(0, len(body)))]
    if draw(st.sampled_from([False, False, True])):
        names = draw(st.lists(st.sampled_from(["gzip", "deflate", "br", "zstd", "x-gzip", "none", "exi"]), max_size=3))
    cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=4)))
    return ", ".join(names), [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]


@fuzz(250)
@given(streams(), st.sampled_from([1, 100, 10_000, 1_000_000]))
def test_any_stream_in_any_pieces_is_decoded_within_the_cap_or_a_coding_error(stream, limit):
    encoding, pieces = stream
    try:
        undoing = Undoing(encoding, limit)
        decoded = []
        for piece in pieces:
            if undoing.full:
                break
            decoded += undoing.feed(piece)
    except CodingError:
        return
    assert len(b"".join(decoded)) == undoing.size <= limit


@fuzz(200)
@given(streams())
def test_a_decoder_never_hands_out_more_than_a_piece_at_a_time(stream):
    encoding, pieces = stream
    try:
        layers = decoders(encoding)
        for piece in pieces if len(layers) == 1 else []:
            for decoded in layers[0].decode(piece):
                assert len(decoded) <= 2 * PIECE_BYTES
    except CodingError:
        pass


@fuzz(250)
@given(damaged_text(fragments("codings"), 10) | ANY_TEXT)
def test_any_content_encoding_is_known_or_a_coding_error(value):
    with suppress(CodingError):
        assert len(decoders(value)) <= 2
