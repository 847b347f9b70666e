"""What runs in a parser process: a downloaded page in, its record and its links out.

`parse_page` is the work, `main` the process around it, `ParserProcess` the other process's hold on it. A parser holds
nothing that matters: its caches make it faster, and losing them changes no outcome.
"""

import ctypes
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, MutableSequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property
from multiprocessing import connection, get_context, parent_process
from multiprocessing.queues import Queue
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from msgspec import Struct
from xxhash import xxh3_128_digest

from crawler.config import CrawlConfig, RobotsMode, ScopeKind
from crawler.extract import Extracted, cut_at_tag, extract, media_type, most_tags, with_breaks
from crawler.memory_limit import MemoryLimit, return_large_blocks
from crawler.model import Done, Link, Page
from crawler.new_links import NewLinks
from crawler.redirect import followed, redirect_scope
from crawler.robots import directives
from crawler.scope import Scope
from crawler.sniff import HTML_TYPES, sniffed_type
from crawler.urls import LinkResolver

if TYPE_CHECKING:
    from crawler.sitemap_page import SitemapReader

__all__ = [
    "BUSY_S",
    "MAX_REFRESH_S",
    "OUT_OF_MEMORY",
    "READY",
    "SLOTS",
    "STARTED_AT",
    "WORN",
    "Parse",
    "ParserProcess",
    "ParserSettings",
    "ParserState",
    "main",
    "new_counters",
    "parse_page",
]

READY = b""
"""What a parser sends once, before its first results: it has started and reads its inbox."""

OUT_OF_MEMORY = 71
"""Exit code of a parser that could not have the memory that it wanted."""

WORN = 72
"""Exit code of a parser that has swollen and wants to be replaced; it was at no page."""

MAX_REFRESH_S = 10
"""A page that sends its reader on by itself after at most this time counts as a redirect."""

STARTED_AT = 0
BUSY_S = 1
SLOTS = 2
"""A parser's share of the counters in shared memory: when the page under way was taken up (`time.monotonic`, 0 = none
is) and the seconds spent on pages so far. The parser writes both, the main process reads them."""

_PR_SET_PDEATHSIG = 1
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_encoder = msgspec.json.Encoder()
# Spawn, not forkserver: a SIGTERM to the whole process group would end the fork server, and with it the means to
# replace a parser while the crawl drains. Never fork: the pool has threads.
_context = get_context("spawn")


class ParserSettings(Struct, frozen=True):
    """The part of `CrawlConfig` that parsing needs; fields mean the same. Crosses to a parser as msgpack."""

    fields: tuple[str, ...]
    robots: RobotsMode
    user_agent: str
    scope: ScopeKind
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    depth: int | None
    max_body_bytes: int
    max_links: int
    max_chain: int | None
    parser_memory_bytes: int | None

    @classmethod
    def of(cls, config: CrawlConfig) -> "ParserSettings":
        """Take the settings out of a crawl's configuration."""
        return cls(**{name: getattr(config, name) for name in cls.__struct_fields__})


class ParserState:
    """What one parser keeps between pages: its settings, and two bounded caches (resolved links, links sent)."""

    def __init__(self, settings: ParserSettings) -> None:
        self.settings = settings
        self.want = frozenset(settings.fields)
        self.obey = settings.robots == "obey"
        limits = (settings.scope, settings.include, settings.exclude, settings.depth)
        self.links = NewLinks(Scope(*limits), settings.max_chain, obey=self.obey)
        self.redirect_scope = redirect_scope(*limits)
        self.resolver = LinkResolver()

    @cached_property
    def sitemaps(self) -> "SitemapReader":
        """What reads sitemaps."""
        from crawler.sitemap_page import SitemapReader  # noqa: PLC0415 - a tenth of a start, and most crawls need it not

        return SitemapReader(self.settings.scope, self.settings.include, self.settings.exclude)


def new_counters(parsers: int) -> MutableSequence[float]:
    """Return zeros in shared memory, `SLOTS` for each parser."""
    counters: MutableSequence[float] = _context.Array("d", parsers * SLOTS, lock=False)
    return counters


class Parse(Protocol):
    """What a parser does with a page. Runs in the parser process, so it must be importable there by its name."""

    __qualname__: str

    def __call__(self, page: Page, state: ParserState, /) -> Done:
        """Return how the page ends. An exception ends it as `failed: parser-error: <name of the exception>`."""


