"""What a spider gets: each value as documented, whatever a server sent, and whatever a spider does to its trees."""

import json
import subprocess
import sys
from datetime import UTC, datetime

import lxml.html
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.core.errors import UrlError
from crawler.core.model import Answer, Download, SeedContext, Task
from crawler.core.record import DEFAULT_FIELDS
from crawler.page.page import NotJsonError, Page
from crawler.page.values import Article, Feed, FeedEntry, Follow, Headers, Microdata
from crawler.web.simhash import simhash
from crawler.web.urls import url_key
from tests.support.downloads import download_of, record_of

URL = "http://h.example/dir/page.html"
SHOP = """<!DOCTYPE html><html lang="en-GB"><head><title> A  shop </title>
<meta name="Description" content=" What it sells "><meta property="og:title" content="Shop">
<meta name=author content=Ann>
<meta property="og:image" content="/logo.png"><meta property="og:image" content="/second.png">
<link rel=canonical href="/shop"><link rel=next href="?page=2"><link rel=stylesheet href=style.css>
<script type="application/ld+json">{"@type": "Product", "name": "Tea"}</script>
<script type="application/ld+json">{broken</script>
<script type="application/ld+json">[1, 2]</script></head>
<body><nav><a href="/">Home</a></nav><h1>Tea</h1>
<template><a href="/placeholder">x</a></template>
<ul><li><a class=item href="tea/1">One</a><li><a class=item href="tea/2?sid=0123456789abcdef0">Two</a>
<li><a href="tea/1#top">Again</a><li><a href="mailto:a@b.example">Mail</a><li><a href="#tea">Here</a></ul>
<img src="tea.png"><form action="/search"><input name=q></form>
<table><tr><th>Tea<th colspan=2>Price<tr><td>One<td>3<td>EUR<tr><td>Two</table></body></html>"""

VALUES = (
    "url", "status", "headers", "body", "text", "charset", "content_type", "sniffed_type", "is_html", "truncated",
    "depth", "parent", "seed", "redirected_from", "fetched_at", "document", "soup", "tree", "extracted", "links",
    "title", "description", "language", "canonical", "meta", "json_ld", "open_graph", "microdata", "tables",
    "main_text", "visible_text", "markdown", "article", "feed", "simhash",
)  # fmt: skip


def shop() -> Page:
    return Page.from_html(SHOP, URL)


def page_with(body: bytes, content_type: str | None) -> Page:
    headers = () if content_type is None else (("content-type", content_type),)
    return Page(download_of(body, headers=headers))


# The answer.


def test_what_came_with_the_answer_is_there_as_it_came():
    page = Page.from_html(
        "<p>x",
        "HTTP://H.example/%7Ea#b",
        status=203,
        depth=2,
        parent=URL,
        redirected_from=(URL,),
        fetched_at=1_795_364_400.1256,
        seed={"team": "docs"},
    )
    assert (page.url, page.status, page.depth, page.parent) == ("http://h.example/~a", 203, 2, URL)
    assert (page.redirected_from, page.seed, page.body) == ((URL,), {"team": "docs"}, b"<p>x")
    assert page.fetched_at == "2026-11-22T16:20:00.125Z"
    assert datetime.fromisoformat(page.fetched_at).tzinfo == UTC
    assert repr(page) == "<Page 203 http://h.example/~a>"
    assert shop().seed is None


def test_headers_are_found_in_any_case_and_the_first_of_several_counts():
    headers = Headers((("x-a", "1"), ("set-cookie", "a=1"), ("x-a", "2")))
    assert (headers["X-A"], headers.get("x-a"), headers.get("X-B", "none")) == ("1", "1", "none")
    assert headers.all("X-a") == ("1", "2")
    assert headers.all("X-B") == ()
    assert "SET-Cookie" in headers
    assert 3 not in headers
    assert (list(headers), len(headers)) == (["x-a", "set-cookie"], 2)
    assert dict(headers) == {"x-a": "1", "set-cookie": "a=1"}
    with pytest.raises(KeyError):
        headers["x-b"]
    assert Page.from_html("", headers={"X-Seen": "yes"}).headers["x-seen"] == "yes"


