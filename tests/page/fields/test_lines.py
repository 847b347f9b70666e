"""How fields are written, and what is said about those that are written wrong."""

import datetime as dt
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from crawler.cli.settings import from_environment, from_options, load_settings
from crawler.core.errors import ConfigError
from crawler.core.model import Field
from crawler.page.fields.lines import check_fields, read_field, read_fields
from tests.support.servers import Answer, LocalServer, html
from tests.support.table import table


@table(
    ("line", "parts"),
    [
        ("price=.price::text", {"name": "price", "css": ".price"}),
        ("price=.price", {"name": "price", "css": ".price"}),
        ("img=img.main::attr(src)", {"name": "img", "css": "img.main", "pick": "attr(src)"}),
        ("items[]=li::text", {"name": "items", "css": "li", "many": True}),
        ("price:float=.price", {"name": "price", "css": ".price", "type": "float"}),
        ("sku!=.sku", {"name": "sku", "css": ".sku", "required": True}),
        ("p[]:int!=b", {"name": "p", "css": "b", "many": True, "type": "int", "required": True}),
        ("  a_b-1  =  p > b  ", {"name": "a_b-1", "css": "p > b"}),
        ("\u00fcber=p", {"name": "\u00fcber", "css": "p"}),
        ("a=article::html", {"name": "a", "css": "article", "pick": "html"}),
        ("a=[x='=']", {"name": "a", "css": "[x='=']"}),
        ("a=[x='::text']::attr(y)", {"name": "a", "css": "[x='::text']", "pick": "attr(y)"}),
        (r"a=.b\:\:c", {"name": "a", "css": r".b\:\:c"}),
        ("a=::attr(lang)", {"name": "a", "pick": "attr(lang)"}),
        ("a=p::re(a(b)c)", {"name": "a", "css": "p", "regex": "a(b)c"}),
        ("a=p::re(::text)", {"name": "a", "css": "p", "regex": "::text"}),
        (r"a=p::re(\(x\))::default(y(z))", {"name": "a", "css": "p", "regex": r"\(x\)", "default": "y(z)"}),
        ("a=p::html::re(x)::default()", {"name": "a", "css": "p", "pick": "html", "regex": "x", "default": ""}),
        ("a:int=p::default(1,000)", {"name": "a", "css": "p", "type": "int", "default": 1000}),
        ("a:float=p::default(3)", {"name": "a", "css": "p", "type": "float", "default": 3.0}),
        ("a:date=p::default(5 March 2026)", {"name": "a", "css": "p", "type": "date", "default": "2026-03-05"}),
        ("a:url=a::attr(href)", {"name": "a", "css": "a", "pick": "attr(href)", "type": "url"}),
        ("a:url=p::text", {"name": "a", "css": "p", "type": "url"}),
        ("a=//li", {"name": "a", "xpath": "//li"}),
        ("a=./b", {"name": "a", "xpath": "./b"}),
        ("a=../b", {"name": "a", "xpath": "../b"}),
        ("a=(//b)[1]", {"name": "a", "xpath": "(//b)[1]"}),
        ("a=xpath:count(//b)", {"name": "a", "xpath": "count(//b)"}),
        ("a:url=//a/@href", {"name": "a", "xpath": "//a/@href", "type": "url"}),
        ("a=//b/following-sibling::text()", {"name": "a", "xpath": "//b/following-sibling::text()"}),
        ("a=//b/following::text", {"name": "a", "xpath": "//b/following::text"}),
        ("a=//b/self::b::text::re(x)", {"name": "a", "xpath": "//b/self::b", "regex": "x"}),
        ("a=//img::attr(src)", {"name": "a", "xpath": "//img", "pick": "attr(src)"}),
        ("a=//b[@x='::html']::html", {"name": "a", "xpath": "//b[@x='::html']", "pick": "html"}),
    ],
)
def test_a_line_says_all_of_a_field(line, parts):
    assert read_field(line) == Field(**parts)


