"""Counters of parts of a crawl as those of one: every field is accounted for."""

from msgspec.structs import fields

from crawler.core.joined_stats import joined_ended, joined_stats
from crawler.core.lesson import Lesson
from crawler.core.stats import CrawlStats, Holder, SilentHost

_OTHER = {
    *("max_pages", "max_time_s", "elapsed_s", "loop_lag_p99_s", "ended", "limit", "why", "lift", "offline", "paused"),
    "following",
}
"""What is no sum."""


def _filled(by: int) -> CrawlStats:
    """Return counters of which each field is another one than its default."""
    values = {}
    for field in fields(CrawlStats):
        match field.default:
            case bool():
                values[field.name] = by > 1
            case int() | float():
                values[field.name] = by
            case dict():
                values[field.name] = {"both": by, str(by): by}
    values |= {
        "statuses": {200: by, 400 + by: by},
        "parameters": {"a/#?x": Lesson(by, by, by)},
        "silent": (SilentHost(f"{by}.test", "refused", None),),
        "holders": (Holder(f"{by}.test", requests=by),),
        "under_way": ((f"http://{by}.test/", float(by)),),
        "parser_busy_s": (float(by), 0.0),
        "steered": ("blocked a.test", f"blocked {by}.test"),
        "limit": f"limit {by}",
    }
    return CrawlStats(**values)


def test_counts_are_added_up_and_what_is_named_is_of_all():
    joined = joined_stats([_filled(1), _filled(2)])
    for field in fields(CrawlStats):
        value = getattr(joined, field.name)
        if field.name in _OTHER:
            continue
        if isinstance(value, int | float):
            assert value == 3, field.name
        elif isinstance(value, dict) and "both" in value:
            assert value == {"both": 3, "1": 1, "2": 2}, field.name
        else:
            assert value != field.default, field.name
    assert joined.statuses == {200: 3, 401: 1, 402: 2}
    assert joined.parameters == {"a/#?x": Lesson(3, 3, 3)}
    assert [one.name for one in joined.silent] == ["1.test", "2.test"]
    assert joined.under_way[0] == ("http://2.test/", 2.0)
    assert joined.parser_busy_s == (1.0, 0.0, 2.0, 0.0)
    assert joined.steered == ("blocked a.test", "blocked 1.test", "blocked 2.test")
    assert (joined.elapsed_s, joined.limit, joined.max_pages) == (2, "limit 2", None)
    assert joined.offline
    assert joined.paused


def test_those_of_one_part_hide_none_of_another():
    """Each part names first what holds most."""
    parts = [CrawlStats(holders=tuple(Holder(f"{part}{number}.test") for number in range(3))) for part in "ab"]
    assert [one.name for one in joined_stats(parts).holders] == ["a0.test", "b0.test", "a1.test"]
    assert [one.name for one in joined_stats([CrawlStats(), parts[1]]).holders] == ["b0.test", "b1.test", "b2.test"]


def test_the_end_of_all_is_that_of_the_one_furthest_from_it():
    assert joined_ended(["done", "unreachable"]) == "unreachable"
    assert joined_ended(["done", "running", "interrupted"]) == "running"
    assert joined_ended([]) == "done"
    assert joined_stats([]) == CrawlStats()