@pytest.mark.parametrize(
    ("body", "content_type", "charset", "text"),
    [
        (b"<p>\xc3\xa9", "text/html; charset=utf-8", "utf-8", "<p>é"),
        (b"<p>\xe9", "text/html; charset=latin1", "windows-1252", "<p>é"),
        (b"<p>\x80\x81", "text/html; charset=iso-8859-1", "windows-1252", "<p>€\x81"),
        (b"<meta charset=koi8-r><p>\xc1", "text/html", "koi8-r", "<meta charset=koi8-r><p>а"),
        (b"\xef\xbb\xbf<p>\xc3\xa9", "text/html; charset=latin1", "utf-8", "<p>é"),
        (b"\xff\xfe<\0p\0>\0", "text/html", "utf-16le", "<p>"),
        (b"<p>\xff", "text/html; charset=utf-8", "utf-8", "<p>\ufffd"),
        (b"x", "text/html; charset=iso-2022-kr", "replacement", "\ufffd"),
        (b'{"a": "\xc3\xa9"}', "application/json", "utf-8", '{"a": "é"}'),
        (b"plain", "text/plain", "utf-8", "plain"),
        (b"<!-- <meta charset=koi8-r> -->\xc3\xa9", "text/css", "utf-8", "<!-- <meta charset=koi8-r> -->é"),
        (b"\xef\xbb\xbfa,b", "text/csv; charset=latin1", "utf-8", "a,b"),
        (b"\xfe\xff\0a", "text/csv", "utf-16be", "a"),
        (b"\xef\xbb\xbfa\xff", "text/csv", "utf-8", "a\ufffd"),
        (b"\xe9t\xe9", "text/plain; charset=latin1", "windows-1252", "été"),
        (b"<?xml version='1.0' encoding='koi8-r'?><a>\xc1</a>", "text/xml", "koi8-r", None),
        (b"\xe9t\xe9", "text/plain; charset=nonsense", "windows-1252", "été"),
        (b"", "text/html; charset=utf-8", None, ""),
    ],
)
def test_the_text_is_the_body_in_its_encoding_without_its_mark(body, content_type, charset, text):
    page = page_with(body, content_type)
    assert page.charset == charset
    assert text is None or page.text == text


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": [1, "\xc3\xa9"]}', {"a": [1, "é"]}),
        (b"\xef\xbb\xbf[1]", [1]),
        ("[1]".encode("utf-16"), [1]),
        (b" null ", None),
    ],
)
def test_json_is_read_once(body, value):
    page = page_with(body, "application/json")
    assert page.json() == value
    assert page.json() is page.json()


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "Expecting value in line 1, column 1"),
        (b'{"secret": 1,\n x}', "Expecting property name enclosed in double quotes in line 2, column 2"),
        (b"<p>x", "Expecting value in line 1, column 1"),
        (b"[" * 100_000, "nested too deeply"),
        (b"9" * 10_000, "too many digits"),
    ],
)
def test_what_is_no_json_is_a_value_error_that_says_where_and_quotes_nothing(body, why):
    page = page_with(body, "application/json")
    for _ in range(2):
        with pytest.raises(ValueError, match=why) as error:
            page.json()
        assert isinstance(error.value, NotJsonError)
        assert URL in str(error.value)
        assert "secret" not in str(error.value)


# Trees.


