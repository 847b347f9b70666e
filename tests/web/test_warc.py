"""WARC records: framing, heads, what is kept of an exchange and what is not."""

import gzip
import io

import msgspec
from warcio.archiveiterator import ArchiveIterator

from crawler.core.config import CrawlConfig
from crawler.core.model import Answer, Done, Download, Duplicate, Exchange, Finished, SeedContext, Task
from crawler.fetcher.request import Requests
from crawler.fetcher.transport.base import FetchRequest, FetchResult
from crawler.web import warc
from tests.support.table import table

URL = "http://a.test/page?q=1"
AT = 1_700_000_000.123
SEED = SeedContext(1, ("http://a.test/",), b'{"team":\n "\xc3\xa4"}')
TASK = Task(b"k" * 16, URL, 2, "http://a.test/", ("http://a.test/old", "http://a.test/older"), 0, SEED)
SENT = ((b"Host", b"a.test"), (b"User-Agent", b"crawler"))


def exchange(*received, **others):
    return Exchange(**{"version": "1.1", "reason": b"OK", "sent": SENT, "received": received} | others)


def records(*members):
    """What warcio reads, with the body of each record; every digest is checked."""
    file = io.BytesIO(b"".join(members))
    return [(record, record.raw_stream.read()) for record in ArchiveIterator(file, check_digests="raise")]


def capture(body=b"<p>body", *received, **others):
    return warc.built(warc.captured(URL, 200, AT, exchange(*received, **others), body))


def lines(member):
    """A record as it stands, split at its line ends."""
    return gzip.decompress(member).split(b"\r\n")


def test_request_and_response_belong_together():
    """Each is a gzip member of its own; warcio reads them, their digests are right."""
    made = capture(b"<p>body", (b"Content-Type", b"text/html"), address="192.0.2.7")
    (request, sent), (response, body) = records(made.request, made.response)
    assert (request.rec_type, request.http_headers.statusline) == ("request", "/page?q=1 HTTP/1.1")
    assert request.http_headers.headers == [("Host", "a.test"), ("User-Agent", "crawler")]
    assert (response.rec_type, response.http_headers.statusline, body, sent) == ("response", "200 OK", b"<p>body", b"")
    assert response.http_headers.headers == [("Content-Type", "text/html"), ("Content-Length", "7")]
    for record in (request, response):
        assert record.rec_headers.protocol == "WARC/1.1"
        assert record.rec_headers["WARC-Target-URI"] == URL
        assert record.rec_headers["WARC-Date"] == "2023-11-14T22:13:20.123Z"
        assert record.rec_headers["WARC-IP-Address"] == "192.0.2.7"
    assert request.rec_headers["WARC-Concurrent-To"] == response.rec_headers["WARC-Record-ID"]
    assert response.rec_headers["WARC-Payload-Digest"] == made.digest != ""
    assert response.rec_headers["WARC-Truncated"] is None


def test_headers_about_a_coding_that_is_undone_get_another_name():
    """The body is stored decoded, and no header denies that; the others stay byte by byte, in their order."""
    made = capture(
        b"decoded",
        (b"X-Odd", b"caf\xe9 \xff"),
        (b"Content-Encoding", b"gzip"),
        (b"content-length", b"99"),
        (b"Transfer-Encoding", b"chunked"),
        (b"X-Odd", b"again"),
    )
    head = gzip.decompress(made.response).partition(b"\r\n\r\n")[2].partition(b"\r\n\r\n")[0]
    assert head.split(b"\r\n") == [
        b"HTTP/1.1 200 OK",
        b"X-Odd: caf\xe9 \xff",
        b"X-Crawler-Content-Encoding: gzip",
        b"X-Crawler-content-length: 99",
        b"X-Crawler-Transfer-Encoding: chunked",
        b"X-Odd: again",
        b"Content-Length: 7",
    ]
    (((_, body)),) = records(made.response)
    assert body == b"decoded"


@table(
    ("received", "kept"),
    [
        (((b"Content-Length", b"7"),), b"Content-Length: 7"),
        (((b"Content-Length", b"8"),), b"X-Crawler-Content-Length: 8\r\nContent-Length: 7"),
        ((), b"Content-Length: 7"),
    ],
    ids=["true", "wrong", "none"],
)
def test_the_length_is_true(received, kept):
    assert b"HTTP/1.1 200 OK\r\n" + kept + b"\r\n\r\ndecoded" in gzip.decompress(
        capture(b"decoded", *received).response
    )


def test_no_header_can_break_out_of_its_line():
    """A line feed in a value, a name or a reason would begin a header, or a body, of the server's own making."""
    made = capture(b"", (b"A\nX: 1", b"b\r\n\r\nbody\0"), reason=b"OK\r\nX: 1")
    (record, body), *others = records(made.response)
    assert (body, others) == (b"", [])
    assert record.http_headers.statusline == "200 OK  X: 1"
    assert [name for name, _ in record.http_headers.headers] == ["A X", "Content-Length"]


@table(
    ("length", "truncated"),
    [((), "unspecified"), ((b"content-length", b"9"), "unspecified"), ((b"Content-Length", b"0"), None)],
)
def test_a_body_that_was_not_read_is_said_to_be_missing(length, truncated):
    """The body of a redirect is not read, which is no empty body."""
    received = ((b"Location", b"/to"), length) if length else ((b"Location", b"/to"),)
    made = warc.built(warc.captured(URL, 302, AT, exchange(*received), None))
    ((record, body),) = records(made.response)
    assert (record.rec_headers["WARC-Truncated"], body) == (truncated, b"")
    assert record.http_headers["Location"] == "/to"


