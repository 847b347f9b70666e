"""What follows from the answer to a request: a download, a redirect, another attempt, or the end. Pure."""

import re

from msgspec import msgpack, structs

from crawler.core.model import Answer, Done, Download, Exchange, Failure, Outcome, Task
from crawler.fetcher.transport.base import FetchResult, is_redirect
from crawler.web.redirect import followed
from crawler.web.scope import Scope
from crawler.web.urls import resolve, robots_url
from crawler.web.warc import captured

__all__ = ["archived", "downloaded", "failed", "redirected", "skipped", "unusable"]

_READABLE = re.compile(r"text/|.*(html|xml|octet-stream)|[^/]*(;|$)|\*|unknown/", re.IGNORECASE)
"""Content types under which a page may come, honest or not: a missing or malformed one too."""


def redirected(task: Task, result: FetchResult, spent_s: float, scope: Scope) -> Done:
    """The outcome of a redirect; see `web.redirect`."""
    target = resolve(task.url, result.header("location") or "", strip_session=False)
    return followed(task, target, status=result.status, spent_s=spent_s, scope=scope)


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
    task: Task, result: FetchResult, fetched_at: float, spent_s: float, exchange: Exchange | None = None
) -> Download:
    """The answer as parsers get it; bodies that hold no text to read stay behind, but for sitemaps (gzip, mostly).

    With an `exchange` the answer goes into an archive, and no body stays behind.
    """
    content_type = (result.header("content-type") or "").strip()
    stays = exchange is None and task.kind == "page" and not _READABLE.match(content_type)
    body = b"" if stays else result.body
    answer = Answer(result.status, result.headers, body, result.body_bytes, result.truncated)
    return Download(task, answer, fetched_at, spent_s, exchange=exchange)


def archived(done: Done, result: FetchResult, at: float, exchange: Exchange | None) -> Done:
    """The outcome of an answer that no parser gets, with what an archive keeps of it; `at` is unix time."""
    if exchange is None:
        return done
    body = None if is_redirect(result.status, result.headers) else result.body
    capture = captured(result.url, result.status, at, exchange, body, truncated=result.truncated)
    return structs.replace(done, archive=msgpack.encode(capture), fetched_at=at)


def failed(task: Task, failure: Failure) -> Done:
    """The outcome of a fetch without an answer. An address that may not be asked is a skip, not a failure."""
    outcome: Outcome = "skipped" if failure.kind == "private-address" else "failed"
    return Done(task.key, outcome, failure.kind, detail=failure.detail)


def skipped(task: Task, reason: str) -> Done:
    """The outcome of a URL that is not asked for."""
    return Done(task.key, "skipped", reason)
