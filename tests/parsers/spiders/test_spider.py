"""Spiders: found and checked at the start, brought to the parsers whatever they are, and what comes of their pages."""

import asyncio
import functools
import json
import logging
import os
import pickle
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from crawler.core.config import CrawlConfig
from crawler.core.errors import ConfigError
from crawler.core.model import Field, SeedContext
from crawler.page.page import Page
from crawler.page.values import Follow
from crawler.parsers.reading.reader import PageReader, parse_page
from crawler.parsers.reading.settings import ParserSettings
from crawler.parsers.spiders.by_value import as_value, importable
from crawler.parsers.spiders.router import Router
from crawler.parsers.spiders.spider import load_spider, pack_spider, unpack_spider
from crawler.ring.crawler import Crawler
from tests.support.servers import Answer, LocalServer, html
from tests.support.thorough import first_quickly

ROOT = Path(__file__).parents[3]
URL = "http://h.example/dir/page.html"


def done_of(spider, markup: str | bytes = "<p>x", settings: dict | None = None, **fields):
    """How a page ends with a spider (None: without one), read as a parser process does."""
    config = CrawlConfig(job=Path("unused"), **(settings or {}))
    raw = b"" if spider is None else pack_spider(spider)
    reader = PageReader(ParserSettings.of(config, raw))
    seed = SeedContext(1, ("http://h.example/",), b"null")
    return parse_page(Page.from_html(markup, URL, seed=seed, **fields).download, reader)


def records_of(done) -> list:
    return [json.loads(line) for line in done.records.splitlines()]


def followed(done) -> dict[str, str]:
    return {link.url.removeprefix("http://h.example"): link.skip for link in done.links}


# What a spider gives.


@pytest.mark.parametrize(
    ("spider", "records"),
    [
        pytest.param(lambda page: None, [], id="nothing"),
        pytest.param(lambda page: {"a": 1}, [{"a": 1}], id="a-dict"),
        pytest.param(lambda page: [{"a": 1}, None, {"b": 2}], [{"a": 1}, {"b": 2}], id="a-list"),
        pytest.param(lambda page: ({"n": n} for n in range(3)), [{"n": 0}, {"n": 1}, {"n": 2}], id="a-generator"),
        pytest.param(lambda page: page.follow("/x"), [], id="a-follow"),
        pytest.param(lambda page: iter([page.follow("/x"), {"a": 1}]), [{"a": 1}], id="both"),
        pytest.param(lambda page: (), [], id="an-empty-tuple"),
        pytest.param(lambda page: page.record() | {"text": 1, "fetched_at": 0}, None, id="the-record"),
    ],
)
def test_a_spider_returns_or_yields_nothing_one_or_several(spider, records):
    done = done_of(spider)
    assert (done.outcome, done.reason, done.body_bytes) == ("fetched", "", 4)
    assert records is None or records_of(done) == records
    assert records is not None or records_of(done)[0]["url"] == URL
    assert done.body_hash


MANY = (
    '<a href="/a">a</a><a href="/b" rel=nofollow>b</a><a class=x href="c?q">c</a><a href="http://other.example/">o</a>'
)


@pytest.mark.parametrize(
    ("spider", "links"),
    [
        pytest.param(lambda page: None, {}, id="nothing"),
        pytest.param(
            lambda page: page.follow(),
            {"/a": "", "/b": "nofollow", "/dir/c?q": "", "http://other.example/": "scope"},
            id="all-links",
        ),
        pytest.param(lambda page: page.follow(css="a.x"), {"/dir/c?q": ""}, id="by-css"),
        pytest.param(lambda page: page.follow("../not-on-the-page"), {"/not-on-the-page": ""}, id="a-url-of-its-own"),
        pytest.param(lambda page: page.follow("/b"), {"/b": "nofollow"}, id="a-link-that-is-not-to-be-followed"),
        pytest.param(
            lambda page: [page.follow("/z", "mailto:x@y"), page.follow("/a", "/z")], {"/z": "", "/a": ""}, id="twice"
        ),
        pytest.param(lambda page: Follow(("http://h.example/%7ea/../b",)), {"/b": "nofollow"}, id="made-by-hand"),
        pytest.param(lambda page: page.follow(page.url), {}, id="the-page-itself"),
    ],
)
def test_only_what_a_spider_asks_for_is_followed_and_judged_like_any_link(spider, links):
    assert followed(done_of(spider, MANY)) == links


