"""A crawl's time series in its store: with each commit's counters, to the last one, and cheap."""

import itertools

from crawler.core.config import CrawlConfig
from crawler.core.sample import Sample
from crawler.frontier.store import Store
from crawler.ledger import sampling
from crawler.ring.crawler import Crawler
from tests.support.servers import Answer, LocalServer, html


def config(job, **settings) -> CrawlConfig:
    return CrawlConfig(job=job, **{"allow_private": True, "delay_s": 0.0, "parsers": 1, "retries": 0, **settings})


def series(job) -> list[Sample]:
    with Store(job / "state", read_only=True) as store:
        return list(store.samples.all())


def site(host: str, path: str) -> Answer:
    if path == "/robots.txt":
        return Answer()
    number = int(path.strip("/") or 0)
    return Answer(html(*(f"/{n}" for n in range(number + 1, min(number + 3, 120)))))


async def test_each_run_leaves_its_series_and_the_last_sample_is_its_end(tmp_path):
    """The last sample says how the run ended, with the counters that `run` returned."""
    job = tmp_path / "job"
    with LocalServer(site) as server:
        first = await Crawler(config(job, max_pages=40, delay_s=0.07), [server.url()]).run()
        second = await Crawler(config(job), [server.url()]).run()
    taken = series(job)
    assert {one.run for one in taken} == {1, 2}
    ends = [[one for one in taken if one.run == run][-1] for run in (1, 2)]
    assert [(one.stats.ended, one.stats.pages) for one in ends] == [("max-pages", 40), ("done", 120)]
    assert [one.stats.outcomes for one in ends] == [first.outcomes, second.outcomes]
    assert all(earlier.at <= later.at for earlier, later in itertools.pairwise(taken))
    assert all(one.memory_bytes > 1e7 for one in taken)
    assert taken[0].parser_memory_bytes > 1e6
    assert all(one.stats.ended == "running" for one in taken if one not in ends)
    assert len([one for one in taken if one.run == 1]) >= 3, "two seconds and more"


async def test_a_crawl_that_only_waits_commits_its_samples_more_rarely(tmp_path, monkeypatch):
    """Counted in commits: a disk must not be kept busy by a crawl that waits for a host."""
    monkeypatch.setattr(sampling, "_INTERVAL_S", 0.1)
    monkeypatch.setattr(sampling, "_IDLE_INTERVAL_S", 0.5)
    job = tmp_path / "job"
    patience_s = 2.0

    def slow(host: str, path: str) -> Answer:
        return Answer("x", delay_s=patience_s) if path == "/" else Answer()

    with LocalServer(slow) as server:
        stats = await Crawler(config(job, timeout_s=60.0), [server.url()]).run()
    assert stats.pages == 1
    waiting = [one for one in series(job) if one.stats.ended == "running" and not one.stats.pages]
    assert len(waiting) >= 2
    assert stats.commits <= stats.elapsed_s / 0.5 + 6, "one for robots.txt, the page, its end"
