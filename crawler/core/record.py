"""The record of a page, and the one table of its fields: the annotations of `Record`.

All that is to be known of a field stands there: its name and type, how it comes from a page, whether it is written
unless others are asked for, and what docs/records.md says of it. Order is that of the table.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Annotated, Any, Literal, Protocol

from msgspec import Struct

__all__ = [
    "ALL_BUT",
    "DEFAULT_FIELDS",
    "FIELDS",
    "OUTCOME_FIELDS",
    "RECORD_FIELDS",
    "SEED_FIELDS",
    "ColumnKind",
    "HeaderFacts",
    "PageFacts",
    "Record",
    "RecordField",
    "RecordMaker",
    "Redirect",
    "redirects",
    "without_page",
]

ColumnKind = Literal["text", "int", "float", "bool", "time", "object"]
"""What a column of a table holds; `ledger.tables.schema` says how each is written."""


class Redirect(Struct, frozen=True, gc=False):
    """A URL that redirected to a page, and with which HTTP status: that of its page, if a meta refresh did. None if
    that is not known.
    """

    url: str
    status: int | None


def redirects(urls: Sequence[str], statuses: Sequence[int]) -> tuple[Redirect, ...]:
    """Return redirects with their statuses, of which 0 is not known; none is known if there are none."""
    return tuple([Redirect(url, status or None) for url, status in zip(urls, statuses or [0] * len(urls), strict=True)])


class HeaderFacts(Protocol):
    """The headers of an answer, as `page.values` has them."""

    def by_name(self) -> dict[str, str | list[str]]:
        """Return the values of each."""


class PageFacts(Protocol):
    """What a field may be made of: a page, as `page.raw_page` reads it. What HTML says is None of other pages.

    These are the facts that `value`s of the table ask for; a field without one takes any other by its name.
    """

    @property
    def is_html(self) -> bool:
        """Whether the page counts as HTML."""

    @property
    def charset(self) -> str | None:
        """The encoding that its text was read with, whatever its type."""

    @property
    def body_hash(self) -> bytes:
        """16 bytes (xxh3_128); empty without a body."""

    @property
    def headers(self) -> HeaderFacts:
        """What the server sent before the body."""

    @property
    def title(self) -> str | None:
        """Text of its `<title>`."""

    @property
    def visible_text(self) -> str:
        """What a reader sees; of other pages than HTML all their text."""

    @property
    def simhash(self) -> int | None:
        """64 bits of which texts that are nearly the same share most."""


class RecordField(Struct, frozen=True):
    """How one field of a record comes about.

    `meaning`, `empty` (when it is null or empty) and `example` are for people; docs/records.md shows them. `value`
    makes the field of a page; None takes the attribute of the page that has its name. In tables it is a `column` of
    that kind, or with `many` of lists of it; an object has `parts`, by their names. A field without `default` is
    written only if it is asked for. `noindex` empties it on a page that robots may not index. `unread` stands there in
    the record of a seed that came to no page, if nothing better is known.
    """

    meaning: str
    empty: str
    example: Any
    value: Callable[[PageFacts], Any] | None = None
    column: ColumnKind = "text"
    many: bool = False
    parts: tuple[tuple[str, ColumnKind], ...] = ()
    default: bool = True
    noindex: bool = False
    unread: Any = None


_NOT_ASKED = "null if no server was asked: of a stored page, and of a seed that got no answer"


class Record(Struct, frozen=True, gc=False):
    """One line of output. `docs/records.md` describes each field.

    A field with a default here is there only if asked for. What HTML says is None (`links`: empty, `links_dropped`: 0)
    unless the answer was HTML.
    """

    url: Annotated[str, RecordField("the URL fetched, in [normal form](urls.md)", "never", "http://example.org/a?b=1")]
    status: Annotated[
        int, RecordField("HTTP status of the answer", "0 for a seed that got none", 200, column="int", unread=0)
    ]
    fetched_at: Annotated[
        str,
        RecordField(
            "when it was fetched, or a seed ended without that: RFC 3339, UTC, milliseconds",
            "never",
            "2026-11-22T16:20:00.125Z",
            column="time",
        ),
    ]
    depth: Annotated[int, RecordField("links from the seed to here; a seed has 0", "never", 2, column="int", unread=0)]
    parent: Annotated[
        str | None,
        RecordField("URL of the page on which this one was found first", "null for a seed", "http://example.org/"),
    ]
    redirected_from: Annotated[
        tuple[str, ...],
        RecordField(
            "the URLs that redirected here, first one first",
            "empty if none did",
            ["http://example.org/old"],
            many=True,
            unread=(),
        ),
    ]
    content_type: Annotated[
        str | None,
        RecordField(
            "media type that the server named, lower case, without parameters", "null if it named none", "text/html"
        ),
    ]
    sniffed_type: Annotated[
        str | None,
        RecordField(
            "media type that the first bytes show, where the server's could not be believed, see below",
            "null if it could",
            "image/png",
        ),
    ]
    charset: Annotated[
        str | None,
        RecordField(
            "encoding that the page was read with: a label of the WHATWG Encoding Standard, lower case",
            "null if not HTML",
            "utf-8",
            value=lambda page: page.charset if page.is_html else None,
        ),
    ]
    body_bytes: Annotated[
        int, RecordField("size of the body received, after decompression", "never", 26114, column="int", unread=0)
    ]
    body_hash: Annotated[
        str | None,
        RecordField(
            "32 hexadecimal digits, the xxh3_128 of the body as received after decompression: equal bodies have equal "
            "hashes",
            "null if the body was empty, or of a type that is not read without a spider (JSON, PDF, images)",
            "99aa06d3014798d86001c324468d497f",
            value=lambda page: page.body_hash.hex() or None,
        ),
    ]
    truncated: Annotated[
        bool,
        RecordField(
            "the body was longer than `--max-body`, ended too early, or has more tags than are read: one for 20 bytes "
            "of `--max-body`, and at least 500,000",
            "never",
            example=False,
            column="bool",
            unread=False,
        ),
    ]
    title: Annotated[
        str | None,
        RecordField(
            "text of the first `<title>`, one line", "null if not HTML, none or empty", "Example", noindex=True
        ),
    ]
    description: Annotated[
        str | None,
        RecordField(
            '`<meta name="description">`, else `og:description`, one line',
            "null if not HTML, none or empty",
            "What this is about",
            noindex=True,
        ),
    ]
    language: Annotated[
        str | None,
        RecordField(
            '`lang` of `<html>`, else `<meta http-equiv="content-language">`, as written',
            "null if not HTML or not said",
            "en-GB",
        ),
    ]
    canonical: Annotated[
        str | None,
        RecordField(
            'first `<link rel="canonical">`, in normal form',
            "null if not HTML, none or no http(s) URL",
            "http://example.org/a",
        ),
    ]
    text: Annotated[
        str | None,
        RecordField(
            "visible text, see below",
            "null if not HTML",
            "Example\nThis domain is for use...",
            value=lambda page: page.visible_text if page.is_html else None,
            noindex=True,
        ),
    ]
    links: Annotated[
        tuple[str, ...],
        RecordField(
            "URLs that the page links to, in normal form, each once, in page order; see below",
            "empty if not HTML or none",
            ["http://example.org/b"],
            many=True,
            unread=(),
        ),
    ]
    links_dropped: Annotated[
        int,
        RecordField(
            "links of the page that were not looked at, because it has more than are taken",
            "0 if not HTML",
            0,
            column="int",
            unread=0,
        ),
    ]
    seed: Annotated[
        dict[str, Any] | None,
        RecordField(
            "the other columns or keys of the seed's line that led here", "null if it had none", {"team": "docs"}
        ),
    ]
    lastmod: Annotated[
        str | None,
        RecordField(
            "time of its last change, as the sitemap says that listed it before anything else led to it",
            "null if no sitemap did, or it does not say",
            "2026-11-22",
            default=False,
        ),
    ] = None
    simhash: Annotated[
        str | None,
        RecordField(
            "16 hexadecimal digits: fingerprint of the text, which texts that are nearly the same share but for a few "
            "bits, see [Duplicates](duplicates.md)",
            "null if not HTML, or fewer than 16 words",
            "9f3a5c01d2e4b687",
            value=lambda page: None if page.simhash is None else f"{page.simhash:016x}",
            default=False,
            noindex=True,
        ),
    ] = None
    outcome: Annotated[
        str | None,
        RecordField(
            "how the URL ended: `fetched`; or what became of a seed without a page: `failed`, `skipped`",
            "never",
            "fetched",
            value=lambda _: "fetched",
            default=False,
        ),
    ] = None
    reason: Annotated[
        str | None,
        RecordField(
            "why a seed came to no page: `dns`, `robots`, `duplicate`, …",
            "null of a page",
            "dns",
            value=lambda _: None,
            default=False,
        ),
    ] = None
    detail: Annotated[
        str | None,
        RecordField(
            "the same for people, in words that may change",
            "null of a page, and if there is no more to say",
            "Name or service not known",
            value=lambda _: None,
            default=False,
        ),
    ] = None
    headers: Annotated[
        dict[str, Any] | None,
        RecordField(
            "headers of the answer by name in lower case: the value, or a list of several; Set-Cookie is left out",
            "null for a seed without a page",
            {"content-type": "text/html", "vary": ["Accept", "Cookie"]},
            value=lambda page: page.headers.by_name(),
            default=False,
        ),
    ] = None
    etag: Annotated[
        str | None, RecordField("ETag of the answer, as sent", "null if it has none", 'W/"5e-1f"', default=False)
    ] = None
    last_modified: Annotated[
        str | None,
        RecordField(
            "Last-Modified of the answer: RFC 3339, UTC; `headers` has it as sent",
            "null if it has none, or one that is no date (RFC 9110 §5.6.7)",
            "2026-11-20T08:00:00.000Z",
            column="time",
            default=False,
        ),
    ] = None
    elapsed_s: Annotated[
        float | None,
        RecordField("seconds that its request took, see below", _NOT_ASKED, 0.182, column="float", default=False),
    ] = None
    latency_s: Annotated[
        float | None,
        RecordField("those until the headers had come", _NOT_ASKED, 0.075, column="float", default=False),
    ] = None
    address: Annotated[str | None, RecordField("IP address that answered", _NOT_ASKED, "192.0.2.7", default=False)] = (
        None
    )
    attempts: Annotated[
        int | None,
        RecordField("requests for it, this one included", _NOT_ASKED, 1, column="int", default=False),
    ] = None
    redirects: Annotated[
        tuple[Redirect, ...] | None,
        RecordField(
            "`redirected_from` with the HTTP status of each: that of its page, where a meta refresh redirects",
            "empty if none redirected here; `status` is null where it is not known, as in an archive",
            [{"url": "http://example.org/old", "status": 301}],
            column="object",
            many=True,
            parts=(("url", "text"), ("status", "int")),
            default=False,
            unread=(),
        ),
    ] = None


FIELDS: dict[str, RecordField] = {
    name: annotation.__metadata__[0] for name, annotation in Record.__annotations__.items()
}
"""What is to be known of each field, by its name."""

RECORD_FIELDS: tuple[str, ...] = Record.__struct_fields__
"""Names of all record fields, in the order in which they are written."""

DEFAULT_FIELDS: tuple[str, ...] = tuple(name for name, field in FIELDS.items() if field.default)
"""Names of the fields that are written unless others are asked for. The others cost time, as `simhash` does (a third of
that for a page), or few sites tell them."""

OUTCOME_FIELDS = ("outcome", "reason", "detail")
"""Names of the fields that are written beside those where each seed has a record."""

SEED_FIELDS = ("url", "seed", "redirected_from", "status", *OUTCOME_FIELDS)
"""Names of the fields that the record of a seed without a page has in a crawl with a spider."""

_others = [name for name, field in FIELDS.items() if not field.default]
ALL_BUT = f"all but {', '.join(_others[:-1])} and {_others[-1]}"
"""What is written by default, for people."""

_Value = Callable[[PageFacts], Any]


class RecordMaker:
    """Makes records of these fields, in this order."""

    def __init__(self, fields: Iterable[str]) -> None:
        self._values: list[tuple[str, _Value]] = [(name, FIELDS[name].value or attrgetter(name)) for name in fields]

    def record(self, page: PageFacts, *, noindex: bool = False) -> dict[str, Any]:
        """Return a page's record. With `noindex` what robots may not index is null."""
        if noindex:
            return {name: None if FIELDS[name].noindex else value(page) for name, value in self._values}
        return {name: value(page) for name, value in self._values}


def without_page(fields: Iterable[str], known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record of a seed that came to no page: of these fields those that are `known`, else as the table says.

    A name that is no field of the table is null.
    """
    return {name: known[name] if name in known else FIELDS[name].unread if name in FIELDS else None for name in fields}
