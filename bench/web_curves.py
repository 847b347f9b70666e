"""What a page costs against its size, the number of hosts, and the number of URLs that are known."""

import json
import subprocess
import sys
import tempfile
from typing import NamedTuple

from bench.ring import Run as RingRun
from bench.web_crawl import Run, crawl
from bench.web_site import web

__all__ = ["Curves", "Point", "curves"]

SIZES = (30_000, 75_000, 138_000, 242_000, 600_000)
HOSTS = (100, 400, 900, 1_800)
PAGES = 1_200
"""Of each crawl by size."""
ALL_PAGES = 1_800
"""Of each crawl by number of hosts."""
KNOWN, KNOWN_HOSTS = 2_000_000, 20_000
_FAST = ("--delay", "0", "--per-host", "6")
_FILL = (
    "import json, sys, tempfile\nfrom pathlib import Path\nfrom bench.frontier import fill\n"
    "with tempfile.TemporaryDirectory(dir=sys.argv[3]) as name:\n"
    "    rows = fill(Path(name), int(sys.argv[1]), int(sys.argv[2]))\n"
    "print(json.dumps([[row.known, 1e6 * row.cpu_s / row.tested] for row in rows]))"
)


class Point(NamedTuple):
    """At so many bytes, hosts or URLs: CPU ms a page of all processes and of the main one; µs for a URL alone."""

    at: int
    cpu: float
    main: float


class Curves(NamedTuple):
    """Each in the order of `at`."""

    sizes: list[Point]
    hosts: list[Point]
    known: list[Point]


def _point(at: int, run: Run, start: RingRun) -> Point:
    """What a page costs without the start, which a short crawl would show too large."""
    cpu_s, main_s = run.cost.cpu_s - start.cost.cpu_s, run.cost.main_cpu_s - start.cost.main_cpu_s
    return Point(at, 1000 * cpu_s / run.pages, 1000 * main_s / run.pages)


def _told(what: str, point: Point) -> Point:
    print(f"{point.at:>11,} {what:18} {point.cpu:6.2f} ms CPU a page, {point.main:.2f} in the main process", flush=True)
    return point


def _known(urls: int, hosts: int) -> list[Point]:
    """CPU µs to look up and, if new, add a URL when so many are known: `bench.frontier`."""
    with tempfile.TemporaryDirectory(prefix="web-known-") as folder:
        command = [sys.executable, "-c", _FILL, str(urls), str(hosts), folder]
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    points = [Point(known, cpu_us, cpu_us) for known, cpu_us in json.loads(said.splitlines()[-1])]
    for point in points:
        print(f"{point.at:>11,} URLs known         {point.cpu:6.1f} µs CPU a URL", flush=True)
    return points


def curves(start: Run, part: float = 1.0) -> Curves:
    """Measure all three; `part` of the pages and URLs."""
    sizes, hosts = [], []
    for size in SIZES:
        with web(hosts=max(10, round(PAGES * part) // 4), pages=4, size=size) as served:
            sizes.append(_told("bytes", _point(served.page_bytes, crawl(served, "TLS", more=_FAST), start)))
    for number in (max(2, round(one * part)) for one in HOSTS):
        with web(hosts=number, pages=round(ALL_PAGES * part) // number, size=SIZES[2]) as served:
            hosts.append(_told("hosts", _point(number, crawl(served, "TLS", more=_FAST), start)))
    return Curves(sizes, hosts, _known(round(KNOWN * part), round(KNOWN_HOSTS * part)))
