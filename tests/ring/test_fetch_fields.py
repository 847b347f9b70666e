"""Fields of a record that tell how its page was fetched: on request, whatever fetches, parses and writes it."""

import csv
import json
import sqlite3
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from crawler.core.config import CrawlConfig
from crawler.core.errors import JobError
from crawler.core.record import RECORD_FIELDS
from crawler.fetcher.transport.fake import FakeTransport, answer
from crawler.frontier.store import Store
from crawler.ring.crawler import Crawler
from crawler.ring.extraction import Extraction
from tests.support.servers import Answer, LocalServer, html

FIELDS = ("url", "headers", "etag", "last_modified", "elapsed_s", "latency_s", "address", "attempts", "redirects")
HEADERS = {
    "content-type": "text/html",
    "ETag": 'W/"a,b"',
    "Last-Modified": "Sun, 06 Nov 1994 08:49:37 GMT",
    "Set-Cookie": "session=secret",
    "Vary": "Accept\r\nVary: Cookie\r\nX-Third: 3",
}
OPEN = {"allow_private": ("127.0.0.0/8",), "delay_s": 0.0, "parsers": 1}


class Site:
    """/old leads to /soon by its status, that to /page by its page. The first answer for /page is a 503."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, host: str, path: str) -> Answer:
        match path:
            case "/old":
                return Answer(status=308, headers={"location": "/soon"})
            case "/soon":
                return Answer("<meta http-equiv=refresh content='0; url=/page'>")
            case "/page":
                self.asked += 1
                return Answer(status=503) if self.asked == 1 else Answer(html(), headers=HEADERS, delay_s=0.1)
            case "/bare":
                return Answer(b"x", headers={"content-type": "text/plain", "Last-Modified": "yesterday"})
        return Answer(status=404)


def records_of(path: Path) -> dict[str, dict[str, Any]]:
    found = [json.loads(line) for line in path.read_bytes().splitlines()]
    return {record["url"].rpartition("/")[2]: record for record in found}


def check(page: dict[str, Any], bare: dict[str, Any], url: Any) -> None:
    headers = page["headers"]
    assert {name: headers[name] for name in ("etag", "vary", "x-third")} == {
        "etag": 'W/"a,b"', "vary": ["Accept", "Cookie"], "x-third": "3"
    }  # fmt: skip
    assert "set-cookie" not in headers
    assert (page["etag"], bare["etag"]) == ('W/"a,b"', None)
    assert (page["last_modified"], bare["last_modified"]) == ("1994-11-06T08:49:37.000Z", None)
    assert bare["headers"]["last-modified"] == "yesterday"
    assert [(hop["url"], hop["status"]) for hop in page["redirects"]] == [(url("/old"), 308), (url("/soon"), 200)]
    assert bare["redirects"] == []
    assert (page["address"], page["attempts"], bare["attempts"]) == ("127.0.0.1", 2, 1)
    assert 0.1 <= page["latency_s"] <= page["elapsed_s"]


def parse(page):
    yield {name: getattr(page, name) for name in FIELDS if name != "headers"} | {"headers": page.headers.by_name()}
    yield page.follow()


@pytest.mark.parametrize(
    ("strategy", "spider"),
    [("hybrid", None), ("async", None), ("threads", None), ("sequential", None), ("hybrid", f"{__file__}:parse")],
)
async def test_a_record_tells_how_its_page_was_fetched(tmp_path, strategy, spider):
    endings = ("jsonl",) if spider else ("jsonl", "csv", "db", "parquet", "warc.gz")
    outputs = tuple(str(tmp_path / f"pages.{ending}") for ending in endings)
    fields = None if spider else FIELDS
    with LocalServer(Site()) as server:
        config = CrawlConfig(
            job=tmp_path / "job", output=outputs, strategy=strategy, fields=fields, spider=spider, **OPEN
        )
        await Crawler(config, [server.url("/old"), server.url("/bare")]).run()
    found = records_of(tmp_path / "pages.jsonl")
    check(found["page"], found["bare"], server.url)
    if spider:
        return
    assert tuple(found["page"]) == FIELDS
    with sqlite3.connect(tmp_path / "pages.db") as database:
        database.row_factory = sqlite3.Row
        of_sqlite = [dict(row) for row in database.execute("SELECT * FROM records")]
    database.close()
    with (tmp_path / "pages.csv").open(newline="") as file:
        of_csv = list(csv.DictReader(file))
    of_parquet = pyarrow.parquet.read_table(tmp_path / "pages.parquet").to_pylist()
    page, bare = ({one["url"].rpartition("/")[2]: one for one in of_parquet}[name] for name in ("page", "bare"))
    assert page["last_modified"].isoformat() == "1994-11-06T08:49:37+00:00"
    kept = {"last_modified": found["page"]["last_modified"], "headers": json.loads(page["headers"])}
    check(page | kept, bare | {"headers": json.loads(bare["headers"])}, server.url)
    for table in (of_sqlite, of_csv):
        (page,) = [one for one in table if one["url"].endswith("/page")]
        for name in ("headers", "redirects"):
            assert json.loads(page[name]) == found["page"][name]
        assert [str(page[name]) for name in ("attempts", "elapsed_s")] == ["2", str(found["page"]["elapsed_s"])]

    config = CrawlConfig(output=str(tmp_path / "again.jsonl"), fields=FIELDS, parsers=1)
    await Extraction(config, [tmp_path / "pages.warc.gz"]).run()
    again = records_of(tmp_path / "again.jsonl")["page"]
    assert {name: again[name] for name in ("etag", "last_modified")} == {
        name: found["page"][name] for name in ("etag", "last_modified")
    }
    assert again["headers"]["vary"] == ["Accept", "Cookie"]
    assert [hop["status"] for hop in again["redirects"]] == [None, None], "an archive does not say"
    assert {again[name] for name in ("elapsed_s", "latency_s", "address", "attempts")} == {None}


@pytest.mark.parametrize("spider", [None, f"{__file__}:parse"])
async def test_each_seed_has_its_own_redirects(tmp_path, spider):
    """Of one fetch: the seed's that led there, one that came to no page, and one that names the page itself."""

    def answers(host: str, path: str) -> Answer:
        to = {"/old": "/page", "/older": "/old", "/lost": "/closed"}.get(path)
        if path == "/robots.txt":
            return Answer("User-agent: *\nDisallow: /closed", headers={"content-type": "text/plain"})
        return Answer(html()) if to is None else Answer(status=301 + (path == "/old"), headers={"location": to})

    with LocalServer(answers) as server:
        seeds = [server.url(path) for path in ("/page", "/old", "/older", "/lost")]
        output = str(tmp_path / "pages.jsonl")
        fields = ("url", "outcome", "redirects", "attempts")
        config = CrawlConfig(job=tmp_path / "job", output=output, scope="page", fields=fields, spider=spider, **OPEN)
        await Crawler(config, seeds).run()
    found = [json.loads(line)["redirects"] for line in Path(output).read_bytes().splitlines()]
    hops = [[(hop["url"].rpartition("/")[2], hop["status"]) for hop in one] for one in found]
    assert sorted(hops) == [[], [("lost", 301)], [("old", 302)], [("older", 301), ("old", 302)]]


async def test_a_job_that_was_begun_with_all_fields_goes_on_with_its_own(tmp_path):
    """There were fewer of them when an earlier version began it, and its table has no other columns."""
    before = list(RECORD_FIELDS[: RECORD_FIELDS.index("headers")])
    web = FakeTransport(lambda request: answer(request, "<a href=/2>2</a>"))
    settings = {"job": tmp_path / "job", "output": str(tmp_path / "pages.csv"), "parsers": 1, "delay_s": 0.0}
    config = CrawlConfig(**settings, fields=before, max_pages=1)
    await Crawler(config, ["http://a.test/1"], transport=web).run()
    await Crawler(CrawlConfig(**settings, fields=RECORD_FIELDS), ["http://a.test/1"], transport=web).run()
    header, *lines = (tmp_path / "pages.csv").read_text().splitlines()
    assert (header.split(","), len(lines)) == (before, 2)
    with Store(tmp_path / "job" / "state") as store:
        store.put_meta("job", store.meta("job") | {"fields": before[:-1]})
        store.commit()
    with pytest.raises(JobError, match="begun with other settings"):
        await Crawler(CrawlConfig(**settings, fields=RECORD_FIELDS), ["http://a.test/1"], transport=web).run()
