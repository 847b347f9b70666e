"""What a crawl's settings promise once the crawl begins."""

from pathlib import Path

import pytest

from crawler.core.config import CrawlConfig
from crawler.core.config import settled as settled_config
from crawler.core.errors import ConfigError
from crawler.core.model import Field

JOB = Path("output/job")


def settled(config, *, affordable=1000, consumed=False, spider=None, archive=False):
    return settled_config(config, job=JOB, affordable=affordable, consumed=consumed, spider=spider, archive=archive)


@pytest.mark.parametrize(
    ("output", "consumed", "written"),
    [
        (None, False, (f"{JOB}/pages.jsonl",)),
        (None, True, ()),
        ("a.jsonl", True, ("a.jsonl",)),
        (("a.jsonl", "-"), False, ("a.jsonl", "-")),
        ((), False, ()),
    ],
)
def test_a_program_that_takes_the_records_has_none_written_unless_it_names_an_output(output, consumed, written):
    assert settled(CrawlConfig(output=output), consumed=consumed).outputs == written


@pytest.mark.parametrize(
    ("strategy", "asked", "affordable", "granted"),
    [("hybrid", 256, 1000, 256), ("hybrid", 256, 44, 44), ("sequential", 256, 1000, 1), ("async", 7, 7, 7)],
)
def test_as_many_requests_as_were_asked_for_the_strategy_makes_and_open_files_allow(
    strategy, asked, affordable, granted
):
    config = CrawlConfig(strategy=strategy, concurrency=asked)
    assert settled(config, affordable=affordable).concurrency == granted


def test_settling_changes_nothing_else_and_twice_the_same_comes_out():
    config = CrawlConfig(seeds=("https://example.com/",), depth=3, headers=(("A", "b"),))
    once = settled(config, spider="shop:parse")
    assert once.job == JOB
    assert once.spider == "shop:parse"
    assert config.job is None
    assert settled(once, spider="shop:parse") == once
    changed = {name for name in CrawlConfig.__struct_fields__ if getattr(once, name) != getattr(config, name)}
    assert changed == {"job", "spider"}


def test_whether_whole_exchanges_are_kept_is_settled_with_the_rest():
    assert not settled(CrawlConfig()).archive
    assert settled(CrawlConfig(output="a.warc.gz"), archive=True).archive


def test_pages_are_read_by_a_spider_or_by_selectors():
    with pytest.raises(ConfigError, match="not both"):
        CrawlConfig(select=(Field(name="a", css="p"),)).check_reader("shop:parse")


@pytest.mark.parametrize(("strategy", "processes"), [("hybrid", 3), ("async", 0), ("threads", 0), ("sequential", 0)])
def test_only_hybrid_parses_in_processes(strategy, processes):
    assert CrawlConfig(strategy=strategy, parsers=3).parser_processes == processes
