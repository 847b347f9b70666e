"""What runs in a parser process: a downloaded page in, its record and its links out.

`parse_page` is the work, `main` the process around it, `ParserProcess` the other process's hold on it. A parser holds
nothing that matters: its caches make it faster, and losing them changes no outcome.
"""

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, MutableSequence
from datetime import UTC, datetime
from multiprocessing import connection, get_context, parent_process
from multiprocessing.queues import Queue
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from crawler.config import CrawlConfig, RobotsMode, ScopeKind
from crawler.extract import Extracted, extract, is_html, media_type
from crawler.model import Done, Link, Page
from crawler.robots import directives
from crawler.scope import Scope
from crawler.urls import LinkResolver, host_key, url_key

__all__ = [
    "BUSY_S",
    "READY",
    "SLOTS",
    "STARTED_AT",
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

STARTED_AT = 0
BUSY_S = 1
SLOTS = 2
"""A parser's share of the counters in shared memory: when the page under way was taken up (`time.monotonic`, 0 = none
is) and the seconds spent on pages so far. The parser writes both, the main process reads them."""

_SENT_CHARS = 16 << 20
_SENT_ENTRY_CHARS = 150
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

    @classmethod
    def of(cls, config: CrawlConfig) -> "ParserSettings":
        """Take the settings out of a crawl's configuration."""
        return cls(**{name: getattr(config, name) for name in cls.__struct_fields__})


class ParserState:
    """What one parser keeps between pages: its settings, and two bounded caches (resolved links, links sent).

    A link is sent on once, and again only if it is found closer to a seed, or found to be followed after it was sent as
    skipped. `sent_chars` bounds the memory of that (default: about 100,000 ordinary URLs); past it, all is forgotten.
    """

    def __init__(self, settings: ParserSettings, sent_chars: int = _SENT_CHARS) -> None:
        self.settings = settings
        self.want = frozenset(settings.fields)
        self.obey = settings.robots == "obey"
        self.scope = Scope(settings.scope, settings.include, settings.exclude, settings.depth)
        self.resolver = LinkResolver()
        self._sent_chars = sent_chars
        self._left = sent_chars
        # URL -> smallest depth at which it was sent to be fetched, None = only sent as skipped.
        self._sent: dict[str, int | None] = {}

    def new_links(self, page: Page, hrefs: list[tuple[str, bool]], *, nofollow: bool) -> tuple[Link, ...]:
        """Return those links of a page that are news to the frontier. Takes them for sent; see `parse_page`."""
        depth = page.depth + 1
        anchors = page.seed.anchors
        sent = self._sent
        links = []
        news: dict[str, int | None] = {}
        for url, rel_nofollow in hrefs:
            before = sent.get(url, -1)
            if (before is not None and 0 <= before <= depth) or url == page.url:
                continue
            skip: str = self.scope.verdict(url, anchors, depth)
            if not skip and self.obey and (nofollow or rel_nofollow):
                skip = "nofollow"
            if skip and before != -1:
                continue
            links.append(Link(url, url_key(url), host_key(url), skip))
            news[url] = None if skip else depth
        # Only now, when nothing can fail any more: what is marked as sent must be sent.
        for url in news:
            self._left -= 0 if url in sent else len(url) + _SENT_ENTRY_CHARS
        if self._left < 0:
            sent.clear()
            self._left = self._sent_chars - sum(len(url) + _SENT_ENTRY_CHARS for url in news)
        sent.update(news)
        return tuple(links)


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
    link is the verdict of scope, or `nofollow` when robots are obeyed and the link, the page's `<meta name=robots>` or
    its X-Robots-Tag says so. The page itself, and links sent before (see `ParserState`), are left out. With `noindex`
    obeyed, `title`, `description` and `text` of the record are null.
    """
    content_type = page.header("content-type")
    extracted: Extracted | None = None
    asked: frozenset[str] = frozenset()
    if page.body and is_html(content_type, page.body):
        extracted = extract(page.body, page.url, content_type, state.resolver, state.want)
        if state.obey:
            tags = [value for name, value in page.headers if name == "x-robots-tag"]
            if tags or extracted.meta_robots:
                asked = directives(tags, extracted.meta_robots, state.settings.user_agent)
    record = _record(page, media_type(content_type), extracted, state.settings.fields, noindex="noindex" in asked)
    links: tuple[Link, ...] = ()
    if extracted is not None and 200 <= page.status < 300:
        links = state.new_links(page, extracted.hrefs, nofollow="nofollow" in asked)
    return Done(page.key, "fetched", "", page.status, record, links, page.body_bytes)


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
    when to end.
    """
    _ignore_signals()
    _die_with_parent()
    state = ParserState(msgspec.msgpack.decode(settings, type=ParserSettings))
    decoder = msgspec.msgpack.Decoder(list[Page])
    encoder = msgspec.msgpack.Encoder()
    results.send_bytes(READY)
    while (batch := inbox.get()) is not None:
        done = []
        for page in decoder.decode(batch):
            started_at = time.monotonic()
            counters[slot + STARTED_AT] = started_at
            done.append(_outcome(page, state, parse))
            counters[slot + STARTED_AT] = 0.0
            counters[slot + BUSY_S] += time.monotonic() - started_at
        results.send_bytes(encoder.encode(done))


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


def _outcome(page: Page, state: ParserState, parse: Callable[[Page, ParserState], Done]) -> Done:
    try:
        return parse(page, state)
    except Exception as error:  # noqa: BLE001 - one bad page is one failed URL, whatever is wrong with it
        # Only the kind: a message may hold anything that the page holds.
        return Done(page.key, "failed", f"parser-error: {type(error).__name__}", page.status, None, (), page.body_bytes)


def _record(
    page: Page, content_type: str | None, extracted: Extracted | None, fields: tuple[str, ...], *, noindex: bool
) -> bytes:
    values: dict[str, Any] = {
        "url": page.url,
        "status": page.status,
        "fetched_at": _rfc3339(page.fetched_at),
        "depth": page.depth,
        "parent": page.parent,
        "redirected_from": page.redirected_from,
        "content_type": content_type,
        "body_bytes": page.body_bytes,
        "truncated": page.truncated,
        "links": (),
        "seed": _one_line(page.seed.extra),
    }
    if extracted is not None:
        values["charset"] = extracted.charset
        values["language"] = extracted.language
        values["canonical"] = extracted.canonical
        values["links"] = [url for url, _ in extracted.hrefs]
        if not noindex:
            values["title"] = extracted.title
            values["description"] = extracted.description
            values["text"] = extracted.text
    return _encoder.encode({name: values.get(name) for name in fields}) + b"\n"


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
