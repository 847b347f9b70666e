"""The work of a parser: records as documented, and each link sent on once, with the verdict that it deserves."""

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xxhash import xxh3_128_digest

from crawler.core.model import Done, Download, Link, SeedContext
from crawler.core.record import DEFAULT_FIELDS, RECORD_FIELDS
from crawler.parsers.reading.new_links import NewLinks
from crawler.parsers.reading.reader import PageReader, parse_page
from crawler.web.scope import Scope
from crawler.web.simhash import simhash
from crawler.web.urls import url_key
from tests.support.downloads import PAGE_URL, download_of, reader_of, record_of


def links_of(download: Download, reader: PageReader | None = None) -> dict[str, str]:
    done = parse_page(download, reader or reader_of())
    return {link.url.removeprefix("http://h.example"): link.skip for link in done.links}


def test_what_is_no_page_is_a_file_with_a_mark_by_its_size_and_etag():
    def file_of(size: int, etag: str, kind: str = "application/pdf") -> Done:
        headers = (("content-type", kind), ("etag", etag))
        return parse_page(download_of(b"", headers=headers, body_bytes=size), reader_of())

    one, same, larger, newer = file_of(5, "a"), file_of(5, "a"), file_of(6, "a"), file_of(5, "b")
    assert one.is_file
    assert one.pieces is None
    assert one.marks == same.marks
    assert len({one.marks, larger.marks, newer.marks}) == 3
    assert not file_of(0, "a").is_file
    assert not parse_page(download_of("<p>a", body_bytes=4), reader_of()).is_file


def test_a_page_becomes_the_record_that_the_documentation_describes():
    html = (
        "<html lang=en><title>T</title><meta name=description content=D><link rel=canonical href=/c><p>a<p><a href=b>b"
    )
    download = download_of(
        html,
        redirected_from=("http://h.example/old",),
        truncated=True,
        body_bytes=9,
        seed=SeedContext(1, ("http://h.example/",), b'{"team":"docs"}'),
    )
    done = parse_page(download, reader_of())
    assert (done.key, done.outcome, done.reason, done.status) == (download.task.key, "fetched", "", 200)
    assert done.body_bytes == 9
    assert done.body_hash == xxh3_128_digest(download.answer.body)
    assert json.loads(done.records) == {
        "url": PAGE_URL,
        "status": 200,
        "fetched_at": "2026-11-22T16:20:00.125Z",
        "depth": 1,
        "parent": "http://h.example/",
        "redirected_from": ["http://h.example/old"],
        "content_type": "text/html",
        "sniffed_type": None,
        "charset": "utf-8",
        "body_bytes": 9,
        "body_hash": "15f6b0132f6da4a041e0f5959109b648",
        "truncated": True,
        "title": "T",
        "description": "D",
        "language": "en",
        "canonical": "http://h.example/c",
        "text": "a\nb",
        "links": ["http://h.example/c", "http://h.example/dir/b"],
        "links_dropped": 0,
        "seed": {"team": "docs"},
    }


def test_a_record_has_the_chosen_fields_in_the_chosen_order():
    assert list(record_of(download_of())) == list(DEFAULT_FIELDS)
    assert list(record_of(download_of(), fields=RECORD_FIELDS)) == list(RECORD_FIELDS)
    assert list(record_of(download_of(), fields=("title", "url", "seed"))) == ["title", "url", "seed"]


def test_the_simhash_is_that_of_the_text_and_made_only_when_it_is_asked_for():
    text = " ".join(f"word{n}" for n in range(50))
    download = download_of(f"<title>T</title><p>{text}")
    assert parse_page(download, reader_of()).simhash is None
    done = parse_page(download, reader_of(skip_duplicates="near"))
    assert done.simhash == simhash(text) is not None
    assert "simhash" not in json.loads(done.records)
    record = record_of(download, fields=("url", "simhash"))
    assert record == {"url": PAGE_URL, "simhash": f"{simhash(text):016x}"}
    assert record_of(download_of("<p>few words"), fields=("simhash",)) == {"simhash": None}
    hidden = download_of(f"<meta name=robots content=noindex><p>{text}")
    assert record_of(hidden, fields=("simhash",)) == {"simhash": None}
    assert record_of(download_of(b"\x89PNG", headers=(("content-type", "image/png"),)), fields=("simhash",)) == {
        "simhash": None
    }


