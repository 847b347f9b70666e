"""What may be expected of a crawl, and when it is met."""

import pytest

from crawler.core.config import CrawlConfig
from crawler.core.errors import ConfigError
from crawler.core.expectation import Coverage, judge, paths_of, unknown_field
from crawler.core.stats import CrawlStats

STATS = CrawlStats(
    pages=1000,
    run_pages=300,
    records=949,
    bytes=10_000_000,
    known=1200,
    queued=12,
    elapsed_s=60.0,
    outcomes={
        "fetched": 989,
        "fetched: sitemap": 1,
        "failed: timeout": 9,
        "failed: tls: expired": 1,
        "skipped: robots": 100,
    },
    statuses={200: 900, 404: 40, 410: 1, 500: 8},
)
COVERAGE = Coverage(1000, {"price": 950, "offers.price": 0})


@pytest.mark.parametrize(
    ("text", "met", "seen"),
    [
        ("pages>=1000", True, "pages>=1000: seen 1,000"),
        (" pages > 1_000 ", False, "pages > 1_000: seen 1,000"),
        ("records==949", True, None),
        ("records!=949", False, None),
        ("bytes>=10MB", True, None),
        ("bytes>=10MiB", False, "bytes>=10MiB: seen 10,000,000"),
        ("failed<=1%", True, "failed<=1%: seen 0.9090 % (10 of 1,100 URLs that ended)"),
        ("failed<0.9%", False, None),
        ("failed: timeout<10", True, None),
        ("failed:tls==1", True, None),
        ("skipped: robots<=5%", False, "skipped: robots<=5%: seen 9.0909 % (100 of 1,100 URLs that ended)"),
        ("fetched==990", True, None),
        ("fetched: sitemap==1", True, None),
        ("404<=40", True, None),
        ("4xx<=40", False, "4xx<=40: seen 41"),
        ("5xx<=1%", True, "5xx<=1%: seen 0.8429 % (8 of 949 records with a status)"),
        ("queued<=1%", True, None),
        ("elapsed_s<60", False, None),
        ("pages_per_s>=5", True, None),
        ("price>=95%", True, "price>=95%: seen 95 % (950 of 1,000 records)"),
        ("price>=95.01%", False, None),
        ("price>950", False, None),
        ("offers.price>0", False, "offers.price>0: seen 0"),
        ("field:price>=95%", True, None),
    ],
)
def test_an_expectation_is_met_exactly(text, met, seen):
    (verdict,) = judge([text], STATS, COVERAGE)
    assert verdict.met is met, verdict.text
    if seen is not None:
        assert verdict.text.replace("0.909 %", "0.9090 %") == seen


def test_a_share_of_nothing_is_none_of_it():
    verdicts = judge(["failed<=1%", "price>=95%", "pages>=1"], CrawlStats(), Coverage())
    assert [verdict.met for verdict in verdicts] == [True, False, False]


def test_what_cannot_be_told_is_not_met_and_says_why():
    verdicts = judge(["price<=1", "elapsed_s<9"], STATS, Coverage(why_not="nobody counted"), knows_run=False)
    assert [verdict.met for verdict in verdicts] == [False, False]
    assert verdicts[0].text == "price<=1: cannot be told: nobody counted"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("pages", "NAME RELATION VALUE"),
        ("pages>=", "NAME RELATION VALUE"),
        ("pages=>3", "NAME RELATION VALUE"),
        (">=3", "NAME RELATION VALUE"),
        ("pages>=many", "expected a number or a share such as 95%, not 'many'"),
        ("pages>=-1", "not '-1'"),
        ("pages>=nan", "not 'nan'"),
        ("pages>=1e9", "not '1e9'"),
        ("failed: timout<1", "did you mean timeout?"),
        ("skipped: robot<1", "did you mean robots?"),
        ("records>=5%", "no share of anything"),
        ("failed<=101%", "at most 100%"),
        ("bytes>=10 apples", "a size such as 10MB"),
        ("pages>=1\x1b[31m", r"\x1b[31m"),
        ('a"b>1', "NAME RELATION VALUE"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_is_possible(text, told):
    with pytest.raises(ConfigError) as error:
        CrawlConfig(expect=(text,))
    assert "expect: " in str(error.value)
    assert told in str(error.value)
    assert "\x1b" not in str(error.value)


def test_fields_that_no_record_has_are_told_from_those_that_one_may_have():
    assert unknown_field(["pages>1", "title>1", "seed.city>=50%", "404<1"], ["title", "seed"]) == ""
    assert "did you mean title?" in unknown_field(["pages>1", "titel>=50%"], ["title", "seed"])
    assert "did you mean pages?" in unknown_field(["page>=50%"], ["title", "seed"])
    assert paths_of(["pages>1", "title>1", "seed.city>=50%", "title<=9", "field:pages>0"]) == (
        "title",
        "seed.city",
        "pages",
    )
