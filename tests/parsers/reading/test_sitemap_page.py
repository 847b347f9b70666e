"""What follows from a sitemap: its pages count as seeds, its sitemaps are read each in turn, and nothing is written."""

from pathlib import Path

import pytest

from crawler.core.config import CrawlConfig
from crawler.core.model import Download, SeedContext
from crawler.parsers.reading.reader import PageReader, parse_page
from crawler.parsers.reading.settings import ParserSettings
from crawler.web.urls import task_key
from tests.support.downloads import download_of, reader_of

URL = "http://h.example/dir/sitemap.xml"
TRAP = "http://h.example/a/a/a/a"
URLSET = """<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{}</urlset>"""
INDEX = """<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{}</sitemapindex>"""


def sitemap_of(content: str | bytes, **changes) -> Download:
    body = changes.pop("body", content.encode() if isinstance(content, str) else content)
    facts = {
        "url": URL,
        "kind": "sitemap",
        "parent": "http://h.example/robots.txt",
        "headers": (("content-type", "text/html"),),
        "body_bytes": len(body) + 1,
        "seed": SeedContext(1, ("http://h.example/dir/", "http://moved.example/"), b"null"),
    }
    return download_of(body, **{**facts, **changes})


def urlset(*urls: str) -> str:
    return URLSET.format("".join(f"<url><loc>{url}</loc></url>" for url in urls))


def index(*urls: str) -> str:
    return INDEX.format("".join(f"<sitemap><loc>{url}</loc></sitemap>" for url in urls))


def read(download: Download, **settings):
    return parse_page(download, reader_of(**settings))


def skips(download: Download, **settings) -> list[str]:
    return [link.skip for link in read(download, **settings).links]


def test_the_pages_of_a_sitemap_are_links_and_it_has_no_record():
    download = sitemap_of(urlset("http://h.example/1", "http://h.example/2"))
    done = read(download)
    assert (done.key, done.outcome, done.reason, done.status) == (task_key(URL, "sitemap"), "fetched", "sitemap", 200)
    assert (done.records, done.body_hash, done.body_bytes) == (None, b"", download.answer.body_bytes)
    assert [(link.url, link.kind, link.skip, link.alike) for link in done.links] == [
        ("http://h.example/1", "page", "", False),
        ("http://h.example/2", "page", "", False),
    ]
    for link in done.links:
        assert link.kind == "page"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ["", "scope", "", "trap"]),
        ({"scope": "prefix"}, ["scope", "scope", "", "scope"]),
        ({"scope": "any"}, ["", "", "", "trap"]),
        # Nothing is in this scope but seeds, and that is what these are.
        ({"scope": "page"}, ["", "", "", "trap"]),
        ({"depth": 0}, ["", "scope", "", "trap"]),
        ({"exclude": ("/1$",)}, ["filter", "scope", "", "trap"]),
        ({"scope": "page", "include": ("/1$",)}, ["", "", "filter", "filter"]),
    ],
)
def test_pages_of_a_sitemap_are_judged_like_seeds_that_a_link_led_to(settings, expected):
    download = sitemap_of(urlset("http://h.example/1", "http://o.example/1", "http://moved.example/2", TRAP))
    assert skips(download, **settings) == expected


def test_the_sitemaps_of_an_index_are_sitemaps_and_those_of_other_hosts_are_judged_by_scope():
    download = sitemap_of(index("http://h.example/x.xml", "http://moved.example/x.xml", "http://o.example/x.xml"))
    done = read(download, exclude=("x.xml",))
    assert [(link.url, link.kind, link.skip) for link in done.links] == [
        ("http://h.example/x.xml", "sitemap", ""),
        ("http://moved.example/x.xml", "sitemap", ""),
        ("http://o.example/x.xml", "sitemap", "scope"),
    ]
    assert (done.links[0].url, done.links[0].kind) == ("http://h.example/x.xml", "sitemap")
    assert skips(download, scope="page") == ["", "", "scope"]
    assert skips(download, scope="any") == ["", "", ""]


def test_robots_txt_may_name_sitemaps_anywhere():
    download = sitemap_of(
        "User-agent: *\nDisallow: /\nSitemap: http://o.example/s.xml\nSitemap: /t.xml\n",
        url="http://h.example/robots.txt",
        depth=0,
    )
    assert [(link.url, link.kind, link.skip) for link in read(download).links] == [
        ("http://o.example/s.xml", "sitemap", ""),
        ("http://h.example/t.xml", "sitemap", ""),
    ]


@pytest.mark.parametrize(
    ("download", "reason"),
    [
        (sitemap_of(urlset("http://h.example/1"), truncated=True), "sitemap: cut"),
        (sitemap_of(urlset(*(f"http://h.example/{number}" for number in range(50_001)))), "sitemap: cut"),
    ],
    ids=["too many bytes", "too many URLs"],
)
def test_a_sitemap_of_which_not_all_was_taken_says_so(download, reason):
    done = read(download)
    assert (done.outcome, done.reason) == ("fetched", reason)
    assert 1 <= len(done.links) <= 50_000


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": 404}, "sitemap: status 404"),
        ({"status": 500}, "sitemap: status 500"),
        ({"body": b""}, "sitemap: empty"),
        ({"body": b"<html><p>not found"}, None),
        ({"body": b"\x1f\x8b\x08 no gzip"}, None),
        ({"body": b"\x00" * 99}, None),
    ],
)
def test_what_is_no_sitemap_fails_and_says_why(changes, reason):
    download = sitemap_of(urlset("http://h.example/1"), **changes)
    done = read(download)
    assert (done.outcome, done.links, done.records, done.status) == ("failed", (), None, download.answer.status)
    assert done.reason.startswith("sitemap: ")
    assert reason in {None, done.reason}


def test_a_page_that_a_sitemap_lists_is_not_forgotten_as_a_link():
    reader = PageReader(ParserSettings.of(CrawlConfig(job=Path("unused"))))
    parse_page(sitemap_of(urlset("http://h.example/1")), reader)
    download = sitemap_of("<a href=/1>", kind="page", depth=0)
    assert [link.url for link in parse_page(download, reader).links] == ["http://h.example/1"]
