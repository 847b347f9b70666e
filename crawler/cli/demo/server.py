"""The demo site over HTTP: an aiohttp server on loopback.

    python -m crawler.cli.demo.server --port 8000

serves it for a browser or another crawler until Ctrl-C; the site's addresses are `http://site01.localhost:8000/`
to `site20`. With `--child` it is the server process of `DemoServer`: it writes its port as one line on standard
output and ends when its standard input does, which also happens when the parent is killed.
"""

import argparse
import asyncio
import contextlib
import signal
import socket
import sys
import threading
from typing import TYPE_CHECKING

from crawler.cli.demo.answer import DemoAnswer
from crawler.cli.demo.site import Site, demo_seeds

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["PORT_TAKEN", "listen", "main", "serve"]

PORT_TAKEN = 3
"""Exit code when the port that was asked for is not free."""

_PIECES = 25
_MISDIRECTED = DemoAnswer(
    status=421,
    headers=(("Content-Type", "text/plain; charset=utf-8"),),
    body=b"Here live site01.localhost to site20.localhost: put one of them in front of the port.\n",
)
_NOT_ALLOWED = DemoAnswer(status=405, headers=(("Allow", "GET, HEAD"),))


def listen(port: int) -> socket.socket:
    """Bind a socket to 127.0.0.1 and `port` (0: any free one). Raises OSError if it is taken."""
    return socket.create_server(("127.0.0.1", port), backlog=1024)


async def serve(listener: socket.socket, until: asyncio.Event, latency_s: float = 0.0) -> None:
    """Serve the site on `listener` (its port is the site's port) until `until` is set; then close it.

    Each answer comes `latency_s` later than it could, as over a network.

    What a server remembers, such as a page that is busy the first time, lives as long as this call.
    """
    from aiohttp import web  # noqa: PLC0415 - 200 ms that only a server should pay

    site = Site(listener.getsockname()[1])
    asked: dict[tuple[str, str], int] = {}

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        host = request.host.partition(":")[0].lower()
        answer = site.answer(host, request.raw_path) or _MISDIRECTED
        if request.method not in ("GET", "HEAD"):
            answer = _NOT_ALLOWED
        if answer.first:
            key = (host, request.raw_path)
            count = asked[key] = asked.get(key, -1) + 1
            if count < len(answer.first):
                answer = answer.first[count]
        if wait_s := answer.wait_s + latency_s:
            await asyncio.sleep(wait_s)
        if answer.drip_s or answer.cut:
            return await _in_pieces(request, answer)
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)

    runner = web.ServerRunner(web.Server(handle, access_log=None), shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.SockSite(runner, listener, backlog=1024).start()
        await until.wait()
    finally:
        await runner.cleanup()
        listener.close()


async def _in_pieces(request: "web.BaseRequest", answer: DemoAnswer) -> "web.StreamResponse":
    from aiohttp import web  # noqa: PLC0415 - as in serve()

    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.content_length = len(answer.body)
    await response.prepare(request)
    if request.method == "HEAD":
        return response
    step = -(-len(answer.body) // _PIECES)
    with contextlib.suppress(ConnectionError):  # a crawler that is stopped hangs up in the middle
        for start in range(0, len(answer.body), step):
            if answer.cut and start >= len(answer.body) // 2:
                break
            await response.write(answer.body[start : start + step])
            await asyncio.sleep(answer.drip_s / _PIECES)
    if answer.cut and request.transport is not None:
        request.transport.close()
    return response


def main(arguments: list[str] | None = None) -> int:
    """Run the server as a program and give its exit code: 0, or `PORT_TAKEN`."""
    parser = argparse.ArgumentParser(
        prog="python -m crawler.cli.demo.server", description="Serve the demo site on loopback."
    )
    parser.add_argument("--port", type=int, default=8000, help="port on 127.0.0.1; 0 picks a free one (default 8000)")
    parser.add_argument(
        "--latency", type=float, default=0.0, help="seconds that each answer comes later, as over a network (default 0)"
    )
    parser.add_argument("--child", action="store_true", help="end when standard input ends")
    options = parser.parse_args(arguments)
    try:
        listener = listen(options.port)
    except OSError as error:
        sys.stderr.write(f"cannot serve on 127.0.0.1:{options.port}: {error.strerror}; choose another --port\n")
        return PORT_TAKEN
    asyncio.run(_serve_process(listener, child=options.child, latency_s=options.latency))
    return 0


async def _serve_process(listener: socket.socket, *, child: bool, latency_s: float) -> None:
    loop = asyncio.get_running_loop()
    until = asyncio.Event()
    port = listener.getsockname()[1]
    if child:
        # Ctrl-C reaches the whole process group, but the crawl still wants answers while it drains.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        threading.Thread(target=_wait_for_parent, args=(loop, until), daemon=True).start()
        line = f"{port}\n"
    else:
        loop.add_signal_handler(signal.SIGINT, until.set)
        loop.add_signal_handler(signal.SIGTERM, until.set)
        line = f"Serving {demo_seeds(port)[0]} to {demo_seeds(port)[-1]}; Ctrl-C ends it.\n"
    sys.stdout.write(line)
    sys.stdout.flush()
    await serve(listener, until, latency_s)


def _wait_for_parent(loop: asyncio.AbstractEventLoop, until: asyncio.Event) -> None:
    # The parent never writes: reading returns when it closes its end, or when it dies in whatever way.
    sys.stdin.buffer.read()
    loop.call_soon_threadsafe(until.set)


if __name__ == "__main__":
    sys.exit(main())
