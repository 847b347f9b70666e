"""A pseudo-terminal for tests: what a program writes to it, gathered in a thread."""

import contextlib
import os
import pty
import threading
from typing import Self


class PseudoTerminal:
    """Give `slave` to a program as its terminal and call `started`; `seen` grows with what the program writes there."""

    def __init__(self) -> None:
        self._master, self.slave = pty.openpty()
        self.seen = bytearray()
        self._reader = threading.Thread(target=self._read)

    def __enter__(self) -> Self:
        self._reader.start()
        return self

    def __exit__(self, *exc: object) -> None:
        """Read what is left. The program must have ended: its end of the terminal is what the reader waits for."""
        self.started()
        self._reader.join()
        os.close(self._master)

    def started(self) -> None:
        """Leave the slave to the program alone. Safe to call twice."""
        if self.slave >= 0:
            os.close(self.slave)
            self.slave = -1

    def _read(self) -> None:
        # Linux says EIO, and no end of file, once nobody has the slave open.
        with contextlib.suppress(OSError):
            while some := os.read(self._master, 65536):
                self.seen.extend(some)
