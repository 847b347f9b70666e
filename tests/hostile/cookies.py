"""Cookies that reach too far, and too many of them."""

from functools import partial

from tests.hostile.registry import behaviour

COOKIES = {"cookies": True}
REJECT = "reject"


def _within_caps(seen):
    sizes = []
    for one in seen.asked:
        lines = [line for line in one["head"].split("\r\n") if line.lower().startswith("cookie:")]
        assert len(lines) <= 1
        for line in lines:
            sizes.append(len(line))
            assert len(line) <= 8192 + len("cookie: "), len(line)
            assert line.count(";") < 50
    assert sizes, "no cookie came back at all"


def _clean(seen):
    assert "own" in cookies(seen, "/again")
    for head in seen.heads("/again"):
        assert "\x1b" not in head
        assert head.count("\r\n\r\n") == 1


def _own_only(seen):
    assert "own" in cookies(seen, "/again")
    wide = [name for name in cookies(seen, "/again") if name.startswith("wide")]
    assert not wide, wide
    for one in seen.asked:
        if "host: www." in one["head"].lower():
            assert "cookie:" not in one["head"].lower()


def cookies(seen, path: str) -> list[str]:
    """Names of the cookies that came with the request for a path."""
    heads = seen.heads(path)
    assert len(heads) == 1, f"{path} was asked for {len(heads)} times"
    lines = [line for line in heads[0].split("\r\n") if line.lower().startswith("cookie:")]
    assert len(lines) <= 1
    return [pair.partition("=")[0].strip() for line in lines for pair in line[7:].split(";")]


@behaviour(
    row=20,
    does="cookies for public suffixes, foreign domains, and its own",
    must="reject all but its own",
    settings={**COOKIES, "scope": "domain"},
    seed="http://shop.example.co.uk:{port}/",
    names=dict.fromkeys(("shop.example.co.uk", "www.example.co.uk"), ("127.66.20.1",)),
    expects={"http://*.example.co.uk:{port}/*": "fetched"},
    check=_own_only,
    both=True,
)
async def public_suffix(ask):
    domains = ("co.uk", ".co.uk", "uk", "CO.UK.", "github.io", "com", "example.com", "www.example.co.uk", "127.66.20.1")
    lines = [f"Set-Cookie: wide{n}=1; Domain={domain}; Path=/" for n, domain in enumerate(domains)]
    lines += ["Set-Cookie: own=1; Path=/", "Set-Cookie: site=1; Domain=example.co.uk; Path=/"]
    first = ask.header("host").startswith("shop.") and ask.path == "/"
    other = "http://www.example.co.uk:{port}/"
    await ask.page(f"/{'again' if first else 'end'}", other, headers=lines if first else ())


@behaviour(
    row=20,
    does="an address that sets cookies for parts of it",
    must=REJECT,
    settings=COOKIES,
    expects={"/": "fetched", "/again": "fetched"},
    check=lambda seen: _equal(cookies(seen, "/again"), ["own"]),
    both=True,
)
async def cookie_for_address(ask):
    domains = ("66.20.2", ".20.2", "127.66.20.1", "0.0.1", "2")
    lines = [f"Set-Cookie: wide{n}=1; Domain={domain}" for n, domain in enumerate(domains)]
    await ask.page("/again", headers=(*lines, "Set-Cookie: own=1"))


@behaviour(
    row=20,
    does="Secure cookies over plain HTTP, __Host- names, other paths",
    must=REJECT,
    settings=COOKIES,
    expects={"/": "fetched", "/again": "fetched"},
    check=lambda seen: _equal({"secure", "elsewhere"} & set(cookies(seen, "/again")), set()),
)
async def cookies_out_of_place(ask):
    lines = ("secure=1; Secure", "elsewhere=1; Path=/other", "own=1")
    await ask.page("/again", headers=tuple(f"Set-Cookie: {line}" for line in lines))


def _equal(one, other):
    assert one == other, (one, other)


COOKIES_A_PAGE = 80
"""http.client takes no more than 100 headers."""
PAGES = 10_000 // COOKIES_A_PAGE


too_many = partial(
    behaviour,
    row=21,
    must="cap per host and per request",
    settings=COOKIES,
    expects={"/": "fetched", "/*": "fetched"},
    check=_within_caps,
)


@too_many(does="10,000 cookies of 4 KB", both=True)
async def many_cookies(ask):
    mine = ask.path[1:] or "start"
    lines = [f"Set-Cookie: c{mine}x{n}={'v' * 4050}" for n in range(COOKIES_A_PAGE)]
    await ask.page(*(f"/{n}" for n in range(PAGES)), headers=tuple(lines))


@too_many(does="10,000 small cookies")
async def small_cookies(ask):
    mine = ask.path[1:] or "start"
    lines = [f"Set-Cookie: c{mine}x{n}=v; Expires=Wed, 01 Jan 2199 00:00:00 GMT" for n in range(COOKIES_A_PAGE)]
    await ask.page(*(f"/{n}" for n in range(PAGES)), headers=tuple(lines))


@behaviour(
    row=21,
    does="cookies that are none: control characters, no name, endless ages, lone bytes",
    must="never an exception, nothing broken sent back",
    settings=COOKIES,
    expects={"/": "fetched", "/again": "fetched"},
    check=_clean,
    both=True,
)
async def broken_cookies(ask):
    lines = (
        "=nameless",
        "",
        ";;;",
        "a",
        "tab\tname=1",
        "esc=\x1b[2J",
        "utf=\udcff\udcfe",
        f"age=1; Max-Age={'9' * 400}",
        "old=1; Expires=Thu, 99 Foo 99999 99:99:99 GMT",
        "path=1; Path=" + "/x" * 2000,
        "domain=1; Domain=" + "." * 300,
        'quote="a\\"; Domain="co.uk',
        "own=1",
    )
    await ask.page("/again", headers=tuple(f"Set-Cookie: {line}" for line in lines))
