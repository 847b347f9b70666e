"""Cookies go back to the origin that set them, as RFC 6265 says, within bounds; nothing that a server sends raises."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crawler.fetcher import cookies
from crawler.fetcher.cookies import (
    MAX_COOKIE_BYTES,
    MAX_COOKIES,
    MAX_HEADER_BYTES,
    MAX_ORIGINS,
    CookieJars,
    cookie_time,
    is_public_suffix,
)
from tests.support.table import table

NOW = 1_700_000_000.0
SITE = "https://www.example.co.uk"


@pytest.fixture(scope="module", autouse=True)
def suffix_list():
    """Read it once, before anything that Hypothesis times."""
    is_public_suffix("example.com")


def sent(*values: str, url: str = f"{SITE}/a/b", to: str | None = None, after_s: float = 0.0) -> str | None:
    """What goes back to `to` (default: where it came from) after an answer with these Set-Cookie values."""
    jars = CookieJars()
    jars.take(url, values, NOW)
    return jars.header(to or url, NOW + after_s)


@table(
    ("value", "header"),
    [
        ("a=1", "a=1"),
        ("a=1; Path=/; HttpOnly; SameSite=Lax; Priority=High", "a=1"),
        ("  a =  1 2  ;x", "a=1 2"),
        ('a="1,2"', 'a="1,2"'),
        ("a=b=c", "a=b=c"),
        ("a=", "a="),
        ("a=ü", "a=ü"),
        ("a", None),
        ("=1", None),
        ("", None),
        (";a=1", None),
        ("a=1\r\nX-Injected: 1", None),
        ("a=\x00", None),
        ("a=\x1b[2J", None),
        ("a=\ud800", None),
    ],
)
def test_name_and_value(value, header):
    """A pair goes back as it came; what could end a header or a line does not."""
    assert sent(value) == header


@table(
    ("domain", "accepted"),
    [
        ("www.example.co.uk", True),
        (".www.example.co.uk", True),
        ("WWW.Example.co.uk", True),
        ("example.co.uk", True),
        (".example.co.uk", True),
        ("", True),
        ("co.uk", False),
        (".co.uk", False),
        ("uk", False),
        ("example.com", False),
        ("other.example.co.uk", False),
        ("a.www.example.co.uk", False),
        ("ample.co.uk", False),
        ("..example.co.uk", False),
        ("www.example.co.uk.", False),
    ],
)
def test_domain_must_match_and_be_no_public_suffix(domain, accepted):
    """And even then the cookie goes to no other host of that domain."""
    assert sent(f"a=1; Domain={domain}") == ("a=1" if accepted else None)
    assert sent(f"a=1; Domain={domain}", to="https://other.example.co.uk/") is None


@table(
    ("url", "domain", "accepted"),
    [
        ("https://me.github.io/", "github.io", False),
        ("https://github.io/", "github.io", True),
        ("https://a.localhost/", "localhost", False),
        ("https://a.internal.corp/", "internal.corp", True),
        ("https://x.city.kawasaki.jp/", "city.kawasaki.jp", True),
        ("https://x.y.kawasaki.jp/", "y.kawasaki.jp", False),
        ("https://127.0.0.1/", "127.0.0.1", True),
        ("https://127.0.0.1/", "0.0.1", False),
        ("https://[::1]:8080/", "[::1]", True),
        ("https://[::1]/", "1]", False),
    ],
)
def test_domain_of_other_hosts(url, domain, accepted):
    """The list's private part, its exceptions, names that it does not know, and addresses."""
    assert sent(f"a=1; Domain={domain}", url=url) == ("a=1" if accepted else None)


@table(
    ("to", "back"),
    [
        (f"{SITE}/a/other?q", True),
        (f"{SITE}:8443/a/b", False),
        ("http://www.example.co.uk/a/b", False),
        ("https://example.co.uk/a/b", False),
        ("https://evil.example/a/b", False),
    ],
)
def test_an_origin_is_scheme_host_and_port(to, back):
    assert (sent("a=1", to=to) is not None) is back