def test_each_tree_is_built_once_and_none_that_is_not_asked_for():
    page = shop()
    assert page.document is page.document
    assert page.tree is page.tree
    assert page.soup is page.soup
    assert page.css_first("h1") == page.css("h1")[0] == page.xpath("//h1")[0] == page.xpath_first("//h1")
    program = """
import sys
from crawler.page.page import Page
page = Page.from_html("<title>x</title><a href=y>")
page.record(), page.css("a"), page.markdown, page.article, page.follow(css="a")
print([name for name in ("bs4", "lxml") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_the_three_trees_see_the_same_page():
    page = shop()
    assert [element.attr("href") for element in page.css("a.item")] == [a["href"] for a in page.soup.select("a.item")]
    assert page.xpath("//li/a/@href") == page.tree.xpath("//li/a/@href")
    assert page.soup.title.string == page.tree.findtext(".//title") == page.css_first("title").text == " A  shop "
    assert (page.xpath("count(//li)"), page.xpath("string(//h1)"), page.xpath("boolean(//h2)")) == (5.0, "Tea", False)
    assert page.tree.base_url == URL


@pytest.mark.parametrize(
    "body", ["", " ", "<!-- nothing -->", "\0", "plain", "file.html", "http://h.example/", "<?xml?>"]
)
def test_the_trees_of_a_page_without_markup_are_those_of_an_empty_page(body):
    page = Page.from_html(body)
    assert page.css_first("body") is not None
    assert page.css("a") == page.tree.xpath("//a") == page.soup.find_all("a") == []
    assert page.tree.tag == "html"
    assert (page.title, page.links) == (None, ())


def test_another_text_is_a_tree_too_but_says_nothing_as_a_page():
    page = page_with(b"<catalog><item>Tea</item><a href='/x'>x</a></catalog>", "application/xml")
    assert page.css_first("item").text == page.soup.item.string == page.tree.findtext(".//item") == "Tea"
    assert (page.is_html, page.title, page.links, page.simhash) == (False, None, (), None)
    assert page.visible_text == page.text
    assert page.follow(css="a").urls == ("http://h.example/x",)


def test_encodings_declared_in_the_page_do_not_mislead_lxml_and_beautiful_soup():
    body = "<?xml version='1.0' encoding='koi8-r'?><meta charset=koi8-r><p>é€</p>".encode()
    page = page_with(body, "text/html; charset=utf-8")
    assert page.css_first("p").text == page.soup.p.string == page.tree.findtext(".//p") == "é€"


def test_a_selector_that_is_none_is_a_value_error():
    page = shop()
    for find in (page.css, page.css_first, page.xpath, page.xpath_first):
        with pytest.raises(ValueError, match="expected"):
            find("[[")


def test_what_a_spider_does_to_a_tree_changes_no_value():
    touched, fresh = shop(), shop()
    touched.document.remove("a,title,meta,link,script,table,h1")
    touched.soup.body.decompose()
    touched.tree.clear()
    for name in ("links", "title", "meta", "json_ld", "tables", "markdown", "visible_text", "canonical"):
        assert getattr(touched, name) == getattr(fresh, name), name
    assert touched.record() == fresh.record()
    assert touched.css("a") == []


@pytest.mark.parametrize("first", ["document", "links", "meta", "visible_text"])
def test_templates_are_in_the_trees_and_nowhere_else_whatever_is_asked_for_first(first):
    page = Page.from_html("<title>t</title><template><meta name=m content=c><a href=/p>x</a></template>x")
    getattr(page, first)
    assert len(page.css("template a")) == 1
    assert (page.links, page.meta, page.visible_text, page.charset) == ((), {}, "x", "utf-8")


# As in a record.


@pytest.mark.parametrize(
    "page",
    [
        download_of(SHOP),
        download_of(SHOP, seed=SeedContext(1, (URL,), b'{"team": "docs"}'), parent=None, truncated=True),
        download_of(
            b"<p>caf\xe9", ("content-type", "text/html; charset=latin1"), redirected_from=("http://h.example/old",)
        ),
        download_of(b"\x89PNG\r\n\x1a\n<p>x"),
        download_of(b"", body_bytes=12, status=404),
        download_of(b"plain <a href=x>", ("content-type", "text/plain")),
        download_of(b"<p>" * 500_001 + b"<a href=late>x"),
        download_of("<base href=/b/><a href=c>x</a>" + "<a href=mailto:x>" * 10_001 + "<a href=d>"),
    ],
    ids=["shop", "seed", "latin1", "image", "empty", "plain", "tags", "dropped"],
)
def test_the_record_is_the_one_that_a_crawl_without_a_spider_writes(page):
    record = Page(page).record()
    assert tuple(record) == DEFAULT_FIELDS
    assert json.loads(msgspec.json.encode(record)) == record_of(page)


def test_a_record_is_a_new_dict_each_time():
    page = shop()
    page.record()["title"] = "changed"
    assert page.record()["title"] == page.title == "A shop"


def test_links_are_limited_as_told():
    page = Page(download_of("<a href=a><a href=b><a href=c>"), max_links=2)
    assert page.links == ("http://h.example/dir/a", "http://h.example/dir/b")
    assert page.record()["links_dropped"] == 1


def test_no_tree_has_more_tags_than_are_read():
    page = Page(download_of(b"<p>" * 500_001 + b"<a href=late>x"))
    assert page.truncated
    assert len(page.body) > 1_500_000
    assert page.css("a") == page.tree.xpath("//a") == []
    assert page.text.endswith("late>x")


def test_visible_text_and_its_simhash_are_those_of_the_record():
    words = " ".join(f"word{number}" for number in range(40))
    page = Page.from_html(f"<title>t</title><p>{words}</p><p hidden>x</p>")
    assert page.visible_text == words == page.record()["text"]
    assert page.simhash == simhash(words) is not None
    assert Page.from_html("<p>short").simhash is None


# What the page says about itself.


def test_meta_open_graph_and_json_ld_are_found():
    page = shop()
    assert page.meta == {
        "description": "What it sells",
        "og:title": "Shop",
        "author": "Ann",
        "og:image": "/logo.png",
    }
    assert page.open_graph == {"title": "Shop", "image": "http://h.example/logo.png"}
    assert page.json_ld == ({"@type": "Product", "name": "Tea"}, [1, 2])
    deep = "<script type=application/ld+json>" + "[" * 100_000 + "]" * 100_000 + "</script>"
    assert Page.from_html(deep).json_ld == ()


def test_microdata_items_hold_texts_urls_and_items():
    page = Page.from_html(
        "<div itemscope itemtype=http://schema.org/Product itemid=urn:1><b itemprop=name>Tea</b>"
        "<a itemprop=url href=/t>x</a><p itemprop=name>Chai</p>"
        "<div itemprop=offer itemscope><i itemprop=price>3</i></div></div>",
        URL,
    )
    (item,) = page.microdata
    assert item == Microdata(
        "http://schema.org/Product",
        "urn:1",
        {"name": ("Tea", "Chai"), "url": ("http://h.example/t",), "offer": (Microdata(properties={"price": ("3",)}),)},
    )
    assert (item.get("name"), item.get("weight")) == ("Tea", None)
    assert json.loads(msgspec.json.encode(page.microdata))[0]["properties"]["offer"][0]["properties"] == {
        "price": ["3"]
    }


@pytest.mark.parametrize("items", [400, 5_000])
def test_items_that_nest_without_end_are_none(items):
    assert Page.from_html("<div itemscope>" + "<div itemscope itemprop=a>" * items).microdata == ()


def test_tables_are_rows_of_equal_length():
    assert shop().tables == ((("Tea", "Price", "Price"), ("One", "3", "EUR"), ("Two", "", "")),)
    assert Page.from_html("<p>none").tables == ()


PROSE = (
    "Long enough to read like the text of a page, with commas, and with a <a href='../more?a=1'>link</a> in it, twice. "
)
ARTICLE = f"""<html lang=en><title>On tea | Site</title>
<meta name=author content="Ann Bee"><meta name=keywords content="tea, cup">
<meta property=article:published_time content=2026-01-02T03:04:05Z><meta property=og:site_name content=Site>
<meta property=og:image content=/tea.png><link rel=canonical href=/tea><meta name=description content=About>
<nav><a href=/nav>Menu</a></nav><article><h1>On tea</h1><p>{PROSE * 2}</p><p>{PROSE}</p></article>
<footer>(c)</footer>"""


def test_an_article_and_what_the_page_says_about_it():
    page = Page.from_html(ARTICLE, URL)
    text = page.main_text
    assert "Long enough" in text
    assert "Menu" not in text
    assert page.article == Article(
        text=text,
        title="On tea",
        byline="Ann Bee",
        date="2026-01-02T03:04:05Z",
        description="About",
        language="en",
        canonical="http://h.example/tea",
        site_name="Site",
        image="http://h.example/tea.png",
        tags=("tea", "cup"),
    )
    assert Page.from_html("").article == Article(text="")


def test_markdown_is_the_main_part_with_absolute_links():
    page = Page.from_html(ARTICLE, URL)
    assert page.markdown.startswith("# On tea\n\nLong enough")
    assert "[link](http://h.example/more?a=1)" in page.markdown
    assert "Menu" not in page.markdown
    assert page.css_first("article a").attr("href") == "../more?a=1"
    assert Page.from_html("<p>Just <b>this</b>").markdown == "Just **this**"


RSS = """<?xml version="1.0"?><rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"
xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>News</title><link>http://h.example/</link><description>D</description>
<item><title>One &amp; two</title><link>/1</link><guid>g1</guid><pubDate>Fri, 02 Jan 2026 03:04:05 GMT</pubDate>
<description>S</description><content:encoded><![CDATA[<p>C</p>]]></content:encoded><dc:creator>Ann</dc:creator></item>
<item/></channel></rss>"""
ENTRY = FeedEntry(
    title="One & two",
    link="http://h.example/1",
    id="g1",
    published="Fri, 02 Jan 2026 03:04:05 GMT",
    author="Ann",
    summary="S",
    content="<p>C</p>",
)
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>A</title><updated>2026-01-02T03:04:05Z</updated>
<entry><title>E</title><link rel="alternate" href="e/1"/><id>urn:e</id></entry></feed>"""
BOMB = (
    '<!DOCTYPE rss [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "' + "&a;" * 300 + '"><!ENTITY c "' + "&b;" * 300 + '">'
    '<!ENTITY f SYSTEM "file:///etc/passwd">]><rss version="2.0"><channel><title>&c;&f;</title></channel></rss>'
)


