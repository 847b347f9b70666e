"""Sitemaps in every form, well made, broken and hostile: nothing in them is fetched, and reading ends soon."""

import contextlib
import gzip
import socket
import subprocess
import sys
import textwrap

import pytest

from crawler.web.robots import MAX_ROBOTS_BYTES
from crawler.web.sitemap import (
    MAX_SITEMAP_CHARS,
    MAX_SITEMAP_URLS,
    Entry,
    SitemapError,
    read_sitemap,
)
from crawler.web.sitemap_text import MAX_SITEMAP_BYTES
from tests.support.table import table
from tests.support.thorough import first_quickly
from tests.support.yardstick import processor_s, takes_linear_time

URL = "http://example.org/maps/sitemap.xml"
XMLNS = "http://www.sitemaps.org/schemas/sitemap/0.9"

URLSET = f"""<?xml version="1.0" encoding="UTF-8"?>
<urlset xmlns="{XMLNS}">
  <url>
    <loc>http://example.org/a</loc>
    <lastmod>2026-11-22</lastmod>
    <changefreq>daily</changefreq>
    <priority>0.8</priority>
  </url>
  <url><loc>http://example.org/b?x=1&amp;y=2</loc></url>
</urlset>
"""
INDEX = f"""<?xml version="1.0" encoding="UTF-8"?>
<sitemapindex xmlns="{XMLNS}">
  <sitemap><loc>http://example.org/s1.xml.gz</loc><lastmod>2026-11-22T16:20:00Z</lastmod></sitemap>
  <sitemap><loc>http://example.org/s2.xml</loc></sitemap>
</sitemapindex>
"""
RSS2 = """<?xml version="1.0"?>
<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom" xmlns:dc="http://purl.org/dc/elements/1.1/">
<channel>
  <title>News</title><link>http://example.org/</link><atom:link href="http://example.org/rss" rel="self"/>
  <item><title>A</title><link>http://example.org/a</link><pubDate>Sun, 22 Nov 2026 16:20:00 GMT</pubDate></item>
  <item><atom:link href="/other"/><link> http://example.org/b </link><dc:date>2026-11-22T16:20Z</dc:date></item>
  <item><guid>http://example.org/c</guid></item>
  <item><guid isPermaLink="false">http://example.org/no</guid></item>
  <item><guid>tag:example.org,2026:1</guid></item>
</channel></rss>
"""
RSS1 = """<?xml version="1.0"?>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
    xmlns:dc="http://purl.org/dc/elements/1.1/">
  <channel rdf:about="http://example.org/rss"><link>http://example.org/</link>
    <items><rdf:Seq><rdf:li resource="http://example.org/a"/></rdf:Seq></items></channel>
  <item rdf:about="http://example.org/about"><link>http://example.org/a</link><dc:date>2026-11-22</dc:date></item>
  <item rdf:about="http://example.org/b"><title>No link</title></item>
</rdf:RDF>
"""
ATOM = """<?xml version="1.0"?>
<feed xmlns="http://www.w3.org/2005/Atom">
  <link href="http://example.org/"/><link rel="self" href="http://example.org/feed"/>
  <entry><link href="http://example.org/a"/><published>2026-01-01</published><updated>2026-11-22T16:20:00Z</updated></entry>
  <entry>
    <link rel="edit" href="http://example.org/edit"/><link rel="enclosure" href="http://example.org/film"/>
    <link rel="alternate" hreflang="en" href="../b"/><link rel="alternate" hreflang="de" href="../b?de"/>
    <published>2026-11-21</published>
  </entry>
</feed>
"""
TEXT = "http://example.org/a\nhttp://example.org/b?x=1&y=2\r\n\n# a comment\n  HTTP://EXAMPLE.ORG/c  \rftp://x/\nd\n"
ROBOTS = "User-agent: *\nDisallow: /\nsitemap: /s1.xml # main\nSitemap:http://other.example/s2.xml\n"

FORMS = {
    "urlset": (URLSET, "urls", [("/a", "2026-11-22"), ("/b?x=1&y=2", None)]),
    "index": (INDEX, "index", [("/s1.xml.gz", "2026-11-22T16:20:00Z"), ("/s2.xml", None)]),
    "rss2": (RSS2, "feed", [("/a", None), ("/b", "2026-11-22T16:20Z"), ("/c", None)]),
    "rss1": (RSS1, "feed", [("/a", "2026-11-22"), ("/b", None)]),
    "atom": (ATOM, "feed", [("/a", "2026-11-22T16:20:00Z"), ("/b", "2026-11-21"), ("/b?de", "2026-11-21")]),
    "text": (TEXT, "text", [("/a", None), ("/b?x=1&y=2", None), ("/c", None)]),
}


