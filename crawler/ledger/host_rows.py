"""What the store keeps of hosts for the fetcher: rows to be written with the next commit, and rows that it asks for."""

import threading
from collections.abc import Callable, Sequence

from crawler.core.host_rows import CLOCK, HEAD, WHOLE, Remembered
from crawler.frontier.store import Store
from crawler.web.urls import authority

__all__ = ["HostRows"]


class HostRows:
    """The rows of hosts (authorities) as of now. `changed()` is called when somebody asks for some.

    `remember` and `recall` may be called from any thread, all else from the ledger's. State, under the lock: rows that
    the next commit writes, with their bytes, and questions that wait for an answer.
    """

    def __init__(self, store: Store, changed: Callable[[], None]) -> None:
        self._store = store
        self._host_key = store.keys.authority
        self._changed = changed
        self._lock = threading.Lock()
        self._rows: dict[bytes, bytes] = {}
        self._asked: list[tuple[list[bytes], Callable[[Sequence[bytes | None]], None]]] = []
        self.size_bytes = 0

    def remember(self, host: str, part: bytes, row: bytes) -> None:
        """Keep a row with the next commit; `part` says which (see `core.host_rows`)."""
        with self._lock:
            self._rows[self._host_key(host) + part] = row
            self.size_bytes += len(row)

    def recall(self, host: str, parts: Sequence[bytes], tell: Callable[[Sequence[bytes | None]], None]) -> None:
        """Have the ledger's thread tell rows, in the order of `parts`: None for what is not there."""
        key = self._host_key(host)
        with self._lock:
            self._asked.append(([key + part for part in parts], tell))
        self._changed()

    @property
    def are_changed(self) -> bool:
        """Whether the next commit has any to write."""
        return bool(self._rows)

    @property
    def are_asked_for(self) -> bool:
        """Whether somebody waits for some."""
        return bool(self._asked)

    def answer(self) -> None:
        """Tell all who have asked."""
        with self._lock:
            asked, self._asked = self._asked, []
        for keys, tell in asked:
            tell(self._of(keys))

    def of_hosts(self, entered: Sequence[tuple[bytes, str]]) -> list[Remembered]:
        """Return what is remembered of hosts, by key and first URL; jobs of earlier versions have it in other rows."""
        heads = self._of([key + HEAD for key, _ in entered])
        rows: list[tuple[bytes, ...]] = [() if head is None else (head,) for head in heads]
        if self._store.has_whole_hosts:
            new = [at for at, head in enumerate(heads) if head is None]
            old = iter(self._of([entered[at][0] + part for at in new for part in (WHOLE, CLOCK)]))
            for at, whole, clock in zip(new, old, old, strict=True):
                rows[at] = tuple(row for row in (whole, clock) if row is not None)
        return [Remembered(authority(url), kept) for (_, url), kept in zip(entered, rows, strict=True)]

    def write(self) -> None:
        """Put what is to be kept into the open batch of the store."""
        with self._lock:
            rows, self._rows, self.size_bytes = self._rows, {}, 0
        for key, row in rows.items():
            self._store.put_host(key, row)

    def _of(self, keys: list[bytes]) -> list[bytes | None]:
        if not keys:
            return []
        with self._lock:
            new = [self._rows.get(key) for key in keys]
        return [row or old for row, old in zip(new, self._store.host_rows(keys), strict=True)]
