"""TLS begins with a session where a server gave one, and costs nothing but a full handshake where that is of no use."""

import asyncio
import ssl
from contextlib import suppress

import pytest
import uvloop

from crawler.fetcher.transport import sessions
from crawler.fetcher.transport.base import FetchRequest
from crawler.fetcher.transport.sessions import Offer, ResumedObject, Sessions
from tests.fetcher.transport.conftest import TRANSPORTS, settings
from tests.fetcher.transport.raw_server import DATA, RawServer, page, reset, says, server_context

CA = DATA / "ca.pem"
V2, V3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
CLOSES = says(page(b"hello", b"Connection: close"))
CHANGED = (
    "{} does not begin a handshake by SSLContext.sslobject_class any more: see crawler/fetcher/transport/sessions.py"
)


def request(server, host="localhost"):
    return FetchRequest(server.url("/", host, "https"), timeout_s=10)


@pytest.fixture
def kind():
    """The transport that offers sessions."""
    return "aiohttp"


@pytest.mark.parametrize("loop_factory", [uvloop.new_event_loop, asyncio.new_event_loop])
def test_second_visits_are_resumed_on_both_event_loops(loop_factory):
    async def visit():
        transport = TRANSPORTS["aiohttp"](settings(ca_bundle=CA))
        seen = []
        for version in (V2, V3):
            async with RawServer(CLOSES, context=server_context("good", version)) as server:
                for _ in range(4):
                    assert (await transport.fetch(request(server))).body == b"hello"
                seen.append(server.resumed)
        await transport.close()
        return seen

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(visit()) == [[False, True, True, True]] * 2, CHANGED.format(loop_factory.__module__)


async def test_a_host_that_is_done_leaves_no_session_unless_it_is_visited_again(make):
    """Taking one is half as much work as a handshake."""
    transport = make(ca_bundle=CA)
    async with RawServer(CLOSES, certificate="good") as server:
        for _ in range(4):
            asked = FetchRequest(server.url("/", "localhost", "https"), timeout_s=10, last=True)
            assert (await transport.fetch(asked)).body == b"hello"
    assert server.resumed == [False, False, True, True]


async def test_a_connection_beside_another_begins_with_the_session_of_that_one(make):
    """Most hosts that have many connections have two at once: the first one has not ended then."""
    transport = make(ca_bundle=CA)

    async def behaviour(server, reader, writer):
        while True:
            await server.head(reader)
            writer.write(page())
            await writer.drain()

    async with RawServer(behaviour, certificate="good") as server:
        await transport.fetch(FetchRequest(server.url("/", "localhost", "https"), timeout_s=10, last=True))
        await asyncio.gather(*[transport.fetch(request(server)) for _ in range(4)])
        await transport.close()
    assert server.resumed == [False, True, True, True]


@pytest.mark.parametrize("end", ["close", "reset"])
async def test_a_connection_that_the_server_ends_while_it_is_kept_leaves_its_session(make, end):
    transport = make(ca_bundle=CA)
    ended, received = asyncio.Event(), asyncio.Event()

    async def behaviour(server, reader, writer):
        await server.head(reader)
        writer.write(page())
        await writer.drain()
        await received.wait()
        received.clear()
        if end == "reset":
            reset(writer)
        else:
            writer.close()
        ended.set()

    async with RawServer(behaviour, certificate="good") as server:
        for _ in range(3):
            assert (await transport.fetch(request(server))).body == b"hello"
            received.set()
            await ended.wait()
            ended.clear()
            while any(transport._connector._conns.values()) and not _all_lost(transport):
                await asyncio.sleep(0.01)
    assert server.resumed == [False, True, True]


def _all_lost(transport):
    return not any(kept.is_connected() for kept_ones in transport._connector._conns.values() for kept, _ in kept_ones)


async def test_a_session_is_for_its_origin_and_its_transport_alone(make):
    """Both servers could resume it: they share their keys."""
    context = server_context("good")
    strict, lax = make(ca_bundle=CA), make(ca_bundle=CA, insecure=True)
    async with RawServer(CLOSES, context=context) as one, RawServer(CLOSES, context=context) as other:
        for server, host in ((one, "localhost"), (one, "127.0.0.1"), (other, "localhost")):
            assert (await strict.fetch(request(server, host))).body == b"hello"
        assert (await lax.fetch(request(one))).body == b"hello"
        assert not any(one.resumed + other.resumed)


async def test_what_was_accepted_without_a_check_opens_nothing_that_checks(make):
    async with RawServer(CLOSES, certificate="wrong") as server:
        for _ in range(2):
            assert (await make(ca_bundle=CA, insecure=True).fetch(request(server))).body == b"hello"
        assert (await make(ca_bundle=CA).fetch(request(server))).kind == "tls: wrong name"


class Street:
    """Leads each connection to one of several servers, or treats it itself."""

    def __init__(self, *ways):
        self.ways = list(ways)
        self._tasks = set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        way = self.ways.pop(0)
        if not isinstance(way, int):
            await reader.read(65536)
            await way(writer)
            writer.close()
            return
        there, back = await asyncio.open_connection("127.0.0.1", way)
        await asyncio.gather(_pass_on(reader, back), _pass_on(there, writer))

    def url(self, path="/", host="localhost", scheme="https"):
        return f"{scheme}://{host}:{self.port}{path}"


async def _pass_on(reader, writer):
    try:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
    finally:
        writer.close()


def tells(data):
    async def tell(writer):
        writer.write(data)
        with suppress(ConnectionError):
            await writer.drain()

    return tell


async def resets(writer):
    reset(writer)