@pytest.mark.parametrize("content_type", ["application/rss+xml", "text/html", None])
def test_a_feed_is_read_whatever_its_type(content_type):
    page = page_with(RSS.encode(), content_type)
    assert page.feed == Feed("rss", "News", "http://h.example/", "D", None, (ENTRY, FeedEntry()))
    atom = page_with(ATOM.encode(), content_type).feed
    entry = FeedEntry(title="E", link="http://h.example/dir/e/1", id="urn:e")
    assert atom == Feed("atom", "A", None, None, "2026-01-02T03:04:05Z", (entry,))


def test_a_feed_that_is_no_xml_is_read_as_far_as_it_goes_and_entities_of_its_own_are_not():
    broken = page_with(RSS.replace("One &amp; two", "One & two <br>").encode(), "application/rss+xml").feed
    assert broken is not None
    assert (broken.type, broken.title, len(broken.entries)) == ("rss", "News", 2)
    bomb = page_with(BOMB.encode(), "application/rss+xml").feed
    assert bomb is not None
    assert bomb.title == "&c;&f;"
    for nothing in (SHOP, "", "feed", "<p>&lt;rss>", "<feedback>x</feedback>"):
        assert Page.from_html(nothing).feed is None


# Where it leads.


def test_links_are_those_of_the_record_without_templates_and_session_parameters():
    base = "http://h.example/dir/"
    assert shop().links == (
        "http://h.example/shop",
        URL + "?page=2",
        "http://h.example/",
        base + "tea/1",
        base + "tea/2",
    )


