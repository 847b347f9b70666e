"""Which hosts have more to do than was handed out."""

from collections.abc import Container, Mapping

from crawler.frontier.window_host import WindowHost

__all__ = ["Backlog"]


class Backlog:
    """Looks at the hosts of a window, and at those that sleep; from any thread, so as of just now. Has no state."""

    def __init__(self, hosts: Mapping[bytes, WindowHost], asleep: Container[bytes]) -> None:
        self._hosts = hosts
        self._asleep = asleep

    def __contains__(self, key: bytes) -> bool:
        """Whether a host, by its key, has URLs that wait in the store alone."""
        host = self._hosts.get(key)
        return key in self._asleep if host is None else host.backlog
