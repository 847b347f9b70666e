"""The lines of a source of seeds: text, CSV or JSON, one seed a line or row. What gives none is reported, not raised.

The formats are described in `frontier.seeds`.
"""

import csv
import io
import re
from collections.abc import Callable, Iterator
from typing import Any, Literal

import msgspec
from msgspec import Struct

from crawler.core.errors import SeedError, UrlError
from crawler.core.model import Seed
from crawler.core.printable import SHOWN_CHARS, printable
from crawler.web.urls import MAX_URL_CHARS, normalise

__all__ = [
    "MAX_LINE_BYTES",
    "BadSeed",
    "LineFormat",
    "OnBad",
    "extra_of",
    "line_format",
    "line_seeds",
    "parse_seed",
    "sitemap_url",
]

MAX_LINE_BYTES = 1 << 20
"""Longest line, and longest row of CSV over all its lines; a longer one is a bad seed."""

_SITEMAP = "sitemap:"
"""What stands before the URL of a seed of kind `sitemap`, in any case, as in robots.txt."""

LineFormat = Literal["txt", "csv", "jsonl"]

_TEXT_CHARS = 2_083
_DELIMITERS = ",;\t"
_BOM = b"\xef\xbb\xbf"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_COMMENT = re.compile(r"\s+#")


class BadSeed(Struct, frozen=True):
    """A line that gives no seed.

    `place` is `file:line`, `value` what stands there (printable, cut at 100 characters, may be empty), `why` the
    reason in words. `str()` gives all three in one line. Of a line, `text` is what stands there (printable, of at most
    2,083 characters), and `extra` the other columns, as far as they can be told; `is_line` says that it is one.
    """

    place: str
    value: str
    why: str
    text: str = ""
    extra: dict[str, Any] = {}
    is_line: bool = False

    def __str__(self) -> str:
        """Return `seeds/a.txt:12: not an http(s) URL: 'htp://x'`."""
        return f"{self.place}: {self.why}: '{self.value}'" if self.value else f"{self.place}: {self.why}"


OnBad = Callable[[BadSeed], None]
"""Takes what gives no seed. It may raise, to stop the reading."""


def sitemap_url(text: str) -> str | None:
    """Return what stands behind `sitemap:`, meant as a URL; None for a text without it."""
    return text[len(_SITEMAP) :] if text[: len(_SITEMAP)].lower() == _SITEMAP else None


def parse_seed(text: str, extra: dict[str, Any]) -> Seed:
    """Return the seed that is written `URL`, or `sitemap:URL`. Raises `UrlError` for anything else."""
    sitemap = sitemap_url(text)
    return Seed(normalise(text), extra) if sitemap is None else Seed(normalise(sitemap), extra, "sitemap")


def extra_of(seed: Seed) -> bytes:
    """Return the other columns of a seed as JSON, as its context has them."""
    return msgspec.json.encode(seed.extra) if seed.extra else b"null"


def line_format(head: bytes) -> LineFormat:
    """The format of a source that starts with `head`, judged by its first line that is neither blank nor a comment."""
    for raw in head.removeprefix(_BOM).splitlines():
        line = raw.decode("utf-8", "replace").strip()
        if line and not line.startswith("#"):
            if line.startswith("{"):
                return "jsonl"
            return "csv" if _columns(line) else "txt"
    return "txt"


def line_seeds(stream: io.BufferedReader, name: str, kind: LineFormat, on_bad: OnBad) -> Iterator[Seed]:
    """Read the seeds of `stream`, which error messages call `name`; other lines go to `on_bad`.

    Raises `SeedError` for CSV whose first line does not name a column `url`, or names a column twice.
    """
    return _READERS[kind](_Lines(stream, name, on_bad))


class _Lines:
    """The lines of one source as text, without those that cannot be text: these go to `on_bad`.

    State, changed by each `next`: `number` of the line given last.
    """

    def __init__(self, stream: io.BufferedReader, name: str, on_bad: OnBad) -> None:
        self._stream = stream
        self._name = name
        self._on_bad = on_bad
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        while raw := self._stream.readline(MAX_LINE_BYTES + 1):
            self.number += 1
            if len(raw) > MAX_LINE_BYTES:
                while not raw.endswith(b"\n") and (rest := self._stream.readline(MAX_LINE_BYTES)):
                    raw = rest
                self.bad("", f"line of more than {MAX_LINE_BYTES:,} bytes")
                continue
            try:
                return (raw.removeprefix(_BOM) if self.number == 1 else raw).decode()
            except UnicodeDecodeError:
                self.bad(raw.decode("utf-8", "backslashreplace").strip(), "not UTF-8 text")
        raise StopIteration

    def bad(self, value: str, why: str, number: int | None = None, extra: dict[str, Any] | None = None) -> None:
        """Report line `number`, or the last one."""
        place = f"{self._name}:{self.number if number is None else number}"
        shown, text = printable(value, SHOWN_CHARS), printable(value, _TEXT_CHARS)
        self._on_bad(BadSeed(place, shown, why, text, extra or {}, is_line=True))

    def refuse(self, why: str) -> SeedError:
        """Return the error for a source that is of no use as a whole."""
        return SeedError(f"{self._name}:{self.number}: {why}")