def test_robots_directives_of_a_page_hold_for_what_a_spider_follows_but_do_not_keep_it_from_reading():
    def spider(page):
        yield {"title": page.title}
        yield page.follow()

    markup = "<title>T</title><meta name=robots content='noindex, nofollow'><a href=/a>a</a>"
    done = done_of(spider, markup)
    assert records_of(done) == [{"title": "T"}]
    assert followed(done) == {"/a": "nofollow"}
    assert followed(done_of(spider, markup, {"robots": "ignore"})) == {"/a": ""}
    header = {"x-robots-tag": "nofollow"}
    assert followed(done_of(spider, "<a href=/a>a</a>", headers=header)) == {"/a": "nofollow"}


def test_what_a_spider_names_is_followed_however_much_it_is_and_what_a_page_has_up_to_a_limit_that_is_told():
    done = done_of(lambda page: page.follow(f"/{n}" for n in range(100)), settings={"max_links": 7})
    assert (list(followed(done)), done.detail) == ([f"/{n}" for n in range(100)], "")
    markup = "".join(f"<a href=/{n}>" for n in range(100))
    told = f"{URL}: 93 of its links were not taken; --max-links says how many may be"
    limit = {"max_links": 7}
    select = {**limit, "select": (Field(name="h", css="a"),)}
    plain = {**limit, "fields": ("url",)}
    for spider, settings in ((lambda page: page.follow(), limit), (None, select), (None, plain)):
        done = done_of(spider, markup, settings)
        assert (list(followed(done)), done.detail) == ([f"/{n}" for n in range(7)], told)
    assert done_of(lambda page: page.follow(css="a"), markup, limit).detail == ""
    assert done_of(None, markup, limit).detail == "", "its record says it"


@pytest.mark.parametrize("status", [404, 500, 304])
def test_only_pages_with_a_status_of_success_are_read(status):
    done = done_of(lambda page: {"a": 1}, MANY, status=status)
    assert (done.outcome, done.reason, done.status, done.records, done.links) == ("fetched", "", status, b"", ())


def test_a_spider_that_asks_for_it_reads_pages_of_any_status_and_follows_what_it_names():
    def spider(page):
        yield {"status": page.status}
        yield page.follow("/next")

    settings = {"all_statuses": True}
    done = done_of(spider, "<p>gone", settings, status=404)
    assert (records_of(done), followed(done)) == ([{"status": 404}], {"/next": ""})
    assert done_of(spider, status=404).records == b""
    spider.all_statuses = True
    assert records_of(done_of(spider, status=500)) == [{"status": 500}]
    selected = done_of(
        None, "<h1>Gone</h1><a href=/a>a</a>", {"select": (Field(name="h", css="h1"),), **settings}, status=410
    )
    assert (records_of(selected)[0]["h"], followed(selected)) == ("Gone", {})


def test_a_spider_reads_what_is_no_html_too_with_or_without_a_body():
    types = {"headers": {"content-type": "application/json"}}
    assert records_of(done_of(lambda page: page.json(), b'{"a": [1]}', **types)) == [{"a": [1]}]
    assert records_of(done_of(lambda page: {"n": len(page.body)}, b"", headers={"content-type": "image/png"})) == [
        {"n": 0}
    ]


def test_a_page_that_refreshes_to_another_is_a_redirect_and_not_read():
    done = done_of(lambda page: {"a": 1}, '<meta http-equiv=refresh content="0; url=/next">')
    assert (done.outcome, done.records, [link.url for link in done.links]) == (
        "redirected",
        None,
        ["http://h.example/next"],
    )


def test_fields_choose_what_is_written_of_the_records_of_a_spider():
    done = done_of(lambda page: {"a": 1, "b": 2}, settings={"spider": "x:y", "fields": ("b", "c")})
    assert done.records == b'{"b":2,"c":null}\n'


