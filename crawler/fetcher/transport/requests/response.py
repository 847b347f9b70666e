"""Heads of answers for the transport on requests: read as strictly as the default transport reads them.

http.client by itself takes a head that breaks off as complete, breaks a line at a bare CR, passes over interim answers
without end, knows only one of them, and believes lengths like `+5`. Here each of these ends the fetch.

This is the one file that leans on what http.client does not promise; tests/fetcher/transport/test_private_parts.py
names what has changed in another version of Python. Of its `HTTPResponse` the parts are:

- `fp`: the file that all is read from, made of the socket, with the head by its `readline` alone; None after a first
  line that is not a status line. `begin()` reads the head, once: `headers`, which is `msg`, is None before it.
- `_read_status()` reads a status line; `http.client.parse_headers(file)` the rest of a head.
- `chunked`, `chunk_left` and `length` say how the body ends; `_read_and_discard_trailer()` reads what follows the last
  chunk; `_close_conn()` is called once the answer has come to its end.
- urllib3's `assert_header_parsing(headers)` raises HeaderParsingError for what is not a header.
"""

import http.client
import io
import socket
from contextlib import suppress
from typing import Any

import urllib3.exceptions
from urllib3.util.response import assert_header_parsing

from crawler.fetcher.transport.headers import MOST_INTERIM_ANSWERS, HeadError, one_length

__all__ = ["StrictResponse"]

_MOST_TRAILERS = 100  # http.client's own number for headers; it has none for trailers
_MOST_LINE_BYTES = 65_536


class _HeadError(HeadError, http.client.HTTPException):
    """One that urllib3 knows how to pass on."""


class StrictResponse(http.client.HTTPResponse):
    """An answer of http.client whose head is checked, and whose connection ends if more came than was asked for."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self._wire = _Wire(sock)
        self.fp = io.BufferedReader(self._wire)

    def begin(self) -> None:
        """Read the head. Raises `HeadError` and the exceptions of http.client."""
        if self.headers is not None:
            return
        buffered = self.fp
        self.fp = _Head(buffered)  # as much of a file as http.client needs for a head
        try:
            super().begin()
        finally:
            if self.fp is not None:
                self.fp = buffered
            else:
                buffered.close()
        try:
            assert_header_parsing(self.msg)
        except urllib3.exceptions.HeaderParsingError as error:
            raise _HeadError("a header that is none") from error
        self._check_framing()

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(MOST_INTERIM_ANSWERS + 1):
            version, status, reason = super()._read_status()  # type: ignore[misc]  # not in typeshed
            if not 100 <= status < 200 or status == 101:
                return version, status, reason
            http.client.parse_headers(self.fp)
        raise _HeadError(f"more than {MOST_INTERIM_ANSWERS} interim answers")

    def _check_framing(self) -> None:
        """Where the body ends must be beyond doubt (RFC 9112 §6.3), or the rest of it becomes the next answer."""
        lengths = self.msg.get_all("content-length", [])
        codings = ",".join(self.msg.get_all("transfer-encoding", [])).lower()
        if lengths and codings:
            raise _HeadError("Content-Length and Transfer-Encoding together")
        if lengths:
            length = one_length(lengths)
            if length is None:
                raise _HeadError("Content-Length is not one number")
            if self.length is None:
                self.length = int(length)  # http.client reads none from "5, 5"
        if codings.rpartition(",")[2].strip() == "chunked" and not self.chunked:
            # After another transfer coding, which is undone with those of the content; http.client looks for `chunked`
            # alone.
            self.chunked, self.chunk_left, self.length = True, None, None

    def _read_and_discard_trailer(self) -> None:
        for _ in range(_MOST_TRAILERS):
            if self.fp.readline(_MOST_LINE_BYTES) in {b"\r\n", b"\n", b""}:
                return
        raise _HeadError(f"more than {_MOST_TRAILERS} trailers")

    def _close_conn(self) -> None:
        if self._has_more():
            with suppress(OSError):
                self._wire.socket.shutdown(socket.SHUT_RDWR)  # so that the pool finds it dropped
        super()._close_conn()  # type: ignore[misc]  # not in typeshed

    def _has_more(self) -> bool:
        """Whether bytes that belong to no answer were received with this one."""
        if not isinstance(self.fp, io.BufferedReader) or self.fp.closed:
            return False
        self._wire.is_dry = True
        return bool(self.fp.peek(1))


class _Wire(io.RawIOBase):
    """The receiving side of a socket. When `is_dry`, nothing is to be had from it, so that only the buffer is left."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.is_dry = False
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        return None if self.is_dry else self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Head:
    """The lines of a head, checked one by one."""

    def __init__(self, inner: io.BufferedReader) -> None:
        self._inner = inner

    def readline(self, limit: int = -1) -> bytes:
        line = self._inner.readline(limit)
        if not line:
            raise http.client.RemoteDisconnected("the head breaks off")
        if b"\0" in line or b"\r" in line[:-2]:
            raise _HeadError("NUL or a bare CR in the head")
        return line

    def close(self) -> None:
        self._inner.close()