class _RowLines:
    """Lines for csv.reader, which joins lines while a quotation mark is open: not without end.

    State: characters of the row under way, set to 0 by whoever asks for the next row.
    """

    def __init__(self, lines: _Lines) -> None:
        self._lines = lines
        self.row_chars = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.row_chars += len(line)
        if self.row_chars > MAX_LINE_BYTES:
            raise csv.Error(f"row of more than {MAX_LINE_BYTES:,} characters; is a quotation mark missing?")
        return line


def _text_seeds(lines: _Lines) -> Iterator[Seed]:
    for line in lines:
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        comment = _COMMENT.search(text)
        if seed := _seed(text[: comment.start()] if comment else text, {}, lines, lines.number):
            yield seed


def _json_seeds(lines: _Lines) -> Iterator[Seed]:
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    for line in lines:
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        try:
            values = decode(text)
        except (msgspec.DecodeError, RecursionError) as error:
            # ValidationError, which says what stands there instead of an object, is a DecodeError too.
            lines.bad(text, f"not a JSON object ({error})")
            continue
        url = values.pop("url", None)
        if not isinstance(url, str):
            lines.bad(text, "no key 'url' with a text in this object", extra=values)
        elif seed := _seed(url.strip(), values, lines, lines.number):
            yield seed


def _csv_seeds(lines: _Lines) -> Iterator[Seed]:
    header = next((line for line in lines if line.strip() and not line.startswith("#")), None)
    if header is None:
        return
    found = _columns(header)
    if found is None:
        names = printable(header.strip(), SHOWN_CHARS)
        raise lines.refuse(f"no column 'url'; the first line must name the columns, but it is '{names}'")
    delimiter, columns = found
    twice = next((name for name in columns if name and columns.count(name) > 1), None)
    if twice is not None:
        raise lines.refuse(f"two columns are called '{printable(twice, SHOWN_CHARS)}'")
    url_at = next(at for at, name in enumerate(columns) if name.lower() == "url")
    # The reader's own limit for a field (csv.field_size_limit, 128 KiB) belongs to the whole process: left alone.
    row_lines = _RowLines(lines)
    rows = csv.reader(row_lines, delimiter=delimiter)
    while True:
        row_lines.row_chars = 0
        number = lines.number + 1
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            lines.bad("", f"not readable as CSV ({error})", number)
            continue
        if not any(row):
            continue
        named = zip(columns, row, strict=False)
        extra = {name: value for at, (name, value) in enumerate(named) if name and at != url_at}
        if any(row[len(columns) :]):
            why = f"{len(row)} values for {len(columns)} columns (put a value that holds {delimiter!r} in quotes)"
            lines.bad(delimiter.join(row), why, number, extra)
            continue
        url = row[url_at].strip() if url_at < len(row) else ""
        if seed := _seed(url, extra, lines, number):
            yield seed


def _columns(header: str) -> tuple[str, list[str]] | None:
    """Return the delimiter and the names of the columns, if one of them is `url`."""
    for delimiter in _DELIMITERS:
        try:
            names = [name.strip() for name in next(csv.reader([header], delimiter=delimiter), [])]
        except csv.Error:
            continue
        if any(name.lower() == "url" for name in names):
            return delimiter, names
    return None


def _seed(url: str, extra: dict[str, Any], lines: _Lines, number: int) -> Seed | None:
    if not url:
        lines.bad("", "no URL", number, extra)
    elif _CONTROL.search(url):
        # Parsing as browsers do would drop tabs and line breaks, and so join two URLs into one.
        lines.bad(url, "control character in a URL", number, extra)
    else:
        try:
            return parse_seed(url, extra)
        except UrlError:
            too_long = f"URL of more than {MAX_URL_CHARS:,} characters"
            lines.bad(url, too_long if len(url) > MAX_URL_CHARS else "not an http(s) URL", number, extra)
    return None


_READERS: dict[LineFormat, Callable[[_Lines], Iterator[Seed]]] = {
    "txt": _text_seeds,
    "csv": _csv_seeds,
    "jsonl": _json_seeds,
}