def test_the_simhash_is_there_if_near_duplicates_are_looked_for():
    text = " ".join(f"word{n}" for n in range(100))
    page = Page.from_html(f"<p>{text}")
    assert done_of(lambda page: None, f"<p>{text}").simhash is None
    near = done_of(lambda page: None, f"<p>{text}", {"skip_duplicates": "near"})
    assert near.simhash == page.simhash is not None


# What goes wrong.


@pytest.mark.parametrize(
    ("spider", "reason", "detail"),
    [
        pytest.param(lambda page: {"tags": [{1}]}, "record: set in .tags[]", "set in .tags[0]", id="value"),
        pytest.param(lambda page: ["/next"], "record: str is no record", "a spider yields dicts or objects", id="text"),
        pytest.param(lambda page: 3, "record: int is no record", "int is no record", id="number"),
        pytest.param(lambda page: [[{1}]], "record: set is no record", "set is no record", id="list"),
    ],
)
def test_a_record_that_cannot_be_written_fails_the_page_with_a_name(spider, reason, detail):
    done = done_of(spider)
    assert (done.outcome, done.reason, done.records, done.links) == ("failed", reason, None, ())
    assert done.detail.startswith(f"{URL}: ")
    assert detail in done.detail


def half(page: Page) -> Iterator[dict]:
    yield {"a": 1}
    raise ValueError("what the page says")


def price(page: Page) -> dict:
    if "stray" in page.url:
        return {"price": float(json.loads(page.text))}
    return {"price": int(page.text)}


@pytest.fixture
def site():
    bodies = {"/": html("/one", "/two", "/three"), "/one": "12", "/two": "n/a", "/three": "what?"}
    with LocalServer(lambda host, path: Answer(bodies.get(path, ""), 200 if path in bodies else 404)) as server:
        yield server


def config_of(job: Path, **settings) -> CrawlConfig:
    return CrawlConfig(job=job, **{"allow_private": True, "delay_s": 0.0, "parsers": 1, "retries": 0, **settings})


def crawled(job: Path, *seeds: str, spider, **settings):
    return asyncio.run(Crawler(config_of(job, **settings), seeds, spider=spider).run())


def lines_of(job: Path) -> list[dict]:
    return [json.loads(line) for line in (job / "pages.jsonl").read_bytes().splitlines()]


def test_an_exception_fails_its_page_alone_and_the_log_names_the_line_once(site, tmp_path, caplog):
    """No record of such a page is written; the outcome has the kind of exception alone, and nothing of the page."""
    caplog.set_level(logging.DEBUG, "crawler.parsers.failure_log")
    seeds = [site.url(path) for path in ("/one", "/two", "/three")]
    stats = crawled(tmp_path, *seeds, spider=price)
    assert stats.outcomes == {"fetched": 1, "failed: parser-error: ValueError": 2}
    assert lines_of(tmp_path) == [{"price": 12}]
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "invalid literal for int()" in warnings[0]
    assert "test_spider.py line" in warnings[0]
    assert 'in price: return {"price": int(page.text)}' in warnings[0]
    details = [record.getMessage() for record in caplog.records if record.levelno == logging.DEBUG]
    assert sum("parser-error: ValueError" in detail for detail in details) == 1


def test_the_records_before_an_exception_are_not_written(site, tmp_path, caplog):
    stats = crawled(tmp_path, site.url("/one"), spider=half)
    assert stats.outcomes == {"failed: parser-error: ValueError": 1}
    assert lines_of(tmp_path) == []
    assert "what the page says" in caplog.text


def test_a_message_cannot_steer_the_terminal(site, tmp_path, caplog):
    def spider(page):
        raise ValueError("\x1b[31m\n2026-01-01 ERROR forged http://user:secret@h/")

    crawled(tmp_path, site.url("/one"), spider=spider)
    assert "\x1b" not in caplog.text
    assert "\n2026" not in caplog.text
    assert "secret" not in caplog.text


# Crawls.


