"""What the dashboard's server tells, to whom, and what it costs a crawl when somebody looks badly."""

import asyncio
import contextlib
import json
import socket

import aiohttp
import pytest

from crawler.core.errors import ConfigError, UsageError
from crawler.core.host_line import HostLine, HostLines
from crawler.core.model import Finished
from crawler.core.stats import CrawlStats
from crawler.core.steered import Change, Steered
from crawler.serve import events as events_module
from crawler.serve.dashboard import Dashboard
from crawler.serve.events import MOST_LOOKING, Events
from crawler.serve.recent import Recent
from crawler.serve.server import LocalServer, listen
from crawler.serve.watched import Watched


class Noted(list):
    """A crawl that only notes how it is steered."""

    def __call__(self, change: Change) -> None:
        if change.host == "no such host":
            raise UsageError("'no such host' names no host")
        self.append(change)


def watched(steer=None, stats=None) -> Watched:
    async def explain(url: str) -> str:
        if not url.startswith("http"):
            raise UsageError(f"not an http(s) URL: {url!r}")
        return f"the story of {url}"

    async def hosts(part: str, most: int, _stored: bool) -> HostLines:
        names = [name for name in (f"host{n}.example" for n in range(1_000)) if part in name]
        return HostLines(tuple(map(HostLine, names[:most])), len(names), 1_000)

    return Watched(
        title="a job",
        stats=stats or (lambda: CrawlStats(known=3)),
        limit=lambda _before, _now: ("network", "since it is so"),
        steered=Steered,
        steer=Noted() if steer is None else steer,
        hosts=hosts,
        explain=explain,
        recent=Recent(),
    )


class Client:
    """Asks a dashboard as its page does, or as others do."""

    def __init__(self, dashboard: Dashboard, session: aiohttp.ClientSession) -> None:
        root, self.token = dashboard.address.split("#")
        self.root = root.rstrip("/")
        self.session = session

    async def ask(self, method: str, path: str, said=None, **headers: str) -> tuple[int, object]:
        known = {"X-Crawler-Token": self.token, "Origin": self.root} | headers
        async with self.session.request(method, self.root + path, data=said, headers=known) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if answer.content_type == "application/json" else text

    async def look(self, **headers: str) -> aiohttp.ClientResponse:
        known = {"X-Crawler-Token": self.token} | headers
        return await self.session.get(f"{self.root}/api/events", headers=known)


@contextlib.asynccontextmanager
async def open_dashboard(shown: Watched | None = None):
    dashboard = Dashboard(listen("dashboard", 0, 0), shown or watched())
    await dashboard.start()
    async with aiohttp.ClientSession() as session:
        try:
            yield dashboard, Client(dashboard, session)
        finally:
            await dashboard.close()


async def told(answer: aiohttp.ClientResponse) -> tuple[str, object]:
    """The next event of a stream."""
    name = (await answer.content.readline()).decode().removeprefix("event: ").strip()
    data = json.loads((await answer.content.readline()).decode().removeprefix("data: "))
    assert await answer.content.readline() == b"\n"
    return name, data


async def test_without_the_token_nothing_is_told_and_nothing_changed():
    steered = Noted()
    async with open_dashboard(watched(steered)) as (_, client):
        asked = [
            ("GET", "/api/events"),
            ("GET", "/api/hosts"),
            ("GET", "/api/explain?url=http://a/"),
            ("POST", "/api/steer"),
        ]
        for method, path in asked:
            for token in ("", "x" * len(client.token), client.token[:-1], f"{client.token}x", "é"):
                status, answer = await client.ask(method, path, b'{"do":"pause"}', **{"X-Crawler-Token": token})
                assert (status, list(answer)) == (403, ["error"])
        for path in ("/", "/dashboard.css", "/dashboard.js", "/icon.svg"):  # the page itself holds no secret
            status, text = await client.ask("GET", path, **{"X-Crawler-Token": ""})
            assert status == 200
            assert client.token not in text
    assert steered == []