@table(
    ("attribute", "url", "to", "back"),
    [
        ("", "/a/b", "/a/", True),
        ("", "/a/b", "/a", True),
        ("", "/a/b", "/", False),
        ("", "/a/b", "/ab", False),
        ("", "/a", "/x?y", True),
        ("", "/?/x/y", "/", True),
        ("Path=/", "/a/b", "/x", True),
        ("Path=/docs", "/a/b", "/docs", True),
        ("Path=/docs", "/a/b", "/docs?q", True),
        ("Path=/docs", "/a/b", "/docs/x", True),
        ("Path=/docs", "/a/b", "/docsx", False),
        ("Path=/docs/", "/a/b", "/docs", False),
        ("Path=docs", "/a/b", "/a/c", True),
        ("Path=", "/a/b", "/a/c", True),
        ("Path=/x; Path=/y", "/a/b", "/y", True),
    ],
)
def test_path(attribute, url, to, back):
    """RFC 6265 §5.1.4."""
    assert (sent(f"a=1; {attribute}", url=SITE + url, to=SITE + to) is not None) is back


@table(("scheme", "header"), [("https", "a=1"), ("http", None)])
def test_a_secure_cookie_needs_tls(scheme, header):
    assert sent("a=1; Secure", url=f"{scheme}://example.com/") == header


@table(
    ("attributes", "lives_s"),
    [
        ("Max-Age=60", 60),
        ("max-age = 60", 60),
        ("Max-Age=0", 0),
        ("Max-Age=-5", 0),
        ("Max-Age=60; Max-Age=5", 5),
        ("Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT", 60),
        ("Expires=Tue, 14 Nov 2023 22:14:20 GMT", 60),
        ("Expires=Tuesday, 14-Nov-23 22:14:20 GMT", 60),
        ("Expires=Tue Nov 14 22:14:20 2023", 60),
        ("Expires=Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Expires=soon", None),
        ("Max-Age=soon", None),
        ("Max-Age", None),
        ("Max-Age=6e1", None),
        ("Max-Age=" + "9" * 900, None),
        ("Max-Age=" + "9" * 9_000, None),
        ("", None),
    ],
)
def test_expiry(attributes, lives_s):
    """`NOW` is 22:13:20. None: as long as the crawl."""
    for after_s in (0, 1, 10, 59, 61, 10**9):
        back = sent(f"a=1; {attributes}", after_s=after_s) is not None
        assert back is (lives_s is None or after_s < lives_s), after_s


@table(
    ("text", "at"),
    [
        ("Thu, 01 Jan 1970 00:00:10 GMT", 10.0),
        ("1 jan 1970 0:0:10", 10.0),
        ("00:00:10 January 1st, 70", 10.0),
        ("01-Jan-69 00:00:00", 3_124_224_000.0),
        ("31 Feb 2020 00:00:00", None),
        ("01 Jan 1600 00:00:00", None),
        ("01 Jan 99999 00:00:00", None),
        ("01 Jan 2020 24:00:00", None),
        ("01 Jan 2020", None),
        ("2020-01-01T00:00:00Z", None),
        ("", None),
    ],
)
def test_dates(text, at):
    """RFC 6265 §5.1.1."""
    assert cookie_time(text) == at


