"""The page of a report, made of rows in which all that may come from outside is as bad as can be."""

import json
import re
import time

import pytest
from lxml import etree
from msgspec import structs

from crawler.core.sample import Sample
from crawler.core.stats import CrawlStats
from crawler.jobs.report.charts import charts_of
from crawler.jobs.report.host_graph import HostGraph
from crawler.jobs.report.images import write_images
from crawler.jobs.report.page import as_page, shown
from crawler.jobs.report.report import Report
from crawler.jobs.report.table import Column, Table
from crawler.jobs.report.tally import Tally
from crawler.jobs.report.time_tables import time_tables
from crawler.jobs.report.timeline import timeline
from crawler.jobs.report.url_tables import url_tables
from tests.jobs.report.test_tally import row
from tests.support.chromium import CHROMIUM, MISSING, Browser

BAD = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&amp;]]>{{ 7*7 }}{% x %}$\\frac$\u202e\x1b[2J"
PRINTABLE = BAD[: BAD.index("\u202e")]
HOST = f"{BAD.replace('/', '|')}.example"
FIGURES = dict.fromkeys(
    (
        "known",
        "ended",
        "due",
        "pages",
        "records",
        "bytes",
        "failed",
        "skipped",
        "redirected",
        "errors",
        "hosts",
        "hosts_with_pages",
    ),
    12345,
) | {"seconds": 400.5, "pages_per_s": 30.8, "runs": 1}


def bad_report() -> Report:
    tally = Tally()
    for n in range(60):
        host = f"{n}.{HOST}"
        rows = [row(f"http://{host}/{BAD}{m}", at=1000.0 + n, depth=m) for m in range(60 - n)]
        rows += [row(f"javascript://{host}/alert(1)", status=404), row(f"http://{host}/f", "failed", f"tls: {BAD}")]
        rows += [row(f"http://{host}/t", "skipped", "trap"), row(f"http://{host}/", "redirected")]
        tally.count(rows)
        tally.hosts[host].answers, tally.hosts[host].answer_ms, tally.hosts[host].most_ms = 3, 300 * n, 200 * n
    tally.count([row(f"https://fine.example/{PRINTABLE}", "failed", "timeout")])
    tally.answers.counts = {3: 100, 70: 20, 4_000: 1}
    tally.tries = {BAD: 3}
    graph = HostGraph({(f"{n}.{HOST}", f"{(n * 7) % 60}.{HOST}"): 60 - n for n in range(60)}, 100, 1_000)
    samples = [
        Sample(
            run=1 + second // 200,
            at=1_000.0 + second,
            stats=CrawlStats(
                elapsed_s=second % 200 + 1.0, run_pages=second % 200, parser_busy_s=(second % 200 / 2.0,) * 4
            ),
            limit=f"limit {BAD}",
            why=BAD,
            memory_bytes=second << 20,
            steered=BAD,
        )
        for second in range(400)
    ]
    fields = Table(
        "fields",
        "Fields of records that have a value",
        (Column("field", "field", "text"), Column("records", "records"), Column("share", "share", "share")),
        tuple((f"{BAD}{n}", n, n / 30) for n in range(30)),
        BAD,
    )
    others = [Table(name, name, (Column("host", "host", "text"), Column("urls", "URLs")), ((BAD, 1),), BAD) for name in
              ("duplicates", "repeats", "parameters", "steered")]  # fmt: skip
    tables = [*time_tables(timeline(samples)), *url_tables(tally, graph), fields, *others]
    return Report(
        job=f"output/{BAD}",
        written_at=1_700_000_000.0,
        state="done",
        headline=(f"It was limited by {BAD}.",),
        figures=FIGURES,
        tables={table.name: table for table in tables},
    )


@pytest.fixture(scope="module")
def report() -> Report:
    return bad_report()


@pytest.fixture(scope="module")
def page(report: Report) -> str:
    return as_page(report)


@pytest.fixture(scope="module")
def tree(page: str) -> etree._Element:
    """The page as a strict parser has it, which takes no tag that is not closed and no sign that is not escaped."""
    return etree.fromstring(page.encode(), etree.XMLParser(resolve_entities=False))


def local(element: etree._Element) -> str:
    return etree.QName(element).localname


def test_the_page_is_well_formed_and_what_comes_from_outside_is_text_in_it(tree):
    elements = [one for one in tree.iter() if isinstance(one.tag, str)]
    assert not [one for one in elements if local(one) in {"script", "img", "image", "iframe", "object", "link", "form"}]
    assert not [name for one in elements for name in one.attrib if name.startswith("on") or name == "style"]
    text = "".join(tree.itertext())
    assert "<script>alert(1)</script>" in text
    assert "{{ 7*7 }}" in text
    assert "\u202e" not in text
    assert "\x1b" not in text


def test_links_lead_to_http_alone_and_tell_nobody_where_they_were_clicked(tree):
    links = [one for one in tree.iter("a") if not one.get("href").startswith("#")]
    assert {one.get("href") for one in links} == {f"https://fine.example/{PRINTABLE}"}
    assert {one.get("rel") for one in links} == {"noreferrer noopener nofollow"}
    assert any("javascript://" in "".join(cell.itertext()) for cell in tree.iter("td"))


def test_nothing_is_loaded_and_the_policy_allows_nothing_else(tree, page):
    refers = {
        value for one in tree.iter() for name, value in one.attrib.items() if name in {"src", "href", "data", "poster"}
    }
    assert not [one for one in refers if not one.startswith(("#", "http://", "https://"))]
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)
    policy = tree.find(".//meta[@http-equiv]").get("content")
    assert re.fullmatch(r"default-src 'none'; style-src 'sha256-[\w+/]+='; base-uri 'none'; form-action 'none'", policy)