def walk(page: Page) -> Iterator[dict | Follow]:
    if "a" in page.url.rpartition("/")[2]:
        yield {"path": page.url.rpartition("/")[2]}
        yield {"again": page.depth}
    yield page.follow(css="a[href*=a]")


def test_a_crawl_with_a_spider_follows_and_writes_only_what_it_gives(tmp_path):
    """Pages without a record count as pages too."""
    pages = {"/": ["/a", "/b"], "/a": ["/ab", "/c"], "/ab": ["/d", "/a"], "/b": [], "/c": [], "/d": []}
    with LocalServer(lambda host, path: Answer(html(*pages[path])) if path in pages else Answer(status=404)) as server:
        stats = crawled(tmp_path, server.url("/"), spider=walk)
        assert sorted(path for _, path in server.pages()) == ["/", "/a", "/ab"]
    assert (stats.pages, stats.outcomes) == (3, {"fetched": 3})
    assert lines_of(tmp_path) == [{"path": "a"}, {"again": 1}, {"path": "ab"}, {"again": 2}]


def test_a_spider_in_the_configuration_is_the_same(site, tmp_path):
    config = config_of(tmp_path, spider="tests.parsers.spiders.test_spider:price")
    stats = asyncio.run(Crawler(config, [site.url("/one")]).run())
    assert stats.outcomes == {"fetched": 1}
    assert lines_of(tmp_path) == [{"price": 12}]


def test_fields_found_by_selectors_follow_all_links_and_skip_what_has_not_what_is_required(tmp_path):
    fields = (Field(name="title", css="title"), Field(name="price", css=".price", required=True, type="int"))
    pages = {"/": html("/a", "/b", "/none"), "/a": "<title>A</title><p class=price>5</p><a href=/c>c</a>", "/b": "<p>"}
    pages["/c"] = "<p class=price>7"
    with LocalServer(lambda host, path: Answer(pages.get(path, ""), 200 if path in pages else 404)) as server:
        stats = crawled(tmp_path, server.url("/"), spider=None, select=fields)
        url = server.url
    assert stats.outcomes == {"fetched": 3, "fetched: no price": 2}
    assert lines_of(tmp_path) == [
        {"url": url("/a"), "seed": None, "title": "A", "price": 5},
        {"url": url("/c"), "seed": None, "title": None, "price": 7},
    ]


def test_fields_of_the_record_stand_before_those_that_selectors_find():
    settings = {"select": (Field(name="h", css="h1"),), "fields": ("status", "title", "simhash")}
    markup = f"<title>T</title><h1>H</h1>{' '.join(f'w{n}' for n in range(50))}"
    (record,) = records_of(done_of(None, markup, settings))
    assert list(record) == ["status", "title", "simhash", "h"]
    assert (record["status"], record["title"], record["h"], len(record["simhash"])) == (200, "T", "H", 16)
    (hidden,) = records_of(done_of(None, f"<meta name=robots content=noindex>{markup}", settings))
    assert (hidden["title"], hidden["simhash"], hidden["h"]) == (None, None, "H")


def test_selectors_find_nothing_in_what_is_no_markup_so_that_has_no_record_and_says_so():
    """With an archive its body is there, without one it is not: that makes no difference."""
    settings = {"select": (Field(name="h", css="h1"),)}
    png = {"headers": {"content-type": "image/png"}}
    for done in (done_of(None, b"\x89PNG", settings, **png), done_of(None, b"", settings, body_bytes=4, **png)):
        assert (done.records, done.outcome, done.reason) == (b"", "fetched", "not markup")
    assert done_of(None, b"", settings).reason == "empty"
    assert done_of(None, "<h1>x", settings, status=404).records == b""


