"""The values that travel round the ring. All frozen; bytes on the wire are msgspec msgpack.

    Seed ─► frontier ─► Task ─► fetcher ─► Download ─► parser ─► Done ─► ledger ─► Finished ─► sinks
               ▲                   │                                       │
               │                   └─ Done (no page), Again (a retry) ────►│
               └──────────── what ended, what is due again, the Links ─────┘

Names: `*_s` seconds, `*_at` unix time (RFC 3339 text in records), `*_bytes` sizes, `key` the 16 bytes of
`web.urls.task_key`: xxh3_128 of a URL's normal form, and of its kind if that is not page, with the job's number.
"""

from typing import Any, Final, Literal

from msgspec import Struct, structs

__all__ = [
    "RETRIED_KINDS",
    "SKIPPED_REASONS",
    "Again",
    "Answer",
    "Attempt",
    "Coding",
    "Done",
    "Download",
    "Duplicate",
    "Exchange",
    "Failure",
    "Field",
    "FieldType",
    "Finished",
    "Link",
    "Outcome",
    "Result",
    "Rotation",
    "Seed",
    "SeedContext",
    "SeedRow",
    "Sent",
    "Task",
    "TaskKind",
]

Outcome = Literal["fetched", "redirected", "failed", "skipped"]
"""How a URL ends, exactly once.

- `fetched`: a server answered, whatever the status; one record exists.
- `redirected`: the answer pointed elsewhere, by Location or by a meta refresh; the record, if any, stands at the
  target.
- `failed`: no usable answer from a host that answers; `reason` is the kind (`timeout`, `dns`, `connect`, `reset`,
  `incomplete`, `protocol`, `encoding`, `tls: <what>`, `redirects`, `host-down`, `parser-died`, `parser-timeout`,
  `parser-error: <exception>`, `record: <what>`).
- `skipped`: never asked for; `reason` says why (`robots`, `robots-unreachable`, `scope`, `depth`, `filter`,
  `nofollow`, `private-address`, `trap`, `repeats`, `same-page`, `host-limit`, `domain-limit`, `blocked`; of a row of a
  list that is no URL, `malformed`).

A sitemap that was read ends as `fetched` without a record; its `reason` is `sitemap`, or `sitemap: cut` if not all
of it was taken.
"""

RETRIED_KINDS: Final = (
    "timeout",
    "dns",
    "connect",
    "reset",
    "incomplete",
    "protocol",
    "encoding",
    "tls",
    "redirects",
    "host-down",
    "sitemap",
    "parser-died",
    "parser-timeout",
    "parser-error",
    "record",
    "robots-unreachable",
)
"""Reasons, up to their colon, with which a URL may be made due again: those of `failed`, and what older versions
skipped when a robots.txt could not be had.
"""

SKIPPED_REASONS: Final = (
    "robots",
    "robots-unreachable",
    "scope",
    "depth",
    "filter",
    "nofollow",
    "private-address",
    "trap",
    "repeats",
    "same-page",
    "host-limit",
    "domain-limit",
    "blocked",
    "malformed",
)
"""Reasons of `skipped`."""

TaskKind = Literal["page", "sitemap"]
"""What a URL is asked for as. A URL can be both; each is known, and ends, by itself."""


FieldType = Literal["text", "int", "float", "date", "url"]
"""What the text that a field finds is turned into. `date` becomes ISO 8601 text, `url` an absolute URL."""


class _Place(Struct, frozen=True, omit_defaults=True):
    """What of a field needs no keyword."""

    name: str
    css: str = ""


class Field(_Place, frozen=True, kw_only=True, omit_defaults=True):
    """One field of a record, found in a page by selectors instead of code. `docs/fields.md` describes each part.

        Field("title", "h1")

    `css` or `xpath` says where it stands; `pick` what is taken of an element found: `text` (white space collapsed),
    `html`, or `attr(NAME)`. `many` makes a list of all that is found, in page order. `regex` keeps its first group, or
    the whole match, of each text. `default` stands where nothing is found; without a `required` field a page has no
    record. With `fields` the elements found are objects with those fields, looked up inside of them.
    """

    xpath: str = ""
    pick: str = "text"
    many: bool = False
    type: FieldType = "text"
    regex: str = ""
    default: Any = None
    required: bool = False
    fields: tuple["Field", ...] = ()


