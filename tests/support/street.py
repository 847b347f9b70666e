"""A street: healthy hosts that answer well, and a bad neighbour of many hosts, each in a process of its own.

    with healthy_street(20) as good, bad_street("silent") as bad:
        good.url(3, "/")              # http://127.0.1.4:PORT/
        good.url(3, "/", by="name")   # http://h3.good.test:PORT/, which the name server at `good.names_port` knows
        bad.url(999, "/")             # http://127.2.3.231:PORT/

What a bad host does is one of `ATTACKS`. Hosts are addresses of 127.0.0.0/8, each by itself; a name leads to the
address of its host. With the attack `one-network` they are addresses of one IPv6 /64, for which a machine needs a
local route (`bench/neighbours.py` makes one in a network namespace of its own).

`python -m tests.support.street healthy 20 small` and `python -m tests.support.street silent` serve by hand: they print
their port (and the name server's), and end with standard input.
"""

import asyncio
import contextlib
import gzip
import random
import socket
import struct
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

__all__ = [
    "ATTACKS",
    "HEALTHY_PREFIX",
    "LARGE",
    "SMALL",
    "Attack",
    "Street",
    "bad_street",
    "healthy_street",
    "path_of",
    "paths",
]

ROOT = Path(__file__).parent.parent.parent
NETWORK = "2001:db8:66:1"
HEALTHY_PREFIX = "127.0.1."
SMALL, LARGE = 12_000, 200_000
"""Bytes of a healthy page, about."""
_CHUNK = 1 << 16


# Hosts


def _good_address(number: int) -> str:
    return f"{HEALTHY_PREFIX}{number + 1}"


def _bad_address(number: int) -> str:
    return f"127.2.{number >> 8}.{number & 255}"


class Street(NamedTuple):
    """Hosts that are served: where, in which domain, and at which port of 127.0.0.1 a name server knows them."""

    address: Callable[[int], str]
    domain: str
    port: int
    names_port: int = 0
    scheme: str = "http"

    def url(self, number: int, path: str, by: str = "address") -> str:
        """The URL of a path at host `number`, by its address or its name."""
        host = self.address(number) if by == "address" else f"h{number}.{self.domain}"
        return f"{self.scheme}://{host}:{self.port}{path}"


