"""What the transports lean on in aiohttp, urllib3, requests and http.client, though nobody promises it.

Each test fails with a sentence that says what a new version has changed, and which file to look at.
"""

import asyncio
import http.client
import inspect
import io
import ssl
from pathlib import Path

import aiohttp
import pytest
import requests.adapters
import urllib3
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import HttpProcessingError, RawResponseMessage
from aiohttp.http_exceptions import PayloadEncodingError
from aiohttp.streams import StreamReader

import crawler.fetcher.transport.requests.connections as on_requests
from crawler.fetcher.transport.aiohttp.connections import _PARSER, Attempt, Connector, Peer
from crawler.fetcher.transport.guard import AddressGuard
from crawler.fetcher.transport.requests.response import StrictResponse
from tests.fetcher.transport.name_server import NameServer
from tests.fetcher.transport.raw_server import RawServer, page, says
from tests.support.private_parts import Part, check, importers

AIOHTTP = "crawler/fetcher/transport/aiohttp/connections.py"
REQUESTS = "crawler/fetcher/transport/requests/connections.py"
HTTP_CLIENT = "crawler/fetcher/transport/requests/response.py"

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"

PARTS = {
    AIOHTTP: (
        Part("aiohttp.connector.TCPConnector._release", "self key protocol should_close"),
        Part("aiohttp.connector.TCPConnector._resolve_host", "self host port traces"),
        Part("aiohttp.connector.TCPConnector._get", "self key traces"),
        Part("aiohttp.connector.TCPConnector.connect", "self req traces timeout"),
        Part("aiohttp.connector.Connection.protocol"),
        Part("aiohttp.client_reqrep.ClientRequest.__init__", given="method url ssl loop"),
        Part("aiohttp.client_reqrep.ClientRequest.connection_key"),
        Part("aiohttp.client_reqrep.ConnectionKey"),
        Part("aiohttp.client_proto.ResponseHandler.__init__", "self loop"),
        Part("aiohttp.client_proto.ResponseHandler.set_response_params", given=" ".join(_PARSER)),
        Part("aiohttp.client_proto.ResponseHandler.data_received", "self data"),
        Part("aiohttp.client_proto.ResponseHandler.feed_data", "self data size"),
        Part("aiohttp.client_proto.ResponseHandler.set_exception", "self exc exc_cause"),
        Part("aiohttp.client_proto.ResponseHandler.connection_lost", "self exc"),
        Part("aiohttp.client_proto.ResponseHandler.read", "self"),
        Part("aiohttp.client_proto.ResponseHandler.force_close", "self"),
        Part("aiohttp.http.RawResponseMessage"),
        Part("aiohttp.streams.StreamReader.is_eof", "self"),
        Part("aiohttp.streams.StreamReader.set_exception", "self exc exc_cause"),
        Part("aiohttp.http.HttpProcessingError"),
        Part("aiohttp.http_exceptions.PayloadEncodingError"),
    ),
    REQUESTS: (
        Part("urllib3.connection.HTTPConnection._new_conn", "self"),
        Part("urllib3.connection.HTTPConnection.default_port"),
        Part("urllib3.connection.HTTPConnection.request", given="method url"),
        Part("urllib3.connection.HTTPConnection.auto_open"),
        Part("urllib3.connection.HTTPConnection.close", "self"),
        Part("urllib3.connection.HTTPConnection.response_class"),
        Part("urllib3.connection.HTTPSConnection.is_verified"),
        Part("urllib3.connection.HTTPSConnection.connect", "self"),
        Part("urllib3.connectionpool.HTTPConnectionPool.ConnectionCls"),
        Part("urllib3.poolmanager.pool_classes_by_scheme"),
        Part("requests.adapters.HTTPAdapter.build_connection_pool_key_attributes", "self request verify cert"),
        Part("requests.adapters.HTTPAdapter.build_response", "self req resp"),
        Part("requests.adapters.HTTPAdapter.cert_verify", "self conn url verify cert"),
        Part("requests.cookies.RequestsCookieJar.extract_cookies", "self response request"),
        Part("requests.cookies.RequestsCookieJar.add_cookie_header", "self request"),
        Part("requests.sessions.Session.get_redirect_target", "self resp"),
    ),
    HTTP_CLIENT: (
        Part("http.client.HTTPResponse.begin", "self"),
        Part("http.client.HTTPResponse._read_status", "self"),
        Part("http.client.HTTPResponse._read_and_discard_trailer", "self"),
        Part("http.client.HTTPResponse._close_conn", "self"),
        Part("http.client.parse_headers", given="fp"),
        Part("urllib3.util.response.assert_header_parsing", "headers"),
    ),
}


@pytest.mark.parametrize(
    ("part", "file"), [(part, file) for file, parts in PARTS.items() for part in parts], ids=lambda value: value[0]
)
def test_each_part_that_a_transport_leans_on_is_there_and_called_as_ever(part, file):
    check(part, file)


