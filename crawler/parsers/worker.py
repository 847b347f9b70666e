"""What runs in a parser process, round the work of `reading.reader`, and the signs by which it tells how it is.

A parser holds nothing that matters: its caches make it faster, and losing them changes no outcome.
"""

import ctypes
import os
import resource
import signal
import sys
import threading
from collections.abc import MutableSequence
from contextlib import suppress
from multiprocessing import connection, parent_process
from multiprocessing.queues import Queue

import msgspec

from crawler.core.errors import CrawlerError
from crawler.core.model import Done, Download
from crawler.parsers.memory import MemoryLimit, return_large_blocks
from crawler.parsers.page_clock import PageClock
from crawler.parsers.reading.page_end import page_end
from crawler.parsers.reading.reader import PageReader, Parse, parse_page
from crawler.parsers.reading.settings import ParserSettings
from crawler.parsers.signs import BEGUN, BUSY_S, OUT_OF_MEMORY, READY, SIGNALS, STARTED_AT, WORN

__all__ = ["NICENESS", "main"]

NICENESS = 5
"""How much a parser steps back behind the process that downloads, which has to answer at once: with all cores busy the
event loop was half as late, and no fewer pages were parsed."""

_SLOW_S = 0.1

_PR_SET_PDEATHSIG = 1


def main(
    *,
    inbox: "Queue[bytes | None]",
    results: "connection.Connection[bytes, bytes]",
    counters: MutableSequence[float],
    slot: int,
    settings: bytes,
    parse: Parse | None,
) -> None:
    """Parse what comes from `inbox` until None comes or the parent process is gone.

    `inbox` brings msgpack pairs: whether pages may be large, and a list of `Download`. For each of them one such pair
    goes into `results`, after one `READY`: a list of `Done`, and one of the seconds that each page took, in the same
    order. None stands for a page that shows to be large when decoded and may not be: it has to wait for its turn.
    A batch ends behind a slow page: those that have no answer go to another parser. `parse` None is `parse_page`.
    `counters[slot:slot + SLOTS]` are this parser's. `settings` is a msgpack `ParserSettings`. SIGINT and SIGTERM are
    ignored: a Ctrl-C reaches the whole process group, and the parent decides when to end. Standard output goes where
    standard error goes: the parent's may be the crawl's output.

    Ends the process with `OUT_OF_MEMORY` when memory runs out, at a page or anywhere else, and with `WORN` when it has
    swollen; then batches that lie in its inbox go to another.
    """
    _ignore_signals()
    _die_with_parent()
    _keep_to_itself()
    os.nice(NICENESS)
    return_large_blocks()
    parse = parse_page if parse is None else parse
    plain = msgspec.msgpack.decode(settings, type=ParserSettings)
    try:
        memory = MemoryLimit(plain.parser_memory_bytes)
        reader = _reader(plain)
        decoder = msgspec.msgpack.Decoder(tuple[bool, list[Download]])
        encoder = msgspec.msgpack.Encoder()
        clock = PageClock()
        results.send_bytes(READY)
        while (batch := inbox.get()) is not None:
            large, downloads = decoder.decode(batch)
            done: list[Done | None] = []
            times: list[float] = []
            # A body is no longer needed when its page is done, and its message not at all.
            del batch
            downloads.reverse()
            clock.begin_batch()
            while downloads:
                counters[slot + BEGUN] += 1
                counters[slot + STARTED_AT] = clock.begin()
                done.append(page_end(downloads.pop(), reader, parse, large=large))
                counters[slot + STARTED_AT] = 0.0
                passed_s, took_s = clock.end()
                times.append(took_s)
                counters[slot + BUSY_S] += passed_s
                if took_s > _SLOW_S:
                    downloads.clear()  # they are to wait for no other slow page
            results.send_bytes(encoder.encode((done, times)))
            del done
            if memory.is_worn():
                os._exit(WORN)
    except MemoryError:
        # Caches, or what a library holds on to: this process can do nothing any more that can be relied on.
        os._exit(OUT_OF_MEMORY)
    except OSError:
        # The inbox or the pipe is closed: by the parent, which has to do with this process no more, or by a page.
        os._exit(1)


def _reader(settings: ParserSettings) -> PageReader:
    """Import the spider. A module that calls `sys.exit` is a mistake to be told like others, and has no say here."""
    try:
        return PageReader(settings)
    except SystemExit as error:
        raise CrawlerError(f"the spider's module calls sys.exit({error.code!r}) when it is imported") from error


def _ignore_signals() -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        # Parsers are started with both blocked, so that none strikes before this point.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


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