def test_a_cut_body_is_said_to_be_cut():
    made = warc.built(warc.captured(URL, 200, AT, exchange(), b"begin", truncated=True))
    assert records(made.response)[0][0].rec_headers["WARC-Truncated"] == "length"


def test_a_revisit_names_its_original_and_has_no_body():
    made = capture(b"the same", (b"ETag", b"1"))
    ((record, body),) = records(warc.revisit(made, Duplicate("http://a.test/first", AT - 60)))
    headers = record.rec_headers
    assert (record.rec_type, body) == ("revisit", b"")
    assert headers["WARC-Profile"] == "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest"
    assert headers["WARC-Refers-To-Target-URI"] == "http://a.test/first"
    assert headers["WARC-Refers-To-Date"] == "2023-11-14T22:12:20.123Z"
    assert (headers["WARC-Payload-Digest"], headers["WARC-Record-ID"]) == (made.digest, made.record)
    assert headers["WARC-Truncated"] == "length"
    assert record.http_headers["ETag"] == "1"


def test_metadata_say_how_a_url_ended():
    done = Done(TASK.key, "fetched", "duplicate", 200)
    made = capture()
    member = warc.metadata(Finished.of(TASK, done, AT + 5, Duplicate("http://a.test/first", AT)), made)
    ((record, block),) = records(member)
    assert block.decode().split("\r\n") == [
        "outcome: fetched",
        "reason: duplicate",
        "status: 200",
        "via: http://a.test/",
        "depth: 2",
        "redirectedFrom: http://a.test/old",
        "redirectedFrom: http://a.test/older",
        'seed: {"team":"ä"}',
        "duplicateOf: http://a.test/first",
        "",
    ]
    assert record.rec_headers["WARC-Concurrent-To"] == made.record
    assert record.rec_headers["WARC-Date"] == warc.warc_date(AT)


def test_metadata_of_a_url_without_an_answer():
    """They stand alone, at the time when it ended."""
    finished = Finished(url=URL, outcome="failed", reason="dns", at=AT, kind="sitemap")
    ((record, block),) = records(warc.metadata(finished, None))
    assert block == b"outcome: failed\r\nreason: dns\r\ndepth: 0\r\nkind: sitemap\r\n"
    assert record.rec_headers["WARC-Concurrent-To"] is None
    assert (record.rec_headers["WARC-Date"], record.rec_headers["WARC-Target-URI"]) == (warc.warc_date(AT), URL)


def test_a_near_duplicate_is_named_as_such():
    first = Duplicate("http://a.test/x", AT, near=True)
    finished = Finished(url=URL, outcome="fetched", reason="near-duplicate", status=200, at=AT, duplicate=first)
    assert b"nearDuplicateOf: http://a.test/x" in lines(warc.metadata(finished, None))


def test_a_page_outside_of_an_archive_stays_as_it_is():
    download = Download(TASK, Answer(200, (), b"", 0), fetched_at=AT)
    done = Done(TASK.key, "fetched")
    assert warc.archived(done, download) is done
    kept = warc.archived(done, msgspec.structs.replace(download, exchange=exchange()))
    assert (kept.fetched_at, msgspec.msgpack.decode(kept.archive, type=warc.Capture).url) == (AT, URL)


# What of an exchange goes in


def kept(config, sent=(), received=((b"Set-Cookie", b"id=secret"), (b"Server", b"x"))):
    config = CrawlConfig(archive=True, **config)
    result = FetchResult(URL, 200, raw_headers=received, version="1.0", reason=b"Fine", address="192.0.2.1")
    return Requests(config).exchange(FetchRequest(URL, sent), result)


def test_what_was_sent_is_kept_but_what_may_be_secret():
    """Names decide, as they decide who is sent a header; a secret of the configuration is never in an archive."""
    made = kept(
        {"headers": (("Authorization", "Basic secret"), ("X-Api-Key", "secret"), ("Accept-Language", "de"))},
        sent=(("Authorization", "Basic secret"), ("X-Api-Key", "secret"), ("Cookie", "id=secret"), ("accept", "a/b")),
    )
    names = [name.decode() for name, _ in made.sent]
    assert names == ["Host", "User-Agent", "accept", "Accept-Encoding", "Accept-Language"]
    assert dict(made.sent)[b"Host"] == b"a.test"
    assert dict(made.sent)[b"accept"] == b"a/b"
    assert b"secret" not in msgspec.msgpack.encode(made)
    assert (made.version, made.reason, made.address, made.received) == (
        "1.0",
        b"Fine",
        "192.0.2.1",
        ((b"Server", b"x"),),
    )


def test_a_cookie_set_for_anybody_is_part_of_the_answer():
    """Where neither cookies nor secrets were sent, it is nobody's session."""
    assert kept({}).received == ((b"Set-Cookie", b"id=secret"), (b"Server", b"x"))
    assert kept({"cookies": True}).received == ((b"Server", b"x"),)


def test_without_an_archive_nothing_is_kept():
    result = FetchResult(URL, 200)
    assert Requests(CrawlConfig(output="x.jsonl")).exchange(FetchRequest(URL), result) is None
