"""What an output with columns had no room for: said once, not a thousand times."""

import logging
from collections.abc import Iterable

from crawler.core.printable import SHOWN_CHARS, printable

__all__ = ["LeftOut"]

_log = logging.getLogger(__name__)
_MOST_NAMED = 20


class LeftOut:
    """Warns of names that an output leaves out, of each once in a run and of the first 20 only. State: those named."""

    def __init__(self, output: str) -> None:
        self._output = printable(output)
        self._named: set[str] = set()

    def note(self, names: Iterable[str]) -> None:
        """Take names that were left out."""
        for name in names:
            if name in self._named or len(self._named) == _MOST_NAMED:
                continue
            self._named.add(name)
            more = "; others are no longer named" if len(self._named) == _MOST_NAMED else ""
            _log.warning("%s has no column %r, left out%s", self._output, printable(name, SHOWN_CHARS), more)
