"""Answers' headers: none of them, whatever it says, is an error, and none carries a control character on."""

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.fetcher.cookies import MAX_HEADER_BYTES, CookieJars, cookie_time
from crawler.fetcher.retry import retry_after_s
from crawler.fetcher.transport.headers import HeadError, clean_headers, codings_of, is_clear_redirect
from crawler.web.content_coding import CodingError
from tests.fuzz.damage import ANY_TEXT, damaged, damaged_text, fragments
from tests.fuzz.profile import fuzz
from tests.support.yardstick import takes_linear_time

NOW = 1_795_364_400.0
CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
DATES = fragments("dates")
COOKIES = fragments("cookies", "dates")
NUMBERS = st.sampled_from(["0", "00", "1", "6", "06", "12", "24", "29", "30", "31", "32", "59", "60", "61", "99", "١"])
YEARS = st.sampled_from(["1994", "2026", "2100", "0000", "1600", "1601", "9999", "94", "26", "00", "70", "99", "199"])
CLOCKS = st.builds("{:2}:{:2}:{:2}".format, NUMBERS, NUMBERS, NUMBERS) | st.just("08:49:37")
MONTHS = st.sampled_from(["Jan", "Feb", "feb", "Nov", "Dec", "Foo"])
# The three forms of RFC 9110 §5.6.7, and the one with dashes that cookies have.
TIMES = (
    st.builds("Sun, {} {} {} {} GMT".format, NUMBERS, MONTHS, YEARS, CLOCKS)
    | st.builds("Sunday, {}-{}-{} {} GMT".format, NUMBERS, MONTHS, YEARS, CLOCKS)
    | st.builds("Sun {} {:>2} {} {}".format, MONTHS, NUMBERS, CLOCKS, YEARS)
    | st.builds("Sun, {}-{}-{} {} GMT".format, NUMBERS, MONTHS, YEARS, CLOCKS)
    | st.integers(0, 10**20).map(str)
    | st.sampled_from(["9" * 400, "9" * 5_000, "1" * 4_301])
)
URLS = st.sampled_from(["http://h.example/", "https://h.example/a/b?c", "http://www.h.example:81/a", "http://co.uk/"])
URLS |= st.sampled_from(["http://127.0.0.1/", "https://[::1]:8/x/", "http://h.example./", "http://a.github.io/"])


@fuzz(600)
@given(TIMES | damaged_text(DATES, 9) | ANY_TEXT, st.floats(-1e10, 1e12), st.floats(0, 1e6))
def test_any_retry_after_is_a_bounded_wait_or_none(value, now, cap_s):
    wait_s = retry_after_s(value, now, cap_s)
    assert wait_s is None or 0 <= wait_s <= cap_s


@fuzz(300)
@given(TIMES | damaged_text(DATES, 9) | ANY_TEXT)
def test_any_expiry_is_a_time_or_none(value):
    at = cookie_time(value)
    assert at is None or -2e10 < at < 1e12


VALUES = (
    damaged_text(COOKIES, 12)
    | st.builds("a=1; Expires={}; Path=/".format, TIMES)
    | st.builds("b=2; Max-Age={}".format, TIMES)
    | ANY_TEXT
)
LARGE = st.builds(
    "{}={}; Path=/".format, st.sampled_from("abcdefghijklmnop"), st.sampled_from([9, 900, 4_000]).map("x".__mul__)
)


@fuzz(150)
@given(st.lists(st.tuples(URLS, st.lists(VALUES, max_size=4) | st.lists(LARGE, max_size=20)), max_size=4), URLS)
def test_any_set_cookie_is_taken_or_left_and_what_goes_back_is_a_clean_header(answers, url):
    jars = CookieJars()
    for step, (source, values) in enumerate(answers):
        jars.take(source, values, NOW + step)
    header = jars.header(url, NOW + len(answers))
    if header is not None:
        assert CONTROLS.search(header.replace("\t", "")) is None
        assert len(header.encode()) <= MAX_HEADER_BYTES
    if not any(source.partition("/")[2].split("/")[1] == url.split("/")[2] for source, _ in answers):
        assert header is None


RAW = damaged(fragments("headers"), 8) | st.binary(max_size=40)
NAMES = st.sampled_from(["Content-Type", "LOCATION", "content-encoding", "Set-Cookie", "X-é"]) | st.text(max_size=8)


@pytest.mark.parametrize(("codec", "errors"), [("utf-8", "surrogateescape"), ("latin-1", "strict")])
def test_any_headers_become_clean_text(codec, errors):
    @fuzz(200)
    @given(st.lists(st.tuples(NAMES, RAW), max_size=5))
    def check(raw):
        pairs = [(name, value.decode(codec, errors)) for name, value in raw]
        cleaned = clean_headers(pairs, codec, errors)
        assert [name for name, _ in cleaned] == [name.lower() for name, _ in pairs]
        for _, value in cleaned:
            assert CONTROLS.search(value) is None
            value.encode()
        with suppress(CodingError, HeadError):
            codings_of([*cleaned, *(("transfer-encoding", value) for _, value in cleaned)])
        assert is_clear_redirect(pairs, codec, errors) in {True, False}

    check()


@fuzz(30, cost=10)
@given(
    st.lists(st.sampled_from(COOKIES), min_size=1, max_size=3).map(b"".join),
    st.sampled_from(["a=1", "a=1;", "a=1; Expires="]),
)
def test_a_header_of_the_same_again_and_again_takes_linear_time(unit, start):
    def work(count):
        text = start + unit.decode("utf-8", "surrogatepass") * count
        CookieJars().take("http://h.example/", [text], NOW)
        retry_after_s(text, NOW)
        cookie_time(text)
        clean_headers([("a", text)], "utf-8", "surrogatepass")

    assert takes_linear_time(work, 1_000)
