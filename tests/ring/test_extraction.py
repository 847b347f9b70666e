"""`crawler extract`: records from WARC files, ours and others', whole and broken."""

import asyncio
import contextlib
import gzip
import io
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import zlib
from pathlib import Path

import msgspec
import pyarrow.parquet
import pytest
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from crawler.core.config import CrawlConfig
from crawler.core.errors import ConfigError, StorageError, UsageError
from crawler.core.model import Exchange, Finished, Rotation
from crawler.parsers.pool import ParserPool
from crawler.ring.archive import Archive
from crawler.ring.crawler import Crawler
from crawler.ring.extraction import Extraction
from crawler.web.warc import built, captured, metadata
from tests.support.servers import Answer, LocalServer, html
from tests.support.thorough import first_quickly

LIMIT = 10_000_000


def respond(host, path):
    match path:
        case "/robots.txt":
            return Answer(status=404)
        case "/":
            return Answer(html("/a", "/b", "/same", "/same2", "/moved", "/gone", "/image", "/soon", title="Start"))
        case "/same" | "/same2":
            return Answer(html("/a", title="Same"), headers={"X-Path": path})
        case "/moved":
            return Answer(status=302, headers={"Location": "/a"})
        case "/gone":
            return Answer(html(title="Gone"), status=410)
        case "/image":
            return Answer(b"\x89PNG\r\n\x1a\n" * 9, headers={"content-type": "image/png"})
        case "/soon":
            return Answer("<meta http-equiv=refresh content='0; url=/a'>")
        case "/sitemap.xml":
            return Answer(
                f"<urlset><url><loc>http://{host}/listed</loc></url></urlset>", headers={"content-type": "text/xml"}
            )
    return Answer(gzip.compress(html(title=path, text="é").encode()), headers={"Content-Encoding": "gzip"})


@pytest.fixture(scope="module")
def crawled(tmp_path_factory):
    """A crawl into JSON lines and a WARC file: the folder."""
    folder = tmp_path_factory.mktemp("crawled")
    (folder / "seeds.csv").touch()
    with LocalServer(respond) as server:
        (folder / "seeds.csv").write_text(f"url,team\n{server.url()},blue\nsitemap:{server.url('/sitemap.xml')},red\n")
        config = CrawlConfig(
            job=folder / "job",
            output=(str(folder / "pages.jsonl"), str(folder / "pages.warc.gz")),
            allow_private=True,
            delay_s=0.0,
        )
        asyncio.run(Crawler(config, [str(folder / "seeds.csv")]).run())
    return folder


def extracted(output, *paths, ordered=True, **settings):
    """Records and stats of an extraction."""
    config = CrawlConfig(output=str(output), **({"parsers": 1} | settings))
    stats = asyncio.run(Extraction(config, paths, ordered=ordered).run())
    return [msgspec.json.decode(line) for line in output.read_bytes().splitlines()], stats


def lines(path):
    return [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]


def pages(*paths, limit=LIMIT):
    archive = Archive(paths, limit)
    try:
        return list(archive), archive
    finally:
        archive.close()


# Files of other programs, by hand


def response(out, url, body, *headers, status="200 OK", kind="response", gz=True, **fields):
    writer = WARCWriter(out, gzip=gz)
    http = StatusAndHeaders(status, list(headers), protocol="HTTP/1.1")
    warc_headers = {"WARC-Date": "2020-05-06T07:08:09Z"} | {
        name.replace("_", "-"): value for name, value in fields.items()
    }
    record = writer.create_warc_record(
        url, kind, payload=io.BytesIO(body), length=len(body), http_headers=http, warc_headers_dict=warc_headers
    )
    writer.write_record(record)
    return record.rec_headers["WARC-Payload-Digest"]


def revisit(out, url, digest, *headers, gz=True):
    writer = WARCWriter(out, gzip=gz)
    http = StatusAndHeaders("200 OK", list(headers), protocol="HTTP/1.1") if headers else None
    writer.write_record(writer.create_revisit_record(url, digest, "http://a.test/", "2020-05-06T07:08:09Z", http))


