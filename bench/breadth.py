"""A list of home pages: 1 million hosts with one page each, and a robots.txt of 0.5 to 20 KB. Does memory stay flat?

    python -m bench.breadth                                 (make bench-breadth: half an hour or more, 5 GB of disk)
    python -m bench.breadth --hosts 20000

The crawl is the real one, with robots.txt, parser processes, store and output as they are by default, in a process of
its own. Only the network is made up: each host answers at once with a robots.txt of its own, whose size is drawn as on
the web (log-normal, half of them under 1.5 KB), and with a home page that links to no other host.

Prints hosts/s, the memory of the main process at each tenth of the list, how late its event loop was, and how much CPU
time the main process took for a host. Then the same list is stopped at its middle and resumed in a new process, up to
its first request. Ends with exit code 1 if a target is missed.
"""

import argparse
import asyncio
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from uvloop import new_event_loop

from bench.target import AtLeast, AtMost, print_targets
from crawler.core.config import CrawlConfig
from crawler.fetcher.transport.base import FetchRequest, FetchResult
from crawler.fetcher.transport.fake import FakeTransport, answer
from crawler.parsers.memory import collect_rarely, return_large_blocks
from crawler.ring.crawler import Crawler

LEAST_RATE = 2_000.0
MOST_MB = 400.0
MOST_GROWTH = 1.1
"""Of memory, from 100,000 hosts, or half of the list if that is less, to the most of the rest."""
MOST_LAG_MS = 50.0
MOST_START_S = 5.0
_FLAT_FROM = 100_000
_DISK_BYTES_PER_HOST = 5_000
_SMALLEST, _MEDIAN, _LARGEST = 500, 1_500, 20_000
_FILES = 512
_SAMPLE_S = 0.02
_SAMPLES_A_LOOK = 10
_WORDS = "what the home page of this host says of itself " * 20


def robots_files() -> list[bytes]:
    """Some files as sites have them: a group for others, a group for all, many folders, a few wildcards."""
    rng = random.Random(1)
    return [_robots_file(rng, _size(rng)) for _ in range(_FILES)]


def _size(rng: random.Random) -> int:
    return min(max(round(rng.lognormvariate(0.0, 1.2) * _MEDIAN), _SMALLEST), _LARGEST)


def _robots_file(rng: random.Random, size: int) -> bytes:
    lines = ["# robots.txt", "User-agent: GPTBot", "User-agent: CCBot", "Disallow: /", "", "User-agent: *"]
    while sum(map(len, lines)) + len(lines) < size - 60:
        path = "/".join(rng.choices(("admin", "cart", "search", "user", "tmp", "wp-content", "private"), k=3))
        path += f"/{rng.randrange(10**6)}"
        lines.append(rng.choices((f"Disallow: /{path}/", f"Disallow: /*?{path}=", f"Allow: /{path}.css"), (8, 1, 1))[0])
    return "\n".join(lines).encode()


class Web:
    """Plays all hosts. State: whether anything was asked for (`begun`), and when that was first."""

    def __init__(self) -> None:
        self._files = robots_files()
        self.begun = asyncio.Event()
        self.first_at: float | None = None

    def answer(self, request: FetchRequest) -> FetchResult:
        """Answer a request."""
        if self.first_at is None:
            self.first_at = time.time()
            self.begun.set()
        host = request.url.split("/", 3)[2]
        if request.url.endswith("/robots.txt"):
            number = int(host[5:13])
            body = b"%b\nDisallow: /of-%b/\n" % (self._files[number % _FILES], host.encode())
            return answer(request, body, headers=(("content-type", "text/plain"),))
        return answer(request, f"<!DOCTYPE html><title>{host}</title><p>{_WORDS}<a href=/about>About {host}</a>")


def seeds(path: Path, hosts: int) -> None:
    """Write the list."""
    with path.open("w") as file:
        file.writelines(f"https://host-{number:08d}.example/\n" for number in range(hosts))


