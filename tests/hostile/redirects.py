"""Redirects: loops, chains, odd targets, and hops that one of the checks denies."""

from pathlib import Path

from tests.hostile.ask import html
from tests.hostile.registry import behaviour

DATA = Path(__file__).parent.parent / "fetcher" / "transport" / "data"
LIMIT = "stop at 10 hops"


def number(ask) -> int:
    return int(ask.path.rpartition("=")[2]) if "=" in ask.path else 0


@behaviour(row=14, does="redirect to itself", must=LIMIT, expects={"/": "failed: redirects"})
async def redirect_to_itself(ask):
    await ask.redirect("/")


@behaviour(
    row=14,
    does="loop of three",
    must=LIMIT,
    expects={"/": "redirected", "/?n=1": "redirected", "/?n=2": "failed: redirects"},
    check=lambda seen: seen.assert_requests(4),
)
async def redirect_loop(ask):
    await ask.redirect("/" if number(ask) == 2 else f"/?n={number(ask) + 1}")


@behaviour(
    row=14,
    does="chain of 50",
    must=LIMIT,
    expects={"/": "redirected", "/?n=10": "failed: redirects", "/?n=*": "redirected"},
    check=lambda seen: seen.assert_requests(12),
)
async def redirect_chain(ask):
    if number(ask) < 50:
        await ask.redirect(f"/?n={number(ask) + 1}", status=(301, 302, 303, 307, 308)[number(ask) % 5])
    else:
        await ask.page()


@behaviour(
    row=14,
    does="redirects that add to the query each time",
    must=LIMIT,
    expects={"/": "redirected", "/?*": "redirected | failed: redirects"},
    check=lambda seen: (seen.assert_ended("failed: redirects", 1), seen.assert_requests(12)),
)
async def growing_redirect(ask):
    await ask.redirect((ask.path + "&" if "?" in ask.path else "/?") + "x=y")


@behaviour(
    row=14,
    does="to another port and back, again and again",
    must=LIMIT,
    expects={
        "/": "redirected",
        "http://127.66.14.5:{other_port}/": "failed: redirects",
    },
)
async def redirect_over_ports(ask):
    here = int(ask.header("host").rpartition(":")[2])
    ports = [int(ask.places["port"]), int(ask.places["other_port"])]
    await ask.redirect(f"http://127.66.14.5:{ports[ports.index(here) - 1]}/")


@behaviour(
    row=14,
    does="to another spelling of itself",
    must="one normal form: a loop",
    expects={"/": "failed: redirects"},
)
async def redirect_to_spelling(ask):
    await ask.redirect("HTTP://127.66.14.0x6:{port}/a/%2e%2E/#fragment")


TARGETS = (
    "file:///etc/passwd",
    "data:text/html,<a href=/x>x</a>",
    "javascript:location='/x'",
    "ftp://127.0.0.1:{canary_port}/",
    "gopher://127.0.0.1:{canary_port}/_x",
    "fi\tle:///etc/passwd",
    "FILE:/etc/passwd",
    "view-source:http://127.0.0.1:{canary_port}/",
    "blob:http://127.0.0.1/x",
    "http://",
    "http://[::1",
    "http://127.0.0.1:99999/",
    "http://a b/",
    "mailto:a@b.example",
    "about:blank",
    "ws://127.0.0.1:{canary_port}/",
)


@behaviour(
    row=15,
    does="redirects to file:, data:, javascript:, ftp:, gopher: and what is not a URL",
    must="refuse",
    expects={"/": "fetched", "/*": "failed: redirects | failed: protocol"},
    check=lambda seen: seen.assert_no_canary(),
)
async def other_schemes(ask):
    if ask.path != "/":
        await ask.redirect(TARGETS[int(ask.path[1:])])
    else:
        await ask.page(*(f"/{n}" for n in range(len(TARGETS))))