@pytest.mark.parametrize(
    "answer",
    [tells(b""), tells(b"\x15\x03\x03\x00\x02\x02\x33"), tells(b"HTTP/1.1 400 what is this?\r\n\r\n"), resets],
    ids=["end", "alert", "nonsense", "reset"],
)
async def test_a_server_that_breaks_off_at_a_session_has_a_full_handshake(make, answer):
    transport = make(ca_bundle=CA)
    async with RawServer(CLOSES, certificate="good") as server:
        ways = [server.port, answer, server.port, server.port]
        async with Street(*ways) as street:
            for _ in range(3):
                assert (await transport.fetch(request(street))).body == b"hello"
            assert (server.resumed, street.ways) == ([False, False, False], [])


async def test_a_resumed_connection_that_ends_without_an_answer_says_nothing_of_the_server(make):
    transport = make(ca_bundle=CA)
    async with RawServer(CLOSES, certificate="good") as server:
        assert (await transport.fetch(request(server))).body == b"hello"
        server._behaviour = says(end="close")
        failure = await transport.fetch(request(server))
        assert failure.stale, failure
        server._behaviour = CLOSES
        assert (await transport.fetch(request(server))).body == b"hello"
        assert server.resumed == [False, True, False]


async def test_a_server_that_does_not_know_the_session_is_verified_again(make):
    transport = make(ca_bundle=CA)
    async with (
        RawServer(CLOSES, certificate="good") as good,
        RawServer(CLOSES, certificate="expired") as expired,
        Street(good.port, expired.port) as street,
    ):
        assert (await transport.fetch(request(street))).body == b"hello"
        assert (await transport.fetch(request(street))).kind == "tls: expired"


# Which sessions are kept, by connections in memory


class Clock:
    now = 1_000.0

    def __call__(self):
        return self.now


def client_context():
    context = ssl.create_default_context(cafile=CA)
    context.sslobject_class = ResumedObject
    return context


def connected(server, client, offer=None):
    """A client's end of a connection, by which something has been received."""
    token = sessions.OFFER.set(offer)
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    for end in (ours, theirs) * 2:
        with suppress(ssl.SSLWantReadError):
            end.do_handshake()
    theirs.write(b"hello")
    assert ours.read(5) == b"hello"
    sessions.OFFER.reset(token)
    return ours


class Origin:
    """A server that is visited again and again, and what is kept of it."""

    def __init__(self, kept, server=None, name="a"):
        self.kept, self.server, self.name = kept, server or server_context("good"), name
        self.client = client_context()

    def visit(self):
        offer = self.kept.offer(self.name)
        tls = connected(self.server, self.client, offer)
        self.kept.used(self.name, tls, offer)
        return tls.session_reused

    def restart(self):
        self.server = server_context("good")


def test_a_session_is_kept_for_an_hour_from_its_certificate_on_however_often_it_is_resumed():
    clock = Clock()
    origin = Origin(Sessions(clock))
    assert [origin.visit() for _ in range(3)] == [False, True, True]
    for _ in range(7):
        clock.now += 500
        assert origin.visit()
    clock.now += 101
    assert not origin.visit()


def test_a_session_is_kept_no_longer_than_its_server_says():
    clock = Clock()
    kept = Sessions(clock)
    origin = Origin(kept)
    origin.visit()
    kept._begin("b", _Hinted(60), clock.now)
    clock.now += 59
    assert kept.offer("b")
    clock.now += 2
    assert kept.offer("b") is None
    assert kept.offer("a")


class _Hinted:
    session_reused = False

    def __init__(self, hint):
        self.session = type("Session", (), {"ticket_lifetime_hint": hint, "has_ticket": True})


def test_a_server_that_never_takes_what_it_gave_is_offered_three_sessions():
    kept = Sessions(Clock())
    origin = Origin(kept)
    offered = []
    for _ in range(6):
        origin.restart()
        offered.append(kept.offer("a") is not None)
        assert not origin.visit()
    assert offered == [False, True, True, True, False, False]


def test_a_server_that_has_new_keys_is_resumed_again():
    origin = Origin(Sessions(Clock()))
    seen = []
    for number in range(9):
        if number % 3 == 0:
            origin.restart()
        seen.append(origin.visit())
    assert seen == [False, True, True] * 3


def test_a_server_that_gives_no_tickets_is_asked_for_its_session_once(monkeypatch):
    kept = Sessions(Clock())
    server = server_context("good", V3)
    server.num_tickets = 0
    origin = Origin(kept, server)
    taken = []
    monkeypatch.setattr(Sessions, "_taken", lambda self, tls: taken.append(1))
    assert [origin.visit() for _ in range(3)] == [False] * 3
    assert len(taken) == 1


def test_places_are_for_those_that_were_used_in_the_last_minute():
    clock = Clock()
    kept = Sessions(clock, most=2)
    one, two, three = (Origin(kept, name=name) for name in "abc")
    assert [origin.visit() for origin in (one, two, three) * 2] == [False] * 3 + [True, True, False]
    clock.now += 59
    one.visit()
    clock.now += 2
    assert [three.visit(), three.visit(), one.visit()] == [False, True, True]
    assert not two.visit()


def test_a_python_that_leaks_sessions_is_asked_for_so_many_and_no_more(monkeypatch):
    monkeypatch.setattr(sessions, "_LEAKS", True)
    monkeypatch.setattr(sessions, "_MOST_LEAKED", 1)
    kept = Sessions(Clock())
    one, two = Origin(kept, name="a"), Origin(kept, name="b")
    assert [one.visit(), two.visit(), one.visit(), two.visit()] == [False, False, True, False]


def test_nothing_is_offered_where_nothing_was_kept():
    assert Sessions().offer("a") is None
    Sessions().broken("a")
    assert Offer(None).made is False
