"""What the web of `bench.web_site` really is, seen from outside: `python -m bench.web --describe`.

A sample of its hosts is asked over TLS as a browser would, and what came is counted: nothing is taken from how it is
made.
"""

import http.client
import re
import socket
import ssl
import statistics
import time
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple
from urllib.parse import urlsplit

import brotli
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from bench.web_site import Web

__all__ = ["Look", "look"]

SAMPLE = 200
_AT_ONCE = 48
_LINK = re.compile(rb"<a\s(?:[^>]*\s)?href=", re.IGNORECASE)
_INFLATE = {"br": brotli.decompress, "gzip": lambda body: zlib.decompress(body, 31)}


class _Page(NamedTuple):
    size: int
    sent: int
    coding: str
    links: int
    late_s: float


class _Host(NamedTuple):
    pages: list[_Page]
    robots: bool
    version: str
    key: str
    resumed: bool


class Look(NamedTuple):
    """What was seen of so many hosts; sizes in bytes, times in seconds. `rows` has it in words, with what is asked."""

    hosts: int
    pages: int
    size_p50: float
    size_mean: float
    size_least: int
    size_most: int
    links_p50: float
    sent_mean: float
    codings: dict[str, int]
    robots: int
    latency_p50_s: float
    latency_least_s: float
    latency_most_s: float
    versions: dict[str, int]
    keys: dict[str, int]
    resumed: int

    @property
    def rows(self) -> list[tuple[str, str, str]]:
        """What, what the web has, what was seen."""

        def counted(numbers: dict[str, int]) -> str:
            return ", ".join(f"{name} {number:,}" for name, number in sorted(numbers.items()))

        kb = 1000
        return [
            ("HTML of a page, half of them under", "138 KB", f"{self.size_p50 / kb:.0f} KB"),
            ("HTML of a page, mean", "242 KB", f"{self.size_mean / kb:.0f} KB"),
            ("HTML of a page", "30 to 600 KB", f"{self.size_least / kb:.0f} to {self.size_most / kb:.0f} KB"),
            ("links of a page, half of them under", "100", f"{self.links_p50:.0f}"),
            ("bytes sent for a page, mean", "", f"{self.sent_mean / kb:.0f} KB"),
            ("pages by coding", "gzip, brotli", counted(self.codings)),
            ("hosts with a robots.txt", "all", f"{self.robots:,} of {self.hosts:,}"),
            ("an answer begins after, half of the hosts", "0.2 s", f"{self.latency_p50_s:.2f} s"),
            (
                "an answer begins after",
                "0.05 to 2 s",
                f"{self.latency_least_s:.2f} to {self.latency_most_s:.2f} s",
            ),
            ("hosts by version of TLS", "1.3", counted(self.versions)),
            ("hosts by key of their certificate", "ECDSA, RSA", counted(self.keys)),
            ("hosts whose ticket resumes a session", "all", f"{self.resumed:,} of {self.hosts:,}"),
        ]


def _get(connection: http.client.HTTPSConnection, path: str) -> tuple[http.client.HTTPResponse, bytes, float]:
    started_at = time.monotonic()
    connection.request("GET", path, headers={"Accept-Encoding": "gzip, br"})
    answer = connection.getresponse()
    late_s = time.monotonic() - started_at
    return answer, answer.read(), late_s


def _visited(urls: list[str], context: ssl.SSLContext) -> _Host:
    """Ask one host for its robots.txt and its pages, then connect again with the ticket that it gave."""
    parts = urlsplit(urls[0])
    place = (parts.hostname or "", parts.port or 443)
    raw = socket.create_connection(place, timeout=30)
    with context.wrap_socket(raw, server_hostname=place[0]) as secret:
        connection = http.client.HTTPSConnection(*place)
        connection.sock = secret
        robots, _, _ = _get(connection, "/robots.txt")
        pages = []
        for url in urls:
            answer, body, late_s = _get(connection, urlsplit(url).path)
            coding = answer.getheader("Content-Encoding", "none")
            html = _INFLATE[coding](body) if coding in _INFLATE else body
            pages.append(_Page(len(html), len(body), coding, len(_LINK.findall(html)), late_s))
        certificate = x509.load_der_x509_certificate(secret.getpeercert(binary_form=True) or b"")
        key = "RSA" if isinstance(certificate.public_key(), rsa.RSAPublicKey) else "ECDSA"
        session, version = secret.session, secret.version() or ""
    raw = socket.create_connection(place, timeout=30)
    with context.wrap_socket(raw, server_hostname=place[0], session=session) as again:
        resumed = bool(again.session_reused)
    return _Host(pages, robots.status == 200, version, key, resumed)


def look(served: Web) -> Look:
    """Ask a sample of the hosts, evenly chosen."""
    context = ssl.create_default_context(cafile=served.authority)
    each = served.pages // served.hosts
    urls = served.urls(tls=True)
    chosen = range(0, served.hosts, max(1, served.hosts // SAMPLE))
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        hosts = list(threads.map(lambda host: _visited(urls[host * each : host * each + each], context), chosen))
    pages = [page for host in hosts for page in host.pages]
    sizes = [page.size for page in pages]
    lates = [statistics.median(page.late_s for page in host.pages) for host in hosts]
    return Look(
        hosts=len(hosts),
        pages=len(pages),
        size_p50=statistics.median(sizes),
        size_mean=statistics.mean(sizes),
        size_least=min(sizes),
        size_most=max(sizes),
        links_p50=statistics.median(page.links for page in pages),
        sent_mean=statistics.mean(page.sent for page in pages),
        codings=dict(Counter(page.coding for page in pages)),
        robots=sum(host.robots for host in hosts),
        latency_p50_s=statistics.median(lates),
        latency_least_s=min(lates),
        latency_most_s=max(lates),
        versions=dict(Counter(host.version for host in hosts)),
        keys=dict(Counter(host.key for host in hosts)),
        resumed=sum(host.resumed for host in hosts),
    )
