"""The pages in WARC files, read one after the other: what a crawl stored, or another program.

Read are `response` records of http(s) URLs, and `revisit` records whose original was read before. An answer that only
points elsewhere is no page, nor is a sitemap that a crawl has read as one. What `web.warc` says of a page in its
`metadata` (depth, parent, hops, seed) is believed; a page of another program has depth 0.

Bodies are freed from chunks and Content-Encoding, within the limits that hold for downloads. Memory does not grow with
the number of pages: where each body stands is kept in a temporary database, which is on disk as soon as it is large.
"""

import re
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from crawler.core.errors import UrlError, UsageError
from crawler.core.model import Answer, Download, SeedContext, Task
from crawler.core.printable import printable
from crawler.fetcher.transport.base import is_redirect
from crawler.fetcher.transport.headers import clean_headers, content_encoding
from crawler.web.content_coding import CodingError, Undoing
from crawler.web.gzip_members import GZIP_MAGIC
from crawler.web.urls import normalise
from crawler.web.warc import FRAMING, RENAMED
from crawler.web.warc_records import DamagedError, WarcRecords

__all__ = ["Archive"]

_PIECE_BYTES = 65_536
_METADATA_BYTES = 1 << 20
_METADATA_LINES = 1_000  # of a crawl, at most some twenty
_DIGEST_CHARS = 256
_MOST_TOLD = 100
_LINE_BYTES = 4_096
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r?\n")
_FRAMING = frozenset(name.decode() for name in FRAMING)
_RENAMED = RENAMED.decode().lower()
_NO_SEED = b"null"
_YEAR_10000 = 253_402_300_799.0  # a second before it: a float may be rounded up


class _Told(Struct, frozen=True):
    """What a `metadata` record says of the page that comes next."""

    record: str
    depth: int = 0
    via: str | None = None
    is_sitemap: bool = False
    redirected_from: tuple[str, ...] = ()
    seed: bytes = _NO_SEED
    lastmod: str = ""


_NOTHING = _Told("")


