"""A server that misbehaves: every behaviour of the registry, each at an address of its own and by path everywhere.

In a process of its own, so that what it costs is not the crawler's:

    with HostileProcess() as hostile:
        hostile.seeds()              # one URL for each behaviour, each on its own loopback address
        hostile.url("gzip_bomb")     # http://127.66.4.1:PORT/
        hostile.log()                # what it was asked for since `forget`

`python -m tests.hostile.server [ADDRESS …]` does the same by hand: it prints one JSON line with its places, and then
answers each line `log` or `forget` on standard input with one JSON line; it ends with its standard input. Hosts called
`….NAME.localhost` are the behaviour NAME, as its address is. On an ADDRESS (and on every other that it listens on)
`/NAME/` is the behaviour NAME, whatever the address, and `/` links to all that need no address of their own;
`/?again=N` links to them and to `/?again=N+1`, which makes a loop without end.

Places, by the names that links of handlers use in braces:

- `here`: the origin asked (not in `places`; just write a path)
- `port`: the port of plain HTTP on all addresses; `other_port`: a second one, so another origin of the same host
- `good`, `expired`, `self`, `wrong`, `common_name`: https://localhost:PORT with that certificate
- `canary_port`: a port on 127.0.0.1, 127.0.0.2 and ::1 at which every connection is counted and nothing is said
"""

import asyncio
import contextlib
import json
import logging
import re
import socket
import ssl
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Self

from tests.hostile.ask import Ask, HangUp, html
from tests.hostile.registry import Behaviour, behaviours
from tests.support.ports import listeners

__all__ = ["HostileProcess", "HostileServer"]

ROOT = Path(__file__).parent.parent.parent
CERTIFICATES = ROOT / "tests" / "fetcher" / "transport" / "data"
CANARIES = ("127.0.0.1", "127.0.0.2", "::1")
TLS_HELLO = b"\x16"
_NAMED = re.compile(rb"\r\nhost: [^\r]+\.(\w+)\.localhost:", re.IGNORECASE)
_NAME = re.compile(rb"\w+\.\w+\.localhost")
_MOST_LOGGED = 20_000


class HostileServer:
    """All behaviours, on the running event loop.

    `addresses`: further loopback addresses to listen on. State: connections and what they asked for.
    """

    def __init__(self, addresses: tuple[str, ...] = ()) -> None:
        self.places: dict[str, str] = {}
        self.log: list[dict[str, Any]] = []
        self.connections: Counter[str] = Counter()
        self.under_way: Counter[str] = Counter()
        self.peak: Counter[str] = Counter()
        self._numbers: Counter[tuple[str, str]] = Counter()
        self._by_name = {one.name: one for one in behaviours()}
        self._by_address = {one.address: one for one in behaviours()}
        self._addresses = (*self._by_address, *addresses, "127.0.0.1")

    async def start(self) -> None:
        """Listen everywhere."""
        for name in ("port", "other_port"):
            self.places[name] = str(await _listen(self._serve, self._addresses))
        canaries = CANARIES if _has_ipv6() else CANARIES[:-1]
        self.places["canary_port"] = str(await _listen(self._canary, canaries))
        for name in ("good", "expired", "self", "wrong", "common_name"):
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(CERTIFICATES / f"{name}.pem")
            server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
            self.places[name] = f"https://localhost:{server.sockets[0].getsockname()[1]}"

    def forget(self) -> None:
        """Begin to count anew."""
        self.log.clear()
        for counter in (self.connections, self.peak, self._numbers):
            counter.clear()

    async def _canary(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections["canary"] += 1
        writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address, port = writer.get_extra_info("sockname")[:2]
        self.connections[address] += 1
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, HangUp):
                while head := await _head(reader):
                    self.under_way[address] += 1
                    self.peak[address] = max(self.peak[address], self.under_way[address])
                    try:
                        await self._answer(reader, writer, head, address, port)
                    finally:
                        self.under_way[address] -= 1
        finally:
            writer.close()

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes, address: str, port: int
    ) -> None:
        target = head.split(b" ", 2)[1].decode("latin-1")
        one, root = self._behaviour(target, address, head)
        name = one.name if one else ""
        path = target[len(root) :]
        self._numbers[name, path] += 1
        number = self._numbers[name, path]
        if len(self.log) < _MOST_LOGGED:
            where = {"address": address, "port": str(port), "at": time.time()}
            self.log.append({"name": name, "path": path, **where, "head": head.decode("latin-1")})
        ask = Ask(reader, writer, path=path, root=root, head=head, number=number, places=self.places)
        if target == "/robots.txt" and not (one and one.robots):
            await ask.answer("none", status=404)
        elif one:
            await one.handler(ask)
        else:
            await self._index(ask)

    def _behaviour(self, target: str, address: str, head: bytes) -> tuple[Behaviour | None, str]:
        """The behaviour for a path, and the root below which it is served."""
        named = _NAMED.search(head)
        if named and named[1].decode() in self._by_name:
            return self._by_name[named[1].decode()], ""
        first = target.split("/")[1].partition("?")[0]
        if first in self._by_name:
            return self._by_name[first], f"/{first}"
        return self._by_address.get(address), ""

    async def _index(self, ask: Ask) -> None:
        if ask.path.partition("?")[0] != "/":
            await ask.answer("none", status=404)
            return
        again = int(ask.path.partition("?again=")[2] or 0)
        links = [f"/{name}/?again={again}" for name in self._by_name]
        await ask.answer(html(*links, f"/?again={again + 1}"))