def memory_mb() -> float:
    """MB that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


async def crawl(folder: Path, first: int, until: int, step: int) -> dict[str, Any]:
    """Crawl from host `first` until so many have ended; return what was measured."""
    web = Web()
    config = CrawlConfig(job=folder / "job", scope="page", fields=("url", "status", "title"))
    crawler = Crawler(config, [str(folder / "seeds.txt")], transport=FakeTransport(web.answer))
    lags: list[float] = []
    tenths: list[tuple[int, float, float, float]] = []

    async def watch() -> None:
        loop = asyncio.get_running_loop()
        number = first // step
        await web.begun.wait()
        while True:
            for _ in range(_SAMPLES_A_LOOK):
                due = loop.time() + _SAMPLE_S
                await asyncio.sleep(_SAMPLE_S)
                lags.append(loop.time() - due)
            pages = crawler.stats().pages
            if pages >= (number + 1) * step:
                number = pages // step
                tenths.append((number * step, memory_mb(), time.time(), time.process_time()))
                rate = (pages - first) / (time.time() - (web.first_at or 0.0))
                print(f"{pages:>10,} hosts{rate:>8,.0f}/s{memory_mb():>8.0f} MB", file=sys.stderr, flush=True)
            if pages >= until:
                crawler.stop()

    watching = asyncio.create_task(watch())
    await crawler.run()
    watching.cancel()
    return {"tenths": tenths, "lags": lags, "first_at": web.first_at, "ended_at": time.time()}


async def resume(folder: Path) -> dict[str, Any]:
    """Go on with the job up to its first request."""
    web = Web()

    def first(request: FetchRequest) -> FetchResult:
        found = web.answer(request)
        crawler.stop()
        return found

    config = CrawlConfig(job=folder / "job", scope="page", fields=("url", "status", "title"))
    crawler = Crawler(config, transport=FakeTransport(first))
    await crawler.run()
    return {"first_at": web.first_at}


def in_a_process(folder: Path, *arguments: object) -> dict[str, Any]:
    """Run a part of the job in a new process; `started_at` is when that was."""
    command = [sys.executable, "-m", "bench.breadth", "--part", str(folder), *map(str, arguments)]
    started_at = time.time()
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return {**found, "started_at": started_at}


def quantiles(values: list[float]) -> Iterator[float]:
    """Median, 99th percentile and maximum."""
    values = sorted(values)
    for share in (0.5, 0.99, 1.0):
        yield values[min(len(values) - 1, int(share * len(values)))]


def measure(folder: Path, hosts: int) -> int:
    """Crawl the whole list, then half of it and the start of the rest; return the exit code."""
    seeds(folder / "seeds.txt", hosts)
    step = max(1, hosts // 10)
    whole = in_a_process(folder, "crawl", 0, hosts, step)
    shutil.rmtree(folder / "job")
    in_a_process(folder, "crawl", 0, hosts // 2, step)
    resumed = in_a_process(folder, "resume", 0, 0, step)
    tenths = whole["tenths"]
    _, _, first_at, first_cpu_s = tenths[0]
    last, _, last_at, cpu_s = tenths[-1]
    memory = [mb for number, mb, _, _ in tenths if number >= min(_FLAT_FROM, hosts // 2)]
    p50, p99, most = (1e3 * one for one in quantiles(whole["lags"]))
    print("MB at each tenth: " + " ".join(f"{mb:.0f}" for _, mb, _, _ in tenths))
    print(f"event loop, late by ms: p50 {p50:.1f}, p99 {p99:.1f}, at most {most:.1f}")
    done = last - tenths[0][0]
    return print_targets(
        f"{hosts:,} hosts with one page each",
        [
            AtLeast("hosts/s", done / (last_at - first_at), LEAST_RATE),
            AtMost("CPU time of the main process for a host, ms", 1e3 * (cpu_s - first_cpu_s) / done),
            AtMost("memory of the main process, most, MB", max(mb for _, mb, _, _ in tenths), MOST_MB),
            AtMost("memory, most of the rest / at 100,000 hosts", max(memory) / memory[0], MOST_GROWTH),
            AtMost("event loop p99 lag, ms", p99, MOST_LAG_MS),
            AtMost("resumed: first request, s", resumed["first_at"] - resumed["started_at"], MOST_START_S),
        ],
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where to make a temporary folder")
    parser.add_argument("--part", nargs=5, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        name, what, first, until, step = arguments.part
        return_large_blocks()
        collect_rarely()
        part = resume(Path(name)) if what == "resume" else crawl(Path(name), int(first), int(until), int(step))
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            print(json.dumps(runner.run(part)))
        return 0
    with tempfile.TemporaryDirectory(prefix="bench-breadth-", dir=arguments.folder) as name:
        needed, free = arguments.hosts * _DISK_BYTES_PER_HOST, shutil.disk_usage(name).free
        if free < needed:
            raise SystemExit(f"{name}: {free / 1e9:.1f} GB are free and {needed / 1e9:.1f} GB needed: see --folder")
        return measure(Path(name), arguments.hosts)


if __name__ == "__main__":
    sys.exit(main())
