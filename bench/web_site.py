"""Hosts as the web has them, on loopback: large pages of real HTML, gzip and brotli, slow answers, plain and over TLS.

    with web(hosts=2_000, pages=3) as served:
        served.seeds(tls=True)     # https://127.1.0.0:PORT/, https://127.1.0.1:PORT/, …

Each host is an address of 127.0.0.0/8 with a robots.txt and a few pages. HTML comes from Debian's documentation
packages (`bench.documentation.PACKAGES`): a page is made of pieces of several documents, its links are replaced. Drawn
are

- the size of a page, between 30 and 600 KB, half of them under 138 KB, the mean 242 KB (Chan 2025, a billion pages);
- the number of its links, log-normal, half of them under 100: a half to pages of its host, a quarter to pages of other
  hosts of the job, a quarter to hosts that are none of it;
- the coding: a half is sent as brotli, if the client takes it, the others as gzip;
- when the answer begins: log-normal for each host, between 50 ms and 2 s, half of them under 200 ms.

All is made from the numbers of host and page, so the same web comes out each time.
"""

import argparse
import asyncio
import contextlib
import gzip
import json
import math
import multiprocessing
import random
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import ClassVar, NamedTuple

import brotli
import uvloop

from bench.documentation import PACKAGES, html_files
from bench.hosts import HostConnection, address, host_of
from bench.static_server import MISSING, answer
from bench.web_certificates import AUTHORITY, contexts, make

__all__ = ["PAGES", "Web", "page", "size_of", "sources", "web"]

HOSTS, PAGES = 2_000, 3
HANDSHAKES = "/handshakes"
_QUANTILES = ((0.0, 30_000), (0.25, 75_000), (0.5, 138_000), (0.75, 395_000), (0.9, 600_000), (1.0, 600_000))
"""Sizes below which so many of the pages are; between them it goes straight."""
_LINKS, _LINKS_SIGMA, _MOST_LINKS = 100, 1.0, 2_000
_LATENCY_S, _LATENCY_SIGMA, _LATENCIES_S = 0.2, 0.8, (0.05, 2.0)
_JITTER = 0.1
_LEAST_SOURCE, _MOST_SOURCE, _SOURCES = 8_000, 400_000, 400
_PIECE = 24_000
_GZIP_LEVEL, _BROTLI_QUALITY = 6, 5
_HREF = re.compile(rb"""\shref\s*=\s*(?:"[^"]*"|'[^']*'|[^\s>"']+)""", re.IGNORECASE)
_BODY = re.compile(rb"<body[^>]*>(.*)</body", re.DOTALL | re.IGNORECASE)
_SCRIPT = re.compile(rb"<script.*?</script\s*>|<style.*?</style\s*>|<base[^>]*>", re.DOTALL | re.IGNORECASE)
_WORDS = ("harbour", "meadow", "copper", "lantern", "orchard", "granite", "willow", "ember", "saddle", "thicket")


# Pages


def size_of(chance: random.Random) -> int:
    """Draw the size of a page in bytes."""
    at = chance.random()
    for (low, least), (high, most) in pairwise(_QUANTILES):
        if at <= high:
            return round(least + (most - least) * (at - low) / (high - low))
    return _QUANTILES[-1][1]


def links_of(chance: random.Random) -> int:
    """Draw the number of a page's links."""
    return min(_MOST_LINKS, round(_LINKS * math.exp(_LINKS_SIGMA * chance.gauss())))


def latency_of(host: int) -> float:
    """Return the seconds after which a host's answers begin."""
    drawn = _LATENCY_S * math.exp(_LATENCY_SIGMA * random.Random(f"latency {host}").gauss())
    return min(max(drawn, _LATENCIES_S[0]), _LATENCIES_S[1])