@table(
    ("line", "message"),
    [
        ("price", "'price': expected NAME=SELECTOR, as in price=.price::text"),
        ("=p", "'=p': expected NAME=SELECTOR, as in "),
        ("", "'': expected NAME=SELECTOR, as in "),
        ("a.b=p", "a.b: expected NAME, NAME[], NAME:TYPE, NAME! or NAME[]:TYPE! before ="),
        ("p:int[]=p", "p:int[]: expected NAME, "),
        ("1=p", "1: expected NAME, "),
        ("a\x1b[2J=p", r"a\x1b[2J: expected NAME, "),
        ("a:money=p", "a: the types are text, int, float, date, url, not 'money'"),
        ("a=", "a: there is no selector"),
        ("a=xpath:", "a: there is no selector"),
        ("a=p::txt", "a: '::txt': expected ::text, ::html or ::attr(NAME), then ::re(REGEX), then ::default(VALUE)"),
        ("a=p::attr()", "a: '::attr()': expected "),
        ("a=p::attr(a b)", "a: '::attr(a b)': expected "),
        ("a=p::text::html", "a: '::text::html': expected "),
        ("a=p::default(1)::re(x)", "a: '::default(1)::re(x)': expected "),
        ("a=p::re(x) b", "a: '::re(x) b': expected "),
        ("a=p::re()", "a: '::re()': expected "),
        ("a=p::re([)", "a: the regular expression '[' is wrong at column 1: unterminated character set"),
        ("a=p::re(x(?P<b>y)", "a: the regular expression 'x(?P<b>y' is wrong at column 2: missing ), "),
        (
            "a=p::re(x{99999999999999999999})",
            "a: the regular expression 'x{99999999999999999999}' is wrong: it is too ",
        ),
        ("a:date=p::re((?P<year>x))", "a: a regular expression with groups for a date needs those named year, month "),
        ("a:url=a", "a: say where the url is: ::attr(href), ::attr(src), or ::text"),
        ("a:int=p::default(x)", "a: default is no int: 'x'"),
        ("a:int=p::default(1.5)", "a: default is no int: '1.5'"),
        ("a[]=p::default(x)", "a: a list that finds nothing is empty: it has no default"),
        ("a!=p::default(x)", "a: what is required has no default"),
        ("a=div..a", "a: the CSS selector 'div..a' is wrong at column 5, before '.a': expected an identifier"),
        ("a=p[x=$y]", "a: the CSS selector 'p[x=$y]' is wrong at column 5, before '$y]': expected "),
        ("a=//p[", "a: the XPath expression '//p[' is wrong at column 5, its end: expected a node test"),
        ("a=//p[@x=$y]", "a: the XPath expression '//p[@x=$y]' is wrong at column 8, before '$y]': there are no var"),
    ],
)
def test_a_line_that_is_wrong_is_refused_with_the_name_and_what_is_expected(line, message):
    with pytest.raises(ConfigError) as caught:
        read_fields(["good=p", line])
    said = str(caught.value)
    assert said.startswith(message)
    assert said.isprintable()
    assert len(said) < 200


def test_a_name_stands_there_once():
    with pytest.raises(ConfigError, match=r"^a: there are two fields of this name$"):
        read_fields(["a=p", "b=p", "a[]=b"])
    assert [field.name for field in read_fields({"a": {"css": "p", "fields": {"a": "b"}}})[0].fields] == ["a"]


@table(
    ("table", "fields"),
    [
        ({"a": "p", "b[]:int!": "//li"}, ["a=p", "b[]:int!=//li"]),
        ({"a": {"css": "p"}}, ["a=p"]),
        ({"a": {"xpath": "count(//p)", "type": "int"}}, ["a:int=xpath:count(//p)"]),
        ({"a": {"css": "p::attr(x)", "regex": "y", "default": "z"}}, ["a=p::attr(x)::re(y)::default(z)"]),
        ({"a": {"css": "p", "many": True, "required": True}}, ["a[]!=p"]),
        ({"a": {"css": "p", "many": False, "required": False}}, ["a=p"]),
        ({"a": {"css": "p", "type": "float", "default": 1}}, ["a:float=p::default(1)"]),
        ({"a": {"css": "p", "type": "int", "default": "1,000"}}, ["a:int=p::default(1000)"]),
        (
            {"a": {"css": "p", "type": "date", "default": dt.date(2026, 3, 5)}},
            ["a:date=p::default(2026-03-05)"],
        ),
        (
            {"a": {"css": "p", "type": "date", "default": dt.datetime(2026, 3, 5, tzinfo=dt.UTC)}},
            ["a:date=p::default(2026-03-05T00:00Z)"],
        ),
        ({}, []),
    ],
)
def test_a_table_says_the_same_as_lines(table, fields):
    assert read_fields(table) == read_fields(fields)