@pytest.mark.parametrize(
    ("library", "public", "files"),
    [
        ("aiohttp", {"aiohttp", "aiohttp.abc", "aiohttp.web"}, {AIOHTTP}),
        ("urllib3", {"urllib3", "urllib3.exceptions"}, {REQUESTS, HTTP_CLIENT}),
        ("requests", {"requests", "requests.structures"}, {REQUESTS}),
    ],
)
def test_one_file_leans_on_what_a_library_does_not_promise(library, public, files):
    assert importers(library, public) == files


# aiohttp


class Protocol(ResponseHandler):
    """Notes what it is given."""

    def __init__(self):
        super().__init__(asyncio.get_running_loop())
        self.fed, self.errors = [], []
        self.set_response_params(**_PARSER)

    def feed_data(self, data, size=0):
        self.fed.append(data)
        super().feed_data(data, size)

    def set_exception(self, exc, *args, **more):
        self.errors.append(exc)
        super().set_exception(exc, *args, **more)


def changed(what: str, file: str) -> str:
    return f"{what}: see {file}, which leans on it"


async def test_aiohttp_gives_each_head_to_the_protocol_that_reads_it():
    protocol = Protocol()
    protocol.data_received(HEAD + b"hi")
    ours = changed("aiohttp's parser does not give a head with its body to ResponseHandler.feed_data", AIOHTTP)
    assert len(protocol.fed) == 1, ours
    message, body = protocol.fed[0]
    assert isinstance(message, RawResponseMessage), ours
    assert isinstance(body, StreamReader), ours
    for name in ("code", "version", "reason", "headers", "raw_headers"):
        assert hasattr(message, name), changed(f"aiohttp's RawResponseMessage has no {name}", AIOHTTP)
    assert await protocol.read() == (message, body), changed("ResponseHandler.read does not give what was fed", AIOHTTP)
    assert body.is_eof(), changed("aiohttp's parser does not end a body that is whole", AIOHTTP)


async def test_aiohttp_loses_a_head_with_nonsense_behind_it_and_tells_the_protocol():
    protocol = Protocol()
    protocol.data_received(HEAD + b"hi" + b"nonsense\r\n\r\n")
    assert [type(error) for error in protocol.errors] == [HttpProcessingError], changed(
        "aiohttp's parser does not give what it cannot read to ResponseHandler.set_exception", AIOHTTP
    )
    assert not protocol.fed, changed("aiohttp keeps a head with nonsense behind it: no need to read it again", AIOHTTP)
    assert protocol._exception is protocol.errors[0], changed("ResponseHandler._exception is another", AIOHTTP)


async def test_aiohttp_tells_whether_an_answer_has_begun():
    whole, begun = Protocol(), Protocol()
    whole.data_received(HEAD + b"hi")
    assert whole._parser.feed_eof() is None, changed("aiohttp's parser.feed_eof() is not None after an answer", AIOHTTP)
    begun.data_received(b"HTTP/1.1 2")
    try:
        rest = begun._parser.feed_eof()
    except HttpProcessingError:
        rest = b"HTTP/1.1 2"
    assert rest is not None, changed("aiohttp's parser.feed_eof() says nothing of an answer that has begun", AIOHTTP)


@pytest.mark.parametrize(
    ("data", "missing"),
    [(HEAD + b"h", True), (HEAD.replace(b"Content-Length: 2", b"Transfer-Encoding: chunked") + b"1\r\nh", True)],
)
async def test_aiohttp_says_whether_a_body_lacks_its_end(data, missing):
    protocol = Protocol()
    protocol.data_received(data)
    assert protocol._payload is protocol.fed[0][1], changed("ResponseHandler._payload is not the body", AIOHTTP)
    protocol.connection_lost(None)
    error = protocol.fed[0][1].exception()
    assert isinstance(error, aiohttp.ClientPayloadError), changed("aiohttp takes a body without end for whole", AIOHTTP)
    assert isinstance(error.__cause__, PayloadEncodingError) == missing, changed(
        "the cause of a ClientPayloadError is no PayloadEncodingError", AIOHTTP
    )


async def test_aiohttp_quotes_what_it_cannot_read_behind_a_colon():
    protocol = Protocol()
    protocol.data_received(b"HTTP/1.1 200 OK\r\nSet-Cookie: s3cret\0\r\n\r\n")
    message = protocol.errors[0].message
    kept = message.partition(": b'")[0].partition(":\n\n  b")[0]
    assert "s3cret" not in kept, changed(f"aiohttp's parser quotes in another way: {message!r}", AIOHTTP)


async def test_aiohttp_makes_connections_by_its_factory_and_gives_them_back_by_release():
    async with RawServer(says(page(b"hello"))) as server:
        url = server.url()
        given_back = []

        class Watched(Connector):
            def _release(self, key, protocol, *, should_close=False):
                given_back.append(protocol)
                super()._release(key, protocol, should_close=should_close)

        connector = Watched(AddressGuard(allow_private=True), 10, limit=0)
        peer, attempt = Peer(url, {}, tls=True), Attempt()
        assert peer.head(url, ()).count(b"Host: ") == 1, changed("a ClientRequest has no Host in its headers", AIOHTTP)
        connection, _, body = await connector.ask(peer, peer.head(url, ()), attempt)
        assert type(attempt.protocol).__name__ == "_Protocol", changed("TCPConnector._factory is not used", AIOHTTP)
        assert attempt.opened == 1, changed("aiohttp makes sockets outside of the context of who asked", AIOHTTP)
        assert await body.read() == b"hello"
        connection.release()
        assert given_back == [attempt.protocol], changed("a Connection is not given back by _release", AIOHTTP)
        await connector.close()
        await connector.close_resolver()


