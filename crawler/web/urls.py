r"""URLs: one normal form, links resolved to it, and the keys made from it.

Everything in a crawl (store, scope, robots, records) compares URLs as plain strings in *normal form*:

1. Parsed and serialised as the WHATWG URL Standard says (https://url.spec.whatwg.org/, by ada-url): the way
   browsers do. That lower-cases scheme and host, turns international names into `xn--` labels and odd IPv4 notations
   into dotted decimal, shortens IPv6, drops the default port, resolves `.` and `..`, turns `\` into `/`, adds the `/`
   of an empty path, removes tabs and line breaks, and percent-encodes what may not stand in a URL. A lone surrogate
   becomes U+FFFD first, as the standard demands.
2. Only http and https; anything else is refused.
3. Fragment and user name and password are dropped.
4. Percent-escapes in path and query (RFC 3986 §6.2.2.1-2): upper-case hex, and the escape of an unreserved character
   (letter, digit, `-`, `.`, `_`, `~`) becomes that character. Decoding is done once: `%2541` stays. An escape right
   after an incomplete one (`%2%45`, `%%41`) stays too, or decoding it would build a new escape.
5. At most `MAX_URL_CHARS` characters; longer ones are refused.

Kept as they are, because servers may tell them apart: an empty query (`/a?`), the trailing dot of a host, empty path
segments (`//`), the order and repetition of query parameters, a `%` that starts no escape, and the case of path
and query.

A link loses its *session parameters* as well, or each visit to a page would find all of the site's pages anew. In any
case of letters these are:

- in a path segment: `;jsessionid=…`, up to the next `;` or the segment's end (Java Servlet Specification §7.1.3);
- in the query, between `&` or `;`: `jsessionid`, `phpsessid`, `phpsessionid`, `aspsessionid…`, `sessid`, `oscsid`,
  `zenid`, whatever their value, and `cfid` with `cftoken` if both stand there;
- `sid`, `s`, `session`, `sessionid` and `session_id` only if the value is at least 16 letters and digits with a
  digit among them: such names have other uses.

Each goes with the `&` or `;` before it, and the `?` goes if nothing else stood behind it. A segment that would be left
as `.` or `..` keeps its parameter. Seeds and redirect targets keep theirs: a seed is what somebody asked for, and a
server that redirects in order to add a session would look like a loop without it.

A normal form is printable ASCII, has a host and a path, and is its own normal form. `NORMAL_FORM_VERSION` goes up
whenever any URL's normal form changes, since stores hold keys made from it.
"""

import re

from ada_url import join_url, normalize_url
from xxhash import xxh3_64_digest, xxh3_128_digest

from crawler.core.errors import UrlError
from crawler.core.model import TaskKind
from crawler.core.printable import SHOWN_CHARS, printable

__all__ = [
    "MAX_URL_CHARS",
    "NORMAL_FORM_VERSION",
    "LinkResolver",
    "authority",
    "folder",
    "host_key",
    "named_authority",
    "normalise",
    "origin",
    "resolve",
    "robots_url",
    "task_key",
    "url_key",
]

NORMAL_FORM_VERSION: int = 2
"""Version of the rules above."""

MAX_URL_CHARS: int = 16_384
"""Longest normal form. RFC 9110 §4.1 asks servers for at least 8,000 octets; common ones stop between that and this."""

_SCHEMES = ("http://", "https://")
_PLAIN_STARTS = ("/", *_SCHEMES)
_HOST = re.compile(r"[^\s/?#@\\]+")
_SURROGATE = re.compile("[\ud800-\udfff]")
# Group 1 is an incomplete escape that stands right before a whole one.
_ESCAPE = re.compile("(%[0-9A-Fa-f]?(?=%))?(%[0-9A-Fa-f]{2})")
_UNRESERVED = {
    f"%{ord(character):02X}": character
    for character in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
}
# What the standard strips from both ends, and the ones it removes everywhere.
_STRIPPED = "".join(map(chr, range(0x21)))
_REMOVED = {ord("\t"): None, ord("\n"): None, ord("\r"): None}
_SESSION_IN_PATH = re.compile(r"(?<!/\.)(?<!/\.\.);jsessionid=[^;/]*+", re.ASCII | re.IGNORECASE)
_SESSION_IN_QUERY = re.compile(
    r"[&;](?:(?:jsessionid|phpsess(?:ion)?id|aspsessionid[a-z0-9]*+|sessid|oscsid|zenid)=[^&;]*+"
    r"|(?:s|sid|session(?:_?id)?)=(?=[a-z]*+[0-9])[a-z0-9]{16,}+(?![^&;]))",
    re.ASCII | re.IGNORECASE,
)
_COLD_FUSION = re.compile(r"[&;]cf(?:id|token)=[^&;]*+", re.ASCII | re.IGNORECASE)
_COLD_FUSION_ID = re.compile(r"[&;]cfid=", re.ASCII | re.IGNORECASE)
_COLD_FUSION_TOKEN = re.compile(r"[&;]cftoken=", re.ASCII | re.IGNORECASE)
# What a memo entry costs beside its characters: a dict slot and two string headers; and a folder's own dict.
_MEMO_ENTRY_BYTES = 200
_MEMO_FOLDER_BYTES = 400