@pytest.mark.parametrize(
    ("content_type", "body", "sniffed"),
    [
        ("image/png", b"\x89PNG", None),
        ("text/html", b"%PDF-1.4 <a href=x>", "application/pdf"),
        ("text/html", b"\x89PNG\r\n\x1a\n<a href=x>", "image/png"),
        ("application/json", b"{}", None),
        ("text/html", b"", None),
    ],
)
def test_what_is_no_html_has_a_record_without_page_fields(content_type, body, sniffed):
    download = download_of(body, headers=(("content-type", content_type),))
    record = record_of(download)
    assert record["content_type"] == content_type
    assert record["sniffed_type"] == sniffed
    assert (record["links"], record["links_dropped"]) == ([], 0)
    for field in ("charset", "title", "description", "language", "canonical", "text"):
        assert record[field] is None
    assert links_of(download) == {}


@pytest.mark.parametrize("content_type", [None, "application/octet-stream", "text/plain", "text/xml"])
def test_an_answer_whose_type_says_nothing_is_sniffed(content_type):
    headers = () if content_type is None else (("content-type", content_type),)
    record = record_of(download_of(b"<!doctype html><title>t</title>", headers=headers))
    assert (record["content_type"], record["sniffed_type"], record["title"]) == (content_type, "text/html", "t")


def test_equal_bodies_have_equal_hashes_and_an_empty_one_has_none():
    hashes = [record_of(download_of(body))["body_hash"] for body in (b"<p>x", b"<p>y", b"<p>x", b"")]
    assert hashes[0] == hashes[2] != hashes[1]
    assert hashes[3] is None
    assert parse_page(download_of(b""), reader_of()).body_hash == b""
    other = download_of(b"<p>x", url="http://o.example/", headers=(("content-type", "text/plain"),), status=404)
    assert record_of(other)["body_hash"] == hashes[0]


def test_links_beyond_the_cap_are_neither_listed_nor_followed_but_counted():
    download = download_of("".join(f"<a href=/{number}>" for number in range(10)))
    record = record_of(download, max_links=4)
    assert record["links"] == [f"http://h.example/{number}" for number in range(4)]
    assert record["links_dropped"] == 6
    assert links_of(download, reader_of(max_links=4)) == {f"/{number}": "" for number in range(4)}


def refreshing(delay: str, target: str = "/y", **changes) -> Download:
    return download_of(f"<meta http-equiv=refresh content='{delay};url={target}'><a href=x>", **changes)


@pytest.mark.parametrize("delay", ["0", "10", "10.5"])
def test_a_page_that_sends_its_reader_on_at_once_is_a_redirect(delay):
    download = refreshing(delay, depth=3, spent_s=1.5, redirected_from=("http://h.example/old",), status=203)
    done = parse_page(download, reader_of())
    assert (done.key, done.outcome, done.status, done.records) == (download.task.key, "redirected", 203, None)
    assert (done.body_bytes, done.body_hash) == (download.answer.body_bytes, b"")
    url = "http://h.example/y"
    assert done.links == (Link(url, "", "page", False, 1.5),)


@pytest.mark.parametrize(
    ("download", "links"),
    [
        (refreshing("11"), {"/y": "", "/dir/x": ""}),
        (refreshing("0", "page.html#again"), {"/dir/x": ""}),
        (refreshing("0", "mailto:a@b.example"), {"/dir/x": ""}),
        (refreshing("0", status=404), {}),
        (refreshing("0", headers=(("content-type", "application/json"),)), {}),
        (
            download_of("<noscript><meta http-equiv=refresh content='0;url=/y'></noscript><a href=x>"),
            {"/y": "", "/dir/x": ""},
        ),
    ],
)
def test_a_page_that_its_reader_may_stay_on_is_a_page(download, links):
    done = parse_page(download, reader_of())
    assert (done.outcome, done.records is None) == ("fetched", False)
    assert links_of(download) == links


def test_refreshes_that_go_round_in_a_loop_or_on_without_end_fail():
    before = tuple(f"http://h.example/{number}" for number in range(10))
    for download in (refreshing("0", "/3", redirected_from=before[:5]), refreshing("0", redirected_from=before)):
        done = parse_page(download, reader_of())
        assert (done.outcome, done.reason, done.links, done.records) == ("failed", "redirects", (), None)


@pytest.mark.parametrize(
    ("target", "settings", "skip"),
    [
        ("/y", {}, ""),
        ("http://o.example/", {}, "scope"),
        ("/y", {"exclude": ("/y",)}, "filter"),
        ("/y", {"depth": 1}, ""),
        ("/y", {"robots": "ignore"}, ""),
    ],
)
def test_a_refresh_passes_the_checks_of_a_redirect(target, settings, skip):
    assert [link.skip for link in parse_page(refreshing("0", target), reader_of(**settings)).links] == [skip]
    seed = refreshing("0", target, depth=0, parent=None)
    assert [link.skip for link in parse_page(seed, reader_of(**settings)).links] == [""]


def alike_of(download: Download, reader: PageReader) -> dict[str, tuple[bool, str]]:
    return {
        link.url.removeprefix("http://h.example"): (link.alike, link.skip)
        for link in parse_page(download, reader).links
    }


