"""Healthy hosts keep their pace beside hosts that say nothing.

The quick form of `bench/neighbours.py`: few hosts, small limits, and room for a busy machine. Politeness allows 20
pages a second, which any machine can do.
"""

import asyncio
import contextlib
import itertools
import time
from pathlib import Path
from typing import Any

import pytest

from crawler.core.config import CrawlConfig
from crawler.ring.crawler import Crawler
from tests.support.patience import PATIENCE_S
from tests.support.street import LARGE, Street, bad_street, healthy_street, path_of

HEALTHY = 4
PAGES = 24
LEAST_RATIO = 0.25
"""The first seconds count too, in which nobody knows who will answer. It is 0 if no places are kept for others."""
ATTEMPTS = 3
SETTINGS: dict[str, Any] = {
    "allow_private": True,
    "delay_s": 0.2,
    "concurrency": 16,
    "parsers": 1,
    "bytes_in_flight": 16_000_000,
    "fields": ("url",),
}


@pytest.fixture(scope="module")
def good():
    with healthy_street(HEALTHY, LARGE) as street:
        yield street


def healthy_pages(records: Path) -> int:
    return records.read_bytes().count(b"//127.0.1.") if records.exists() else 0


async def pace_s(job: Path, good: Street, bad: list[str], most_s: float) -> float:
    """Seconds that healthy hosts take for some pages; `most_s` if they take longer. The bad seeds come first."""
    crawler = Crawler(CrawlConfig(job=job, **SETTINGS), [*bad, *(good.url(n, "/") for n in range(HEALTHY))])
    run = asyncio.create_task(crawler.run())
    deadline = time.monotonic() + PATIENCE_S
    while not crawler.stats().fetching and time.monotonic() < deadline and not run.done():
        await asyncio.sleep(0.02)
    began = time.monotonic()
    while healthy_pages(job / "pages.jsonl") < PAGES and time.monotonic() - began < most_s and not run.done():
        await asyncio.sleep(0.05)
    took_s = time.monotonic() - began
    run.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await run
    return took_s


@pytest.fixture(scope="module")
def alone(good, tmp_path_factory):
    """How long they take by themselves, measured anew whenever it is called."""
    numbers = itertools.count()
    folder = tmp_path_factory.mktemp("alone")
    return lambda: asyncio.run(pace_s(folder / f"job{next(numbers)}", good, [], PATIENCE_S))


@pytest.fixture(scope="module")
def first_alone_s(alone):
    return alone()


@pytest.mark.parametrize(("attack", "hosts"), [("silent", 60)])
def test_healthy_hosts_keep_their_pace(tmp_path, good, alone, first_alone_s, attack, hosts):
    ratios: list[float] = []
    with bad_street(attack) as bad:
        seeds = [bad.url(host, path_of(number)) for number in range(3) for host in range(hosts)]
        while len(ratios) < ATTEMPTS:
            alone_s = alone() if ratios else first_alone_s
            job = tmp_path / f"job{len(ratios)}"
            ratios.append(alone_s / asyncio.run(pace_s(job, good, seeds, alone_s / LEAST_RATIO)))
            if ratios[-1] > LEAST_RATIO:
                return
    pytest.fail(f"beside {hosts} hosts of the attack {attack} healthy ones kept {ratios} of their pace")
