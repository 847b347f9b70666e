"""Lists of seeds: any bytes give seeds in normal form, bad seeds that can be shown, or a SeedError."""

import io

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.errors import SeedError
from crawler.frontier.seed_lines import line_format, line_seeds
from crawler.web.urls import normalise
from tests.fuzz.damage import damaged, fragments
from tests.fuzz.profile import fuzz

FRAGMENTS = fragments("seeds")
HEADS = st.sampled_from([b"url\n", b"url,team\r\n", b"team;URL\n", b'{"url": "http://h/"}\n', b"http://h/\n"])
BODIES = damaged([*FRAGMENTS, b"\n", b"\n", b"\n", b"\r\n", b"\r", b"\xef\xbb\xbf", b"\xff", b"\xe2\x80\xa8"], 30)


@fuzz(500)
@given(
    BODIES | st.builds(bytes.__add__, HEADS, BODIES) | st.binary(max_size=200),
    st.sampled_from([None, "txt", "csv", "jsonl"]),
)
def test_any_bytes_are_seeds_and_bad_seeds_or_a_seed_error(body, kind):
    bad = []
    kind = kind or line_format(body)
    try:
        seeds = list(line_seeds(io.BufferedReader(io.BytesIO(body)), "f", kind, bad.append))
    except SeedError as caught:
        error = str(caught)
        assert error.isprintable()
        return
    for seed in seeds:
        assert normalise(seed.url) == seed.url
        msgspec.json.encode(seed.extra)
    for line in bad:
        assert str(line).isprintable()
        assert line.place.startswith("f:")
