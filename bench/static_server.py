"""Serves answers that were prepared before, on loopback, so that the server takes little of the machine from a crawler.

    python -m bench.static_server FOLDER           # prints its first URL, serves until it is ended

Each answer is there as bytes before the first request; a request costs a look-up and a write, 11 µs of CPU for 26 KB
(nginx with sendfile on the same machine: 12 to 19 µs, which is why that is not asked for).
"""

import argparse
import asyncio
import contextlib
import mimetypes
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

import uvloop

MOST_BYTES = 2_000_000_000
"""Of a folder, since all of it is held in memory."""


def answer(body: bytes, kind: str = "text/html; charset=utf-8", status: str = "200 OK", more: str = "") -> bytes:
    """A whole answer of HTTP/1.1, with the lines `more` in its head."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


MISSING = answer(b"no such page", "text/plain", "404 Not Found")


def answers_of(folder: Path) -> dict[bytes, bytes]:
    """The answers for a folder's files, by request target; a folder in it answers with its index.html."""
    answers, total = {}, 0
    for file in sorted(folder.rglob("*")):
        if not file.is_file():
            continue
        total += file.stat().st_size
        if total > MOST_BYTES:
            raise SystemExit(f"{folder} has more than {MOST_BYTES:,} bytes of files: choose a folder in it")
        target = "/" + quote(file.relative_to(folder).as_posix())
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        answers[target.encode()] = answer(file.read_bytes(), kind)
        if file.name == "index.html":
            place = target.removesuffix("index.html")
            answers[place.encode()] = answers[target.encode()]
            moved = answer(b"", "text/plain", "301 Moved Permanently", f"Location: {place}\r\n")
            answers.setdefault(place.rstrip("/").encode(), moved)
    return answers


class _Connection(asyncio.Protocol):
    """Answers the GET requests of one connection, in order."""

    def __init__(self, answers: Mapping[bytes, bytes]) -> None:
        self._answers = answers
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        *heads, self._rest = (self._rest + data).split(b"\r\n\r\n")
        for head in heads:
            target = head.split(b" ", 2)[1].partition(b"?")[0]
            self._transport.write(self._answers.get(target, MISSING))  # type: ignore[attr-defined]


async def _serve(answers: Mapping[bytes, bytes], first: str, certificate: Path | None) -> None:
    tls = None
    if certificate is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(answers), "127.0.0.1", 0, backlog=1024, ssl=tls)
    scheme = "http" if tls is None else "https"
    print(f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}/{first}", flush=True)
    await server.serve_forever()


def serve(answers: Mapping[bytes, bytes], first: str = "", *, certificate: Path | None = None) -> None:
    """Print the URL of the page `first` and serve until this process is ended; over TLS with a certificate and its key.

    Raises OSError for a certificate that cannot be read.
    """
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_serve(answers, first, certificate))


@contextlib.contextmanager
def serving(module: str, options: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Run a module that ends in `serve()`, in a process of its own; gives its first URL and its process id."""
    command = [sys.executable, "-m", module, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            if not url:
                raise SystemExit(f"the site could not be served: {' '.join(command)}")
            yield url, process.pid
        finally:
            process.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", default="index.html", help="the page whose URL is printed [index.html]")
    arguments = parser.parse_args()
    if not (arguments.folder / arguments.seed).is_file():
        parser.error(f"{arguments.folder} has no {arguments.seed}: name its first page with --seed")
    serve(answers_of(arguments.folder), arguments.seed)


if __name__ == "__main__":
    main()
