"""Reading pages: whatever the bytes are, the fields are clean text and the links are URLs in normal form."""

import sys
from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from turbohtml import Namespace, parse

from crawler.page.bounds import cut_at_tag, with_breaks
from crawler.page.html import (
    LINK_CHARS,
    MAX_LINKS,
    Extracted,
    extract,
    media_type,
    without_controls,
)
from crawler.page.html import read as read_tree
from crawler.page.page import Page
from crawler.web.urls import LinkResolver, normalise
from tests.support.table import table
from tests.support.yardstick import takes_linear_time

URL = "http://h.example/dir/page.html"
ALL = frozenset({"text"})


def read(
    html: str | bytes,
    content_type: str | None = "text/html; charset=utf-8",
    url: str = URL,
    *,
    max_links: int = MAX_LINKS,
) -> Extracted:
    body = html.encode() if isinstance(html, str) else html
    return extract(body, url, content_type, LinkResolver(), ALL, max_links=max_links)


def urls(html: str | bytes, **kwargs: str) -> list[str]:
    return [url.removeprefix("http://h.example") for url, _ in read(html, **kwargs).hrefs]


@table(
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


E_ACUTE = "<title>é</title>".encode()
KOI = "<title>Да</title>".encode("koi8-r")


@table(
    ("body", "content_type", "charset", "title"),
    [
        # Byte-order mark before header.
        ("\ufeff<title>é</title>".encode(), "text/html; charset=latin1", "utf-8", "é"),
        ("\ufeff<title>é</title>".encode("utf-16-be"), "text/html; charset=latin1", "utf-16be", "é"),
        ("\ufeff<title>é</title>".encode("utf-16-le"), "text/html; charset=utf-8", "utf-16le", "é"),
        (b"\xef\xbb\xbf<?xml version='1.0' encoding='koi8-r'?>" + E_ACUTE, "text/html", "utf-8", "é"),
        ("\ufeff<meta charset=koi8-r><title>é</title>".encode(), None, "utf-8", "é"),
        # Header before meta and XML declaration, whether it is right or not.
        ("<meta charset=utf-8><title>é</title>".encode("latin-1"), "text/html; charset=latin1", "windows-1252", "é"),
        (b"<?xml version='1.0' encoding='utf-8'?>" + KOI, "text/html; charset=koi8-r", "koi8-r", "Да"),
        (E_ACUTE, "text/html; charset=latin1", "windows-1252", "Ã©"),
        # Meta before XML declaration before guess.
        (b"<meta charset=koi8-r>" + KOI, "text/html", "koi8-r", "Да"),
        (b"<?xml version='1.0' encoding='utf-8'?><meta charset=koi8-r>" + KOI, None, "koi8-r", "Да"),
        (b"<?xml version='1.0' encoding='koi8-r'?>" + KOI, None, "koi8-r", "Да"),
        (b'<?xml version="1.0" encoding="utf-8"?><title>x', None, "utf-8", "x"),
        (b"<?xml version='1.0' encoding='latin1'?>" + E_ACUTE, None, "windows-1252", "Ã©"),
        (b"<meta charset=latin1>" + E_ACUTE, None, "windows-1252", "Ã©"),
        # Guesses.
        (E_ACUTE, "text/html", "utf-8", "é"),
        ("<title>é</title>".encode("latin-1"), None, "windows-1252", "é"),
        ("<title>Это страница, которую никто не описал</title>".encode("cp1251"), None, "windows-1251", None),
        (b"<title>x", None, "windows-1252", "x"),
        (b"", None, "windows-1252", None),
        # In a header an unknown label says nothing.
        (E_ACUTE, "text/html; charset=nonsense", "utf-8", "é"),
        (E_ACUTE, "text/html; charset=\ud800", "utf-8", "é"),
        (E_ACUTE, "text/html; charset=", "utf-8", "é"),
        (E_ACUTE, "text/html; charset=utf-7", "utf-8", "é"),
        (E_ACUTE, "text/html; charset=utf-32", "utf-8", "é"),
        (b"<meta charset=koi8-r>" + KOI, "text/html; charset=nonsense", "koi8-r", "Да"),
    ],
)
def test_the_encoding_is_the_first_of_mark_header_meta_xml_declaration_guess(body, content_type, charset, title):
    page = read(body, content_type)
    assert page.charset == charset
    if title is not None:
        assert page.title == title


@table(
    ("parameters", "charset"),
    [
        ("charset=koi8-r", "koi8-r"),
        ("charset=KOI8-R", "koi8-r"),
        ('charset="koi8-r"', "koi8-r"),
        ("charset='koi8-r'", "koi8-r"),
        ('CHARSET = " koi8-r "', "koi8-r"),
        ("\tcharset\t=\tkoi8-r\t; version=1", "koi8-r"),
        ("version=1;charset=koi8-r", "koi8-r"),
        ("charset=koi8-r; charset=utf-8", "koi8-r"),
        ("charset=; charset=koi8-r", "koi8-r"),
        ('charset="koi8-r', "koi8-r"),
        ("charset=koi8-r,text/html", "koi8-r"),
        ("x-charset=koi8-r", "windows-1252"),
        ("charset koi8-r", "windows-1252"),
    ],
)
def test_the_charset_of_a_header_is_read_whatever_its_blanks_and_quotes(parameters, charset):
    assert read(b"<p>x", f"text/html; {parameters}").charset == charset


@table(
    ("label", "in_header", "in_page"),
    [
        ("utf8", "utf-8", "utf-8"),
        ("unicode-1-1-utf-8", "utf-8", "utf-8"),
        ("latin1", "windows-1252", "windows-1252"),
        ("ascii", "windows-1252", "windows-1252"),
        ("iso-8859-1", "windows-1252", "windows-1252"),
        ("iso-8859-9", "windows-1254", "windows-1254"),
        ("tis-620", "windows-874", "windows-874"),
        ("gb2312", "gbk", "gbk"),
        ("gb18030", "gb18030", "gb18030"),
        ("big5-hkscs", "big5", "big5"),
        ("sjis", "shift_jis", "shift_jis"),
        ("x-sjis", "shift_jis", "shift_jis"),
        ("windows-31j", "shift_jis", "shift_jis"),
        ("x-euc-jp", "euc-jp", "euc-jp"),
        ("ks_c_5601-1987", "euc-kr", "euc-kr"),
        ("koi8-ru", "koi8-u", "koi8-u"),
        ("logical", "iso-8859-8-i", "iso-8859-8-i"),
        ("visual", "iso-8859-8", "iso-8859-8"),
        ("x-mac-ukrainian", "x-mac-cyrillic", "x-mac-cyrillic"),
        # A page in which a label can be read is not in UTF-16.
        ("unicode", "utf-16le", "utf-8"),
        ("utf-16", "utf-16le", "utf-8"),
        ("unicodefffe", "utf-16be", "utf-8"),
        # Encodings that are a danger to decode show nothing but one U+FFFD.
        ("iso-2022-kr", "replacement", "replacement"),
        ("hz-gb-2312", "replacement", "replacement"),
    ],
)
def test_labels_mean_what_the_encoding_standard_says(label, in_header, in_page):
    assert read(b"<p>x", f"text/html; charset={label}").charset == in_header
    assert read(b"<meta charset='%s'><p>x" % label.upper().encode(), None).charset == in_page
    content = b"<meta http-equiv=content-type content='text/html; charset=%s'><p>x" % label.encode()
    assert read(content, None).charset == in_page
    declaration = b"<?xml version='1.0' encoding='%s'?><p>x" % label.encode()
    assert read(declaration, None).charset == in_page


@table("label", ["utf-7", "nonsense", "", "utf-32", "none"])
def test_a_label_that_the_standard_does_not_know_says_nothing(label):
    for html in (
        b"<meta charset='%s'>",
        b"<meta http-equiv=content-type content='text/html; charset=%s'>",
        b"<?xml version='1.0' encoding='%s'?>",
    ):
        assert read(html % label.encode() + E_ACUTE, f"text/html; charset={label}").charset == "utf-8"
        assert read(html % label.encode() + b"<meta charset=koi8-r>" + KOI, None).charset == "koi8-r"


def test_x_user_defined_is_itself_in_a_header_and_windows_1252_in_a_meta():
    assert read(b"<title>a\xe9", "text/html; charset=x-user-defined").title == "a\uf7e9"
    assert read(b"<meta charset=x-user-defined><title>a\xe9", None).title == "aé"


def test_what_may_not_be_decoded_is_one_replacement_character():
    page = read(b"<meta charset=iso-2022-kr><title>t</title><a href=x>", None)
    assert (page.charset, page.title, page.text, page.hrefs) == ("replacement", None, "\ufffd", [])


@table(
    ("start", "charset"),
    [
        (b"<!-- <meta charset=koi8-r> -->", "utf-8"),
        (b"<!--> <meta charset=koi8-r>", "koi8-r"),
        (b"<META/CHARSET = 'koi8-r'/>", "koi8-r"),
        (b"<meta\x0ccharset=koi8-r>", "koi8-r"),
        (b"<metacharset=koi8-r>", "utf-8"),
        (b"<p title='<meta charset=koi8-r>'>", "utf-8"),
        (b"<meta charset=koi8-r", "utf-8"),
        (b"<meta name=x content='text/html; charset=koi8-r'>", "utf-8"),
        (b"<meta http-equiv=refresh content='text/html; charset=koi8-r'>", "utf-8"),
        (b"<meta content='text/html; charset=koi8-r' http-equiv=Content-Type>", "koi8-r"),
        (b"<meta http-equiv=content-type content='charset charset = \"koi8-r\"'>", "koi8-r"),
        (b"<meta http-equiv=content-type content='text/html; charset=\"koi8-r'>", "utf-8"),
        (b"<meta charset=nonsense><meta charset=koi8-r>", "koi8-r"),
        (b"<meta charset=koi8-r><meta charset=utf-8>", "koi8-r"),
        (b"<meta charset=koi8-r charset=utf-8>", "koi8-r"),
        (b"<meta charset=koi8-r http-equiv=content-type content='text/html; charset=big5'>", "koi8-r"),
        (b"\x00<meta \x00 charset=koi8-r>", "koi8-r"),
        # The prescan knows neither scripts nor titles, and the standard wants it so.
        (b"<script>'<meta charset=koi8-r>'</script>", "koi8-r"),
        (b"<title><meta charset=koi8-r></title>", "koi8-r"),
        (b"<noscript><meta charset=koi8-r></noscript>", "koi8-r"),
        # XML declarations.
        (b"<?xml version='1.0' encoding = \"koi8-r\" ?>", "koi8-r"),
        (b"<?xml encoding=koi8-r?>", "utf-8"),
        (b"<?xml encoding='koi8-r\"?>", "utf-8"),
        (b"<?xml encoding=' koi8-r'?>", "utf-8"),
        (b"<?xml version='1.0'?> encoding='koi8-r'", "utf-8"),
        (b" <?xml version='1.0' encoding='koi8-r'?>", "utf-8"),
        (b"<?xml version='1.0' encoding='koi8-r'?><!-- charset -->", "koi8-r"),
        (b"<?xml version='1.0' encoding='big5'?><meta charset=koi8-r>", "koi8-r"),
        (b"<?xml version='1.0' encoding='big5'?><script>'<meta charset=koi8-r>'</script>", "koi8-r"),
    ],
)
def test_an_encoding_is_declared_where_the_standard_looks_for_it(start, charset):
    assert read(start + "<p>déjà vu, déjà vu".encode(), None).charset == charset


def test_the_prescan_ends_after_1024_bytes_and_the_parser_takes_a_later_meta_at_its_word():
    script = b"<script>'<meta charset=koi8-r>'</script>" + E_ACUTE
    end = script.rindex(b">'")
    assert read(b" " * (1023 - end) + script, None).charset == "koi8-r"
    assert read(b" " * (1024 - end) + script, None).charset == "utf-8"
    # What the prescan does not see may still be a real one: HTML Standard, "changing the encoding while parsing".
    assert read(b" " * 1024 + b"<meta charset=koi8-r>" + KOI, None).title == "Да"
    assert read(b" " * 1024 + b"<meta charset=koi8-r>" + E_ACUTE, "text/html; charset=utf-8").title == "é"
    assert read("\ufeff".encode() + b" " * 1024 + b"<meta charset=koi8-r>" + E_ACUTE, None).title == "é"


@table(
    ("body", "charset", "title"),
    [
        ("<?xml version='1.0'?><title>é</title>".encode("utf-16-le"), "utf-16le", "é"),
        ("<?xml version='1.0'?><title>é</title>".encode("utf-16-be"), "utf-16be", "é"),
        ("\ufeff<title>a😀b</title>".encode("utf-16-le"), "utf-16le", "a😀b"),
        ("\ufeff<title>a\ud800b</title>".encode("utf-16-le", "surrogatepass"), "utf-16le", "a\ufffdb"),
        ("\ufeff<title>a\udc00b</title>".encode("utf-16-be", "surrogatepass"), "utf-16be", "a\ufffdb"),
        ("\ufeff<title>ab".encode("utf-16-le")[:-1], "utf-16le", "a\ufffd"),
        (b"\xff\xfe", "utf-16le", None),
        (b"\xfe\xff\x00", "utf-16be", None),
        (b"\xef\xbb\xbf", "utf-8", None),
    ],
)
def test_utf_16_is_read_whatever_is_wrong_with_it(body, charset, title):
    page = read(body, None)
    assert (page.charset, page.title) == (charset, title)


@table(
    ("body", "content_type"),
    [
        (b"<title>\xc3\x28 \xed\xa0\x80 \xf4\x90\x80\x80 \xc0\xaf</title><a href=x>", "text/html; charset=utf-8"),
        (b"<title>\x81\x8d</title><a href=x>", "text/html; charset=shift_jis"),
        (b"<title>\xff\xff</title><a href=x>", "text/html; charset=gb18030"),
        (b"<title>\x1b$B\xff\x1b(B</title><a href=x>", "text/html; charset=iso-2022-jp"),
        (b"<title>\xe9</title><a href=x>", "text/html; charset=utf-8"),
        ("<title>é日本</title><a href=x>".encode(), "text/html; charset=big5"),
        ("<title>é日本</title><a href=x>".encode("utf-16-le"), "text/html; charset=utf-8"),
        (b"<title>\0</title>\0<a\0 b><a href=x>\0", "text/html; charset=utf-8"),
    ],
)
def test_bytes_that_fit_no_character_and_a_charset_that_lies_hide_no_link(body, content_type):
    page = read(body, content_type)
    assert page.title is None or page.title.encode().decode() == page.title
    if b"x\0>" not in body:
        assert [url for url, _ in page.hrefs] == ["http://h.example/dir/x"]


def test_a_few_wrong_bytes_do_not_make_another_encoding_of_utf8():
    whole = ("<title>Café</title><p>" + "déjà vu " * 20).encode()
    assert read(whole + "é".encode()[:1], "text/html").title == "Café"
    assert read(whole + b"\xff" + whole, None).charset == "utf-8"
    assert read(("<title>é</title>" + "déjà vu " * 20).encode("latin-1"), None).charset == "windows-1252"


@table(
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


@table(
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


@table(
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


@table(
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


@table(
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


TAGS = (
    *("a href=%d", "a href=%d rel='x NoFollow'", "a", "/a", "area href=%d", "iframe src=%d", "/iframe", "frame src=%d"),
    *("link rel=next href=%d", "link rel=stylesheet href=%d", "meta http-equiv=refresh content='0;url=%d'"),
    *("meta name=description content=%d", "meta itemprop=x content=%d", "title", "/title", "svg", "a xlink:href=%d"),
    *("/svg", "table", "td", "/td", "/table", "p", "/p", "b", "/b", "head", "/head", "body", "frameset", "noscript"),
    *("/noscript", "template", "/template", "select", "option", "/select", "form", "button", "/button", "math"),
)


@given(st.lists(st.tuples(st.sampled_from(TAGS), st.integers(1, 20), st.booleans()), max_size=40))
@example([("title", 1, True), ("/title", 1, True), ("a href=%d", 2, True), ("link rel=next href=%d", 1, True)])
@example([("table", 1, True), ("td", 1, True), ("a href=%d", 2, True), ("table", 1, True), ("a href=%d", 1, True)])
@example([("iframe src=%d", 1, True), ("/iframe", 1, True), ("a href=%d", 2, True), ("iframe src=%d", 3, True)])
def test_links_are_those_of_a_walk_through_the_tree_in_its_order(soup):
    html = "<!doctype html>" + "".join(f"<{tag % n if '%' in tag else tag}>{'x' * text}" for tag, n, text in soup)
    document = parse(html, positions=False)
    document.remove("template")
    walked: dict[str, bool] = {}
    for element in document.iter_elements(("a", "area", "iframe", "frame", "link", "meta")):
        href = element.attr("src" if element.tag in {"iframe", "frame"} else "href")
        nofollow = "nofollow" in (element.attr("rel") or "").lower()
        if element.tag == "link":
            href = href if element.attr("rel") == "next" else None
        elif element.tag == "meta":
            href = (element.attr("content") or "").partition("url=")[2] or None
        elif element.tag == "a" and href is None and element.namespace is Namespace.SVG:
            href = element.attr("xlink:href")
        if href is not None:
            url = f"http://h.example/dir/{href}"
            walked[url] = nofollow and walked.get(url, True)
    assert read(html).hrefs == list(walked.items())


def test_links_that_were_met_before_take_no_call_of_python_each():
    resolver, calls = LinkResolver(), Counter[int]()
    for links in (100, 200, 100, 200):
        page = parse("".join(f"<a href=/{n}.html>{n}</a>" for n in range(links)), positions=False)
        calls[links] = 0

        def count(_frame, event, _argument, links=links):
            calls[links] += event == "call"

        sys.setprofile(count)
        try:
            read_tree(page, URL, resolver)
        finally:
            sys.setprofile(None)
    assert calls[200] == calls[100]


@table(
    ("html", "refresh"),
    [
        ("<meta http-equiv=refresh content='0; url=x'>", (0, "/dir/x")),
        ("<META HTTP-EQUIV=' Refresh ' CONTENT='0;URL=x#f'>", (0, "/dir/x")),
        ("<meta http-equiv=refresh content='10;url=x'>", (10, "/dir/x")),
        ("<meta http-equiv=refresh content='10.9;url=x'>", (10, "/dir/x")),
        ("<meta http-equiv=refresh content='.5;url=x'>", (0, "/dir/x")),
        ("<meta http-equiv=refresh content=' 5 , x'>", (5, "/dir/x")),
        ("<meta http-equiv=refresh content='5 x'>", (5, "/dir/x")),
        ('<meta http-equiv=refresh content="5;url = \'x y\'z">', (5, "/dir/x%20y")),
        ("<meta http-equiv=refresh content='5;urls'>", (5, "/dir/urls")),
        ("<meta http-equiv=refresh content='00000000000000000000000000000007;x'>", (7, "/dir/x")),
        (f"<meta http-equiv=refresh content='{'9' * 5000};x'>", (999_999_999, "/dir/x")),
        ("<meta http-equiv=refresh content='5x'>", None),
        ("<meta http-equiv=refresh content=';url=x'>", None),
        ("<meta http-equiv=refresh content='url=x'>", None),
        ("<meta http-equiv=refresh content='-1;url=x'>", None),
        ("<meta http-equiv=refresh content=5>", None),
        ("<meta http-equiv=refresh content='5;'>", None),
        ("<meta http-equiv=refresh content='5;url='>", None),
        ("<meta http-equiv=refresh content='0;url=javascript:1'>", None),
        ("<meta http-equiv=refresh>", None),
        ("<meta name=refresh content='0;url=x'>", None),
        ("<meta http-equiv=refresh content=5><meta http-equiv=refresh content='1;url=x'>", (1, "/dir/x")),
        ("<meta http-equiv=refresh content='1;x'><meta http-equiv=refresh content='0;y'>", (1, "/dir/x")),
        ("<body><p>a<meta http-equiv=refresh content='0;url=x'>", (0, "/dir/x")),
        ("<noscript><meta http-equiv=refresh content='0;url=x'></noscript>", None),
        ("<body><noscript><p><meta http-equiv=refresh content='0;url=x'></noscript>", None),
        ("<noscript><meta http-equiv=refresh content='0;x'></noscript><meta http-equiv=refresh content='2;y'>",
         (2, "/dir/y")),
        ("<template><meta http-equiv=refresh content='0;url=x'></template>", None),
        ("<base href=/b/><meta http-equiv=refresh content='0;url=x'>", (0, "/b/x")),
        # A server that redirects to add a session would look like a loop without it.
        ("<meta http-equiv=refresh content='0;url=x;jsessionid=1'>", (0, "/dir/x;jsessionid=1")),
    ],
)  # fmt: skip
def test_a_refresh_is_read_as_browsers_read_it(html, refresh):
    found = read(html).refresh
    assert (found and (found[0], found[1].removeprefix("http://h.example"))) == refresh


def test_the_target_of_a_refresh_is_a_link_too():
    html = "<noscript><meta http-equiv=refresh content='0;url=n'></noscript><meta http-equiv=refresh content='9;url=x'>"
    assert urls(html) == ["/dir/n", "/dir/x"]


@pytest.mark.parametrize(("start", "filler"), [("", "1"), ("", "1."), ("", " "), ("1", " "), ("1;url", " ")])
def test_a_refresh_of_a_million_characters_takes_linear_time(start, filler):
    assert takes_linear_time(
        lambda size: read(f"<meta http-equiv=refresh content='{start}{filler * size}'>"), 125_000 // len(filler)
    )


@table(
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


@table(
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
        ("<table><tr><td>a<object><table><td>no</table></object><th hidden>no<td>b</table>", "a\tb"),
        ("<dialog open>a<menu><li>b<script>no</script></menu></dialog><dialog><table><td>no</table></dialog>", "a\nb"),
    ],
)
def test_text_is_what_a_reader_sees_one_block_a_line(html, text):
    assert read(html).text == text


def test_text_is_only_computed_when_asked_for():
    assert extract(b"<p>x", URL, None, LinkResolver(), frozenset()).text is None


@table(
    ("text", "expected"),
    [
        ("a\tb\nc", "a\tb\nc"),
        ("\x00\x1b\x7fa\r", "a"),
        ("é\x85\x9b\ud800\udfff日", "é日"),
        ("\u2028\ufffe😀", "\u2028\ufffe😀"),
        ("\xa9 \xab\x85\xa0\x9f\xbf", "\xa9 \xab\xa0\xbf"),
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
def test_100_000_nested_tags_take_linear_time(unit):
    def work(size):
        assert read(unit * size + b"end").text is not None

    assert takes_linear_time(work, 12_500)


def test_a_table_of_20_000_by_20_000_takes_no_memory_of_that_size():
    page = read(b"<table><tr>" + b"<td>a" * 20_000 + b"<tr>" * 20_000)
    assert page.text == "\t".join("a" * 20_000)


def test_a_page_of_300_000_links_gives_the_first_10_000_and_counts_the_rest():
    page = read(b"".join(b"<a href=/%d>" % number for number in range(300_000)) + b"<title>late</title>")
    assert [url for url, _ in page.hrefs] == [f"http://h.example/{number}" for number in range(MAX_LINKS)]
    assert page.dropped_hrefs == 290_000
    assert page.title == "late"


@pytest.mark.thorough
def test_a_page_of_a_million_links_gives_those_that_may_be_taken_in_linear_time():
    def work(size):
        body = b"<title>t</title>" + b"".join(b"<a href=/%d>x" % number for number in range(size))
        page = read(body, max_links=7)
        assert [url for url, _ in page.hrefs] == [f"http://h.example/{number}" for number in range(7)]
        assert (page.dropped_hrefs, page.title) == (size - 7, "t")

    assert takes_linear_time(work, 125_000)


def test_more_links_are_taken_when_more_may_be():
    body = b"".join(b"<a href=/%s%d>" % (b"x" * 370, number) for number in range(12_000))
    assert len(read(body, max_links=20_000).hrefs) == 12_000
    assert len(read(body).hrefs) == 10_000


def test_references_that_are_no_links_take_the_place_of_none():
    page = read("<a href=mailto:a@b.example>" * 50 + "<a href=x><a href=y>", max_links=2)
    assert (len(page.hrefs), page.dropped_hrefs) == (2, 0)


@pytest.mark.parametrize(
    "start", [b"<a href=/", b"<p title='", b"<meta http-equiv=refresh content='0;url=", b"<p style='display:"]
)
def test_an_attribute_of_10_megabytes_is_read_in_linear_time(start):
    def work(size):
        assert read(start + b"x" * size + b"'><a href=y>").text is not None

    assert takes_linear_time(work, 1_250_000)


def test_a_long_base_cannot_make_a_hundred_megabytes_of_links():
    page = read(b"<base href=/" + b"x" * 16_000 + b"/>" + b"".join(b"<a href=%d>" % n for n in range(10_000)))
    assert sum(len(url) for url, _ in page.hrefs) < LINK_CHARS * MAX_LINKS + 20_000
    assert page.dropped_hrefs > 0


def test_300_000_references_that_are_no_links_take_linear_time():
    def work(size):
        assert read(b"".join(b"<a href=javascript:%d>" % number for number in range(size))).hrefs == []

    assert takes_linear_time(work, 37_500)


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
    page = read(body, content_type)
    for text in (page.title, page.description, page.language, page.text, page.charset):
        assert text is None or text == without_controls(text)
        assert text is None or text.encode().decode() == text
    for url, _ in page.hrefs:
        assert normalise(url) == url
    assert page.canonical is None or normalise(page.canonical) == page.canonical
    assert len({url for url, _ in page.hrefs}) == len(page.hrefs)


@table("most", [1, 2, 3, 10, 999])
@table("filler", [0, 1, 7])
def test_a_page_is_cut_before_the_first_tag_too_many(most, filler):
    body = b"".join(b"<b>" + b"x" * (number * filler % 11) for number in range(1_000))
    cut = cut_at_tag(body, most)
    assert cut.count(b"<") == most
    assert body.startswith(cut + b"<")


@table("body", [b"", b"x" * 50, b"<b>" * 10, b"<" * 10 + b"x" * 90])
def test_a_page_of_few_tags_is_not_cut(body):
    assert cut_at_tag(body, 10) == body


def test_each_nul_counts_as_a_tag_and_in_utf_16_each_two():
    assert cut_at_tag(b"\0" * 100, 10) == b"\0" * 10
    marked = b"\xff\xfe" + "<p>a".encode("utf-16-le") * 5
    assert cut_at_tag(marked, 10) == marked
    assert len(cut_at_tag(b"\xff\xfe" + b"\0" * 100, 10)) < 30


@table("words", ["word ", "x", "ä ", "\n", "é", "xx中文字符", "😀", "&nbsp;", "x&CounterClockwiseContourIntegral;"])
def test_a_long_text_without_a_tag_reads_the_same_with_breaks_in_it(words):
    page = f"<title>T</title><p>{words * (1_500_000 // len(words))}<a href=/x>x</a>".encode()
    broken = with_breaks(page)
    assert broken.count(b"<wbr>") >= 5
    assert broken.replace(b"<wbr>", b"") == page
    before, after = (extract(body, URL, "text/html; charset=utf-8", LinkResolver(), ALL) for body in (page, broken))
    assert before == after


@table("page", [b"", b"<p>" + b"x" * 200_000, (b"x" * 1_000 + b"<p>") * 400])
def test_an_ordinary_page_gets_no_breaks(page):
    assert with_breaks(page) == page


def test_texts_just_short_enough_get_no_breaks_in_linear_time():
    def work(size):
        page = (b"x" * size + b"<p>") * 3
        assert with_breaks(page) == page

    assert takes_linear_time(work, 32_000)


def test_a_page_in_utf_16_gets_no_breaks():
    page = b"\xff\xfe" + ("word " * 200_000).encode("utf-16-le")
    assert with_breaks(page) == page


ROOT = "<template shadowrootmode=open>"


@table(
    ("html", "links", "text"),
    [
        (
            f"<div>{ROOT}a <a href=/in>in</a> <slot></slot> b</template><a href=/light>light</a></div>",
            ["in", "light"],
            "a in light b",
        ),
        (
            "<p><template ShadowRootMode=Closed><slot name=n>lost</slot>, <slot>x</slot></template><b slot=n>n</b></p>",
            [],
            "n, x",
        ),
        # The slot of the outer one is in the inner one.
        (
            f"<x-o>{ROOT}<x-i>{ROOT}[<slot></slot>]</template>(<slot></slot>)</x-i></template><a href=/o>o</a></x-o>",
            ["o"],
            "[(o)]",
        ),
        ("<p>a<template shadowrootmode=on><a href=/no>no</a></template>", [], "a"),
        (f"<p>a<template><div>{ROOT}<a href=/no>no</a></template></div></template>", [], "a"),
        (f"<ul><li>a{ROOT}<a href=/no>no</a></template></ul>", [], "a"),
        (f"<p>{ROOT}a</template>{ROOT}b</template>", [], "a"),
    ],
)
def test_a_declarative_shadow_root_is_part_of_the_page(html, links, text):
    page = read(html)
    assert [url.removeprefix("http://h.example/") for url, _ in page.hrefs] == links
    assert page.text == text


def test_links_of_drawings_count_by_either_name():
    html = "<svg><a xlink:href=/old>a</a><a href=/new xlink:href=/no>b</a><a>d</a></svg><a xlink:href=/html>c</a>"
    assert [url for url, _ in read(html).hrefs] == ["http://h.example/old", "http://h.example/new"]
    page = Page.from_html(html, URL)
    assert page.links == ("http://h.example/old", "http://h.example/new")
    for elements in (page.css("svg a"), page.tree.iter("a"), page.soup("a")):
        assert page.follow(elements).urls[:2] == page.links


def test_100_000_shadow_roots_take_linear_time():
    def work(size):
        assert read("<x-y><template shadowrootmode=open>a<slot></slot></template>b</x-y>" * size).text.startswith("ab")

    assert takes_linear_time(work, 2_000)
