"""Reading pages: whatever the bytes are, the fields are clean text and the links are URLs in normal form."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crawler.extract import MAX_LINKS, MAX_LINKS_CHARS, Extracted, extract, is_html, media_type, without_controls
from crawler.urls import LinkResolver, normalise

URL = "http://h.example/dir/page.html"
ALL = frozenset({"text"})
PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 20


def read(html: str | bytes, content_type: str | None = "text/html; charset=utf-8", url: str = URL) -> Extracted:
    body = html.encode() if isinstance(html, str) else html
    return extract(body, url, content_type, LinkResolver(), ALL)


def urls(html: str | bytes, **kwargs: str) -> list[str]:
    return [url.removeprefix("http://h.example") for url, _ in read(html, **kwargs).hrefs]


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ("text/html", b"", True),
        ("Text/HTML; charset=x", b"no tags at all", True),
        ("application/xhtml+xml", b"<html>", True),
        ("text/html", PNG, False),
        ("text/html", b"%PDF-1.7", False),
        ("text/html", b"RIFF\x10\x00\x00\x00WEBPVP8 ", False),
        ("text/html", b"RIFF is also a word", True),
        ("image/png", b"<html>", False),
        ("application/json", b"<html>", False),
        (None, b"<!DOCTYPE html><p>", True),
        (None, b"\n\n <!-- a --> <!-- b --><HTML lang=en>", True),
        (None, b"\xef\xbb\xbf<html>", True),
        (None, "\ufeff<html>".encode("utf-16-le"), True),
        (None, b'<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "x">', True),
        (None, b"plain text about <html>", False),
        (None, b"", False),
        (None, b"<htmlx>", False),
        ("", b"<html>", True),
        ("application/octet-stream", b"<html>", True),
        ("application/octet-stream", PNG, False),
        ("text/plain", b"<!doctype html>", True),
        ("text/plain", b"a < b", False),
        ("text/xml", b"<?xml version='1.0'?><rss>", False),
        ("text/xml", b"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'>", True),
    ],
)
def test_a_body_is_html_by_its_type_unless_its_bytes_say_otherwise(content_type, body, expected):
    assert is_html(content_type, body) is expected


def test_sniffing_takes_linear_time():
    started_at = time.perf_counter()
    for body in (
        b"<!-- -->" * 128 + b"x",
        b"<!--" * 256,
        b" " * 1024,
        b"<?xml" + b" " * 1019,
        b"<!-- --> " * 113 + b"<",
    ):
        assert not is_html(None, body)
    assert time.perf_counter() - started_at < 0.5


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("", None),
        (";", None),
        ("Text/HTML ; charset=utf-8", "text/html"),
        ("a/b\x1b[31m\ud800", "a/b[31m"),
    ],
)
def test_a_media_type_is_lower_case_and_bare(value, expected):
    assert media_type(value) == expected


@pytest.mark.parametrize(
    ("body", "content_type", "charset", "title"),
    [
        ("<title>é</title>".encode(), "text/html; charset=utf-8", "utf-8", "é"),
        ("<title>é</title>".encode(), 'text/html; charset="UTF8"', "utf-8", "é"),
        ("<title>é</title>".encode("latin-1"), "text/html; charset=ISO-8859-1", "windows-1252", "é"),
        ("<title>日本</title>".encode("shift_jis"), "text/html;charset=x-sjis", "shift_jis", "日本"),
        # Byte-order mark before header before meta before guess.
        ("\ufeff<title>é</title>".encode(), "text/html; charset=latin1", "utf-8", "é"),
        ("\ufeff<title>é</title>".encode("utf-16-be"), "text/html; charset=latin1", "utf-16be", "é"),
        ("<meta charset=utf-8><title>é</title>".encode("latin-1"), "text/html; charset=latin1", "windows-1252", "é"),
        ("<meta charset=koi8-r><title>да</title>".encode("koi8-r"), "text/html", "koi8-r", "да"),
        ("<title>é</title>".encode(), "text/html", "utf-8", "é"),
        ("<title>é</title>".encode("latin-1"), None, "windows-1252", "é"),
        ("<title>Это страница, которую никто не описал</title>".encode("cp1251"), None, "windows-1251", None),
        # An unknown label says nothing.
        ("<title>é</title>".encode(), "text/html; charset=nonsense", "utf-8", "é"),
        ("<title>é</title>".encode(), "text/html; charset=\ud800", "utf-8", "é"),
        ("<title>é</title>".encode(), "text/html; charset=", "utf-8", "é"),
        ("<title>é</title>".encode(), "text/html; charset=utf-7", "utf-8", "é"),
    ],
)
def test_the_encoding_is_the_first_of_mark_header_meta_guess(body, content_type, charset, title):
    page = read(body, content_type)
    assert page.charset == charset
    if title is not None:
        assert page.title == title


def test_a_few_wrong_bytes_do_not_make_another_encoding_of_utf8():
    whole = ("<title>Café</title><p>" + "déjà vu " * 20).encode()
    assert read(whole + "é".encode()[:1], "text/html").title == "Café"
    assert read(whole + b"\xff" + whole, None).charset == "utf-8"
    assert read(("<title>é</title>" + "déjà vu " * 20).encode("latin-1"), None).charset == "windows-1252"


@pytest.mark.parametrize(
    ("html", "title"),
    [
        ("<title> A\n  b\t c </title>", "A b c"),
        ("<title>first</title><title>second</title>", "first"),
        ("<svg><title>drawing</title></svg><p>x", None),
        ("<body><svg><title>drawing</title></svg><title>late</title>", "late"),
        ("<title></title>", None),
        ("<title>a&amp;b &lt;i&gt;</title>", "a&b <i>"),
        ("<title>a\x1b[31m\x07b\x9bc&#x85;\u0085</title>", "a[31mbc…"),
        ("<title>never closed", "never closed"),
        ("<title>a\0b</title>", "a\ufffdb"),
        ("<title>&#xd800;</title>", "\ufffd"),
    ],
)
def test_the_title_is_the_first_one_of_the_page_as_one_clean_line(html, title):
    assert read(html).title == title


@pytest.mark.parametrize(
    ("html", "description"),
    [
        ("<meta name=description content=' a  b '>", "a b"),
        ("<meta name=Description content=first><meta name=description content=second>", "first"),
        ("<meta property=og:description content=graph><meta name=description content=own>", "own"),
        ("<meta property=og:description content=graph>", "graph"),
        ("<meta name=description content=''><meta name=og:description content=graph>", "graph"),
        ("<meta name=description>", None),
    ],
)
def test_the_description_is_the_page_s_own_or_that_of_its_open_graph(html, description):
    assert read(html).description == description


@pytest.mark.parametrize(
    ("html", "language"),
    [
        ("<html lang=' en-GB '>", "en-GB"),
        ("<html lang=de><meta http-equiv=content-language content=fr>", "de"),
        ("<meta http-equiv=Content-Language content='fr nl'>", "fr"),
        ("<meta http-equiv=content-language content='fr, nl'>", None),
        ("<meta http-equiv=content-language content=' '>", None),
        ("<html lang=''><p lang=it>x", None),
        ("<html xml:lang=pt>", "pt"),
    ],
)
def test_the_language_is_that_of_the_root_or_of_its_meta(html, language):
    assert read(html).language == language


@pytest.mark.parametrize(
    ("html", "canonical"),
    [
        ("<link rel=canonical href=/c#f>", "http://h.example/c"),
        ("<link rel='x CANONICAL' href=c?b=%7e>", "http://h.example/dir/c?b=~"),
        ("<link rel=canonical href=/1><link rel=canonical href=/2>", "http://h.example/1"),
        ("<link rel=canonical href='javascript:1'>", None),
        ("<link rel=canonical>", None),
        ("<base href=http://other.example/><link rel=canonical href=c>", "http://other.example/c"),
    ],
)
def test_the_canonical_url_is_absolute_and_in_normal_form(html, canonical):
    assert read(html).canonical == canonical


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        (
            "<a href=x>1</a><a href='/y?b=1#f'>2</a><a href=//o.example/>3</a>",
            ["/dir/x", "/y?b=1", "http://o.example/"],
        ),
        ("<a href=b><a href=a><a href=b#2>", ["/dir/b", "/dir/a"]),
        ("<map><area href=x></map>", ["/dir/x"]),
        ("<iframe src=x></iframe>", ["/dir/x"]),
        ("<frameset><frame src=1><frame src=2></frameset>", ["/dir/1", "/dir/2"]),
        ("<link rel=next href=n><link rel=PREV href=p><link rel=alternate href=a>", ["/dir/n", "/dir/p", "/dir/a"]),
        ("<link rel=stylesheet href=s><link rel='alternate stylesheet' href=t><link rel=icon href=i>", []),
        ("<link href=x><link rel=next>", []),
        ("<img src=i srcset='j 2x'><script src=s></script><form action=f></form>", []),
        ("<meta http-equiv=refresh content='5; url=x'>", ["/dir/x"]),
        ("<meta http-equiv=Refresh content=\"0;URL='/x y'\">", ["/x%20y"]),
        ("<meta http-equiv=refresh content=5>", []),
        ("<meta http-equiv=refresh content=0;url=javascript:1>", []),
        (
            "<a href=mailto:a@b.c><a href=javascript:x()><a href=data:,x><a href=ftp://h/><a href=tel:1><a href='http://'>",
            [],
        ),
        ("<a href=#top>t</a><a href=''>s</a><a name=x>", []),
        ("<a href=page.html>self</a>", ["/dir/page.html"]),
        ("<base href=/b/><a href=x><a href=#f>", ["/b/x", "/b/"]),
        ("<a href=x><base href=/b/><base href=/c/>", ["/b/x"]),
        ("<base target=_top><base href=/b/><a href=x>", ["/b/x"]),
        ("<base href='javascript:1'><a href=x>", ["/dir/x"]),
        ("<base href=/b/><meta http-equiv=refresh content=0;url=x>", ["/b/x"]),
        ("<template><a href=t></template><a href=x>", ["/dir/x"]),
        ("<noscript><a href=n></noscript>", ["/dir/n"]),
        ("<svg><a href=s></a></svg>", ["/dir/s"]),
        ("<!-- <a href=c> --><script>'<a href=s>'</script><style><a href=s></style>", []),
        ("<a href=a\0b>1</a>\0\0<p>\0<a href=x>", ["/dir/a%EF%BF%BDb", "/dir/x"]),
        ("<a href=' x\n/y '>", ["/dir/x/y"]),
        ("<a href='\ud7ff'>", ["/dir/%ED%9F%BF"]),
    ],
)
def test_links_are_what_a_reader_could_follow_in_page_order_once_each(html, expected):
    assert urls(html) == expected


@pytest.mark.parametrize(
    ("html", "nofollow"),
    [
        ("<a href=x rel=nofollow>", [True]),
        ("<a href=x rel='external NoFollow'>", [True]),
        ("<a href=x rel=nofollowing>", [False]),
        ("<area href=x rel=nofollow>", [True]),
        ("<link href=x rel='next nofollow'>", [True]),
        ("<a href=x rel=nofollow><a href=x>", [False]),
        ("<a href=x><a href=x rel=nofollow>", [False]),
    ],
)
def test_a_link_is_nofollow_if_every_occurrence_says_so(html, nofollow):
    assert [flag for _, flag in read(html).hrefs] == nofollow


def test_robots_metas_are_joined():
    html = (
        "<meta name=ROBOTS content=noindex><meta name=robots content='nofollow, noarchive'><meta name=other content=x>"
    )
    assert read(html).meta_robots == "noindex, nofollow, noarchive"
    assert read("<p>").meta_robots is None


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<title>t</title><h1>A  b</h1>\n\n<p>c <b>d</b>\ne<p>f", "A b\nc d e\nf"),
        ("<div>a<div>b</div>c</div>", "a\nb\nc"),
        ("a<br>b<br><br>c", "a\nb\nc"),
        ("<ul><li>a<li>b<ol><li>c</ol></ul>", "a\nb\nc"),
        ("<ul>stray<div>d</div></ul><menu>m</menu>", "stray\nd\nm"),
        ("<center>a</center><form>b</form><fieldset><legend>c</legend>d</fieldset>", "a\nb\nc\nd"),
        ("<pre>a\n  b   c\n\nd</pre>", "a\n  b   c\nd"),
        (
            "<table><caption>C</caption><tr><th>a</th><td>b</td></tr><tr><td></td><td>c  d</td></tr></table>",
            "C\na\tb\nc d",
        ),
        ("<table><tr><td><p>a</p><p>b</p></td><td>c</td></tr></table>", "a\nb\tc"),
        ("a&nbsp;&nbsp;&nbsp;&nbsp;b &nbsp; c", "a b  c"),
        ("<p><script>s</script><style>t</style><template>u</template><noscript>v</noscript>x", "x"),
        ("<p hidden>a</p><p style='color:red; DISPLAY : none'>b</p><p style='display:block'>c", "c"),
        ("<p style='--x-display:none'>seen", "seen"),
        ("<dialog>closed</dialog><dialog open>open</dialog>", "open"),
        (
            "<select><option>o</select><textarea>t</textarea><iframe>i</iframe><video>v</video><svg><title>t</title></svg>x",
            "x",
        ),
        ("<blockquote>q</blockquote>", "q"),
        ("<pre>a\x1b[31m\x00\x7f\x9bb&#13;c&#12;d</pre>", "a[31mb\nc\nd"),
        ("\ufdd0a", "a"),
        ("", ""),
        ("<p> \n&nbsp;\u3000</p>", ""),
    ],
)
def test_text_is_what_a_reader_sees_one_block_a_line(html, text):
    assert read(html).text == text


def test_text_is_only_computed_when_asked_for():
    assert extract(b"<p>x", URL, None, LinkResolver(), frozenset()).text is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\tb\nc", "a\tb\nc"),
        ("\x00\x1b\x7fa\r", "a"),
        ("é\x85\x9b\ud800\udfff日", "é日"),
        ("\u2028\ufffe😀", "\u2028\ufffe😀"),
    ],
)
def test_controls_and_lone_surrogates_are_dropped_and_nothing_else(text, expected):
    assert without_controls(text) == expected


@pytest.mark.parametrize(
    "unit",
    [
        b"<div>",
        b"<b>",
        b"<a href=x>",
        b"<table><tr><td>",
        b"<ul><li>",
        b"<p hidden>",
        b"<object>",
        b"<svg>",
        b"<template>",
    ],
)
def test_100_000_nested_tags_take_seconds_at_most(unit):
    started_at = time.perf_counter()
    page = read(unit * 100_000 + b"end")
    assert page.text is not None
    assert time.perf_counter() - started_at < 8


def test_a_table_of_20_000_by_20_000_takes_no_memory_of_that_size():
    page = read(b"<table><tr>" + b"<td>a" * 20_000 + b"<tr>" * 20_000)
    assert page.text == "\t".join("a" * 20_000)


def test_a_page_of_300_000_links_gives_the_first_10_000_and_counts_the_rest():
    page = read(b"".join(b"<a href=/%d>" % number for number in range(300_000)) + b"<title>late</title>")
    assert [url for url, _ in page.hrefs] == [f"http://h.example/{number}" for number in range(MAX_LINKS)]
    assert page.dropped_hrefs == 290_000
    assert page.title == "late"


def test_a_long_base_cannot_make_a_hundred_megabytes_of_links():
    page = read(b"<base href=/" + b"x" * 16_000 + b"/>" + b"".join(b"<a href=%d>" % n for n in range(10_000)))
    assert sum(len(url) for url, _ in page.hrefs) < MAX_LINKS_CHARS + 20_000
    assert page.dropped_hrefs > 0


def test_300_000_references_that_are_no_links_take_seconds_at_most():
    started_at = time.perf_counter()
    assert read(b"".join(b"<a href=javascript:%d>" % number for number in range(300_000))).hrefs == []
    assert time.perf_counter() - started_at < 5


FRAGMENTS = st.sampled_from(
    [
        b"<a href=", b"'", b'"', b">", b"x#", b"<base href=//", b"<meta http-equiv=refresh content='0;url=",
        b"<table><td>",
        b"<meta charset=utf-16>", b"\xff\xfe", b"\x00", b"\xed\xa0\x80", b"&#xd800;", b"<title>", b"<svg>",
        b"<template>",
        b"<plaintext>", b"<link rel=canonical href=", b"<p hidden>", b"<!--", b"<![CDATA[", b"\x1b[0m", b"http://[",
        b"%",
        b"<html lang=", b"<meta name=robots content=", b"</", b"<dialog>", b"<select>", b"<frameset>", b"<math><mi>",
    ]
)  # fmt: skip
BODIES = st.one_of(st.binary(max_size=200), st.lists(FRAGMENTS | st.binary(max_size=6), max_size=30).map(b"".join))
TYPES = st.one_of(
    st.none(),
    st.text(max_size=40),
    st.text(max_size=20).map("text/html; charset={}".format),
    st.sampled_from(["utf-8", "utf-16", "replacement", "x-user-defined", "iso-2022-jp", "gb18030", "big5"]).map(
        "text/html; charset={}".format
    ),
)


@given(BODIES, TYPES)
@example(b"\x00\xd8" * 3, "text/html; charset=utf-16")
def test_any_bytes_of_any_type_give_clean_fields_and_normal_urls(body, content_type):
    assert is_html(content_type, body) in {True, False}
    page = read(body, content_type)
    for text in (page.title, page.description, page.language, page.text, page.charset):
        assert text is None or text == without_controls(text)
        assert text is None or text.encode().decode() == text
    for url, _ in page.hrefs:
        assert normalise(url) == url
    assert page.canonical is None or normalise(page.canonical) == page.canonical
    assert len({url for url, _ in page.hrefs}) == len(page.hrefs)
