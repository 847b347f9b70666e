"""The work of a parser: records as documented, and each link sent on once, with the verdict that it deserves."""

import json
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.config import CrawlConfig
from crawler.model import RECORD_FIELDS, Page, SeedContext
from crawler.urls import host_key, url_key
from crawler.worker import ParserSettings, ParserState, parse_page

URL = "http://h.example/dir/page.html"
SEED = SeedContext(1, ("http://h.example/",), b"null")
DOCS = Path(__file__).parent.parent / "docs" / "records.md"


def page_of(body: bytes | str = b"<p>x", *headers: tuple[str, str], **changes) -> Page:
    body = body.encode() if isinstance(body, str) else body
    page = Page(
        key=url_key(URL),
        url=URL,
        status=200,
        fetched_at=1_795_364_400.1256,
        depth=1,
        parent="http://h.example/",
        redirected_from=(),
        headers=(*headers, ("content-type", "text/html; charset=utf-8")),
        body=body,
        body_bytes=len(body),
        truncated=False,
        seed=SEED,
    )
    return msgspec.structs.replace(page, **changes)


def state_of(sent_chars: int | None = None, **settings) -> ParserState:
    plain = ParserSettings.of(CrawlConfig(job=Path("unused"), **settings))
    return ParserState(plain) if sent_chars is None else ParserState(plain, sent_chars)


def record_of(page: Page, **settings) -> dict:
    line = parse_page(page, state_of(**settings)).record
    assert line is not None
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    return json.loads(line)


def links_of(page: Page, state: ParserState | None = None) -> dict[str, str]:
    return {
        link.url.removeprefix("http://h.example"): link.skip for link in parse_page(page, state or state_of()).links
    }


def test_a_page_becomes_the_record_that_the_documentation_describes():
    html = (
        "<html lang=en><title>T</title><meta name=description content=D><link rel=canonical href=/c><p>a<p><a href=b>b"
    )
    page = page_of(
        html,
        redirected_from=("http://h.example/old",),
        truncated=True,
        body_bytes=9,
        seed=SeedContext(1, ("http://h.example/",), b'{"team":"docs"}'),
    )
    done = parse_page(page, state_of())
    assert (done.key, done.outcome, done.reason, done.status, done.body_bytes) == (page.key, "fetched", "", 200, 9)
    assert json.loads(done.record) == {
        "url": URL,
        "status": 200,
        "fetched_at": "2026-11-22T16:20:00.125Z",
        "depth": 1,
        "parent": "http://h.example/",
        "redirected_from": ["http://h.example/old"],
        "content_type": "text/html",
        "charset": "utf-8",
        "body_bytes": 9,
        "truncated": True,
        "title": "T",
        "description": "D",
        "language": "en",
        "canonical": "http://h.example/c",
        "text": "a\nb",
        "links": ["http://h.example/c", "http://h.example/dir/b"],
        "seed": {"team": "docs"},
    }


def test_a_record_has_the_chosen_fields_in_the_chosen_order():
    assert list(record_of(page_of())) == list(RECORD_FIELDS)
    assert list(record_of(page_of(), fields=("title", "url", "seed"))) == ["title", "url", "seed"]


