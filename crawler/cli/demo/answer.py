"""What the demo server does with a request, as a value."""

from msgspec import Struct

__all__ = ["Answer", "HeaderPairs"]

HeaderPairs = tuple[tuple[str, str], ...]
"""(name, value) pairs in the order in which they are sent."""


class Answer(Struct, frozen=True, kw_only=True):
    """One response and how it is sent.

    `wait_s` passes before the headers; the body is then sent in pieces over `drip_s`. `cut` promises the whole body
    by Content-Length, sends half of it and closes the connection. `first` are the answers that the first requests
    get instead, one each: a server that recovers.
    """

    status: int = 200
    headers: HeaderPairs = ()
    body: bytes = b""
    wait_s: float = 0.0
    drip_s: float = 0.0
    cut: bool = False
    first: "tuple[Answer, ...]" = ()