def parse_page(page: Page, state: ParserState) -> Done:
    """Return the record of a page, as one JSON line of the chosen fields, and its links, each with its verdict.

    Links are followed from HTML pages with a 2xx status; the record lists the links of every HTML page. `skip` of a
    link is the verdict of scope, or `trap` (see `crawler.traps`), or `nofollow` when robots are obeyed and the link,
    the page's `<meta name=robots>` or its X-Robots-Tag says so. The page itself, and links sent before (see
    `NewLinks`), are left out. Of a page with too many tags (`most_tags`) the rest is not read, and the record says
    `truncated`. With `noindex` obeyed, `title`, `description` and `text` of the record are null.

    An HTML page with a 2xx status that sends its reader to another URL within `MAX_REFRESH_S` is a redirect and has no
    record. A sitemap has none either: see `crawler.sitemap_page`.
    """
    if page.kind == "sitemap":
        return state.sitemaps.read(page)
    content_type = page.header("content-type")
    declared = media_type(content_type)
    sniffed = sniffed_type(declared, page.body)
    extracted: Extracted | None = None
    asked: frozenset[str] = frozenset()
    links: tuple[Link, ...] = ()
    cut = False
    if page.body and (sniffed or declared) in HTML_TYPES:
        succeeded = 200 <= page.status < 300
        body = cut_at_tag(page.body, most_tags(state.settings.max_body_bytes))
        cut = len(body) < len(page.body)
        extracted = extract(
            with_breaks(body), page.url, content_type, state.resolver, state.want, max_links=state.settings.max_links
        )
        if succeeded and (target := _refresh_target(page, extracted)) is not None:
            moved = followed(page, target, status=page.status, spent_s=page.spent_s, scope=state.redirect_scope)
            return msgspec.structs.replace(moved, body_bytes=page.body_bytes)
        if state.obey:
            tags = [value for name, value in page.headers if name == "x-robots-tag"]
            if tags or extracted.meta_robots:
                asked = directives(tags, extracted.meta_robots, state.settings.user_agent)
        if succeeded:
            links = state.links.take(page, extracted.hrefs, nofollow="nofollow" in asked)
    body_hash = xxh3_128_digest(page.body) if page.body else b""
    values = _values(page, extracted, noindex="noindex" in asked)
    values |= {
        "truncated": page.truncated or cut,
        "content_type": declared,
        "sniffed_type": sniffed,
        "body_hash": body_hash.hex() or None,
    }
    record = _encoder.encode({name: values.get(name) for name in state.settings.fields}) + b"\n"
    return Done(page.key, "fetched", "", page.status, record, links, page.body_bytes, body_hash=body_hash)


def main(
    *,
    inbox: "Queue[bytes | None]",
    results: "connection.Connection[bytes, bytes]",
    counters: MutableSequence[float],
    slot: int,
    settings: bytes,
    parse: Parse,
) -> None:
    """Parse what comes from `inbox` until None comes or the parent process is gone.

    `inbox` brings msgpack lists of `Page`, and for each of them one msgpack list of `Done`, in the same order, goes
    into `results`, after one `READY`. `counters[slot:slot + SLOTS]` are this parser's. `settings` is a msgpack
    `ParserSettings`. SIGINT and SIGTERM are ignored: a Ctrl-C reaches the whole process group, and the parent decides
    when to end. Standard output goes where standard error goes: the parent's may be the crawl's output.

    Ends the process with `OUT_OF_MEMORY` when memory runs out, at a page or anywhere else, and with `WORN` when it has
    swollen; then batches that lie in its inbox go to another.
    """
    _ignore_signals()
    _die_with_parent()
    _keep_to_itself()
    return_large_blocks()
    plain = msgspec.msgpack.decode(settings, type=ParserSettings)
    try:
        memory = MemoryLimit(plain.parser_memory_bytes)
        state = ParserState(plain)
        decoder = msgspec.msgpack.Decoder(list[Page])
        encoder = msgspec.msgpack.Encoder()
        results.send_bytes(READY)
        while (batch := inbox.get()) is not None:
            pages = decoder.decode(batch)
            done = []
            # A body is no longer needed when its page is done, and its message not at all.
            del batch
            pages.reverse()
            while pages:
                started_at = time.monotonic()
                counters[slot + STARTED_AT] = started_at
                done.append(_outcome(pages.pop(), state, parse))
                counters[slot + STARTED_AT] = 0.0
                counters[slot + BUSY_S] += time.monotonic() - started_at
            results.send_bytes(encoder.encode(done))
            del done
            if memory.is_worn():
                os._exit(WORN)
    except MemoryError:
        # Caches, or what a library holds on to: this process can do nothing any more that can be relied on.
        os._exit(OUT_OF_MEMORY)
    except OSError:
        # The inbox or the pipe is closed: by the parent, which has to do with this process no more, or by a page.
        os._exit(1)