def written(path, *parts):
    """A file of members: each part is a function of the file, or bytes."""
    out = io.BytesIO()
    for part in parts:
        part(out) if callable(part) else out.write(part)
    path.write_bytes(out.getvalue())
    return path


def one(url, body=b"<title>x</title>", *headers, **more):
    return lambda out: response(out, url, body, ("Content-Type", "text/html"), *headers, **more)


# What a crawl has stored


def test_the_records_are_those_of_the_crawl(crawled, tmp_path):
    """In the order of the file, with depth, parent, seed and redirects: equal to what the crawl has written."""
    records, stats = extracted(tmp_path / "again.jsonl", crawled / "pages.warc.gz", parsers=2)
    expected = lines(crawled / "pages.jsonl")
    assert len(expected) == 8
    assert {record["seed"]["team"] for record in expected} == {"blue", "red"}
    assert records == expected
    assert stats.outcomes == {"fetched": 8, "redirected": 1}
    assert stats.left_out == {"redirect": 1, "sitemap": 1}
    assert (stats.pages, stats.records, stats.damaged, stats.interrupted) == (9, 8, (), False)


def test_headers_come_back_under_their_names(crawled):
    found, _ = pages(crawled / "pages.warc.gz")
    download = next(download for download in found if download.task.url.endswith("/a"))
    assert download.answer.header("content-encoding") == "gzip"
    assert not any(name.startswith("x-crawler") for name, _ in download.answer.headers)
    same = [download for download in found if "/same" in download.task.url]
    paths = [download.task.url[download.task.url.index("/same") :] for download in same]
    assert [download.answer.header("x-path") for download in same] == paths
    assert [download.answer.body for download in same] == [html("/a", title="Same").encode()] * 2


SPIDER = """
def titles(page):
    if page.url.endswith("/b"):
        raise LookupError("what a page says stays out of outcomes")
    yield {"title": page.title, "depth": page.depth}
    yield page.follow("/somewhere")
"""


def test_a_spider_reads_the_stored_pages(crawled, tmp_path):
    """Without a server, and whatever it wants to follow; a page that it fails at is counted and the rest goes on."""
    (tmp_path / "mine.py").write_text(SPIDER)
    records, stats = extracted(
        tmp_path / "titles.jsonl", crawled / "pages.warc.gz", spider=f"{tmp_path / 'mine.py'}:titles"
    )
    titles = [record["title"] for record in lines(crawled / "pages.jsonl") if record["title"] not in {"/b", "Gone"}]
    assert [record["title"] for record in records] == titles
    assert {"title": "Start", "depth": 0} in records
    assert stats.outcomes == {"fetched": 7, "redirected": 1, "failed: parser-error: LookupError": 1}


@pytest.mark.thorough
def test_any_order_gives_the_same_records(crawled, tmp_path):
    ordered, _ = extracted(tmp_path / "a.jsonl", crawled / "pages.warc.gz", parsers=2)
    others, _ = extracted(tmp_path / "b.jsonl", crawled / "pages.warc.gz", parsers=2, ordered=False)
    assert sorted(map(str, others)) == sorted(map(str, ordered))


def test_metadata_count_for_the_page_that_they_name(tmp_path):
    """Not for whatever comes next: files may be joined, and records left out."""
    finished = Finished(url="http://a.test/", outcome="fetched", at=1.0, depth=3, parent="http://a.test/parent")
    exchange = Exchange("1.1", b"OK", (), ())
    capture = built(captured(finished.url, 200, 1.0, exchange, b"<p>"))
    told = metadata(finished, capture)
    path = written(tmp_path / "x.warc.gz", told, one("http://a.test/other"), told, capture.request, capture.response)
    found, _ = pages(path)
    assert [(download.task.depth, download.task.parent) for download in found] == [
        (0, None),
        (3, "http://a.test/parent"),
    ]


