"""How often the download of a URL gave way to others, and when it need not do so any more."""

from typing import Final

__all__ = ["Yielding"]

_GIVES_WAY: Final = 3
_REMEMBERED: Final = 4_096


class Yielding:
    """Counts by the keys of URLs. After it has given way three times, a URL has a turn in which it goes on to its end.

    That may be its deadline, which counts as an attempt: so a URL that never comes ends, and a slow one is read,
    however many others wait. State, of the event loop's thread: the counts, of the 4,096 URLs that gave way last.
    """

    def __init__(self) -> None:
        self._times: dict[bytes, int] = {}

    def is_patient(self, key: bytes) -> bool:
        """Whether the next download of a URL need not give way."""
        return self._times.get(key, 0) >= _GIVES_WAY

    def gave_way(self, key: bytes) -> None:
        """Learn that the download of a URL gave way."""
        self._times[key] = self._times.pop(key, 0) + 1
        if len(self._times) > _REMEMBERED:
            del self._times[next(iter(self._times))]

    def ended(self, key: bytes) -> None:
        """Learn that it came to an end of its own, whatever that was."""
        if self._times:
            self._times.pop(key, None)
