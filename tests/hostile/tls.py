"""TLS that cannot be trusted, or is none."""

from pathlib import Path

from tests.hostile.registry import behaviour

AUTHORITY = Path(__file__).parent.parent / "fetcher" / "transport" / "data" / "ca.pem"
NAMED = "refuse unless allowed, `failed: tls` with the reason"
TRUSTED = {"ca_bundle": AUTHORITY}


def certificate(place: str, name: str, does: str, outcome: str, settings: dict, must: str = NAMED):
    url = f"{{{place}}}/{name}/"
    return behaviour(row=39, does=does, must=must, settings=settings, seed=url, expects={url: outcome}, both=True)


async def page(ask):
    await ask.page(title="over TLS")


@certificate("expired", "expired_certificate", "expired certificate", "failed: tls: expired", TRUSTED)
async def expired_certificate(ask):
    await page(ask)


@certificate("self", "self_signed", "certificate signed by itself", "failed: tls: self-signed", TRUSTED)
async def self_signed(ask):
    await page(ask)


@certificate("wrong", "wrong_name", "certificate for another name", "failed: tls: wrong name", TRUSTED)
async def wrong_name(ask):
    await page(ask)


@certificate(
    "common_name",
    "common_name",
    "certificate with its name in the subject alone (RFC 9525)",
    "failed: tls: wrong name",
    {"ca_bundle": AUTHORITY.with_name("common_name.pem")},
)
async def common_name(ask):
    await page(ask)


@certificate("good", "known_authority", "certificate of an authority in --ca-bundle", "fetched", TRUSTED, "accept")
async def known_authority(ask):
    await page(ask)


@certificate("good", "unknown_authority", "certificate of an unknown authority", "failed: tls: unknown issuer", {})
async def unknown_authority(ask):
    await page(ask)


@certificate("expired", "insecure_expired", "expired, with --insecure", "fetched", {"insecure": True}, "accept")
async def insecure_expired(ask):
    await page(ask)


@certificate("wrong", "insecure_wrong", "for another name, with --insecure", "fetched", {"insecure": True}, "accept")
async def insecure_wrong(ask):
    await page(ask)


@behaviour(
    row=39,
    does="redirect from a good certificate to a bad one",
    must=NAMED,
    settings=TRUSTED,
    expects={"/": "redirected", "{expired}/redirect_to_expired/x": "failed: tls: expired"},
    both=True,
)
async def redirect_to_expired(ask):
    await ask.redirect("{expired}/redirect_to_expired/x")


@behaviour(
    row=39,
    does="plain HTTP on the port of https",
    must="a failure with its name",
    seed="https://127.66.39.9:{other_port}/",
    expects={"https://127.66.39.9:{other_port}/": "failed: tls: *"},
    both=True,
)
async def plain_on_https(ask):
    await page(ask)
