"""Where a crawl starts: URLs, files of URLs and standard input, read as a stream.

| source | what it is |
| --- | --- |
| `https://example.com/` | that URL |
| `sitemap:https://example.com/map.xml` | the pages that this sitemap lists |
| `*.txt` | one URL a line; ` # …` after a URL is a comment |
| `*.csv` | the first line names the columns, one of them `url`; separated by commas, semicolons or tabs |
| `*.jsonl` | one JSON object a line, with a key `url` |
| `-` | standard input: one of the three, by its first line |

In every format blank lines and lines that begin with `#` are left out (in CSV only before the line with the names).
Where a URL stands, `sitemap:` and a URL may stand too.
A file may be gzip-compressed; its first bytes tell, and `.gz` after the suffix is left out of account. Another suffix,
or none, is judged by the first line, as standard input is. Text is UTF-8, with or without a byte-order mark.

The other columns or keys travel with the seed as its `extra`: text from CSV, any JSON value from JSON lines.
Seeds come out in the order in which they are written, duplicates included: the frontier knows what it has seen.
Memory does not grow with the number of lines or their length.
"""

import contextlib
import gzip
import io
import re
import shutil
import stat
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from xxhash import xxh3_64

from crawler.core.errors import SeedError, UrlError
from crawler.core.model import Seed
from crawler.core.printable import SHOWN_CHARS, printable
from crawler.core.refusal import refusal
from crawler.frontier.seed_lines import BadSeed, LineFormat, OnBad, line_format, line_seeds, parse_seed, sitemap_url
from crawler.web.gzip_members import GZIP_MAGIC
from crawler.web.urls import normalise

__all__ = [
    "STDIN",
    "BadSeed",
    "check_sources",
    "fingerprint",
    "is_seed",
    "is_url",
    "looks_like_file",
    "no_such_source",
    "read_seeds",
    "spool",
    "stream_seeds",
]

STDIN = "-"
"""The source that means standard input."""

