"""What fields find in a page."""

import re

import msgspec

from crawler.core.model import Field
from crawler.page.fields.find import MAX_CHARS, find
from crawler.page.fields.lines import read_fields
from crawler.page.page import Page
from tests.support.table import table

HTML = """<!doctype html><html lang=en-GB><head><title>The  shop</title><base href="/shop/"></head><body>
<h1>All<br>things <script>no()</script><b>n</b>ew</h1>
<img class=main src="a.png"><img class=main alt=x src=""><a href="next#top">On</a><a href="mailto:me@example.com">me</a>
<p class=price>from -</p><p class=price>now 1.234,50&nbsp;&euro;</p><p class=price>2</p>
<ul><li>one</li><li> </li><li>two\x07 \tthree</li></ul><p class=when>3/5/2026</p>
<time datetime="2026-03-05T10:00Z">x</time>
<div class=product data-id=7><h3>A</h3><span class=price>5 pounds</span><a href=a>a</a></div>
<div class=product data-id=8><span class=price>6</span></div>
<div class=product data-id=9><h3>C</h3></div><!-- a note --></body></html>"""
PAGE = Page.from_html(HTML, "http://example.com/x/y.html")


def found(*lines, page=PAGE):
    return find(page, read_fields(lines))


def value(line, page=PAGE):
    (one,) = found(line, page=page).values()
    return one


@table(
    ("line", "expected"),
    [
        ("a=title", "The shop"),
        ("a=title::text", "The shop"),
        ("a=h1", "All things new"),
        ("a=h1 script", "no()"),
        ("a=h1::html", "<h1>All<br>things <script>no()</script><b>n</b>ew</h1>"),
        ("a=img::attr(src)", "a.png"),
        ("a=img[alt]::attr(src)", None),
        ("a=img::attr(alt)", "x"),
        ("a=img::attr(none)", None),
        ("a=nope", None),
        ("a=nope::default(some text)", "some text"),
        ("a=nope::default()", ""),
        ("a:int=nope::default(1.000)", 1000),
        ("a[]=nope", []),
        ("a[]=li", ["one", "two three"]),
        ("a=li:nth-child(2)", None),
        ("a=::attr(lang)", "en-GB"),
        ("a=title, h1", "The shop"),
        # With a type: the first that can be read as one.
        ("a:float=.price", 1234.5),
        ("a:int=.price", 2),
        ("a[]:float=p.price", [1234.5, 2.0]),
        ("a:float=.price::re(now (.*))", 1234.5),
        ("a=.price::re(now)", "now"),
        ("a=h1::re(All things)", "All things"),
        ("a=.price::re((x)?now)", None),
        ("a=.price::re(nope)", None),
        ("a=h1::html::re(<b>(.)</b>)", "n"),
        ("a:date=time::attr(datetime)", "2026-03-05T10:00:00Z"),
        ("a:date=.when", None),
        (r"a:date=.when::re((?P<month>\d+)/(?P<day>\d+)/(?P<year>\d+))", "2026-03-05"),
        (r"a:date=.when::re((?P<day>\d+)/(?P<year>5)/(?P<month>\d+))", None),
        ("a:url=a::attr(href)", "http://example.com/shop/next"),
        ("a[]:url=a::attr(href)", ["http://example.com/shop/next", "http://example.com/shop/a"]),
        ("a:url=img[alt]::attr(src)", None),
        ("a:url=title::text", "http://example.com/shop/The%20%20shop"),
        # XPath.
        ("a=//li[3]", "two three"),
        ("a[]=//h1/text()", ["All", "things", "ew"]),
        ("a=//img/@src", "a.png"),
        ("a=//img::attr(src)", "a.png"),
        ("a:url=//a/@href", "http://example.com/shop/next"),
        ("a=//ul/following-sibling::p", "3/5/2026"),
        ("a=(//li)[1]", "one"),
        ("a=xpath:count(//li)", "3"),
        ("a:int=xpath:count(//li)", 3),
        ("a:float=xpath:1 div 2", 0.5),
        ("a=xpath:1 div 2", "0.5"),
        ("a=xpath:10000000000000000000000 * 1", "1" + "0" * 22),
        ("a=xpath:0 div 0", None),
        ("a=xpath:1 div 0", None),
        ("a=xpath:boolean(//li)", "true"),
        ("a=xpath:boolean(//nope)", "false"),
        ("a=xpath:string(//title)", "The shop"),
        ("a=//comment()", "a note"),
        ("a=//p[contains(., 'now')]::re(n.w)", "now"),
        ("a=//@href/..", "On"),
        ("a=/", "The shop"),
        ("a[]=//nope", []),
    ],
)
def test_a_field_is_found(line, expected):
    got = value(line)
    if line == "a=/":
        assert got.startswith("The shop All things new On")
    else:
        assert got == expected
        assert type(got) is type(expected)


