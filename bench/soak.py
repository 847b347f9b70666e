"""What hostile hosts cost healthy ones: 50 healthy hosts crawled alone, and beside a server with every bad habit.

    make soak                                                    # 4 runs of 60 s: alone, beside, alone, beside
    .venv/bin/python -m bench.soak --seconds 20 --rounds 1
    .venv/bin/python -m bench.soak --each 60                     # each behaviour by itself: hours
    .venv/bin/python -m bench.soak --each 20 --only bomb         # those with "bomb" in their names

The healthy hosts (127.0.1.1 to 127.0.1.50) and the hostile ones are served by a process each, on the same machine. The
crawl has the default politeness, at most ten requests a second to a host, and lasts until its time is up. The hostile
server has the behaviours of `tests/hostile`, which it shows again and again.

The rate is that of healthy pages. Memory is that of the crawler and its parsers: the most that their proportional set
sizes (where there is no such thing, resident ones) came to together. Exit code 1 if the rate beside is less than 90 %
of that alone, or the memory more than 150 MB above.
"""

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil

from tests.hostile.registry import Behaviour, behaviours
from tests.hostile.server import HostileProcess

ROOT = Path(__file__).parent.parent
HEALTHY = tuple(f"127.0.1.{number}" for number in range(1, 51))
LEAST_RATIO, MOST_BYTES = 0.9, 150_000_000
WARM_UP_S = 4.0
"""Not counted: the seeds are read, robots.txt is asked for."""
DRAIN_S = 120.0
"""Most that a crawl may take beyond its time: what is under way ends, or meets its own deadlines."""
AGAIN_PER_S = 2
"""URLs of a behaviour's loop for each second of a run."""
SETTINGS: dict[str, Any] = {
    "allow_private": True,
    "cookies": True,
    "sitemaps": True,
    "exclude": ("/p/", r"\.test/"),  # links of pages and sitemaps with a million of them
}
"""Beside the defaults."""
OWN_SETTINGS = ("cookies", "sitemaps", "exclude", "headers", "insecure", "max_chain", "max_links")
"""Settings of a behaviour that are taken over when it is alone. The others would change what healthy hosts get."""


# Healthy hosts

WORDS = ("amber", "birch", "cedar", "daisy", "elder", "fern", "gorse", "hazel", "iris", "juniper")


def page(number: int) -> bytes:
    """An answer of about 12 KB: a page that leads to ten further ones, and back to forty early ones."""
    words = random.Random(number).choices(WORDS, k=1500)
    links = [*range(40), *range(number * 10 + 1, number * 10 + 11)]
    anchors = "".join(f'<li><a href="/{link}">Page {link}</a></li>' for link in links)
    body = f"<!doctype html><title>Page {number}</title><ul>{anchors}</ul><p>{' '.join(words)}</p>".encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def serve_healthy(ready: "Connection[int, None]") -> None:
    """Serve all healthy hosts, on one free port, which is sent to `ready`, until this process is ended."""
    pages = [page(number) for number in range(2_000)]
    missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                name = head.split(b" ", 2)[1][1:]
                number = int(name) if name.isdigit() else -1
                writer.write(missing if number < 0 else pages[number] if number < len(pages) else page(number))
        writer.close()

    async def main() -> None:
        port = 0
        for address in HEALTHY:
            server = await asyncio.start_server(serve, address, port, backlog=1024)
            port = server.sockets[0].getsockname()[1]
        ready.send(port)
        await asyncio.Event().wait()

    asyncio.run(main())


@contextlib.contextmanager
def healthy_hosts() -> Iterator[list[str]]:
    """The seeds of the healthy hosts, while they are served."""
    mine, its = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=serve_healthy, args=(its,), daemon=True)
    process.start()
    try:
        if not mine.poll(60):
            raise SystemExit("the server of the healthy hosts did not start")
        port = mine.recv()
        yield [f"http://{address}:{port}/0" for address in HEALTHY]
    finally:
        process.kill()
        process.join()


# Hostile hosts


