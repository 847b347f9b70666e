"""The records of a job, each with the pages that link to it: joined by the `links` of all of them, once they are read.

Memory holds the job's redirects, and for each record the pages that are named; all else is sorted in temporary files,
16 to 48 bytes for each link. The records are read twice.
"""

import heapq
import mmap
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, BinaryIO, Final, Self

from crawler.core.errors import CrawlerError
from crawler.core.printable import printable
from crawler.core.refusal import refusal
from crawler.frontier.store import Store
from crawler.jobs.urls import Wanted, rows_of
from crawler.web.urls import url_key

__all__ = ["MOST_INLINKS", "with_inlinks"]

MOST_INLINKS: Final = 1_000
"""Pages that are named of those that link to one; all are counted."""
_MOST_HOPS: Final = 12
_SORTED_AT_ONCE: Final = 500_000
_PLACE: Final = 8
_KEY: Final = 16
_READ_BYTES: Final = 1 << 16


def with_inlinks(
    stores: Sequence[Store], first: Iterable[dict[str, Any]], again: Iterable[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Give the records of `again` with `inlinks` and `inlinks_total`; `first` are the same ones, read before.

    Raises `CrawlerError` where they have no links, or come in another order the second time, and `StorageError` if the
    temporary folder is full.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="crawler-links-") as folder:
            join = _Join(Path(folder), stores[0].keys.seed, _redirects(stores))
            join.learn(first)
            yield from join.joined(again)
    except OSError as error:
        where, another = printable(tempfile.gettempdir()), "name another folder with the variable TMPDIR"
        raise refusal(f"sort links in {where}", error, another, room=f"make room there, or {another}") from error


def _redirects(stores: Sequence[Store]) -> dict[bytes, bytes]:
    """Return the keys of URLs that redirect, with those of where to."""
    found = {}
    for store in stores:
        for row in rows_of(store, Wanted.of(outcome="redirected")):
            if row.other:
                found[store.keys.url(row.url, "page")] = row.other
    return found


class _Join:
    """Places are the numbers of records, from 0.

    State: the sorted files of what was learned, and the URL of each record in a file, with where it begins there.
    """

    def __init__(self, folder: Path, seed: int, redirects: dict[bytes, bytes]) -> None:
        self._seed = seed
        self._redirects = redirects
        self._targets = _SortedRows(folder / "targets", _KEY + _PLACE)
        self._links = _SortedRows(folder / "links", _KEY + 2 * _PLACE)
        self._pairs = _SortedRows(folder / "pairs", 3 * _PLACE)
        self._urls = folder / "urls"
        self._begins = array("Q", [0])

    def learn(self, records: Iterable[dict[str, Any]]) -> None:
        """Take what each record is the end of, and what it links to; then find the two together."""
        with self._urls.open("wb") as urls:
            for number, record in enumerate(records):
                url = str(record.get("url") or "")
                if "links" not in record:
                    raise CrawlerError("the records of the job have no field links: nobody knows what links to what")
                urls.write(url.encode(errors="surrogatepass"))
                self._begins.append(urls.tell())
                place = number.to_bytes(_PLACE, "big")
                own = url_key(url, self._seed)
                for target in {own, *(url_key(hop, self._seed) for hop in record.get("redirected_from") or ())}:
                    self._targets.add(target + place)
                page = own[:_PLACE]
                for target in {self._end(url_key(link, self._seed)) for link in record["links"] or ()} - {own}:
                    self._links.add(target + page + place)
        self._find_pairs()

    def _end(self, key: bytes) -> bytes:
        for _ in range(_MOST_HOPS):
            to = self._redirects.get(key)
            if to is None:
                break
            key = to
        return key

    def _find_pairs(self) -> None:
        """Put each link to what has a record behind the place of that record."""
        of_key = itemgetter(slice(0, _KEY))
        links = groupby(self._links.all(), of_key)
        key, group = next(links, (b"", iter(())))
        for target, rows in groupby(self._targets.all(), of_key):
            places = [row[_KEY:] for row in rows]
            while key and key < target:
                key, group = next(links, (b"", iter(())))
            if key == target:
                for row in group:
                    for place in places:
                        self._pairs.add(place + row[_KEY:])

    def joined(self, records: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Give the records, which are the same as before, with the pages that link to each."""
        pairs = groupby(self._pairs.all(), itemgetter(slice(0, _PLACE)))
        place, group = next(pairs, (b"", iter(())))
        with _Urls(self._urls, self._begins) as urls:
            for number, record in enumerate(records):
                if number + 1 >= len(self._begins):
                    return  # a crawl that runs has written more
                if urls[number] != str(record.get("url") or ""):
                    raise CrawlerError("the records of the job have changed while they were read: ask again")
                named: list[str] = []
                total = 0
                if place == number.to_bytes(_PLACE, "big"):
                    own = url_key(urls[number], self._seed)[:_PLACE]
                    for page, same in groupby(group, itemgetter(slice(_PLACE, 2 * _PLACE))):
                        if page == own:
                            continue
                        total += 1
                        if len(named) < MOST_INLINKS:
                            named.append(urls[int.from_bytes(next(same)[2 * _PLACE :], "big")])
                    place, group = next(pairs, (b"", iter(())))
                yield record | {"inlinks": sorted(named), "inlinks_total": total}


class _Urls:
    """The URLs of records by their places, read from a file. State: what is open of it."""

    def __init__(self, path: Path, begins: "array[int]") -> None:
        self._path = path
        self._begins = begins
        self._bytes: mmap.mmap | bytes = b""

    def __enter__(self) -> Self:
        if self._begins[-1]:
            with self._path.open("rb") as file:
                self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return self

    def __exit__(self, *exc: object) -> None:
        if isinstance(self._bytes, mmap.mmap):
            self._bytes.close()

    def __getitem__(self, place: int) -> str:
        return self._bytes[self._begins[place] : self._begins[place + 1]].decode(errors="surrogatepass")


class _SortedRows:
    """Rows of one length, given back in the order of their bytes. State: those not sorted yet, and the sorted files."""

    def __init__(self, path: Path, length: int) -> None:
        self._path = path
        self._length = length
        self._rows: list[bytes] = []
        self._files: list[Path] = []

    def add(self, row: bytes) -> None:
        """Take one more."""
        self._rows.append(row)
        if len(self._rows) >= _SORTED_AT_ONCE:
            self._files.append(self._path.with_suffix(f".{len(self._files)}"))
            self._rows.sort()
            self._files[-1].write_bytes(b"".join(self._rows))
            self._rows = []

    def all(self) -> Iterator[bytes]:
        """Give all in order, once; no more are taken then."""
        self._rows.sort()
        yield from heapq.merge(self._rows, *(self._read(path.open("rb")) for path in self._files))

    def _read(self, file: BinaryIO) -> Iterator[bytes]:
        length = self._length
        with file:
            while block := file.read(length * (_READ_BYTES // length)):
                for at in range(0, len(block), length):
                    yield block[at : at + length]
