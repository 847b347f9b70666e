"""What a crawl costs as one shard and as several on this machine, against a lone ring.

    python -m bench.cluster --pages 4000 --rounds 3        (make bench-cluster: a quarter of an hour)
    python -m bench.cluster --shards 1 2

Crawls generated documentation, spread over 16 addresses of loopback, each of which counts as a domain: a page leads to
its chapter, at the same address, and to 24 pages anywhere. The server runs on the same cores. First a lone ring, then
`--cluster` with 1, 2 and 4 shards, in turns, and each of them also with a site of one page: what that takes is the
start of Python, Ray and the rest, and is taken off. So a page costs what more pages take, over all processes:

    CPU     user and system time of all processes, Ray's own among them
    time    from the first request to the last, as the server saw them
    memory  the most that all processes take together, shared pages once, over that of the crawl of one page

Ends with exit code 1 if a page of one shard costs more than 1.15 times the CPU time of one of a lone ring.
"""

import argparse
import asyncio
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import uvloop

from bench.docs_site import CHAPTER, page
from bench.measure import measure
from bench.static_server import MISSING, answer
from bench.target import AtLeast, AtMost, print_targets

ADDRESSES = 16
MOST = 1.15
_LINK = re.compile(rb'href="(\d+)\.html')
_TIMES = b"/times"


class Run(msgspec.Struct, frozen=True):
    """One crawl: how many pages the server gave, in which time, and what all processes took."""

    pages: int
    span_s: float
    wall_s: float
    cpu_s: float
    peak_bytes: int


class Figures(msgspec.Struct, frozen=True):
    """What pages cost beyond the start."""

    pages_per_s: float
    cpu_ms: float
    memory_mb: float
    start_s: float


def crawl(pages: int, shards: int | None) -> Run:
    """Crawl a site of so many pages with so many shards, None: with a lone ring."""
    with _site(pages) as (url, port), tempfile.TemporaryDirectory(prefix="crawler-bench-") as folder:
        command = [sys.executable, "-m", "crawler", "crawl", url, "--job", "job", "--scope", "any", "--allow-private"]
        command += ["--delay", "0", "--per-host", "8", "--fields", "url,status,title,links"]
        command += [] if shards is None else ["--cluster", "--shards", str(shards)]
        cost = measure(command, Path(folder))
        if cost.exit_code:
            raise SystemExit(f"exit code {cost.exit_code}: {(Path(folder) / 'log').read_text()}")
        times = _asked(port)
    if len(times) < pages:
        raise SystemExit(f"{len(times)} pages of {pages} were asked for: {' '.join(command)}")
    return Run(len(times), times[-1] - times[0], cost.wall_s, cost.cpu_s, cost.peak_bytes)


def figures(long: list[Run], short: list[Run]) -> Figures:
    """What a page costs: medians of long runs, less those of short ones."""
    more = statistics.median(run.pages for run in long) - statistics.median(run.pages for run in short)
    cpu_s = statistics.median(run.cpu_s for run in long) - statistics.median(run.cpu_s for run in short)
    peak = statistics.median(run.peak_bytes for run in long) - statistics.median(run.peak_bytes for run in short)
    return Figures(
        pages_per_s=statistics.median(run.pages / run.span_s for run in long),
        cpu_ms=1000 * cpu_s / more,
        memory_mb=peak / 1e6,
        start_s=statistics.median(run.wall_s for run in short),
    )


def main() -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=4_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--shards", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--serve", type=int, metavar="PAGES", help="serve such a site, and do nothing else")
    asked = parser.parse_args()
    if asked.serve is not None:
        with suppress(KeyboardInterrupt):
            uvloop.run(_serve(asked.serve))
        return 0
    kinds: list[int | None] = [None, *asked.shards]
    runs: dict[int | None, tuple[list[Run], list[Run]]] = {kind: ([], []) for kind in kinds}
    for number in range(1, asked.rounds + 1):
        for kind in kinds:
            for pages, done in zip((asked.pages, 1), runs[kind], strict=True):
                done.append(crawl(pages, kind))
            run = runs[kind][0][-1]
            print(
                f"round {number}: {_named(kind):10} {run.pages / run.span_s:5.0f} pages/s, {run.cpu_s:.1f} s CPU in all"
            )
    found = {kind: figures(*done) for kind, done in runs.items()}
    alone = found[None]
    rows: list[AtLeast | AtMost] = []
    for kind, one in found.items():
        name = _named(kind)
        rows += [
            AtLeast(f"{name}: pages/s", one.pages_per_s),
            AtMost(f"{name}: ms CPU a page, all processes", one.cpu_ms),
            AtMost(f"{name}: MB for the pages", one.memory_mb),
            AtMost(f"{name}: s for a crawl of one page", one.start_s),
        ]
    if 1 in found:
        rows.append(AtMost("CPU a page of one shard, times that of a lone ring", found[1].cpu_ms / alone.cpu_ms, MOST))
    return print_targets(f"{os.cpu_count()} cores, the server on them too; medians of {asked.rounds} rounds", rows)


def _named(kind: int | None) -> str:
    return "lone ring" if kind is None else f"{kind} shard{'s' if kind > 1 else ''}"


@contextmanager
def _site(pages: int) -> Iterator[tuple[str, int]]:
    """Serve a site in a process of its own; gives the URL of its first page, and its port."""
    command = [sys.executable, "-m", "bench.cluster", "--serve", str(pages)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            yield f"http://{_address(0)}:{port}/0.html", port
        finally:
            process.terminate()


def _asked(port: int) -> list[float]:
    """When pages were asked for."""
    with socket.create_connection((_address(0), port)) as connection:
        connection.sendall(b"GET /times HTTP/1.1\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        return msgspec.json.decode(b"".join(iter(lambda: connection.recv(1 << 16), b"")), type=list[float])


def _address(number: int) -> str:
    return f"127.0.2.{1 + number // CHAPTER % ADDRESSES}"


async def _serve(pages: int) -> None:
    loop = asyncio.get_running_loop()
    answers: dict[bytes, bytes] = {}
    times: list[float] = []
    first = await loop.create_server(lambda: _Connection(answers, times), _address(0), 0, backlog=1024)
    port = first.sockets[0].getsockname()[1]
    for chapter in range(1, ADDRESSES):
        await loop.create_server(lambda: _Connection(answers, times), _address(chapter * CHAPTER), port, backlog=1024)
    for number in range(pages):
        body = _LINK.sub(
            lambda found: f'href="http://{_address(int(found[1]))}:{port}/'.encode() + found[1] + b".html",
            page(number, pages),
        )
        answers[b"/%d.html" % number] = answer(body)
    print(port, flush=True)
    await first.serve_forever()


class _Connection(asyncio.Protocol):
    """Answers the requests of one connection, and notes when pages were asked for."""

    def __init__(self, answers: Mapping[bytes, bytes], times: list[float]) -> None:
        self._answers, self._times = answers, times
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        *heads, self._rest = (self._rest + data).split(b"\r\n\r\n")
        for head in heads:
            target = head.split(b" ", 2)[1]
            if target == _TIMES:
                self._transport.write(msgspec.json.encode(self._times))  # type: ignore[attr-defined]
                self._transport.close()
                return
            if target in self._answers:
                self._times.append(time.monotonic())
            self._transport.write(self._answers.get(target, MISSING))  # type: ignore[attr-defined]


if __name__ == "__main__":
    sys.exit(main())