@cache
def sources() -> tuple[bytes, ...]:
    """Read what stands in the bodies of real documents, evenly chosen from each package, without scripts and styles.

    Scripts and styles of documentation are files of their own nearly always. Raises SystemExit if no package is there.
    """
    found: list[bytes] = []
    for places in PACKAGES.values():
        roots = sorted(Path("/").glob(places[1:]))
        files = [file for root in roots[-1:] for file in html_files(root)]
        for file in files[:: max(1, len(files) * len(PACKAGES) // _SOURCES)]:
            size = file.stat().st_size
            body = _BODY.search(file.read_bytes()) if _LEAST_SOURCE <= size <= _MOST_SOURCE else None
            found += [_SCRIPT.sub(b"", body[1])] if body else []
    if not found:
        raise SystemExit("pages are made from documentation: apt-get install postgresql-doc python3-doc")
    return tuple(found)


def _pieces(chance: random.Random, size: int) -> Iterator[bytes]:
    """Give pieces of documents, cut between tags, until they have so many bytes."""
    while size > 0:
        body = chance.choice(sources())
        start = body.find(b"<", chance.randrange(max(1, len(body) - _PIECE)))
        end = body.rfind(b">", start, start + min(size + 500, _PIECE)) + 1
        if start >= 0 and end > start:
            size -= end - start
            yield body[start:end]


def path_of(host: int, number: int) -> str:
    """Return the path of a page: words, and no two hosts with the same ones."""
    if not number:
        return "/"
    chance = random.Random(f"path {host} {number}")
    return "/" + "-".join(chance.choices(_WORDS, k=4)) + f"/{chance.choice(_WORDS)}.html"


def _link(chance: random.Random, host: int, hosts: int, pages: int) -> str:
    kind = chance.random()
    if kind < 0.5:
        return path_of(host, chance.randrange(pages)) + chance.choice(("", "", "#top", "#notes"))
    if kind < 0.75:
        other = chance.randrange(hosts)
        return f"{{origin:{other}}}{path_of(other, chance.randrange(pages))}"
    return f"https://www.{chance.choice(_WORDS)}-{chance.randrange(100_000)}.example/{chance.choice(_WORDS)}"


def page(host: int, number: int, hosts: int, pages: int, origin: str, size: int = 0) -> bytes:
    """Return the HTML of a page; `origin`: that of a host, with `{}` for the address; `size` in bytes, or 0: drawn."""
    chance = random.Random(f"page {host} {number}")
    drawn, count = size_of(chance), links_of(chance)
    size = size or drawn
    # The first links lead to all pages of the host, so that each is found.
    hrefs = [path_of(host, other) for other in range(pages)]
    hrefs += [_link(chance, host, hosts, pages) for _ in range(max(0, count - pages))]
    hrefs = [re.sub(r"\{origin:(\d+)\}", lambda found: origin.format(address(int(found[1]))), one) for one in hrefs]
    chance.shuffle(hrefs)
    left = iter(hrefs)

    def linked(found: re.Match[bytes]) -> bytes:
        href = next(left, None)
        return b" data-was" + found[0][5:] if href is None else b' href="%b"' % href.encode()

    body = b"\n".join(_HREF.sub(linked, piece) for piece in _pieces(chance, size - 60 * count // 2))
    rest = "".join(f'<li><a href="{href}">{href[-30:]}</a></li>\n' for href in left)
    title = f"{chance.choice(_WORDS)} {chance.choice(_WORDS)} {host}.{number}"
    head = f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head><body>'
    return head.encode() + body + f"<nav><ul>{rest}</ul></nav></body></html>".encode()


# Answers

_COMPRESSORS = {
    "gzip": lambda body: gzip.compress(body, _GZIP_LEVEL, mtime=0),
    "br": lambda body: brotli.compress(body, quality=_BROTLI_QUALITY),
}


class Made(NamedTuple):
    """The answers of a host by path: with brotli, where it is used, and with gzip. `sizes`: bytes of the HTML."""

    brotli: dict[bytes, bytes]
    gzip: dict[bytes, bytes]
    sizes: list[int]


def _made(job: tuple[int, int, int, str, int]) -> Made:
    """Make the answers of one host."""
    host, hosts, pages, origin, size = job
    rules = "User-agent: *\nDisallow: /private/\nDisallow: /*?sort=\n\nUser-agent: greedybot\nDisallow: /\n"
    robots = answer(rules.encode(), "text/plain")
    made = Made({b"/robots.txt": robots}, {b"/robots.txt": robots}, [])
    for number in range(pages):
        path = path_of(host, number).encode()
        html = page(host, number, hosts, pages, origin, size)
        made.sizes.append(len(html))
        for coding, answers in (("br", made.brotli), ("gzip", made.gzip)):
            if coding == "gzip" or (host + number) % 2:
                more = f"Content-Encoding: {coding}\r\nVary: Accept-Encoding\r\n"
                answers[path] = answer(_COMPRESSORS[coding](html), more=more)
    return made


# Server


class _Connection(HostConnection):
    """Answers the GET requests of one connection, in order, each after the time that its host takes."""

    made: Sequence[Made] = ()
    latencies: Sequence[float] = ()
    handshakes: ClassVar[Counter[str]] = Counter()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if tls := transport.get_extra_info("ssl_object"):
            self.handshakes["resumed" if tls.session_reused else "new"] += 1

    def data_received(self, data: bytes) -> None:
        *heads, self._rest = (self._rest + data).split(b"\r\n\r\n")
        for head in heads:
            path = head.split(b" ", 2)[1]
            if path == HANDSHAKES.encode():
                self._transport.write(answer(json.dumps(self.handshakes).encode(), "application/json"))
                self.handshakes.clear()
                continue
            made = self.made[self._host] if self._host < len(self.made) else Made({}, {}, [])
            takes = head.lower().partition(b"\naccept-encoding:")[2].partition(b"\r")[0]
            found = (made.brotli.get(path) if b"br" in takes else None) or made.gzip.get(path, MISSING)
            late_s = self.latencies[self._host] * (1 + _JITTER * random.random())
            asyncio.get_running_loop().call_later(late_s, self._transport.write, found)


def _listener() -> socket.socket:
    # No other way to listen on all of 127.0.0.0/8; others than this machine are sent away.
    listener = socket.create_server(("0.0.0.0", 0), backlog=4096)
    listener.setblocking(False)
    return listener


async def _serve(hosts: int, pages: int, certificates: Path, size: int) -> None:
    loop = asyncio.get_running_loop()
    plain, secret = _listener(), _listener()
    ports = [one.getsockname()[1] for one in (plain, secret)]
    sources()
    with multiprocessing.get_context("fork").Pool() as pool:
        jobs = [(host, hosts, pages, f"http://{{}}:{ports[0]}", size) for host in range(hosts)]
        _Connection.made = await loop.run_in_executor(None, pool.map, _made, jobs, 8)
    _Connection.latencies = [latency_of(host) for host in range(hosts)]
    sizes = [size for made in _Connection.made for size in made.sizes]
    print(*ports, sum(sizes) // len(sizes), flush=True)
    await loop.create_server(_Connection, sock=plain)
    contexts_of, running = contexts(certificates, hosts), set[asyncio.Task[None]]()
    while True:  # the certificate goes by the address that was asked, so the handshake comes after it is known
        sock, _ = await loop.sock_accept(secret)
        running.add(task := loop.create_task(_shake_hands(sock, contexts_of)))
        task.add_done_callback(running.discard)


async def _shake_hands(sock: socket.socket, contexts_of: Sequence[ssl.SSLContext]) -> None:
    with contextlib.suppress(OSError, IndexError):
        context = contexts_of[host_of(sock.getsockname()[0])]
        await asyncio.get_running_loop().connect_accepted_socket(_Connection, sock, ssl=context)


class Web(NamedTuple):
    """A web that is served, plain and over TLS: how many hosts and pages it has, and the mean size of a page in bytes.

    `authority`: the file with the certificate that a client has to trust. `pid`: the server's process.
    """

    hosts: int
    pages: int
    page_bytes: int
    plain_port: int
    secret_port: int
    authority: Path
    pid: int

    def seeds(self, *, tls: bool) -> list[str]:
        """Return the home page of each host."""
        scheme, port = ("https", self.secret_port) if tls else ("http", self.plain_port)
        return [f"{scheme}://{address(host)}:{port}/" for host in range(self.hosts)]

    def urls(self, *, tls: bool) -> list[str]:
        """Return all pages."""
        paths = [(host, path_of(host, page)) for host in range(self.hosts) for page in range(self.pages // self.hosts)]
        seeds = self.seeds(tls=tls)
        return [seeds[host] + path[1:] for host, path in paths]

    def handshakes(self) -> dict[str, int]:
        """Return how many handshakes there were since it was asked last: `new` ones, and `resumed` ones."""
        with urllib.request.urlopen(f"http://{address(0)}:{self.plain_port}{HANDSHAKES}") as told:
            return {"new": 0, "resumed": 0, **json.load(told)}


@contextlib.contextmanager
def web(hosts: int = HOSTS, pages: int = PAGES, size: int = 0) -> Iterator[Web]:
    """Serve a web in a process of its own. `size`: bytes of each page; 0: as the web has them."""
    with tempfile.TemporaryDirectory(prefix="web-") as name:
        folder = Path(name)
        make(folder, [address(host) for host in range(hosts)])
        command = [sys.executable, "-m", "bench.web_site", "--hosts", str(hosts), "--pages", str(pages)]
        command += ["--size", str(size), "--certificates", name]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                line = process.stdout.readline()
                if not line:
                    raise SystemExit("the web could not be served")
                plain_port, secret_port, size = map(int, line.split())
                yield Web(hosts, hosts * pages, size, plain_port, secret_port, folder / AUTHORITY, process.pid)
            finally:
                process.terminate()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=HOSTS)
    parser.add_argument("--pages", type=int, default=PAGES, help=f"of each host [{PAGES}]")
    parser.add_argument("--size", type=int, default=0, help="bytes of each page [as the web has them]")
    parser.add_argument("--certificates", type=Path, required=True, help="a folder that bench.web_certificates filled")
    arguments = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_serve(arguments.hosts, arguments.pages, arguments.certificates, arguments.size))


if __name__ == "__main__":
    main()