def hostile_seeds(hostile: HostileProcess, chosen: Sequence[Behaviour], seconds: float, hosts: int) -> list[str]:
    """Seeds that make loops of behaviours, all of them once before any comes again.

    `hosts` 0: each behaviour has its own host; else they share so many (but those with a robots.txt of their own).
    """
    port = hostile.places["port"]
    starts = []
    for number, one in enumerate(chosen):
        if not hosts or one.robots or not one.seed.startswith("/"):
            starts.append((hostile.seed(one), hostile.origin(one)))
        else:
            shared = f"http://{shared_address(number % hosts)}:{port}/{one.name}"
            starts.append((shared + one.seed, shared))
    first = [seed for seed, _ in starts]
    again = [f"{loop}/?again={turn}" for turn in range(1, int(seconds * AGAIN_PER_S) + 1) for _, loop in starts]
    return first + again


def shared_address(number: int) -> str:
    return f"127.67.0.{number + 1}"


# Crawls


@dataclass
class Run:
    """One crawl: healthy pages, for how many seconds they were counted, memory of its processes when they took most
    (the first is the crawler, the others are its parsers), and how it ended."""

    pages: int = 0
    counted_s: float = 1.0
    sizes: list[int] = field(default_factory=list)
    ended: dict[str, Any] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Healthy pages a second."""
        return self.pages / self.counted_s

    @property
    def memory_bytes(self) -> int:
        """The most that all processes took together."""
        return sum(self.sizes)


def crawl(healthy: Sequence[str], hostile: Sequence[str], seconds: float, settings: dict[str, Any]) -> Run:
    """Crawl for so many seconds, in a process of its own. Raises `SystemExit` if that fails or does not end."""
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        job = Path(folder)
        seeds = job / "seeds.txt"
        seeds.write_text("\n".join([*healthy, *hostile]))
        (job / "settings").write_text(repr({**SETTINGS, **settings, "max_time_s": seconds}))
        command = [sys.executable, "-m", "bench.soak_crawl", str(job / "settings"), str(seeds)]
        log = job / "log"
        with log.open("w") as errors:
            process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True)
            run = Run(counted_s=seconds - WARM_UP_S)
            overdue = threading.Timer(seconds + DRAIN_S, process.kill)
            watch = threading.Thread(target=watch_memory, args=(process, run))
            for thread in (overdue, watch):
                thread.start()
            lines = [json.loads(line) for line in process.stdout or ()]
            process.wait()
            overdue.cancel()
            watch.join()
        if process.returncode or len(lines) != 2:
            raise SystemExit(f"the crawl failed with exit code {process.returncode}:\n{log.read_text()[-3000:]}")
        run.ended = lines[1]
        run.pages = healthy_pages(job / "pages.jsonl", healthy, lines[0]["started_at"] + WARM_UP_S, run.counted_s)
        return run


def healthy_pages(records: Path, healthy: Sequence[str], start: float, seconds: float) -> int:
    """How many healthy pages were fetched in a span of time."""
    origins = {seed.removesuffix("/0") for seed in healthy}
    count = 0
    with records.open() as lines:
        for line in lines:
            record = json.loads(line)
            if record["url"].rpartition("/")[0] in origins:
                count += 0 <= datetime.fromisoformat(record["fetched_at"]).timestamp() - start < seconds
    return count


def watch_memory(process: "subprocess.Popen[str]", run: Run) -> None:
    """Note the most memory that a process and its children take together, until it ends."""
    while process.poll() is None:
        sizes = []
        with contextlib.suppress(psutil.NoSuchProcess):
            root = psutil.Process(process.pid)
            for one in (root, *root.children(recursive=True)):
                with contextlib.suppress(psutil.NoSuchProcess, OSError):
                    sizes.append(set_size(one))
        run.sizes = max(run.sizes, sizes, key=sum)
        time.sleep(0.2)


def set_size(process: psutil.Process) -> int:
    """Bytes that a process takes, with its share of what it has in common with others."""
    rollup = Path(f"/proc/{process.pid}/smaps_rollup")
    if not rollup.exists():
        return process.memory_info().rss
    lines = rollup.read_text().splitlines()
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))


# Reports


def compare(alone: Sequence[Run], beside: Sequence[Run]) -> tuple[float, int]:
    """The ratio of the rates, and the difference of the peaks in bytes."""
    ratio = statistics.fmean(run.rate for run in beside) / statistics.fmean(run.rate for run in alone)
    return ratio, max(run.memory_bytes for run in beside) - max(run.memory_bytes for run in alone)


def is_good(ratio: float, difference: int) -> bool:
    return ratio >= LEAST_RATIO and difference <= MOST_BYTES


def show(name: str, run: Run) -> None:
    """One run as a line."""
    outcomes = run.ended["outcomes"]
    common = ", ".join(f"{kind} {count}" for kind, count in sorted(outcomes.items(), key=lambda one: -one[1])[:6])
    parts = " + ".join(f"{size / 1e6:.0f}" for size in run.sizes)
    print(f"{name:<7}{run.rate:7.1f} pages/s {run.memory_bytes / 1e6:7.1f} MB ({parts})  {common}", flush=True)


def soak_all(seconds: float, rounds: int, hosts: int, chosen: Sequence[Behaviour]) -> bool:
    """All behaviours at once, in turn with none."""
    addresses = tuple(map(shared_address, range(hosts)))
    alone, beside = [], []
    with healthy_hosts() as healthy, HostileProcess(addresses) as hostile:
        seeds = hostile_seeds(hostile, chosen, seconds, hosts)
        for _ in range(rounds):
            alone.append(crawl(healthy, [], seconds, {}))
            show("alone", alone[-1])
            beside.append(crawl(healthy, seeds, seconds, {}))
            show("beside", beside[-1])
            hostile.forget()
    ratio, difference = compare(alone, beside)
    print(f"rate beside / alone: {ratio:.3f} (at least {LEAST_RATIO})")
    print(f"peak memory beside - alone: {difference / 1e6:.1f} MB (at most {MOST_BYTES / 1e6:.0f})")
    return is_good(ratio, difference)


def soak_each(seconds: float, chosen: Sequence[Behaviour]) -> bool:
    """Each behaviour by itself; every tenth run is without any, so that a change of the machine is seen."""
    good = True
    alone: list[Run] = []
    with healthy_hosts() as healthy, HostileProcess() as hostile:
        print("| row | behaviour | pages/s | ratio | MB | difference |\n| --- | --- | --- | --- | --- | --- |")
        for number, one in enumerate(chosen):
            if number % 10 == 0:
                alone = [*alone[-1:], crawl(healthy, [], seconds, {})]
            settings = {name: value for name, value in one.settings.items() if name in OWN_SETTINGS}
            run = crawl(healthy, hostile_seeds(hostile, [one], seconds, 0), seconds, settings)
            hostile.forget()
            ratio, difference = compare(alone, [run])
            good = good and is_good(ratio, difference)
            mark = "" if is_good(ratio, difference) else " **too much**"
            megabytes = f"{run.memory_bytes / 1e6:.0f} | {difference / 1e6:+.0f}{mark}"
            print(f"| {one.row} | {one.name} | {run.rate:.0f} | {ratio:.2f} | {megabytes} |", flush=True)
    return good


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="length of a run [60]")
    parser.add_argument("--rounds", type=int, default=2, help="runs alone, and as many beside [2]")
    parser.add_argument("--hosts", type=int, default=1, help="hosts that hostile behaviours share; 0: none do [1]")
    parser.add_argument("--each", type=float, metavar="S", help="each behaviour by itself for so many seconds")
    parser.add_argument("--only", default="", metavar="TEXT", help="behaviours with this in their names")
    arguments = parser.parse_args()
    # Spiders are no server's doing, and those of row 43 take all the memory that a parser may have.
    chosen = [one for one in behaviours() if (arguments.only in one.name if arguments.only else one.parse is None)]
    if not chosen:
        parser.error(f"--only {arguments.only}: no behaviour has this in its name")
    if (arguments.each or arguments.seconds) < 2 * WARM_UP_S:
        parser.error(f"a run takes at least {2 * WARM_UP_S:.0f} seconds")
    if arguments.each:
        good = soak_each(arguments.each, chosen)
    else:
        good = soak_all(arguments.seconds, arguments.rounds, arguments.hosts, chosen)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