@pytest.mark.parametrize(
    ("seed", "expected"),
    first_quickly(
        [
            ('{"team": "blue", "n": [1]}', b'{"team":"blue","n":[1]}'),
            ("null", b"null"),
            ('null,"inject":1', b"null"),
            ("}{", b"null"),
            ('{"a":1}\n{"b":2}', b"null"),
            ("[1]", b"null"),
            ('"text"', b"null"),
            ("[" * 100_000, b"null"),
        ],
        2,
    ),
    ids=["object", "null", "more-keys", "braces", "two-lines", "list", "string", "deep"],
)
def test_a_seed_is_an_object_or_null(tmp_path, seed, expected):
    """It goes into records as it is: no file may add keys to them, or break their lines."""
    block = f"outcome: fetched\r\nseed: {seed}\r\n".encode()

    def parts(out):
        writer = WARCWriter(out)
        http = StatusAndHeaders("200 OK", [("Content-Type", "text/html")], protocol="HTTP/1.1")
        page = writer.create_warc_record(
            "http://a.test/", "response", payload=io.BytesIO(b"x"), length=1, http_headers=http
        )
        about = {"WARC-Concurrent-To": page.rec_headers["WARC-Record-ID"]}
        told = writer.create_warc_record(
            "http://a.test/", "metadata", payload=io.BytesIO(block), length=len(block), warc_headers_dict=about
        )
        writer.write_record(told)
        writer.write_record(page)

    path = written(tmp_path / "x.warc.gz", parts)
    (download,), _ = pages(path)
    assert download.task.seed.extra == expected
    (record,), _ = extracted(tmp_path / "out.jsonl", path, fields=("url", "seed"))
    assert record == {"url": "http://a.test/", "seed": msgspec.json.decode(expected)}


# Other programs' files


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"<title>x</title>", ()),
        (b"7;ext=1\r\n<title>\r\n9\r\nx</title>\r\n0\r\n\r\n", (("Transfer-Encoding", "chunked"),)),
        (b"<title>x</title>", (("Transfer-Encoding", "chunked"),)),
        (gzip.compress(b"<title>x</title>"), (("Content-Encoding", "gzip"),)),
        (zlib.compress(b"<title>x</title>"), (("Content-Encoding", "deflate"),)),
        (b"<title>x</title>", (("Content-Encoding", "gzip"),)),
        (
            b"%x\r\n%b\r\n0\r\n\r\n" % (len(gzip.compress(b"<title>x</title>")), gzip.compress(b"<title>x</title>")),
            (("Transfer-Encoding", "chunked"), ("Content-Encoding", "gzip")),
        ),
    ],
    ids=["plain", "chunked", "said-chunked", "gzip", "deflate", "said-gzip", "both"],
)
@pytest.mark.parametrize("gz", [True, False], ids=["warc.gz", "warc"])
def test_bodies_are_freed_from_their_codings(tmp_path, body, headers, gz):
    """As they went over the wire, or decoded by the program that stored them without telling."""
    path = written(tmp_path / "x.warc", one("http://a.test/", body, *headers, gz=gz), one("http://a.test/2", gz=gz))
    found, archive = pages(path)
    assert [download.answer.body for download in found] == [b"<title>x</title>"] * 2
    task = found[0].task
    assert (task.url, task.depth, task.parent) == ("http://a.test/", 0, None)
    assert (found[0].answer.status, found[0].fetched_at) == (200, 1588748889)
    assert (archive.damaged, archive.read_bytes) == ([], path.stat().st_size)


def test_what_is_no_page_is_counted(tmp_path):
    parts = [
        one("http://a.test/", status="301 Moved"),
        one("http://a.test/r", b"", ("Location", "/"), status="301 Moved"),
        one("ftp://a.test/"),
        one("http://a.test/odd", status="hello"),
        one("http://a.test/interim", status="100 Continue"),
        one("http://a.test/br", b"x", ("Content-Encoding", "compress")),
    ]
    found, archive = pages(written(tmp_path / "x.warc.gz", *parts))
    # A 301 that leads nowhere is a page, as in a crawl.
    assert [download.task.url for download in found] == ["http://a.test/"]
    assert archive.left_out == {"redirect": 1, "no http(s) URL": 1, "no HTTP answer": 2, "encoding": 1}


