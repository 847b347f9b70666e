"""Both network transports against servers with real certificates: trusted, or refused with a name for the reason."""

import pytest

from crawler.core.errors import ConfigError
from crawler.fetcher.transport.base import FetchRequest
from tests.fetcher.transport.conftest import TRANSPORTS, settings
from tests.fetcher.transport.raw_server import DATA, RawServer, page, says

CA = DATA / "ca.pem"


def request(server, host="localhost"):
    return FetchRequest(server.url("/", host, "https"), timeout_s=10)


@pytest.mark.parametrize(
    ("certificate", "kind_of_failure", "detail"),
    [
        ("expired", "tls: expired", "certificate has expired"),
        ("future", "tls: not yet valid", "certificate is not yet valid"),
        ("self", "tls: self-signed", "self-signed certificate"),
        ("wrong", "tls: wrong name", "localhost"),
        ("unknown", "tls: unknown issuer", "unable to get local issuer certificate"),
        ("chain", "tls: unknown issuer", "self-signed certificate in certificate chain"),
    ],
)
async def test_a_certificate_that_cannot_be_trusted_is_refused_with_the_reason(
    make, certificate, kind_of_failure, detail
):
    transport = make(ca_bundle=CA)
    async with RawServer(says(page()), certificate=certificate) as server:
        failure = await transport.fetch(request(server))
    assert (failure.kind, failure.retryable) == (kind_of_failure, False)
    assert detail in failure.detail
    assert not server.heads


async def test_a_certificate_for_another_address_has_the_wrong_name_too(make):
    transport = make(ca_bundle=CA)
    async with RawServer(says(page()), certificate="wrong") as server:
        failure = await transport.fetch(request(server, host="127.0.0.1"))
    assert (failure.kind, failure.retryable) == ("tls: wrong name", False)


async def test_a_name_that_stands_in_the_subject_alone_does_not_count(make):
    """RFC 9525 §6.3: it must stand in subjectAltName, as browsers have it."""
    transport = make(ca_bundle=DATA / "common_name.pem")
    async with RawServer(says(page()), certificate="common_name") as server:
        failure = await transport.fetch(request(server))
    assert (failure.kind, failure.retryable) == ("tls: wrong name", False)
    assert not server.heads


async def test_a_server_without_tls_is_named_too(make):
    transport = make()
    async with RawServer(says(b"HTTP/1.1 400 plain HTTP\r\n\r\n", end="close")) as server:
        server.head = lambda reader: reader.read(1)
        failure = await transport.fetch(request(server))
    assert (failure.kind, failure.detail) == ("tls: wrong version number", "wrong version number")
    assert not failure.retryable


async def test_a_handshake_that_breaks_off_may_be_tried_again(make):
    transport = make()
    async with RawServer(says(b"", end="close")) as server:
        server.head = lambda reader: reader.read(1)
        failure = await transport.fetch(request(server))
    assert failure.retryable
    assert failure.kind == "reset" or failure.kind.startswith("tls: ")


@pytest.mark.parametrize(
    "certificate", ["good", "expired", "future", "self", "wrong", "unknown", "chain", "common_name"]
)
async def test_insecure_accepts_every_certificate(make, certificate):
    transport = make(insecure=True)
    async with RawServer(says(page()), certificate=certificate) as server:
        for host in ("localhost", "127.0.0.1"):
            assert (await transport.fetch(request(server, host))).body == b"hello"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_an_authority_of_the_bundle_is_trusted_and_the_connection_is_kept(make, host):
    transport = make(ca_bundle=CA)
    async with RawServer(says(page(b"1"), page(b"2")), certificate="good") as server:
        for body in (b"1", b"2"):
            result = await transport.fetch(request(server, host))
            assert (result.body, result.address) == (body, "127.0.0.1")
        assert server.connections == 1


async def test_without_the_bundle_its_authority_is_unknown(make):
    async with RawServer(says(page()), certificate="good") as server:
        assert (await make().fetch(request(server))).kind == "tls: unknown issuer"


async def test_authorities_of_the_environment_are_trusted_as_well(make, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(CA))
    async with RawServer(says(page()), certificate="good") as server:
        assert (await make().fetch(request(server))).body == b"hello"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "No such file"),
        (b"", "has no certificate"),
        (b"not a certificate\n", "has no certificate"),
        (b"-----BEGIN CERTIFICATE-----\nbroken\n-----END CERTIFICATE-----\n", "has no certificate"),
        ((DATA / "crl.pem").read_bytes(), "has no certificate"),
    ],
    ids=["missing", "empty", "text", "broken", "revocations"],
)
def test_a_bundle_of_no_use_is_an_error_at_the_start(kind, tmp_path, content, complaint):
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        TRANSPORTS[kind](settings(ca_bundle=bundle))
    message = str(caught.value)
    assert message.startswith("ca_bundle: ")
    assert complaint in message
    assert str(bundle) in message
    assert "\n" not in message


def test_a_folder_is_no_bundle(kind, tmp_path):
    with pytest.raises(ConfigError, match="ca_bundle: "):
        TRANSPORTS[kind](settings(ca_bundle=tmp_path))