class Rotation(Struct, frozen=True):
    """When an output file is full and the next one begins: after so many bytes, or so many records."""

    bytes: int | None = None
    records: int | None = None

    def is_full(self, records: int, size: int) -> bool:
        """Whether a file of so many records and bytes is; an empty one never is."""
        if not records:
            return False
        if self.records is not None and records >= self.records:
            return True
        return self.bytes is not None and size >= self.bytes


class Seed(Struct, frozen=True, gc=False):
    """One start URL. `url` is in normal form; `extra` holds the other columns or keys of its line, as read.

    A seed of kind `sitemap` leads to the pages that it lists, which count as seeds themselves (depth 0).
    """

    url: str
    extra: dict[str, Any]
    kind: TaskKind = "page"


class SeedContext(Struct, frozen=True, array_like=True, gc=False):
    """What every URL that a seed leads to inherits from it.

    `anchors` are the URLs that scope is measured from: the seed and, if the seed redirected, its targets.
    `extra` is the JSON text (UTF-8) of the seed's extra columns, `b"null"` when it has none.
    """

    number: int
    anchors: tuple[str, ...]
    extra: bytes


class SeedRow(Struct, frozen=True, array_like=True, gc=False):
    """A row of the seeds that led to a page, where each has a record of its own: its number, the URLs that redirected
    from it to the page, with their statuses as in `Task`, and its extra columns as in `SeedContext`.
    """

    number: int
    redirected_from: tuple[str, ...]
    extra: bytes
    hop_statuses: tuple[int, ...] = ()


class Task(Struct, frozen=True, array_like=True, gc=False):
    """A URL that is due: what the frontier hands to the fetcher. `attempts` counts fetches already made.

    `depth` counts links from the seed; for a sitemap, the indexes above it. `chain` and `far` are what
    `frontier.reach` keeps of the ways to here. `spent_s` is the time that the redirects to here have
    used up of the URL's deadline. `lastmod` is what a sitemap says of its last change, empty if none does. `rows` are
    those for each of which a spider is to read the page, if that is not the seed alone. `hop_statuses` are the HTTP
    statuses of `redirected_from`, 0 for what is not known; empty if no record asks for them. `watched` is the site (an
    authority, or a domain) of which the frontier wants to know what its pages bring; empty for most.
    """

    key: bytes
    url: str
    depth: int
    parent: str | None
    redirected_from: tuple[str, ...]
    attempts: int
    seed: SeedContext
    kind: TaskKind = "page"
    chain: int = 0
    spent_s: float = 0.0
    lastmod: str = ""
    far: int = 0
    rows: tuple[SeedRow, ...] = ()
    watched: str = ""
    hop_statuses: tuple[int, ...] = ()


class Attempt(Struct, frozen=True, array_like=True, gc=False):
    """One request for a URL that counts, and what came of it.

    `at` is the unix time at which it started, `elapsed_ms` how long it took, from the look-up of the name to the last
    byte of the body. `what` is empty if its answer was taken, else a failure's kind (see `Outcome`) or `status 503`.
    `address` is the IP address that answered or was tried, packed (`core.ip_address`); empty if none is known.
    """

    at: float
    elapsed_ms: int
    what: str = ""
    address: bytes = b""


class Exchange(Struct, frozen=True, array_like=True, gc=False):
    """What passed between the crawler and a server beside the body of the answer, for an archive.

    `version` is that of HTTP, such as `1.1`; `reason` the words behind the status. `sent` and `received` are headers
    as (name, value) in the order in which they went, as bytes, since a server may send any. What may hold a secret is
    not among them. `address` is the IP address that answered, if known.
    """

    version: str
    reason: bytes
    sent: tuple[tuple[bytes, bytes], ...]
    received: tuple[tuple[bytes, bytes], ...]
    address: str | None = None


class Coding(Struct, frozen=True, array_like=True, gc=False):
    """How a body is still encoded; `web.content_coding.undone` undoes it.

    `names` are the codings in the order in which they were applied, as in Content-Encoding. Of the decoded bytes
    `most_bytes` are taken at most. `is_read`: False if nobody wants more of them than their number.
    """

    names: str
    most_bytes: int
    is_read: bool = True