async def test_aiohttp_chains_what_a_look_up_ended_with():
    async with NameServer([]) as names:
        connector = Connector(AddressGuard(), 10, limit=0)
        connector._resolver._inner = aiohttp.AsyncResolver(nameservers=[f"127.0.0.1:{names.port}"], timeout=5.0)
        url = "http://nobody.test/"
        peer = Peer(url, {}, tls=True)
        with pytest.raises(aiohttp.ClientConnectorDNSError) as caught:
            await connector.ask(peer, peer.head(url, ()), Attempt())
        cause = caught.value.os_error.__cause__
        assert cause is not None and isinstance(cause.args[0], int), changed(  # noqa: PT018 - one promise
            "the number of a failed look-up is not in the cause of os_error", AIOHTTP
        )
        await connector.close()
        await connector.close_resolver()


# requests and urllib3


def test_urllib3_makes_sockets_and_reads_answers_as_its_connection_class_says():
    source = inspect.getsource(urllib3.connection)
    for what in ("self.sock = self._new_conn()", "self.response_class(self.sock, method=self._method)"):
        assert what in source, changed(f"urllib3.connection does not say `{what}` any more", REQUESTS)
    made = on_requests._HTTPSPool("h.test", 443)._new_conn()
    assert isinstance(made, on_requests._HTTPSConnection), changed("urllib3's pools ignore ConnectionCls", REQUESTS)
    assert made._dns_host == "h.test", changed("HTTPConnection._dns_host is not the host's name", REQUESTS)


def test_requests_takes_its_pools_from_the_adapter_with_the_context_of_all():
    class Tls:
        context = ssl.create_default_context()

    adapter = on_requests.Adapter(hosts=1, per_host=1, tls=Tls())
    prepared = requests.Request("GET", "https://h.test/").prepare()
    pool = adapter.get_connection_with_tls_context(prepared, verify=True)
    assert isinstance(pool, on_requests._HTTPSPool), changed("PoolManager.pool_classes_by_scheme is not used", REQUESTS)
    made = pool._new_conn()
    assert made.ssl_context is Tls.context, changed("a pool's ssl_context is not that of its connections", REQUESTS)
    assert made.cert_reqs == "CERT_REQUIRED", changed("a pool's cert_reqs is not that of its connections", REQUESTS)
    adapter.close()


def test_requests_looks_for_cookies_in_the_original_response():
    """Else `Adapter.build_response` keeps nothing from it."""
    source = Path(requests.cookies.__file__).read_text("utf-8")
    assert "response._original_response.msg" in source, changed(
        "requests does not look for cookies in `_original_response` any more", REQUESTS
    )


# http.client


class Socket:
    def __init__(self, data):
        self._data = data

    def makefile(self, *_, **__):
        return io.BytesIO(self._data)

    def shutdown(self, _how):
        """Nothing to do."""


def test_http_client_reads_a_head_by_lines_and_says_how_the_body_ends():
    plain = StrictResponse(Socket(HEAD + b"hi"))
    assert plain.headers is None, changed("HTTPResponse.headers is there before begin()", HTTP_CLIENT)
    plain.begin()
    assert plain.msg is plain.headers, changed("HTTPResponse.msg is not its headers", HTTP_CLIENT)
    assert (plain.chunked, plain.length) == (False, 2), changed("HTTPResponse.length is not what is left", HTTP_CLIENT)
    chunked = StrictResponse(Socket(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"))
    chunked.begin()
    state = (chunked.chunked, chunked.chunk_left, chunked.length)
    assert state == (True, None, None), changed(f"(chunked, chunk_left, length) is {state} for chunks", HTTP_CLIENT)
    assert chunked.read() == b"hi"
    nonsense = StrictResponse(Socket(b"nonsense\r\n\r\n"))
    with pytest.raises(http.client.BadStatusLine):
        nonsense.begin()
    assert nonsense.fp is None, changed("HTTPResponse.fp is not None after what is not a status line", HTTP_CLIENT)


def test_http_client_calls_what_is_overridden():
    called = []

    class Watched(StrictResponse):
        def _read_status(self):
            called.append("_read_status")
            return super()._read_status()

        def _read_and_discard_trailer(self):
            called.append("_read_and_discard_trailer")
            super()._read_and_discard_trailer()

        def _close_conn(self):
            called.append("_close_conn")
            super()._close_conn()

    answer = Watched(Socket(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"))
    answer.begin()
    answer.read()
    for name in ("_read_status", "_read_and_discard_trailer", "_close_conn"):
        assert name in called, changed(f"http.client does not call HTTPResponse.{name} any more", HTTP_CLIENT)