def normalise(url: str) -> str:
    """Return the normal form of an absolute URL (see the module's docstring).

    Raises `UrlError`, and nothing else, for any string that has none.
    """
    href = _serialised(url)
    if href is None or not href.startswith(_SCHEMES):
        raise UrlError(
            f"not an http(s) URL: {printable(repr(url), SHOWN_CHARS)} (write it like 'https://example.org/page')"
        )
    normal = _finished(href)
    if len(normal) > MAX_URL_CHARS:
        raise UrlError(
            f"URL of {len(normal)} characters, {MAX_URL_CHARS} is the limit: {printable(repr(url), SHOWN_CHARS)}"
        )
    return normal


def resolve(base: str, href: str, *, strip_session: bool = True) -> str | None:
    """Return the normal form of what `href` means in a document at `base`, or None.

    None if the result is not http(s), has no normal form, or `base` is not a URL. Never raises. `base` need not be
    in normal form. `strip_session` False keeps session parameters (see the module's docstring): for redirect targets.
    """
    joined = _serialised(href, base)
    if joined is None or not joined.startswith(_SCHEMES):
        return None
    normal = _finished(joined)
    if len(normal) > MAX_URL_CHARS:
        return None
    return _without_session(normal) if strip_session and ("?" in normal or ";" in normal) else normal


def url_key(url: str, seed: int = 0) -> bytes:
    """Return the 16 bytes that identify a URL in normal form: xxh3_128 of its UTF-8, with `seed`. Never raises."""
    return xxh3_128_digest(url.encode("utf-8", "surrogatepass"), seed)


def task_key(url: str, kind: TaskKind, seed: int = 0) -> bytes:
    """Return the 16 bytes by which a URL in normal form is known when it is asked for as `kind`. Never raises."""
    return url_key(url if kind == "page" else f"{kind}:{url}", seed)


def host_key(url: str, seed: int = 0) -> bytes:
    """Return the 8 bytes that identify the host of a URL in normal form: xxh3_64 of its `authority`, with `seed`.

    Never raises.
    """
    return xxh3_64_digest(authority(url).encode("utf-8", "surrogatepass"), seed)


def authority(url: str) -> str:
    """Return `host` or `host:port` of a URL in normal form; a default port is absent, an IPv6 address in brackets.

    This is the *host* of politeness and of scope `host`: http and https on their default ports share it.
    """
    return url.partition("://")[2].partition("/")[0]


def named_authority(name: str) -> str:
    """Return the `authority` that a person means by a host's name, with or without a port, or by a URL of it.

    Raises `UrlError` for what can be neither.
    """
    text = name.strip()
    if text[:8].lower().startswith(_SCHEMES):
        return authority(normalise(text))
    if not text or not _HOST.fullmatch(text):
        raise UrlError(f"not the name of a host: {printable(repr(name), SHOWN_CHARS)} (write it like 'example.org')")
    return authority(normalise(f"{'https' if text.endswith(':443') else 'http'}://{text}/"))


def origin(url: str) -> str:
    """Return `scheme://host` or `scheme://host:port` of a URL in normal form: what one robots.txt belongs to.

    A default port is absent and there is no final slash (RFC 6454 §6.2).
    """
    scheme, separator, rest = url.partition("://")
    return scheme + separator + rest.partition("/")[0]


def robots_url(url: str) -> str:
    """Return the URL, in normal form, of the robots.txt of a URL in normal form, or of an `origin`."""
    return origin(url) + "/robots.txt"


def folder(url: str) -> str:
    """Return a URL in normal form up to and including the last `/` of its path, without its query."""
    path = url.partition("?")[0]
    return path[: path.rfind("/") + 1]


