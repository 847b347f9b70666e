"""A job's durable state: one table for each kind of fact, all of them written in whole batches.

    table     key                                  value
    urls      task key (of URL and kind)           one state byte + UrlRow (msgpack), or its queue key while it is due
    queue     host key, depth, sequence            URL key + UrlRow: what is due, in order, host by host
    later     due at (microseconds), URL key       UrlRow: retries that wait for their time
    bodies    xxh3_128(body, the job's number)     URL key: the first page with that body
    texts     band, fingerprint of a text          URL key (`frontier.duplicates`)
              letter, key of a URL or a host       what parameters do to pages (`frontier.groups`)
              letter, key of a URL                 what another shard was told of its URL (`frontier.sent_links`)
    seeds     seed number                          SeedContext (msgpack)
              letter, URL key or seed number       rows of the seeds that have no record yet (`frontier.seed_rows`)
              "x", hash of a row of a list         the row, which is no URL
              letters, key of a URL                what else is known of redirects (`frontier.redirects`), and what
                                                   other shards want to have read again (`frontier.rereads`)
    hosts     host key, name of a row              what is known of a host (`core.host_rows`)
    meta      name                                 versions, settings, counters, positions of sinks
              "sample:", run, number               Sample (msgpack, by names): the time series (`frontier.samples`)
              letters, destination, mark           what other shards are told (`frontier.outbox_rows`)

A URL that has not ended has its row where it waits, so that a scan of the queue gives all that a task needs: to read
each row by its key would cost more than all else.

Reads of URLs and bodies see what is pending; scans of `queue`, `later` and `texts` see what is committed, and the
callers (`frontier`, `window` and `duplicates`) know what they have pending. One thread uses a store.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import msgspec

from crawler.core.counters import Counters
from crawler.core.errors import JobError
from crawler.core.model import Seed, SeedContext
from crawler.core.shard import SEED_BITS
from crawler.frontier.bad_rows import BadRows
from crawler.frontier.contents import Contents
from crawler.frontier.database import Database
from crawler.frontier.groups import Groups
from crawler.frontier.keys import Keys, new_seed
from crawler.frontier.known import KnownUrls
from crawler.frontier.link_lists import LinkLists
from crawler.frontier.outbox_rows import OutboxRows
from crawler.frontier.queue import UrlQueue
from crawler.frontier.redirects import Redirects
from crawler.frontier.rereads import Rereads
from crawler.frontier.retries import Retries
from crawler.frontier.row import QUEUED, UrlRow
from crawler.frontier.samples import Samples
from crawler.frontier.seed_lines import extra_of
from crawler.frontier.seed_rows import SeedRows
from crawler.frontier.sent_links import SentLinks
from crawler.web.urls import NORMAL_FORM_VERSION

__all__ = ["SCHEMA_VERSION", "Store"]

SCHEMA_VERSION = 4

_LAST_SEED = b"\x01"
"""Greater than the key of any seed: numbers are below 2^56."""

_FOREIGN_SEED = (1 << SEED_BITS).to_bytes(8, "big")
"""Less than the key of any seed of another shard, greater than that of any of this one (`core.shard`)."""
_HOSTS_IN_PARTS = "hosts_in_parts"
"""Says that the job was begun by a version that has a host's rows apart (`core.host_rows`)."""
_VERSIONS = {"schema": SCHEMA_VERSION, "normal_form": NORMAL_FORM_VERSION}


