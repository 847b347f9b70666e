"""What hosts and addresses hold of the byte budget. Pure."""

from collections import OrderedDict
from typing import Final

from crawler.fetcher.transport.address_block import address_block

__all__ = ["Holder", "Holders"]

_KEPT: Final = 4_096


class Holder:
    """A host, or an address: the bytes `held` by its bodies; the `address` where the host was last.

    `shown`: the step (`steps.Steps`) of the largest body that it has brought since one stood still, -1 = none.
    `stands_back`: its last large body gave way. Until it has brought one, it leaves room to others while they wait.
    State, of the budget and under its lock: all of it.
    """

    __slots__ = ("address", "held", "shown", "stands_back")

    def __init__(self) -> None:
        self.held = 0
        self.address: Holder | None = None
        self.shown = -1
        self.stands_back = False

    def add(self, count: int) -> None:
        """Count for the host, and for its address if it is known."""
        self.held += count
        if self.address is not None:
            self.address.held += count


class Holders:
    """Hosts and addresses by name. Of those that hold nothing the 4,096 hosts seen last are remembered.

    A host may hold a quarter of `limit`, an address half of it; then it is crowded, and asked for nothing more.
    State, of the budget and under its lock: both.
    """

    def __init__(self, limit: int) -> None:
        self._most_of_host, self._most_of_address = max(1, limit // 4), max(1, limit // 2)
        self._hosts: OrderedDict[str, Holder] = OrderedDict()
        self._addresses: dict[str, Holder] = {}

    def host(self, name: str, address: str | None = None) -> Holder:
        """Return the host of this name, a new one if it is not known; at this address, if that can be told."""
        found = self._hosts.get(name)
        if found is not None:
            self._hosts.move_to_end(name)
        else:
            if len(self._hosts) >= _KEPT:
                oldest, holder = self._hosts.popitem(last=False)
                if holder.held:
                    self._hosts[oldest] = holder
            found = self._hosts[name] = Holder()
        if address is not None and not found.held:  # else what it holds would count at the other one
            found.address = self._address(address_block(address))
        return found

    def known(self, name: str) -> Holder | None:
        """Return the host of this name if it is known."""
        return self._hosts.get(name)

    @property
    def held(self) -> dict[str, int]:
        """Bytes of the hosts that hold some."""
        return {name: host.held for name, host in self._hosts.items() if host.held}

    def is_crowded(self, name: str) -> bool:
        """Whether a host, or its address, holds as much as it may."""
        host = self._hosts.get(name)
        if host is None:
            return False
        address = host.address
        return host.held >= self._most_of_host or (address is not None and address.held >= self._most_of_address)

    def _address(self, name: str) -> Holder:
        found = self._addresses.get(name)
        if found is None:
            if len(self._addresses) >= _KEPT:
                self._addresses = {name: one for name, one in self._addresses.items() if one.held}
            found = self._addresses[name] = Holder()
        return found
