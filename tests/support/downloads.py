"""Downloads for tests, made of their facts by name, and what the parsers' work makes of them."""

import json
from pathlib import Path

from crawler.core.config import CrawlConfig
from crawler.core.model import Answer, Download, SeedContext, Task
from crawler.parsers.reading.reader import PageReader, parse_page
from crawler.parsers.reading.settings import ParserSettings
from crawler.web.urls import task_key

__all__ = ["PAGE_URL", "SEED", "download_of", "reader_of", "record_of"]

PAGE_URL = "http://h.example/dir/page.html"
SEED = SeedContext(1, ("http://h.example/",), b"null")


def download_of(body: bytes | str = b"<p>x", *headers: tuple[str, str], **facts) -> Download:
    """A page of HTML, one link from its seed; `facts` are fields of `Task`, `Answer` or `Download`."""
    body = body.encode() if isinstance(body, str) else body
    url, kind = facts.get("url", PAGE_URL), facts.get("kind", "page")
    known = {
        "key": task_key(url, kind),
        "url": url,
        "depth": 1,
        "parent": "http://h.example/",
        "redirected_from": (),
        "attempts": 0,
        "seed": SEED,
        "status": 200,
        "headers": (*headers, ("content-type", "text/html; charset=utf-8")),
        "body": body,
        "body_bytes": len(body),
        "fetched_at": 1_795_364_400.1256,
    } | facts

    def of(struct: type, *but: str) -> dict:
        return {name: known.pop(name) for name in struct.__struct_fields__ if name in known and name not in but}

    return Download(Task(**of(Task, "spent_s")), Answer(**of(Answer)), **known)


def reader_of(**settings) -> PageReader:
    return PageReader(ParserSettings.of(CrawlConfig(job=Path("unused"), **settings)))


def record_of(download: Download, **settings) -> dict:
    line = parse_page(download, reader_of(**settings)).records
    assert line is not None
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    return json.loads(line)