async def test_only_the_page_itself_changes_anything():
    steered = Noted()
    async with open_dashboard(watched(steered)) as (_, client):
        port = client.root.rpartition(":")[2]
        for origin in ("http://evil.example", "null", "", f"https://127.0.0.1:{port}", f"http://127.0.0.1:1{port}"):
            assert (await client.ask("POST", "/api/steer", b'{"do":"stop"}', Origin=origin))[0] == 403, origin
        assert (await client.ask("OPTIONS", "/api/steer", Origin="http://evil.example"))[0] == 405  # no preflight
        assert (await client.ask("GET", "/api/steer", b'{"do":"stop"}'))[0] == 405
        assert steered == []
        assert (await client.ask("POST", "/api/steer", b'{"do":"stop"}'))[0] == 200
    assert steered == [Change("stop")]


async def test_a_change_that_cannot_be_made_is_told_in_words():
    async with open_dashboard() as (_, client):
        for said in (b"", b"[]", b'{"do":"dance"}', b'{"do":"delay","host":"a","delay_s":"1"}', b"\xff", b"{" * 9_000):
            status, answer = await client.ask("POST", "/api/steer", said)
            assert (status, list(answer)) == (400, ["error"]), said
        assert (await client.ask("POST", "/api/steer", b" " * 20_000))[0] == 413
        refused = await client.ask("POST", "/api/steer", b'{"do":"block","host":"no such host"}')
        assert refused == (400, {"error": "'no such host' names no host"})
        assert await client.ask("GET", "/api/explain?url=nonsense") == (
            400,
            {"error": "not an http(s) URL: 'nonsense'"},
        )


async def test_hosts_are_searched_here_and_an_answer_holds_few_of_them():
    async with open_dashboard() as (_, client):
        for query, lines, found in (
            ("", 50, 1_000),
            ("?search=HOST99", 11, 11),
            ("?search=nobody", 0, 0),
            ("?most=1000000", 200, 1_000),
            ("?most=-1", 50, 1_000),
            ("?most=" + "9" * 5_000, 50, 1_000),
        ):
            status, answer = await client.ask("GET", f"/api/hosts{query}")
            assert (status, len(answer["lines"]), answer["found"], answer["of"]) == (200, lines, found, 1_000), query


async def test_who_looks_sees_the_counters_what_ended_and_the_end():
    shown = watched()
    shown.recent.take([Finished(url="http://a.example/gone", outcome="failed", at=1.0, reason="timeout")])
    async with open_dashboard(shown) as (dashboard, client):
        answer = await client.look()
        assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        name, picture = await told(answer)
        assert (name, picture["title"], picture["stats"]["known"], picture["limit"]) == (
            "picture",
            "a job",
            3,
            "network",
        )
        name, news = await told(answer)
        assert (name, [one["what"] for one in news["errors"]], news["pages"]) == ("news", ["timeout"], [])
        record = b'{"title":"<script>\\u202e","n":1}\n'
        shown.recent.take([Finished(url="http://a.example/", outcome="fetched", at=2.0, status=200, records=record)])
        while (event := await told(answer))[0] != "news":
            pass
        assert [(one["url"], one["what"], one["title"]) for one in event[1]["pages"]] == [
            ("http://a.example/", "200", "<script>\\u202e")
        ]
        ending = asyncio.create_task(dashboard.close())
        while (event := await told(answer))[0] != "end":
            pass
        assert await answer.content.read() == b""
        await ending