@pytest.mark.parametrize("gz", [True, False], ids=["warc.gz", "warc"])
def test_a_revisit_has_the_body_of_its_original(tmp_path, gz):
    """With its own head if it has one; the original may stand in a file before, coded in its own way."""
    packed = gzip.compress(b"<title>x</title>")
    digests = []
    first = written(
        tmp_path / "1.warc.gz",
        one("http://a.test/other", gz=gz),
        lambda out: digests.append(
            response(out, "http://a.test/", packed, ("Content-Encoding", "gzip"), ("X-A", "1"), gz=gz)
        ),
    )
    second = written(
        tmp_path / "2.warc.gz",
        lambda out: revisit(out, "http://a.test/v1", digests[0], ("X-A", "2"), gz=gz),
        lambda out: revisit(out, "http://a.test/v2", digests[0], gz=gz),
        lambda out: revisit(out, "http://a.test/v3", "sha1:AAAA", gz=gz),
    )
    found, archive = pages(first, second)
    assert [(download.task.url[14:], download.answer.body, download.answer.header("x-a")) for download in found] == [
        ("other", b"<title>x</title>", None),
        ("", b"<title>x</title>", "1"),
        ("v1", b"<title>x</title>", "2"),
        ("v2", b"<title>x</title>", "1"),
    ]
    assert archive.left_out == {"revisit of a page that was not read": 1}


def test_a_body_is_cut_where_a_download_would_be(tmp_path):
    """A few kilobytes that decode to a gigabyte do not fill the memory."""
    bomb = zlib.compressobj(9, zlib.DEFLATED, 31)
    body = b"".join(bomb.compress(b"\0" * 1_000_000) for _ in range(100)) + bomb.flush()
    path = written(
        tmp_path / "x.warc.gz", one("http://a.test/", body, ("Content-Encoding", "gzip")), one("http://a.test/2")
    )
    found, _ = pages(path, limit=1000)
    answers = [download.answer for download in found]
    assert [(len(answer.body), answer.body_bytes, answer.truncated) for answer in answers] == [
        (1000, 1000, True),
        (16, 16, False),
    ]


def test_what_wget_stores_can_be_read(tmp_path):
    """A real program's file, over a real connection."""
    if shutil.which("wget") is None:
        pytest.skip("wget is not installed")
    with LocalServer(respond) as server:
        command = ["wget", "-q", "-r", "-l", "1", "--warc-file=wget", server.url()]
        subprocess.run(command, cwd=tmp_path, check=False, timeout=60, env={**os.environ, "no_proxy": "*"})
        records, stats = extracted(tmp_path / "pages.jsonl", tmp_path / "wget.warc.gz")
        titles = {record["url"]: record["title"] for record in records if record["title"]}
        assert titles[server.url()] == "Start"
        assert titles[server.url("/b")] == "/b"
        assert titles[server.url("/same")] == titles[server.url("/same2")] == "Same"
        assert (stats.damaged, {record["depth"] for record in records}) == ((), {0})


# Broken files


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"hello\n", "first line"),
        (b"\x1f\x8b\x08\x00garbage", "is not a WARC file"),
        (gzip.compress(b"hello\n"), "first line"),
        (b"WARC/1.0\r\nContent-Length: 5\r\n\r\nhelloWARC/1.0\r\n", "longer than its Content-Length"),
    ],
    ids=["text", "not-gzip", "gzip", "no-blank-line"],
)
def test_what_is_no_warc_file_is_refused_before_anything_is_written(tmp_path, content, why):
    path = tmp_path / "x.warc.gz"
    path.write_bytes(content)
    if why.startswith("longer"):
        assert why in pages(path)[1].damaged[0]
        return
    with pytest.raises(UsageError, match="is not a WARC file") as error:
        extracted(tmp_path / "out.jsonl", path)
    assert why in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out.jsonl").exists()


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"cannot read .*none\.warc\.gz: No such file"):
        Extraction(CrawlConfig(output=str(tmp_path / "x.jsonl")), [tmp_path / "none.warc.gz"])