class Archive:
    """The pages of WARC files (`.warc`, `.warc.gz` with a member for each record), in the order in which they stand.

    A page's body is cut at `max_body_bytes`. Keys of pages are their numbers, from 1 on. One thread uses it. State:
    `read_bytes` of `total_bytes` of the files, `left_out`, how many records gave no page, by reason, and `damaged`, a
    message for each place at which a file could not be read, for the first hundred of each file. What stands behind it
    is read if it can be found (`web.warc_records`).

    Raises `UsageError` if a file cannot be read or is not a WARC file.
    """

    def __init__(self, paths: Sequence[Path], max_body_bytes: int) -> None:
        self._paths = paths
        self._limit = max_body_bytes
        self.total_bytes = sum(map(_checked, paths))
        self.read_bytes = 0
        self.pages = 0
        self.left_out: Counter[str] = Counter()
        self.damaged: list[str] = []
        self._told = _NOTHING
        self._seen: sqlite3.Connection | None = None

    def close(self) -> None:
        """Forget where the bodies are."""
        if self._seen is not None:
            self._seen.close()

    @property
    def _originals(self) -> sqlite3.Connection:
        """Where each body stands. Made for the first page: an archive that nobody reads leaves nothing open."""
        if self._seen is None:
            # An empty name: SQLite keeps it in memory while it is small, else in a file that nobody else sees.
            self._seen = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            self._seen.execute("CREATE TABLE seen (digest TEXT PRIMARY KEY, file INT, offset INT) WITHOUT ROWID")
            self._seen.execute("BEGIN")
        return self._seen

    def __iter__(self) -> Iterator[Download]:
        before = 0
        for number, path in enumerate(self._paths):
            self._told = _NOTHING
            with path.open("rb") as file:
                for download in self._downloads(number, WarcRecords(file)):
                    self.read_bytes = before + file.tell()
                    if download is not None:
                        yield download
            before += path.stat().st_size
            self.read_bytes = before

    def _downloads(self, number: int, records: WarcRecords) -> Iterator[Download | None]:
        """Give the pages of one file, and None for a record that is none."""
        told = 0
        more = True
        while more:
            try:
                record = next(records, None)
                if record is None:
                    break
                yield self._page(record, number, records)
            except (DamagedError, OSError) as error:
                what = f"damaged at byte {records.offset:,}: {_words(error)}"
                more = isinstance(error, DamagedError) and records.read_on()
                told += 1
                if told <= _MOST_TOLD:
                    self._tell(number, what if more else f"{what}; nothing behind it was read")
        if told > _MOST_TOLD:
            self._tell(number, f"damaged at {told - _MOST_TOLD:,} places more")

    def _tell(self, number: int, what: str) -> None:
        self.damaged.append(f"{printable(str(self._paths[number]))}: {what}")

    def _page(self, record: Any, file: int, records: WarcRecords) -> Download | None:
        if record.rec_type == "metadata":
            self._told = _told(record)
        if record.rec_type not in {"response", "revisit"}:
            return None
        told = self._told if self._told.record == record.rec_headers.get_header("WARC-Record-ID") else _NOTHING
        try:
            url = normalise(record.rec_headers.get_header("WARC-Target-URI") or "")
        except UrlError:
            return self._without("no http(s) URL")
        if told.is_sitemap:
            return self._without("sitemap")
        if record.rec_type == "revisit":
            return self._revisited(record, url, told)
        digest = record.rec_headers.get_header("WARC-Payload-Digest")
        if digest and len(digest) <= _DIGEST_CHARS:
            self._originals.execute("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", (digest, file, records.offset))
        return self._made(url, told, record, record, records)

    def _revisited(self, record: Any, url: str, told: _Told) -> Download | None:
        """A page that has the body of another one, which is read once more."""
        digest = record.rec_headers.get_header("WARC-Payload-Digest")
        found = self._originals.execute("SELECT file, offset FROM seen WHERE digest = ?", (digest,)).fetchone()
        if found is None:
            return self._without("revisit of a page that was not read")
        with self._paths[found[0]].open("rb") as file:
            file.seek(found[1])
            records = WarcRecords(file)
            with suppress(DamagedError):  # it was told where the original stands
                original = next(records, None)
                if original is not None:
                    return self._made(url, told, record, original, records)
        return self._without("revisit of a page that was not read")

    def _made(self, url: str, told: _Told, record: Any, original: Any, records: WarcRecords) -> Download | None:
        """Make the page of `record` with the body of `original`, the last of `records`: as a rule the same record."""
        head = record.http_headers or original.http_headers
        status = _status(head)
        if status is None:
            return self._without("no HTTP answer")
        headers = clean_headers(head.headers, "utf-8", "surrogateescape")
        if is_redirect(status, headers):
            return self._without("redirect")
        try:
            body, truncated = _body(original, self._limit, records)
        except CodingError:
            return self._without("encoding")
        self.pages += 1
        task = Task(
            key=self.pages.to_bytes(16, "big"),
            url=url,
            depth=told.depth,
            parent=told.via,
            redirected_from=told.redirected_from,
            attempts=0,
            seed=SeedContext(1, (url,), told.seed),
            lastmod=told.lastmod,
        )
        truncated = truncated or original.rec_headers.get_header("WARC-Truncated") is not None
        answer = Answer(status, _restored(headers), body, len(body), truncated)
        return Download(task, answer, _unix_time(record.rec_headers.get_header("WARC-Date")))

    def _without(self, reason: str) -> Download | None:
        self.left_out[reason] += 1
        return None


def _checked(path: Path) -> int:
    """Size of a WARC file. Raises `UsageError` if it is none."""
    shown = printable(str(path))
    try:
        with path.open("rb") as file:
            WarcRecords(file).check_start()
            return path.stat().st_size
    except OSError as error:
        raise UsageError(f"cannot read {shown}: {error.strerror}") from error
    except DamagedError as error:
        raise UsageError(f"{shown} is not a WARC file: {_words(error)}") from error


