"""Getting a robots.txt: redirects, caps and what counts as unreachable (RFC 9309 §2.3)."""

import asyncio

import msgspec

from crawler.core.model import Failure
from crawler.fetcher.transport.base import FetchRequest, FetchResult, Transport, is_redirect
from crawler.web.robots import MAX_ROBOTS_BYTES, RobotsAnswer, lifetime_s
from crawler.web.urls import authority, resolve, robots_url

__all__ = ["fetch_robots", "robots_answer"]

_MAX_REDIRECTS = 5
"""RFC 9309 §2.3.1.2: at least five are followed."""


async def fetch_robots(transport: Transport, origin: str, timeout_s: float) -> FetchResult | Failure:
    """Ask `origin` for its robots.txt, following five redirects, to other hosts too, all within `timeout_s`.

    The answer applies to `origin` wherever it came from. More redirects come back as the last redirect's answer; a
    failure of another host counts as "cannot say" (RFC 9309 §2.3.1.4), whatever it was. Nothing confidential is sent.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + timeout_s
    url = robots_url(origin)
    for _ in range(_MAX_REDIRECTS + 1):
        left_s = until - loop.time()
        if left_s <= 0:
            result: FetchResult | Failure = Failure("timeout", f"redirected for {timeout_s:g} s", retryable=True)
            break
        result = await transport.fetch(FetchRequest(url, (), left_s, MAX_ROBOTS_BYTES))
        if isinstance(result, Failure) or not is_redirect(result.status, result.headers):
            break
        target = resolve(url, result.header("location") or "", strip_session=False)
        if target is None:
            break
        url = target
    if authority(url) == authority(origin):
        return result
    # What another host is like says nothing about this one: not its address, and not why it failed.
    if isinstance(result, Failure):
        return FetchResult(url, 503)
    return msgspec.structs.replace(result, address=None)


def robots_answer(result: FetchResult | Failure, now: float) -> RobotsAnswer:
    """What an attempt came to, as it is kept: status 0 when there was no answer. `now` is unix time."""
    status, body = (0, b"") if isinstance(result, Failure) else (result.status, result.body)
    return RobotsAnswer(status, body if 200 <= status < 300 else b"", now + lifetime_s(status))