def test_a_table_has_fields_in_fields():
    inner = {"name!": "h3", "sizes": {"xpath": "./ul", "fields": {"one": "li"}}}
    (field,) = read_fields({"products": {"css": ".product", "many": True, "fields": inner}})
    assert field == Field(
        name="products",
        css=".product",
        many=True,
        fields=(
            Field(name="name", css="h3", required=True),
            Field(name="sizes", xpath="./ul", fields=(Field(name="one", css="li"),)),
        ),
    )


@table(
    ("table", "message"),
    [
        ({"a": 3}, "a: expected a selector or a table with css or xpath, not 3"),
        ({"a": {"cs": "p"}}, "a: unknown key 'cs'; did you mean 'css'?"),
        ({"a": {"q": "p"}}, "a: unknown key 'q'; known are css, xpath, many, "),
        ({"a": {"css": 3}}, "a: css: expected a text, not 3"),
        ({"a": {"css": ""}}, "a: css: expected a text, not ''"),
        ({"a": {"css": "p", "many": "yes"}}, "a: many: expected true or false, not 'yes'"),
        ({"a": {"css": "p", "required": 1}}, "a: required: expected true or false, not 1"),
        ({"a": {"css": "p", "type": "money"}}, "a: the types are text, int, float, date, url, not 'money'"),
        ({"a": {"css": "p", "fields": "x"}}, "a: fields: expected a table of fields, not 'x'"),
        ({"a": {"css": "p", "fields": {}}}, "a: fields: expected a table of fields, not {}"),
        ({"a": {"css": "p", "fields": {"b": "..x"}}}, "a.b: the CSS selector '..x' is wrong at column 2, before '.x'"),
        ({"a": {"css": "p", "fields": {"b": {"csss": 1}}}}, "a.b: unknown key 'csss'; did you mean 'css'?"),
        ({"a": {"css": "p", "fields": {"b.c": "x"}}}, "a.b.c: expected NAME, "),
        ({"a": {"many": True}}, "a: css, xpath or fields is missing"),
        ({"a": {}}, "a: css, xpath or fields is missing"),
        ({"a": {"css": "p", "xpath": "//p"}}, "a: css or xpath says where it stands, not both"),
        ({"a": {"css": "//p"}}, "a: css or xpath says where it stands, not both, and css takes no XPath"),
        ({"a": {"css": "p::re(x)", "regex": "y"}}, "a: regex stands there twice"),
        ({"a": {"css": "p::default(x)", "default": "y"}}, "a: default stands there twice"),
        ({"a": {"css": "p", "default": True}}, "a: default is no text: True"),
        ({"a": {"css": "p", "default": [1]}}, "a: default is no text: [1]"),
        ({"a": {"css": "p", "type": "int", "default": True}}, "a: default is no int: True"),
        ({"a": {"css": "p", "type": "int", "default": 1.0}}, "a: default is no int: 1.0"),
        ({"a": {"css": "p", "type": "float", "default": "x"}}, "a: default is no float: 'x'"),
        ({"a": {"css": "p::html", "fields": {"b": "x"}}}, "a: with fields in it, it is an object: it has no ::text"),
        ({"a": {"css": "p", "regex": "x", "fields": {"b": "x"}}}, "a: with fields in it, it is an object"),
        ({"a": {"css": "p", "type": "int", "fields": {"b": "x"}}}, "a: with fields in it, it is an object"),
        ({"a[]": {"css": "p"}}, "a[]: in a table, the keys many, type and required stand for [], :TYPE and !"),
        ({"a b": {"css": "p"}}, "a b: a name has letters, digits, _ and -, and begins with a letter or _"),
    ],
)
def test_a_table_that_is_wrong_is_refused_with_the_path_and_what_is_expected(table, message):
    with pytest.raises(ConfigError) as caught:
        read_fields(table)
    assert str(caught.value).startswith(message)
    assert str(caught.value).isprintable()


