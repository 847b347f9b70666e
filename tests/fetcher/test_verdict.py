"""What follows from an answer, without asking anybody."""

import msgspec

from crawler.core.model import Answer, Done, Download, Failure, SeedContext, Task
from crawler.fetcher import verdict
from crawler.fetcher.transport.base import FetchResult
from crawler.web.scope import Scope
from tests.support.table import table

SEED = SeedContext(1, ("http://a.test/",), b"null")
URL = "http://a.test/folder/x"
TASK = Task(b"k" * 16, URL, 2, "http://a.test/", ("http://a.test/old",), 0, SEED, "page", 3, 0.25)
SITEMAP = msgspec.structs.replace(TASK, kind="sitemap")


@table(
    ("location", "target"),
    [
        ("/y", "http://a.test/y"),
        ("y?q#f", "http://a.test/folder/y?q"),
        ("//b.test", "http://b.test/"),
        ("https://user:secret@b.test/", "https://b.test/"),
        ("http://2130706433/", "http://127.0.0.1/"),
        ("/y;jsessionid=0123456789abcdef", "http://a.test/y;jsessionid=0123456789abcdef"),
        (f"{URL};jsessionid=0123456789abcdef", f"{URL};jsessionid=0123456789abcdef"),
        ("/a b\x85c", "http://a.test/a%20b%C2%85c"),
        ("", None),
        ("#top", None),
        ("x", None),
        ("file:///etc/passwd", None),
        ("data:text/html,x", None),
        ("javascript:alert(1)", None),
        ("ftp://a.test/", None),
        ("http://", None),
        ("http://[::1", None),
        ("/" + "x" * (1 << 20), None),
    ],
)
def test_where_a_redirect_leads(location, target):
    """Resolved as a browser would, with its session id; what is not http(s), or the page itself, leads nowhere."""
    done = verdict.redirected(TASK, FetchResult(URL, 302, (("location", location),)), 1.5, Scope("any"))
    if target is None:
        assert (done.outcome, done.reason, done.status, done.links) == ("failed", "redirects", 302, ())
    else:
        assert (done.outcome, [(link.url, link.spent_s) for link in done.links]) == ("redirected", [(target, 1.5)])


@table(
    ("content_type", "readable"),
    [
        ("text/html; charset=utf-8", True),
        ("application/xhtml+xml", True),
        ("application/octet-stream", True),
        ("text/plain", True),
        ("", True),
        (None, True),
        ("nonsense", True),
        ("image/png", False),
        ("application/pdf", False),
        ("application/json", False),
        ("video/mp4; codecs=x", False),
    ],
)
def test_what_parsers_get_to_read(content_type, readable):
    """Bodies of types that hold no page stay behind; a sitemap's never does, since most are gzip."""
    headers = () if content_type is None else (("content-type", content_type),)
    result = FetchResult(URL, 200, headers, b"body", 4, truncated=True)
    download = verdict.downloaded(TASK, result, 12.0, 1.5)
    body = b"body" if readable else b""
    assert download == Download(TASK, Answer(200, headers, body, 4, truncated=True), fetched_at=12.0, spent_s=1.5)
    assert verdict.downloaded(TASK, result, 12.0, 1.5, whole=True).answer.body == b"body", "a spider reads all"
    sitemap = verdict.downloaded(SITEMAP, result, 12.0, 1.5)
    assert (sitemap.answer.body, sitemap.task) == (b"body", SITEMAP)


@table(("status", "usable"), [(200, True), (206, True), (304, False), (404, False), (503, False)])
def test_a_sitemap_needs_a_2xx_status(status, usable):
    """It has no record that could show another one. Pages are pages whatever their status."""
    result = FetchResult(URL, status, (), b"<urlset/>", 9)
    assert verdict.unusable(TASK, result) is None
    end = verdict.unusable(SITEMAP, result)
    if usable:
        assert end is None
    else:
        assert end is not None
        assert (end.outcome, end.reason, end.status) == ("failed", f"sitemap: status {status}", status)


@table(
    ("url", "status", "outcome"),
    [
        ("http://h.example/robots.txt", 404, "fetched"),
        ("http://h.example/robots.txt", 503, "failed"),
        ("http://h.example/dir/robots.txt", 404, "failed"),
    ],
)
def test_a_site_without_a_robots_txt_names_no_sitemaps(url, status, outcome):
    end = verdict.unusable(msgspec.structs.replace(SITEMAP, url=url), FetchResult(url, status))
    assert end is not None
    assert (end.outcome, end.links, end.status) == (outcome, (), status)


@table(
    ("kind", "outcome", "reason"),
    [
        ("timeout", "failed", "timeout"),
        ("tls: expired", "failed", "tls: expired"),
        ("private-address", "skipped", "private-address"),
    ],
)
def test_failures(kind, outcome, reason):
    """An address that may not be asked is a skip."""
    done = verdict.failed(TASK, Failure(kind, "detail", retryable=True))
    assert done == Done(TASK.key, outcome, reason, detail="detail")
