"""The transport without a network keeps the promises that matter to its callers."""

import asyncio

import pytest

from crawler.core.model import Failure
from crawler.fetcher.transport.base import FetchRequest, Transport
from crawler.fetcher.transport.fake import FakeTransport, answer

REQUEST = FetchRequest("http://a.example/", max_body_bytes=10, timeout_s=0.05)


async def test_a_plain_function_plays_the_web():
    transport: Transport = FakeTransport(lambda request: answer(request, "<p>hi"))
    result = await transport.fetch(REQUEST)
    assert (result.url, result.status, result.body, result.body_bytes) == (REQUEST.url, 200, b"<p>hi", 5)
    assert result.header("content-type") == "text/html; charset=utf-8"
    assert result.header("location") is None


async def test_a_coroutine_function_and_a_failure_do_too():
    async def handler(request):
        await asyncio.sleep(0)
        return Failure("dns", request.url, retryable=False)

    assert await FakeTransport(handler).fetch(REQUEST) == Failure("dns", REQUEST.url, retryable=False)


async def test_the_body_limit_holds():
    result = await FakeTransport(lambda request: answer(request, b"x" * 11)).fetch(REQUEST)
    assert (result.body, result.body_bytes, result.truncated) == (b"x" * 10, 10, True)


async def test_the_time_limit_holds():
    async def never(_):
        await asyncio.Event().wait()

    failure = await FakeTransport(never).fetch(REQUEST)
    assert (failure.kind, failure.retryable) == ("timeout", True)


async def test_a_handlers_own_error_is_the_tests_bug_and_comes_out():
    def broken(_):
        raise TimeoutError("mine")

    transport = FakeTransport(broken)
    with pytest.raises(TimeoutError, match="mine"):
        await transport.fetch(REQUEST)
    assert (transport.fetches, transport.in_flight) == (1, 0)


async def test_it_counts_and_remembers_that_it_was_closed():
    transport = FakeTransport(answer, latency_s=0.01)
    fetches = [asyncio.create_task(transport.fetch(REQUEST)) for _ in range(3)]
    await asyncio.sleep(0)
    assert transport.in_flight == 3
    await asyncio.gather(*fetches)
    await transport.close()
    assert (transport.fetches, transport.in_flight, transport.closed) == (3, 0, True)
