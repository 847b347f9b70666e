"""Whether this installation works, and what surrounds it: names, certificates, parsers, extras, proxies, terminal."""

import http.client
import os
import shutil
import socket
import ssl
import sys
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from crawler.cli.doctor.finding import Finding
from crawler.cli.versions import extras
from crawler.core.printable import printable
from crawler.fetcher.transport.tls import tls_context
from crawler.web.urls import normalise

__all__ = ["PROGRAM", "online"]

_RESOLVER: Final = Path("/etc/resolv.conf")
_PROXIES: Final = ("http_proxy", "https_proxy", "all_proxy")
_FEW_AUTHORITIES: Final = 50
_LARGE_SKEW_S: Final = 60.0
_ONLINE_S: Final = 15.0


def names() -> Finding:
    """Whether names can be looked up: `localhost` here, and who is asked for others. Nobody is asked."""
    try:
        servers = [
            words[1] for line in _RESOLVER.read_text("utf-8", "replace").splitlines()
            if len(words := line.split()) > 1 and words[0] == "nameserver"
        ]  # fmt: skip
    except OSError:
        servers = []
    seen = f"{_RESOLVER} names {', '.join(servers) or 'nobody'}"
    try:
        socket.getaddrinfo("localhost", 80)
    except OSError as error:
        return Finding("names", "problem", f"{seen}; localhost is unknown: {error}", "put localhost into /etc/hosts")
    if not servers:
        return Finding("names", "warning", seen, "hosts of the web cannot be found; --online URL tries one")
    return Finding("names", "ok", seen)


def authorities() -> Finding:
    """Whom TLS trusts: the system's store and Mozilla's list."""
    own = ssl.create_default_context().cert_store_stats()["x509_ca"]
    number = tls_context().cert_store_stats()["x509_ca"]
    seen = f"{number} authorities: {own} of the system, others of certifi {version('certifi')}; {ssl.OPENSSL_VERSION}"
    if number < _FEW_AUTHORITIES:
        return Finding("certificates", "problem", seen, "pip install --upgrade certifi")
    return Finding("certificates", "ok", seen)


def parsers() -> Finding:
    """Whether a parser process starts and answers: a page that nobody has to be asked for goes round a whole ring."""
    from crawler.fetcher.transport.fake import FakeTransport, answer  # noqa: PLC0415 - the whole crawler
    from crawler.ring.library import crawl  # noqa: PLC0415 - as above

    html = (("content-type", "text/html"),)
    web = FakeTransport(lambda request: answer(request, "<title>It works</title>", headers=html))
    began = time.monotonic()
    titles = [page.title for page in crawl("http://doctor.example/", transport=web, parsers=1, robots="ignore")]
    seen = f"a page went through a parser process in {time.monotonic() - began:.1f} s"
    if titles != ["It works"]:
        return Finding("parsers", "problem", f"a page came back as {titles}", "--log-level debug of a crawl shows why")
    return Finding("parsers", "ok", seen)


def packages() -> Finding:
    """Which extras are installed; none is needed."""
    there = [
        f"{extra.name} ({', '.join(f'{name} {found}' for name, found in extra.installed.items())})"
        for extra in extras() if not extra.missing
    ]  # fmt: skip
    missing = [extra.name for extra in extras() if extra.missing]
    seen = "; ".join(filter(None, (f"installed: {', '.join(there)}" if there else "", _not_there(missing))))
    return Finding("extras", "ok", seen)


def proxies() -> Finding:
    """Whether proxies are set, which a crawl does not use."""
    found = [name for name, value in os.environ.items() if name.lower() in _PROXIES and value]
    if found:
        then = "they are not used: if nothing can be reached without them, nothing will be"
        return Finding("proxies", "warning", f"{', '.join(sorted(found))} set", then)
    return Finding("proxies", "ok", "none set")


def terminal() -> Finding:
    """What the live display would be drawn on."""
    if sys.stderr is None or not sys.stderr.isatty():
        return Finding("terminal", "ok", "standard error is none: log lines instead of a live display")
    columns, lines = shutil.get_terminal_size()
    kind = os.environ.get("TERM", "")
    seen = f"{kind or 'unknown'}, {columns} x {lines}, {sys.stderr.encoding}"
    if kind in {"", "dumb"}:
        return Finding("terminal", "warning", seen, "set TERM for a live display; else there are log lines")
    return Finding("terminal", "ok", seen)


PROGRAM: Final[dict[str, Callable[[], Finding]]] = {
    "names": names,
    "certificates": authorities,
    "parsers": parsers,
    "extras": packages,
    "proxies": proxies,
    "terminal": terminal,
}
"""All looks that stay on this machine."""


def online(url: str) -> Finding:
    """Look up, connect, shake hands and ask for one URL; compare the clock with the server's.

    Raises `UrlError` for what is no http(s) URL.
    """
    parts = urlsplit(normalise(url))
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    shown = printable(url)
    began = time.monotonic()
    try:
        address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0]
    except OSError as error:
        return Finding(
            "online", "problem", f"{shown}: the name is unknown: {error}", "see /etc/resolv.conf, VPN, spelling"
        )
    secure = parts.scheme == "https"
    connection = (
        http.client.HTTPSConnection(host, port, timeout=_ONLINE_S, context=tls_context())
        if secure
        else http.client.HTTPConnection(host, port, timeout=_ONLINE_S)
    )
    try:
        connection.request("HEAD", parts.path + (f"?{parts.query}" if parts.query else ""))
        answer = connection.getresponse()
    except ssl.SSLError as error:
        return Finding("online", "problem", f"{shown} at {address}: TLS: {error}", "see the clock; --ca-bundle FILE")
    except (OSError, http.client.HTTPException) as error:
        return Finding("online", "problem", f"{shown} at {address}: {error}", "is a firewall or a proxy between?")
    finally:
        connection.close()
    seen = f"{shown} at {address}: {answer.status} after {time.monotonic() - began:.2f} s"
    skew_s = _skew_s(answer.getheader("Date"))
    if skew_s is not None and abs(skew_s) > _LARGE_SKEW_S:
        return Finding("online", "warning", f"{seen}; this clock is {skew_s:+.0f} s off its own", "set the clock")
    return Finding("online", "ok", seen)


def _skew_s(date: str | None) -> float | None:
    """By how much this clock is ahead of a Date header; None if that says nothing."""
    try:
        return None if date is None else time.time() - parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None


def _not_there(missing: list[str]) -> str:
    return f"not installed, and not needed: {', '.join(missing)}" if missing else ""
