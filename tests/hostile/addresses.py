"""Addresses that must not be connected to, in every spelling and on every way; and many names of one address.

Allowed are 127.66.0.0/16 and 127.77.0.0/24; on the canary port of 127.0.0.1, 127.0.0.2 and ::1 somebody counts.
"""

import asyncio

from tests.hostile.ask import html
from tests.hostile.registry import behaviour

GUARDED = {
    "allow_private": ("127.66.0.0/16", "127.77.0.0/24"),
    "scope": "any",
    "sitemaps": True,
    "retries": 0,
}
ZERO = "zero packets sent; each hop is checked where the socket is made"
PRIVATE = "skipped: private-address"
LITERALS = (
    "127.0.0.1",
    "127.0.0.2",
    "127.1",
    "0x7f.1",
    "0x7f000001",
    "2130706433",
    "017700000001",
    "0177.0.0.01",
    "127.0.0.1.",
    "%31%32%37.0.0.1",
    "１２７.0.0.1",
    "127。0。0。1",
    "0.0.0.0",
    "0",
    "localhost",
    "LOCALHOST.",
    "a.localhost",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:7f00:0002]",
    "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "169.254.169.254",
    "[fe80::1]",
    "[fd00:ec2::254]",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.0.1",
    "100.64.0.1",
    "168.63.129.16",
    "255.255.255.255",
    "224.0.0.1",
)
ELSEWHERE = "http://*:{canary_port}/*"


def links(ask) -> list[str]:
    return [ask.at(f"http://{literal}:{{canary_port}}/{n}?{ask.header('host')}") for n, literal in enumerate(LITERALS)]


NO_SITEMAP = {"/robots.txt": "fetched: sitemap"}


def guarded(does: str, expects: dict, **more):
    return behaviour(
        row=16,
        does=does,
        must=ZERO,
        settings=GUARDED,
        expects=expects,
        check=lambda seen: seen.assert_no_canary(),
        both=True,
        **more,
    )


@guarded(
    "links to loopback, private and special addresses in every spelling",
    {**NO_SITEMAP, "/": "fetched", ELSEWHERE: PRIVATE},
)
async def links_to_private(ask):
    await ask.page(*links(ask))


@guarded("redirects to them", {**NO_SITEMAP, "/": "fetched", "/to/*": "redirected", ELSEWHERE: PRIVATE})
async def redirects_to_private(ask):
    if ask.path == "/":
        await ask.page(*(f"/to/{n}" for n in range(len(LITERALS))))
    await ask.redirect(links(ask)[int(ask.path.rpartition("/")[2])])


@guarded(
    "robots.txt that redirects to one of them",
    {"/": "skipped: robots-unreachable", "/robots.txt": "skipped: robots-unreachable"},
    robots=True,
)
async def robots_to_private(ask):
    if ask.path == "/robots.txt":
        await ask.redirect("http://127.0.0.1:{canary_port}/robots.txt")
    else:
        await ask.page()


@guarded(
    "robots.txt that redirects over an allowed host to one of them",
    {"/": "skipped: robots-unreachable", "/robots.txt": "skipped: robots-unreachable"},
    robots=True,
)
async def robots_over_to_private(ask):
    if ask.path == "/robots.txt":
        await ask.redirect("http://127.66.16.4:{other_port}/over")
    await ask.redirect("http://[::ffff:127.0.0.1]:{canary_port}/robots.txt")


@guarded(
    "robots.txt that names sitemaps at them",
    {"/": "fetched", "/robots.txt": "fetched: sitemap", ELSEWHERE: PRIVATE},
    robots=True,
)
async def sitemaps_at_private(ask):
    if ask.path == "/robots.txt":
        await ask.answer("".join(f"Sitemap: {one}\n" for one in links(ask)), kind="text/plain")
    await ask.page()


