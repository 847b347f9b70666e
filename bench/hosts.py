"""Very many hosts at once: does a crawl keep up with what politeness allows, and does it ever ask a host too soon?

    python -m bench.hosts                                   (make bench-hosts: 4 runs of up to a minute)
    python -m bench.hosts --hosts 2000 --seconds 20

One server on loopback stands for 10,000 hosts (127.1.0.0, 127.1.0.1, ...: each address is a host of its own). It notes
when each request came. The crawls are made by the command line, with robots.txt, limits per host and per address,
parsers, store and output as they are by default:

    machine     10,000 hosts, --delay 0     what this machine can do at all
    few         500 hosts, --delay 1        politeness allows 500 requests/s
    many        10,000 hosts, --delay N     politeness allows about half of what the machine can do
    all         10,000 hosts, --delay 1     politeness allows 10,000 requests/s

The rate is that of all requests (robots.txt is one of its host's) while the crawl is under way: from the time at which
most hosts have been asked for a page, or half of the run, to its end. Ends with exit code 1 if a rate is under 95 % of
what politeness allows, or of the machine's where that is less; if the event loop's p99 lag is over 50 ms; or if a host
was asked twice within the delay, less what the two processes may be late (a quarter of a second).
"""

import argparse
import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil

LEAST_SHARE = 0.95
MOST_LAG_S = 0.05
JITTER_S = 0.25
FEW = 500
_LINKS = 3
_WORDS = "of the many pages of this host " * 30


def address(number: int) -> str:
    """The address that is host `number`."""
    return f"127.{1 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


def host_of(name: str) -> int:
    """The number of the host at an address."""
    parts = name.split(".")
    return int(parts[1]) - 1 << 16 | int(parts[2]) << 8 | int(parts[3])


class HostConnection(asyncio.Protocol):
    """A connection to one of the hosts, `_host`. Those who come from elsewhere than this machine are sent away."""

    def __init__(self) -> None:
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        if not transport.get_extra_info("peername")[0].startswith("127."):
            self._transport.abort()
        self._host = host_of(transport.get_extra_info("sockname")[0])


class _Connection(HostConnection):
    """Answers GET requests of one connection, in order, and notes when each came, and for which host."""

    times = array("d")
    hosts = array("I")

    def data_received(self, data: bytes) -> None:
        *heads, self._rest = (self._rest + data).split(b"\r\n\r\n")
        for head in heads:
            self.times.append(time.monotonic())
            self.hosts.append(self._host)
            self._transport.write(_answer(self._host, head.split(b" ", 2)[1]))


def _answer(host: int, path: bytes) -> bytes:
    if path == b"/robots.txt":
        return b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 26\r\n\r\nUser-agent: *\nDisallow: /x\n"
    number = int(path[1:] or b"0")
    links = "".join(f'<a href="/{number + step}">{step}</a> ' for step in range(1, _LINKS + 1))
    body = f"<!DOCTYPE html><title>Page {number} of host {host}</title><p>{_WORDS}{links}".encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


