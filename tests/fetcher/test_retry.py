import datetime as dt
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.model import Failure
from crawler.fetcher.retry import RetryDecision, asked_wait_s, backoff_s, decide, retry_after_s
from crawler.fetcher.transport.base import FetchResult
from tests.support.yardstick import takes_linear_time

NOW = 784_111_700.0  # Sun, 06 Nov 1994 08:48:20 GMT


def answer(status, retry_after=None):
    headers = () if retry_after is None else (("retry-after", retry_after),)
    return FetchResult("http://a.test/", status, headers)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("120", 120.0),
        (" 120 ", 120.0),
        ("0", 0.0),
        ("007", 7.0),
        ("1000000000", 3600.0),
        ("9" * 10_000, 3600.0),
        ("0" * 10_000 + "5", 5.0),
        ("-5", None),
        ("+5", None),
        ("1.5", None),
        ("1_0", None),
        ("\u0661\u0662", None),
        ("\u00b2", None),
        ("", None),
        ("soon", None),
        ("120, 120", None),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 77.0),
        ("sun, 6 nov 1994 08:49:37 gmt", 77.0),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 77.0),
        ("Sun Nov  6 08:49:37 1994", 77.0),
        ("Sun, 06 Nov 1994 08:48:20 GMT", 0.0),
        ("Sun, 06 Nov 1993 08:49:37 GMT", 0.0),
        ("Sun, 06 Nov 9999 08:49:37 GMT", 3600.0),
        ("Sunday, 06-Oct-44 08:49:37 GMT", 3600.0),  # not quite 50 years ahead
        ("Sunday, 06-Dec-44 08:49:37 GMT", 0.0),  # more than 50: the past one
        ("Sun, 06 Nov 1994 08:48:60 GMT", 40.0),  # leap second
        ("Sun, 31 Feb 1994 08:49:37 GMT", None),
        ("Sun, 00 Nov 1994 08:49:37 GMT", None),
        ("Sun, 06 Nov 0000 08:49:37 GMT", None),
        ("Sunday, 99-Nov-94 08:49:37 GMT", None),
        ("Sun, 06 Xyz 1994 08:49:37 GMT", None),
        ("Sun, 06 Nov 1994 24:49:37 GMT", None),
        ("Sun, 06 Nov 1994 08:60:37 GMT", None),
        ("Sun, 06 Nov 1994 08:49:61 GMT", None),
        ("Sun, 06 Nov 1994 08:49:37 +0100", None),
    ],
)
def test_retry_after(value, expected):
    """RFC 9110 §10.2.3 and the three date forms of §5.6.7; what is neither is None, what is too long is the cap."""
    answer = retry_after_s(value, NOW)
    assert answer == (pytest.approx(expected, abs=0.001) if expected is not None else None)


def test_retry_after_cap_can_be_set():
    assert retry_after_s("500", NOW, cap_s=10) == 10.0


DATES = st.from_regex(
    r"(Sun|Sunday|M)(,|) [0-9]{1,2}[- ](Feb|nov|Foo)[- ][0-9]{2,4} [0-9]{2}:[0-9]{2}:[0-9]{2} (GMT|X)", fullmatch=True
)


@given(st.text() | st.text(alphabet="0123456789- \u0663") | DATES, st.floats(-1e12, 1e12))
def test_retry_after_never_raises_and_stays_in_bounds(value, now):
    answer = retry_after_s(value, now)
    assert answer is None or 0 <= answer <= 3600


@given(
    st.datetimes(
        min_value=dt.datetime(1970, 1, 2)  # noqa: DTZ001 - Hypothesis wants it so
    )
)
def test_each_date_form_means_the_same_moment(moment):
    at = moment.replace(microsecond=0, tzinfo=dt.UTC)
    now = at.timestamp() - 100
    for form in ("%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"):
        text = at.strftime(form).replace(f" {at.year} ", f" {at.year:04} ")
        assert retry_after_s(text, now) == pytest.approx(100, abs=0.01)


@given(st.integers(1, 10**6), st.integers())
def test_backoff_is_full_jitter_below_a_bound_that_doubles(attempt, seed):
    delay_s = backoff_s(attempt, random.Random(seed))
    assert 0 <= delay_s <= min(30.0, 0.5 * 2 ** min(attempt - 1, 10))


def test_backoff_spreads_over_the_whole_range():
    rng = random.Random(1)
    delays = [backoff_s(4, rng) for _ in range(1000)]
    assert min(delays) < 0.2
    assert max(delays) > 3.8


TIMEOUT = Failure("timeout", "30 s", retryable=True)
TLS = Failure("tls", "expired", retryable=False)


@pytest.mark.parametrize(
    ("result", "attempts_made", "retries", "again", "reason"),
    [
        (200, 1, 2, False, ""),
        (301, 1, 2, False, ""),
        (404, 1, 2, False, ""),
        (501, 1, 2, False, ""),
        (408, 1, 2, True, "status 408"),
        (429, 1, 2, True, "status 429"),
        (500, 1, 2, True, "status 500"),
        (502, 1, 2, True, "status 502"),
        (503, 2, 2, True, "status 503"),
        (504, 3, 2, False, "status 504"),
        (503, 1, 0, False, "status 503"),
        (TIMEOUT, 1, 2, True, "timeout"),
        (TIMEOUT, 2, 2, True, "timeout"),
        (TIMEOUT, 3, 2, False, "timeout"),
        (TIMEOUT, 1, 0, False, "timeout"),
        (TLS, 1, 2, False, "tls"),
    ],
)
def test_what_is_tried_again_and_how_often(result, attempts_made, retries, again, reason):
    rng = random.Random(1)
    result = answer(result) if isinstance(result, int) else result
    decision = decide(result, attempts_made=attempts_made, retries=retries, now=NOW, rng=rng)
    assert decision.reason == reason
    assert (decision.retry_at is not None) is again
    if decision.retry_at is not None:
        assert NOW <= decision.retry_at <= NOW + 30


def test_retry_after_is_waited_for_even_if_back_off_is_shorter():
    decision = decide(answer(503, "120"), attempts_made=1, retries=2, now=NOW, rng=random.Random(1))
    assert decision == RetryDecision(NOW + 120.0, "status 503")


def test_retry_after_does_not_shorten_the_back_off():
    with_zero = decide(answer(503, "0"), attempts_made=5, retries=9, now=NOW, rng=random.Random(1))
    without = decide(answer(503), attempts_made=5, retries=9, now=NOW, rng=random.Random(1))
    assert with_zero == without


@pytest.mark.parametrize(("status", "wait_s"), [(429, 7.0), (503, 7.0), (500, None), (301, None), (200, None)])
def test_retry_after_counts_only_where_a_host_asks_for_fewer_requests(status, wait_s):
    assert asked_wait_s(answer(status, "7"), NOW) == wait_s


@pytest.mark.parametrize(("filler", "end"), [("0", ""), (" ", "x"), ("Sun, ", "")])
def test_retry_after_takes_linear_time(filler, end):
    assert takes_linear_time(lambda size: retry_after_s(filler * size + end, NOW), 125_000 // len(filler))
