"""The URLs that a run has cut off since a chain was too long, by host."""

from collections.abc import KeysView

__all__ = ["CutUrls"]

_MOST = 65_536


class CutUrls:
    """Keys of URLs by the keys of their hosts; of very many those that came first. What is missing waits longer.

    State: the keys, and how many there are. `Discovery` adds to them, `EarlyLook` takes them out.
    """

    def __init__(self) -> None:
        self._by_host: dict[bytes, list[bytes]] = {}
        self._number = 0

    def add(self, host: bytes, key: bytes) -> None:
        """Learn of one."""
        if self._number < _MOST:
            self._by_host.setdefault(host, []).append(key)
            self._number += 1

    def take(self, host: bytes) -> list[bytes]:
        """Remove and return those of a host."""
        keys = self._by_host.pop(host, [])
        self._number -= len(keys)
        return keys

    @property
    def hosts(self) -> KeysView[bytes]:
        """The hosts that have any."""
        return self._by_host.keys()