def test_a_file_compressed_as_a_whole_says_what_mends_it(tmp_path):
    out = io.BytesIO()
    for number in range(3):
        response(out, f"http://a.test/{number}", b"x", gz=False)
    path = tmp_path / "x.warc.gz"
    path.write_bytes(gzip.compress(out.getvalue()))
    assert "warcio recompress" in pages(path)[1].damaged[0]


@pytest.mark.parametrize("how", ["cut", "flipped", "overwritten"])
def test_pages_before_a_damage_are_read(tmp_path, capfd, how):
    """The damage is told with its place, on one line; what stands behind it is read, and the next file as well."""
    # So that it does not compress.
    body = random.Random(1).randbytes(200_000)
    whole = written(
        tmp_path / "x.warc.gz", one("http://a.test/1"), one("http://a.test/2", body), one("http://a.test/3")
    )
    content = bytearray(whole.read_bytes())
    if how == "cut":
        del content[100_000:]
    elif how == "flipped":
        content[100_000:100_400] = bytes(400)
    else:
        content[600:] = b"x" * (len(content) - 600)
    whole.write_bytes(content)
    other = written(tmp_path / "y.warc.gz", one("http://a.test/4"))
    found, archive = pages(whole, other)
    assert [download.task.url[-1] for download in found] == ["1", "3", "4"] if how == "flipped" else ["1", "4"]
    (message,) = archive.damaged
    assert "x.warc.gz: damaged at byte" in message
    assert "\n" not in message
    assert capfd.readouterr() == ("", "")


def test_each_place_is_told_but_no_more_than_a_hundred_of_a_file(tmp_path):
    endless = gzip.compress(b"WARC/1.0\r\n" + b"A: b\r\n" * 25_000)
    nonsense = gzip.compress(b"nonsense\r\n")
    path = written(
        tmp_path / "x.warc.gz", one("http://a.test/1"), endless, *[nonsense] * 104, one("http://a.test/2"), endless[:-9]
    )
    found, archive = pages(path)
    assert [download.task.url[-1] for download in found] == ["1", "2"]
    first, *_, last = archive.damaged
    start = path.read_bytes().index(endless)
    assert first.endswith(f"x.warc.gz: damaged at byte {start}: a head of more than 20,000 lines")
    assert last.endswith("x.warc.gz: damaged at 6 places more")
    assert len(archive.damaged) == 101
    done = run(path, "--fields", "url", "--parsers", "1")
    assert (done.returncode, len(done.stdout.splitlines()), len(done.stderr.splitlines())) == (1, 2, 102)


def test_what_a_crawl_says_of_a_page_is_read_within_bounds(tmp_path):
    hops = b"outcome: fetched\r\n" + b"redirectedFrom: http://a.test/r\r\n" * 30_000
    about = b"WARC/1.1\r\nWARC-Type: metadata\r\nWARC-Concurrent-To: <urn:x>\r\nContent-Length: %d\r\n\r\n" % len(hops)
    page = one("http://a.test/", WARC_Record_ID="<urn:x>")
    found, _ = pages(written(tmp_path / "x.warc.gz", gzip.compress(about + hops), page))
    assert 0 < len(found[0].task.redirected_from) <= 1_000


def head(*lines, gz):
    """A record as it is written by hand: its head's lines, then its block."""
    record = "\r\n".join(("WARC/1.0", *lines, "", "")).encode()
    return gzip.compress(record) if gz else record


@pytest.mark.parametrize("gz", [True, False], ids=["warc.gz", "warc"])
def test_a_page_without_url_is_left_out(tmp_path, gz):
    """The records behind it are read."""
    bare = [
        head(f"WARC-Type: {kind}", "Content-Length: 23", "", "HTTP/1.1 200 OK", "", "body", gz=gz)
        for kind in ("response", "revisit", "request")
    ]
    found, archive = pages(written(tmp_path / "x.warc", *bare, one("http://a.test/", gz=gz)))
    assert [download.task.url for download in found] == ["http://a.test/"]
    assert (archive.left_out, archive.damaged) == ({"no http(s) URL": 2}, [])