async def _listen(serve: Callable[..., Awaitable[None]], addresses: tuple[str, ...]) -> int:
    """Serve at all addresses; return the port."""
    sockets = listeners(addresses)
    for one in sockets:
        await asyncio.start_server(serve, sock=one, backlog=1024)
    return sockets[0].getsockname()[1]


def _has_ipv6() -> bool:
    with contextlib.suppress(OSError), socket.create_server((CANARIES[-1], 0), family=socket.AF_INET6):
        return True
    return False


async def _head(reader: asyncio.StreamReader) -> bytes:
    """A request up to its empty line. A hello of TLS where none is spoken asks for / of the name in it."""
    first = await reader.readexactly(1)
    if first == TLS_HELLO:
        name = _NAME.search(await reader.read(4096))
        return b"GET / TLS\r\nhost: %b:\r\n\r\n" % (name[0] if name else b"")
    return first + await reader.readuntil(b"\r\n\r\n")


class HostileProcess:
    """A `HostileServer` in a process of its own, from `__enter__` to `__exit__`. `places` as in this module's text."""

    def __init__(self, addresses: tuple[str, ...] = ()) -> None:
        self._addresses = addresses
        self.places: dict[str, str] = {}

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.hostile.server", *self._addresses]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process = subprocess.Popen(command, cwd=ROOT, text=True, **pipes)
        self.pid = self._process.pid
        self.places = self._read()
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.stdin.close()
        self._process.stdout.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def origin(self, one: Behaviour) -> str:
        """Where a behaviour is at home."""
        return f"http://{one.address}:{self.places['port']}"

    def seed(self, one: Behaviour) -> str:
        """Where a crawl of a behaviour starts."""
        if one.seed.startswith("/"):
            return self.origin(one) + one.seed
        return one.seed.format(**self.places)

    def url(self, name: str) -> str:
        """The seed of the behaviour with this name."""
        return self.seed(next(one for one in behaviours() if one.name == name))

    def seeds(self) -> list[str]:
        """One URL for each behaviour."""
        return [self.seed(one) for one in behaviours()]

    def log(self) -> dict[str, Any]:
        """What it was asked for: `asked` (name, path, address, port, at, head); `connections` and most requests at once
        (`peak`) by address."""
        return self._tell("log")

    def forget(self) -> None:
        """Begin to count anew."""
        self._tell("forget")

    def _tell(self, word: str) -> dict[str, Any]:
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        line = self._process.stdout.readline()
        assert line, "the hostile server has ended"
        return json.loads(line)


async def _main(addresses: tuple[str, ...]) -> None:
    server = HostileServer(addresses)
    await server.start()
    print(json.dumps(server.places), flush=True)
    loop = asyncio.get_running_loop()
    # What becomes of a handler whose client has gone is nobody's business.
    loop.set_exception_handler(lambda *_: None)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    commands = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while word := (await commands.readline()).decode().strip():
        if word == "forget":
            server.forget()
            print("{}", flush=True)
        else:
            told = {"asked": server.log, "connections": server.connections, "peak": server.peak}
            print(json.dumps(told), flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main(tuple(sys.argv[1:])))
