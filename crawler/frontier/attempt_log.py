"""The attempts of a URL as its row keeps them: packed, 13 bytes for one that an IPv4 address answered.

8 bytes      start, in milliseconds of unix time (42 bits), and the milliseconds that it took (22 bits, up to 69
             minutes)
1 byte       how long the address is (2 bits: none, 4, 16 bytes), and what follows it (6 bits)
0, 4 or 16   address
0 to 63      what went wrong, UTF-8
"""

from struct import Struct
from typing import Final

from crawler.core.model import Attempt

__all__ = ["MOST_ATTEMPTS", "answered_in_ms", "attempts_in", "with_attempt"]

MOST_ATTEMPTS: Final = 8
"""The last so many are kept."""
_HEAD_BYTES: Final = 9
_ELAPSED_BITS: Final = 22
_MOST_ELAPSED_MS: Final = (1 << _ELAPSED_BITS) - 1
_MOST_WHAT_BYTES: Final = 63
_ADDRESS_BYTES: Final = (0, 4, 16)
_KINDS: Final = {size: kind << 6 for kind, size in enumerate(_ADDRESS_BYTES)}
_head = Struct(">QB").pack


def with_attempt(log: bytes, attempt: Attempt) -> bytes:
    """Return a log with one attempt more; of more than `MOST_ATTEMPTS` the first ones go."""
    if len(log) >= MOST_ATTEMPTS * _HEAD_BYTES and len(kept := attempts_in(log)) >= MOST_ATTEMPTS:
        log = b"".join(map(_packed, kept[1 - MOST_ATTEMPTS :]))
    return log + _packed(attempt)


def attempts_in(log: bytes) -> tuple[Attempt, ...]:
    """Return the attempts in a log, first one first; times are those of `Attempt` to a millisecond."""
    found = []
    at = 0
    while at < len(log):
        times = int.from_bytes(log[at : at + 8], "big")
        sizes = log[at + 8]
        address_at = at + _HEAD_BYTES
        what_at = address_at + _ADDRESS_BYTES[sizes >> 6]
        at = what_at + (sizes & _MOST_WHAT_BYTES)
        what = log[what_at:at].decode("utf-8", "replace")
        address = log[address_at:what_at]
        found.append(Attempt((times >> _ELAPSED_BITS) / 1000, times & _MOST_ELAPSED_MS, what, address))
    return tuple(found)


def answered_in_ms(log: bytes) -> int:
    """Return how long it took, if a log holds one attempt whose answer was taken, as most do; -1 of any other log.

    Takes a tenth of the time of unpacking it.
    """
    if (
        len(log) >= _HEAD_BYTES
        and not log[8] & _MOST_WHAT_BYTES
        and len(log) == _HEAD_BYTES + _ADDRESS_BYTES[log[8] >> 6]
    ):
        return int.from_bytes(log[:8], "big") & _MOST_ELAPSED_MS
    return -1


def _packed(attempt: Attempt) -> bytes:
    elapsed_ms = min(attempt.elapsed_ms, _MOST_ELAPSED_MS)
    times = max(round(attempt.at * 1000), 0) << _ELAPSED_BITS | elapsed_ms
    address = attempt.address
    kind = _KINDS[len(address)]
    if not attempt.what:
        return _head(times, kind) + address
    what = attempt.what.encode("utf-8", "replace")[:_MOST_WHAT_BYTES].decode("utf-8", "ignore").encode()
    return _head(times, kind | len(what)) + address + what