class LinkResolver:
    """`resolve` with a memory, for the same links on page after page of a site.

    Remembers (folder of the base, href) -> normal form, refusals included. An href whose meaning depends on more of the
    base than its folder (``, `#y`, `?x`, and the same after `http:`) is not remembered; an href with a fragment
    shares the entry of the one without. All is forgotten when about `memo_bytes` are held (default 16 MiB: some
    50,000 links of ordinary length).

    Its state is the memo and the last base; use one resolver per thread.
    """

    def __init__(self, memo_bytes: int = 16 << 20) -> None:
        self._memo_bytes = memo_bytes
        self._left = memo_bytes
        self._folders: dict[str, dict[str, str | None]] = {}
        # The base asked for last, its normal form with its session parameters, which may be in the folder of its links
        # (None if it has none), and what is known of that folder.
        self._base: str | None = None
        self._document: str | None = None
        self._folder = ""
        self._known: dict[str, str | None] = {}

    def __repr__(self) -> str:
        links = sum(map(len, self._folders.values()))
        return f"<LinkResolver {links} links, {len(self._folders)} folders, {self._memo_bytes - self._left} bytes>"

    def resolve(self, base: str, href: str) -> str | None:
        """Return what `resolve(base, href)` returns. Never raises. Fastest when `base` is the one of the last call."""
        if base != self._base:
            self._enter(base)
        url = self._known.get(href, "")  # what is known is a URL or None
        return self._unknown(base, href) if url == "" else url

    def resolve_all(self, base: str, hrefs: list[str]) -> list[str | None]:
        """Return what `resolve` returns for each of some links. Never raises."""
        if base != self._base:
            self._enter(base)
        known = self._known
        urls = [known.get(href, "") for href in hrefs]
        if "" in urls:
            for at, href in enumerate(hrefs):
                if urls[at] == "":
                    bare, mark, _ = href.partition("#")
                    url = known.get(bare, "") if mark and bare[-1:] > " " else ""
                    urls[at] = self.resolve(base, href) if url == "" else url
        return urls

    def _enter(self, base: str) -> None:
        """Make `base` the current one.

        The memo goes by the folder of its normal form: `/a/..` as it is written has another folder than it means.
        """
        self._base = base
        self._document = resolve(base, "", strip_session=False)
        self._folder = folder(self._document or "")
        self._known = self._folders.get(self._folder, {}) if self._folder else {}

    def _unknown(self, base: str, href: str) -> str | None:
        document = self._document
        if document is None:
            return resolve(base, href)
        if "#" in href:
            # A blank before the fragment belongs to the URL ("a #b" is "a%20"), at its end it would be stripped.
            bare = href[: href.index("#")]
            if not bare:
                return _without_session(document)
            if bare[-1] > " ":
                known = self._known.get(bare, "")
                if known != "":
                    return known
                href = bare
        url = resolve(document, href)
        if len(href) <= MAX_URL_CHARS and not _needs_document(href):
            self._remember(href, url)
        return url

    def _remember(self, href: str, url: str | None) -> None:
        cost = len(href) + len(url or "") + _MEMO_ENTRY_BYTES
        if not self._known:
            cost += len(self._folder) + _MEMO_FOLDER_BYTES
        if cost > self._left:
            self._left = self._memo_bytes
            self._folders.clear()
            self._known = {}
        self._left -= cost
        # A folder counts from its first entry on, so that folders without any cannot pile up.
        self._folders[self._folder] = self._known
        self._known[href] = url


def _needs_document(href: str) -> bool:
    """Whether `href` keeps the last path segment of its base: nothing but a query, or nothing at all."""
    if href.startswith(_PLAIN_STARTS) or (href[:1].isalnum() and ":" not in href):
        return False  # nearly all
    rest = href.translate(_REMOVED).strip(_STRIPPED)
    for scheme in ("http:", "https:"):
        # "http:?x" in an http document is relative: WHATWG "special relative or authority state".
        if rest[: len(scheme)].lower() == scheme:
            rest = rest[len(scheme) :]
            break
    return not rest or rest[0] in "?#"


def _serialised(url: str, base: str | None = None) -> str | None:
    """Parse and serialise as WHATWG says; None on failure."""
    try:
        return normalize_url(url) if base is None else join_url(base, url)
    except ValueError:
        scalar_url = _SURROGATE.sub("\ufffd", url)
        scalar_base = None if base is None else _SURROGATE.sub("\ufffd", base)
        if scalar_url == url and scalar_base == base:
            return None
        return _serialised(scalar_url, scalar_base)


def _finished(href: str) -> str:
    """Turn a serialised http(s) URL into its normal form: rules 3 and 4."""
    if "#" in href:
        href = href[: href.index("#")]
    if "@" in href:
        start = href.index("//") + 2
        # Serialised, userinfo holds neither "@" nor "/": the only "@" before the path ends it.
        at = href.rfind("@", start, href.index("/", start))
        if at > 0:
            href = href[:start] + href[at + 1 :]
    # Tidying shortens to a third at most; what stays too long even so is refused anyway, and need not cost its time.
    if "%" in href and len(href) <= 3 * MAX_URL_CHARS:
        href = _ESCAPE.sub(_tidy_escape, href)
    return href


def _without_session(url: str) -> str:
    """Return a URL in normal form without its session parameters: again a normal form, with nothing left to strip."""
    lower = url.lower()
    # A cheap first look: one of these stands in every URL that has anything to strip.
    if not ("sess" in lower or "sid=" in lower or "s=" in lower or "zenid=" in lower or "cftoken=" in lower):
        return url
    path, mark, query = url.partition("?")
    if ";" in path:
        start = len(origin(path))  # a host may hold a ";" as well
        path = path[:start] + _SESSION_IN_PATH.sub("", path[start:])
    if query:
        query = _query_without_session(query)
        mark = "?" if query else ""
    return path + mark + query


def _query_without_session(query: str) -> str:
    # With a separator before the first parameter too, each goes with its own.
    kept = _SESSION_IN_QUERY.sub("", "&" + query)
    if _COLD_FUSION_TOKEN.search(kept) and _COLD_FUSION_ID.search(kept):
        kept = _COLD_FUSION.sub("", kept)
    return kept[1:]


def _tidy_escape(match: re.Match[str]) -> str:
    incomplete, escape = match.groups()
    upper = str(escape).upper()
    if incomplete:
        return str(incomplete) + upper
    return _UNRESERVED.get(upper, upper)