def test_the_documentation_lists_exactly_the_fields_there_are():
    rows = re.findall(r"^\| `(\w+)` \|", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    assert tuple(rows) == RECORD_FIELDS


@pytest.mark.parametrize(
    ("content_type", "body"),
    [("image/png", b"\x89PNG"), ("text/html", b"%PDF-1.4 <a href=x>"), ("application/json", b"{}"), ("text/html", b"")],
)
def test_what_is_no_html_has_a_record_without_page_fields(content_type, body):
    page = page_of(body, headers=(("content-type", content_type),))
    record = record_of(page)
    assert record["content_type"] == content_type
    assert record["links"] == []
    for field in ("charset", "title", "description", "language", "canonical", "text"):
        assert record[field] is None
    assert links_of(page) == {}


def test_an_answer_without_a_type_is_sniffed():
    record = record_of(page_of(b"<!doctype html><title>t</title>", headers=()))
    assert (record["content_type"], record["title"]) == (None, "t")


@pytest.mark.parametrize("status", [200, 203])
def test_links_of_a_successful_page_are_followed(status):
    assert links_of(page_of("<a href=x>", status=status)) == {"/dir/x": ""}


@pytest.mark.parametrize("status", [404, 500, 304])
def test_links_of_another_answer_stand_in_its_record_only(status):
    page = page_of("<a href=x>", status=status)
    assert record_of(page)["links"] == ["http://h.example/dir/x"]
    assert links_of(page) == {}


def test_a_link_carries_its_keys_and_the_verdict_of_scope_at_the_next_depth():
    html = "<a href=/in><a href=http://o.example/><a href=/skip/x><a href=page.html>"
    done = parse_page(page_of(html), state_of(exclude=("/skip/",)))
    assert {link.url: link.skip for link in done.links} == {
        "http://h.example/in": "",
        "http://o.example/": "scope",
        "http://h.example/skip/x": "filter",
    }
    for link in done.links:
        assert link.key == url_key(link.url)
        assert link.host == host_key(link.url)
    assert links_of(page_of("<a href=x>", depth=2), state_of(depth=2)) == {"/dir/x": "depth"}
    assert links_of(page_of("<a href=x>", depth=1), state_of(depth=2)) == {"/dir/x": ""}


@pytest.mark.parametrize(
    ("page", "skip"),
    [
        (page_of("<a href=x>"), ""),
        (page_of("<a href=x rel=nofollow>"), "nofollow"),
        (page_of("<meta name=robots content=nofollow><a href=x>"), "nofollow"),
        (page_of("<meta name=robots content=none><a href=x>"), "nofollow"),
        (page_of("<a href=x>", ("x-robots-tag", "noindex, nofollow")), "nofollow"),
        (page_of("<a href=x>", ("x-robots-tag", "otherbot: noarchive"), ("x-robots-tag", "nofollow")), "nofollow"),
        (page_of("<a href=x>", ("x-robots-tag", "otherbot: nofollow")), ""),
        (page_of("<a href=x>", ("x-robots-tag", "crawler: nofollow")), "nofollow"),
    ],
)
def test_nofollow_is_obeyed_unless_robots_are_ignored(page, skip):
    assert links_of(page) == {"/dir/x": skip}
    assert links_of(page, state_of(robots="ignore")) == {"/dir/x": ""}


def test_a_link_out_of_scope_is_skipped_for_that_and_not_for_nofollow():
    assert links_of(page_of("<a href=http://o.example/ rel=nofollow>")) == {"http://o.example/": "scope"}


@pytest.mark.parametrize(
    "page",
    [
        page_of("<title>T</title><meta name=robots content=noindex><meta name=description content=D><a href=x>t"),
        page_of("<title>T</title><meta name=description content=D><a href=x>t", ("x-robots-tag", "noindex")),
    ],
)
def test_noindex_empties_title_description_and_text_unless_robots_are_ignored(page):
    hidden, shown = record_of(page), record_of(page, robots="ignore")
    assert [hidden[field] for field in ("title", "description", "text")] == [None] * 3
    assert [shown[field] for field in ("title", "description", "text")] == ["T", "D", "t"]
    assert hidden["links"] == shown["links"] == ["http://h.example/dir/x"]
    assert links_of(page) == {"/dir/x": ""}


def test_a_link_is_sent_once():
    state = state_of()
    assert links_of(page_of("<a href=a><a href=b>"), state) == {"/dir/a": "", "/dir/b": ""}
    assert links_of(page_of("<a href=b><a href=c>"), state) == {"/dir/c": ""}
    assert links_of(page_of("<a href=a>", depth=5), state) == {}


def test_a_link_found_closer_to_a_seed_is_sent_again():
    state = state_of()
    assert links_of(page_of("<a href=a>", depth=5), state) == {"/dir/a": ""}
    assert links_of(page_of("<a href=a>", depth=4), state) == {"/dir/a": ""}
    assert links_of(page_of("<a href=a>", depth=4), state) == {}
    assert links_of(page_of("<a href=a rel=nofollow>", depth=2), state) == {}


def test_a_link_sent_as_skipped_is_sent_again_when_it_is_to_be_followed():
    state = state_of(depth=3)
    assert links_of(page_of("<a href=a>", depth=3), state) == {"/dir/a": "depth"}
    assert links_of(page_of("<a href=a>", depth=3), state) == {}
    assert links_of(page_of("<a href=a>", depth=2), state) == {"/dir/a": ""}
    assert links_of(page_of("<a href=a>", depth=3), state) == {}
    other = SeedContext(2, ("http://o.example/",), b"null")
    assert links_of(page_of("<a href=//o.example/>"), state) == {"http://o.example/": "scope"}
    assert links_of(page_of("<a href=//o.example/>", seed=other), state) == {"http://o.example/": ""}


def test_what_was_sent_is_forgotten_when_its_memory_is_full():
    state = state_of(sent_chars=1000)
    html = "".join(f"<a href={number}>" for number in range(4))
    assert len(links_of(page_of(html), state)) == 4
    assert len(links_of(page_of(html), state)) == 0
    assert len(links_of(page_of("<a href=other1><a href=other2>"), state)) == 2
    assert len(links_of(page_of(html), state)) == 4


def test_a_page_that_fails_has_not_sent_its_links():
    state = state_of()
    with pytest.raises(AttributeError):
        state.new_links(page_of(), [("http://h.example/x", False), (None, False)], nofollow=False)
    assert links_of(page_of("<a href=/x>"), state) == {"/x": ""}


@pytest.mark.parametrize(
    "extra",
    [b"null", b'{"a":1}', b'{"a":\n [1,\n2]}', '{"é\u2028":"\\n"}'.encode()],
)
def test_the_seed_s_columns_stand_in_the_record_as_they_are_on_one_line(extra):
    assert record_of(page_of(seed=SeedContext(1, ("http://h.example/",), extra)))["seed"] == json.loads(extra)


def test_headers_with_controls_or_lone_surrogates_do_not_break_a_record():
    record = record_of(page_of(b"<p>x", headers=(("content-type", "text/html\x1b[2J\udcff;charset=\udcff"),)))
    assert record["content_type"] == "text/html[2j"


@given(st.binary(max_size=300), st.text(max_size=30), st.integers(100, 599))
def test_any_page_gives_one_line_of_json(body, content_type, status):
    record = record_of(page_of(body, headers=(("content-type", content_type),), status=status))
    assert record["status"] == status


def test_a_parser_imports_nothing_that_only_the_main_process_needs():
    heavy = "('aiohttp', 'asyncio', 'rocksdict', 'rich', 'click', 'requests', 'lxml', 'bs4', 'tldextract')"
    code = f"import sys, crawler.worker; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
