"""What a page may make of a few kilobytes: bounded before the parser, and for real pages nothing is different.

Memory is that of a process of its own, since what turbohtml allocates is seen by nobody else.
"""

import subprocess
import sys
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from turbohtml import parse

from crawler.page.lxml_tree import MOST_ATTRIBUTES
from crawler.page.microdata import MOST_BROUGHT, MOST_NAMES, MOST_REFERENCES, microdata_of
from crawler.page.page import Page
from crawler.page.roots import MOST_ROOTS, with_few_roots
from crawler.page.tables import MOST_PLACES, tables_of
from tests.support.yardstick import takes_linear_time

MEMORY = """
import sys
from pathlib import Path
from crawler.page.page import Page
def peak():
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
Page.from_html("<html a><body b><table><tr><td>x").record()
html = eval(sys.argv[1])
before = peak()
page = Page.from_html(html)
getattr(page, sys.argv[2])
print(peak() - before)
"""


def memory_bytes(html: str, value: str) -> int:
    """What a value of a page adds to the most memory of a process; `html` is an expression."""
    command = [sys.executable, "-c", MEMORY, html, value]
    return int(subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout) << 10


@pytest.mark.parametrize(
    ("html", "value"),
    [
        ("''.join(f'<html a{n}=x>' for n in range(8_000))", "title"),
        ("''.join(f'<BoDy a{n}=x>' for n in range(8_000)).encode('utf-16')", "title"),
        ("'<table><tr>' + '<td colspan=1000 rowspan=100>x' * 600 + '<tr>' * 99", "tables"),
        ("'<table><tr>' + '<td>x' * 8_000 + '<tr><td>y' * 8_000", "tables"),
    ],
    ids=["html", "UTF-16", "spans", "missing cells"],
)
def test_a_hundred_kilobytes_take_no_more_than_a_hundred_megabytes(html, value):
    assert memory_bytes(html, value) < 100_000_000


MANY: dict[str, Callable[[int], object]] = {
    "html": lambda n: Page.from_html("".join(f"<html a{i}=x>" for i in range(2_500 * n))).title,
    "names of properties": lambda n: (
        Page.from_html("<p itemscope itemprop='" + " ".join(f"p{i}" for i in range(2_000 * n)) + "'>").microdata
    ),
    "references": lambda n: Page.from_html("<p id=a itemprop=x>" + "<b itemscope itemref='a a'>" * 400 * n).microdata,
    "attributes": lambda n: Page.from_html(
        "<p " + " ".join(f"a{i}='>'" for i in range(2_500 * n)) + "><b>x"
    ).tree.xpath("//p/@a255"),
    "rows that span": lambda n: Page.from_html("<table>" + "<tr><td rowspan=65534>x" * 1_000 * n).tables,
}


@pytest.mark.parametrize("name", MANY)
def test_it_takes_linear_time(name):
    assert takes_linear_time(MANY[name], 1)


def test_items_that_refer_to_each_other_do_not_double_with_each():
    chain = "".join(f"<p id=r{n} itemscope itemprop=p itemref='r{n + 1} r{n + 2}'></p>" for n in range(60))
    page = Page.from_html(chain + "<p itemscope itemref=r0>")
    assert [item.properties for item in page.microdata] == [{}]


# Whose limits nobody meets


def test_the_attributes_of_sixty_four_tags_count_and_further_tags_say_nothing():
    tags = [f"<html a{n}=x><BODY b{n}=y>" for n in range(MOST_ROOTS)]
    page = Page.from_html("".join(tags) + "<p>x</p>" + " " * 40_000)
    assert len(page.document.root.attrs) == len(page.css_first("body").attrs) == MOST_ROOTS // 2
    assert page.visible_text == "x"


@given(st.text("<htmlbodyHTMLBODY >/\t\0=", max_size=80))
def test_few_tags_stay_as_they_are(text):
    body = text.encode() + b" " * 40_000
    assert with_few_roots(body) == body


def test_only_names_of_tags_are_changed():
    many = b"<html\tx><bodyguard><htmlx></html><body/>" * 1_000
    assert with_few_roots(many).endswith(b"<head\tx><bodyguard><htmlx></html><head/>")
    assert len(with_few_roots(many)) == len(many)
    assert with_few_roots(many).count(b"<html\tx>") == MOST_ROOTS // 2