@pytest.mark.parametrize("length", ["4", "9" * 30, "9" * 5000], ids=["short", "huge", "thousands-of-digits"])
@pytest.mark.parametrize("gz", [True, False], ids=["warc.gz", "warc"])
def test_a_length_that_is_not_true_is_a_damage(tmp_path, gz, length):
    """Whatever it says, reading ends with a message."""
    lines = ["WARC-Type: response", "WARC-Target-URI: http://a.test/2", f"Content-Length: {length}", ""]
    bad = head(*lines, "HTTP/1.1 200 OK", "", "<p>one", "<p>two", "<p>three", gz=gz)
    other = written(tmp_path / "y.warc.gz", one("http://a.test/3"))
    found, archive = pages(written(tmp_path / "x.warc", one("http://a.test/1", gz=gz), bad), other)
    assert {download.task.url[-1] for download in found} - {"2"} == {"1", "3"}
    (message,) = archive.damaged
    assert "x.warc: damaged at byte" in message


@pytest.mark.parametrize("block", ["", "outcome: fetched"], ids=["nothing", "a-part"])
@pytest.mark.parametrize("kind", ["response", "metadata"])
def test_a_plain_file_that_ends_within_a_record_is_damaged(tmp_path, kind, block):
    """No compression tells that there was more: its Content-Length does."""
    cut = head(f"WARC-Type: {kind}", "WARC-Target-URI: http://a.test/2", "Content-Length: 99", "", gz=False)
    found, archive = pages(
        written(tmp_path / "x.warc", one("http://a.test/1", gz=False), cut.removesuffix(b"\r\n") + block.encode())
    )
    assert [download.task.url for download in found] == ["http://a.test/1"]
    (message,) = archive.damaged
    assert message.endswith("the file ends within a record; nothing behind it was read")


def test_a_url_with_spaces_writes_nothing_to_the_terminal(tmp_path):
    """In a process of its own: here the tests' own logging would take it."""
    path = written(
        tmp_path / "x.warc",
        head("WARC-Type: resource", "WARC-Target-URI: http://a.test/ \x1b[31m", "Content-Length: 0", "", gz=False),
    )
    code = f"import pathlib, crawler.ring.archive as a; list(a.Archive([pathlib.Path({str(path)!r})], 1))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


@pytest.mark.parametrize("date", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "soon"])
def test_a_date_that_no_record_can_show_is_none(tmp_path, date):
    (record,), stats = extracted(
        tmp_path / "out.jsonl",
        written(tmp_path / "x.warc.gz", one("http://a.test/", WARC_Date=date)),
        fields=("fetched_at",),
    )
    assert record == {"fetched_at": "1970-01-01T00:00:00.000Z"}
    assert stats.outcomes == {"fetched": 1}


# Outputs


def test_outputs_that_are_there_are_not_overwritten(tmp_path):
    path = written(tmp_path / "x.warc.gz", one("http://a.test/"))
    out = tmp_path / "out.jsonl"
    out.write_text("precious\n")
    config = CrawlConfig(output=str(out), parsers=1)
    with pytest.raises(ConfigError, match=r"out\.jsonl is there already: --fresh overwrites it"):
        Extraction(config, [path])
    assert out.read_text() == "precious\n"
    asyncio.run(Extraction(config, [path], fresh=True).run())
    assert [record["url"] for record in lines(out)] == ["http://a.test/"]