def test_each_chart_says_what_it_shows_and_its_ids_are_its_own(tree):
    charts = list(tree.iter("{*}svg"))
    assert len(charts) > 15
    for chart in charts:
        title, description = (chart.find(f"{{*}}{name}") for name in ("title", "desc"))
        assert title.text
        assert description.text
        assert chart.get("role") == "img"
        assert chart.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
    ids = [one.get("id") for one in tree.iter() if one.get("id")]
    assert len(ids) == len(set(ids))
    used = {value[1:] for one in tree.iter("{*}use") for name, value in one.attrib.items() if name == "href"}
    assert used <= set(ids)


def test_each_chart_is_drawn_of_a_table_that_is_on_the_page(tree, report):
    for table in report.tables.values():
        if list(charts_of(table)) and table.name != "ended":
            assert tree.find(f".//details[@id='table-{table.name}']") is not None, table.name


def test_tables_and_json_say_the_same(tree, report):
    told = json.loads(report.json())
    assert told["schema_version"] == 1
    for name, table in told["tables"].items():
        if name == "ended":
            continue  # samples say it better
        kinds = table["columns"]
        cells = [
            ["\n".join(cell.itertext()).strip() for cell in one.iter("td")]
            for one in tree.iterfind(f".//details[@id='table-{name}']//tbody/tr")
        ]
        said = [
            [shown(tuple(cell) if isinstance(cell, list) else cell, kinds[key]).strip() for key, cell in one.items()]
            for one in table["rows"]
        ]
        assert cells == said, name


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (None, "count", "\N{EN DASH}"),
        (1_234_567, "count", "1,234,567"),
        (0.1234, "share", "12.3 %"),
        (75.0, "seconds", "1 min 15 s"),
        (1_234.4, "milliseconds", "1,234 ms"),
        (21_300_000, "bytes", "21.3 MB"),
        (0.25, "rate", "0.25"),
        (404, "number", "404"),
        (1_700_000_000.0, "time", "2023-11-14 22:13:20"),
        ("a\x1bb", "text", "a\\x1bb"),
        (("http://a/", "http://b/"), "urls", "http://a/\nhttp://b/"),
    ],
)
def test_values_are_shown_as_people_read_them(value, kind, text):
    assert shown(value, kind) == text


def test_pictures_are_files_of_their_own(report, tmp_path):
    few = structs.replace(report, tables={name: report.tables[name] for name in ("limits", "host_links", "runs")})
    paths = write_images(few, tmp_path / "pictures")
    assert {path.name for path in paths} == {"limits.svg", "limits.png", "host-graph.svg", "host-graph.png"}
    for path in paths:
        if path.suffix == ".svg":
            root = etree.fromstring(path.read_bytes())
            assert root.find("{*}style").text.startswith("svg{color-scheme:light dark")
            assert not [one for one in root.iter() if one.get("style")]
        else:
            assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.skipif(CHROMIUM is None, reason=MISSING)
def test_on_a_phone_nothing_is_wider_than_the_screen_and_the_browser_refuses_nothing(page, tmp_path):
    (tmp_path / "report.html").write_text(page)
    with Browser(tmp_path) as browser:
        tab = browser.open((tmp_path / "report.html").as_uri())
        for dark in (False, True):
            tab.look(width=390, height=844, dark=dark)
            tab.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
            wide = "[...document.querySelectorAll('body, main, section, figure, svg, p, h1, .scroll')]"
            assert tab.evaluate("document.documentElement.scrollWidth") <= 390
            assert tab.evaluate(f"{wide}.filter(one => one.getBoundingClientRect().right > 391).length") == 0
            ground = tab.evaluate("getComputedStyle(document.body).backgroundColor")
            assert ground == ("rgb(13, 17, 23)" if dark else "rgb(255, 255, 255)")
        # Small text in a chart is as tall as small print on paper, not a fifth of it.
        small = "Math.min(...[...document.querySelectorAll('svg text')].map(one => one.getBoundingClientRect().height))"
        assert tab.evaluate(small) >= 8
        assert tab.evaluate("document.title").startswith("Crawl report: output/<script>")
        assert tab.errors == []


def test_the_time_of_a_page_is_that_of_its_report(tree, report):
    said = "".join(tree.find(".//header").itertext())
    assert time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(report.written_at)) in said
