"""Many hosts that are bad in one way: they must not slow the street.

A crawl of these would take long, and is ended when the pages of the healthy hosts have come. `bench/neighbours.py`
measures the same attacks by up to 1,000 hosts, and how much of their rate healthy hosts keep.
"""

import gzip
from collections.abc import Mapping
from typing import Any

from tests.hostile import spiders
from tests.hostile.registry import behaviour

STREET = {"concurrency": 16, "per_address": 1_000, "per_host": 2, "delay_s": 0.1, "scope": "any"}
MUST = "leave to the others what politeness allows them"
WAITS = "waits | failed: host-down | failed: timeout | skipped: robots-unreachable"
PAGES = 30
BODY_BYTES = 3_000_000
BYTES = {"bytes_in_flight": 16_000_000, "max_body_bytes": BODY_BYTES}
MUTE = 60
_RULES = "User-agent: *\n" + "".join(f"Disallow: /{n:x}/*/{n}$\n" for n in range(25_000))
_SPACE = b" " * 100_000
_INFLATES = gzip.compress(b"<!doctype html><title>tick</title>" + b"<p>tick</p>\n" * 175_000)


def street(
    does: str,
    hosts: int,
    expects: str = WAITS,
    *,
    origin: str = "http://{n}.{name}.localhost:{{port}}",
    own: Mapping[str, str] | None = None,
    **more: Any,
):
    """A behaviour of so many hosts, to which the seed leads: `n7.NAME.localhost`, or another `origin`."""

    def register(handler):
        name = handler.__name__

        async def serve(ask):
            if f".{name}.localhost:" in ask.header("host"):
                await handler(ask)
            elif ask.path == "/robots.txt":
                await ask.answer("none", status=404)
            else:
                await ask.page(*(origin.format(n=f"n{n}", name=name) + "/" for n in range(hosts)))

        serve.__name__ = name
        serve.__module__ = __name__
        return behaviour(
            row=47,
            does=f"{hosts} hosts that {does}",
            must=MUST,
            expects={**(own or {}), "/": "fetched", origin.format(n="*", name=name) + "/*": expects},
            lasts=True,
            robots=True,
            **{**more, "settings": {**STREET, **more.get("settings", {})}},
        )(serve)

    return register


async def home(ask) -> None:
    """Answer with a page that leads to thirty others, and robots.txt with 404."""
    if ask.path == "/robots.txt":
        await ask.answer("none", status=404)
    else:
        await ask.page(*(f"/{n}x" for n in range(PAGES)))


async def stall(ask, kind: str, size: int) -> None:
    """Send so much of a body that is a little longer, then nothing."""
    await ask.start(f"Content-Length: {size + 50_000}", kind=kind)
    for _ in range(size // len(_SPACE)):
        await ask.send(_SPACE)
    await ask.hang()


@street("accept, and say nothing", 120)
async def silent_hosts(ask):
    await ask.hang()


@street("say nothing in a handshake of TLS", MUTE, origin="https://{n}.{name}.localhost:{{port}}")
async def silent_tls_hosts(ask):
    await ask.hang()


@street(
    "have names of which the name server says nothing",
    MUTE,
    origin="http://{n}.{name}.test:{{port}}",
    names={f"n{n}.mute_hosts.test": () for n in range(MUTE)},
)
async def mute_hosts(ask):
    await ask.hang()


@street("say nothing when asked for robots.txt", 120)
async def silent_robots_hosts(ask):
    if ask.path == "/robots.txt":
        await ask.hang()
    await home(ask)


@street("have a robots.txt of 500 KiB", 12, "fetched | waits")
async def large_robots_hosts(ask):
    if ask.path == "/robots.txt":
        await ask.answer(_RULES, kind="text/plain")
    else:
        await ask.page()


@street("have pages that take a parser half a second", 4, "fetched | waits", parse=spiders.sleeps_at_slow_hosts)
async def slow_parse_hosts(ask):
    await home(ask)


@street("have pages that end their parser", 4, "fetched | failed: parser-* | waits", parse=spiders.exits_at_killers)
async def killer_hosts(ask):
    await home(ask)


@street("send 2.1 MB of text in 6 KB of gzip", 6, "fetched | waits", settings=BYTES)
async def inflating_hosts(ask):
    if ask.path == "/robots.txt":
        await home(ask)
    await ask.answer(_INFLATES, "Content-Encoding: gzip")


@street("send 2.9 MB, then nothing", 12, settings=BYTES)
async def stalling_hosts(ask):
    if ask.path == "/robots.txt":
        await home(ask)
    await stall(ask, "text/html", BODY_BYTES - 100_000)


@street(
    "stall in sitemaps of 40 MB",
    6,
    f"fetched | fetched: sitemap* | {WAITS}",
    own={"/robots.txt": "fetched: sitemap"},
    settings={**BYTES, "sitemaps": True},
)
async def stalling_map_hosts(ask):
    if ask.path == "/robots.txt":
        host = ask.header("host")
        await ask.answer(f"Sitemap: http://{host}/a.xml\nSitemap: http://{host}/b.xml", kind="text/plain")
    elif ask.path.endswith(".xml"):
        await stall(ask, "application/xml", 40_000_000)
    await ask.page()


@street("ask for an hour between two requests", MUTE, "fetched | waits", settings={"robots": "obey"})
async def slow_delay_hosts(ask):
    if ask.path == "/robots.txt":
        await ask.answer("User-agent: *\nCrawl-delay: 3600\n", kind="text/plain")
    else:
        await home(ask)