class ParserProcess:
    """A parser as the process that started it sees it: started by making one, and to be discarded after its end.

    For the arguments see `main`; `inbox_size` is the number of messages that may lie in its inbox.
    """

    def __init__(
        self, counters: MutableSequence[float], slot: int, settings: bytes, parse: Parse, inbox_size: int
    ) -> None:
        self._inbox: Queue[bytes | None] = _context.Queue(inbox_size)
        # As concurrent.futures does: without it the queue's thread prints a traceback when its reader is gone.
        self._inbox._ignore_epipe = True  # type: ignore[attr-defined]  # noqa: SLF001 - no public way
        self.results, answers = _context.Pipe(duplex=False)
        self._process = _context.Process(
            target=main,
            kwargs={
                "inbox": self._inbox,
                "results": answers,
                "counters": counters,
                "slot": slot,
                "settings": settings,
                "parse": parse,
            },
            name=f"parser-{slot // SLOTS}",
            daemon=True,
        )
        # A new process inherits the mask, so a Ctrl-C cannot strike before it ignores the signal. Only now: the first
        # queue of a program starts multiprocessing's resource tracker, which unblocks both.
        blocks = hasattr(signal, "pthread_sigmask")
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS) if blocks else set()
        try:
            self._process.start()
        finally:
            if blocks:
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        # The parser's end must be open nowhere else, or its death would not end the pipe.
        answers.close()

    @property
    def sentinel(self) -> int:
        """What `multiprocessing.connection.wait` takes to wait for the end of the process."""
        return self._process.sentinel

    @property
    def exit_code(self) -> int | None:
        """Exit code, negative for the number of a signal; None while it runs."""
        return self._process.exitcode

    def give(self, message: bytes | None) -> None:
        """Put a message into the inbox without waiting. Raises `queue.Full` if there is no room."""
        self._inbox.put_nowait(message)

    def kill(self) -> None:
        """End it now, whatever it does."""
        self._process.kill()

    def end(self, patience_s: float) -> None:
        """Wait for its end, and kill it if that takes longer than `patience_s`."""
        self._process.join(patience_s)
        self._process.kill()
        self._process.join()

    def discard(self) -> None:
        """Close all that belongs to it, once it has ended.

        It may have died with its inbox locked, so the inbox goes with it. The thread that feeds the inbox may hang in a
        write that nobody reads; it goes on when no reader is left (newer Pythons: `Queue._terminate_broken`).
        """
        inbox: Any = self._inbox
        inbox._reader.close()  # noqa: SLF001 - see above
        inbox.close()
        inbox.join_thread()
        inbox._writer.close()  # noqa: SLF001 - the thread leaves it open when its write failed
        self.results.close()
        self._process.close()


def _with_body(page: Page) -> Page:
    """Give a large page back the body that came in a file."""
    if not page.body_file:
        return page
    return msgspec.structs.replace(page, body=Path(page.body_file).read_bytes(), body_file="")


def _outcome(page: Page, state: ParserState, parse: Callable[[Page, ParserState], Done]) -> Done:
    try:
        done: object = parse(_with_body(page), state)
    except MemoryError:
        raise
    except BaseException as error:  # noqa: BLE001 - one bad page is one failed URL, whatever is wrong with it
        # Only the kind: a message may hold anything that the page holds.
        why = type(error).__name__
    else:
        if isinstance(done, Done) and done.key == page.key:
            return done
        why = "TypeError"
    return Done(page.key, "failed", f"parser-error: {why}", page.status, None, (), page.body_bytes)


def _refresh_target(page: Page, extracted: Extracted) -> str | None:
    if extracted.refresh is None:
        return None
    delay_s, target = extracted.refresh
    return target if delay_s <= MAX_REFRESH_S and target != page.url else None


def _values(page: Page, extracted: Extracted | None, *, noindex: bool) -> dict[str, Any]:
    """Return the fields of a page's record by name; those that are missing are null."""
    values: dict[str, Any] = {
        "url": page.url,
        "status": page.status,
        "fetched_at": _rfc3339(page.fetched_at),
        "depth": page.depth,
        "parent": page.parent,
        "redirected_from": page.redirected_from,
        "body_bytes": page.body_bytes,
        "links": (),
        "links_dropped": 0,
        "seed": _one_line(page.seed.extra),
    }
    if extracted is not None:
        values["charset"] = extracted.charset
        values["language"] = extracted.language
        values["canonical"] = extracted.canonical
        values["links"] = [url for url, _ in extracted.hrefs]
        values["links_dropped"] = extracted.dropped_hrefs
        if not noindex:
            values["title"] = extracted.title
            values["description"] = extracted.description
            values["text"] = extracted.text
    return values


def _one_line(extra: bytes) -> msgspec.Raw:
    """Return a seed's JSON for a record; it stands there as it is, so it must not bring a line feed along."""
    return msgspec.Raw(msgspec.json.format(extra, indent=-1) if b"\n" in extra else extra)


def _rfc3339(unix_time_s: float) -> str:
    return datetime.fromtimestamp(unix_time_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _ignore_signals() -> None:
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        # Parsers are started with both blocked, so that none strikes before this point.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


def _keep_to_itself() -> None:
    """Leave no core dumps behind, and write nothing into the crawl's output."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    # Without a standard error there is nothing to protect, or nothing that can be done.
    with suppress(OSError):
        os.dup2(2, 1)


def _die_with_parent() -> None:
    """End this process with the one that started it, whatever ended that.

    A thread waits for the parent's end. It needs the GIL for that, which a C call may hold for long; on Linux the
    kernel needs nothing.
    """
    parent = parent_process()
    if parent is None:
        return
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent.pid:
            os._exit(1)

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