def test_fields_come_in_their_order_and_one_that_is_missing_is_null():
    assert list(found("b=nope", "a=title").items()) == [("b", None), ("a", "The shop")]


@table(
    ("lines", "expected"),
    [
        (("a!=title", "b=nope"), {"a": "The shop", "b": None}),
        (("a=title", "b!=nope", "c!=nope"), "b"),
        (("a!=li:nth-child(2)",), "a"),
        (("a:int!=title",), "a"),
        (("a[]!=nope",), "a"),
        (("a[]!=li",), {"a": ["one", "two three"]}),
        (("a:int!=xpath:count(//nope)",), {"a": 0}),
    ],
)
def test_a_page_without_a_required_field_is_told_from_others_by_its_name(lines, expected):
    assert found(*lines) == expected


PRODUCT = {
    "id:int": "::attr(data-id)",
    "name": "h3",
    "price": {"css": ".price", "type": "float", "default": 0.0},
    "link": {"xpath": "./a/@href", "type": "url"},
}


def test_fields_inside_a_field_are_looked_up_inside_of_its_elements():
    fields = read_fields({"products": {"css": ".product", "many": True, "fields": PRODUCT}})
    assert find(PAGE, fields) == {
        "products": [
            {"id": 7, "name": "A", "price": 5.0, "link": "http://example.com/shop/a"},
            {"id": 8, "name": None, "price": 6.0, "link": None},
            {"id": 9, "name": "C", "price": 0.0, "link": None},
        ]
    }
    first = read_fields({"product": {"xpath": "//div[@class='product']", "fields": PRODUCT}})
    assert find(PAGE, first) == {"product": {"id": 7, "name": "A", "price": 5.0, "link": "http://example.com/shop/a"}}


def test_an_object_without_a_required_field_is_left_out():
    inner = {"id": "::attr(data-id)", "name!": "h3"}
    many = read_fields({"a": {"css": ".product", "many": True, "fields": inner}})
    assert [each["id"] for each in find(PAGE, many)["a"]] == ["7", "9"]
    one = read_fields({"a": {"css": ".product[data-id='8'], .product[data-id='9']", "fields": inner}})
    assert find(PAGE, one) == {"a": {"id": "9", "name": "C"}}
    none = {"css": ".product[data-id='8']", "fields": inner}
    assert find(PAGE, read_fields({"a": none})) == {"a": None}
    assert find(PAGE, read_fields({"a": {**none, "required": True}})) == "a"


def test_fields_without_a_selector_make_an_object_of_the_page():
    fields = read_fields({"a": {"fields": {"b": {"fields": {"t": "title", "lang": "::attr(lang)"}}}}})
    assert find(PAGE, fields) == {"a": {"b": {"t": "The shop", "lang": "en-GB"}}}
    texts = {"xpath": "//li/text()", "many": True, "fields": {"t": "b"}}
    assert find(PAGE, read_fields({"a": texts})) == {"a": []}, "a text has nothing inside"


