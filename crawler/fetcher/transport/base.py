"""The one network seam: a request goes in, an answer or a failure comes out; and what all transports share.

Every transport keeps these promises:

- A GET of an http(s) URL in normal form, nothing else. `fetch` raises nothing but `asyncio.CancelledError`.
- One request for each `fetch`. A kept connection that ends before the answer is a `Failure` that says `stale`: when it
  may be asked for again is for the host's clock to say.
- Redirects are not followed and their bodies are not read: a 3xx answer comes back with its `location` header.
- Nothing is sent to an address that `AddressGuard` refuses: the check is made where the socket is made.
- `timeout_s` covers everything from the name look-up to the last byte of the body, but not the time for which a
  download waits because other bodies fill the memory set aside for them (`transport.budget`).
- Looking the name up, connecting and the handshake of TLS have `CONNECT_S` seconds of it together, so that what answers
  nobody is not waited for as long as a slow page.
- A download that does not grow while others wait for its memory ends as a `Failure` that says `gave_way`.
- Bodies keep their Content-Encoding: a parser undoes it. At most `max_body_bytes` of a plain one are kept, and twice
  that of an encoded one; a longer body is cut there, and the connection closed. So is an encoded one that is long, or
  comes slowly, once it holds so many decoded bytes.
- Of the configured headers only those go out that any server may see (`web.credentials`); `FetchRequest.headers`
  are sent whatever they are.
- No cookies, no proxies, no .netrc, no settings from the environment but those of OpenSSL (`SSL_CERT_FILE`).
"""

from collections.abc import Callable
from typing import Final, Protocol

from msgspec import Struct

from crawler.core.model import Coding, Failure
from crawler.web.redirect import is_redirect

__all__ = [
    "CONNECT_S",
    "NOT_NOW",
    "FetchRequest",
    "FetchResult",
    "NotNowError",
    "Transport",
    "is_redirect",
    "refuse_late",
]


CONNECT_S: Final = 10.0
"""The first packet and three repeated ones: they go after 1, 3 and 7 seconds (RFC 6298 §2.1 and §5.5)."""


NOT_NOW: Final = Failure("not-asked", "the lease of this shard has run out", retryable=True, stale=True)
"""What comes of a request that may not be sent now: the URL waits for its host's turn, and loses no attempt."""


class NotNowError(Exception):
    """A request may not be sent now, although there is a connection for it: `NOT_NOW` comes of it."""


class FetchRequest(Struct, frozen=True):
    """One GET. `url` is in normal form. `headers` are added to, or replace, those of the configuration.

    `timeout_s` is the total of seconds that the fetch may take; `max_body_bytes` counts decoded bytes. `fresh`: on a
    connection that no other request has used. `patient`: the download need not give way to others (`transport.budget`).
    `last`: nothing else is known that its host will be asked for, and the answer leads to nothing. `may_go()`, if
    given, is asked once more when there is a connection: if it says no, nothing is sent, and `NOT_NOW` comes of it.
    """

    url: str
    headers: tuple[tuple[str, str], ...] = ()
    timeout_s: float = 30.0
    max_body_bytes: int = 10_000_000
    fresh: bool = False
    patient: bool = False
    last: bool = False
    may_go: Callable[[], bool] | None = None


def refuse_late(may_go: Callable[[], bool]) -> None:
    """Raise `NotNowError` if a request for which all is ready may not be sent any more."""
    if not may_go():
        raise NotNowError


class FetchResult(Struct, frozen=True):
    """An answer, whatever its status.

    `headers` are (lower-case name, value) pairs in the order received, free of control characters and lone
    surrogates. `body` is as it came, `coding` says how it is encoded, if it is; `body_bytes` is its length. `truncated`
    says that there was more. `latency_s` is the time from the start of the fetch to the complete headers (look-up and
    connecting included). `address` is the IP address that answered.

    `version` (of HTTP), `reason` (the words behind the status) and `raw_headers` are what an archive wants: the head of
    the answer as it came. No `raw_headers` at all: `headers` say all that is known.
    """

    url: str
    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    body_bytes: int = 0
    truncated: bool = False
    latency_s: float = 0.0
    address: str | None = None
    version: str = "1.1"
    reason: bytes = b""
    raw_headers: tuple[tuple[bytes, bytes], ...] = ()
    coding: Coding | None = None

    def header(self, name: str) -> str | None:
        """Value of the first header called `name` (lower case), or None."""
        for key, value in self.headers:
            if key == name:
                return value
        return None


class Transport(Protocol):
    """What downloads. The promises stand at the top of this module."""

    async def fetch(self, request: FetchRequest) -> FetchResult | Failure:
        """Ask once. A bad server is a `Failure`, never an exception."""
        ...

    async def address(self, url: str) -> str | None:
        """IP address that a fetch of `url` would try first.

        None if it cannot be told, or the look-up failed: then `fetch` says why. Raises only `asyncio.CancelledError`.
        """
        ...

    async def close(self) -> None:
        """End connections and threads; fetches under way fail. Idempotent."""
        ...