def test_fresh_removes_all_of_an_output(tmp_path):
    """The database with its columns, and the files of a row, behind a gap too; what is not of it stays."""
    path = written(tmp_path / "x.warc.gz", one("http://a.test/"))
    database, row = tmp_path / "a.db", tmp_path / "b.jsonl"

    def begun(*fields):
        config = CrawlConfig(output=str(database), parsers=1, fields=fields)
        asyncio.run(Extraction(config, [path], fresh=True).run())

    begun("url")
    begun("url", "title")
    with contextlib.closing(sqlite3.connect(database)) as opened:
        assert opened.execute("SELECT url, title FROM records").fetchall() == [("http://a.test/", "x")]
    for name in ("b-00001.jsonl", "b-00007.jsonl", "b-old.jsonl"):
        (tmp_path / name).write_text("old\n")
    rotating = CrawlConfig(output=str(row), parsers=1, rotate=Rotation(records=10))
    asyncio.run(Extraction(rotating, [path], fresh=True).run())
    assert sorted(file.name for file in tmp_path.glob("b*")) == ["b-00001.jsonl", "b-old.jsonl"]
    assert [record["url"] for record in lines(tmp_path / "b-00001.jsonl")] == ["http://a.test/"]


@pytest.mark.parametrize("ending", [".csv.gz", ".db", ".parquet"])
def test_every_output_is_whole_at_the_end(tmp_path, ending):
    path = written(tmp_path / "x.warc.gz", *[one(f"http://a.test/{number}") for number in range(40)])
    out = tmp_path / f"out{ending}"
    asyncio.run(Extraction(CrawlConfig(output=str(out), parsers=1, fields=("url", "status")), [path]).run())
    if ending == ".csv.gz":
        urls = [line.split(",")[0] for line in gzip.decompress(out.read_bytes()).decode().splitlines()[1:]]
    elif ending == ".db":
        with contextlib.closing(sqlite3.connect(out)) as database:
            urls = [url for (url,) in database.execute("SELECT url FROM records ORDER BY rowid")]
    else:
        urls = pyarrow.parquet.read_table(out)["url"].to_pylist()
    assert urls == [f"http://a.test/{number}" for number in range(40)]


def test_an_archive_is_no_output(tmp_path):
    path = written(tmp_path / "x.warc.gz", one("http://a.test/"))
    with pytest.raises(ConfigError, match="extract writes records"):
        Extraction(CrawlConfig(output=str(tmp_path / "y.warc.gz")), [path])


def test_a_full_disk_ends_it_with_a_message(tmp_path):
    path = written(tmp_path / "x.warc.gz", *[one(f"http://a.test/{number}") for number in range(50)])
    with pytest.raises(StorageError, match="/dev/full"):
        asyncio.run(Extraction(CrawlConfig(output="/dev/full", parsers=1), [path]).run())


SLOW = """
import time
from pathlib import Path

def read(page):
    while page.url.endswith("/0") and not Path(__file__).with_name("go").exists():
        time.sleep(0.01)
    return {"url": page.url}
"""


def test_a_slow_page_holds_up_only_a_bounded_number_of_others(tmp_path):
    """With order kept the others wait for it, and the reader for them; without order they do not wait."""
    parts = [one(f"http://a.test/{number}") for number in range(1500)]
    path = written(tmp_path / "x.warc.gz", *parts)
    (tmp_path / "slow.py").write_text(SLOW)
    config = CrawlConfig(output=str(tmp_path / "out.jsonl"), parsers=2, spider=f"{tmp_path / 'slow.py'}:read")

    async def watched():
        extraction = Extraction(config, [path])
        running = asyncio.ensure_future(extraction.run())
        most = seen = 0
        while most <= 100 or most != seen:  # until it comes no further
            seen = most
            await asyncio.sleep(0.3)
            most = extraction._archive.pages
        assert not extraction.stats().pages
        (tmp_path / "go").touch()
        await running
        return most

    most = asyncio.run(watched())
    assert 100 < most < 700
    assert [record["url"] for record in lines(tmp_path / "out.jsonl")] == [f"http://a.test/{n}" for n in range(1500)]


