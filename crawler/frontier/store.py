"""A job's durable state: RocksDB with one column family a kind of fact, written in whole batches.

    family    key                                  value
    urls      task key (of URL and kind)           one state byte + UrlRow (msgpack), or its queue key while it is due
    queue     host key, depth, sequence            URL key + UrlRow: what is due, in order, host by host
    later     due at (microseconds), URL key       UrlRow: retries that wait for their time
    bodies    xxh3_128(body)                       URL key: the first page with that body
    texts     band, fingerprint of a text          URL key (`frontier.duplicates`)
    seeds     seed number                          SeedContext (msgpack)
    hosts     host key                             HostState (msgpack)
    meta      name                                 versions, settings, counters, positions of sinks

A URL that has not ended has its row where it waits, so that a scan of the queue gives all that a task needs: to read
each row by its key would cost more than all else.

Everything put between two commits travels in one `WriteBatch`: after `kill -9` all of it is there or none.
Reads of URLs and bodies see what is pending; scans of `queue`, `later` and `texts` see what is committed, and the
callers (`frontier`, `window` and `duplicates`) know what they have pending. One thread uses a store.
"""

import contextlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Self

import msgspec
import rocksdict
from msgspec import Struct

from crawler.core.errors import JobError
from crawler.core.model import Kind, SeedContext
from crawler.core.refusal import refusal
from crawler.web.urls import NORMAL_FORM_VERSION

__all__ = ["ENDED", "QUEUED", "REOPENABLE", "SCHEMA_VERSION", "Store", "UrlRow", "queue_key", "queue_place"]

SCHEMA_VERSION = 4

QUEUED = b"q"
"""State byte of a URL that has not ended: due, waiting for a retry, or under way."""
ENDED = b"e"
"""State byte of a URL that ended for good."""
REOPENABLE = b"s"
"""State byte of a URL skipped for a reason that another link to it can lift (scope, depth, filter, nofollow, trap)."""

_VERSIONS = {"schema": SCHEMA_VERSION, "normal_form": NORMAL_FORM_VERSION}
_FAMILIES = ("urls", "queue", "later", "bodies", "texts", "seeds", "hosts", "meta")
_ADVICE = "if it is damaged, --fresh starts the job over"
_CACHE_BYTES = 64 << 20
"""Blocks, indexes and Bloom filters that stay in memory, for all families together."""
_MEMTABLE_BYTES = 16 << 20
"""Rows of one family that are gathered before they are written as a file; there are at most two such tables."""
_LEVEL_BYTES = 64 << 20
"""Files that are merged with each new one: keys are hashes, so each new file touches all of them."""
_HASHES_MEMTABLE_BYTES = 2 << 20
_KEY_BYTES = 16


class UrlRow(Struct, frozen=True, array_like=True, gc=False):
    """What the store knows of one URL. `outcome` is empty until it ended; `at` is the unix time of the last change.

    `parent` is the key of what led here (empty for a seed), `seq` its place in the order of discovery. `kind`,
    `chain` and `spent_s` are those of its `Task`; they are stored as small integers, one byte each as a rule.
    `parent_url` is there as long as the URL waits.
    """

    url: str
    depth: int
    parent: bytes
    seed: int
    redirected_from: tuple[str, ...]
    attempts: int
    seq: int
    at: float
    outcome: str = ""
    reason: str = ""
    status: int = 0
    is_sitemap: bool = False
    chain: int = 0
    spent_ms: int = 0
    lastmod: str = ""
    parent_url: str | None = None

    @property
    def kind(self) -> Kind:
        """What the URL is asked for as."""
        return "sitemap" if self.is_sitemap else "page"

    @property
    def spent_s(self) -> float:
        """Seconds of its deadline that redirects to it have used up, to a millisecond."""
        return self.spent_ms / 1000


def queue_key(host: bytes, depth: int, seq: int) -> bytes:
    """16 bytes that sort by host, then depth, then order of discovery: breadth first within a host."""
    return host + (min(depth, 0xFFFF) << 48 | seq).to_bytes(8, "big")


def queue_place(key: bytes) -> tuple[int, int]:
    """Depth and sequence in a queue key."""
    return int.from_bytes(key[8:10], "big"), int.from_bytes(key[10:], "big")


