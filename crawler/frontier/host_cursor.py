"""Which host comes next into the window: a cursor that goes round the queue in the order of host keys."""

from crawler.frontier.queue import UrlQueue

__all__ = ["HostCursor"]


class HostCursor:
    """Finds hosts that wait for a place in the window.

    State: where it stands, and whether it has been once round since it found one. `waiting`: there may be such hosts.
    """

    def __init__(self, queue: UrlQueue) -> None:
        self._queue = queue
        self._at = bytes(8)
        self._wrapped = False
        self.waiting = True

    def look_round(self) -> None:
        """Go all the way round once more: a host outside the window has work."""
        self.waiting, self._wrapped = True, False

    def next(self) -> bytes | None:
        """Return the key of the next host with entries in the queue.

        None at the end of a round; after a whole round without `found`, `waiting` is False.
        """
        key = self._queue.next_host(self._at)
        if key is not None:
            self._at = _after(key)
            return key
        self._at = bytes(8)
        if self._wrapped:
            self.waiting = False
        self._wrapped = not self._wrapped
        return None

    def found(self) -> None:
        """Learn that the host was one that waits."""
        self._wrapped = False


def _after(host: bytes) -> bytes:
    """Return the smallest 8 bytes greater than `host`; the last host key stays itself."""
    return min(int.from_bytes(host, "big") + 1, (1 << 64) - 1).to_bytes(8, "big")