class _Names(asyncio.DatagramProtocol):
    """A name server: `h3.good.test` and `h3.bad.test` are their hosts' addresses; it says nothing of `h3.mute.test`."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.DatagramTransport = transport  # type: ignore[assignment]

    def datagram_received(self, data: bytes, peer: tuple[str, int]) -> None:
        end = data.index(b"\0", 12) + 5
        question = data[12:end]
        size = question[0]
        host, kind = question[1 : size + 1], question[size + 2 : size + 6]
        if kind == b"mute":
            return
        found = question[-4:-2] == b"\0\x01"
        head = data[:2] + struct.pack(">HHHHH", 0x8580, 1, found, 0, 0)
        address = (_good_address if kind == b"good" else _bad_address)(int(host[1:]))
        record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + socket.inet_aton(address)
        self._transport.sendto(head + question + (record if found else b""), peer)


# Healthy pages

_LETTERS = "bcdfghklmnprstvw"
_WORDS = tuple(f"{a}{v}{b}{w}" for a in _LETTERS for b in _LETTERS for v, w in ("ae", "io", "ua", "ei"))
_PLACES = {word: place for place, word in enumerate(_WORDS[:200])}
_EARLY, _FURTHER = 30, 10


def path_of(number: int) -> str:
    """The path of a page: words, since numbers would look like a trap."""
    words = []
    while number:
        number, place = divmod(number, len(_PLACES))
        words.append(_WORDS[place])
    return "/" + "-".join(words)


def _number_of(path: str) -> int:
    number = 0
    for word in reversed(path[1:].split("-") if path != "/" else ()):
        number = number * len(_PLACES) + _PLACES[word]
    return number


@cache
def _filler(kind: int, size: int) -> str:
    rng = random.Random(kind)
    words: list[str] = []
    while size > 0:
        words.append(rng.choice(_WORDS))
        size -= 5
    return " ".join(words)


def page(host: int, number: int, size: int) -> bytes:
    """A page with text of its own that leads to ten further ones, and back to early ones."""
    rng = random.Random(host << 32 | number)
    subject = rng.choices(_WORDS, k=60)
    text = " ".join(rng.choices(subject, k=900) + rng.choices(_WORDS, k=900))
    links = [*range(_EARLY), *range(number * _FURTHER + 1, number * _FURTHER + 1 + _FURTHER)]
    anchors = "".join(f'<li><a href="{path_of(link)}">Page {link}</a></li>' for link in links)
    more = f"<p>{_filler(number % 50, size - 6_000)}" if size > SMALL else ""
    return f"<!doctype html><title>{subject[0]} {number}</title><ul>{anchors}</ul><p>{text}{more}".encode()


# Bad hosts


class Ask(NamedTuple):
    """One request: its path, and how to answer."""

    path: str
    writer: asyncio.StreamWriter

    async def answer(self, body: bytes, *, kind: str = "text/html", more: str = "", length: int | None = None) -> None:
        """Send an answer; `length`: what it says that its body has, if that is more than it brings."""
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{more}Content-Length: {length or len(body)}\r\n\r\n"
        self.writer.write(head.encode())
        for start in range(0, len(body), _CHUNK):
            self.writer.write(body[start : start + _CHUNK])
            await self.writer.drain()

    async def page(self, text: str = "") -> None:
        """Send a page that leads to ten more: a host of them never ends."""
        number = _number_of(self.path)
        links = "".join(f'<a href="{path_of(number * 10 + n)}">{n}</a> ' for n in range(1, 11))
        await self.answer(
            f"<!doctype html><title>{number}</title>{links}<p>{_filler(number % 50, 3_000)}{text}".encode()
        )

    async def robots(self, rules: str = "User-agent: *\nDisallow: /no/\n") -> bool:
        """Answer if robots.txt was asked for, and say whether it was."""
        if self.path == "/robots.txt":
            await self.answer(rules.encode(), kind="text/plain")
        return self.path == "/robots.txt"


Handler = Callable[[Ask], Awaitable[None]]
FOR_EVER_S = 86_400.0


async def _says_nothing(ask: Ask) -> None:
    await asyncio.sleep(FOR_EVER_S)


async def _silent_robots(ask: Ask) -> None:
    if ask.path == "/robots.txt":
        await asyncio.sleep(FOR_EVER_S)
    await ask.page()


async def _silent_pages(ask: Ask) -> None:
    if not await ask.robots():
        await asyncio.sleep(FOR_EVER_S)


async def _drips(ask: Ask) -> None:
    if await ask.robots():
        return
    await ask.answer(b"<p>", length=10_000)
    while True:
        await asyncio.sleep(1.0)
        ask.writer.write(b"x")
        await ask.writer.drain()


async def _pages(ask: Ask) -> None:
    if not await ask.robots():
        await ask.page()


@cache
def _heavy_text() -> str:
    """What takes a parser long and a server nothing: a megabyte of small elements in each other, links among them."""
    return "".join(f"<table><tr><td><div class=c{n}><b><i>{_WORDS[n % 1000]}</i></b>" for n in range(400)) * 40


async def _heavy_pages(ask: Ask) -> None:
    if not await ask.robots():
        await ask.page(_heavy_text())


@cache
def _bomb(number: int) -> bytes:
    return gzip.compress(b"<!doctype html><title>bomb %d</title>" % number + b"<p>tick</p>\n" * 175_000)


async def _gzip(ask: Ask) -> None:
    if await ask.robots():
        return
    number = _number_of(ask.path)
    await ask.answer(_bomb(number % 50), more="Content-Encoding: gzip\r\n")


_ZEROS = memoryview(b"<p>zero</p>\n" * 4_400_000)


async def _stalls(ask: Ask) -> None:
    if await ask.robots():
        return
    await ask.answer(_ZEROS[:9_900_000], length=9_990_000)  # type: ignore[arg-type] - a view, so that nothing is copied
    await asyncio.sleep(FOR_EVER_S)


async def _stalled_sitemaps(ask: Ask) -> None:
    host = "\n".join(f"Sitemap: {{here}}/map{n}.xml" for n in range(2))
    if ask.path == "/robots.txt":
        address, port = ask.writer.get_extra_info("sockname")[:2]
        await ask.robots(host.format(here=f"http://{address}:{port}"))
    elif ask.path.startswith("/map"):
        await ask.answer(_ZEROS[:52_000_000], kind="application/xml", length=52_400_000)  # type: ignore[arg-type]
        await asyncio.sleep(FOR_EVER_S)
    else:
        await ask.answer(b"<!doctype html><title>home</title>")


@cache
def _rules(size: int) -> str:
    lines = (f"Disallow: /{_WORDS[n % 1024]}/{n}/*/{_WORDS[n % 7]}$\n" for n in range(size))
    text = "User-agent: *\n"
    while len(text) < size:
        text += next(lines)
    return text


async def _robots_500k(ask: Ask) -> None:
    if not await ask.robots(_rules(500 << 10)):
        await ask.page()


async def _robots_20k(ask: Ask) -> None:
    if not await ask.robots(_rules(20_000)):
        await ask.answer(b"<!doctype html><title>home</title><p>One page.")


async def _slow_answers(ask: Ask) -> None:
    if not await ask.robots():
        await asyncio.sleep(5.0)
        await ask.page()


class Attack(NamedTuple):
    """What bad hosts do, in words; how they answer; how many URLs each has at the start, of all that may be.

    `by`: as what hosts are asked for, if there is no choice. `spider`: what the crawl's spider does to their pages, one
    of the words of `bench/street_crawl.py`. `large`: large healthy pages feel it, since the first 64 KiB of a body are
    free. `options`: what the crawl needs besides.
    """

    does: str
    handler: Handler
    urls: int = 200
    by: str = ""
    spider: str = ""
    large: bool = False
    options: tuple[str, ...] = ()
    scheme: str = "http"
    domain: str = "bad.test"

    def urls_of(self, hosts: int) -> int:
        """URLs of each host at the start: more, where hosts are few."""
        return min(self.urls, max(4, self.urls // max(1, hosts)))


ATTACKS: dict[str, Attack] = {
    "silent": Attack("accept and say nothing", _says_nothing),
    "no-accept": Attack("never accept", _says_nothing),
    "no-dns": Attack("have names of which the name server says nothing", _says_nothing, by="name", domain="mute.test"),
    "no-tls": Attack("say nothing in a handshake of TLS", _says_nothing, scheme="https"),
    "silent-robots": Attack("answer all but robots.txt", _silent_robots),
    "silent-pages": Attack("answer nothing but robots.txt", _silent_pages),
    "drip": Attack("send a byte a second", _drips),
    "slow-parse": Attack("have pages at which a spider takes a second", _pages, urls=1, spider="sleep"),
    "heavy-pages": Attack("have pages that take the parser long", _heavy_pages, urls=1),
    "kill-parser": Attack("have pages that kill their parser", _pages, urls=1, spider="kill"),
    "gzip": Attack("send 2.1 MB in 6 KB of gzip", _gzip),
    "stall": Attack("send 9.9 MB, then nothing", _stalls, urls=40, large=True),
    "stalled-maps": Attack(
        "stall in sitemaps of 52 MB", _stalled_sitemaps, urls=1, large=True, options=("--sitemaps",)
    ),
    "robots-500k": Attack("have a robots.txt of 500 KiB", _robots_500k, urls=1),
    "robots-20k": Attack("have a robots.txt of 20 KB, and one page", _robots_20k, urls=1),
    "one-network": Attack("are many, on one IPv6 /64, and slow", _slow_answers, urls=4, by="address"),
}


def paths(attack: Attack, hosts: int) -> list[str]:
    """The paths at which a crawl of each bad host starts."""
    return [path_of(number) for number in range(attack.urls_of(hosts))]


# Servers


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handler: Handler) -> None:
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        while head := await reader.readuntil(b"\r\n\r\n"):
            await handler(Ask(head.split(b" ", 2)[1].decode("latin-1"), writer))
    writer.close()


async def _ends_with_stdin() -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda *_: None)  # what becomes of a client that has gone is nobody's business
    commands = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    await commands.read()


async def _serve_healthy(hosts: int, size: int) -> None:
    async def handler(ask: Ask) -> None:
        if not await ask.robots():
            host = int(ask.writer.get_extra_info("sockname")[0].rpartition(".")[2])
            await ask.answer(page(host, _number_of(ask.path), size))

    port = 0
    for number in range(hosts):
        server = await asyncio.start_server(
            lambda reader, writer: _serve(reader, writer, handler), _good_address(number), port, backlog=1024
        )
        port = server.sockets[0].getsockname()[1]
    loop = asyncio.get_running_loop()
    names, _ = await loop.create_datagram_endpoint(_Names, ("127.0.0.1", 0))
    print(port, names.get_extra_info("sockname")[1], flush=True)
    await _ends_with_stdin()


async def _serve_bad(name: str) -> None:
    attack = ATTACKS[name]
    everywhere = "::" if name == "one-network" else "0.0.0.0"
    family = socket.AF_INET6 if name == "one-network" else socket.AF_INET
    with contextlib.ExitStack() as stack:
        if name == "no-accept":
            listener = stack.enter_context(socket.create_server((everywhere, 0), backlog=0))
            port = listener.getsockname()[1]
            for _ in range(4):  # fill the queue: from then on the kernel drops who wants to connect
                one = stack.enter_context(socket.socket())
                one.setblocking(False)
                one.connect_ex(("127.0.0.1", port))
        else:
            # No other way to listen on all of 127.0.0.0/8; `_refuse_others` sends away who is not of this machine.
            server = await asyncio.start_server(_refuse_others(attack), everywhere, 0, family=family, backlog=4096)
            port = server.sockets[0].getsockname()[1]
        print(port, flush=True)
        await _ends_with_stdin()


def _refuse_others(attack: Attack) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not writer.get_extra_info("peername")[0].startswith(("127.", NETWORK, "::1")):
            writer.transport.abort()
        elif attack.handler is _says_nothing:
            await asyncio.sleep(FOR_EVER_S)
        else:
            await _serve(reader, writer, attack.handler)

    return serve


@contextlib.contextmanager
def _served(*arguments: str) -> Iterator[list[int]]:
    """The numbers that a server prints, while it runs in a process of its own."""
    command = [sys.executable, "-m", "tests.support.street", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        try:
            line = process.stdout.readline()
            assert line, f"the server of {arguments} did not start"
            yield [int(number) for number in line.split()]
        finally:
            process.stdin.close()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


@contextlib.contextmanager
def healthy_street(hosts: int, size: int = SMALL) -> Iterator[Street]:
    """Healthy hosts with pages of about `size` bytes, while they are served."""
    with _served("healthy", str(hosts), str(size)) as (port, names_port):
        yield Street(_good_address, "good.test", port, names_port)


@contextlib.contextmanager
def bad_street(name: str) -> Iterator[Street]:
    """Any number of bad hosts that do what the attack of this name says, while they are served."""
    attack = ATTACKS[name]
    with _served(name) as (port,):
        address = (lambda number: f"[{NETWORK}::{number:x}]") if name == "one-network" else _bad_address
        yield Street(address, attack.domain, port, scheme=attack.scheme)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        if sys.argv[1] == "healthy":
            asyncio.run(_serve_healthy(int(sys.argv[2]), int(sys.argv[3])))
        else:
            asyncio.run(_serve_bad(sys.argv[1]))
