"""Which page has brought the same before: the same body, or nearly the same text. Owned by the frontier.

A body is known again by its hash, which in a job of this version holds a number of the job's own (`frontier.keys`). A
text is known again by its fingerprint (`web.simhash`), of which up to `NEAR` of 64 bits may differ. Cut into four bands
of 16 bits, at least one band of such a fingerprint is the same. So each fingerprint stands in the store four times,
each time turned so that another band comes first, and only fingerprints with that band need to be looked at. They stand
in order, the most alike side by side, so the nearest ones are enough.
"""

from collections.abc import Iterator, Sequence
from itertools import islice

from msgspec import Struct

from crawler.core.config import DuplicateMode
from crawler.core.model import Done, Duplicate
from crawler.frontier.store import Store
from crawler.web.simhash import BITS, NEAR, distance

__all__ = ["Duplicates", "Repeat"]

CANDIDATES = 32
"""Fingerprints that are looked at on each side of a place: four bands with two sides each take about 0.1 ms.

In a job of 10 million pages about 150 share a band, and few of those that are alike stand further apart than this.
"""
_BAND_BITS = BITS // (NEAR + 1)
_ALL = (1 << BITS) - 1


class Repeat(Struct, frozen=True):
    """That a page brings what another one has brought: its URL key, and whether only `near`ly so."""

    key: bytes
    near: bool = False


class Duplicates:
    """The bodies and texts of one job's pages, as `mode` asks for. Pages that were seen first stay first."""

    def __init__(self, store: Store, mode: DuplicateMode) -> None:
        self._store = store
        self._near = mode == "near"
        self.skip = mode != "no"
        # State: the fingerprints that the open batch holds, by each of their bands, with the keys of their pages.
        self._uncommitted: dict[bytes, dict[int, bytes]] = {}

    def take(self, results: Sequence[Done]) -> list[Repeat | None]:
        """Make the bodies and texts of pages known that have ended, in order; return what each of them repeats.

        They are committed with the open batch: a page read twice because of a crash is not a duplicate of itself.
        Results without records, or without a body, repeat nothing.
        """
        read = [done for done in results if done.records is not None and done.body_hash]
        firsts = iter(self._store.contents.add_bodies([(done.body_key or done.body_hash, done.key) for done in read]))
        repeats: list[Repeat | None] = []
        for done in results:
            first = next(firsts) if done.records is not None and done.body_hash else None
            repeat = None if first is None else Repeat(first)
            if self._near and repeat is None and done.records is not None and done.simhash is not None:
                repeat = self._alike(done.simhash)
                if repeat is None:
                    self._keep(done.simhash, done.key)
            # A page that was asked for again does not repeat itself.
            repeats.append(None if repeat is not None and repeat.key == done.key else repeat)
        return repeats

    def page(self, repeat: Repeat) -> Duplicate:
        """Return what is known of the page that another one repeats; it has ended."""
        (value,) = self._store.urls.values([repeat.key])
        if value is None:
            raise KeyError(repeat.key)
        row = self._store.urls.row(value)
        return Duplicate(row.url, row.at, repeat.near)

    def committed(self) -> None:
        """Learn that the open batch was committed."""
        self._uncommitted.clear()

    def _alike(self, simhash: int) -> Repeat | None:
        """Return a page whose text is nearly the same."""
        for band, turned in _places(simhash):
            for other, key in self._uncommitted.get(band, {}).items():
                if distance(other, turned) <= NEAR:
                    return Repeat(key, near=True)
            place = band[:1] + turned.to_bytes(8, "big")
            for backwards in (False, True):
                for found, key in self._beside(place, band, backwards=backwards):
                    if distance(found, turned) <= NEAR:
                        return Repeat(key, near=True)
        return None

    def _beside(self, place: bytes, band: bytes, *, backwards: bool) -> Iterator[tuple[int, bytes]]:
        """Give the turned fingerprints next to a place, with the keys of their pages."""
        for found, key in islice(self._store.contents.texts_from(place, backwards=backwards), CANDIDATES):
            if not found.startswith(band):
                return
            yield int.from_bytes(found[1:], "big"), key

    def _keep(self, simhash: int, key: bytes) -> None:
        for band, turned in _places(simhash):
            self._uncommitted.setdefault(band, {})[turned] = key
            self._store.contents.put_text(band[:1] + turned.to_bytes(8, "big"), key)


def _places(simhash: int) -> Iterator[tuple[bytes, int]]:
    """Give for each band its number with its bits (3 bytes), and the fingerprint turned to have the band in front."""
    for number in range(BITS // _BAND_BITS):
        bits = number * _BAND_BITS
        turned = (simhash << bits | simhash >> (BITS - bits)) & _ALL
        yield number.to_bytes(1, "big") + (turned >> (BITS - _BAND_BITS)).to_bytes(2, "big"), turned