async def test_a_crawl_that_nobody_looks_at_is_asked_for_nothing():
    asked = 0

    def stats() -> CrawlStats:
        nonlocal asked
        asked += 1
        return CrawlStats()

    shown = watched(stats=stats)
    async with open_dashboard(shown) as (_, client):
        await client.ask("GET", "/")
        assert (asked, shown.recent.watched) == (0, False)
        answer = await client.look()
        await told(answer)
        assert (asked, shown.recent.watched) == (1, True)
        answer.close()
        while shown.recent.watched:
            await asyncio.sleep(0.01)
        known = asked
        await asyncio.sleep(1.2)  # longer than it is from one picture to the next
        assert asked == known


async def test_as_many_may_look_as_the_crawl_can_afford():
    async with open_dashboard() as (_, client):
        looking = [await client.look() for _ in range(MOST_LOOKING)]
        for one in looking:
            await told(one)
        refused = await client.look()
        assert (refused.status, list(await refused.json())) == (503, ["error"])
        for one in looking:
            one.close()


class _Large:
    """Pictures of half a megabyte."""

    def __init__(self) -> None:
        self.drawn = 0

    def draw(self) -> dict[str, object]:
        self.drawn += 1
        return {"number": self.drawn, "ballast": "x" * 500_000}


async def test_who_stops_reading_is_hung_up_on_and_the_others_go_on(monkeypatch):
    """Nothing piles up for it meanwhile: what it did not take in time is not sent later."""
    monkeypatch.setattr(events_module, "_INTERVAL_S", 0.005)
    monkeypatch.setattr(events_module, "_STALLED_S", 0.5)
    pictures = _Large()
    events = Events(pictures, Recent())
    server = LocalServer(listen("dashboard", 0, 0), {("GET", "/events"): events.stream})
    await server.start()
    stalled = socket.create_connection(("127.0.0.1", server.port))
    stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    stalled.sendall(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % server.port)
    while not events._looking:
        await asyncio.sleep(0.01)
    (handler,) = server._server.connections
    async with aiohttp.ClientSession(read_bufsize=1 << 20) as session, session.get(f"{server.address}events") as answer:
        unread = 0
        seen = []
        while len(events._looking) > 1:
            name, data = await told(answer)
            assert name == "picture"
            seen.append(data["number"])
            if handler.transport is not None:
                unread = max(unread, handler.transport.get_write_buffer_size())
        assert seen == sorted(set(seen))
        assert 0 < unread < 1_000_000  # one picture and what the transport holds, of all that were drawn
        assert pictures.drawn > 3
    await events.close(1.0)
    await server.close()
    stalled.close()


def test_the_last_hundred_errors_are_kept_and_no_page_before_somebody_looks():
    recent = Recent()

    def page(number: int, status: int = 200) -> Finished:
        url = f"http://a.example/{number}"
        return Finished(url=url, outcome="fetched", at=1.0, status=status, records=b'{"title":"T"}\n')

    recent.take([page(n, 404 if n % 2 else 200) for n in range(1_000)])
    last, errors, pages = recent.since(0)
    assert [one.url for one in errors] == [f"http://a.example/{n}" for n in range(801, 1_000, 2)]
    assert pages == []
    recent.watched = True
    recent.take([page(n) for n in range(1_000)])
    assert [one.url for one in recent.since(last)[2]] == [f"http://a.example/{n}" for n in range(950, 1_000)]
    assert recent.since(recent.since(0)[0])[1:] == ([], [])


@pytest.mark.parametrize(
    "records", [b"", b"[]\n", b'{"title":7}\n', b'{"title":null}\n', b"{\n", b'{"a":1}\n{"title":"b"}\n']
)
def test_a_record_without_a_title_is_a_page_all_the_same(records):
    recent = Recent()
    recent.watched = True
    recent.take([Finished(url="http://a.example/", outcome="fetched", at=1.0, status=200, records=records)])
    assert [one.title for one in recent.since(0)[2]] == [""]


def test_a_port_that_is_taken_is_told_before_anything_begins():
    with listen("dashboard", 0, 0) as taken, pytest.raises(ConfigError, match="is taken"):
        listen("dashboard", taken.getsockname()[1], 0)