def test_a_reference_is_joined_to_the_base_of_the_page():
    assert shop().urljoin("../x y#z") == "http://h.example/x%20y"
    assert Page.from_html("<base href='//other.example/a/'>", URL).urljoin("b") == "http://other.example/a/b"
    assert shop().urljoin("mailto:a@b.example") is None
    assert shop().urljoin("http://[") is None


ITEMS = ("http://h.example/dir/tea/1", "http://h.example/dir/tea/2")


@pytest.mark.parametrize(
    "follow",
    [
        lambda page: page.follow(css="a.item"),
        lambda page: page.follow(xpath="//a[@class='item']"),
        lambda page: page.follow(xpath="//a[@class='item']/@href"),
        lambda page: page.follow(page.css("a.item")),
        lambda page: page.follow(*page.css("a.item")),
        lambda page: page.follow(page.soup.select("a.item")),
        lambda page: page.follow(page.tree.xpath("//a[@class='item']")),
        lambda page: page.follow(page.tree.xpath("//a[@class='item']/@href")),
        lambda page: page.follow(a["href"] for a in page.soup.select("a.item")),
        lambda page: page.follow(["tea/1", [page.css_first("li:nth-child(2) a"), None], "tea/1#x"]),
        lambda page: page.follow("tea/1", css="li:nth-child(2) a"),
    ],
    ids=["css", "xpath", "attributes", "list", "several", "soup", "lxml", "texts", "generator", "nested", "both"],
)
def test_follow_takes_urls_elements_and_selectors(follow):
    assert follow(shop()) == Follow(ITEMS)


def test_follow_without_an_argument_means_all_links_and_with_none_means_nothing():
    page = shop()
    assert page.follow() == Follow(page.links, everything=True)
    assert (
        page.follow(None) == page.follow(page.css_first("a.no-such")) == page.follow(page.soup.find("h9")) == Follow(())
    )
    assert Page.from_html("<base href=/b/>").follow(None, [None]) == Follow(())
    assert page.follow(css="a.no-such") == page.follow([]) == page.follow(xpath="//h9") == Follow(())


def test_follow_leaves_out_what_leads_nowhere():
    assert shop().follow(css="nav a, li a, h1, img, form").urls == (
        "http://h.example/",
        *ITEMS,
        "http://h.example/dir/tea.png",
        "http://h.example/search",
    )
    assert shop().follow("", "#tea", "mailto:a@b.example", "javascript:x()", "data:,x").urls == ()


