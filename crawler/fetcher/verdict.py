"""What follows from the answer to a request: a download, a redirect, another attempt, or the end. Pure."""

from msgspec import msgpack, structs

from crawler.core.model import Answer, Attempt, Done, Download, Exchange, Failure, Task
from crawler.fetcher.transport.base import FetchResult, is_redirect
from crawler.fetcher.transport.body import without_coding
from crawler.web.readable import is_readable
from crawler.web.redirect import followed_location
from crawler.web.scope import Scope
from crawler.web.urls import robots_url
from crawler.web.warc import captured

__all__ = ["archived", "downloaded", "failed", "redirected", "skipped", "unusable"]

_NOT_ASKED = frozenset({"private-address", "robots-unreachable"})


def redirected(task: Task, result: FetchResult, spent_s: float, scope: Scope) -> Done:
    """The outcome of a redirect; see `web.redirect`."""
    location = result.header("location") or ""
    return followed_location(task, location, status=result.status, spent_s=spent_s, scope=scope)


def unusable(task: Task, result: FetchResult) -> Done | None:
    """The outcome of a sitemap that the server does not have; None for any other answer.

    A site without a robots.txt names no sitemaps; nothing failed by that.
    """
    if task.kind == "page" or 200 <= result.status < 300:
        return None
    if 400 <= result.status < 500 and task.url == robots_url(task.url):
        return Done(task.key, "fetched", "sitemap", result.status)
    return Done(task.key, "failed", f"sitemap: status {result.status}", result.status)


def downloaded(
    task: Task,
    result: FetchResult,
    fetched_at: float,
    spent_s: float,
    exchange: Exchange | None = None,
    *,
    attempt: Attempt | None = None,
    whole: bool = False,
) -> Download:
    """The answer as parsers get it; a body that nobody reads stays behind (see `web.readable`). What is encoded goes to
    them whatever it is, since they count its bytes.

    `whole` says that a spider reads all of them. With an `exchange` the answer goes into an archive, body and all; a
    sitemap is read whatever its type, which mostly is gzip.
    """
    read = whole or exchange is not None or task.kind == "sitemap" or is_readable(result.header("content-type"))
    coding = result.coding
    if coding is not None and not read:
        coding = structs.replace(coding, is_read=False)
    body = result.body if read or coding is not None else b""
    answer = Answer(result.status, result.headers, body, result.body_bytes, result.truncated, coding)
    return Download(task, answer, fetched_at, spent_s, exchange=exchange, attempt=attempt, latency_s=result.latency_s)


def archived(done: Done, result: FetchResult, at: float, exchange: Exchange | None) -> Done:
    """The outcome of an answer that no parser gets, with what an archive keeps of it; `at` is unix time."""
    if exchange is None:
        return done
    body = None
    if not is_redirect(result.status, result.headers):
        answer = without_coding(result)
        if isinstance(answer, Failure):
            return done  # there is nothing that an archive could keep
        result, body = answer, answer.body
    capture = captured(result.url, result.status, at, exchange, body, truncated=result.truncated)
    return structs.replace(done, archive=msgpack.encode(capture), fetched_at=at)


def failed(task: Task, failure: Failure, attempt: Attempt | None = None) -> Done:
    """The outcome of a fetch without an answer. What may not be asked for is a skip, not a failure, and no attempt."""
    if failure.kind in _NOT_ASKED:
        return Done(task.key, "skipped", failure.kind, detail=failure.detail)
    return Done(task.key, "failed", failure.kind, detail=failure.detail, attempt=attempt)


def skipped(task: Task, reason: str) -> Done:
    """The outcome of a URL that is not asked for."""
    return Done(task.key, "skipped", reason)