@guarded(
    "a sitemap that lists them, and one that redirects there",
    {
        "/": "fetched",
        "/robots.txt": "fetched: sitemap",
        "/list.xml": "fetched: sitemap",
        "/away.xml": "redirected",
        ELSEWHERE: PRIVATE,
    },
    robots=True,
)
async def private_in_sitemap(ask):
    if ask.path == "/robots.txt":
        origin = f"http://{ask.header('host')}"
        await ask.answer(f"Sitemap: {origin}/list.xml\nSitemap: {origin}/away.xml", kind="text/plain")
    elif ask.path == "/list.xml":
        await ask.answer("\n".join(links(ask)), kind="text/plain")
    elif ask.path == "/away.xml":
        await ask.redirect("http://2130706433:{canary_port}/away")
    else:
        await ask.page()


@guarded("meta refresh to one of them", {**NO_SITEMAP, "/": "redirected", "http://127.0.0.1:{canary_port}/x": PRIVATE})
async def refresh_to_private(ask):
    target = ask.at("http://127.1:{canary_port}/x")
    await ask.answer(html(head=f'<meta http-equiv=refresh content="0;url={target}">'))


def named(does: str, answers, **more):
    name = f"{more.pop('name')}.test"
    return behaviour(
        row=17,
        does=does,
        must="the connected address is the checked one",
        settings={**GUARDED, "sitemaps": False, "per_host": 1},
        seed=f"http://{name}:{{port}}/",
        names={name: answers},
        both=True,
        check=_only_allowed,
        **more,
    )


def _only_allowed(seen):
    assert seen.connections.get("127.0.0.1", 0) == 0
    assert seen.connections.get("127.0.0.2", 0) == 0
    seen.assert_no_canary()


async def _ten_pages(ask):
    await ask.page(*(f"/{n}" for n in range(10)), headers=("Connection: close",))
    await ask.close()


EITHER = {"*": "fetched | skipped: private-address"}


@named("DNS answer that changes with every question", [("127.66.17.1",), ("127.0.0.1",)], name="flips", expects=EITHER)
async def flipping_name(ask):
    await _ten_pages(ask)


@named(
    "DNS answer that is allowed first and refused from then on",
    [("127.66.17.2",), *[("127.0.0.1",)] * 50],
    name="rebinds",
    expects=EITHER,
)
async def rebinding_name(ask):
    await _ten_pages(ask)


@named(
    "name with a refused address before an allowed one",
    ("127.0.0.1", "::1", "127.66.17.3"),
    name="both",
    expects={"*": "fetched"},
)
async def name_with_both(ask):
    await _ten_pages(ask)


@named(
    "name that is loopback in IPv4-mapped IPv6 alone",
    ("::ffff:127.0.0.1", "::1"),
    name="mapped",
    expects={"*": PRIVATE},
)
async def mapped_name(ask):
    await _ten_pages(ask)


HOSTS = 120


@behaviour(
    row=45,
    does="hundreds of hosts on one address",
    must="per-address limit holds",
    settings={"per_address": 5, "scope": "any"},
    seed="http://h0.localhost:{port}/many_names/",
    expects={"http://h*.localhost:{port}/many_names/*": "fetched"},
    check=lambda seen: _within_limit(seen, "127.0.0.1"),
    both=True,
)
async def many_names(ask):
    await asyncio.sleep(0.02)
    await ask.page(*(f"http://h{n}.localhost:{{port}}/many_names/" for n in range(HOSTS)))


@behaviour(
    row=45,
    does="hundreds of ports and names that a redirect leads to, all on one address",
    must="per-address limit holds for redirects too",
    settings={"per_address": 5, "scope": "any"},
    seed="http://h0.localhost:{port}/redirected_names/",
    expects={"http://*.localhost:{port}/redirected_names/*": "fetched | redirected"},
    check=lambda seen: _within_limit(seen, "127.0.0.1"),
    both=True,
)
async def redirected_names(ask):
    await asyncio.sleep(0.02)
    here = ask.header("host")
    if ask.path == "/":
        await ask.page(*(f"/{n}" for n in range(HOSTS)))
    elif here.startswith("h0."):
        await ask.redirect(f"http://r{ask.path[1:]}.localhost:{{port}}/redirected_names{ask.path}")
    else:
        await ask.page()


def _within_limit(seen, address):
    assert 1 < seen.peak[address] <= 5, seen.peak
    assert len(seen.ended) >= HOSTS
