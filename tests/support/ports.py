"""Ports of loopback that are surely free, or surely closed, for as long as a test wants it so."""

import contextlib
import socket
from collections.abc import Iterator

__all__ = ["closed_port", "listeners"]

_ATTEMPTS = 50


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