@table(
    ("html", "expected"),
    [
        ("<p>a<b>b</b>c", "abc"),
        ("<p>a<br>b", "a b"),
        ("<div>a<p>b</p>c</div>", "a b c"),
        ("<table><tr><td>a<td>b<tr><td>c</table>", "a b c"),
        ("<div>a<script>x</script><style>y</style><noscript>z</noscript>b", "ab"),
        ("<div>a<!-- x -->b</div>", "ab"),
        ("<div>&nbsp; a \u2003\n b &#8203;</div>", "a b \u200b"),
        ("<div>\x00\x1b[2J\x85a</div>", "[2J a"),
        ("<div> \n </div>", None),
        ("", None),
    ],
)
def test_text_is_what_a_reader_sees_on_one_line(html, expected):
    assert value("a=body", Page.from_html(html)) == expected


@table(
    ("body", "content_type", "expected"),
    [
        (b"", "text/html", None),
        (b'{"a": 1}', "application/json", '{"a": 1}'),
        (b"\xff\xd8\xff\xe0<p>", "image/jpeg", ...),
        (b"<p>\xd8\x00</p>", "text/html; charset=utf-16be", ...),
        (b"<p>caf\xe9", "text/html; charset=latin-1", "caf\u00e9"),
    ],
)
def test_pages_that_are_no_html_have_fields_of_what_a_browser_would_show(body, content_type, expected):
    page = Page.from_html(body, headers={"Content-Type": content_type})
    got = found("a=body", "b[]=p", "c=::attr(x)", "d=::html", "e=//p", "f=xpath:string(/)", page=page)
    assert msgspec.json.encode(got)
    if expected is not ...:
        assert got["a"] == expected


def test_what_an_expression_meets_only_on_some_pages_finds_nothing_there():
    """Made by hand, since the check at the start would refuse it."""
    broken = Field(name="a", xpath="//b[foo()]")
    assert find(Page.from_html("<p>x"), (broken,)) == {"a": None}
    assert find(Page.from_html("<b>x"), (broken,)) == {"a": None}


def test_a_page_cannot_make_a_pattern_of_its_own_fail():
    """A regular expression in XPath may come from the page."""
    page = Page.from_html("<p data-x='('>a</p><p data-x='b'>b</p>")
    assert found("a[]=//p[re:test(., @data-x)]", page=page) == {"a": []}


def test_deep_pages_are_read():
    page = Page.from_html("<div>" * 50_000 + "x<br>y")
    assert found("a=div", "b=//div", "c=::text", page=page) == {"a": "x y", "b": "x y", "c": "x y"}


def test_the_values_of_a_page_are_bounded_together():
    text = "x" * 100_000
    page = Page.from_html("<div>" * 400 + text)
    got = found("a[]=div", "b=div", "c!=div", page=page)
    assert got == "c"
    got = found("a[]=div", "b=div", page=page)
    assert len(got["a"]) == -(-MAX_CHARS // (len(text) + 16))
    assert got["b"] is None
    fields = read_fields({"a": {"css": "div", "many": True, "fields": {"b[]": "div"}}})
    objects = find(page, fields)["a"]
    assert sum(len(value) for each in objects for value in each["b"]) <= MAX_CHARS + len(text)


def test_the_page_is_not_changed():
    page = Page.from_html(HTML)
    before = page.document.html
    found("a=body", "b=h1::html", "c=//h1", page=page)
    assert page.document.html == before


def test_fields_travel_to_a_parser_as_they_are():
    fields = read_fields({"a": {"css": ".product", "many": True, "fields": PRODUCT}, "b:int!": "//li::re(\\d)"})
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(fields), type=tuple[Field, ...]) == fields


def test_no_value_holds_a_control_character():
    page = Page.from_html("<p title='a\x01\x1b\nb\td\x9f' class='\x02'>\x01<b>\x7f</b>")
    got = found("a=p::attr(title)", "b=p::attr(class)", "c=p", "d=p::html", "e=//p/@title", page=page)
    assert got["a"] == "a\nb\td"
    assert got["b"] is None
    assert got["c"] is None
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", msgspec.json.encode(got).decode())
