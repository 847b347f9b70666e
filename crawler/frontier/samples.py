"""The time series of a crawl: what each run of a job looked like, about once a second at first.

Samples stand in the family `meta`, by run and number. A run of any length keeps at most 2,000 of them: when there are
as many, each second one goes, and from then on they are taken half as often. The last one of a run is always there; one
that came too soon after those before is replaced by the next. All of that travels in the batch of a commit, so after
`kill -9` the series is as it was at one commit.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from crawler.core.errors import JobError
from crawler.core.sample import Sample
from crawler.frontier.database import Table

__all__ = ["Samples"]

MOST = 2_000
"""Samples of one run."""
MOST_EARLIER = 10_000
"""Samples of all earlier runs together, from which on a new run drops each second one; of each the last one stays."""
INTERVAL_S = 1.0
"""Time between two samples of a run that is short."""

_PREFIX: Final = b"sample:"
_END: Final = b"sample;"
_RUN_BYTES: Final = 4
_NUMBER_BYTES: Final = 8


class Samples:
    """The samples of a job. Reads see what is committed.

    State, of the thread that puts them: the keys of this run's samples, the number of the newest, the time between two,
    and when, in seconds of the run, the newest one and the one before it were taken.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._encode = msgspec.msgpack.Encoder().encode
        self._decoder = msgspec.msgpack.Decoder(Sample)
        self._keys: list[bytes] = []
        self._number = 0
        self._interval_s = INTERVAL_S
        self._kept_at_s = self._newest_at_s = float("-inf")

    def begin(self) -> int:
        """Return the number of a run that begins now; put what makes room for it into the open batch."""
        earlier = [key for key in self._table.keys(_PREFIX) if key < _END]
        if len(earlier) > MOST_EARLIER:
            last_ones = {_run_of(key): key for key in earlier}
            for key in earlier[::2]:
                if last_ones[_run_of(key)] != key:
                    self._table.delete(key)
        return _run_of(earlier[-1]) + 1 if earlier else 1

    def put(self, sample: Sample) -> None:
        """Put the newest sample of a run into the open batch."""
        if len(self._keys) >= MOST:
            self._thin()
        if not self._keys or self._newest_at_s - self._kept_at_s >= self._interval_s:  # the one before stays
            if self._keys:
                self._kept_at_s = self._newest_at_s
            self._number += 1
            self._keys.append(_key(sample.run, self._number))
        self._newest_at_s = sample.stats.elapsed_s
        self._table.put(self._keys[-1], self._encode(sample))

    def all(self) -> Iterator[Sample]:
        """Give the committed samples of all runs, in the order of time. Raises `JobError` for one nobody can read."""
        return (self._decoded(value) for _, value in self._table.items(_PREFIX, _END))

    def last(self) -> Sample | None:
        """Return the newest committed sample, None without any. Raises `JobError` as `all`."""
        key, value = next(self._table.items(_END, backwards=True), (b"", b""))
        return self._decoded(value) if key.startswith(_PREFIX) else None

    def first(self, run: int) -> Sample | None:
        """Return the first committed sample of a run, None if there is none. Raises `JobError` as `all`."""
        values = (value for _, value in self._table.items(_key(run, 0), _key(run + 1, 0)))
        value = next(values, None)
        return None if value is None else self._decoded(value)

    def recent(self, span_s: float) -> list[Sample]:
        """Return the committed samples of the last seconds of the newest run, oldest first; one at least, if any."""
        found: list[Sample] = []
        for key, value in self._table.items(_END, backwards=True):
            sample = self._decoded(value) if key.startswith(_PREFIX) else None
            if sample is None or (
                found and (sample.run != found[0].run or found[0].stats.elapsed_s - sample.stats.elapsed_s > span_s)
            ):
                break
            found.append(sample)
        return found[::-1]

    def _thin(self) -> None:
        """Drop each second one but the newest, and take them half as often from now on."""
        for key in self._keys[1:-1:2]:
            self._table.delete(key)
        self._keys = [*self._keys[:-1:2], self._keys[-1]]
        self._interval_s *= 2

    def _decoded(self, value: bytes) -> Sample:
        try:
            return self._decoder.decode(value)
        except msgspec.MsgspecError as error:
            raise JobError(
                f"a sample of the job cannot be read ({error}): a later version of crawler wrote it, or it is damaged"
            ) from error


def _key(run: int, number: int) -> bytes:
    return _PREFIX + run.to_bytes(_RUN_BYTES, "big") + number.to_bytes(_NUMBER_BYTES, "big")


def _run_of(key: bytes) -> int:
    return int.from_bytes(key[len(_PREFIX) : len(_PREFIX) + _RUN_BYTES], "big")
