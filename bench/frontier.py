"""What the frontier does with very many URLs: 10 million over 100,000 hosts, and the start of that job when it goes on.

    python -m bench.frontier                                      (make bench-frontier: about 3 minutes, 3 GB of disk)
    python -m bench.frontier --urls 1000000 --hosts 10000

Frontier, window, store, ledger and the sink are those of a crawl, and so are the seeds, read from a file. Only fetcher
and parsers are not there: what is handed out comes back at once as read pages with made-up links. A page has 13 links:
8 new ones of its host, 2 new ones of another, 3 known ones; one answer in 50 is a failure that is tried again. To make
them up is not measured: the clocks stand still meanwhile (but RocksDB's threads go on, and their CPU time counts).

Prints a line each million URLs: links looked up and, if new, added (test-and-set) a second; CPU µs for each of them,
RocksDB's threads included; resident memory now and at most; how long it took to hand out due URLs; the size of the
store. Then the job is resumed by the real `Crawler` in a new process, with the store out of the page cache, up to its
first request. Ends with exit code 1 if a target is missed.
"""

import argparse
import asyncio
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from array import array
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import xxhash

from bench.target import AtLeast, AtMost, print_targets
from crawler.core.config import CrawlConfig
from crawler.core.host_rows import Remembered
from crawler.core.model import Again, Attempt, Done, Link, Result, Task
from crawler.core.sample import Sample
from crawler.core.stats import CrawlStats, Ended
from crawler.fetcher.transport.base import FetchRequest, FetchResult
from crawler.fetcher.transport.fake import FakeTransport, answer
from crawler.ledger.job import JobFolder
from crawler.ledger.ledger import Ledger
from crawler.ring.crawler import Crawler
from crawler.ring.opening import Opened, Opening

LEAST_RATE = 80_000
MOST_MB = 500.0
MOST_START_S = 5.0
MOST_GROWTH = 1.25
"""Of memory from the first fifth of the run, when all caches are full, to its end."""
MOST_SLOWER = 2.0
"""Time to hand out due URLs in the last fifth of the run, compared with the first."""
_DISK_BYTES_PER_URL = 600
_RESULTS = 75
"""Results that come at once: about 1,000 links."""
_OWN, _FOREIGN, _KNOWN = 8, 2, 3
_FAILS_ONE_IN = 50
_RETRY_S = 2.0


class Web:
    """A made-up web of `hosts` hosts. State: how many URLs of each are known; what has been handed out and not back."""

    def __init__(self, hosts: int) -> None:
        self._random = random.Random(1)
        self._known = array("L", [1]) * hosts
        self._waiting: deque[Task] = deque()
        self._pages = 0

    @staticmethod
    def url(host: int, number: int) -> str:
        """A URL of common length (60 characters)."""
        path = f"articles/of-the-year/{number:06d}-what-they-say" if number else ""
        return f"https://www.host-{host:06d}.example/{path}"

    def take(self, tasks: Sequence[Task]) -> None:
        """Take what is due."""
        self._waiting.extend(tasks)

    def answers(self) -> list[Result]:
        """Results for some of what is due, in the order in which it was handed out."""
        waiting = self._waiting
        return [self._answer(waiting.popleft()) for _ in range(min(_RESULTS, len(waiting)))]

    def _answer(self, task: Task) -> Result:
        self._pages += 1
        host = int(task.url[17:23])
        at, address = time.time(), b"\xc0" + host.to_bytes(3, "big")
        if self._pages % _FAILS_ONE_IN == 0:
            return Again(task.key, at + _RETRY_S, "reset", Attempt(at, 120, "reset", address))
        links = [self._link(host, self._new(host)) for _ in range(_OWN)]
        for _ in range(_FOREIGN):
            other = self._random.randrange(len(self._known))
            links.append(self._link(other, self._new(other)))
        links += [self._link(host, self._random.randrange(self._known[host])) for _ in range(_KNOWN)]
        record = b'{"url":"%b","status":200}\n' % task.url.encode()
        body_hash = xxhash.xxh3_128_digest(task.key)
        return Done(
            task.key,
            "fetched",
            status=200,
            records=record,
            links=tuple(links),
            body_bytes=26_000,
            body_hash=body_hash,
            attempt=Attempt(at, 180, "", address),
        )

    def _new(self, host: int) -> int:
        number = self._known[host]
        self._known[host] = number + 1
        return number

    def _link(self, host: int, number: int) -> Link:
        url = self.url(host, number)
        return Link(url)