@behaviour(
    row=15,
    does="links to file:, data:, javascript:, ftp: in every place for links",
    must="not followed",
    expects={"/": "fetched"},
    check=lambda seen: seen.assert_no_canary(),
)
async def links_to_other_schemes(ask):
    tags = [f'<a href="{ask.at(one)}">x</a><area href="{ask.at(one)}">' for one in TARGETS if "http" not in one]
    base = '<meta http-equiv=refresh content="0; url=file:///etc/passwd">'
    await ask.answer(html(head=base, text="".join(tags)))


SECRET = "T0PSECRET"
SECRETS = {
    "headers": (("Authorization", f"Bearer {SECRET}"), ("X-Api-Key", SECRET), ("Cookie", f"given={SECRET}")),
    "cookies": True,
    "scope": "any",
    "ca_bundle": DATA / "ca.pem",
}


def secrets_stay_at_home(seen):
    """Sent with the pages of the seed's origin alone, and written nowhere."""
    assert SECRET in seen.heads("/")[0]
    home = seen.places["port"]
    for one in seen.asked:
        where = one["head"]
        if one["port"] != home or one["path"] == "/robots.txt":
            assert SECRET not in where, where
            assert "k3ks" not in where, where
    for file in (one for one in seen.job.rglob("*") if one.is_file()):
        content = file.read_bytes()
        assert SECRET.encode() not in content, file
        assert b"k3ks" not in content, file
        assert b"p4ss" not in content, file


def back_with_secrets(seen):
    """And the origin gets its cookie back after the excursion."""
    secrets_stay_at_home(seen)
    (back,) = seen.heads("/back")
    assert SECRET in back
    assert "own=k3ks" in back


@behaviour(
    row=18,
    does="redirect to another port of the same host while secrets are set, and back",
    must="drop them there; host, scheme and port count",
    settings=SECRETS,
    expects={"/": "redirected", "http://127.66.18.1:{other_port}/there": "fetched", "/back": "fetched"},
    check=back_with_secrets,
    both=True,
)
async def secrets_to_other_port(ask):
    if ask.path == "/":
        await ask.redirect("http://127.66.18.1:{other_port}/there", "Set-Cookie: own=k3ks; Path=/")
    else:
        await ask.page("http://127.66.18.1:{port}/back")


@behaviour(
    row=18,
    does="redirect to https of another name while secrets are set",
    must="drop them there",
    settings=SECRETS,
    expects={"/": "redirected", "{good}/secrets_to_other_scheme/there": "fetched"},
    check=secrets_stay_at_home,
    both=True,
)
async def secrets_to_other_scheme(ask):
    if ask.path == "/":
        await ask.redirect("{good}/secrets_to_other_scheme/there", "Set-Cookie: own=k3ks; Domain=localhost")
    else:
        await ask.page()


@behaviour(
    row=18,
    does="redirect and links with a user and password in them",
    must="never sent, never written",
    settings=SECRETS,
    expects={"/": "fetched", "/r": "redirected", "/there": "fetched", "http://127.66.18.3:{other_port}/?x": "fetched"},
    check=lambda seen: (
        secrets_stay_at_home(seen),
        seen.assert_times("/there", 1),
        [None for one in seen.asked if "QWxhZGRpbjpwNHNz" in one["head"]] == [] or 1 / 0,
    ),
    both=True,
)
async def userinfo_in_links(ask):
    if ask.path == "/r":
        await ask.redirect("http://Aladdin:p4ss@127.66.18.3:{port}/there")
    else:
        await ask.page("http://Aladdin:p4ss@127.66.18.3:{port}/r", "http://Aladdin:p4ss@127.66.18.3:{other_port}/?x")


CHECKED = "check each hop again"


