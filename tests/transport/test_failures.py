"""What the errors below a transport mean, and whether trying again may help."""

import errno
import socket
import ssl

import pytest

from crawler.transport.failures import connect_failure, dns_failure, one_line, tls_failure


@pytest.mark.parametrize(
    ("error", "retryable"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), False),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), True),
        (socket.gaierror(socket.EAI_FAIL, "Non-recoverable failure"), True),
        (OSError(4, "Domain name not found"), False),
        (OSError(1, "DNS server returned answer with no data"), False),
        (OSError(8, "Misformatted domain name"), False),
        (OSError(12, "Timeout while contacting DNS servers"), True),
        (OSError(3, "DNS server returned general failure"), True),
        (OSError(None, "DNS lookup failed"), True),
        (UnicodeError("label too long"), False),
        (OSError(), True),
    ],
)
def test_a_name_that_does_not_exist_is_not_asked_for_again_and_a_passing_failure_is(error, retryable):
    failure = dns_failure("a.example", error)
    assert (failure.kind, failure.retryable) == ("dns", retryable)
    assert failure.detail.startswith("a.example: ")


def test_a_tls_failure_names_the_reason():
    error = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:992)")
    error.reason = "WRONG_VERSION_NUMBER"
    assert tls_failure(error).detail == "wrong version number"
    assert tls_failure(ssl.SSLEOFError(8, "EOF occurred")).retryable


def test_a_librarys_message_becomes_one_short_line():
    assert one_line("bad\r\n  \x1b[2J\ud800" + "x" * 500) == ("bad [2J?" + "x" * 500)[:200]


@pytest.mark.parametrize(
    ("error", "kind", "detail"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "connect", "Connection refused"),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), "reset", "Connection reset by peer"),
        (OSError("no route"), "connect", "no route"),
    ],
)
def test_a_failed_connection_may_be_tried_again_and_a_reset_is_told_apart(error, kind, detail):
    failure = connect_failure(error)
    assert (failure.kind, failure.detail, failure.retryable) == (kind, detail, True)
