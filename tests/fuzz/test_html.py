"""HTML: any bytes of any type at any URL become one clean record, and clean links."""

import json
import re
from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.config import CrawlConfig
from crawler.core.model import Done, SeedContext
from crawler.core.record import DEFAULT_FIELDS, RECORD_FIELDS
from crawler.page.html import extract, media_type, without_controls
from crawler.page.sniff import sniffed_type
from crawler.parsers.reading.reader import PageReader, parse_page
from crawler.parsers.reading.settings import ParserSettings
from crawler.web.urls import LinkResolver, normalise
from tests.fuzz.damage import ANY_TEXT, damaged, damaged_text, fragments
from tests.fuzz.profile import fuzz
from tests.support.downloads import download_of
from tests.support.yardstick import takes_linear_time

FRAGMENTS = fragments("html")
# The same in UTF-16 now and then: what a byte-order mark or a meta promises.
BODIES = (
    damaged(FRAGMENTS)
    | damaged(FRAGMENTS).map(lambda body: "\ufeff".encode("utf-16le") + body.decode("latin-1").encode("utf-16le"))
    | damaged(FRAGMENTS).map(lambda body: body.decode("latin-1").encode("utf-16be"))
    | st.binary(max_size=200)
)
TYPES = (
    st.none()
    | st.sampled_from(["text/html", "text/html; charset=utf-8", "application/octet-stream", "text/plain"])
    | damaged_text(fragments("types"), 8)
    | ANY_TEXT
)
URLS = st.sampled_from(["http://h.example/dir/page.html", "https://[::1]:81/?a", "http://h/;jsessionid=1?PHPSESSID=2"])
TAGS = damaged_text(fragments("robots_tags"), 8)
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
REASONS = {"", "scope", "depth", "filter", "nofollow", "trap"}
SETTINGS = ParserSettings.of(CrawlConfig(job=Path("unused"), max_links=5, max_chain=2))
ALL = frozenset(RECORD_FIELDS)


def texts(value):
    """Every string in a decoded JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield name
            yield from texts(item)


@fuzz(400)
@given(BODIES, TYPES, URLS)
def test_any_page_is_read_without_an_error_into_clean_fields(body, content_type, url):
    page = extract(body, url, content_type, LinkResolver(), ALL, max_links=5)
    for field in (page.charset, page.title, page.description, page.language, page.canonical, page.text):
        assert field is None or CONTROLS.search(field) is None
    assert len(page.hrefs) <= 5
    for href in [*(href for href, _ in page.hrefs), *([page.canonical] if page.canonical else [])]:
        assert normalise(href) == href
    if page.refresh is not None:
        assert page.refresh[0] >= 0
        assert normalise(page.refresh[1]) == page.refresh[1]
    assert page.dropped_hrefs >= 0


@fuzz(200)
@given(
    BODIES,
    st.lists(st.tuples(st.just("content-type"), TYPES.filter(bool)), max_size=2),
    st.lists(st.tuples(st.just("x-robots-tag"), TAGS), max_size=2),
    URLS,
    st.sampled_from([200, 200, 204, 404, 999]),
)
def test_any_page_becomes_one_line_of_json_without_control_characters(body, types, tags, url, status):
    seed = SeedContext(1, ("http://h.example/",), b'{"a":\n"b"}')
    download = download_of(body, url=url, status=status, headers=(*types, *tags), seed=seed)
    done = parse_page(download, PageReader(SETTINGS))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(done), type=Done) == done
    for link in done.links:
        assert normalise(link.url) == link.url
        assert link.skip in REASONS
    assert len(done.links) <= 5
    if done.records is None:
        assert (done.outcome, done.reason) in {("redirected", ""), ("failed", "redirects")}
        return
    assert (done.outcome, done.reason) == ("fetched", "")
    assert done.records.endswith(b"\n")
    assert min(done.records[:-1]) >= 0x20
    record = json.loads(done.records.decode())
    assert list(record) == list(DEFAULT_FIELDS)
    assert not any(CONTROLS.search(text) for text in texts(record))


@fuzz(250)
@given(BODIES, TYPES)
def test_any_type_and_any_first_bytes_are_judged(body, content_type):
    declared = media_type(content_type)
    assert declared is None or (declared == declared.strip().lower() and CONTROLS.search(declared) is None)
    sniffed = sniffed_type(declared, body)
    assert sniffed is None or re.fullmatch(r"[a-z]+/[a-z0-9.+-]+", sniffed)


@fuzz(400)
@given(ANY_TEXT)
def test_no_control_is_left_in_any_text(text):
    clean = without_controls(text)
    assert clean == "".join(character for character in text if not CONTROLS.match(character))


@fuzz(12, cost=10)
@given(
    st.sampled_from(FRAGMENTS),
    st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=3).map(b"".join),
    st.sampled_from(["text/html", "text/plain", None]),
)
def test_a_page_of_the_same_again_and_again_takes_linear_time(start, unit, content_type):
    """Not so deep that only the quadratic cost of nesting, which the parser's deadline is for, would be measured."""

    def work(count):
        body = start + unit * count
        sniffed_type(media_type(content_type), body)
        extract(body, "http://h/", content_type, LinkResolver(), ALL)

    assert takes_linear_time(work, 1_000)