async def serve(log: Path) -> None:
    """Print the port, serve until SIGTERM, then write down the requests."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    # No other way to listen on all of 127.0.0.0/8; others than this machine are sent away.
    server = await loop.create_server(_Connection, "0.0.0.0", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await ended.wait()
    with log.open("wb") as file:
        _Connection.times.tofile(file)
        _Connection.hosts.tofile(file)


@contextlib.contextmanager
def hosts_served(log: Path) -> Iterator[int]:
    """Serve all hosts in a process of its own; gives the port. Afterwards the requests are in `log`."""
    command = [sys.executable, "-m", "bench.hosts", "--serve", str(log)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.terminate()


class Run(NamedTuple):
    """What came of one crawl. `rate`: requests/s under way, of the `asked` hosts; `gap_s`: the shortest between two
    requests of a host.
    """

    name: str
    hosts: int
    delay_s: float
    rate: float
    asked: int
    gap_s: float
    lag_s: float
    most_bytes: int
    cpu_ms: float

    @property
    def allowed(self) -> float:
        """Requests/s that politeness allows."""
        return self.hosts / self.delay_s if self.delay_s else float("inf")

    def __str__(self) -> str:
        allowed = f"{self.allowed:,.0f}" if self.delay_s else "-"
        return (
            f"{self.name:<9}{self.hosts:>7,}{self.delay_s:>7g}{allowed:>9}{self.rate:>9,.0f}{self.asked:>9,}"
            f"{self.gap_s:>9.2f}{1e3 * self.lag_s:>9.1f}{self.most_bytes / 1e6:>8.0f}{self.cpu_ms:>9.2f}"
        )


HEAD = "crawl      hosts  delay  allowed  req./s    asked  gap, s  lag, ms  MB all  CPU, ms"


def crawl(name: str, hosts: int, delay_s: float, seconds: float, folder: Path) -> Run:
    """Crawl for so many seconds."""
    job = folder / name
    job.mkdir()
    log, seeds = job / "requests", job / "seeds.txt"
    with hosts_served(log) as port:
        seeds.write_text("".join(f"http://{address(number)}:{port}/\n" for number in range(hosts)))
        command = [sys.executable, "-m", "crawler", "crawl", str(seeds), "--job", str(job / "job"), "--quiet"]
        command += ["--allow-private", "--delay", f"{delay_s:g}", "--max-time", f"{seconds:g}"]
        with psutil.Popen(command) as process:
            most_bytes, cpu_s = _watched(process)
    if process.returncode not in {0, 3}:
        raise SystemExit(f"the crawl ended with exit code {process.returncode}")
    summary = json.loads((job / "job" / "summary.json").read_text())
    times, asked = _requests(log)
    rate, asked_hosts = _rate(times, asked, hosts, delay_s)
    cpu_ms = 1e3 * cpu_s / len(times)
    lag_s = summary["loop_lag_p99_s"]
    return Run(
        name, hosts, delay_s, rate, asked_hosts, _shortest_gap(times, asked), lag_s, most_bytes, cpu_ms
    )  # fmt: skip


def _watched(process: psutil.Popen) -> tuple[int, float]:
    """Wait for the end; the most memory of all processes together, and their CPU seconds."""
    most, cpu_s = 0, 0.0
    while process.poll() is None:
        sizes, used_s = 0, 0.0
        with contextlib.suppress(psutil.Error):
            for one in (process, *process.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    sizes += one.memory_info().rss
                    used_s += sum(one.cpu_times()[:2])
        most, cpu_s = max(most, sizes), max(cpu_s, used_s)
        time.sleep(0.2)
    return most, cpu_s


def _requests(log: Path) -> tuple[list[float], list[int]]:
    """When requests came, and for which host each was."""
    times, hosts = array("d"), array("I")
    size = log.stat().st_size // (times.itemsize + hosts.itemsize)
    with log.open("rb") as file:
        times.fromfile(file, size)
        hosts.fromfile(file, size)
    return times.tolist(), hosts.tolist()


def _rate(times: list[float], asked: list[int], hosts: int, delay_s: float) -> tuple[float, int]:
    """Requests/s while the crawl was under way, and how many hosts were asked then."""
    seen: dict[int, int] = {}
    begin = times[0] + (times[-1] - times[0]) / 2
    for at, host in zip(times, asked, strict=True):
        seen[host] = seen.get(host, 0) + 1
        if seen[host] == 2 and sum(1 for _ in seen) == hosts and at < begin and _all_twice(seen):
            begin = at
            break
    end = times[-1] - min(delay_s, 1.0)
    under_way = [host for at, host in zip(times, asked, strict=True) if begin <= at < end]
    return len(under_way) / (end - begin), len(set(under_way))


def _all_twice(seen: dict[int, int]) -> bool:
    return min(seen.values()) > 1


def _shortest_gap(times: list[float], asked: list[int]) -> float:
    last: dict[int, float] = {}
    shortest = float("inf")
    for at, host in zip(times, asked, strict=True):
        shortest = min(shortest, at - last.get(host, float("-inf")))
        last[host] = at
    return shortest


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=40.0, help="of each run [40]")
    parser.add_argument("--only", nargs="*", default=["few", "many", "all"], help="runs besides that of the machine")
    parser.add_argument(
        "--delay", type=float, help="of the run `many`, in seconds [what half of the machine's rate needs]"
    )
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        asyncio.run(serve(arguments.serve))
        return 0
    hosts, seconds = arguments.hosts, arguments.seconds
    runs: list[Run] = []
    with tempfile.TemporaryDirectory(prefix="bench-hosts-") as name:
        print(HEAD, flush=True)

        def run(*what: object) -> Run:
            runs.append(crawl(*what, seconds, Path(name)))  # type: ignore[arg-type]
            print(runs[-1], flush=True)
            return runs[-1]

        machine = run("machine", hosts, 0.0)
        if "few" in arguments.only:
            run("few", min(FEW, hosts), 1.0)
        if "many" in arguments.only:
            run("many", hosts, arguments.delay or float(-(-hosts // (machine.rate / 2))))
        if "all" in arguments.only:
            run("all", hosts, 1.0)
    good = True
    for one in runs:
        least = min(one.allowed, machine.rate)
        late = one.delay_s - one.gap_s if one.delay_s else 0.0
        checks = [
            (f"rate, share of {'allowed' if one.allowed <= machine.rate else 'machine'}", f">= {LEAST_SHARE}",
             one.rate / least, one.rate >= LEAST_SHARE * least),
            ("event loop p99 lag, ms", f"<= {1e3 * MOST_LAG_S:.0f}", 1e3 * one.lag_s, one.lag_s <= MOST_LAG_S),
            ("asked too soon by, s", f"<= {JITTER_S}", max(0.0, late), late <= JITTER_S),
        ]  # fmt: skip
        for what, target, measured, met in checks:
            print(f"{one.name:<9}{what:<30}{target:>8}{measured:>9.2f}  {'met' if met else 'MISSED'}")
            good = good and met
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
