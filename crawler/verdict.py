"""What follows from the answer to a request: a page, a redirect, another attempt, or the end. Pure."""

import re

from crawler.model import Done, Failure, Link, Page, Task
from crawler.scope import Scope
from crawler.transport.base import FetchResult
from crawler.urls import host_key, resolve, url_key

__all__ = ["MAX_REDIRECTS", "failed", "page", "postponed", "redirected", "skipped"]

MAX_REDIRECTS = 10
_READABLE = re.compile(r"text/|.*(html|xml|octet-stream)|[^/]*(;|$)|\*|unknown/", re.IGNORECASE)
"""Content types under which a page may come, honest or not: a missing or malformed one too."""


def redirected(task: Task, result: FetchResult, scope: Scope) -> Done:
    """The outcome of a redirect: its target becomes a URL of its own, so that each hop passes every check.

    The target of a seed's redirect counts as in scope. More than ten hops, a loop, and a target that is no
    http(s) URL end as `failed: redirects`.
    """
    target = resolve(task.url, result.header("location") or "")
    chain = (*task.redirected_from, task.url)
    if target is None or target in chain or len(chain) > MAX_REDIRECTS:
        return Done(task.key, "failed", "redirects", result.status)
    skip = "" if task.depth == 0 else scope.verdict(target, task.seed.anchors, task.depth)
    link = Link(target, url_key(target), host_key(target), skip)
    return Done(task.key, "redirected", "", result.status, links=(link,))


def page(task: Task, result: FetchResult, fetched_at: float) -> Page:
    """The answer as parsers get it; bodies that hold no text to read stay behind."""
    content_type = (result.header("content-type") or "").strip()
    return Page(
        task.key,
        task.url,
        result.status,
        fetched_at,
        task.depth,
        task.parent,
        task.redirected_from,
        result.headers,
        result.body if _READABLE.match(content_type) else b"",
        result.body_bytes,
        result.truncated,
        task.seed,
    )


def failed(task: Task, failure: Failure) -> Done:
    """The outcome of a fetch without an answer. An address that may not be asked is a skip, not a failure."""
    if failure.kind == "private-address":
        return skipped(task, failure.kind)
    return Done(task.key, "failed", failure.kind)


def postponed(task: Task, until: float) -> Done:
    """A task handed back without having been asked for; `until` is unix time."""
    return Done(task.key, "skipped", "", retry_at=until)


def skipped(task: Task, reason: str) -> Done:
    """The outcome of a URL that is not asked for."""
    return Done(task.key, "skipped", reason)
