"""What the errors below a transport mean, and whether trying again may help."""

import errno
import socket
import ssl

from crawler.core.model import Failure
from crawler.fetcher.transport.failures import connect_failure, dns_failure, one_line, tls_failure
from tests.support.table import table


@table(
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
    assert tls_failure(error) == Failure("tls: wrong version number", "wrong version number", retryable=False)
    assert tls_failure(ssl.SSLEOFError(8, "EOF occurred")).retryable


@table(
    ("code", "message", "kind"),
    [
        (10, "certificate has expired", "tls: expired"),
        (9, "certificate is not yet valid", "tls: not yet valid"),
        (18, "self-signed certificate", "tls: self-signed"),
        (19, "self-signed certificate in certificate chain", "tls: unknown issuer"),
        (20, "unable to get local issuer certificate", "tls: unknown issuer"),
        (21, "unable to verify the first certificate", "tls: unknown issuer"),
        (62, "Hostname mismatch, certificate is not valid for 'a.example'.", "tls: wrong name"),
        (64, "IP address mismatch, certificate is not valid for '1.2.3.4'.", "tls: wrong name"),
        (23, "Certificate revoked", "tls: certificate revoked"),
    ],
)
def test_a_certificate_that_was_not_verified_has_a_short_name_and_its_whole_message(code, message, kind):
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.reason, error.verify_code, error.verify_message = "CERTIFICATE_VERIFY_FAILED", code, message
    assert tls_failure(error) == Failure(kind, message, retryable=False)


def test_a_tls_failure_without_a_reason_has_a_name_as_well():
    assert tls_failure(OSError("what\nnow")) == Failure("tls: broken", "what now", retryable=False)


def test_a_librarys_message_becomes_one_short_line():
    assert one_line("bad\r\n  \x1b[2J\ud800" + "x" * 500) == ("bad [2J?" + "x" * 500)[:200]


@table(
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