def month(html: str, number: int = 5, **changes) -> Download:
    url, parent = f"http://h.example/cal/{number}", f"http://h.example/cal/{number - 1}"
    return download_of(html, url=url, key=url_key(url), parent=parent, **changes)


def test_a_link_says_whether_it_looks_like_its_page():
    html = "<a href=/cal/6><a href=/cal/7/><a href=/day/6><a href=/list?page=2><a href=/cal>"
    assert alike_of(month(html), reader_of()) == {
        "/cal/6": (True, ""), "/cal/7/": (True, ""), "/day/6": (False, ""), "/list?page=2": (False, ""),
        "/cal": (False, ""),
    }  # fmt: skip
    # Without a limit on chains nobody asks.
    assert alike_of(month("<a href=/cal/6>"), reader_of(max_chain=None)) == {"/cal/6": (False, "")}


def test_a_link_that_repeats_itself_is_a_trap():
    download = download_of("<a href=/a/b/a/b/a/b/a/b><a href=/a/a/a>")
    assert links_of(download) == {"/a/b/a/b/a/b/a/b": "trap", "/a/a/a": ""}


def test_a_trap_comes_after_scope_and_filter_and_before_nofollow():
    trap = "a/a/a/a/a"
    download = download_of(f"<a href=/{trap} rel=nofollow><a href=http://o.example/{trap}><a href=/x/{trap}>")
    assert links_of(download, reader_of(exclude=("/x/",))) == {
        f"/{trap}": "trap", f"http://o.example/{trap}": "scope", f"/x/{trap}": "filter",
    }  # fmt: skip


def test_a_link_is_sent_again_when_its_chain_is_shorter_or_it_is_nearer():
    reader = reader_of()
    link = "<a href=/cal/6>"
    assert alike_of(month(link, chain=9, far=5), reader) == {"/cal/6": (True, "")}
    assert alike_of(month(link, chain=9, far=5), reader) == {}
    assert alike_of(download_of("<a href=/cal/6>", far=6), reader) == {"/cal/6": (False, "")}, "a chain of 0, though"
    assert alike_of(month(link, chain=9, far=4), reader) == {"/cal/6": (True, "")}, "nearer"
    assert alike_of(month(link, chain=3, far=4), reader) == {}, "each number is as good as it ever was"
    assert alike_of(download_of("<a href=/cal/6>", far=3), reader) == {}
    assert alike_of(download_of("<a href=/cal/6>", far=2), reader) == {"/cal/6": (False, "")}


@pytest.mark.parametrize("status", [200, 203])
def test_links_of_a_successful_page_are_followed(status):
    assert links_of(download_of("<a href=x>", status=status)) == {"/dir/x": ""}


@pytest.mark.parametrize("status", [404, 500, 304])
def test_links_of_another_answer_stand_in_its_record_only(status):
    download = download_of("<a href=x>", status=status)
    assert record_of(download)["links"] == ["http://h.example/dir/x"]
    assert links_of(download) == {}


def test_a_link_carries_the_verdict_of_scope():
    html = "<a href=/in><a href=http://o.example/><a href=/skip/x><a href=page.html>"
    done = parse_page(download_of(html), reader_of(exclude=("/skip/",)))
    assert {link.url: link.skip for link in done.links} == {
        "http://h.example/in": "",
        "http://o.example/": "scope",
        "http://h.example/skip/x": "filter",
    }


@pytest.mark.parametrize(
    ("download", "skip"),
    [
        (download_of("<a href=x>"), ""),
        (download_of("<a href=x rel=nofollow>"), "nofollow"),
        (download_of("<meta name=robots content=nofollow><a href=x>"), "nofollow"),
        (download_of("<meta name=robots content=none><a href=x>"), "nofollow"),
        (download_of("<a href=x>", ("x-robots-tag", "noindex, nofollow")), "nofollow"),
        (download_of("<a href=x>", ("x-robots-tag", "otherbot: noarchive"), ("x-robots-tag", "nofollow")), "nofollow"),
        (download_of("<a href=x>", ("x-robots-tag", "otherbot: nofollow")), ""),
        (download_of("<a href=x>", ("x-robots-tag", "crawler: nofollow")), "nofollow"),
    ],
)
def test_nofollow_is_obeyed_unless_robots_are_ignored(download, skip):
    assert links_of(download) == {"/dir/x": skip}
    assert links_of(download, reader_of(robots="ignore")) == {"/dir/x": ""}


def test_a_link_out_of_scope_is_skipped_for_that_and_not_for_nofollow():
    assert links_of(download_of("<a href=http://o.example/ rel=nofollow>")) == {"http://o.example/": "scope"}


