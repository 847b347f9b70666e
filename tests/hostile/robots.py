"""robots.txt: large, failing, elsewhere, and with patterns that cost."""

import asyncio
import gzip
from functools import partial

from tests.hostile.registry import behaviour

ROBOTS_BYTES = 500 << 10
PLAIN = "text/plain"


def _quick(seen):
    seen.assert_responsive()
    assert seen.cpu_s < 50 * seen.alone_cpu_s, seen.cpu_s


@behaviour(
    row=31,
    does="robots.txt of 10 MB",
    must="parse the first 500 KiB (RFC 9309 §2.5)",
    robots=True,
    expects={"/": "fetched", "/early": "skipped: robots", "/late": "fetched"},
)
async def large_robots(ask):
    if ask.path != "/robots.txt":
        await ask.page("/early", "/late")
        return
    early, late = b"User-agent: *\nDisallow: /early\n", b"Disallow: /late\n"
    filler = b"Disallow: /nothing-to-see\n" * 40_000
    await ask.answer((early + filler).ljust(ROBOTS_BYTES + 1, b"\n") + late + bytes(9 << 20), kind=PLAIN)


@behaviour(
    row=31,
    does="robots.txt without end, in one line",
    must="parse the first 500 KiB",
    robots=True,
    expects={"/": "fetched"},
)
async def endless_robots(ask):
    if ask.path != "/robots.txt":
        await ask.page()
        return
    await ask.start(kind=PLAIN)
    await ask.send(b"User-agent: ")
    await ask.forever(b"x" * 10_000)


@behaviour(
    row=31,
    does="robots.txt as a gzip bomb of rules",
    must="parse the first 500 KiB",
    robots=True,
    expects={"/": "skipped: robots"},
)
async def robots_bomb(ask):
    rules = b"User-agent: *\nDisallow: /\n" + b"Disallow: /x\n" * 2_000_000
    await ask.answer(gzip.compress(rules, 1, mtime=0), "Content-Encoding: gzip", kind=PLAIN)


@behaviour(
    row=32,
    does="robots.txt that is 500",
    must="disallow all, try again later, and give the host up at last",
    robots=True,
    expects={"/": "failed: host-down"},
    check=lambda seen: (seen.assert_times("/", 0), seen.assert_requests(9)),
)
async def robots_500(ask):
    await ask.answer("broken", status=500)


@behaviour(
    row=32,
    does="robots.txt that is 503 once",
    must="the second attempt counts",
    robots=True,
    expects={"/": "fetched"},
    check=lambda seen: seen.assert_times("/robots.txt", 2),
)
async def robots_503_once(ask):
    if ask.path == "/robots.txt":
        await ask.answer("", status=503 if ask.number == 1 else 404)
    await ask.page()


takes_too_long = partial(
    behaviour,
    robots=True,
    expects={"/": "failed: timeout"},
    check=lambda seen: seen.assert_times("/", 0),
)


@takes_too_long(
    row=32,
    does="robots.txt that never comes",
    must="nothing else is asked for; the host counts as silent",
    settings={"retries": 1, "timeout_s": 2.5},
    expects={"/": "failed: host-down"},
)
async def robots_silence(ask):
    await ask.hang()


@takes_too_long(
    row=32,
    does="robots.txt whose body drips",
    must="nothing else is asked for",
    settings={"retries": 1, "timeout_s": 2.5},
)
async def robots_drip(ask):
    await ask.start(kind=PLAIN)
    await ask.forever(b"U", 0.2)


@behaviour(
    row=32,
    does="robots.txt that is 403",
    must="allow all",
    robots=True,
    expects={"/": "fetched"},
)
async def robots_4xx(ask):
    if ask.path == "/robots.txt":
        await ask.answer("User-agent: *\nDisallow: /", status=403)
    await ask.page()


