"""The figures of a crawl: what a scraper gets, who may ask, and that documents name what there is."""

import asyncio
import json
import re
import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open
from prometheus_client.parser import text_string_to_metric_families as read_text

from crawler import ConfigError, CrawlConfig, Crawler, crawl
from crawler.core.figures import FIGURES, MOST_SERIES
from crawler.core.sample import Sample
from crawler.core.stats import CrawlStats
from crawler.serve.metrics import as_text
from tests.support.servers import Answer, LocalServer, html
from tests.support.written import check_or_write

DOCS = Path(__file__).parents[2] / "docs"
PAGES = 30
EVIL = 'a"b\\c\nd{}=,#\x1b é'
ODD = Sample(
    run=1,
    at=0.0,
    limit=EVIL,
    stats=CrawlStats(
        pages=10**15,
        elapsed_s=1e9,
        outcomes={f"failed: {EVIL}: {number}": number for number in range(1000)} | {"fetched": 7},
        statuses=dict.fromkeys(range(100, 1000), 1),
        parser_busy_s=(1.25,) * 100,
    ),
)


def site(_host: str, path: str) -> Answer:
    """Pages that link to the next two; the last one takes as long as anybody waits."""
    if path == "/robots.txt":
        return Answer(status=404)
    number = int(path.strip("/") or 0)
    links = [f"/{n}" for n in range(number + 1, min(number + 3, PAGES))]
    return Answer(html(*links), delay_s=3600.0 if number == PAGES - 1 else 0.0)


def got(address: str, **headers: str) -> tuple[str, str]:
    """Content type and text of an answer."""
    with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=60) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


def values(families) -> dict[tuple[str, tuple[str, ...]], float]:
    return {
        (sample.name, tuple(sample.labels.values())): sample.value for family in families for sample in family.samples
    }


async def test_a_scraper_gets_the_figures_of_the_crawl_in_both_formats(tmp_path, caplog):
    caplog.set_level("INFO", "crawler")
    with LocalServer(site) as server:
        config = CrawlConfig(job=tmp_path / "job", allow_private=True, delay_s=0.0, parsers=1, metrics=0)
        crawler = Crawler(config, [server.url("/0")])
        running = asyncio.create_task(crawler.run())
        while (crawler.stats().pages, crawler.stats().fetching) != (PAGES - 1, 1):
            await asyncio.sleep(0.02)
        told = [record for record in caplog.records if "metrics are at" in record.message]
        assert [record.levelname for record in told] == ["WARNING"], "a port that nobody named is told to programs, too"
        address = told[0].message.split()[-1]
        kind, text = await asyncio.to_thread(got, address)
        assert kind == "text/plain; version=0.0.4; charset=utf-8"
        found = values(read_text(text))
        assert found["crawler_pages_total", ()] == found["crawler_answers_total", ("200",)] == PAGES - 1
        assert found["crawler_urls_ended", ("fetched", "")] == PAGES - 1
        assert found["crawler_urls_queued", ()] == found["crawler_requests_under_way", ()] == 1
        assert found["crawler_received_bytes_total", ()] == crawler.stats().bytes
        assert found["crawler_resident_memory_bytes", ("main",)] > 1_000_000
        assert sum(name == "crawler_limited_by" for name, _ in found) == 1
        kind, text = await asyncio.to_thread(
            got, address, Accept="application/openmetrics-text;version=1.0.0,*/*;q=0.1"
        )
        assert kind == "application/openmetrics-text; version=1.0.0; charset=utf-8"
        assert values(read_open(text))["crawler_pages_total", ()] == PAGES - 1
        with pytest.raises(urllib.error.HTTPError, match="421") as error:
            await asyncio.to_thread(got, address, Host="evil.example")
        error.value.close()
        crawler.stop()
        running.cancel()
        await asyncio.wait({running})
    with pytest.raises(OSError):
        await asyncio.to_thread(got, address)


@pytest.mark.parametrize(("is_open", "read"), [(False, read_text), (True, read_open)])
def test_whatever_servers_and_spiders_say_both_formats_stay_what_they_are_and_small(is_open, read):
    text = as_text(ODD, is_open=is_open)
    found = values(read(text))
    assert found["crawler_urls_ended", ("failed", EVIL)] == sum(range(1000))
    assert found["crawler_limited_by", (EVIL,)] == 1
    assert found["crawler_answers_total", ("200",)] == 1
    assert found["crawler_answers_total", ("9xx",)] == 100
    assert found["crawler_run_parser_busy_seconds_total", ("others",)] == 36 * 1.25
    assert found["crawler_pages_total", ()] == 10**15
    assert len(found) < MOST_SERIES
    for figure in FIGURES:
        assert figure.unit == "" or figure.name.endswith(f"_{figure.unit}"), "as OpenMetrics wants it"
    assert sum(family.type != "unknown" for family in read(text)) == len(FIGURES)


def test_a_port_that_is_taken_is_one_line_before_there_is_a_job(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"^metrics: port {port} on 127\.0\.0\.1 is taken; "):
            list(crawl("http://127.0.0.1:9/", job=tmp_path / "job", metrics=port))
    assert not (tmp_path / "job").exists()


def test_the_documents_name_every_figure_and_no_other():
    rows = "".join(
        f"| `{figure.name}{'_total' if figure.kind == 'counter' else ''}` | {figure.kind} | {figure.labels} | "
        f"{figure.help} |\n"
        for figure in FIGURES
    )
    path = DOCS / "metrics.md"
    parts = re.fullmatch(
        r"(.*<!-- Begin of the part .*?-->\n)(.*)(<!-- End of that part\. -->\n.*)", path.read_text("utf-8"), re.DOTALL
    )
    check_or_write(
        path, f"{parts[1]}\n| name | kind | labels | meaning |\n| --- | --- | --- | --- |\n{rows}\n{parts[3]}"
    )


def test_every_metric_of_the_dashboard_for_grafana_exists_and_every_figure_is_shown():
    sample = as_text(ODD, is_open=False)
    names = set(re.findall(r"^(crawler_\w+)[ {]", sample, re.MULTILINE))
    dashboard = json.loads((DOCS / "grafana.json").read_bytes())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    shown = {name for expression in asked for name in re.findall(r"crawler_\w+", expression)}
    assert shown == names
    labels = set(re.findall(r'(\w+)="', sample))
    legends = [target["legendFormat"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert {label for legend in legends for label in re.findall(r"\{\{(\w+)\}\}", legend)} <= labels
    assert set(re.findall(r"crawler_\w+", (DOCS / "metrics.md").read_text("utf-8"))) <= names
