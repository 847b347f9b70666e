"""Cookies as RFC 6265 has them, but narrower: a cookie goes back only to the origin that set it.

Not on http.cookiejar: that looks at the clock itself, warns about a `Max-Age` without a value instead of passing over
it, and has no bounds.
"""

import re
from collections import OrderedDict
from collections.abc import Iterable
from math import inf
from typing import Final

from msgspec import Struct

from crawler.core.dates import MONTHS, unix_time
from crawler.web.suffixes import suffix_list
from crawler.web.urls import authority
from crawler.web.urls import origin as origin_of

__all__ = [
    "MAX_COOKIES",
    "MAX_COOKIE_BYTES",
    "MAX_HEADER_BYTES",
    "MAX_HELD_BYTES",
    "MAX_ORIGINS",
    "CookieJars",
    "cookie_time",
    "is_public_suffix",
]

MAX_COOKIE_BYTES: Final = 4_096
"""Longest name and value of a cookie together (UTF-8)."""
MAX_COOKIES: Final = 50
"""Cookies of one origin; the oldest makes room for another."""
MAX_HEADER_BYTES: Final = 8_192
"""Longest Cookie header."""
MAX_ORIGINS: Final = 4_096
"""Origins with cookies; the least recently used is forgotten first."""
MAX_HELD_BYTES: Final = 32 << 20
"""What all cookies take up, about; past it too the least recently used origins are forgotten."""

_COOKIE_OVERHEAD_BYTES: Final = 500
_MAX_ATTRIBUTE_CHARS: Final = 1_024
_MAX_ATTRIBUTES: Final = 64
_BLANKS: Final = " \t"
# What could end a header or break its encoding.
_UNSENDABLE = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\ud800-\udfff]")
_SECONDS = re.compile("-?[0-9]+", re.ASCII)
# RFC 6265 §5.1.1: delimiters between the parts of a date, and the forms of the parts.
_DELIMITERS = re.compile(r"[\x09\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]+")
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:[^0-9].*)?", re.DOTALL)
_DAY = re.compile(r"([0-9]{1,2})(?:[^0-9].*)?", re.DOTALL)
_YEAR = re.compile(r"([0-9]{2,4})(?:[^0-9].*)?", re.DOTALL)


class _Cookie(Struct, frozen=True):
    """`domain` is empty for a cookie of the host alone; `expires_at` is unix time, infinite for "with the crawl"."""

    name: str
    value: str
    domain: str
    path: str
    expires_at: float

    @property
    def size(self) -> int:
        """Bytes in memory, about."""
        return len(self.name) + len(self.value) + len(self.path) + _COOKIE_OVERHEAD_BYTES


_Jar = dict[tuple[str, str, str], _Cookie]
"""Cookies of one origin by (name, domain, path), oldest first (RFC 6265 §5.3 step 11)."""


class CookieJars:
    """The cookies of a crawl: a jar for each origin (scheme, host and port), in memory only.

    A cookie goes back to the origin that set it and to no other, whatever its Domain says; but a Domain that does not
    match the host, or that is a public suffix, makes it refused. Expires, Max-Age, Path and Secure are those of RFC
    6265 §5; a Secure cookie that came without TLS is refused. The `MAX_…` of this module bound what is held and sent.

    Not for use from several threads. No method raises.
    """

    def __init__(self) -> None:
        self._jars: OrderedDict[str, _Jar] = OrderedDict()
        self._bytes = 0
        is_public_suffix("example.com")  # reads the list now (0.2 s) and not between two answers

    def __repr__(self) -> str:
        return f"<CookieJars {len(self._jars)} origins, {self._bytes} bytes>"

    def header(self, url: str, now: float) -> str | None:
        """Return the value of the Cookie header for a request of `url` (normal form), None for no header.

        `now` is unix time. Cookies with longer paths come first, then older ones (RFC 6265 §5.4); those that do not
        fit into the header are left out.
        """
        origin = origin_of(url)
        jar = self._jars.get(origin)
        if jar is None:
            return None
        self._jars.move_to_end(origin)
        self._drop(origin, [key for key, cookie in jar.items() if cookie.expires_at <= now])
        path = _path(url)
        fitting = [cookie for cookie in jar.values() if _path_matches(path, cookie.path)]
        room = MAX_HEADER_BYTES
        pairs = []
        for cookie in sorted(fitting, key=lambda cookie: -len(cookie.path)):
            pair = f"{cookie.name}={cookie.value}"
            size = len(pair.encode()) + len("; ")
            if size <= room:
                room -= size
                pairs.append(pair)
        return "; ".join(pairs) or None

    def take(self, url: str, set_cookie_values: Iterable[str], now: float) -> None:
        """Take the cookies that the answer to a request of `url` (normal form) set. `now` is unix time.

        `set_cookie_values` are the values of its Set-Cookie headers, in order. What is malformed is passed over.
        """
        origin = origin_of(url)
        for value in set_cookie_values:
            cookie = _parsed(value, url, now)
            if cookie is None:
                continue
            jar = self._jars.setdefault(origin, {})
            self._jars.move_to_end(origin)
            key = (cookie.name, cookie.domain, cookie.path)
            if cookie.expires_at <= now:
                self._drop(origin, [key] if key in jar else [])
                continue
            if key not in jar and len(jar) >= MAX_COOKIES:
                self._drop(origin, [next(iter(jar))])
            self._bytes += cookie.size - (jar[key].size if key in jar else 0)
            jar[key] = cookie
        while len(self._jars) > MAX_ORIGINS or self._bytes > MAX_HELD_BYTES:
            _, jar = self._jars.popitem(last=False)
            self._bytes -= sum(cookie.size for cookie in jar.values())

    def _drop(self, origin: str, keys: list[tuple[str, str, str]]) -> None:
        jar = self._jars[origin]
        for key in keys:
            self._bytes -= jar.pop(key).size
        if not jar:
            del self._jars[origin]