@behaviour(
    row=32,
    does="robots.txt that is cut off in the middle",
    must="not taken for a whole one: nothing else is asked for",
    robots=True,
    expects={"/": "failed: incomplete"},
    check=lambda seen: seen.assert_times("/", 0),
)
async def robots_cut(ask):
    await ask.start("Content-Length: 1000", kind=PLAIN)
    await ask.send(b"User-agent: *\nAllow: /\n")
    await ask.close()


@behaviour(
    row=33,
    does="robots.txt behind 5 redirects, the last one to another host",
    must="follow 5, apply to the first host",
    robots=True,
    expects={"/": "fetched", "/denied": "skipped: robots", "/fine": "fetched"},
)
async def robots_moved(ask):
    hops = {"/robots.txt": "/r1", "/r1": "/r2", "/r2": "/r3", "/r3": "/r4", "/r4": "http://127.66.33.1:{other_port}/r5"}
    if ask.path in hops:
        await ask.redirect(hops[ask.path])
    elif ask.path == "/r5":
        await ask.answer("User-agent: *\nDisallow: /denied", kind=PLAIN)
    else:
        await ask.page("/denied", "/fine")


@behaviour(
    row=33,
    does="robots.txt that redirects for ever",
    must="stop; RFC 9309 §2.3.1.2: as if there were none",
    robots=True,
    expects={"/": "fetched"},
    check=lambda seen: seen.assert_requests(14),
)
async def robots_loop(ask):
    if ask.path == "/":
        await ask.page()
    else:
        await ask.redirect(f"/robots.txt?{ask.number}" if ask.path == "/robots.txt" else ask.path + "x")


@takes_too_long(
    row=33,
    does="robots.txt whose redirects take a second each",
    must="one deadline for all of them",
    settings={"timeout_s": 2.5, "retries": 0},
)
async def slow_robots_redirects(ask):
    hops = {"/robots.txt": "/r1", "/r1": "/r2", "/r2": "/r3", "/r3": "/r4"}
    await asyncio.sleep(1)
    if ask.path in hops:
        await ask.redirect(hops[ask.path])
    else:
        await ask.answer("User-agent: *\nDisallow: /never", kind=PLAIN)


PATTERNS = {
    "/****/****/****.js": "stars",
    "/*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b$": "repeated letters",
    "/" + "*a" * 2000 + "$": "two thousand stars",
    "/" + "*/" * 500: "slashes",
    "/" + "%" * 1000 + "*$*$": "escapes",
}


@behaviour(
    row=34,
    does="rules like /****/****/****.js against URLs made for them",
    must="linear time",
    robots=True,
    expects={"/": "fetched", "/a*": "fetched", "/x/x/x.js": "skipped: robots"},
    check=_quick,
)
async def costly_patterns(ask):
    if ask.path == "/robots.txt":
        rules = "".join(f"Disallow: {pattern}\n" for pattern in PATTERNS)
        await ask.answer(f"User-agent: *\n{rules}", kind=PLAIN)
    else:
        await ask.page(*(f"/{'a' * 4000}c?{n}" for n in range(15)), "/x/x/x.js")


@behaviour(
    row=34,
    does="900 rules of stars, URLs of 4,000 letters",
    must="linear time",
    robots=True,
    expects={"/": "fetched", "/a*": "fetched"},
    check=_quick,
)
async def many_costly_patterns(ask):
    if ask.path == "/robots.txt":
        rules = "".join(f"Disallow: /*a*b*c*{n}$\n" for n in range(900))
        await ask.answer(f"User-agent: *\n{rules}", kind=PLAIN)
    elif ask.path == "/":
        await ask.page(*(f"/{'abc' * 1300}?{n}z" for n in range(20)))
    else:
        await ask.page()


@behaviour(
    row=34,
    does="20,000 rules of stars",
    must="an attack: nothing else is asked for",
    robots=True,
    expects={"/": "skipped: robots"},
    check=_quick,
)
async def too_many_patterns(ask):
    rules = "".join(f"Disallow: /*a*b*c*{n}$\n" for n in range(20_000))
    await ask.answer(f"User-agent: *\n{rules}", kind=PLAIN)