@behaviour(
    row=19,
    does="redirects to what robots.txt, scope or a filter denies",
    must=CHECKED,
    settings={"exclude": ("/excluded",)},
    expects={
        "/": "fetched",
        "/to/*": "redirected",
        "/denied/*": "skipped: robots",
        "http://127.66.19.1:{other_port}/x": "skipped: scope",
        "/excluded/x": "skipped: filter",
    },
    robots=True,
    check=lambda seen: [seen.assert_times(path, 0) for path in ("/denied/x", "/denied/y", "/excluded/x", "/x")],
)
async def redirect_to_denied(ask):
    targets = {
        "/to/robots": "/denied/x",
        "/to/scope": "http://127.66.19.1:{other_port}/x",
        "/to/filter": "/excluded/x",
        "/to/more": "/to/again",
        "/to/again": "/denied/y",
    }
    if ask.path == "/robots.txt":
        await ask.answer("User-agent: *\nDisallow: /denied/", kind="text/plain")
    elif ask.path in targets:
        await ask.redirect(targets[ask.path])
    else:
        await ask.page(*targets)


@behaviour(
    row=19,
    does="links and redirects to URLs made for a nested quantifier in --exclude",
    must="judged at once, in time proportional to the URL",
    settings={"exclude": (r"(a+)+$", r"^(?!.*/(to|a)+).*(x+x+)+y")},
    expects={"/": "fetched", "/to/*": "redirected", "/a*!": "fetched", "/b/aaaa": "skipped: filter"},
    check=lambda seen: seen.assert_times("/b/aaaa", 0),
)
async def costly_for_a_filter(ask):
    bait = "/" + "a" * 8_000 + "!"
    targets = {"/to/bait": bait, "/to/b": "/b/aaaa"}
    if ask.path in targets:
        await ask.redirect(targets[ask.path])
    else:
        await ask.page(*targets, bait)


@behaviour(
    row=19,
    does="redirect of the seed itself to what robots.txt denies",
    must=CHECKED,
    expects={"/": "redirected", "/denied": "skipped: robots"},
    robots=True,
    check=lambda seen: seen.assert_times("/denied", 0),
)
async def seed_to_denied(ask):
    if ask.path == "/robots.txt":
        await ask.answer("User-agent: *\nDisallow: /denied", kind="text/plain")
    await ask.redirect("/denied")


@behaviour(
    row=19,
    does="redirect to a spelling that robots.txt does not name literally",
    must="the normal form is what is judged",
    expects={"/": "redirected", "/denied/x": "skipped: robots"},
    robots=True,
    check=lambda seen: seen.assert_times("/denied/x", 0),
)
async def redirect_around_robots(ask):
    if ask.path == "/robots.txt":
        await ask.answer("User-agent: *\nDisallow: /denied/", kind="text/plain")
    await ask.redirect("/a/..//../%64enied/./x")


REJECT = "reject"


@behaviour(
    row=41,
    does="Location of 1 MB",
    must=REJECT,
    expects={"/": "failed: protocol"},
    both=True,
)
async def long_location(ask):
    await ask.redirect("/" + "x" * 1_000_000)


@behaviour(
    row=41,
    does="Location of 40 KB, below the limit on headers and above that on URLs",
    must=REJECT,
    expects={"/": "failed: redirects"},
    both=True,
)
async def longish_location(ask):
    await ask.redirect("/" + "x" * 40_000)


def nothing_injected(seen):
    """Of the line break's other side nothing was taken for a request, a header or a cookie."""
    for one in seen.asked:
        assert "njected" not in one["head"].partition("\r\n")[2], one
        assert one["head"].count("\r\n\r\n") == 1


@behaviour(
    row=41,
    does="Location with a bare CR, a NUL, CR LF in percent-encoding, or a bare LF, which ends it",
    must=REJECT,
    expects={
        "/": "fetched",
        "/cr": "failed: protocol",
        "/lf": "redirected",
        "/nul": "failed: protocol",
        "/escaped": "redirected",
        "/x*": "fetched",
    },
    check=nothing_injected,
    both=True,
)
async def location_with_line_break(ask):
    breaks = {"/cr": "\r", "/lf": "\n", "/nul": "\0", "/escaped": "%0D%0A"}
    if ask.path in breaks:
        ask.writer.write(b"HTTP/1.1 302 X\r\nContent-Length: 0\r\nLocation: ")
        await ask.send(ask.at(f"/x{breaks[ask.path]}Set-Cookie:%20injected=1\r\n\r\n").encode())
        await ask.close()
    await ask.page(*breaks)
