"""Where a crawl starts: URLs, files of URLs and standard input, read as a stream.

| source | what it is |
| --- | --- |
| `https://example.com/` | that URL |
| `*.txt` | one URL a line; ` # …` after a URL is a comment |
| `*.csv` | the first line names the columns, one of them `url`; separated by commas, semicolons or tabs |
| `*.jsonl` | one JSON object a line, with a key `url` |
| `-` | standard input: one of the three, by its first line |

In every format blank lines and lines that begin with `#` are left out (in CSV only before the line with the names).
A file may be gzip-compressed; its first bytes tell, and `.gz` after the suffix is left out of account. Another suffix,
or none, is judged by the first line, as standard input is. Text is UTF-8, with or without a byte-order mark.

The other columns or keys travel with the seed as its `extra`: text from CSV, any JSON value from JSON lines.
Seeds come out in the order in which they are written, duplicates included: the frontier knows what it has seen.
Memory does not grow with the number of lines or their length.
"""

import contextlib
import csv
import gzip
import io
import re
import stat
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

import msgspec
from msgspec import Struct
from xxhash import xxh3_64

from crawler.errors import SeedError, StorageError, UrlError
from crawler.model import Seed
from crawler.urls import MAX_URL_CHARS, normalise

__all__ = [
    "MAX_LINE_BYTES",
    "STDIN",
    "BadSeed",
    "check_sources",
    "fingerprint",
    "is_url",
    "looks_like_file",
    "printable",
    "read_seeds",
    "spool",
]

STDIN = "-"
"""The source that means standard input."""

MAX_LINE_BYTES = 1 << 20
"""Longest line, and longest row of CSV over all its lines; a longer one is a bad seed."""

_Format = Literal["txt", "csv", "jsonl"]

