"""Ports of loopback that are surely free, or surely closed, for as long as a test wants it so."""

import contextlib
import random
import socket
from collections.abc import Iterator

__all__ = ["closed_port", "listeners", "quiet_ports"]

_ATTEMPTS = 50
_QUIET = range(10_000, 32_000)
"""Below those that Linux gives to connections and to whoever asks for any: only another test may want one of these."""


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    """A port of 127.0.0.1 at which nobody listens and nobody can begin to: it is bound all the while."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def _listener(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # asyncio sends at once what is written only to sockets that name their protocol.
    one = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind((address, port))
        one.listen(1024)
    except OSError:
        one.close()
        raise
    return one


def listeners(addresses: tuple[str, ...]) -> list[socket.socket]:
    """A listening socket for each address, all at one port that was free at each of them."""
    for _ in range(_ATTEMPTS):
        with contextlib.ExitStack() as stack:
            port, sockets = 0, []
            try:
                for address in addresses:
                    one = stack.enter_context(_listener(address, port))
                    sockets.append(one)
                    port = one.getsockname()[1]
            except OSError:
                continue  # another program has it at one of them
            stack.pop_all()
            return sockets
    raise OSError(f"no port is free at all of {addresses}")


def quiet_ports(number: int) -> list[int]:
    """So many ports of 127.0.0.1 that are free, for a program that must be told its port and cannot take a socket."""
    draw, found = random.SystemRandom(), []
    for port in draw.sample(_QUIET, _ATTEMPTS):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            found.append(port)
        if len(found) == number:
            return found
    raise OSError(f"of {_ATTEMPTS} ports of 127.0.0.1 fewer than {number} are free")