def test_the_loop_goes_on_while_parsers_end(tmp_path, monkeypatch):
    """So that signals are heard then: the loop answers while the pool is being closed."""
    path = written(tmp_path / "x.warc.gz", one("http://a.test/"))
    answered = []
    close = ParserPool.close

    async def watched():
        loop = asyncio.get_running_loop()

        def closing(pool):
            answer = threading.Event()
            loop.call_soon_threadsafe(answer.set)
            answered.append(answer.wait(5))
            close(pool)

        monkeypatch.setattr(ParserPool, "close", closing)
        await Extraction(CrawlConfig(output=str(tmp_path / "out.jsonl"), parsers=1), [path]).run()

    asyncio.run(watched())
    assert answered == [True]


# The command


UNEXPECTED = """
import sys
from crawler.ring.archive import Archive
from crawler.cli.entry import main

def broken(archive):
    raise LookupError("nobody thought of it")

Archive.__iter__ = broken
sys.exit(main(["extract", *sys.argv[1:]]))
"""


def test_an_unexpected_error_promises_nothing(tmp_path):
    """Nothing is committed, and the same command would be refused."""
    path = written(tmp_path / "x.warc.gz", one("http://a.test/"))
    command = [sys.executable, "-c", UNEXPECTED, str(path), "-o", str(tmp_path / "out.jsonl"), "--parsers", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    (message,) = done.stderr.splitlines()
    assert message.startswith("crawler: error: unexpected LookupError: nobody thought of it (")
    assert "--fresh begins anew" in message
    assert "committed" not in message
    assert "goes on" not in message


def run(*arguments, **more):
    command = [sys.executable, "-m", "crawler", "extract", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **more)


def test_the_command_prints_records_and_says_what_it_did(crawled, tmp_path):
    """Records alone on standard output; one line of summary beside them, none with --quiet."""
    done = run(crawled / "pages.warc.gz", "--fields", "url,status", "--parsers", "1", cwd=tmp_path)
    assert done.returncode == 0
    expected = [{"url": record["url"], "status": record["status"]} for record in lines(crawled / "pages.jsonl")]
    assert list(map(msgspec.json.decode, done.stdout.splitlines())) == expected
    (summary,) = done.stderr.splitlines()
    assert summary.startswith("8 records from 9 pages in 1 file (")
    assert "without a record: 1 redirected; no page: 1 redirect, 1 sitemap" in summary
    quiet = run(
        crawled / "pages.warc.gz", "--fields", "url", "--select", "t=title", "--quiet", "-o", "t.csv", cwd=tmp_path
    )
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    assert "Start" in (tmp_path / "t.csv").read_text()


def test_how_the_command_ends(tmp_path):
    """Exit codes: a damaged file, no page at all, a mistake."""
    good = written(tmp_path / "good.warc.gz", one("http://a.test/"))
    cut = tmp_path / "cut.warc.gz"
    cut.write_bytes(good.read_bytes() + good.read_bytes()[:200])
    done = run(cut, good, "--fields", "url")
    assert (done.returncode, done.stdout) == (1, '{"url":"http://a.test/"}\n' * 2)
    assert "cut.warc.gz: damaged at byte" in done.stderr
    empty = written(tmp_path / "empty.warc.gz", one("http://a.test/", b"", ("Location", "/x"), status="301 X"))
    assert run(empty).returncode == 3
    wrong = run(tmp_path / "none.warc.gz")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("crawler: error: cannot read")


def test_a_reader_that_has_seen_enough_ends_it_quietly(tmp_path):
    path = written(tmp_path / "x.warc.gz", *[one(f"http://a.test/{n}", b"<p>" + b"x" * 2000) for n in range(500)])
    script = f"{sys.executable} -m crawler extract {path} | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 4
    assert "Traceback" not in done.stderr
    assert len(done.stdout.splitlines()) == 1


def test_no_process_and_no_file_is_left(crawled, tmp_path):
    """Parsers, temporary folders and databases go with it."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    done = run(crawled / "pages.warc.gz", "-o", tmp_path / "x.jsonl", env={**os.environ, "TMPDIR": str(temporary)})
    assert done.returncode == 0
    assert list(temporary.iterdir()) == []
    assert sorted(path.name for path in Path(tmp_path).iterdir()) == ["tmp", "x.jsonl"]