def test_a_later_cookie_replaces_and_can_delete():
    jars = CookieJars()
    jars.take(f"{SITE}/", ["a=1", "b=1", "a=2"], NOW)
    assert jars.header(f"{SITE}/", NOW) == "a=2; b=1"
    jars.take(f"{SITE}/", ["a=; Max-Age=0", "c=0; Max-Age=0"], NOW)
    assert jars.header(f"{SITE}/", NOW) == "b=1"
    jars.take(f"{SITE}/", ["b=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], NOW)
    assert jars.header(f"{SITE}/", NOW) is None
    jars.take(f"{SITE}/", ["d=1"], NOW)
    assert jars.header(f"{SITE}/", NOW) == "d=1"


def test_longer_paths_come_first_then_older_cookies():
    """RFC 6265 §5.4."""
    values = ["z=1; Path=/", "y=1; Path=/a", "x=1; Path=/", "y=2; Path=/"]
    assert sent(*values, url=f"{SITE}/a/b") == "y=1; z=1; x=1; y=2"


def test_ten_thousand_cookies_of_4_kb():
    """At most 50 stay, the newest; a header holds 8 KB of them."""
    jars = CookieJars()
    for n in range(10_000):
        jars.take(f"{SITE}/", [f"c{n:05}={'x' * (MAX_COOKIE_BYTES - 6)}"], NOW)
    header = jars.header(f"{SITE}/", NOW)
    assert header is not None
    assert MAX_COOKIE_BYTES < len(header) <= MAX_HEADER_BYTES
    assert header.startswith(f"c{10_000 - MAX_COOKIES:05}=")
    small = sent(*(f"c{n}=1" for n in range(10_000)), url=f"{SITE}/")
    assert small is not None
    assert small.count("=") == MAX_COOKIES
    assert sent("a=" + "x" * MAX_COOKIE_BYTES) is None
    assert sent("a=" + "ü" * (MAX_COOKIE_BYTES // 2)) is None


def test_one_cookie_that_does_not_fit_does_not_keep_out_the_others():
    big = "x" * (MAX_COOKIE_BYTES - 2)
    assert sent(f"a={big}", f"b={big}", "c=1", url=f"{SITE}/") == f"a={big}; c=1"


def test_the_least_recently_used_origins_are_forgotten(monkeypatch):
    """By their number, and by what all cookies take up."""
    jars = CookieJars()
    for n in range(MAX_ORIGINS):
        jars.take(f"http://h{n}/", ["a=1"], NOW)
    assert jars.header("http://h0/", NOW) == "a=1"
    jars.take("http://new/", ["a=1"], NOW)
    assert jars.header("http://h0/", NOW) == "a=1"
    assert jars.header("http://h1/", NOW) is None
    monkeypatch.setattr(cookies, "MAX_HELD_BYTES", 20_000)
    jars = CookieJars()
    for n in range(10):
        jars.take(f"http://h{n}/", [f"a={'x' * 4_000}"] * 3, NOW)
    assert [jars.header(f"http://h{n}/", NOW) is not None for n in range(10)] == [False] * 6 + [True] * 4
    for n in range(6, 10):
        jars.take(f"http://h{n}/", ["a=; Max-Age=0"], NOW)
    assert repr(jars) == "<CookieJars 0 origins, 0 bytes>"


def test_nothing_of_a_cookie_is_shown():
    jars = CookieJars()
    jars.take(f"{SITE}/", ["session=hunter2"], NOW)
    assert "hunter2" not in repr(jars) + str(jars)


ATTRIBUTES = st.sampled_from(["Max-Age", "Expires", "Domain", "Path", "Secure", "a", "Port", "Version", ""])
VALUES = st.one_of(
    st.text(max_size=40),
    st.integers().map(str),
    st.sampled_from(["/", ".co.uk", "example.co.uk", "01 Jan 2030 00:00:00 GMT", "Wed, 31-Apr-99 1:2:3", "9" * 5_000]),
)
SET_COOKIES = st.one_of(
    st.text(max_size=200),
    st.lists(st.tuples(ATTRIBUTES, st.sampled_from(["=", "", " = "]), VALUES).map("".join), max_size=8).map("; ".join),
)


@given(st.lists(SET_COOKIES, max_size=8), st.sampled_from([f"{SITE}/a/b", "http://[::1]:1/", "http://1.2.3.4/x"]))
@example(["a=b; Max-Age"], f"{SITE}/")
def test_no_answer_raises_or_breaks_a_request(values, url):
    """Whatever is set, what goes back is a header's worth of one line, and later cookies still work."""
    jars = CookieJars()
    jars.take(url, values, NOW)
    jars.take(url, ["last=1; Path=/"], NOW)
    header = jars.header(url, NOW)
    assert header is not None
    assert "last=1" in header
    assert len(header.encode()) <= MAX_HEADER_BYTES
    assert not any(ord(c) < 32 and c != "\t" for c in header)