def _words(error: Exception) -> str:
    """What an error says, on one line."""
    if isinstance(error, OSError):
        return str(error.strerror)
    return printable(" ".join(str(error).split()), 120)


def _told(record: Any) -> _Told:
    """Read what `web.warc.metadata` writes; of other programs' metadata nothing is taken."""
    lines = record.raw_stream.read(_METADATA_BYTES).decode("utf-8", "replace").split("\r\n", _METADATA_LINES)
    del lines[_METADATA_LINES:]
    pairs = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    values = dict(pairs)
    about = record.rec_headers.get_header("WARC-Concurrent-To")
    if not about or "outcome" not in values:
        return _NOTHING
    depth = values.get("depth", "")
    return _Told(
        about,
        int(depth) if depth.isdecimal() and len(depth) < 10 else 0,
        values.get("via"),
        values.get("kind") == "sitemap",
        tuple(value for name, value in pairs if name == "redirectedFrom"),
        _seed(values.get("seed", "null")),
        values.get("lastmod", ""),
    )


def _seed(text: str) -> bytes:
    """JSON of a seed's extra columns as a record may hold it: an object, else null."""
    try:
        extra = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return _NO_SEED
    return msgspec.json.encode(extra) if isinstance(extra, dict) else _NO_SEED


def _status(head: Any) -> int | None:
    """Status of an answer; None if it is none, or only an interim one."""
    code = "" if head is None else head.get_statuscode()
    return int(code) if len(code) == 3 and code.isascii() and code.isdecimal() and int(code) >= 200 else None


def _restored(headers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Give headers that `web.warc` has renamed their names back, and drop the length that stands for them."""
    renamed = {_RENAMED + name: name for name in _FRAMING}
    if not any(name in renamed for name, _ in headers):
        return headers
    return tuple((renamed.get(name, name), value) for name, value in headers if name != "content-length")


def _unix_time(date: str | None) -> float:
    """WARC-Date as unix time; 0 if it is none, or one that no record can show."""
    try:
        when = datetime.fromisoformat(date or "")
    except ValueError:
        return 0.0
    seconds = 0.0 if when.tzinfo is None else when.timestamp()
    return seconds if 0 <= seconds < _YEAR_10000 else 0.0


def _body(record: Any, limit: int, records: WarcRecords) -> tuple[bytes, bool]:
    """Return a record's body as a browser would see it, and whether it was cut at `limit` bytes."""
    stream = record.raw_stream
    headers = [(name.lower(), value) for name, value in record.http_headers.headers] if record.http_headers else []
    chunked = any(name == "transfer-encoding" and "chunked" in value.lower() for name, value in headers)
    pieces = _dechunked(stream) if chunked else _pieces(stream)
    first = next(pieces, b"")
    coding = content_encoding(headers)
    if coding.strip().lower() in {"gzip", "x-gzip"} and not first.startswith(GZIP_MAGIC):
        coding = ""  # stored decoded, with its old headers
    undoing = Undoing(coding, limit)
    body = BytesIO()
    for piece in chain((first,), pieces):
        for decoded in undoing.feed(piece):
            body.write(decoded)
        if undoing.full:
            break
    else:
        if not chunked:
            records.check_whole(record)
    undoing.finish()
    return body.getvalue(), undoing.truncated


def _pieces(stream: Any) -> Iterator[bytes]:
    while piece := stream.read(_PIECE_BYTES):
        yield piece


def _dechunked(stream: Any) -> Iterator[bytes]:
    """Give what a chunked body holds (RFC 9112 §7.1); a body that has no chunks after all, as it is."""
    started = False
    while line := stream.readline(_LINE_BYTES):
        size = _CHUNK.fullmatch(line)
        if size is None:
            if not started:
                yield line
                yield from _pieces(stream)
            return
        left = int(size[1], 16)
        if not left:
            return
        started = True
        while left:
            piece = stream.read(min(left, _PIECE_BYTES))
            if not piece:
                return
            left -= len(piece)
            yield piece
        stream.readline(_LINE_BYTES)
