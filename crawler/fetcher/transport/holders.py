"""What one host holds of the byte budget, and for how long its bytes stay. Pure: `now` is an argument."""

from collections import OrderedDict
from typing import Final, Generic, TypeVar

from crawler.fetcher.transport.address_block import address_block

__all__ = ["Holder", "Holders"]

ShareT = TypeVar("ShareT")
"""What counts one download."""

_QUICK_S: Final = 1.0
_LITTLE_BYTES: Final = 65_536  # that stay for a second say nothing yet
_HALF_LIFE_S: Final = 30.0
_KEPT: Final = 4_096


class Holder(Generic[ShareT]):
    """A host, or an address, with the bodies that it has in memory.

    `held` are their bytes, `unparsed` those that wait for a parser; `shares` its downloads that hold some, the oldest
    first; `waiting` those that wait until others of it have ended; `address` where the host was last.

    A host is *quick* if its bytes stay for a second or less on the average, from when they come until a parser has
    them, and *slow* if they stay longer. One that has brought nothing yet is neither. What is long past counts less:
    half after 30 s. `stands_back`: its bytes stay, or its last body found no room or stood still; until it has brought
    one, it leaves room to others while there is little. State, of the budget and under its
    lock: all of it.
    """

    __slots__ = (
        "_at",
        "_brought",
        "_stayed",
        "address",
        "held",
        "shares",
        "stands_back",
        "unparsed",
        "waiting",
    )

    def __init__(self) -> None:
        self.held = 0
        self.unparsed = 0
        self.shares: dict[ShareT, None] = {}
        self.waiting: dict[ShareT, None] = {}
        self.address: Holder[ShareT] | None = None
        self.stands_back = False
        self._brought = 0.0  # bytes
        self._stayed = 0.0  # bytes times seconds
        self._at = 0.0

    @property
    def all(self) -> "tuple[Holder[ShareT], ...]":
        """Return the host, and its address if it is known."""
        return (self,) if self.address is None else (self, self.address)

    @property
    def is_idle(self) -> bool:
        """Whether nothing of it is in memory."""
        return not (self.held or self.waiting or self.shares)

    @property
    def is_quick(self) -> bool:
        """Whether its bytes are known to leave soon."""
        return self._brought > 0 and self._stayed <= _QUICK_S * self._brought

    @property
    def is_slow(self) -> bool:
        """Whether its bytes are known to stay."""
        return self._stayed > _QUICK_S * (self._brought + _LITTLE_BYTES)

    def learn(self, brought: int, stayed: float, now: float) -> None:
        """Learn that a parser has got so many bytes, or none, and for how many bytes times seconds some were held."""
        kept = 0.5 ** ((now - self._at) / _HALF_LIFE_S)
        self._at = now
        self._brought = kept * self._brought + brought
        self._stayed = kept * self._stayed + stayed
        if self.is_slow:
            self.stands_back = True
        elif brought:
            self.stands_back = False


class Holders(Generic[ShareT]):
    """Hosts and addresses by name. Of those that hold nothing the 4,096 hosts seen last are remembered.

    A host may hold a quarter of `limit`, an address half of it. State, of the budget and under its lock: both.
    """

    def __init__(self, limit: int) -> None:
        self._mosts = (limit // 4, limit // 2)
        self._hosts: OrderedDict[str, Holder[ShareT]] = OrderedDict()
        self._addresses: dict[str, Holder[ShareT]] = {}

    def host(self, name: str) -> Holder[ShareT]:
        """Return the host of this name, a new one if it is not known."""
        found = self._hosts.get(name)
        if found is not None:
            self._hosts.move_to_end(name)
            return found
        if len(self._hosts) >= _KEPT:
            oldest, holder = self._hosts.popitem(last=False)
            if not holder.is_idle:
                self._hosts[oldest] = holder
        found = self._hosts[name] = Holder()
        return found

    def known(self, name: str) -> Holder[ShareT] | None:
        """Return the host of this name if it is known."""
        return self._hosts.get(name)

    @property
    def held(self) -> dict[str, int]:
        """Bytes of the hosts that hold some."""
        return {name: host.held for name, host in self._hosts.items() if host.held}

    def address(self, name: str) -> Holder[ShareT]:
        """Return the address, or IPv6 network, that this one counts as; a new one if it is not known."""
        name = address_block(name)
        found = self._addresses.get(name)
        if found is None:
            if len(self._addresses) >= _KEPT:
                self._addresses = {name: one for name, one in self._addresses.items() if not one.is_idle}
            found = self._addresses[name] = Holder()
        return found

    def is_crowded(self, name: str) -> bool:
        """Whether as many bodies of a host, or of its address, wait for parsers as it may hold."""
        host = self._hosts.get(name)
        if host is None or not host.unparsed:
            return False
        return any(holder.unparsed >= most > 0 for holder, most in zip(host.all, self._mosts, strict=False))

    def crowd(self, share: ShareT, holders: tuple[Holder[ShareT], ...]) -> Holder[ShareT] | None:
        """Return the one of the holders that a download counts for whose other downloads it has to wait for."""
        for holder, most in zip(holders, self._mosts, strict=False):
            if holder.held >= most > 0 and next(iter(holder.shares), None) is not share:
                return holder
        return None
