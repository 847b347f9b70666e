"""Lines of a shard's log on their way to whoever watches the job: warnings, and lines of seeds that are none."""

import logging
from collections import deque
from typing import Final

from crawler.core.printable import printable

__all__ = ["ShardLog"]

_LINES: Final = 200


class ShardLog(logging.Handler):
    """Keeps the last lines of the log of one shard's process until they are taken. Any thread may write.

    State: these lines, and how many were dropped since they were taken.
    """

    def __init__(self, shard: int) -> None:
        super().__init__(logging.WARNING)
        self._shard = shard
        self._lines: deque[str] = deque()
        self._dropped = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record of the log."""
        self.say(record.getMessage())

    def say(self, text: str) -> None:
        """Keep a line."""
        if len(self._lines) >= _LINES:
            self._dropped += 1
        else:
            self._lines.append(f"shard {self._shard}: {printable(text, 1_000)}")

    def taken(self) -> list[str]:
        """Return the lines that came since the last call."""
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        if self._dropped:
            lines.append(f"shard {self._shard}: {self._dropped} more lines")
            self._dropped = 0
        return lines