def entries(*expected: tuple[str, str | None]) -> tuple[Entry, ...]:
    return tuple(Entry(f"http://example.org{path}", lastmod) for path, lastmod in expected)


def gzipped(body: bytes) -> bytes:
    return gzip.compress(body, 1, mtime=0)


def urlset(*locs: str) -> str:
    return f"<urlset>{''.join(f'<url><loc>{loc}</loc></url>' for loc in locs)}</urlset>"


@pytest.fixture(scope="module")
def most_s() -> float:
    """How long a hostile sitemap may take: 20 times as long as an honest one of as many URLs as there may be."""
    lines = (f"<url><loc>/{n}</loc><lastmod>2026-11-22</lastmod></url>\n" for n in range(MAX_SITEMAP_URLS))
    honest = f"<urlset>{''.join(lines)}</urlset>".encode()
    return 20 * processor_s(lambda: read_sitemap(honest, URL, None))


def paths(body: bytes | str, url: str = URL) -> list[str]:
    """The URLs of a sitemap that is not cut, without their origin."""
    sitemap = read_sitemap(body.encode() if isinstance(body, str) else body, url, None)
    assert sitemap.cut == ""
    return [entry.url.removeprefix("http://example.org") for entry in sitemap.entries]


# Forms


@table("form", FORMS)
@table("packed", [False, True], ids=["plain", "gzip"])
@table("content_type", [None, "text/html", "image/png; charset=latin1", "\0;;charset"], ids=repr)
def test_each_form_is_read_whatever_its_content_type(form, packed, content_type):
    text, kind, expected = FORMS[form]
    body = text.encode()
    sitemap = read_sitemap(gzip.compress(body, mtime=0) if packed else body, URL, content_type)
    assert (sitemap.kind, sitemap.entries, sitemap.cut) == (kind, entries(*expected), "")


@table("form", FORMS)
@table("before", ["\ufeff", "\n", " \r\n\t", "\ufeff \n\ufeff", "\0\n"], ids=ascii)
def test_what_stands_before_the_beginning_does_no_harm(form, before):
    text, _, expected = FORMS[form]
    assert read_sitemap((before + text).encode(), URL, None).entries == entries(*expected)