class Clock:
    """Wall and CPU seconds (of all threads) used since the start, but for what happened while it was paused."""

    def __init__(self) -> None:
        self._wall_s = -time.perf_counter()
        self._cpu_s = -time.process_time()
        self._paused_at = (0.0, 0.0)

    def pause(self) -> None:
        """Stand still."""
        self._paused_at = time.perf_counter(), time.thread_time()

    def go_on(self) -> None:
        """Go on. The CPU time of this thread since the pause does not count, that of others does."""
        wall_s, cpu_s = self._paused_at
        self._wall_s -= time.perf_counter() - wall_s
        self._cpu_s -= time.thread_time() - cpu_s

    def read(self) -> tuple[float, float]:
        """Wall and CPU seconds."""
        return self._wall_s + time.perf_counter(), self._cpu_s + time.process_time()


class Row(NamedTuple):
    """What was measured over a part of the run. `refills_s`: each time that due URLs were handed out."""

    known: int
    tested: int
    wall_s: float
    cpu_s: float
    refills_s: list[float]
    resident_bytes: int
    most_bytes: int
    store_bytes: int

    def __str__(self) -> str:
        refills = sorted(self.refills_s)
        return (
            f"{self.known:>11,} {self.tested / self.wall_s:>10,.0f} {1e6 * self.cpu_s / self.tested:>9.1f} "
            f"{self.resident_bytes / 1e6:>9.0f} {self.most_bytes / 1e6:>9.0f} "
            f"{1e3 * statistics.median(refills):>10.2f} {1e3 * refills[len(refills) * 99 // 100]:>8.1f} "
            f"{self.store_bytes / 1e6:>9,.0f}"
        )


HEAD = "      known     URLs/s    CPU µs    MB now   MB most   due in ms   p99 ms  store MB"


class Simulation(Ledger):
    """The ledger over a made-up web. It stops when `urls` are known, and gives a row each `step` of them."""

    def __init__(self, opened: Opened, folder: Path, web: Web, urls: int, step: int) -> None:
        super().__init__(
            opened.store, opened.frontier, opened.sinks, deliver=self._delivered, ended=self._over, look=_sample
        )
        self._folder = folder
        self._web = web
        self._urls = urls
        self._step = step
        self._meter = Clock()
        self._refills_s: list[float] = []
        self._tested = 0
        self._delivers = False
        self._last = (0, 0.0, 0.0)
        self.rows: list[Row] = []

    def _delivered(self, tasks: list[Task], entered: list[Remembered]) -> None:  # noqa: ARG002 - as the ledger calls it
        self._delivers = True
        self._meter.pause()
        self._web.take(tasks)
        self._meter.go_on()

    def _over(self, why: Ended) -> None:
        raise SystemExit(f"the simulated crawl ended: {why}")

    def _hand_out(self) -> None:
        self._delivers = False
        started, _ = self._meter.read()
        super()._hand_out()
        if self._delivers:
            self._refills_s.append(self._meter.read()[0] - started)

    def _take(self) -> tuple[list[Result], bool]:
        self._meter.pause()
        known = self._frontier.counters.known
        if known >= (len(self.rows) + 1) * self._step:
            self._meter.go_on()
            self._note(known)
            self._meter.pause()
        results = [] if known >= self._urls else self._web.answers()
        self._tested += sum(len(result.links) for result in results if isinstance(result, Done))
        self._meter.go_on()
        if not results and known < self._urls:
            return super()._take()  # as it waits for the next commit or retry
        return results, known >= self._urls

    def _note(self, known: int) -> None:
        wall_s, cpu_s = self._meter.read()
        tested, wall_before_s, cpu_before_s = self._last
        self._meter.pause()
        row = Row(
            known, self._tested - tested, wall_s - wall_before_s, cpu_s - cpu_before_s, self._refills_s,
            _memory("VmRSS"), _memory("VmHWM"), _size(self._folder),
        )  # fmt: skip
        self._last = self._tested, wall_s, cpu_s
        self._refills_s = []
        self.rows.append(row)
        print(row, flush=True)
        self._meter.go_on()


def _sample(run: int, last: bool) -> Sample:  # noqa: ARG001 - as the ledger calls it
    """Of a crawl that does nothing else."""
    return Sample(run=run, at=time.time(), stats=CrawlStats())


