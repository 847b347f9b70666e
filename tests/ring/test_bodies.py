"""What a spider gets to read: the whole body of everything that it asked for, whatever its type and its way."""

import asyncio
import gzip
import io
import json
from pathlib import Path
from typing import get_args

import pytest
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from crawler.core.config import CrawlConfig, StrategyKind
from crawler.ring.crawler import Crawler
from crawler.ring.extraction import Extraction
from crawler.ring.try_page import fetch_page, try_page
from tests.support.servers import Answer, LocalServer

ITEM = {"name": "Tee é 中", "n": [1, 2.5, None]}
RSS = "<rss version='2.0'><channel><title>News</title><item><title>One</title><link>/1</link></item></channel></rss>"
LARGE = json.dumps({"rows": ["x" * 97] * 40_000})


def typed(kind: str, body: bytes | str, **headers: str) -> Answer:
    return Answer(body, headers={"content-type": kind, **headers})


def item(encoding: str) -> bytes:
    return json.dumps(ITEM, ensure_ascii=False).encode(encoding, "backslashreplace")


JSON = {
    "/utf8": typed("application/json", item("utf-8")),
    "/packed": typed("application/json", gzip.compress(item("utf-8")), **{"content-encoding": "gzip"}),
    "/mark": typed("application/json", item("utf-8-sig")),
    "/utf16": typed("application/json", item("utf-16")),
    "/utf16le": typed("application/json", item("utf-16-le")),
    "/utf32": typed("application/hal+json", item("utf-32-be")),
    "/gbk": typed("application/json; charset=gbk", item("gbk").replace(b"\\xe9", b"\\u00e9")),
    "/jis": typed("application/json; charset=iso-2022-jp", item("iso-2022-jp").replace(b"\\xe9", b"\\u00e9")),
    "/lies": typed("application/json; charset=iso-8859-1", item("utf-8")),
    "/plain": typed("text/plain", item("utf-8")),
    "/html": typed("text/html", item("utf-8")),
    "/png": typed("image/png", item("utf-8")),
    "/bytes": typed("application/octet-stream", item("utf-8")),
    "/script": typed("text/javascript", item("utf-8")),
}
BODIES = {
    "/picture": typed("image/png", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9),
    "/paper": typed("application/pdf", b"%PDF-1.7\n\xff\xfe" + b"x" * 5_000),
    "/film": typed("video/mp4", b"\0\0\0\x18ftypmp42" + bytes(3_000_000)),
    "/feed": typed("application/rss+xml", RSS),
    "/large": typed("application/json", LARGE),
    "/packed-large": typed("application/json", gzip.compress(LARGE.encode()), **{"content-encoding": "gzip"}),
    "/empty": typed("application/json", b""),
}
PATHS = (*JSON, *BODIES)
START = typed("application/json", json.dumps({"items": [{"url": path} for path in PATHS], "next": "?page=2"}))
SITE = {"/api": START, "/api?page=2": typed("application/json", '{"items": [], "next": null}'), **JSON, **BODIES}


def plain(path: str) -> bytes:
    body = SITE[path].body
    raw = body.encode() if isinstance(body, str) else body
    return gzip.decompress(raw) if "content-encoding" in SITE[path].headers else raw


def read(page):
    """Say what came, and follow what JSON names."""
    path = page.url.partition("/")[2].partition("/")[2].partition("/")[2]
    if path.startswith("api"):
        answer = page.json()
        yield page.follow([one["url"] for one in answer["items"]], answer["next"])
        return
    record = {"path": f"/{path}", "bytes": len(page.body), "hash": page.body_hash.hex(), "type": page.content_type}
    if f"/{path}" in JSON:
        record["json"] = page.json()
    if path == "feed":
        record["feed"] = [entry.title for entry in page.feed.entries]
    yield record


@pytest.fixture(scope="module")
def server():
    with LocalServer(lambda host, path: SITE.get(path, Answer(status=404))) as one:
        yield one