def _parsed(text: str, url: str, now: float) -> _Cookie | None:
    """Read one Set-Cookie value (RFC 6265 §5.2), None if the cookie is to be ignored."""
    if _UNSENDABLE.search(text):
        return None
    pair, _, rest = text.partition(";")
    name, equals, value = pair.partition("=")
    name, value = name.strip(_BLANKS), value.strip(_BLANKS)
    if not equals or not name or len((name + value).encode()) > MAX_COOKIE_BYTES:
        return None
    attributes = _attributes(rest)
    host, domain = _host(url), attributes.get("domain", "").removeprefix(".").lower()
    if domain == host:
        domain = ""
    if domain and not _may_set_for(host, domain):
        return None
    if "secure" in attributes and not url.startswith("https:"):
        return None
    path = attributes.get("path", "")
    if not path.startswith("/"):
        path = _default_path(url)
    return _Cookie(name, value, domain, path, _expires_at(attributes, now))


def _attributes(text: str) -> dict[str, str]:
    """Attributes of a Set-Cookie value by lower-case name; the last one counts, of those that mean something."""
    found = {}
    for part in text.split(";", _MAX_ATTRIBUTES)[:_MAX_ATTRIBUTES]:
        name, _, value = part.partition("=")
        name, value = name.strip(_BLANKS).lower(), value.strip(_BLANKS)
        if len(value) <= _MAX_ATTRIBUTE_CHARS and _means_something(name, value):
            found[name] = value
    return found


def _means_something(name: str, value: str) -> bool:
    match name:
        case "expires":
            return cookie_time(value) is not None
        case "max-age":
            return _SECONDS.fullmatch(value) is not None
        case "domain":
            return value != ""
        case _:
            return name in {"path", "secure"}


def _expires_at(attributes: dict[str, str], now: float) -> float:
    """Unix time; Max-Age wins over Expires, and zero or less of it is "now" (RFC 6265 §5.2.2, §5.3 step 3)."""
    if "max-age" in attributes:
        max_age_s = float(attributes["max-age"])
        return now + max_age_s if max_age_s > 0 else -inf
    at = cookie_time(attributes.get("expires", ""))
    return inf if at is None else at


def cookie_time(text: str) -> float | None:
    """Return the unix time that an Expires value means (RFC 6265 §5.1.1), None if it is no date. Never raises."""
    clock: re.Match[str] | None = None
    day = month = year = None
    for token in _DELIMITERS.split(text[:_MAX_ATTRIBUTE_CHARS]):
        if clock is None and (match := _TIME.fullmatch(token)):
            clock = match
        elif day is None and (match := _DAY.fullmatch(token)):
            day = int(match[1])
        elif month is None and token[:3].lower() in MONTHS:
            month = MONTHS.index(token[:3].lower()) + 1
        elif year is None and (match := _YEAR.fullmatch(token)):
            year = int(match[1])
    if clock is None or day is None or month is None or year is None:
        return None
    year += 1900 if 70 <= year <= 99 else 2000 if year < 70 else 0
    hour, minute, second = map(int, clock.groups())
    return None if year < 1601 or second > 59 else unix_time(year, month, day, (hour, minute, second))


def _may_set_for(host: str, domain: str) -> bool:
    """Whether a cookie of `host` may name `domain`, a different one (RFC 6265 §5.3 steps 5 and 6)."""
    numeric = host.startswith("[") or host.rpartition(".")[2].isdigit()
    return not numeric and host.endswith(f".{domain}") and not is_public_suffix(domain)


def is_public_suffix(domain: str) -> bool:
    """Whether unrelated sites lie below `domain` (lower case): `co.uk`, `github.io`, and any name of one label.

    By the Public Suffix List that came with tldextract, its private part included; nothing is downloaded.
    """
    if "." not in domain:
        return True
    suffix: str = suffix_list(private=True).extract_str(domain).suffix
    return suffix == domain


def _host(url: str) -> str:
    host = authority(url)
    return host if host.endswith("]") else host.rpartition(":")[0] or host


def _path(url: str) -> str:
    """Path of a URL in normal form, without its query."""
    return url.partition("?")[0][len(origin_of(url)) :]


def _default_path(url: str) -> str:
    """Folder of the URL without its final slash (RFC 6265 §5.1.4)."""
    return _path(url).rpartition("/")[0] or "/"


def _path_matches(path: str, cookie_path: str) -> bool:
    """Whether a cookie for `cookie_path` goes with a request of `path` (RFC 6265 §5.1.4)."""
    if not path.startswith(cookie_path):
        return False
    return len(path) == len(cookie_path) or cookie_path.endswith("/") or path[len(cookie_path)] == "/"