def _memory(name: str) -> int:
    """Bytes of this process, as the kernel counts them."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(name))


def _files(folder: Path) -> Iterator[Path]:
    return (file for file in folder.rglob("*") if file.is_file())


def _size(folder: Path) -> int:
    sizes = 0
    for file in _files(folder):
        try:
            sizes += file.stat().st_size
        except FileNotFoundError:  # compacted away meanwhile
            continue
    return sizes


def settings(folder: Path) -> CrawlConfig:
    """Those of the simulated job."""
    return CrawlConfig(job=folder / "job", scope="any", fields=("url", "status"), parsers=1)


def fill(folder: Path, urls: int, hosts: int) -> list[Row]:
    """Run a job until so many URLs are known."""
    web = Web(hosts)
    seeds = folder / "seeds.txt"
    seeds.write_text("".join(f"{web.url(host, 0)}\n" for host in range(hosts)))
    config = settings(folder)
    job = JobFolder(config)
    opened = Opening(
        job, config, [str(seeds)], fresh=False, stdin=None, on_bad_seed=_refuse, stopping=lambda: False
    ).open()
    simulation = Simulation(opened, job.state_path, web, urls, max(urls // 10, hosts))
    print(HEAD)
    simulation.run()
    opened.store.close()
    for sink in opened.sinks:
        sink.close()
    opened.locks.close()
    job.close()
    return simulation.rows


def _refuse(bad: object) -> None:
    raise SystemExit(f"the seeds cannot be read: {bad}")


def resume(folder: Path) -> float:
    """Go on with the job, up to its first request; return the seconds from the making of the `Crawler` to there."""
    first_at: list[float] = []

    def handler(request: FetchRequest) -> FetchResult:
        if not first_at:
            first_at.append(time.perf_counter())
            crawler.stop()
        return answer(request, status=404)

    started = time.perf_counter()
    crawler = Crawler(settings(folder), transport=FakeTransport(handler))
    asyncio.run(crawler.run())
    return first_at[0] - started


def resumed(folder: Path) -> dict[str, float]:
    """Resume in a new process: its seconds from start to first request, and those of the crawler's alone."""
    for file in _files(folder):
        with file.open("rb") as opened:  # a job is resumed after a restart of the machine, as a rule
            os.fsync(opened.fileno())
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    command = [sys.executable, "-m", "bench.frontier", "--resume", str(folder), "--at", str(time.time())]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return found


def targets(rows: Sequence[Row], start: dict[str, float]) -> list[AtLeast | AtMost]:
    """What was measured, beside its targets."""
    fifth = max(1, len(rows) // 5)
    first, last = rows[:fifth], rows[-fifth:]
    rate = sum(row.tested for row in rows) / sum(row.wall_s for row in rows)
    due = [statistics.median([s for row in part for s in row.refills_s]) for part in (first, last)]
    growth = rows[-1].resident_bytes / first[-1].resident_bytes
    return [
        AtLeast("test-and-set URLs/s", rate, LEAST_RATE),
        AtMost("resident memory, most, MB", rows[-1].most_bytes / 1e6, MOST_MB),
        AtMost("memory, end / first fifth", growth, MOST_GROWTH),
        AtMost("time to due URLs, last / first fifth", due[1] / due[0], MOST_SLOWER),
        AtMost("start of the resumed job, s", start["all_s"], MOST_START_S),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--urls", type=int, default=10_000_000)
    parser.add_argument("--hosts", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, help="where to make a temporary folder")
    parser.add_argument("--resume", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--at", type=float, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.resume:
        imported_s = time.time() - arguments.at
        own_s = resume(arguments.resume)
        print(json.dumps({"all_s": imported_s + own_s, "crawler_s": own_s}))
        return 0
    with tempfile.TemporaryDirectory(prefix="bench-frontier-", dir=arguments.folder) as name:
        needed, free = arguments.urls * _DISK_BYTES_PER_URL, shutil.disk_usage(name).free
        if free < needed:
            raise SystemExit(f"{name}: {free / 1e9:.1f} GB are free and {needed / 1e9:.1f} GB needed: see --folder")
        rows = fill(Path(name), arguments.urls, arguments.hosts)
        start = resumed(Path(name))
    all_s, own_s = start["all_s"], start["crawler_s"]
    print(f"resumed: {all_s:.2f} s from the start of the process, {own_s:.2f} s of them the crawler's")
    return print_targets(f"{arguments.urls:,} URLs of {arguments.hosts:,} hosts", targets(rows, start))


if __name__ == "__main__":
    sys.exit(main())
