"""Speeds, estimates and the way numbers are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.estimate import estimate
from crawler.core.quantity import count, duration, rate, share, short_count, size
from crawler.core.rate import History, Rates, rates
from crawler.core.stats import CrawlStats
from tests.support.table import table


def test_rates_are_changes_divided_by_the_time_between():
    before = CrawlStats(elapsed_s=10, run_pages=100, run_bytes=1_000, known=500, queued=400, parser_busy_s=(1.0, 9.0))
    after = CrawlStats(elapsed_s=14, run_pages=140, run_bytes=9_000, known=540, queued=360, parser_busy_s=(3.0, 14.0))
    assert rates(before, after) == Rates(
        span_s=4,
        pages_per_s=10,
        bytes_per_s=2_000,
        ended_per_s=20,
        found_per_s=10,
        parser_shares=(0.5, 1.0),
    )


@table(
    ("before", "after"),
    [
        (CrawlStats(), CrawlStats()),
        (CrawlStats(elapsed_s=5), CrawlStats(elapsed_s=3, run_pages=7)),
        (CrawlStats(run_pages=9, parser_busy_s=(8.0,)), CrawlStats(elapsed_s=1, run_pages=3, parser_busy_s=(0.0,))),
    ],
)
def test_rates_are_never_negative(before: CrawlStats, after: CrawlStats):
    found = rates(before, after)
    assert found.pages_per_s == 0
    assert set(found.parser_shares) <= {0}


def test_history_finds_a_snapshot_of_some_seconds_ago():
    history = History(keep_s=30)
    for tenth in range(1_000):
        history.add(CrawlStats(elapsed_s=tenth / 10))
    assert history.before(5).elapsed_s == pytest.approx(94.5, abs=0.5)
    assert history.before(1_000).elapsed_s == pytest.approx(69.5, abs=1)
    assert history.first.elapsed_s == 0
    assert len(history._samples) < 70


def test_history_gives_the_oldest_while_it_is_young():
    history = History()
    history.add(CrawlStats(elapsed_s=3))
    assert history.before(5).elapsed_s == 3


def test_history_without_a_snapshot_says_so():
    with pytest.raises(LookupError):
        History().before(1)
    with pytest.raises(LookupError):
        _ = History().first


STEADY = Rates(span_s=10, pages_per_s=10, ended_per_s=20, found_per_s=10)
GROWING = Rates(span_s=10, pages_per_s=10, ended_per_s=20, found_per_s=90)
STUCK = Rates(span_s=10)


@table(
    ("stats", "between", "left_s", "why"),
    [
        (CrawlStats(known=900, queued=600), STEADY, 60, "no URL left"),
        (CrawlStats(known=900, queued=600), GROWING, None, "still finding new URLs"),
        (CrawlStats(known=900, queued=600), STUCK, None, "nothing ends at the moment"),
        (CrawlStats(known=900, queued=600), Rates(span_s=1, ended_per_s=900), None, "too early to tell"),
        (CrawlStats(known=900, queued=0), STUCK, 0, "no URL left"),
        (CrawlStats(known=900, queued=600, pages=50, max_pages=200), GROWING, 15, "max-pages"),
        (CrawlStats(known=900, queued=100, pages=50, max_pages=200), STEADY, 10, "no URL left"),
        (CrawlStats(known=900, queued=600, pages=50, max_pages=200), STUCK, None, "nothing ends at the moment"),
        (CrawlStats(known=900, queued=600, pages=300, max_pages=200), GROWING, 0, "max-pages"),
        (CrawlStats(known=900, queued=600, elapsed_s=50, max_time_s=60), STUCK, 10, "max-time"),
        (CrawlStats(known=900, queued=600, elapsed_s=70, max_time_s=60), GROWING, 0, "max-time"),
        (CrawlStats(known=900, queued=9_000, elapsed_s=1, max_time_s=600, max_pages=500), GROWING, 50, "max-pages"),
        (CrawlStats(), Rates(), None, "too early to tell"),
    ],
)
def test_the_first_end_in_sight_is_estimated(stats: CrawlStats, between: Rates, left_s: float | None, why: str):
    found = estimate(stats, between)
    assert found.left_s == (None if left_s is None else pytest.approx(left_s))
    assert found.why == why


@table(
    ("written", "expected"),
    [
        (count(1_234_567), "1,234,567"),
        (short_count(12_345, 6), "12,345"),
        (short_count(12_345, 5), "12k"),
        (short_count(4_570, 4), "4.6k"),
        (short_count(999_700, 5), "1.0M"),
        (short_count(1_250_000_000, 4), "1.2G"),
        (size(0), "0 B"),
        (size(999), "999 B"),
        (size(999.7), "1.0 kB"),
        (size(21_345_678), "21.3 MB"),
        (size(310_000_000), "310 MB"),
        (size(5.5e12), "5.5 TB"),
        (rate(0), "0.00"),
        (rate(0.254), "0.25"),
        (rate(16.42), "16.4"),
        (rate(1_234.4), "1,234"),
        (share(0.814), "81 %"),
        (duration(-1), "0.0 s"),
        (duration(0.44), "0.4 s"),
        (duration(59.4), "59 s"),
        (duration(59.6), "1 min"),
        (duration(754), "12 min 34 s"),
        (duration(3_600), "1 h"),
        (duration(11_100), "3 h 5 min"),
        (duration(187_200), "2 d 4 h"),
        (duration(86_400 * 4_000), "4,000 d"),
    ],
)
def test_quantities_are_written_for_people(written: str, expected: str):
    assert written == expected


@given(st.floats(0, 1e12))
def test_a_duration_of_any_length_can_be_written(seconds: float):
    assert duration(seconds)
