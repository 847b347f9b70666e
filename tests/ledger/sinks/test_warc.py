"""A crawl into a WARC file: real servers, both transports, the file read by warcio."""

import asyncio
import gzip
import subprocess
import sys
from collections import Counter

import msgspec
import pytest
from warcio.archiveiterator import ArchiveIterator

from crawler.core.config import CrawlConfig
from crawler.core.errors import ConfigError
from crawler.core.model import Duplicate, Exchange, Finished, Rotation
from crawler.ledger.sinks.files.file import numbered
from crawler.ledger.sinks.outputs import sinks_for
from crawler.ring.crawler import Crawler
from crawler.web.warc import built, captured
from tests.support.servers import RESET, Answer, LocalServer, html
from tests.support.thorough import first_quickly

IMAGE = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
TEXT = html(title="Packed", text="ä" * 1000)


def respond(host, path):
    match path:
        case "/robots.txt":
            return Answer(status=404)
        case "/":
            links = ("/image", "/packed", "/one", "/two", "/three", "/moved", "/broken", "/gone", "/private/x")
            return Answer(html(*links, title="Start"), headers={"Set-Cookie": "id=secret-cookie"})
        case "/image":
            return Answer(IMAGE, headers={"content-type": "image/png"})
        case "/packed":
            return Answer(gzip.compress(TEXT.encode()), headers={"Content-Encoding": "gzip"})
        case "/one" | "/two" | "/three":
            return Answer(html(title="The same"), headers={"X-Path": path})
        case "/moved":
            return Answer(b"moved", status=302, headers={"Location": "/one"})
        case "/broken":
            return RESET
    return Answer(html(title="Not here"), status=404)


def crawl(tmp_path, server, **settings):
    config = CrawlConfig(
        **{
            "job": tmp_path / "job",
            "output": str(tmp_path / "pages.warc.gz"),
            "allow_private": True,
            "delay_s": 0.0,
            "retries": 0,
            "parsers": 1,
            "exclude": ("/private/",),
        }
        | settings
    )
    return asyncio.run(Crawler(config, [server.url()]).run())