def test_the_first_attributes_of_a_tag_count_in_lxmls_tree():
    """Where a tag has too many; else the tree is libxml2's own, whatever a script quotes."""
    names = [f"a{n}" for n in range(MOST_ATTRIBUTES)]
    few = f"<!doctype html><p {' '.join(names)}>x<script>'<b {'y ' * 500}'</script>" + " " * 40_000
    tree = Page.from_html(few).tree
    assert tree.find(".//p").keys() == names
    assert tree.getroottree().docinfo.doctype == "<!DOCTYPE html>"
    tree = Page.from_html(few.replace("a255>", "a255 more><i>") + "<div>" * 5_000, "http://example.com/a").tree
    assert tree.find(".//p").keys() == names
    assert tree.find(".//p/i").text == "x"
    assert tree.base_url == "http://example.com/a"
    assert Page.from_html(few.replace(">", "")).tree.tag == "html"


SPAN = st.sampled_from(["", "colspan=2", "colspan=0 rowspan=2", "rowspan=0", "rowspan=3", "colspan=-1", "colspan=1.9"])
CELL = st.builds("<{} {}>x".format, st.sampled_from(["td", "th"]), SPAN)
ROW = st.builds("<tr>{}".format, st.lists(CELL, max_size=5).map("".join))
PARTS = st.sampled_from(["<thead>", "<tbody>", "<tfoot>", "<table>", "</table>", "<caption>c", "<td>in<table>"])
GROUPED = ("<thead>", "<tbody>", "<tfoot>", "<td>")
"""With these a cell may end before the table does, which the limit does not look at."""
TABLE = st.builds("<table>{}".format, st.lists(ROW | ROW | PARTS, max_size=12).map("".join))


@settings(max_examples=40)
@given(st.lists(TABLE, max_size=3).map("".join), st.integers(0, 60))
def test_of_a_table_that_is_too_large_the_first_rows_are_left(html, most):
    """Never more places than there may be; what fits is left as it is."""
    document = parse(html)
    whole = document.tables()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("crawler.page.tables.MOST_PLACES", most)
        cut = tables_of(document)
    assert document.tables() == whole
    assert sum(len(row) for table in cut for row in table) <= most
    if sum(len(row) for table in whole for row in table) <= most and not any(tag in html for tag in GROUPED):
        assert [list(map(list, table)) for table in cut] == whole


def test_ordinary_tables_and_items_are_what_turbohtml_finds():
    html = "<table><tr><td rowspan=2>a<td colspan=3>b<tr><td>c</table>" * 50
    html += "<p itemscope itemref='n m'><b itemprop=a>x</b></p><i id=n itemprop=y>1</i><u id=m itemprop=z>2</u>" * 50
    document = parse(html)
    assert [list(map(list, table)) for table in tables_of(document)] == document.tables()
    assert [item.properties for item in microdata_of(document, "")] == [
        {name: tuple(values) for name, values in item.properties.items()} for item in document.microdata("")
    ]
    assert len(document.select("[itemref]")) == 50


def test_the_limits_are_where_the_documents_say():
    """And pages at the limits are read as ever."""
    cells = "<td>" * (MOST_PLACES // 1_000)
    at = parse(f"<table><tr>{cells}" + "<tr>" * 999)
    assert [len(table) for table in tables_of(at)] == [1_000]
    over = parse(f"<table><tr>{cells}" + "<tr>" * 1_000 + "</table><table><tr><td>x")
    assert [len(table) for table in tables_of(over)] == [1_000, 0]
    refs = "<b id=a itemprop=x>1</b>" + "<p itemscope itemref=a></p>"
    assert microdata_of(parse(refs + "<p itemscope itemref=a></p>" * (MOST_REFERENCES - 1)), "")[-1].properties
    assert not microdata_of(parse(refs + "<p itemscope itemref=a></p>" * MOST_REFERENCES), "")[0].properties
    named = "<p itemscope>" + "".join(f"<b itemprop=p{n}></b>" for n in range(MOST_NAMES))
    assert len(microdata_of(parse(named), "")[0].properties) == MOST_NAMES
    assert microdata_of(parse(named + "<b itemprop=more>"), "") == ()
    brought = (
        "<b id=a>" + "<b itemprop=x></b>" * (MOST_BROUGHT // 10 - 1) + "</b><p itemscope itemref='a a a a a a a a a a'>"
    )
    assert microdata_of(parse(brought), "")[0].properties
    assert not microdata_of(parse(brought.replace("<p", "<b itemprop=x></b></b><p itemref=a><p")), "")[0].properties
