"""What a crawl will be, as far as a sample tells."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from crawler.core.config import CrawlConfig
from crawler.core.stats import CrawlStats
from crawler.planning.census import Census, LeftOut, SitemapCount
from crawler.planning.host_sample import HostSample
from crawler.planning.pages import Number, number_of_urls
from crawler.planning.schedule import HostWork, Machine, Schedule, schedule

__all__ = ["HostPlan", "Plan", "SampleFacts", "Span", "plan_of"]

_LEAST_DELAY_S: Final = 0.1
_GIVE_UP_S: Final = 120.0
"""For so long a host is listened to that never answers (`fetcher.silence`)."""
_MACHINE_PAGES: Final = 50
"""Fewer pages do not tell what one costs this machine."""
_MOST_START_S: Final = 3.0
_ROW_BYTES: Final = 130
"""What the store takes for a URL on the disk, URL and indexes included, beside the URL itself."""


class Span(Struct, frozen=True):
    """A number with its range; `most` None if nothing tells an upper end."""

    likely: float
    least: float
    most: float | None


class SampleFacts(Struct, frozen=True):
    """What the plan was made from: pages read, at most so many of a host, in so many seconds. `is_whole`: it met all
    there is, so nothing is estimated but the time. `ended` says why it ended, as `CrawlStats` does.
    """

    pages: int
    pages_per_host: int
    seconds: float
    is_whole: bool
    ended: str


class HostPlan(Struct, frozen=True, kw_only=True):
    """What a crawl will ask one host for (name and port).

    `urls` of pages are asked for, of which `pages` come; `seconds` is what the host alone takes, one request each
    `pace_s` seconds. `robots_status` is that of its robots.txt, None if it was not asked for or is out of reach.
    `sampled` pages were read. `is_silent`: it did not answer.
    """

    host: str
    urls: Number
    pages: Number
    seconds: Span
    pace_s: float
    delay_s: float
    crawl_delay_s: float | None
    robots_status: int | None
    bytes: float
    record_bytes: float
    listed: int
    sampled: int
    is_silent: bool


class Plan(Struct, frozen=True, kw_only=True):
    """What a crawl will be. `hosts` come slowest first.

    `bad_seeds` are lines that are none, with place and reason (at most 100), `bad_seed_lines` their number;
    `denied_seeds` are left out by rule. `admitted` and `left_out` count the URLs that the sample met. `pages` and
    `urls` (asked for) are sums over the hosts, under the budgets; `seconds` is how long the crawl takes politely, and
    `limit` what it takes so long for (`hosts`, `concurrency`, `per-address`, `machine`, `max-pages`, `max-time`).
    `bytes` are received, `record_bytes` written as JSON lines, `job_bytes` what the job's state takes.
    """

    seeds: int
    bad_seed_lines: int
    bad_seeds: tuple[str, ...]
    denied_seeds: tuple[LeftOut, ...]
    hosts: tuple[HostPlan, ...]
    admitted: int
    left_out: tuple[LeftOut, ...]
    sitemaps: tuple[SitemapCount, ...]
    urls: Number
    pages: Number
    seconds: Span
    limit: str
    bytes: float
    record_bytes: float
    job_bytes: float
    sample: SampleFacts


class _Usual(Struct, frozen=True):
    """What stands for what is not known of a host: what the others have."""

    urls: float
    pages_per_url: float
    requests_per_url: float
    pace_s: float
    latency_s: float
    url_bytes: float
    record_bytes: float


def plan_of(
    census: Census,
    stats: CrawlStats,
    config: CrawlConfig,
    *,
    pages_per_host: int,
    bad_seeds: Sequence[str],
    sitemaps: Sequence[SitemapCount] = (),
    listed: Mapping[str, tuple[int, int]] | None = None,
) -> Plan:
    """Make the plan of what a sample shows. `listed` counts for hosts URLs in sitemaps, and known ones among them."""
    hosts = _with_silence([_with_listed(sample, listed or {}) for sample in census.hosts], stats)
    usual = _usual(hosts, config)
    plans = [_host_plan(sample, config, usual) for sample in hosts]
    is_whole = all(not sample.waiting for sample in hosts) and stats.ended not in ("interrupted", "max-time")
    start_s = min(_MOST_START_S, max(0.0, stats.elapsed_s - census.span_s))
    work = _Work(plans, hosts, config, _machine(stats, config, start_s), usual)
    # If the sample was the crawl, nothing is to be reckoned.
    measured_s = stats.elapsed_s if is_whole and not any(one.is_silent for one in plans) else None
    ends = work.ends(measured_s)
    urls = _sum([one.urls for one in plans])
    pages = _sum([one.pages for one in plans])
    if ends[0].limit in ("max-pages", "max-time"):
        pages = pages.at_most(round(ends[0].pages))
    share = ends[0].pages / max(1.0, sum(float(one.pages.likely) for one in plans))
    met = census.hosts and sum(sample.known for sample in census.hosts)
    left_out = sum(rule.urls for rule in census.left_out)
    return Plan(
        seeds=census.seeds,
        bad_seed_lines=stats.bad_seeds,
        bad_seeds=tuple(bad_seeds),
        denied_seeds=census.denied_seeds,
        hosts=tuple(sorted(plans, key=lambda one: (-one.seconds.likely, one.host))),
        admitted=met or 0,
        left_out=census.left_out,
        sitemaps=(*census.sitemaps, *sitemaps),
        urls=urls,
        pages=pages,
        seconds=Span(ends[0].seconds, ends[1].seconds, None if ends[2] is None else ends[2].seconds),
        limit=ends[0].limit,
        bytes=share * sum(one.bytes for one in plans),
        record_bytes=share * sum(one.record_bytes for one in plans),
        job_bytes=urls.likely * (1 + left_out / max(1, met or 0)) * _ROW_BYTES,
        sample=SampleFacts(stats.pages, pages_per_host, stats.elapsed_s, is_whole, stats.ended),
    )


def _with_listed(sample: HostSample, listed: Mapping[str, tuple[int, int]]) -> HostSample:
    urls, known = listed.get(sample.host, (0, 0))
    return replace(sample, listed=urls, known_listed=known) if urls else sample


def _with_silence(hosts: Sequence[HostSample], stats: CrawlStats) -> list[HostSample]:
    """Say of hosts that were heard of nothing whether they are silent, or had to wait for their turn."""
    unheard = [sample for sample in hosts if sample.answered is None and sample.waiting]
    had_time = stats.ended not in ("max-time", "max-pages", "interrupted")
    silent = {one.name for one in stats.silent}
    if had_time or len(unheard) <= stats.silent_hosts:
        silent.update(sample.host for sample in unheard)
    return [replace(sample, answered=False) if sample.host in silent else sample for sample in hosts]


def _usual(hosts: Sequence[HostSample], config: CrawlConfig) -> _Usual:
    read = [sample for sample in hosts if sample.read]
    asked, pages = sum(sample.read for sample in read), sum(sample.pages for sample in read)
    paces = [sample.pace_s for sample in read if sample.pace_s is not None]
    latencies = [sample.latency_s for sample in read if sample.latency_s is not None]
    first_delay_s = _LEAST_DELAY_S if config.delay_s is None else config.delay_s
    return _Usual(
        statistics.fmean(number_of_urls(sample).likely for sample in read) if read else 1.0,
        pages / asked if asked else 1.0,
        sum(sample.requests for sample in read) / asked if asked else 1.0,
        statistics.median(paces) if paces else first_delay_s,
        statistics.median(latencies) if latencies else 0.0,
        statistics.fmean(sample.bytes_per_url[0] for sample in read) if read else 0.0,
        statistics.fmean(sample.bytes_per_url[1] for sample in read) if read else 0.0,
    )


def _host_plan(sample: HostSample, config: CrawlConfig, usual: _Usual) -> HostPlan:
    urls = number_of_urls(sample)
    is_silent = sample.answered is False and not sample.read
    if urls.basis == "unknown":
        seeds_alone = config.scope == "page" or config.depth == 0 or is_silent
        likely = sample.known if seeds_alone else max(sample.known, round(usual.urls))
        urls = Number(likely, sample.known, likely if seeds_alone else None, "others")
    pages_per_url = 0.0 if is_silent else sample.pages_per_url if sample.read else usual.pages_per_url
    pages = _times(urls, pages_per_url).at_most(config.max_pages_per_host)
    pace_s = _pace_s(sample, config, usual)

    def seconds(number: float) -> float:
        if is_silent:
            return min(_GIVE_UP_S, _GIVE_UP_S if config.give_up_after_s is None else config.give_up_after_s)
        left = max(0.0, number / max(pages_per_url, 0.01) - sample.read) if pages_per_url else 0.0
        return sample.span_s + left * pace_s

    url_bytes, record_bytes = sample.bytes_per_url if sample.read else (usual.url_bytes, usual.record_bytes)
    asked = pages.likely / pages_per_url if pages_per_url else 0.0
    return HostPlan(
        host=sample.host,
        urls=urls,
        pages=pages,
        seconds=Span(seconds(pages.likely), seconds(pages.least), None if pages.most is None else seconds(pages.most)),
        pace_s=pace_s,
        delay_s=sample.delay_s,
        crawl_delay_s=sample.crawl_delay_s,
        robots_status=sample.robots_status,
        bytes=asked * url_bytes,
        record_bytes=asked * record_bytes,
        listed=sample.listed,
        sampled=sample.pages,
        is_silent=is_silent,
    )


def _pace_s(sample: HostSample, config: CrawlConfig, usual: _Usual) -> float:
    """Return the seconds between two requests: as measured, and never below what is asked for."""
    if sample.pace_s is not None:
        return max(sample.pace_s, sample.delay_s)
    own = (sample.latency_s or usual.latency_s) / config.per_host
    return max(sample.delay_s, own, usual.pace_s if config.delay_s is None else config.delay_s)


def _times(urls: Number, share: float) -> Number:
    most = None if urls.most is None else round(urls.most * share)
    return Number(round(urls.likely * share), round(urls.least * share), most, urls.basis)


def _sum(numbers: Sequence[Number]) -> Number:
    bases = {number.basis for number in numbers}
    return Number(
        sum(number.likely for number in numbers),
        sum(number.least for number in numbers),
        None if any(number.most is None for number in numbers) else sum(number.most or 0 for number in numbers),
        bases.pop() if len(bases) == 1 else "counted" if not bases else "levels",
    )


def _machine(stats: CrawlStats, config: CrawlConfig, start_s: float) -> Machine:
    parsers_s = sum(stats.parser_busy_s) / max(1, len(stats.parser_busy_s))
    page_s = max(stats.main_busy_s, parsers_s) / stats.pages if stats.pages >= _MACHINE_PAGES else 0.0
    return Machine(config.concurrency, max(config.per_address, config.per_host), page_s, start_s)


class _Work(Struct, frozen=True):
    """All that is to be asked of all hosts, and what they share."""

    plans: Sequence[HostPlan]
    hosts: Sequence[HostSample]
    config: CrawlConfig
    machine: Machine
    usual: _Usual

    def ends(self, measured_s: float | None) -> tuple[Schedule, Schedule, Schedule | None]:
        """Say when the crawl ends: as is likely, at the earliest, and at the latest, None if nobody knows."""
        likely = self._end("likely")
        if measured_s is not None:
            measured = Schedule(measured_s, likely.pages, likely.limit)
            return measured, measured, measured
        if all(one.pages.most is not None for one in self.plans):
            return likely, self._end("least"), self._end("most")
        time_s = self.config.max_time_s
        return likely, self._end("least"), None if time_s is None else Schedule(time_s, likely.pages, "max-time")

    def _end(self, which: str) -> Schedule:
        work = [
            HostWork(
                getattr(one.urls, which) * self.usual.requests_per_url,
                getattr(one.pages, which),
                getattr(one.seconds, which),
                sample.latency_s or self.usual.latency_s,
                sample.address,
            )
            for one, sample in zip(self.plans, self.hosts, strict=True)
        ]
        config = self.config
        return schedule(work, self.machine, max_pages=config.max_pages, max_time_s=config.max_time_s)
