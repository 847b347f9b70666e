"""Sessions of TLS: what a server gave for the next connection to begin with, so that it need not prove itself again.

Neither asyncio nor uvloop has an argument for it, so a context makes its connections of `ResumedObject`, which
`SSLContext.sslobject_class` is for, and that puts the session in just before the handshake.

A server that resumes a session shows that it is the one that was verified before; it sends no certificate. That is why
a session is kept for one origin and one context (whose settings never change), for an hour at most from the handshake
that verified a certificate, however often it was resumed since (RFC 8446 §4.6.1 allows seven days). A session serves
more than one connection: RFC 8446 §C.4 advises against that, because onlookers could tell that they belong together,
but a crawler says who it is. From servers that take a session only once, a new one is taken each time.
"""

import ssl
import sys
import time
from collections.abc import Callable, Hashable
from contextvars import ContextVar
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

__all__ = ["OFFER", "Offer", "ResumedObject", "Sessions"]

_MOST: Final = 2_048
"""Origins. A session takes 8 KB, of Pythons that leak 23 KB, since it has the whole chain of certificates."""
_KEPT_S: Final = 3_600.0
_IN_USE_S: Final = 60.0
"""A session that was used since then leaves its place to no other: with more origins in turn than places, none would
ever find its session."""
_MOST_REFUSED: Final = 3
"""Handshakes in a row in which a server would not take what it had given: it is asked no more."""

# https://github.com/python/cpython/issues/116810: reading `session` leaks a copy, of 7 KB.
_LEAKS = sys.version_info < (3, 12, 8) or sys.version_info[:3] == (3, 13, 0)
_MOST_LEAKED: Final = 4_096


class Offer:
    """A session for one connection. `made` says that it was offered to a server."""

    __slots__ = ("made", "session")

    def __init__(self, session: ssl.SSLSession) -> None:
        self.session = session
        self.made = False


OFFER: ContextVar[Offer | None] = ContextVar("OFFER", default=None)
"""What the connections that are made from here on may begin with."""


class ResumedObject(ssl.SSLObject):
    """TLS of a connection, which puts a session in before the first step of its handshake."""

    _begun = False

    def do_handshake(self) -> None:
        """Shake hands, or go on with it."""
        if not self._begun:
            self._begun = True
            offer = OFFER.get()
            if offer is not None:
                offer.made = True
                self.session = offer.session
        super().do_handshake()

    def getpeercert(self, binary_form: bool = False) -> Any:
        """Give none. Event loops ask for it after each handshake; nobody reads it, and 100 names take 107 µs."""


class _Kept(Struct, frozen=True):
    """A session, None if the server gives none that it takes. Times are those of `clock`.

    `until`: when it is of no use any more. `accepted`: the server has resumed it. `refused`: times in a row that it did
    not. `once`: the server resumes each session only once.
    """

    session: ssl.SSLSession | None
    until: float
    used_at: float
    accepted: bool = False
    refused: int = 0
    once: bool = False


class Sessions:
    """The sessions of one context, by origin. State: those, the least recently used first. For one thread at a time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, most: int = _MOST) -> None:
        self._clock = clock
        self._most = most
        self._kept: dict[Hashable, _Kept] = {}
        self._left = _MOST_LEAKED if _LEAKS else sys.maxsize

    def offer(self, origin: Hashable) -> Offer | None:
        """What a connection may begin with; None if there is nothing."""
        kept = self._kept.get(origin)
        if kept is None:
            return None
        now = self._clock()
        if kept.until <= now:
            del self._kept[origin]
            return None
        if kept.session is None:
            return None
        del self._kept[origin]
        self._kept[origin] = replace(kept, used_at=now)
        return Offer(kept.session)

    def broken(self, origin: Hashable) -> None:
        """Learn that a server broke off when its session was offered: it is offered none for as long."""
        kept = self._kept.get(origin)
        if kept is not None:
            self._kept[origin] = replace(kept, session=None)

    def used(self, origin: Hashable, tls: ssl.SSLObject, offer: Offer | None) -> None:
        """Learn of a connection that was of use, when it ends, or another one begins beside it.

        Not before it has answered: tickets of TLS 1.3 come after the handshake.
        """
        kept = self._kept.get(origin)
        now = self._clock()
        if kept is not None and kept.until <= now:
            kept = None
        if tls.session_reused:
            if kept is None:
                return  # when its certificate was verified is not known any more
            kept = replace(kept, accepted=True, refused=0)
            self._kept[origin] = replace(kept, session=self._taken(tls)) if kept.once else kept
        elif kept is None:
            self._begin(origin, tls, now)
        elif offer is not None and kept.session is not None:
            self._begin(origin, tls, now, kept)

    def _begin(self, origin: Hashable, tls: ssl.SSLObject, now: float, old: _Kept | None = None) -> None:
        """Keep the session of a handshake that verified a certificate; `old` is one that the server did not take."""
        refused = old.refused + 1 if old else 0
        if old is None and not self._is_room(now):
            return
        session = self._taken(tls) if refused < _MOST_REFUSED else None
        lasts_s = _KEPT_S
        if session is not None:
            lasts_s = min(lasts_s, session.ticket_lifetime_hint or session.timeout)
        self._kept.pop(origin, None)
        once = old is not None and (old.once or old.accepted)
        self._kept[origin] = _Kept(session, now + lasts_s, now, refused=refused, once=once)

    def _is_room(self, now: float) -> bool:
        if self._left <= 0:
            return False
        if len(self._kept) < self._most:
            return True
        origin, oldest = next(iter(self._kept.items()))
        if oldest.until > now and oldest.used_at > now - _IN_USE_S:
            return False
        del self._kept[origin]
        return True

    def _taken(self, tls: ssl.SSLObject) -> ssl.SSLSession | None:
        """Take the session of a connection, None if it has none to resume. It takes 0.3 ms, half of a handshake."""
        if self._left <= 0:
            return None
        self._left -= 1
        session = tls.session
        return session if session is not None and (session.has_ticket or session.id) else None