def config(folder: Path, **settings) -> CrawlConfig:
    return CrawlConfig(job=folder, **{"allow_private": True, "delay_s": 0.0, "parsers": 2, **settings})


def by_path(file: Path) -> dict[str, dict]:
    records = [json.loads(line) for line in file.read_bytes().splitlines()]
    return {record["path"]: record for record in records}


def check(found: dict[str, dict], paths=PATHS) -> None:
    assert sorted(found) == sorted(paths)
    assert {path: one["bytes"] for path, one in found.items()} == {path: len(plain(path)) for path in found}
    assert {path for path, one in found.items() if one.get("json") != ITEM} == set(BODIES) & set(paths)
    assert found["/feed"]["feed"] == ["One"]


@pytest.mark.parametrize("strategy", get_args(StrategyKind))
async def test_a_spider_gets_the_body_of_whatever_it_asked_for(tmp_path, server, strategy):
    """JSON that leads on to JSON, in any encoding and under any type, packed or not, feeds, papers, pictures, films."""
    outputs = (str(tmp_path / "pages.jsonl"), str(tmp_path / "pages.warc.gz"))[: 1 + (strategy == "hybrid")]
    stats = await Crawler(
        config(tmp_path / "job", strategy=strategy, output=outputs), [server.url("/api")], spider=read
    ).run()
    assert stats.outcomes == {"fetched": len(SITE)}
    check(by_path(tmp_path / "pages.jsonl"))
    if strategy == "hybrid":
        await Extraction(
            CrawlConfig(output=str(tmp_path / "again.jsonl"), parsers=2), [tmp_path / "pages.warc.gz"], spider=read
        ).run()
        assert by_path(tmp_path / "again.jsonl") == by_path(tmp_path / "pages.jsonl")


async def test_so_it_does_from_an_archive_that_another_program_wrote(tmp_path):
    with (tmp_path / "other.warc.gz").open("wb") as file:
        writer = WARCWriter(file)
        for path in PATHS:
            answer = SITE[path]
            raw = answer.body.encode() if isinstance(answer.body, str) else answer.body
            head = StatusAndHeaders("200 OK", list(answer.headers.items()), protocol="HTTP/1.1")
            url = f"http://other.example{path}"
            writer.write_record(
                writer.create_warc_record(url, "response", payload=io.BytesIO(raw), length=len(raw), http_headers=head)
            )
    settings = CrawlConfig(output=str(tmp_path / "pages.jsonl"), parsers=1)
    stats = await Extraction(settings, [tmp_path / "other.warc.gz"], spider=read).run()
    assert stats.outcomes == {"fetched": len(PATHS)}
    check(by_path(tmp_path / "pages.jsonl"))


def test_a_page_that_is_tried_has_its_body_too(tmp_path, server):
    for path in ("/utf8", "/picture"):
        tried_with = config(tmp_path, spider=f"{__file__}:read")
        fetched = asyncio.run(fetch_page(tried_with, server.url(path)))
        assert fetched.download is not None, fetched.why
        (line,) = (try_page(tried_with, fetched.download).done.records or b"").splitlines()
        assert json.loads(line)["bytes"] == len(plain(path))


async def test_without_a_spider_nobody_reads_them_and_no_record_keeps_what_was_in_them(tmp_path, server):
    seeds = [server.url(path) for path in PATHS]
    await Crawler(config(tmp_path / "job", scope="page"), seeds).run()
    records = [json.loads(line) for line in (tmp_path / "job" / "pages.jsonl").read_bytes().splitlines()]
    assert len(records) == len(PATHS)
    for record in records:
        path = "/" + record["url"].rpartition("/")[2]
        assert record["body_bytes"] == len(plain(path))
        unread = record["content_type"].split("/")[0] in {"image", "video"} or "json" in record["content_type"]
        unread = unread or record["content_type"] == "application/pdf"
        assert (record["body_hash"] is None) == unread, record["url"]