# Which spider.


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "shop_parts.py").write_text("NAME = 'part'\n")
    (tmp_path / "shop_spider.py").write_text(
        textwrap.dedent("""
            import functools
            from shop_parts import NAME
            from crawler.parsers.spiders.router import Router

            def parse(page):
                return {"name": NAME}

            async def later(page): ...
            def two(page, state): ...
            def none(): ...
            class Products:
                @staticmethod
                def parse(page):
                    return {"name": "static"}
            VALUE = 3
            partial = functools.partial(two, state=3)
            router = Router()
            router.route("x")(parse)
        """)
    )
    (tmp_path / "broken_spider.py").write_text("\n\nx = undefined\n")
    (tmp_path / "needy_spider.py").write_text("import not_there_at_all\n")
    (tmp_path / "leaving_spider.py").write_text("raise SystemExit(3)\n")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in [name for name, module in sys.modules.items() if str(tmp_path) in str(getattr(module, "__file__", ""))]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("reference", "record"),
    [
        ("shop_spider:parse", {"name": "part"}),
        ("shop_spider.py:parse", {"name": "part"}),
        ("./shop_spider.py:Products.parse", {"name": "static"}),
        ("shop_spider:router", {"name": "part"}),
        ("shop_spider:partial", None),
    ],
)
def test_a_reference_names_a_module_or_a_file(folder, reference, record):
    path = list(sys.path)
    assert load_spider(reference)(Page.from_html("")) == record
    assert sys.path == path


def test_a_file_of_another_folder_finds_what_lies_beside_it(folder, monkeypatch):
    monkeypatch.chdir("/")
    assert load_spider(f"{folder}/shop_spider.py:parse")(Page.from_html("")) == {"name": "part"}


def forks(page):
    if page.url.endswith("/one"):
        if os.fork() == 0:
            time.sleep(30)
            os._exit(0)
        os._exit(1)
    yield {"url": page.url}


@pytest.mark.thorough
def test_a_parser_that_dies_behind_a_process_of_its_spider_is_replaced(site, tmp_path):
    """The other process holds open what tells of the parser's end."""
    stats = crawled(tmp_path, *(site.url(path) for path in ("/one", "/two", "/three")), spider=forks)
    assert stats.outcomes == {"fetched": 2, "failed: parser-died": 1}


def test_files_of_one_name_are_told_apart(folder):
    (folder / "other").mkdir()
    (folder / "other" / "shop_spider.py").write_text("def parse(page): return {'name': 'other'}\n")
    assert load_spider("shop_spider.py:parse")(Page.from_html("")) == {"name": "part"}
    assert load_spider("other/shop_spider.py:parse")(Page.from_html("")) == {"name": "other"}
    (folder / "json.py").write_text("def parse(page): return {'name': 'json'}\n")
    assert load_spider("json.py:parse")(Page.from_html("")) == {"name": "json"}
    assert sys.modules["json"] is json
    known = sys.modules.get("colorsys")
    (folder / "colorsys.py").write_text("def parse(page): return {'name': 'colours'}\n")
    assert load_spider("colorsys.py:parse")(Page.from_html("")) == {"name": "colours"}
    assert sys.modules.get("colorsys") is known


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("shop_spider", "'shop_spider' is not module:function or file.py:function; try shop_spider:parse"),
        ("shop_spider.py", "'shop_spider.py' names no function; try shop_spider.py:parse"),
        ("shop_spider:", "is not module:function or file.py:function; try shop_spider:parse"),
        (":parse", "is not module:function or file.py:function; try shop:parse"),
        ("shop_spider:pars", "shop_spider:pars: shop_spider has no 'pars'; did you mean 'parse'?"),
        ("shop_spider.py:x", "shop_spider.py has no 'x'; there are "),
        ("shop_spidr:parse", "there is no module 'shop_spidr' in "),
        ("shop_spidr:parse", "; did you mean 'shop_spider'?"),
        ("shop_spidr.py:parse", "; did you mean "),
        ("no.such.thing:parse", "there is no module 'no' in "),
        (
            "broken_spider:parse",
            "importing broken_spider failed: NameError: name 'undefined' is not defined (broken_spider.py line 3)",
        ),
        (
            "broken_spider.py:parse",
            "importing broken_spider.py failed: NameError: name 'undefined' is not defined (broken_spider.py line 3)",
        ),
        (
            "needy_spider:parse",
            "importing needy_spider failed: ModuleNotFoundError: No module named 'not_there_at_all'",
        ),
        ("leaving_spider:parse", "importing leaving_spider failed: SystemExit: 3"),
        ("shop_spider:later", "shop_spider:later is an async function; spiders are plain ones"),
        ("shop_spider:two", "cannot be called with a page alone: missing a required argument: 'state'"),
        ("shop_spider:none", "cannot be called with a page alone: too many positional arguments"),
        ("shop_spider:Products", "shop_spider:Products is a class"),
        ("shop_spider:VALUE", "shop_spider:VALUE is int, no function"),
    ],
)
def test_what_is_no_spider_is_refused_in_one_line_before_anything_starts(folder, reference, message):
    with pytest.raises(ConfigError) as caught:
        pack_spider(reference)
    text = str(caught.value)
    assert text.startswith("spider: ")
    assert message in text
    assert "\n" not in text