def test_follow_refuses_what_is_no_link():
    page = shop()
    for nonsense in (3, b"tea/1", 1.5, object()):
        with pytest.raises(TypeError, match=f"follow: {type(nonsense).__name__} is not a URL"):
            page.follow([nonsense])
    with pytest.raises(TypeError, match="float"):
        page.follow(xpath="count(//a)")
    with pytest.raises(ValueError, match="invalid CSS selector"):
        page.follow(css="[[")


# For tests of spiders.


def test_a_page_for_a_test_needs_nothing_but_html():
    page = Page.from_html("<title>é</title>")
    assert (page.url, page.status, page.title, page.charset) == ("http://example.com/", 200, "é", "utf-8")
    task = Task(url_key(page.url), page.url, 0, None, (), 0, SeedContext(0, (page.url,), b"null"))
    answer = Answer(200, (("content-type", "text/html; charset=utf-8"),), "<title>é</title>".encode(), 17)
    assert page.download == Download(task, answer, fetched_at=0.0)
    assert Page.from_html(b"<meta charset=koi8-r>\xc1").visible_text == "а"
    assert Page.from_html('{"a": 1}', headers=[("Content-Type", "application/json")]).json() == {"a": 1}
    assert Page.from_html("\ud800").text == "?"


def test_a_page_for_a_test_refuses_what_is_no_field():
    with pytest.raises(TypeError, match="colour"):
        Page.from_html("", colour="red")
    with pytest.raises(UrlError, match="not an http"):
        Page.from_html("", "page.html")


# Whatever a server sends.


def read_all(page: Page) -> None:
    for name in VALUES:
        getattr(page, name)
    msgspec.json.encode([page.record(), page.microdata, page.article, page.feed, page.tables, page.json_ld, page.meta])
    page.follow(css="*")
    page.follow(page.soup.find_all(True), page.tree.iter())


PIECES = (
    b"<", b">", b"<a href=x>", b"</a>", b"<title>", b"<table><tr>", b"<template>", b"<base href='http://['>", b"<svg>",
    b"<p itemscope itemprop=a itemref=i id=i>", b"\0", b"\xff", b"<!--", b"<script type=application/ld+json>",
    b'{"a":1}</script>', b"<rss version='2.0'>", b"<item>", b"<meta name=a content='\x01'>", b"<?xml", b"?>",
    b"&#xd800;", b"<html/>", b"<frameset>", b"</html>", b"<meta property=og:url content='http://['>",
)  # fmt: skip
TYPES = (None, "text/html", "text/html; charset=utf-16", "application/xml", "application/json", "text/plain")


@settings(max_examples=150)
@given(
    st.one_of(st.binary(max_size=300), st.lists(st.sampled_from(PIECES), max_size=25).map(b"".join)),
    st.sampled_from(TYPES),
)
def test_no_value_of_a_page_raises_whatever_its_bytes_are(body, content_type):
    read_all(page_with(body, content_type))


@pytest.mark.parametrize(
    "body",
    [
        b"<div>" * 3_000 + b"deep<a href=x>y</a>",
        b"<table><tr><td>" * 1_000,
        b"<ul><li>" * 1_000,
        b"x" * 300_000,
        b"<title>" + b"x" * 300_000,
        b"<a href='" + b"x" * 300_000 + b"'>",
        b"<p " + b"a=b " * 10_000 + b">",
    ],
    ids=["deep", "tables", "lists", "run", "title", "reference", "attributes"],
)
def test_no_value_of_a_strange_page_raises(body):
    read_all(page_with(body, "text/html"))


def test_a_script_of_any_length_is_whole():
    """Next.js and its like send all their data in one script."""
    data = {"items": ["x" * 100] * 5_000}
    page = Page.from_html(f"<script type=application/ld+json>{json.dumps(data)}</script>")
    assert page.json_ld == (data,)
    assert json.loads(page.css_first("script").text) == data
    assert json.loads(page.soup.script.string) == data
    assert json.loads(page.tree.findtext(".//script")) == data


def test_lxml_and_beautiful_soup_see_what_is_nested_deep():
    page = Page.from_html("<div>" * 1_000 + "<a href=x>y</a>" + "</div>" * 1_000 + "<a href=z>w</a>")
    assert page.css("a")[1].attr("href") == page.tree.xpath("//a")[1].get("href") == page.soup("a")[1]["href"] == "z"


def test_a_page_is_as_lxml_would_read_its_text():
    assert lxml.html.tostring(shop().tree) == lxml.html.tostring(lxml.html.document_fromstring(SHOP))