@table("form", FORMS)
@table("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_read(form, encoding):
    text, _, expected = FORMS[form]
    body = ("\ufeff" + text.replace("UTF-8", "UTF-16")).encode(encoding)
    assert read_sitemap(body, URL, None).entries == entries(*expected)


@table(
    ("declared", "content_type", "encoding"),
    [
        ("", None, "utf-8"),
        ('encoding="UTF-8"', None, "utf-8"),
        ("encoding='iso-8859-1'", None, "latin-1"),
        ('encoding="windows-1252"', None, "latin-1"),
        ('encoding="utf-8"', "text/xml; charset=ISO-8859-1", "latin-1"),
        ('encoding="iso-8859-1"', 'text/xml; Charset="UTF-8"', "utf-8"),
        ('encoding="UTF-16"', None, "utf-8"),
        ('encoding="no-such-thing"', "text/xml; charset=rot13", "utf-8"),
        ('encoding="utf-16"', None, "utf-16-le"),
        ('encoding="utf-16"', None, "utf-16-be"),
        ('encoding="koi8-r"', "text/xml; charset=latin1", "utf-8-sig"),
    ],
)
def test_the_encoding_of_xml_is_found(declared, content_type, encoding):
    body = f'<?xml version="1.0" {declared}?>{urlset("/é")}'.encode(encoding)
    sitemap = read_sitemap(body, URL, content_type)
    assert [entry.url for entry in sitemap.entries] == ["http://example.org/%C3%A9"]


@table("opening", ['xmlns="http://www.google.com/schemas/sitemap/0.84"', 'xmlns="%%%"', "", 'xmlns=""'])
def test_the_namespace_does_not_matter(opening):
    body = URLSET.replace(f'xmlns="{XMLNS}"', opening)
    assert read_sitemap(body.encode(), URL, None).entries == entries(*FORMS["urlset"][2])


def test_a_prefix_does_not_matter():
    body = f'<s:urlset xmlns:s="{XMLNS}"><s:url><s:loc>/a</s:loc><loc>/no</loc></s:url></s:urlset>'
    assert paths(body) == ["/a"]


@table("declared", [True, False])
def test_extensions_are_left_out(declared):
    spaces = "".join(
        f' xmlns:{name}="http://www.google.com/schemas/sitemap-{name}/1.1"' for name in ("image", "video", "news")
    )
    body = f"""<urlset xmlns="{XMLNS}"{spaces if declared else ""}><url>
        <image:loc>/no1</image:loc><loc>/a</loc><loc>/second</loc>
        <image:image><image:loc>/no2</image:loc></image:image><video:video><loc>/no3</loc></video:video>
        <news:news><news:lastmod>2026</news:lastmod></news:news>
        </url><url><image:image><image:loc>/no4</image:loc></image:image></url><x><url><loc>/no5</loc></url></x>
        <url><loc>/b</loc><url><loc>/no6</loc></url></url></urlset>"""
    assert paths(body) == ["/a", "/b"]


@table(
    ("loc", "expected"),
    [
        ("b", ["/maps/b"]),
        ("../b?c#d", ["/b?c"]),
        ("//example.org/b", ["/b"]),
        (" \n http://example.org/b\n", ["/b"]),
        ("http://example.org/a\n/b", ["/a/b"]),
        ("<![CDATA[http://example.org/a?b&c=<d>]]>", ["/a?b&c=%3Cd%3E"]),
        ("<![CDATA[/a]]><!-- x -->/b<?x y?><![CDATA[/c&amp;]]>", ["/a/b/c&amp;"]),
        ("/a&#x26;b&#38;c&amp;d&apos;", ["/a&b&c&d'"]),
        ("http://me:secret@example.org/a", ["/a"]),
        ("/é", ["/%C3%A9"]),
        ("", []),
        (" \n", []),
        ("ftp://example.org/", []),
        ("javascript:alert(1)", []),
        ("http://a b/", []),
        ("/" + "x" * 20_000, []),
        ("<b>http://example.org/a</b>", []),
    ],
    ids=lambda value: ascii(value)[:50],
)
def test_a_url_becomes_absolute_and_normal_or_is_left_out(loc, expected):
    assert paths(urlset(loc, "/last")) == [*expected, "/last"]


@table(
    "loc",
    ["/a?b=1&c=2", "/a?b=1&c=2&amp;d", "/a?b&copy;c", "/a?&;&#;&#x;&#xZ;&AMP;&lt", "/a&#99999999;"],
)
def test_an_ampersand_that_was_not_escaped_stays_one(loc):
    assert paths(urlset(loc)) == [loc.replace("&amp;", "&").replace("#", "#").partition("#")[0]]


@table(
    ("written", "kept"),
    [
        *((text, True) for text in ("2026", "2026-11", "2026-11-22", " 2026-11-22\n", "2026-11-22T16:20Z")),
        *((text, True) for text in ("2026-11-22T16:20:59Z", "2026-11-22T16:20:59.123456+05:30", "0000-12-31")),
        *((text, False) for text in ("", "yesterday", "22.11.2026", "2026-13", "2026-11-32", "2026-11-22T24:00Z")),
        *((text, False) for text in ("2026-11-22T16:20", "2026-11-22 16:20Z", "2026-11-22T16Z", "２０２６")),
        ("2026-11-22T16:20:59." + "1" * 100 + "Z", False),
        ("Sun, 22 Nov 2026 16:20:00 GMT", False),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_lastmod_is_a_w3c_date_as_written_or_nothing(written, kept):
    body = f"<urlset><url><loc>/a</loc><lastmod>{written}</lastmod></url></urlset>"
    (entry,) = read_sitemap(body.encode(), URL, None).entries
    assert entry.lastmod == (written.strip() if kept else None)


@table("part", ["<![CDATA[/a&b]]>", "/a&amp;b", "/a&b", "/a&#38;b"])
def test_nothing_is_lost_where_pieces_meet(part):
    """Bodies are read in pieces of 64 KiB."""
    begin = "<urlset><url><loc>"
    for offset in range(len(part) + 12):
        padding = "<!--" + "x" * ((1 << 16) - len(begin) - 7 - offset) + "-->"
        assert paths(begin + padding + part + "</loc></url></urlset>") == ["/a&b"]


# robots.txt


@table("url", ["http://example.org/robots.txt", "http://example.org/robots.txt?x"])
def test_robots_txt_is_known_by_its_url(url):
    sitemap = read_sitemap(ROBOTS.encode(), url, "text/plain")
    assert sitemap.kind == "robots"
    assert [entry.url for entry in sitemap.entries] == ["http://example.org/s1.xml", "http://other.example/s2.xml"]
    assert sitemap.cut == ""


def test_a_robots_txt_that_names_none_is_one_with_none():
    for body in (b"", b"User-agent: *\nDisallow:\n", b"<html>", bytes(range(256))):
        sitemap = read_sitemap(body, "http://example.org/robots.txt", None)
        assert (sitemap.kind, sitemap.entries, sitemap.cut) == ("robots", (), "")


def test_robots_txt_elsewhere_is_no_sitemap():
    with pytest.raises(SitemapError, match=r"^neither XML nor a list of URLs$"):
        read_sitemap(ROBOTS.encode(), "http://example.org/a/robots.txt", None)


def test_a_long_robots_txt_is_cut_and_says_so():
    body = ROBOTS.encode() + b"# x\n" * MAX_ROBOTS_BYTES + b"Sitemap: /late\n"
    sitemap = read_sitemap(body, "http://example.org/robots.txt", None)
    assert len(sitemap.entries) == 2
    assert sitemap.cut == "512,000 bytes of robots.txt"


def test_of_an_incomplete_robots_txt_the_last_line_is_not_believed():
    sitemap = read_sitemap(b"Sitemap: /a\nSitemap: /b", "http://example.org/robots.txt", None, truncated=True)
    assert [entry.url for entry in sitemap.entries] == ["http://example.org/a"]
    assert sitemap.cut == "an incomplete body"


# What is not a sitemap


@table(
    ("body", "why"),
    [
        (b"", "empty"),
        (b" \n\xef\xbb\xbf", "empty"),
        (gzip.compress(b"", mtime=0), "empty"),
        (b"\x1f\x8b", "broken gzip"),
        (b"\x1f\x8b" + b"junk" * 10, "broken gzip"),
        (gzip.compress(URLSET.encode(), mtime=0)[:8], "broken gzip"),
        (gzip.compress(gzip.compress(URLSET.encode(), mtime=0), mtime=0), "neither XML nor a list of URLs"),
        (b"<!DOCTYPE html><html><head><title>Not found</title></head><body></body></html>", "unknown XML"),
        (b"<!DOCTYPE html><html><br></html>", "broken XML"),
        (b"<x><urlset><url><loc>http://a/</loc></url></urlset></x>", "unknown XML"),
        (b"<urlset a", "broken XML"),
        (b"<", "broken XML"),
        (b"<?xml version='9.9'?><urlset/>", "broken XML"),
        (b"<!--" + b">" * 3_000_000, "unknown XML"),
        (b'{"urls": ["http://example.org/"]}', "neither XML nor a list of URLs"),
        (b"Not found", "neither XML nor a list of URLs"),
        (b"# only comments\n#\n", "neither XML nor a list of URLs"),
        (b"see\nhttp://example.org/", "neither XML nor a list of URLs"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "neither XML nor a list of URLs"),
        (b"x" * 3_000_000, "neither XML nor a list of URLs"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_no_sitemap_is_refused_with_one_of_few_reasons(body, why):
    with pytest.raises(SitemapError, match=f"^{why}$"):
        read_sitemap(body, URL, "application/xml")


@table("body", ["<urlset/>", "<sitemapindex></sitemapindex>", "<rss><channel/></rss>", "<rss/>", "<feed/>"])
def test_a_sitemap_may_list_nothing(body):
    assert paths(body) == []


# Broken ones


@table(
    ("body", "cut"),
    [
        (f"{urlset('/a', '/b')[:-9]}\n<url><loc>/c</url>\n<url><loc>/d</loc></url></urlset>", "broken XML at line 2"),
        (f"{urlset('/a', '/b')[:-9]}\n\n<url><loc>/c", "broken XML at line 3"),
        (f"{urlset('/a', '/b')[:-9]}</url></urlset>", "broken XML at line 1"),
        (f"{urlset('/a', '/b')[:-9]}<a b='1' b='2'/><url><loc>/d</loc></url></urlset>", "broken XML at line 1"),
        (f"{urlset('/a', '/b')[:-9]}]]><url><loc>/d</loc></url></urlset>", "broken XML at line 1"),
        (f"{urlset('/a', '/b')[:-9]}&#0;<url><loc>/d</loc></url></urlset>", "broken XML at line 1"),
        (f"{urlset('/a', '/b')}<urlset><url><loc>/c</loc></url></urlset>", ""),
        (f"{urlset('/a', '/b')} and more", ""),
        (f"{urlset('/a', '/b')[:-9]}<i:j k:l=''/></urlset>", ""),
    ],
)
def test_broken_xml_keeps_what_stood_before_and_says_where(body, cut):
    sitemap = read_sitemap(body.encode(), URL, None)
    assert sitemap.entries == entries(("/a", None), ("/b", None))
    assert sitemap.cut == cut


def test_control_characters_and_bytes_of_another_encoding_hide_nothing():
    body = b"<urlset><url>\0<loc>/a\xff</loc>\x1b\xef\xbf\xbf</url>\x08<url><loc>/b\xed\xa0\x80</loc></url></urlset>"
    assert paths(body) == ["/a%EF%BF%BD", "/b%EF%BF%BD%EF%BF%BD%EF%BF%BD"]


@pytest.mark.thorough
@table("form", FORMS)
def test_of_any_beginning_what_is_read_is_what_stands_there(form):
    """Half a body gives no half URL, and says that it is cut; in gzip, too."""
    text, kind, expected = FORMS[form]
    whole = entries(*expected)
    body = text.encode()
    packed = gzip.compress(body, mtime=0)
    beginnings = [(body[:end], True) for end in range(len(body))] + [
        (packed[:end], False) for end in range(len(packed))
    ]
    found = set()
    for part, truncated in beginnings:
        try:
            sitemap = read_sitemap(part, URL, None, truncated=truncated)
        except SitemapError:
            continue
        assert sitemap.kind == kind
        assert sitemap.entries == whole[: len(sitemap.entries)]
        assert sitemap.cut in {"an incomplete body", "broken gzip"} or sitemap.entries == whole
        found.add(len(sitemap.entries))
    assert found >= {1, len(whole)}


# Limits


def test_as_many_urls_as_the_protocol_allows_are_all_taken():
    body = urlset(*map(str, range(MAX_SITEMAP_URLS)))
    sitemap = read_sitemap(body.encode(), URL, None)
    assert (len(sitemap.entries), sitemap.cut) == (MAX_SITEMAP_URLS, "")


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("entry", "begin", "end"),
    first_quickly(
        [
            (b"<url><loc>/a</loc></url>", b"<urlset>", b"</urlset>"),
            (b"<url/>", b"<urlset>", b"</urlset>"),
            (b"<sitemap><loc>/a</loc></sitemap>\n", b"<sitemapindex>", b"</sitemapindex>"),
            (b"<entry/>", b"<feed>", b"</feed>"),
            (b"<entry><link href='/a'/><link href='/b'/></entry>", b"<feed>", b"</feed>"),
            (b"<item><link>/a</link></item>", b"<rss><channel>", b"</channel></rss>"),
            (b"http://example.org/a\n", b"", b""),
            (b"x\n", b"http://example.org/a\n", b""),
            (b"#\n", b"http://example.org/a\n", b""),
        ]
    ),
    ids=repr,
)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_more_entries_are_cut_at_the_limit_of_the_protocol(entry, begin, end, packed, most_s):
    body = begin + entry * 100_000 + end
    given = gzip.compress(body, 1, mtime=0) if packed else body

    def work():
        sitemap = read_sitemap(given, URL, None)
        assert sitemap.cut == "50,000 URLs"
        assert len(sitemap.entries) <= MAX_SITEMAP_URLS

    assert processor_s(work, tries=1) < most_s


@pytest.mark.thorough
@table("packed", [False, True], ids=["plain", "gzip"])
@table(
    ("begin", "filler", "kept"),
    [
        (b"<urlset><url><loc>/a</loc></url>\n", b"<url><x>" + b" " * 9_000 + b"</x></url>", 1),
        (b"http://example.org/a\n", b" " * 9_000 + b"\n", 1),
    ],
    ids=["xml", "text"],
)
def test_what_lies_beyond_the_limit_of_bytes_is_not_read(packed, begin, filler, kept):
    body = (
        begin
        + filler * (MAX_SITEMAP_BYTES // len(filler) + 1)
        + b"<url><loc>/late</loc></url>\nhttp://example.org/late"
    )
    sitemap = read_sitemap(gzip.compress(body, 1, mtime=0) if packed else body, URL, None)
    assert (len(sitemap.entries), sitemap.cut) == (kept, "52,428,800 bytes")


def test_a_body_cut_at_the_limit_by_who_fetched_it_says_so():
    body = b"http://example.org/a\n" + b"\n" * (MAX_SITEMAP_BYTES - 41) + b"http://example.org/a"
    assert len(body) == MAX_SITEMAP_BYTES
    sitemap = read_sitemap(body, URL, None, truncated=True)
    assert (len(sitemap.entries), sitemap.cut) == (1, "52,428,800 bytes")
    sitemap = read_sitemap(body, URL, None)
    assert (len(sitemap.entries), sitemap.cut) == (2, "")


@table(
    "body",
    [
        f"http://example.org/a\n{'x' * 2_000_000}\nhttp://example.org/b\n",
        f"<urlset><url><loc>/a</loc></url><x>{'x' * 2_000_000}</x><url><loc>/b</loc></url></urlset>",
        f"<urlset><url><loc>/a</loc></url>{'<x/>' * 500_000}<url><loc>/b</loc></url></urlset>",
    ],
    ids=["text", "XML", "elements"],
)
def test_an_entry_that_is_too_long_ends_the_reading(body):
    sitemap = read_sitemap(body.encode(), URL, None)
    assert sitemap.entries == entries(("/a", None))
    assert sitemap.cut == "an entry of more than 1,048,576 characters"


def test_short_relative_urls_cannot_grow_without_end():
    url = f"http://example.org/{'x' * 16_000}/sitemap.xml"
    sitemap = read_sitemap(urlset(*"ab" * 20_000).encode(), url, None)
    assert sitemap.cut == "16,777,216 characters of URLs"
    assert MAX_SITEMAP_CHARS - 20_000 < sum(len(entry.url) for entry in sitemap.entries) <= MAX_SITEMAP_CHARS


# Hostile ones

LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 30))
LAUGHING = f'<!DOCTYPE u [<!ENTITY l0 "lol">{LAUGHS}]>'
LONG = f'<!DOCTYPE u [<!ENTITY a "{"lol" * 30_000}">]>'
MB = 1_000_000
HOSTILE = {
    "billion laughs": (LAUGHING, "<urlset><url><loc>/&l29;</loc></url>", 1, "</urlset>"),
    "billion laughs unmended": (
        f"<!-- <![CDATA[ -->{LAUGHING}",
        "<urlset><url><loc>/&l29;</loc></url>",
        1,
        "</urlset>",
    ),
    "billion laughs in an attribute": (LAUGHING, '<urlset><url a="&l29;"><loc>/</loc></url>', 1, "</urlset>"),
    "quadratic": (f"{LONG}<urlset><url><loc>/", "&a;", 100_000, "</loc></url></urlset>"),
    "quadratic unmended": (f"<!--<![CDATA[-->{LONG}<urlset><url><loc>/", "&a;", 100_000, "</loc></url></urlset>"),
    "parameter entities": ("<!DOCTYPE u [<!ENTITY % a \"<!ENTITY b 'lol'>\"> %a;", " %a;", 9, "]><urlset>&b;</urlset>"),
    "entity of itself": (
        '<!DOCTYPE u [<!ENTITY a "&a;lol">]><urlset><url><loc>/&a;',
        "&a;",
        9,
        "</loc></url></urlset>",
    ),
    "endless DTD": ("<!DOCTYPE u [", "<!ENTITY a 'b'>", MB, ""),
    "endless comment in a DTD": ("<!DOCTYPE u [<!--", ">", 5 * MB, ""),
    "deep": ("<urlset>", "<url>", 100_000, ""),
    "deep and closed": (f"<urlset>{'<url>' * 100_000}", "</url>", 100_000, "</urlset>"),
    "long attribute": ('<urlset><url a="', "x", 40 * MB, '"/></urlset>'),
    "long attribute of tags": ('<urlset><url a="', "/>", 20 * MB, '"/></urlset>'),
    "many attributes": ("<urlset><url " + " ".join(f"a{n}='' xmlns:b{n}='c'" for n in range(40_000)), "/>", 1, ""),
    "one attribute many times": ("<urlset><url ", "a='' ", 200_000, "/></urlset>"),
    "undeclared namespaces": ("<urlset>", "<url><a:b/></url>", MB, "</urlset>"),
    "endless text": ("<urlset><url><loc>", "x", 20 * MB, ""),
    "endless text of tags": ("<urlset><url><loc>", ">", 20 * MB, ""),
    "endless CDATA": ("<urlset><url><loc><![CDATA[", ">", 20 * MB, ""),
    "many CDATA": ("<urlset><url><loc>", "<![CDATA[]]>", 2 * MB, ""),
    "endless comment": ("<urlset><!--", ">", 20 * MB, ""),
    "comments": ("<urlset>", "<!---->", 4 * MB, ""),
    "instructions": ("<urlset>", "<?a?>", 5 * MB, ""),
    "junk beside entries": ("<urlset>", "<a/>", 6 * MB, ""),
    "junk in an entry": ("<urlset><url>", "<a/>", 6 * MB, ""),
    "junk in entries": ("<urlset>", f"<url>{'<a/>' * 200}</url>", 40_000, "</urlset>"),
    "ampersands": ("<urlset>", "&", 20 * MB, ""),
    "ampersands in tags": ("<urlset>", "&>", 10 * MB, ""),
    "NULs in XML": ("<urlset>", "\0", 20 * MB, ""),
    "NULs": ("", "\0", 20 * MB, ""),
    "tags begun": ("", "<", 20 * MB, ""),
    "tags ended": ("<", ">", 20 * MB, ""),
    "a name": ("<urlset><", "x", 20 * MB, ""),
    "a line": ("http://example.org/", "x", 20 * MB, ""),
    "empty lines": ("http://example.org/\n", "\n", 20 * MB, ""),
    "carriage returns": ("http://example.org/\n", "\r", 20 * MB, ""),
    "lines of junk": ("http://example.org/\n", "x\n", 10 * MB, ""),
    "escapes": ("<urlset>", f"<url><loc>/{'%41%2' * 100_000}</loc></url>", 99, "</urlset>"),
}
"""A beginning, a filler, how many times, an end."""


@pytest.mark.parametrize("name", first_quickly(HOSTILE, 15))
def test_hostile_xml_ends_soon_with_what_it_really_lists(name, most_s):
    begin, filler, times, end = HOSTILE[name]
    body = begin.encode() + filler.encode() * times + end.encode()

    def work():
        with contextlib.suppress(SitemapError):
            for entry in read_sitemap(body, URL, None).entries:
                assert len(entry.url) < 100
                assert "lol" not in entry.url

    assert processor_s(work, tries=1) < most_s


@pytest.mark.parametrize(
    ("bomb", "cut"),
    [
        (lambda: gzipped(b"<urlset><url><loc>/a</loc></url>" + b" " * 200_000_000), "an entry of more than"),
        (lambda: gzipped(b"<urlset>" + b"<url><loc>/a</loc></url>" * 5_000_000), "50,000 URLs"),
        (lambda: gzipped(b"http://example.org/a\n") + gzipped(b"\n" * 200_000_000), "52,428,800 bytes"),
        (lambda: gzipped(b"http://example.org/a\n") + gzipped(b"") * 1_000_000, "1,000 gzip members"),
    ],
    ids=["spaces", "entries", "lines", "members"],
)
def test_a_gzip_bomb_is_unpacked_only_so_far(bomb, cut, most_s):
    packed = bomb()

    def work():
        sitemap = read_sitemap(packed, URL, None)
        assert sitemap.cut.startswith(cut)
        assert {entry.url for entry in sitemap.entries} == {"http://example.org/a"}

    assert processor_s(work, tries=1) < most_s


@table("form", ["urlset", "text"])
@table("junk", [b"", b"\0" * 100, b"junk"], ids=repr)
def test_gzip_in_several_members_and_with_junk_behind_is_whole(form, junk):
    text, _, expected = FORMS[form]
    parts = [gzip.compress(part.encode(), mtime=0) for part in (text[:7], text[7:50], "", text[50:])]
    sitemap = read_sitemap(b"".join(parts) + junk, URL, None)
    assert (sitemap.entries, sitemap.cut) == (entries(*expected), "")


@pytest.mark.parametrize(
    "dtd",
    [
        '[<!ENTITY x SYSTEM "{}">]',
        '[<!ENTITY x PUBLIC "-//X//X" "{}">]',
        '[<!ENTITY % p SYSTEM "{}"> %p;]',
        '[<!ENTITY % p SYSTEM "{}"> %p; <!ENTITY x "y">]',
        'SYSTEM "{}"',
        'PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "{}"',
        'SYSTEM "{}" [<!ENTITY x "y">]',
    ],
)
@pytest.mark.parametrize("hidden", [False, True], ids=["plain", "where it is not mended"])
def test_nothing_external_is_asked_for(dtd, hidden, tmp_path):
    """Neither over the network nor from the disk, be it entity, DTD, XInclude or style sheet."""
    secret = tmp_path / "secret"
    secret.write_text("secret")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/secret"
        for target in (address, str(secret), secret.as_uri()):
            body = f"""<?xml version="1.0"?><?xml-stylesheet href="{target}"?>{"<!--<![CDATA[-->" if hidden else ""}
                <!DOCTYPE urlset {dtd.format(target)}>
                <urlset xmlns:xi="http://www.w3.org/2001/XInclude" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
                    xsi:schemaLocation="x {target}">
                <url><loc>/a</loc></url><url><loc><xi:include href="{target}" parse="text"/></loc></url>
                <xi:include href="{target}"/><url><loc>/&x;</loc></url></urlset>"""
            sitemap = read_sitemap(body.encode(), URL, None)
            assert sitemap.entries[0].url == "http://example.org/a"
            assert [entry.url for entry in sitemap.entries[1:]] in (
                ["http://example.org/&x;"],
                ["http://example.org/"],
                [],
            )
        with pytest.raises(TimeoutError):
            server.accept()


MEASURE = textwrap.dedent("""
    import sys
    from pathlib import Path
    from crawler.web.sitemap import read_sitemap

    def peak():
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024

    read_sitemap(b"<urlset/>", "http://example.org/", None)
    for path in sys.argv[1:]:
        body = Path(path).read_bytes()
        before = peak()
        sitemap = read_sitemap(body, "http://example.org/", None)
        print(len(sitemap.entries), peak() - before, sitemap.cut, sep=";")
""")


def grown(*paths) -> list[tuple[int, float, str]]:
    """Of each file, read in one process: number of entries, megabytes by which its peak grew beside the body, cut."""
    command = [sys.executable, "-c", MEASURE, *map(str, paths)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    lines = [line.split(";") for line in done.stdout.splitlines()]
    return [(int(number), float(megabytes), cut) for number, megabytes, cut in lines]


linux = pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process alone is told by Linux only")


@pytest.mark.thorough
@linux
def test_memory_is_that_of_the_body_and_of_what_is_found(tmp_path):
    """50 MB with 45,000 URLs: under 10 MB of entries, the rest goes through a window."""
    image = "<image:image><image:loc>http://example.org/picture.png</image:loc></image:image>\n" * 12
    path = tmp_path / "big.xml"
    with path.open("w") as file:
        file.write(f'<urlset xmlns="{XMLNS}" xmlns:image="http://www.google.com/schemas/sitemap-image/1.1">\n')
        for number in range(45_000):
            file.write(f"<url><loc>http://example.org/page/{number}</loc>{image}</url>\n")
        file.write("</urlset>")
    assert 40_000_000 < path.stat().st_size <= MAX_SITEMAP_BYTES
    ((count, megabytes, cut),) = grown(path)
    assert (count, cut) == (45_000, "")
    assert megabytes < 40


@linux
@pytest.mark.parametrize("junk", first_quickly(["<a b=''/>", "<a/>x", "<a>&amp;</a>", "<!-- -->", "<![CDATA[x]]>"]))
def test_junk_takes_no_memory(junk, tmp_path):
    """An entry of 0.9 MB becomes a tree of at most 100 MB; there is never more than one."""
    path = tmp_path / "junk.xml"
    path.write_text(f"<urlset>{f'<url><loc>/a</loc>{junk * (900_000 // len(junk))}</url>' * 8}</urlset>")
    ((count, megabytes, _),) = grown(path)
    assert count == 8
    assert megabytes < 120


@pytest.mark.thorough
@linux
@pytest.mark.parametrize("begin", ["<urlset><url><loc>", "<urlset><url a='", "http://example.org/a\n"])
def test_what_does_not_end_takes_no_memory(begin, tmp_path):
    path = tmp_path / "endless.xml"
    path.write_text(begin + "x" * 50_000_000)
    ((count, megabytes, _),) = grown(path)
    assert count <= 1
    assert megabytes < 30


@pytest.mark.thorough
@linux
def test_reading_leaves_the_memory_as_it_was(tmp_path):
    """Names of elements do not pile up from one sitemap to the next."""
    paths = [tmp_path / f"{number}.xml" for number in range(6)]
    for number, path in enumerate(paths):
        names = "".join(f"<t{number}n{n}/>" for n in range(60_000))
        entries = (f"<url>{names.replace('n', f'n{entry}n')}</url>" for entry in range(8))
        path.write_text(f"<urlset>{''.join(entries)}</urlset>")
    first, _, *others = (megabytes for _, megabytes, _ in grown(*paths))
    assert sum(others) < first


def test_an_item_with_many_attributes_takes_linear_time():
    def work(number: int) -> object:
        item = "<item " + " ".join(f"a{n}='x'" for n in range(number)) + " about='http://example.com/a'/>"
        return read_sitemap(f"<RDF>{item}</RDF>".encode(), URL, None).entries

    assert work(1) == (Entry("http://example.com/a"),)
    assert takes_linear_time(work, 2_000)