class Answer(Struct, frozen=True, array_like=True, gc=False):
    """What a server answered, on its way to a parser, or as it is read there.

    `headers` are (lower-case name, value) pairs in the order received. `body` is empty if nobody reads it (an image in
    a crawl without a spider, say); `body_bytes` counts the bytes that were received, `truncated` says that there were
    more. As long as there is a `coding`, both are those of the body as it came; whoever reads a page gets them decoded.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    body_bytes: int
    truncated: bool = False
    coding: Coding | None = None

    def header(self, name: str) -> str | None:
        """Value of the first header called `name` (lower case), or None."""
        for key, value in self.headers:
            if key == name:
                return value
        return None


class Download(Struct, frozen=True, array_like=True, gc=False):
    """An answer on its way from the fetcher to a parser, with the task that asked for it.

    `fetched_at` is unix time in seconds. `spent_s` is the task's, with this fetch. While a large page travels, the
    answer's body is empty and `body_file` names the file that holds it. `exchange` is there if the answer goes into an
    archive; then the body is there whatever its type. `attempt` is the request that brought it; None of one that was
    not asked for now (a file, a page of an archive). `latency_s` is the time from its start to the complete head of the
    answer.
    """

    task: Task
    answer: Answer
    fetched_at: float
    spent_s: float = 0.0
    body_file: str = ""
    exchange: Exchange | None = None
    attempt: Attempt | None = None
    latency_s: float = 0.0

    def with_body(self, body: bytes, body_file: str = "") -> "Download":
        """Return the same download with another body, or none while `body_file` holds it."""
        return structs.replace(self, answer=structs.replace(self.answer, body=body), body_file=body_file)


class Link(Struct, frozen=True, array_like=True, gc=False):
    """A URL that a page leads to: absolute, in normal form.

    `skip` is empty if it may be
    fetched, else the reason why it is not (see `Outcome`); the frontier may still find it too far away.
    `alike` says that it looks like what leads to it (`web.traps.alike`). `kind`, `spent_s` and `lastmod` become those
    of its task.
    """

    url: str
    skip: str = ""
    kind: TaskKind = "page"
    alike: bool = False
    spent_s: float = 0.0
    lastmod: str = ""


class Sent(Struct, frozen=True, array_like=True, gc=False):
    """Links of one task that another shard owns, with what its end gives to them (`frontier.source`).

    `seed` is the number of its seed as other shards know it (`core.shard`). `depth` is that of the links, `far` and
    `chain` are the best that is known of the task's own reach. `listed`: a sitemap names them. `parent` (key) and
    `parent_url` are of what leads to them, `hops` the redirects to there with their `statuses`, empty if no record asks
    for those.
    """

    seed: int
    depth: int
    listed: bool
    far: int
    chain: int
    parent: bytes
    parent_url: str | None
    hops: tuple[str, ...]
    statuses: tuple[int, ...]
    links: tuple[Link, ...]


class Done(Struct, frozen=True, array_like=True, gc=False):
    """How one task ended: from a parser, or from the fetcher if there is no page.

    `records` are complete JSON lines, each with its line feed, of a page that was read (a spider may give none or
    several); None when the outcome can have none. `links` are the URLs it leads to (for `redirected`: exactly the
    target). `body_bytes` feeds the counters. `body_hash` is 16 bytes (xxh3_128) of a body that was read and is
    not empty. `simhash` is that of the visible text, if near-duplicates are looked
    for. If an output wants it, `archive` is the exchange with the server, as `web.warc` encodes it, and
    `fetched_at` (unix time) when that was: it counts as the time of the URL's end, by which archives know a page again.
    `detail` says for people what the reason leaves out; the store keeps its first words. A page of which not all
    links were taken has one, too. `row_records` are the records of each of the task's `rows`, by their numbers.
    `body_key` is a hash of the body that nobody outside can foresee (`frontier.keys`), by which duplicates are noticed;
    empty in a job of an earlier version, which goes by `body_hash`. Of a page of a site that is `watched`, `pieces`,
    `marks` and `own_links` are hashes of text and of numbers, pictures and the like, and keys of URLs, that the pages
    before it did not have (`parsers.reading.gist`); `pieces` of any other page is None. Of a file (`is_file`), `marks`
    alone is there. `attempt` is the last request for it; None if it was not asked for. In a sample `all_links` are the
    keys of all URLs that a page links to, known or not.
    """

    key: bytes
    outcome: Outcome
    reason: str = ""
    status: int = 0
    records: bytes | None = None
    links: tuple[Link, ...] = ()
    body_bytes: int = 0
    body_hash: bytes = b""
    simhash: int | None = None
    archive: bytes | None = None
    fetched_at: float = 0.0
    detail: str = ""
    row_records: tuple[tuple[int, bytes], ...] = ()
    body_key: bytes = b""
    pieces: bytes | None = None
    own_links: bytes = b""
    marks: bytes = b""
    attempt: Attempt | None = None
    all_links: bytes = b""

    @property
    def is_file(self) -> bool:
        """Whether the answer is a file, and no page."""
        return self.pieces is None and bool(self.marks)


class Again(Struct, frozen=True, gc=False):
    """A task that has not ended: due again at `at` (unix time). Only the fetcher sends it.

    `reason` says what went wrong, and the attempt counts. It is None if no attempt counts: the task comes back as it
    was handed out, because its host must not be asked before then, or does not answer. An `at` without end: not in this
    run. `attempt` is the one that counts.
    """

    key: bytes
    at: float
    reason: str | None
    attempt: Attempt | None = None


Result = Done | Again
"""What the ledger is told of a task."""


class Duplicate(Struct, frozen=True, gc=False):
    """The page that brought the same body (or nearly the same text: `near`) before, and when that was done (unix
    time).
    """

    url: str
    done_at: float
    near: bool = False


class Finished(Struct, frozen=True, kw_only=True, gc=False):
    """A URL that has ended, as sinks are told of it.

    `url` is in normal form (empty where records come later than the ends of their URLs), `at` the unix time of its end,
    `reason` says more of `outcome` (see `Outcome`), `status` is that of HTTP, 0 without an answer. `depth` counts links
    from the seed; `parent` is the URL where it was found, None for a seed; `redirected_from` are the URLs that
    redirected to it, first one first; `lastmod` is what a sitemap says of its last change, empty if none does; `seed`
    is the JSON text (UTF-8) of the seed's extra columns, `b"null"` when it has none.

    `records` are complete JSON lines, each with its line feed: none or several with a spider, or where each seed has a
    record, whatever the outcome; else one. None if there can be none. `body_bytes` counts the decoded bytes that were
    received; `body_hash` is the xxh3_128 of a body that was read, 16 bytes, empty without one. `duplicate` is the page
    that it repeats, if known. `archive` is what the crawler's own archives keep of the exchange with the server, None
    if no output is one.
    """

    url: str
    outcome: Outcome
    at: float
    reason: str = ""
    status: int = 0
    kind: TaskKind = "page"
    depth: int = 0
    parent: str | None = None
    redirected_from: tuple[str, ...] = ()
    lastmod: str = ""
    seed: bytes = b"null"
    records: bytes | None = None
    body_bytes: int = 0
    body_hash: bytes = b""
    duplicate: Duplicate | None = None
    archive: bytes | None = None

    @classmethod
    def of(cls, task: Task, done: Done, at: float, duplicate: Duplicate | None = None) -> "Finished":
        """Take what sinks are told out of the ring's own messages."""
        return cls(
            url=task.url,
            outcome=done.outcome,
            at=at,
            reason=done.reason,
            status=done.status,
            kind=task.kind,
            depth=task.depth,
            parent=task.parent,
            redirected_from=task.redirected_from,
            lastmod=task.lastmod,
            seed=task.seed.extra,
            records=done.records,
            body_bytes=done.body_bytes,
            body_hash=done.body_hash,
            duplicate=duplicate,
            archive=done.archive,
        )


class Failure(Struct, frozen=True, gc=False):
    """A fetch without a usable answer. `kind` is a reason of outcome `failed` (or `private-address`, which is a skip).

    `detail` is for people; `retryable` says whether another attempt could end differently. `stale`: the connection had
    been kept from an earlier request and ended before an answer, as one does that the server has just closed.
    `answered`: the head of an answer had come. `gave_way`: it was ended here because it stood still and others waited.
    `address` is the IP address that answered, or was tried last, if any.
    """

    kind: str
    detail: str
    retryable: bool
    stale: bool = False
    answered: bool = False
    gave_way: bool = False
    address: str | None = None

    @property
    def is_silence(self) -> bool:
        """Whether nothing answered that could have: the host may be down, or this URL alone may be at fault.

        What says no for good (an unknown name, a bad certificate, an answer that is no HTTP) is no silence.
        """
        return self.retryable and not self.answered
