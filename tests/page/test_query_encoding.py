"""Queries of links go out in the encoding of their page, as browsers send them."""

import pytest

from crawler.page.charset import decoded
from crawler.page.page import Page
from crawler.page.query_encoding import with_encoded_query
from tests.support.table import table


@table(
    ("href", "encoding", "sent"),
    [
        # Those of web-platform-tests, url/resources/percent-encoding.json.
        ("?†", "big5", "?%26%238224%3B"),
        ("?†", "euc-kr", "?%A2%D3"),
        ("?†", "utf-8", "?†"),
        ("?†", "windows-1252", "?%86"),
        ("?‾\\", "iso-2022-jp", "?%1B(J~%1B(B\\"),
        ("?\ue5e5", "gb18030", "?%26%2358853%3B"),
        ("?−", "shift_jis", "?%81|"),
        ("?á|", "utf-8", "?á|"),
        # And some more.
        ("/中?q=中&r='\"<>#中", "gbk", "/中?q=%D6%D0&r=%27%22%3C%3E#中"),
        ("?€😀", "gbk", "?%80%26%23128512%3B"),
        ("?€😀", "gb18030", "?%A2%E3%949%FC6"),
        ("?中😀b", "iso-2022-jp", "?%1B$BCf%1B(B%26%23128512%3Bb"),
        ("?表ｱ", "shift_jis", "?%95\\%B1"),
        ("?中−", "euc-jp", "?%C3%E6%A1%DD"),
        ("?q=%E4&r=ä", "iso-8859-2", "?q=%E4&r=%E4"),
        ("\t?я \n", "windows-1251", "\t?%FF"),
        ("?a\nя #", "windows-1251", "?a%FF%20#"),
        ("?\udc80", "windows-1252", "?%26%2365533%3B"),
        ("?é", "utf-16le", "?é"),
        ("?é", "replacement", "?é"),
        ("/é", "windows-1252", "/é"),
        ("#?é", "windows-1252", "#?é"),
        ("?é?é", "macintosh", "?%8E?%8E"),
        ("?", "koi8-r", "?"),
    ],
)
def test_a_query_is_encoded_as_browsers_do(href, encoding, sent):
    assert with_encoded_query(href, encoding) == sent


@pytest.mark.parametrize(
    "encoding", ["gbk", "big5", "euc-jp", "euc-kr", "shift_jis", "windows-1253", "koi8-u", "ibm866"]
)
def test_what_is_sent_is_read_as_what_it_was(encoding):
    text = "".join(decoded(bytes((lead, trail)), encoding) for lead in range(0xB0, 0xD0) for trail in range(0xA1, 0xE0))
    text = "".join(character for character in text if character != "\ufffd" and not character.isascii())
    sent = with_encoded_query("?" + text, encoding)[1:]
    parts = sent.encode().replace(b"%", b"\\x").decode("unicode_escape").encode("latin-1")
    assert decoded(parts, encoding) == text


PAGE = '<meta charset=gbk><link rel=canonical href="?q=中"><a href="/s?q=中#中">x</a><a href=/中>y</a>'


def test_links_and_canonical_of_a_page_in_gbk():
    page = Page.from_html(PAGE.encode("gbk"), "http://h.example/", headers={"content-type": "text/html"})
    assert page.canonical == "http://h.example/?q=%D6%D0"
    assert page.links == ("http://h.example/?q=%D6%D0", "http://h.example/s?q=%D6%D0", "http://h.example/%E4%B8%AD")
    assert page.follow(css="a").urls == page.links[1:]
    assert page.urljoin("?中") == "http://h.example/?%D6%D0"


@table("encoding", ["utf-8", "utf-16"])
def test_links_of_a_page_in_unicode_have_queries_in_utf_8(encoding):
    page = Page.from_html(
        PAGE.replace("<meta charset=gbk>", "").encode(encoding),
        headers={"content-type": f"text/html; charset={encoding}"},
    )
    assert page.links[0] == "http://example.com/?q=%E4%B8%AD"


def test_a_meta_refresh_goes_where_browsers_go():
    html = '<meta http-equiv=refresh content="0;url=?q=ä">'.encode("latin-1")
    page = Page.from_html(html, headers={"content-type": "text/html; charset=latin1"})
    assert page.extracted.refresh == (0, "http://example.com/?q=%E4")