def test_a_crawl_with_a_wrong_spider_leaves_no_job(folder):
    with pytest.raises(ConfigError, match="did you mean 'parse'"):
        asyncio.run(Crawler(config_of(folder / "job", spider="shop_spider:pars"), ["http://h.example/"]).run())
    assert not (folder / "job").exists()


def test_without_a_spider_nothing_is_packed():
    assert pack_spider(None) == b""


# How it gets into another process.


def packed_and_back(spider):
    return unpack_spider(pack_spider(spider))


def test_what_can_be_imported_goes_by_its_name():
    assert importable(price) == ("tests.parsers.spiders.test_spider", "price")
    assert len(pack_spider(price)) < 50
    assert packed_and_back(price) is price
    assert b"cloudpickle" not in pack_spider("tests.parsers.spiders.test_spider:price")


@pytest.mark.parametrize("kind", ["lambda", "closure", "partial", "router", "bound"])
def test_what_has_no_name_goes_as_a_value(kind):
    factor = 3

    def closure(page):
        return {"n": factor * page.depth}

    class Bound:
        def __init__(self, number):
            self.number = number

        def parse(self, page):
            return {"n": self.number * page.depth}

    router = Router()
    router.default(closure)
    spider = {
        "lambda": lambda page: {"n": 3 * page.depth},
        "closure": closure,
        "partial": functools.partial(lambda page, by: {"n": by * page.depth}, by=3),
        "router": router,
        "bound": Bound(3).parse,
    }[kind]
    assert importable(spider) is None
    back = packed_and_back(spider)
    assert back is not spider
    assert back(Page.from_html("", depth=2)) == {"n": 6}


def test_a_function_of_a_module_that_another_process_does_not_find_goes_as_a_value():
    module = ModuleType("made_here")
    sys.modules["made_here"] = module
    exec("FACTOR = 7\ndef parse(page): return {'n': FACTOR}", vars(module))
    try:
        raw = pack_spider(module.parse)
    finally:
        del sys.modules["made_here"]
    assert unpack_spider(raw)(Page.from_html("")) == {"n": 7}


def test_what_cannot_go_to_another_process_is_refused():
    lock = __import__("threading").Lock()
    with pytest.raises(ConfigError, match=r"uses something that cannot go to a parser process \(cannot pickle"):
        pack_spider(lambda page: {"locked": lock.locked()})


class Base(msgspec.Struct, frozen=True):
    a: int

    def itself(self):
        return Base


def test_structs_that_go_as_values_are_what_they_were():
    class Part(Base, rename="camel", tag=True, kw_only=True, frozen=True):
        """Words."""

        unit_price: int
        more: list[int] = msgspec.field(default_factory=list)
        other: "Part | None" = None

        def __post_init__(self):
            assert self.unit_price >= 0

        @property
        def double(self):
            return 2 * self.unit_price

        @classmethod
        def of(cls, price):
            return cls(1, unit_price=price)

        def above(self):
            return Part, super().itself()

    part = pickle.loads(as_value(lambda: Part, "x"))()
    assert part is not Part
    assert part.__doc__ == "Words."
    one = part.of(3)
    assert (one, one.double, isinstance(one, Base)) == (part(1, unit_price=3), 6, True)
    assert one.above() == (part, Base)
    assert msgspec.json.encode(one) == msgspec.json.encode(Part.of(3))
    with pytest.raises(AssertionError):
        part.of(-1)
    with pytest.raises(AttributeError):
        one.a = 3
    with pytest.raises(TypeError):
        part(1, 3)