@table(
    ("field", "message"),
    [
        (Field(name="a", css="p", pick="attr"), "a: pick is text, html or attr(NAME), not 'attr'"),
        (Field(name="a", css="p", type="money"), "a: the types are text, int, float, date, url, not 'money'"),
        (Field(name="a", css="p", xpath="//p"), "a: css or xpath says where it stands, not both"),
        (Field(name="a", css="p", fields=(Field(name="b", xpath="/["),)), "a.b: the XPath expression '/[' is wrong at"),
        (Field(name="a", css="p", regex="("), "a: the regular expression '(' is wrong at column 1: missing )"),
    ],
)
def test_fields_made_by_hand_are_held_to_the_same(field, message):
    check_fields([Field(name="ok", css="p")])
    with pytest.raises(ConfigError) as caught:
        check_fields([Field(name="ok", css="p"), field])
    assert str(caught.value).startswith(message)


# As settings


def test_fields_of_a_settings_file_the_environment_and_options_are_the_same(tmp_path):
    path = tmp_path / "crawl.toml"
    lines = ["title=h1", "price:float=.price"]
    for text in ('[select]\ntitle = "h1"\n"price:float" = ".price"', f"select = {lines}", '[select.title]\ncss = "h1"'):
        path.write_text(text)
        selectors = load_settings(path)["select"]
        assert selectors == read_fields(lines[: len(selectors)])
    assert from_environment({"CRAWLER_SELECT": "\n".join(lines)}) == {"select": read_fields(lines)}
    assert from_options({"select": lines}) == {"select": read_fields(lines)}


def test_a_wrong_field_is_refused_with_the_place_where_it_was_given(tmp_path):
    path = tmp_path / "crawl.toml"
    path.write_text('[select.a]\ncss = "p"\n[select.a.fields]\nb = "//p[@x"')
    where = "a.b: the XPath expression '//p[@x' is wrong at column 7, its end"
    with pytest.raises(ConfigError) as caught:
        load_settings(path)
    assert str(caught.value).startswith(f"{path}: select: {where}")
    for read, given, name in (
        (from_environment, {"CRAWLER_SELECT": "a=p["}, "CRAWLER_SELECT"),
        (from_options, {"select": ["a=p["]}, "--select"),
    ):
        with pytest.raises(ConfigError) as caught:
            read(given)
        assert str(caught.value) == (
            f"{name}: a: the CSS selector 'p[' is wrong at column 3, its end: expected an identifier"
        )
    path.write_text("select = 3")
    with pytest.raises(ConfigError, match=r"select: expected a table, or texts like 'price=\.price::text', not 3$"):
        load_settings(path)


def crawl(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CRAWLER_")}
    environment |= {"CRAWLER_ALLOW_PRIVATE": "1", "CRAWLER_DELAY": "0", "CRAWLER_PARSERS": "1"}
    command = [sys.executable, "-m", "crawler", "crawl", *arguments, "--quiet", "-o", "-"]
    return subprocess.run(
        command, cwd=folder, env=environment | {"PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def respond(host: str, path: str) -> Answer:
    if path == "/robots.txt":
        return Answer(status=404)
    return Answer(html("a", "b") if path == "/" else html(title=path))


def test_a_crawl_writes_the_fields_of_each_page_that_has_the_required_ones(tmp_path):
    with LocalServer(respond) as server:
        url = f"http://127.0.0.1:{server.port}/"
        fields = ("title=title", "lang!=::attr(lang)", "n[]:url=a::attr(href)")
        done = crawl(tmp_path, url, *(f"--select={field}" for field in fields))
        assert done.returncode == 0, done.stderr
        records = {record["url"]: record for record in map(msgspec.json.decode, done.stdout.splitlines())}
        assert records == {
            url: {"url": url, "seed": None, "title": "A page", "lang": "en", "n": [f"{url}a", f"{url}b"]},
            f"{url}a": {"url": f"{url}a", "seed": None, "title": "/a", "lang": "en", "n": []},
            f"{url}b": {"url": f"{url}b", "seed": None, "title": "/b", "lang": "en", "n": []},
        }
        done = crawl(tmp_path, url, "--job", "second", "--select", "link!=a", "--fields", "depth,status")
        assert done.returncode == 0, done.stderr
    assert done.stdout == '{"depth":0,"status":200,"link":"a"}\n'


def test_a_selector_that_does_not_parse_is_refused_before_anything_is_fetched(tmp_path):
    with LocalServer(respond) as server:
        done = crawl(tmp_path, f"http://127.0.0.1:{server.port}/", "--select", "a=div..a")
        assert not server.requests
    assert done.returncode == 2
    assert "--select: a: the CSS selector 'div..a' is wrong at column 5, before '.a'" in " ".join(done.stderr.split())
    assert list(tmp_path.iterdir()) == []
