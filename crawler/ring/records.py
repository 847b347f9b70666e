"""Records as an iterator, and as tables: what `crawl` and `extract` have in common."""

import weakref
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from crawler.core.config import CrawlConfig
from crawler.ring.background import Background
from crawler.ring.decoder import decoder

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

__all__ = ["Records"]

T = TypeVar("T")


class Records(Generic[T]):
    """Records, one after the other. The work that makes them starts when the first is asked for.

    It runs in a thread of its own, with an event loop of its own, and never further ahead than its buffers hold. To ask
    for a record says that those before are used. One thread at a time takes records.

    State: records that were looked at to find out columns, and the columns found.
    """

    def __init__(self, config: CrawlConfig, background: Background) -> None:
        self._config = config
        self._decode = decoder(config)
        # The thread refers to this alone, or Records would never be garbage.
        self._background = background
        weakref.finalize(self, background.leave).atexit = False
        self._ahead: deque[T] = deque()
        self._inferred: Any = None

    def __iter__(self) -> Iterator[T]:
        """Give the records; when the loop over them is left, however that happens, the work ends."""
        try:
            yield from self._rest()
        finally:
            self._background.close(quietly=True)

    def __next__(self) -> T:
        if self._ahead:
            return self._ahead.popleft()
        line = self._background.next()
        if line is None:
            raise StopIteration
        record: T = self._decode(line)
        return record

    def _rest(self) -> Iterator[T]:
        """Give the records; when that is left, the work waits for whoever comes next."""
        while True:
            try:
                record = next(self)
            except StopIteration:
                return
            yield record

    def skip(self) -> None:
        """Go on to the end and let go of all further records: for work that has outputs. Raises what broke it."""
        self._ahead.clear()
        while self._background.next() is not None:
            pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self._background.close(quietly=error is not None)

    def close(self) -> None:
        """End the work if it has not ended, and wait for that: no process, thread or temporary file is left.

        Raises what broke it, if `next` has not raised it. May be called again.
        """
        self._background.close(quietly=False)

    def stop(self) -> None:
        """Start nothing new and finish what is under way; its records still come."""
        self._background.stop()

    def to_arrow(self) -> "pa.Table":
        """Go on to the end and return all further records as a table of Arrow (`docs/arrow.md` has the columns).

        Raises `ConfigError` if pyarrow is not installed.
        """
        from crawler.ledger.tables.tables import to_table  # noqa: PLC0415 - an extra

        return to_table(self, self._columns())

    def to_pandas(self) -> "pd.DataFrame":
        """Go on to the end and return all further records as a DataFrame of pandas; see `to_arrow`."""
        from crawler.ledger.tables.tables import to_pandas  # noqa: PLC0415 - an extra

        return to_pandas(self, self._columns())

    def to_polars(self) -> "pl.DataFrame":
        """Go on to the end and return all further records as a DataFrame of polars; see `to_arrow`."""
        from crawler.ledger.tables.tables import to_polars  # noqa: PLC0415 - an extra

        return to_polars(self, self._columns())

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Give the records to whatever reads Arrow's PyCapsule interface, batch by batch while the work goes on."""
        from crawler.ledger.tables.batch import BATCH_RECORDS  # noqa: PLC0415 - as below
        from crawler.ledger.tables.tables import inferred, reader  # noqa: PLC0415 - an extra

        columns, other = self._columns(), False
        if columns is None:
            # Some ask for the schema first and then once more for the records: none may be lost by that.
            if self._inferred is None:
                first: list[Any] = list(islice(self._rest(), BATCH_RECORDS))
                self._ahead.extend(first)
                self._inferred = inferred(first)
            columns, other = self._inferred, True
        return reader(self._rest(), columns, other=other).__arrow_c_stream__(requested_schema)

    def _columns(self) -> Any:
        from crawler.ledger.tables.schema import columns_of  # noqa: PLC0415 - an extra

        return columns_of(self._config)