SCRIPTS = {
    "function": """
        import json
        FACTOR = 3
        def price(text):
            return FACTOR * len(text)
        def parse(page):
            yield {"n": price(page.title)}
    """,
    "lambda": "parse = lambda page: {'n': 3 * len(page.title)}",
    "dataclass": """
        from dataclasses import dataclass
        @dataclass
        class Found:
            n: int
        def parse(page): return [Found(3 * len(page.title))]
    """,
    "struct": """
        import msgspec
        class Found(msgspec.Struct):
            n: int
        def parse(page): yield Found(3 * len(page.title))
    """,
    "pydantic": """
        from pydantic import BaseModel
        class Found(BaseModel):
            n: int
        def parse(page): yield Found(n=str(3 * len(page.title)))
    """,
    "router": """
        from crawler.parsers.spiders.router import Router
        parse = Router()
        @parse.default
        def title(page): yield {"n": 3 * len(page.title)}
    """,
    "beside": """
        from beside import times
        def parse(page): return {"n": times(len(page.title))}
    """,
}


@pytest.mark.parametrize(
    ("kind", "script"),
    first_quickly([*((kind, "script.py") for kind in SCRIPTS), ("function", "__main__.py")], 2),
)
def test_a_script_without_a_guard_crawls_with_a_spider_of_its_own(tmp_path, kind, script):
    """No `if __name__ == "__main__":`, no module of its own: the script runs once, and its spider in the parsers."""
    (tmp_path / "beside.py").write_text("def times(n): return 3 * n\n")
    crawl = """
        import asyncio, sys
        from pathlib import Path
        from crawler.core.config import CrawlConfig
        from crawler.ring.crawler import Crawler
        print("runs", flush=True)
        config = CrawlConfig(job=Path("job"), allow_private=True, parsers=1)
        stats = asyncio.run(Crawler(config, [sys.argv[1]], spider=parse).run())
        print(stats.outcomes)
    """
    (tmp_path / script).write_text(textwrap.dedent(SCRIPTS[kind]) + textwrap.dedent(crawl))
    with LocalServer(lambda host, path: Answer("<title>four</title>")) as server:
        done = subprocess.run(
            [sys.executable, "." if script == "__main__.py" else script, server.url()],
            cwd=tmp_path,
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.stdout.splitlines() == ["runs", "{'fetched': 1}"], done.stderr
    assert lines_of(tmp_path / "job") == [{"n": 12}]


@pytest.mark.parametrize(
    ("run", "absent"),
    [
        (
            "",
            "asyncio bs4 lxml cloudpickle crawler.page.page crawler.page.fields crawler.parsers.spiders",
        ),
        ("spider", "asyncio bs4 lxml cloudpickle crawler.page.fields crawler.parsers.spiders.mishap aiohttp"),
        ("fields", "asyncio bs4 lxml cloudpickle crawler.parsers.spiders.mishap aiohttp"),
    ],
)
def test_a_parser_imports_only_what_its_pages_need(tmp_path, run, absent):
    (tmp_path / "plain_spider.py").write_text("def parse(page): return {'title': page.title}\n")
    code = f"""
        import sys
        from crawler.core.config import CrawlConfig
        from crawler.core.model import Answer, Download, Field, SeedContext, Task
        from crawler.parsers.reading.reader import PageReader, parse_page
        from crawler.parsers.reading.settings import ParserSettings
        def state(run):
            config = CrawlConfig(select=(Field(name="t", css="title"),) if run == "fields" else ())
            import msgspec
            packed = msgspec.msgpack.encode(["plain_spider", "parse", ["{tmp_path}"]]) if run == "spider" else b""
            return PageReader(ParserSettings.of(config, packed))
        task = Task(b"k" * 16, "http://h/", 0, None, (), 0, SeedContext(1, (), b"null"))
        download = Download(task, Answer(200, (("content-type", "text/html"),), b"<title>x</title>", 16), 0.0)
        assert parse_page(download, state("{run}")).records
        print(*(name for name in "{absent}".split() if name in sys.modules))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "\n"
