"""Standard output: a pipe or a terminal that another program has set not to block gets every record whole."""

import fcntl
import os
import pty
import threading
import time
import tty
from collections.abc import Callable

import pytest

from crawler.core.model import Finished
from crawler.ledger.sinks.stdout import StdoutSink


def page(number: int) -> Finished:
    line = b'{"url":"http://a.example/%d","text":"%s"}\n' % (number, b"word " * 1_000)
    return Finished(url=f"http://a.example/{number}", outcome="fetched", at=0.0, records=line)


def terminal() -> tuple[int, int]:
    """A terminal that passes bytes on as they are."""
    reader, writer = pty.openpty()
    tty.setraw(writer)
    return reader, writer


@pytest.mark.parametrize("opened", [os.pipe, terminal], ids=["pipe", "terminal"])
def test_records_are_whole_where_a_write_may_not_wait(opened: Callable[[], tuple[int, int]]):
    reader, writer = opened()
    os.set_blocking(writer, False)
    expected = b"".join(page(number).records or b"" for number in range(100))
    read: list[bytes] = []

    def take() -> None:
        time.sleep(0.1)  # until it is full
        while sum(map(len, read)) < len(expected) and (data := os.read(reader, 8_192)):
            read.append(data)

    thread = threading.Thread(target=take)
    thread.start()
    sink = StdoutSink(writer)
    sink.open(None)
    for number in range(0, 100, 10):
        sink.write([page(number + more) for more in range(10)])
    assert sink.flush() == {"offset": len(expected)}
    thread.join()
    assert b"".join(read) == expected
    assert not fcntl.fcntl(reader, fcntl.F_GETFL) & os.O_NONBLOCK
    os.close(writer)
    os.close(reader)


def test_a_reader_that_goes_away_while_there_is_no_room_ends_it():
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    threading.Timer(0.2, os.close, [reader]).start()
    with pytest.raises(BrokenPipeError):
        StdoutSink(writer).write([page(number) for number in range(100)])
    os.close(writer)