class Store:
    """The open store of one job. Not thread-safe: the ledger's thread opens, uses and closes it."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Open the store at `path`, making it if needed (not if `read_only`).

        Raises `StorageError` if the disk refuses and `JobError` if another version of the format made it.
        """
        self._path = path
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode_row = msgspec.msgpack.Decoder(UrlRow).decode
        self._decode_seed = msgspec.msgpack.Decoder(SeedContext).decode
        # State: the batch under construction, the URL rows, removed queue keys and new bodies in it.
        self._batch = rocksdict.WriteBatch(raw_mode=True)
        self._pending_urls: dict[bytes, bytes] = {}
        self._pending_removed: set[bytes] = set()
        self._pending_bodies: dict[bytes, bytes] = {}
        self._refuse_other_families()
        try:
            access = rocksdict.AccessType.read_only(False) if read_only else rocksdict.AccessType.read_write()
            cache = rocksdict.Cache(_CACHE_BYTES)
            families = {name: _options(cache) for name in _FAMILIES}
            for name in ("bodies", "texts"):
                families[name].set_write_buffer_size(_HASHES_MEMTABLE_BYTES)
                families[name].set_compression_type(rocksdict.DBCompressionType.none())  # hashes do not get smaller
            # Most keys asked for are in no table: a filter for those in memory, too.
            families["urls"].set_memtable_whole_key_filtering(True)
            families["urls"].set_memtable_prefix_bloom_ratio(0.1)
            self._db = rocksdict.Rdict(str(path), _options(cache), column_families=families, access_type=access)
        except Exception as error:  # rocksdict raises bare Exception
            raise refusal(f"open the store {path}", error, _ADVICE) from error
        self._families = {name: self._db.get_column_family(name) for name in _FAMILIES}
        self._handles = {name: self._db.get_column_family_handle(name) for name in _FAMILIES}
        self._urls, self._queue = self._families["urls"], self._families["queue"]
        self._check_versions(read_only=read_only)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _check_versions(self, *, read_only: bool) -> None:
        found = self.meta("versions")
        if found is None and not read_only:
            self.put_meta("versions", _VERSIONS)
            self.commit()
        elif found is not None and found != _VERSIONS:
            self.close()
            raise self._other_version(found)

    def _refuse_other_families(self) -> None:
        """Refuse a store with other families before it is opened for writing.

        That would add those it lacks, and then the version that made it could not open it any more.
        """
        try:
            families = set(rocksdict.Rdict.list_cf(str(self._path)))
            if families - {"default"} == set(_FAMILIES) or "meta" not in families:
                return
            options = _options(rocksdict.Cache(0))
            meta = rocksdict.Rdict(
                str(self._path),
                options,
                column_families={"meta": options},
                access_type=rocksdict.AccessType.read_only(False),
            )
            versions: Any = meta.get_column_family("meta").get(b"versions")
            meta.close()
        except Exception:  # noqa: BLE001 - rocksdict raises bare Exception; opening it in full says what is wrong
            return
        found = None if versions is None else msgspec.msgpack.decode(versions)
        if found is not None and found != _VERSIONS:
            raise self._other_version(found)

    def _other_version(self, found: Any) -> JobError:
        return JobError(
            f"{self._path}: made by another version of crawler (it has {found}, this one needs {_VERSIONS}): "
            "go on with that version, or start over with --fresh"
        )

    # URLs

    def url_values(self, keys: list[bytes]) -> list[bytes | None]:
        """What is known of each key: a state byte, and the queue key (see `put_waiting`) or the row (see `row`).

        None where the URL is unknown. Sees pending ones.
        """
        if not keys:
            return []
        pending = self._pending_urls
        stored: Any = self._urls.get(keys)  # type: ignore[arg-type]  # list is invariant
        return [pending.get(key, value) for key, value in zip(keys, stored, strict=True)] if pending else stored

    def pending_value(self, key: bytes) -> bytes | None:
        """What `url_values` gives for a URL that the open batch holds, else None. Does not look at the disk."""
        return self._pending_urls.get(key)

    def row(self, value: bytes) -> UrlRow:
        """Decode what `url_values` gave for a URL that has ended."""
        return self._decode_row(memoryview(value)[1:])

    def put_url(self, key: bytes, state: bytes, row: UrlRow) -> None:
        """Write or replace one URL that has ended or was skipped."""
        self._put_value(key, state + self._encode(row))

    def put_waiting(self, key: bytes, place: bytes = b"") -> None:
        """Make one URL known as one that has not ended; `place` is its queue key, if it may be given a better one."""
        self._put_value(key, QUEUED + place)

    def _put_value(self, key: bytes, value: bytes) -> None:
        self._pending_urls[key] = value
        self._batch.put(key, value, self._handles["urls"])

    def all_urls(self) -> Iterator[tuple[bytes, UrlRow]]:
        """Every committed URL as (state byte, row): first those that have ended."""
        for value in self._urls.values():
            if value[:1] != QUEUED:
                yield value[:1], self.row(value)
        for value in self._queue.values():
            yield QUEUED, self.waiting_row(value)
        for value in self._families["later"].values():
            yield QUEUED, self._decode_row(value)

    # Bodies and texts

    def add_bodies(self, bodies: list[tuple[bytes, bytes]]) -> list[bytes | None]:
        """Make (hash of a body, URL key) known, in one step; return the URL key of each body that was known already.

        None stands for a body that was not. Sees pending ones. The first URL of a body stays.
        """
        if not bodies:
            return []
        seen = self._pending_bodies
        stored: Any = self._families["bodies"].get([body for body, _ in bodies])
        put, handle = self._batch.put, self._handles["bodies"]
        firsts: list[bytes | None] = []
        for (body, url_key), value in zip(bodies, stored, strict=True):
            first: bytes | None = value or seen.get(body)
            firsts.append(first)
            if first is None:
                seen[body] = url_key
                put(body, url_key, handle)
        return firsts

    def put_text(self, place: bytes, url_key: bytes) -> None:
        """Make a text known at its place (see `frontier.duplicates`)."""
        self._batch.put(place, url_key, self._handles["texts"])

    def texts_from(self, place: bytes, *, backwards: bool) -> Iterator[tuple[bytes, bytes]]:
        """Committed (place of a text, URL key), the place itself and those after it, or before it if `backwards`."""
        entries: Any = self._families["texts"].items(from_key=place, backwards=backwards)
        return iter(entries)

    # Queue

    def enqueue(self, place: bytes, key: bytes, row: UrlRow) -> None:
        """Make a URL due at its place in the queue (`queue_key`)."""
        self._pending_removed.discard(place)
        self._batch.put(place, key + self._encode(row), self._handles["queue"])

    def dequeue(self, place: bytes) -> None:
        """Take a URL out of the queue."""
        self._pending_removed.add(place)
        self._batch.delete(place, self._handles["queue"])

    def scan_queue(self, lower: bytes, upper: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Committed (queue key, value) with lower <= queue key < upper, less those removed since the commit.

        The value begins with the 16 bytes of the URL's key; `waiting_row` decodes the rest.
        """
        bounds = rocksdict.ReadOptions()
        bounds.set_iterate_upper_bound(upper)
        entries: Any = self._queue.items(from_key=lower, read_opt=bounds)
        for place, value in entries:
            if place not in self._pending_removed:
                yield place, value

    def waiting_row(self, value: bytes) -> UrlRow:
        """Decode the row in a value of the queue."""
        return self._decode_row(memoryview(value)[_KEY_BYTES:])

    def next_host(self, after: bytes) -> bytes | None:
        """The first host key >= `after` (8 bytes) with committed queue entries, None past the last."""
        for key in self._keys("queue", from_key=after):
            if key not in self._pending_removed:
                return key[:8]
        return None

    # Retries

    def defer(self, at: float, key: bytes, row: UrlRow) -> None:
        """Let a URL wait until the unix time `at`."""
        self._batch.put(_later_key(at, key), self._encode(row), self._handles["later"])

    def take_due(self, now: float, limit: int) -> list[tuple[bytes, UrlRow]]:
        """Remove and return up to `limit` committed URLs whose time has come. Call at most once a commit."""
        bounds = rocksdict.ReadOptions()
        bounds.set_iterate_upper_bound(_later_key(now, b"\xff" * _KEY_BYTES))
        entries: Any = self._families["later"].items(read_opt=bounds)
        due = []
        for key, value in islice(entries, limit):
            self._batch.delete(key, self._handles["later"])
            due.append((key[8:], self._decode_row(value)))
        return due

    def next_due_at(self) -> float | None:
        """Unix time at which the first committed retry is due, None if there is none."""
        first = next(self._keys("later"), None)
        return None if first is None else int.from_bytes(first[:8], "big") / 1e6

    def _keys(self, family: str, **bounds: Any) -> Iterator[bytes]:
        return iter(self._families[family].keys(**bounds))  # type: ignore[arg-type]  # raw mode: keys are bytes

    # Seeds, hosts, meta

    def put_seed(self, context: SeedContext) -> None:
        """Write or replace what URLs inherit from one seed."""
        self._batch.put(context.number.to_bytes(8, "big"), self._encode(context), self._handles["seeds"])

    def seed(self, number: int) -> SeedContext:
        """A committed seed's context. Raises KeyError for a number that was never put."""
        value = self._families["seeds"].get(number.to_bytes(8, "big"))
        if value is None:
            raise KeyError(number)
        return self._decode_seed(value)

    def put_host(self, key: bytes, value: bytes) -> None:
        """Write or replace what is remembered of a host."""
        self._batch.put(key, value, self._handles["hosts"])

    def host(self, key: bytes) -> bytes | None:
        """What is remembered of a host as of the last commit."""
        value: bytes | None = self._families["hosts"].get(key)
        return value

    def put_meta(self, name: str, value: Any) -> None:
        """Write a named fact about the job, anything msgpack can hold."""
        self._batch.put(name.encode(), self._encode(value), self._handles["meta"])

    def meta(self, name: str) -> Any:
        """A committed fact about the job, None if it was never put."""
        value = self._families["meta"].get(name.encode())
        return None if value is None else msgspec.msgpack.decode(value)

    # Commit

    @property
    def dirty(self) -> bool:
        """True if something was put since the last commit."""
        return not self._batch.is_empty()

    @property
    def pending_rows(self) -> int:
        """URL rows that the next commit will write."""
        return len(self._pending_urls)

    def commit(self) -> None:
        """Write all that was put since the last commit, whole, and wait for the disk. Raises `StorageError`."""
        try:
            # Two steps on purpose: the write holds the GIL (about 1 µs a row), the wait for the disk does not.
            self._db.write(self._batch)
            self._db.flush_wal(sync=True)
        except Exception as error:  # rocksdict raises bare Exception
            raise refusal(f"write the store {self._path}", error, _ADVICE) from error
        self.forget()

    def forget(self) -> None:
        """Drop all that was put since the last commit."""
        self._batch = rocksdict.WriteBatch(raw_mode=True)
        self._pending_urls.clear()
        self._pending_removed.clear()
        self._pending_bodies.clear()

    def close(self) -> None:
        """Close the store; what was not committed is dropped. Safe to call twice."""
        if self._families:
            self._families.clear()
            self._handles.clear()
            del self._urls, self._queue
            # A disk that is full refuses even here. What was committed is in the log on the disk: nothing is lost.
            with contextlib.suppress(Exception):
                self._db.close()


def _later_key(at: float, url_key: bytes) -> bytes:
    return max(0, int(at * 1e6)).to_bytes(8, "big") + url_key


def _options(cache: rocksdict.Cache) -> rocksdict.Options:
    """Options of one family: small fixed memory, Bloom filters (most keys asked for are new), quick compaction.

    The deletion collector: the queue is deleted from its front; without it a scan would walk tombstones.
    """
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(True)
    options.create_missing_column_families(True)
    options.set_write_buffer_size(_MEMTABLE_BYTES)
    options.set_max_write_buffer_number(2)
    options.set_max_bytes_for_level_base(_LEVEL_BYTES)
    options.set_max_total_wal_size(64 << 20)
    options.set_max_open_files(128)
    options.set_keep_log_file_num(2)
    options.set_max_background_jobs(2)
    options.set_compression_type(rocksdict.DBCompressionType.lz4())
    options.add_compact_on_deletion_collector_factory(4096, 2048, 0.5)
    table = rocksdict.BlockBasedOptions()
    table.set_bloom_filter(10, False)
    table.set_cache_index_and_filter_blocks(True)
    table.set_block_cache(cache)
    options.set_block_based_table_factory(table)
    return options