@pytest.mark.parametrize(
    "download",
    [
        download_of("<title>T</title><meta name=robots content=noindex><meta name=description content=D><a href=x>t"),
        download_of("<title>T</title><meta name=description content=D><a href=x>t", ("x-robots-tag", "noindex")),
    ],
)
def test_noindex_empties_title_description_and_text_unless_robots_are_ignored(download):
    hidden, shown = record_of(download), record_of(download, robots="ignore")
    assert [hidden[field] for field in ("title", "description", "text")] == [None] * 3
    assert [shown[field] for field in ("title", "description", "text")] == ["T", "D", "t"]
    assert hidden["links"] == shown["links"] == ["http://h.example/dir/x"]
    assert links_of(download) == {"/dir/x": ""}


def test_a_link_is_sent_once():
    reader = reader_of()
    assert links_of(download_of("<a href=a><a href=b>"), reader) == {"/dir/a": "", "/dir/b": ""}
    assert links_of(download_of("<a href=b><a href=c>"), reader) == {"/dir/c": ""}
    assert links_of(download_of("<a href=a>", far=5), reader) == {}


def test_a_link_found_closer_to_a_seed_is_sent_again():
    reader = reader_of()
    assert links_of(download_of("<a href=a>", far=5), reader) == {"/dir/a": ""}
    assert links_of(download_of("<a href=a>", far=4), reader) == {"/dir/a": ""}
    assert links_of(download_of("<a href=a>", far=4), reader) == {}
    assert links_of(download_of("<a href=a rel=nofollow>", far=2), reader) == {}


def test_a_link_sent_as_skipped_is_sent_again_with_a_better_verdict():
    reader = reader_of()
    other = SeedContext(2, ("http://o.example/",), b"null")
    private = download_of("<a href=//o.example/ rel=nofollow>", seed=other)
    assert links_of(private, reader) == {"http://o.example/": "nofollow"}
    assert links_of(download_of("<a href=//o.example/>"), reader) == {"http://o.example/": "scope"}
    assert links_of(private, reader) == {}
    assert links_of(download_of("<a href=//o.example/>", seed=other), reader) == {"http://o.example/": ""}


def test_what_was_sent_is_forgotten_when_its_memory_is_full():
    reader = reader_of()
    reader.links = NewLinks(Scope("host"), 100, by_depth=False, obey=True, sent_chars=1000)
    html = "".join(f"<a href={number}>" for number in range(4))
    assert len(links_of(download_of(html), reader)) == 4
    assert len(links_of(download_of(html), reader)) == 0
    assert len(links_of(download_of("<a href=other1><a href=other2>"), reader)) == 2
    assert len(links_of(download_of(html), reader)) == 4


def test_a_page_that_fails_has_not_sent_its_links():
    reader = reader_of()
    with pytest.raises(AttributeError):
        reader.links.take(download_of().task, [("http://h.example/x", False), (None, False)], nofollow=False)
    assert links_of(download_of("<a href=/x>"), reader) == {"/x": ""}


@pytest.mark.parametrize(
    "extra",
    [b"null", b'{"a":1}', b'{"a":\n [1,\n2]}', '{"é\u2028":"\\n"}'.encode()],
)
def test_the_seed_s_columns_stand_in_the_record_as_they_are_on_one_line(extra):
    assert record_of(download_of(seed=SeedContext(1, ("http://h.example/",), extra)))["seed"] == json.loads(extra)


def test_headers_with_controls_or_lone_surrogates_do_not_break_a_record():
    record = record_of(download_of(b"<p>x", headers=(("content-type", "text/html\x1b[2J\udcff;charset=\udcff"),)))
    assert record["content_type"] == "text/html[2j"


@given(st.binary(max_size=300), st.text(max_size=30), st.integers(100, 599))
def test_any_page_gives_one_line_of_json(body, content_type, status):
    record = record_of(download_of(body, headers=(("content-type", content_type),), status=status))
    assert record["status"] == status


def test_a_parser_imports_nothing_that_it_may_never_need():
    heavy = (
        *("aiohttp", "asyncio", "bs4", "click", "concurrent.futures", "lxml", "requests", "rich", "rocksdict"),
        "tldextract",
    )
    code = f"import sys, crawler.parsers.worker; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_a_page_of_more_tags_than_are_read_says_that_it_is_truncated():
    download = download_of(b"<title>T</title>" + b"<a href=/x>" * 500_000 + b"<a href=/late>")
    record = record_of(download)
    assert record["truncated"]
    assert record["links"] == ["http://h.example/x"]
    assert record["body_hash"] == xxh3_128_digest(download.answer.body).hex()
    assert not record_of(download, max_body_bytes=12_000_000)["truncated"]