_FORMATS: dict[str, LineFormat] = {
    ".txt": "txt",
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
_CHUNK_BYTES = 1 << 20
_SNIFF_BYTES = 8192
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
# Tab, line feed, vertical tab, form feed, carriage return and escape do stand in text files.
_CONTROL_BYTES = bytes(byte for byte in range(0x20) if byte not in b"\t\n\v\f\r\x1b")
_HTTP = re.compile(r"https?://", re.IGNORECASE)
_IPV4 = re.compile(r"[0-9.]+")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def read_seeds(sources: Sequence[str], on_bad: OnBad, stdin: BinaryIO | None = None) -> Iterator[Seed]:
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

    A URL counts by its normal form and its kind, a file by its bytes: its name does not matter, but another comment in
    it does, and a compressed copy differs from the plain one. `stdin` is read to its end.

    Raises `SeedError` like `read_seeds`.
    """
    digest = xxh3_64()
    for source in check_sources(sources, stdin):
        if is_seed(source):
            seed = parse_seed(source, {})
            mark = b"url\0" if seed.kind == "page" else seed.kind.encode() + b"\0"
            digest.update(mark + seed.url.encode() + b"\0")
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


def spool(stdin: BinaryIO, folder: Path) -> BinaryIO:
    """Return a copy of standard input that can be read more than once: a file in `folder` that has no name there.

    It is gone when it is closed, or the process ends however it ends: seeds may have passwords in them.

    Raises `StorageError` if it cannot be written.
    """
    try:
        with contextlib.ExitStack() as undo:
            copy = undo.enter_context(tempfile.TemporaryFile(dir=folder))
            shutil.copyfileobj(stdin, copy, _CHUNK_BYTES)
            copy.seek(0)
            undo.pop_all()
    except OSError as error:
        raise refusal(f"keep standard input in {folder}", error, "choose another --job") from error
    return copy


def is_url(source: str) -> bool:
    """Whether a source is meant as an http(s) URL rather than as a file."""
    return _HTTP.match(source) is not None


def is_seed(source: str) -> bool:
    """Whether a source is a seed itself rather than a file of seeds."""
    return is_url(source) or sitemap_url(source) is not None


def looks_like_file(source: str) -> bool:
    """Whether a source can only be meant as a file: by its suffix or the start of its path."""
    if source.startswith(("/", "./", "../", "~")):
        return True
    return _plain_path(source).suffix.lower() in _FORMATS or source.lower().endswith(".gz")


def check_sources(sources: Sequence[str], stdin: BinaryIO | None = None) -> tuple[str, ...]:
    """Return `sources`, or refuse what can be refused before anything is read.

    Raises `SeedError` for a source that is neither an http(s) URL, with or without `sitemap:`, nor a regular file.
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
        elif is_seed(source):
            try:
                parse_seed(source, {})
            except UrlError as error:
                raise SeedError(f"not an http(s) URL: '{printable(source, SHOWN_CHARS)}'") from error
        else:
            _require_file(source)
    return tuple(sources)


def _require_file(source: str) -> None:
    shown = printable(source, SHOWN_CHARS)
    if _SCHEME.match(source):
        raise SeedError(f"not an http(s) URL: '{shown}'")
    with _reading(source):
        try:
            mode = Path(source).stat().st_mode
        except (FileNotFoundError, NotADirectoryError, ValueError) as error:
            # ValueError: a NUL in the name.
            raise no_such_source(source) from error
    if stat.S_ISDIR(mode):
        raise SeedError(f"'{shown}' is a folder; name the files of seeds in it")
    if not stat.S_ISREG(mode):
        # Seeds are read twice, once for their fingerprint; a pipe gives its bytes once.
        raise SeedError(f"'{shown}' is not a regular file; pipe it in and give - as the seed")


def no_such_source(source: str, of: str = "of seeds") -> SeedError:
    """Return the error for what is neither a URL nor a file (`of` seeds), with the URL that may be meant."""
    shown = printable(source, SHOWN_CHARS)
    if looks_like_file(source):
        return SeedError(f"no such file {of}: '{shown}'")
    return SeedError(f"'{shown}' is neither an http(s) URL nor a file{_proposal(source)}")


def _proposal(source: str) -> str:
    host = source.partition("/")[0]
    if "." not in host and ":" not in host and host != "localhost":
        return ""
    # What has a port of its own, or is this machine, speaks TLS less often than not.
    scheme = "http" if ":" in host.removesuffix(":443") or host == "localhost" or _IPV4.fullmatch(host) else "https"
    proposed = f"{scheme}://{source}"
    try:
        normalise(proposed)
    except UrlError:
        return ""
    return f"; did you mean {printable(proposed, SHOWN_CHARS)} ?"


def _seeds(plan: tuple[str, ...], stdin: BinaryIO | None, on_bad: OnBad) -> Iterator[Seed]:
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


def _source_seeds(source: str, stdin: BinaryIO | None, on_bad: OnBad) -> Iterator[Seed]:
    if is_seed(source):
        yield parse_seed(source, {})
        return
    with _reading(source), _opened(source, stdin) as raw:
        yield from stream_seeds(raw, source, on_bad)


def stream_seeds(raw: io.BufferedReader, source: str, on_bad: OnBad) -> Iterator[Seed]:
    """Return the seeds of a file that is open already, one by one, as `read_seeds`; `source` is its name, or "-".

    Raises `SeedError` while reading, for what is no file of seeds.
    """
    name = _name(source)
    with _reading(source), _unzipped(raw) as stream:
        head = stream.peek(_SNIFF_BYTES)[:_SNIFF_BYTES]
        _refuse_binary(head, name)
        kind = None if source == STDIN else _FORMATS.get(_plain_path(source).suffix.lower())
        yield from line_seeds(stream, name, kind or line_format(head), on_bad)


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
        raise SeedError(f"{_name(source)}: damaged gzip file: {error}; get a whole copy of it") from error
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
    if stream.peek(2)[:2] != GZIP_MAGIC:
        yield stream
        return
    with gzip.GzipFile(fileobj=stream) as plain:
        buffered: io.BufferedReader = io.BufferedReader(cast("io.RawIOBase", plain), 1 << 16)
        yield buffered


def _refuse_binary(head: bytes, name: str) -> None:
    if head.startswith(_UTF16_BOMS):
        raise SeedError(f"{name} looks binary, or is UTF-16 text; save it as UTF-8")
    controls = len(head) - len(head.translate(None, _CONTROL_BYTES))
    if b"\0" in head or controls * 10 > len(head):
        raise SeedError(f"{name} looks binary; seeds are text files: .txt, .csv or .jsonl, each also .gz")