def read(path):
    """Each record with its body, after `warcio check` has passed it."""
    check = [sys.executable, "-m", "warcio.cli", "check", "-v", str(path)]
    done = subprocess.run(check, check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "digest pass" in done.stdout
    with path.open("rb") as file:
        return [(record, record.content_stream().read()) for record in ArchiveIterator(file)]


def path_of(record):
    return "/" + record.rec_headers["WARC-Target-URI"].split("/", 3)[3]


def told(found):
    """What metadata say, by path."""
    return {
        path_of(record): dict(line.split(": ", 1) for line in body.decode().splitlines())
        for record, body in found
        if record.rec_type == "metadata"
    }


@pytest.fixture(scope="module")
def server():
    with LocalServer(respond) as one:
        yield one


@pytest.mark.parametrize("transport", first_quickly(["aiohttp", "requests"]))
def test_a_crawl_is_kept_whole(tmp_path, server, transport):
    """Every URL that was handed out says how it ended; every answer is there, as it came but for its codings."""
    crawl(tmp_path, server, transport=transport)
    found = read(tmp_path / "pages.warc.gz")
    outcomes = {path: (one["outcome"], one.get("reason")) for path, one in told(found).items()}
    assert outcomes == {
        "/": ("fetched", None),
        "/image": ("fetched", None),
        "/packed": ("fetched", None),
        "/one": ("fetched", None),
        "/two": ("fetched", None),
        "/three": ("fetched", None),
        "/moved": ("redirected", None),
        "/broken": ("failed", "reset"),
        "/gone": ("fetched", None),
    }
    assert Counter(record.rec_type for record, _ in found) == {
        "warcinfo": 1, "metadata": 9, "request": 8, "response": 6, "revisit": 2,
    }  # fmt: skip
    assert found[0][0].rec_type == "warcinfo"
    assert b"software: crawler/" in found[0][1]
    bodies = {path_of(record): body for record, body in found if record.rec_type == "response"}
    assert bodies["/image"] == IMAGE
    assert bodies["/packed"] == TEXT.encode()
    heads = {path_of(record): record for record, _ in found if record.rec_type in {"response", "revisit"}}
    assert heads["/gone"].http_headers.statusline == "404 X"
    assert heads["/packed"].http_headers["X-Crawler-Content-Encoding"] == "gzip"
    assert (heads["/moved"].http_headers["Location"], bodies["/moved"]) == ("/one", b"")
    assert all(("X-Path", path) in heads[path].http_headers.headers for path in ("/one", "/two", "/three"))
    assert all(heads[path].rec_headers["WARC-IP-Address"] == "127.0.0.1" for path in heads)
    requests = {path_of(record): record for record, _ in found if record.rec_type == "request"}
    assert requests["/one"].http_headers["Host"] == server.url().split("/")[2]
    for path, request in requests.items():
        assert request.rec_headers["WARC-Concurrent-To"] == heads[path].rec_headers["WARC-Record-ID"]


def test_a_revisit_leads_to_its_original(tmp_path, server):
    """Its record is found by URL and date, to the millisecond, as replay programs look for it."""
    crawl(tmp_path, server)
    found = read(tmp_path / "pages.warc.gz")
    responses = {
        (record.rec_headers["WARC-Target-URI"], record.rec_headers["WARC-Date"]): record
        for record, _ in found
        if record.rec_type == "response"
    }
    revisits = [record for record, _ in found if record.rec_type == "revisit"]
    assert len(revisits) == 2
    for record in revisits:
        headers = record.rec_headers
        original = responses[headers["WARC-Refers-To-Target-URI"], headers["WARC-Refers-To-Date"]]
        assert original.rec_headers["WARC-Payload-Digest"] == headers["WARC-Payload-Digest"]


def test_secrets_stay_out(tmp_path, server):
    """Neither the configured headers that may hold one, nor cookies, whoever set them."""
    crawl(tmp_path, server, headers=(("Authorization", "Basic secret-auth"), ("X-Token", "secret-token")), cookies=True)
    assert server.pages()[server.url().split("/")[2], "/one"]
    whole = gzip.decompress((tmp_path / "pages.warc.gz").read_bytes()).lower()
    for secret in (b"secret-auth", b"secret-token", b"secret-cookie", b"authorization", b"x-token", b"cookie"):
        assert secret not in whole


def test_files_of_a_row_each_stand_alone(tmp_path, server):
    crawl(tmp_path, server, rotate=Rotation(records=4))
    parts = [numbered(tmp_path / "pages.warc.gz", number) for number in (1, 2, 3)]
    assert sorted(tmp_path.glob("*.warc.gz")) == parts
    seen = [read(part) for part in parts]
    assert [[record.rec_type for record, _ in found].count("metadata") for found in seen] == [4, 4, 1]
    assert [found[0][0].rec_type for found in seen] == ["warcinfo"] * 3


SPIDER = """
import os

def read(page):
    if page.url.endswith("/one"):
        raise ZeroDivisionError
    if page.url.endswith("/two"):
        os._exit(9)
"""


def test_a_page_that_no_parser_could_read_is_kept(tmp_path, server):
    """So that a mended spider can read it, without another crawl: after an exception, and after a crash too."""
    spider = tmp_path / "mine.py"
    spider.write_text(SPIDER)
    config = CrawlConfig(
        job=tmp_path / "job",
        output=str(tmp_path / "pages.warc.gz"),
        allow_private=True,
        delay_s=0.0,
        parsers=1,
        spider=f"{spider}:read",
    )
    asyncio.run(Crawler(config, [server.url(path) for path in ("/nothing", "/one", "/two")]).run())
    found = read(tmp_path / "pages.warc.gz")
    assert {path: one.get("reason") for path, one in told(found).items()} == {
        "/nothing": None,
        "/one": "parser-error: ZeroDivisionError",
        "/two": "parser-died",
    }
    bodies = {path_of(record): body for record, body in found if record.rec_type == "response"}
    assert bodies["/one"] == bodies["/two"] == html(title="The same").encode()


def test_bodies_of_all_types_are_kept_only_for_an_archive(tmp_path, server):
    """Elsewhere they would only take memory."""
    crawl(tmp_path, server, output=str(tmp_path / "pages.jsonl"))
    records = {
        record["url"]: record
        for record in map(msgspec.json.decode, (tmp_path / "pages.jsonl").read_bytes().splitlines())
    }
    assert records[server.url("/image")]["body_hash"] is None


# The commit protocol


def finished(number, body=b"<p>body"):
    url = f"http://a.test/{number}"
    exchange = Exchange("1.1", b"OK", ((b"Host", b"a.test"),), ())
    archive = msgspec.msgpack.encode(built(captured(url, 200, 1.0, exchange, body)))
    return Finished(url=url, outcome="fetched", at=1.0, status=200, records=b"{}\n", archive=archive)


@pytest.mark.parametrize("rotate", [None, Rotation(records=2)], ids=["one-file", "rotated"])
def test_what_was_not_committed_is_cut_away(tmp_path, rotate):
    """After a crash the file ends with a whole record, and what comes again stands there once."""
    config = CrawlConfig(output=str(tmp_path / "x.warc.gz"), rotate=rotate)
    (sink,) = sinks_for(config)
    sink.open(None)
    sink.write([finished(1)])
    position = sink.flush()
    sink.write([finished(2), finished(3), finished(4)])
    sink.close()
    (again,) = sinks_for(config)
    again.open(position)
    again.write([finished(2), finished(3)])
    again.flush(last=True)
    again.committed()
    again.close()
    paths = [record for part in sorted(tmp_path.glob("*.warc.gz")) for record, _ in read(part)]
    assert [path_of(one) for one in paths if one.rec_type == "response"] == ["/1", "/2", "/3"]


def test_only_the_very_same_body_is_a_revisit(tmp_path):
    """A page whose text is nearly that of another has a body of its own."""
    (sink,) = sinks_for(CrawlConfig(output=str(tmp_path / "x.warc.gz")))
    sink.open(None)
    for number, near in enumerate((True, False)):
        original = Duplicate("http://a.test/0", 1.0, near=near)
        sink.write([msgspec.structs.replace(finished(number), duplicate=original)])
    sink.flush(last=True)
    sink.close()
    kinds = [record.rec_type for record, _ in read(tmp_path / "x.warc.gz")]
    assert kinds == ["warcinfo", "metadata", "request", "response", "metadata", "request", "revisit"]


def test_without_the_extra_it_is_refused_at_start(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "warcio", None)
    with pytest.raises(ConfigError, match=r"WARC needs warcio: pip install warcio, or .* '\.\[warc\]'"):
        sinks_for(CrawlConfig(output=str(tmp_path / "x.warc.gz")))
