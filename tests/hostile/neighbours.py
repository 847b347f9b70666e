"""Many hosts that are bad in one way: they must not slow the street.

A crawl of these would take long, and is ended when the pages of the healthy hosts have come. `bench/neighbours.py`
measures the same attacks by up to 1,000 hosts, and how much of their rate healthy hosts keep.
"""

from collections.abc import Mapping
from typing import Any

from tests.hostile import spiders
from tests.hostile.registry import behaviour

STREET = {"concurrency": 16, "per_address": 1_000, "per_host": 2, "delay_s": 0.1, "scope": "any"}
MUST = "leave to the others what politeness allows them"
WAITS = "waits | failed: host-down | failed: timeout | skipped: robots-unreachable"
PAGES = 30
_RULES = "User-agent: *\n" + "".join(f"Disallow: /{n:x}/*/{n}$\n" for n in range(25_000))


def street(does: str, hosts: int, expects: str = WAITS, *, own: Mapping[str, str] | None = None, **more: Any):
    """A behaviour of so many hosts, to which the seed leads: `n7.NAME.localhost`."""

    def register(handler):
        name = handler.__name__

        async def serve(ask):
            if f".{name}.localhost:" in ask.header("host"):
                await handler(ask)
            elif ask.path == "/robots.txt":
                await ask.answer("none", status=404)
            else:
                await ask.page(*(f"http://n{n}.{name}.localhost:{{port}}/" for n in range(hosts)))

        serve.__name__ = name
        serve.__module__ = __name__
        return behaviour(
            row=47,
            does=f"{hosts} hosts that {does}",
            must=MUST,
            expects={**(own or {}), "/": "fetched", f"http://*.{name}.localhost:{{port}}/*": expects},
            lasts=True,
            robots=True,
            **{"settings": STREET, **more},
        )(serve)

    return register


async def home(ask) -> None:
    """Answer with a page that leads to thirty others, and robots.txt with 404."""
    if ask.path == "/robots.txt":
        await ask.answer("none", status=404)
    else:
        await ask.page(*(f"/{n}x" for n in range(PAGES)))


@street("accept, and say nothing", 120)
async def silent_hosts(ask):
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