class Store:
    """The open store of one job. Not thread-safe: the ledger's thread opens, uses and closes it.

    `has_whole_hosts`: rows of hosts may be there as earlier versions wrote them (`core.host_rows`). `incarnation`: how
    often the store of a shard began anew from a checkpoint (`core.shard`).
    """

    def __init__(
        self, path: Path, *, read_only: bool = False, hash_seed: int | None = None, incarnation: int | None = None
    ) -> None:
        """Open the store at `path`, making it if needed (not if `read_only`).

        A new one gets the number `hash_seed` for its keys, if that is given; `incarnation` is kept if it is.
        Raises `StorageError` if the disk refuses and `JobError` if another version of the format made it, or if its
        keys have another number than `hash_seed`.
        """
        self._database = database = Database(path, _VERSIONS, read_only=read_only)
        self.urls = KnownUrls(database.table("urls"))
        self.queue = UrlQueue(database.table("queue"))
        self.retries = Retries(database.table("later"))
        self.contents = Contents(database.table("bodies"), database.table("texts"))
        self.groups = Groups(database.table("texts"))
        self.rows = SeedRows(database.table("seeds"))
        self.bad_rows = BadRows(database.table("seeds"))
        self._seeds, self._hosts, self._meta = map(database.table, ("seeds", "hosts", "meta"))
        self.host_items = self._hosts.items  # all rows of hosts, as of the last commit
        self.samples = Samples(database.table("meta"))
        self.link_lists = LinkLists(self._meta)
        self.outbox = OutboxRows(self._meta)
        self.sent = SentLinks(database.table("texts"))
        self.redirects = Redirects(self._seeds)
        self.rereads = Rereads(self._seeds)
        self._encode = msgspec.msgpack.Encoder().encode
        self.keys = Keys(self._settled_seed(hash_seed, read_only=read_only))
        self.incarnation: int = self.meta("incarnation") or 0
        if incarnation is not None and incarnation != self.incarnation:
            self.incarnation = incarnation
            self.put_meta("incarnation", incarnation)
            self.commit()
        self.has_whole_hosts = not self.meta(_HOSTS_IN_PARTS)
        self._decode_seed = msgspec.msgpack.Decoder(SeedContext).decode

    def _settled_seed(self, given: int | None, *, read_only: bool) -> int:
        """The number with which this job's keys are made: a new one before the job is anything, 0 of an old job."""
        kept = self.meta("hash_seed")
        if kept is not None and given is not None and kept != given:
            self.close()
            raise JobError("the store is that of another job: its keys have another number than those of this one")
        if kept is None and not read_only and self.meta("job") is None:
            kept = new_seed() if given is None else given
            self.put_meta("hash_seed", kept)
            self.put_meta(_HOSTS_IN_PARTS, value=True)
            self.commit()
        return kept or 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def all_urls(self) -> Iterator[tuple[bytes, UrlRow]]:
        """Give every committed URL as (state byte, row): first those that have ended."""
        for _, state, row in self.urls.ended():
            yield state, row
        for rows in (self.queue.rows(), self.retries.rows()):
            for row in rows:
                if not row.outcome:  # else it has ended, and is read again
                    yield QUEUED, row

    # Seeds, hosts, meta

    def put_seed(self, context: SeedContext) -> None:
        """Write or replace what URLs inherit from one seed."""
        self._seeds.put(context.number.to_bytes(8, "big"), self._encode(context))

    def seed(self, number: int) -> SeedContext:
        """Return a committed seed's context. Raises KeyError for a number that was never put."""
        value = self._seeds.get(number.to_bytes(8, "big"))
        if value is None:
            raise KeyError(number)
        return self._decode_seed(value)

    def is_seed(self, number: int, seed: Seed) -> bool:
        """Whether a number is that of a seed, as it was committed; True for one that was no seed at all."""
        value = self._seeds.get(number.to_bytes(8, "big"))
        if value is None:
            return True
        context = self._decode_seed(value)
        return (context.anchors[0], context.extra) == (seed.url, extra_of(seed))

    def seeds(self, *, foreign: bool = False) -> Iterator[SeedContext]:
        """Give the contexts of all committed seeds, in the order of their numbers; with `foreign`, of other shards."""
        return (
            self._decode_seed(value) for _, value in self._seeds.items(b"", _LAST_SEED if foreign else _FOREIGN_SEED)
        )

    @property
    def last_seed(self) -> int:
        """The largest number of a committed seed, 0 without any."""
        key, _ = next(self._seeds.items(_FOREIGN_SEED, backwards=True), (b"", b""))
        return int.from_bytes(key, "big") if key < _FOREIGN_SEED else 0

    def put_host(self, key: bytes, value: bytes) -> None:
        """Write or replace a row of a host."""
        self._hosts.put(key, value)

    def host(self, key: bytes) -> bytes | None:
        """Return a row of a host as of the last commit."""
        return self._hosts.get(key)

    def host_rows(self, keys: list[bytes]) -> Sequence[bytes | None]:
        """Return rows of hosts as of the last commit."""
        return self._hosts.get_all(keys)

    def put_meta(self, name: str, value: Any) -> None:
        """Write a named fact about the job, anything msgpack can hold."""
        self._meta.put(name.encode(), self._encode(value))

    def meta(self, name: str) -> Any:
        """Return a committed fact about the job, None if it was never put."""
        value = self._meta.get(name.encode())
        return None if value is None else msgspec.msgpack.decode(value)

    @property
    def counters(self) -> Counters:
        """The committed counters; a copy each time."""
        saved = self.meta("counters")
        if not saved:
            return Counters()
        # Earlier versions did not count records: of those that have no spider there is one a page.
        return msgspec.convert({"records": saved["pages"], **saved}, Counters)

    # Commit

    @property
    def dirty(self) -> bool:
        """True if something was put since the last commit."""
        return bool(self.pending_rows) or self.queue.is_changed or not self._database.batch.is_empty()

    @property
    def pending_rows(self) -> int:
        """Rows of URLs that the next commit will write."""
        return self.urls.pending_rows + self.sent.pending_rows

    def commit(self) -> None:
        """Write all that was put since the last commit, whole, and wait for the disk. Raises `StorageError`."""
        self.urls.write()
        self.queue.write()
        self.sent.write()
        self._database.commit()
        self._forget()

    def checkpoint(self, folder: Path) -> None:
        """Make of all that is committed a store of its own in `folder`, which must not be there, on the same disk.

        Its files are links to those of this one, where they can be: it takes little room until these are merged and go.
        Writes what is in memory to files first (about 1 µs a row that came since the last time), and then holds the GIL
        for some 10 ms. Raises `StorageError`.
        """
        self._database.checkpoint(folder)

    def forget(self) -> None:
        """Drop all that was put since the last commit."""
        self._database.forget()
        self._forget()

    def close(self) -> None:
        """Close the store; what was not committed is dropped. Safe to call twice."""
        self._database.close()

    def _forget(self) -> None:
        self.urls.forget()
        self.queue.forget()
        self.contents.forget()
        self.groups.forget()
        self.rows.forget()
        self.sent.forget()
