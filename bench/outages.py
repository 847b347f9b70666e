"""Outages at random instants: what a crawl loses, repeats, and how long it takes to come back.

    python -m bench.outages [--seconds 1 2 4 10 60] [--at-once 4]

Each case is the command line on a site of 300 pages, in a process of its own, with a server that goes away for so many
seconds: it refuses connections, resets them, accepts and says nothing, or answers 502 for its robots.txt alone; the
name server answers SERVFAIL, or nothing; or the crawler itself is stopped (SIGSTOP). A run with exit code 6 is followed
by the same command. At the end each page must have exactly one record.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import struct
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.support.ports import listeners

PAGES = 300
HOSTS = 20
KINDS = ("refuse", "reset", "silence", "servfail", "no-dns", "robots-502", "stop")
OF_NAMES = {"servfail", "no-dns"}
AT_START = {*OF_NAMES, "robots-502"}


class Site:
    """A site that is `away` when it is told so. All in one event loop."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.away = False
        self.asked = 0
        self.asked_while_away = 0
        self._connections: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def start(self) -> None:
        """Listen, on the same port as before."""
        ones = listeners(("127.0.0.1",)) if not self.port else [_again(self.port)]
        self.port = ones[0].getsockname()[1]
        self._server = await asyncio.start_server(self._client, sock=ones[0], backlog=1024)

    async def leave(self) -> None:
        """Be away from now on."""
        self.away = True
        if self.kind == "refuse" and self._server is not None:
            self._server.close()
            self._server = None
            for writer in self._connections:
                writer.transport.abort()

    async def come_back(self) -> None:
        """Be there again."""
        self.away = False
        if self._server is None:
            await self.start()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ", 2)[1].decode()
                self.asked += 1
                self.asked_while_away += self.away
                if self.away and self.kind == "reset":
                    writer.transport.abort()
                    break
                if self.away and self.kind == "silence":
                    await asyncio.sleep(3600)
                await self._answer(path, writer)
        self._connections.discard(writer)
        writer.close()

    async def _answer(self, path: str, writer: asyncio.StreamWriter) -> None:
        status, body = "200 OK", b""
        if path == "/robots.txt":
            status = "502 Bad Gateway" if self.away and self.kind == "robots-502" else "404 Not Found"
        else:
            body = "".join(f'<a href="/article-{_name(n)}">x</a>' for n in range(PAGES)).encode()
        writer.write(
            f"HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        )
        await writer.drain()


def _name(number: int) -> str:
    return "".join("abcdefghij"[int(digit)] for digit in str(number))


def _again(port: int) -> socket.socket:
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind(("127.0.0.1", port))
    return one


class Names(asyncio.DatagramProtocol):
    """A name server for `*.test`: 127.0.0.1, or SERVFAIL or nothing while the site is away (RFC 1035)."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, peer) -> None:
        if self._site.away and self._site.kind == "no-dns":
            return
        end = data.index(b"\0", 12) + 5
        question, fails = data[12:end], self._site.away
        found = question[-4:-2] == b"\0\x01" and not fails
        head = data[:2] + struct.pack(">HHHHH", 0x8582 if fails else 0x8580, 1, found, 0, 0)
        record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 0, 4) + socket.inet_aton("127.0.0.1")
        self._transport.sendto(head + question + (record if found else b""), peer)


@dataclass(frozen=True)
class Case:
    """One outage. `at_s` after the start of the crawl."""

    kind: str
    seconds: float
    at_s: float


async def play(case: Case, folder: Path) -> str:
    """Run one case and return its row of the table."""
    site = Site(case.kind)
    await site.start()
    loop = asyncio.get_running_loop()
    names, _ = await loop.create_datagram_endpoint(lambda: Names(site), ("127.0.0.1", 0))
    hosts = [f"h{n}.test" for n in range(HOSTS)] if case.kind in OF_NAMES else ["127.0.0.1"]
    seeds = folder / "seeds.txt"
    each = PAGES // len(hosts)
    if len(hosts) > 1:
        lines = [f"http://{host}:{site.port}/article-{_name(n)}" for host in hosts for n in range(each)]
    else:
        lines = [f"http://127.0.0.1:{site.port}/article-{_name(0)}"]
    seeds.write_text("\n".join(lines))
    arguments = [
        str(seeds), "--job", str(folder / "job"), "--allow-private", "--delay", "0.05", "--quiet", "--parsers", "1",
        "--scope", "page" if len(hosts) > 1 else "host", "--concurrency", "8", "--timeout", "2", "--retries", "2",
    ]  # fmt: skip
    port = str(names.get_extra_info("sockname")[1])
    codes, began = [], time.monotonic()
    away = asyncio.create_task(_outage(case, site, folder))
    while not codes or (codes[-1] == 6 and len(codes) < 4):
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.outages", "--crawl", port, *arguments, stderr=asyncio.subprocess.DEVNULL
        )
        if case.kind == "stop" and not codes:
            stopping = asyncio.create_task(_stopped(case, child.pid, folder))
        codes.append(await child.wait())
    took_s = time.monotonic() - began
    await away
    names.close()
    await site.leave()
    records = Counter(json.loads(line)["url"] for line in (folder / "job" / "pages.jsonl").read_bytes().splitlines())
    summary = json.loads((folder / "job" / "summary.json").read_bytes())
    expected = len(lines) if len(hosts) > 1 else PAGES
    lost, twice = expected - len(records), sum(number - 1 for number in records.values())
    if case.kind == "stop":
        await stopping
    failed = any(kind.startswith("failed") for kind in summary["outcomes"])
    good = not lost and not twice and not failed and codes[-1] == 0
    return (
        f"| {case.kind} | {case.seconds:g} s | {case.at_s:.1f} s | {' '.join(map(str, codes))} | {lost} | {twice} "
        f"| {took_s:.0f} s | {site.asked_while_away} | {'' if good else summary['outcomes']} |"
    )


async def _begun(folder: Path) -> None:
    """Wait until the crawl is about to ask for something: to start takes seconds on a busy machine."""
    while not (folder / "job" / "state" / "CURRENT").exists():  # noqa: ASYNC110 - another process makes the file
        await asyncio.sleep(0.05)


async def _outage(case: Case, site: Site, folder: Path) -> None:
    if case.kind == "stop":
        return
    if not case.at_s:
        await site.leave()
    await _begun(folder)
    await asyncio.sleep(case.at_s)
    await site.leave()
    await asyncio.sleep(case.seconds)
    await site.come_back()


async def _stopped(case: Case, pid: int, folder: Path) -> None:
    await _begun(folder)
    await asyncio.sleep(case.at_s)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(case.seconds)
        os.kill(pid, signal.SIGCONT)


async def play_all(cases: list[Case], at_once: int) -> None:
    """Run all cases, some of them at once, and print their rows as they come."""
    print("| outage | for | after | exit codes | lost | twice | took | requests meanwhile | wrong |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    room = asyncio.Semaphore(at_once)

    async def one(case: Case) -> None:
        async with room:
            with tempfile.TemporaryDirectory(prefix="outages-") as folder:
                print(await play(case, Path(folder)), flush=True)

    await asyncio.gather(*map(one, cases))


def crawl(name_server_port: int, arguments: list[str]) -> int:
    """Run the command line with another name server: what a case does in its own process."""
    from aiohttp.resolver import AsyncResolver  # noqa: PLC0415 - for this alone

    from crawler.cli.entry import main  # noqa: PLC0415 - for this alone
    from crawler.fetcher.transport.aiohttp import resolver  # noqa: PLC0415 - for this alone

    resolver.DefaultResolver = lambda: AsyncResolver(
        nameservers=[f"127.0.0.1:{name_server_port}"], timeout=1.0, tries=1
    )
    return main(["crawl", *arguments])


def main() -> None:
    """Read the arguments and run."""
    if sys.argv[1:2] == ["--crawl"]:
        sys.exit(crawl(int(sys.argv[2]), sys.argv[3:]))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, nargs="*", default=[1, 2, 4, 10, 60])
    parser.add_argument("--kinds", nargs="*", default=KINDS)
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    cases = []
    for kind in options.kinds:
        for seconds in options.seconds if kind != "stop" else [3.0]:
            cases.append(Case(kind, seconds, 0.0))
            if kind not in AT_START:
                cases.append(Case(kind, seconds, rng.uniform(2.0, 9.0)))
    cases = [one for one in cases if one.kind != "stop" or one.at_s]
    asyncio.run(play_all(cases, options.at_once))


if __name__ == "__main__":
    main()