_FORMATS: dict[str, _Format] = {
    ".txt": "txt",
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
_DELIMITERS = ",;\t"
_SHOWN_CHARS = 100
_CHUNK_BYTES = 1 << 20
_SNIFF_BYTES = 8192
_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
_GZIP_MAGIC = b"\x1f\x8b"
# Tab, line feed, vertical tab, form feed, carriage return and escape do stand in text files.
_CONTROL_BYTES = bytes(byte for byte in range(0x20) if byte not in b"\t\n\v\f\r\x1b")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_COMMENT = re.compile(r"\s+#")
_HTTP = re.compile(r"https?://", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


class BadSeed(Struct, frozen=True):
    """A line that gives no seed.

    `place` is `file:line`, `value` what stands there (printable, cut at 100 characters, may be empty), `why` the
    reason in words. `str()` gives all three in one line.
    """

    place: str
    value: str
    why: str

    def __str__(self) -> str:
        """Return `seeds/a.txt:12: not an http(s) URL: 'htp://x'`."""
        return f"{self.place}: {self.why}: '{self.value}'" if self.value else f"{self.place}: {self.why}"


_OnBad = Callable[[BadSeed], None]


def read_seeds(sources: Sequence[str], on_bad: _OnBad, stdin: BinaryIO | None = None) -> Iterator[Seed]:
    """Return the seeds of `sources`, one by one; `stdin` is read where a source is `-`.

    A line without a usable URL goes to `on_bad`, which may raise to stop the reading; so does, in the end, a
    source without any seed, if others have some.

    Raises `SeedError` at once for a source that is neither an http(s) URL nor a file, and while reading for a
    file that cannot be read, looks binary or has no `url` column, and when there was no seed at all.
    """
    plan = check_sources(sources, stdin)
    return _seeds(plan, stdin, on_bad)


def fingerprint(sources: Sequence[str], stdin: BinaryIO | None = None) -> str:
    """Return 16 hex digits that change when the seeds do: xxh3_64 over the sources in their order.

    A URL counts by its normal form, a file by its bytes: its name does not matter, but another comment in it does,
    and a compressed copy differs from the plain one. `stdin` is read to its end.

    Raises `SeedError` like `read_seeds`.
    """
    digest = xxh3_64()
    for source in check_sources(sources, stdin):
        if is_url(source):
            digest.update(b"url\0" + normalise(source).encode() + b"\0")
            continue
        digest.update(b"file\0")
        size = 0
        with _reading(source), _opened(source, stdin) as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                size += len(chunk)
                digest.update(chunk)
        # With the size, the end of one file cannot pass for the start of the next.
        digest.update(size.to_bytes(8, "big"))
    return digest.hexdigest()


def spool(stdin: BinaryIO, path: Path) -> None:
    """Copy standard input to `path`, whole or not at all, so that it can be read more than once.

    Raises `StorageError` if it cannot be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as copy:
            while chunk := stdin.read(_CHUNK_BYTES):
                copy.write(chunk)
        part.replace(path)
    except OSError as error:
        raise StorageError(f"cannot keep standard input in {path}: {error.strerror}") from error


def is_url(source: str) -> bool:
    """Whether a source is meant as an http(s) URL rather than as a file."""
    return _HTTP.match(source) is not None


def looks_like_file(source: str) -> bool:
    """Whether a source can only be meant as a file: by its suffix or the start of its path."""
    if source.startswith(("/", "./", "../", "~")):
        return True
    return _plain_path(source).suffix.lower() in _FORMATS or source.lower().endswith(".gz")


def printable(text: str, limit: int | None = None) -> str:
    r"""Return text from outside fit for a terminal: one line, what does not print escaped (`\x1b`, `\u202e`).

    More than `limit` characters are cut there, with `…` to show it.
    """
    cut = text if limit is None or len(text) <= limit else text[: limit - 1] + "…"
    if cut.isprintable():
        return cut
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in cut)


def check_sources(sources: Sequence[str], stdin: BinaryIO | None = None) -> tuple[str, ...]:
    """Return `sources`, or refuse what can be refused before anything is read.

    Raises `SeedError` for a source that is neither an http(s) URL nor a regular file.
    """
    if not sources:
        raise SeedError("no seeds given: name a URL, a file of URLs, or - for standard input")
    if sources.count(STDIN) > 1:
        raise SeedError("standard input (-) is given twice as a source of seeds")
    for source in sources:
        if source == STDIN:
            if stdin is None:
                raise SeedError("standard input (-) is a source of seeds, but there is none")
        elif not source.strip():
            raise SeedError("a seed is empty: name a URL, a file of URLs, or - for standard input")
        elif is_url(source):
            try:
                normalise(source)
            except UrlError as error:
                raise SeedError(f"not an http(s) URL: '{printable(source, _SHOWN_CHARS)}'") from error
        else:
            _require_file(source)
    return tuple(sources)


def _require_file(source: str) -> None:
    shown = printable(source, _SHOWN_CHARS)
    if _SCHEME.match(source):
        raise SeedError(f"not an http(s) URL: '{shown}'")
    with _reading(source):
        try:
            mode = Path(source).stat().st_mode
        except (FileNotFoundError, NotADirectoryError, ValueError) as error:
            # ValueError: a NUL in the name.
            if looks_like_file(source):
                raise SeedError(f"no such file of seeds: '{shown}'") from error
            raise SeedError(f"'{shown}' is neither an http(s) URL nor a file{_proposal(source)}") from error
    if stat.S_ISDIR(mode):
        raise SeedError(f"'{shown}' is a folder; name the files of seeds in it")
    if not stat.S_ISREG(mode):
        # Seeds are read twice, once for their fingerprint; a pipe gives its bytes once.
        raise SeedError(f"'{shown}' is not a regular file; pipe it in and give - as the seed")


def _proposal(source: str) -> str:
    host = source.partition("/")[0]
    if "." not in host and ":" not in host and host != "localhost":
        return ""
    proposed = f"https://{source}"
    try:
        normalise(proposed)
    except UrlError:
        return ""
    return f"; did you mean {printable(proposed, _SHOWN_CHARS)} ?"


def _seeds(plan: tuple[str, ...], stdin: BinaryIO | None, on_bad: _OnBad) -> Iterator[Seed]:
    bad = 0

    def counted(seed: BadSeed) -> None:
        nonlocal bad
        bad += 1
        on_bad(seed)

    empty: list[str] = []
    for source in plan:
        found = False
        for seed in _source_seeds(source, stdin, counted):
            found = True
            yield seed
        if not found:
            empty.append(_name(source))
    if len(empty) == len(plan):
        lines = f" (bad lines: {bad:,})" if bad else ""
        raise SeedError(f"no seeds in {', '.join(empty)}{lines}")
    for name in empty:
        on_bad(BadSeed(name, "", "no seeds in it"))


def _source_seeds(source: str, stdin: BinaryIO | None, on_bad: _OnBad) -> Iterator[Seed]:
    if is_url(source):
        yield Seed(normalise(source), {})
        return
    name = _name(source)
    with _reading(source), _opened(source, stdin) as raw, _unzipped(raw) as stream:
        _refuse_binary(stream, name)
        lines = _Lines(stream, name, on_bad)
        kind = None if source == STDIN else _FORMATS.get(_plain_path(source).suffix.lower())
        yield from _READERS[kind or _sniffed(stream)](lines)


def _name(source: str) -> str:
    return "standard input" if source == STDIN else printable(source)


def _plain_path(source: str) -> Path:
    path = Path(source)
    return path.with_suffix("") if path.suffix.lower() == ".gz" else path


@contextlib.contextmanager
def _reading(source: str) -> Iterator[None]:
    """Turn what the file system and gzip say into `SeedError`."""
    try:
        yield
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise SeedError(f"{_name(source)}: damaged gzip file: {error}") from error
    except OSError as error:
        raise SeedError(f"cannot read {_name(source)}: {error.strerror or error}") from error


@contextlib.contextmanager
def _opened(source: str, stdin: BinaryIO | None) -> Iterator[io.BufferedReader]:
    if source != STDIN:
        with Path(source).open("rb") as stream:
            yield stream
        return
    # `check_sources` has seen that there is one. It belongs to the caller, so it is let go, not closed.
    borrowed: io.BufferedReader = io.BufferedReader(cast("io.RawIOBase", stdin), _SNIFF_BYTES)
    try:
        yield borrowed
    finally:
        borrowed.detach()


@contextlib.contextmanager
def _unzipped(stream: io.BufferedReader) -> Iterator[io.BufferedReader]:
    if stream.peek(2)[:2] != _GZIP_MAGIC:
        yield stream
        return
    with gzip.GzipFile(fileobj=stream) as plain:
        buffered: io.BufferedReader = io.BufferedReader(cast("io.RawIOBase", plain), 1 << 16)
        yield buffered


def _refuse_binary(stream: io.BufferedReader, name: str) -> None:
    head = stream.peek(_SNIFF_BYTES)[:_SNIFF_BYTES]
    if head.startswith(_UTF16_BOMS):
        raise SeedError(f"{name} looks binary, or is UTF-16 text; save it as UTF-8")
    controls = len(head) - len(head.translate(None, _CONTROL_BYTES))
    if b"\0" in head or controls * 10 > len(head):
        raise SeedError(f"{name} looks binary; seeds are text files: .txt, .csv or .jsonl, each also .gz")


def _sniffed(stream: io.BufferedReader) -> _Format:
    head = stream.peek(_SNIFF_BYTES)[:_SNIFF_BYTES].removeprefix(_BOM)
    for raw in head.splitlines():
        line = raw.decode("utf-8", "replace").strip()
        if line and not line.startswith("#"):
            if line.startswith("{"):
                return "jsonl"
            return "csv" if _columns(line) else "txt"
    return "txt"


class _Lines:
    """The lines of one source as text, without those that cannot be text: these go to `on_bad`.

    State, changed by each `next`: `number` of the line given last.
    """

    def __init__(self, stream: io.BufferedReader, name: str, on_bad: _OnBad) -> None:
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

    def bad(self, value: str, why: str, number: int | None = None) -> None:
        """Report line `number`, or the last one."""
        place = f"{self._name}:{self.number if number is None else number}"
        self._on_bad(BadSeed(place, printable(value, _SHOWN_CHARS), why))

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
            lines.bad(text, "no key 'url' with a text in this object")
        elif seed := _seed(url.strip(), values, lines, lines.number):
            yield seed


def _csv_seeds(lines: _Lines) -> Iterator[Seed]:
    header = next((line for line in lines if line.strip() and not line.startswith("#")), None)
    if header is None:
        return
    found = _columns(header)
    if found is None:
        names = printable(header.strip(), _SHOWN_CHARS)
        raise lines.refuse(f"no column 'url'; the first line must name the columns, but it is '{names}'")
    delimiter, columns = found
    twice = next((name for name in columns if name and columns.count(name) > 1), None)
    if twice is not None:
        raise lines.refuse(f"two columns are called '{printable(twice, _SHOWN_CHARS)}'")
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
        if any(row[len(columns) :]):
            why = f"{len(row)} values for {len(columns)} columns (put a value that holds {delimiter!r} in quotes)"
            lines.bad(delimiter.join(row), why, number)
            continue
        named = zip(columns, row, strict=False)
        extra = {name: value for at, (name, value) in enumerate(named) if name and at != url_at}
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
        lines.bad("", "no URL", number)
    elif _CONTROL.search(url):
        # Parsing as browsers do would drop tabs and line breaks, and so join two URLs into one.
        lines.bad(url, "control character in a URL", number)
    else:
        try:
            return Seed(normalise(url), extra)
        except UrlError:
            too_long = f"URL of more than {MAX_URL_CHARS:,} characters"
            lines.bad(url, too_long if len(url) > MAX_URL_CHARS else "not an http(s) URL", number)
    return None


_READERS: dict[_Format, Callable[[_Lines], Iterator[Seed]]] = {
    "txt": _text_seeds,
    "csv": _csv_seeds,
    "jsonl": _json_seeds,
}
