"""URLs: any string is one in normal form or a UrlError, a link of any page is one or none, and each can be judged."""

import re

from hypothesis import given
from hypothesis import strategies as st

from crawler.core.errors import UrlError
from crawler.core.printable import printable
from crawler.web.traps import is_fixed, pattern, repeats
from crawler.web.urls import MAX_URL_CHARS, LinkResolver, authority, folder, normalise, origin, resolve
from tests.fuzz.damage import ANY_TEXT, damaged_text, fragments
from tests.fuzz.profile import fuzz
from tests.support.yardstick import takes_linear_time

PARTS = fragments("urls")
URLS = damaged_text(PARTS, 12) | st.builds("http://h/{}".format, damaged_text(PARTS, 12)) | ANY_TEXT
# What decides whether a link depends on its page alone, its folder or nothing of it.
PAGES = st.sampled_from(
    ["http://h/a/b?x=/y/", "http://h/a/c", "http://h/a/", "https://h/a/b", "http://h/a;jsessionid=1/b"]
)
EDGES = [
    b"",
    b"#",
    b"?",
    b"x",
    b"http:",
    b"HTTP:",
    b" ",
    b"\t",
    b"\n",
    b"\x1f",
    b"\x01",
    b"\x00",
    b"..",
    b"/",
    b"//",
    b"\\",
]


@fuzz(300)
@given(URLS)
def test_any_string_has_an_idempotent_normal_form_or_is_a_url_error(url):
    try:
        normal = normalise(url)
    except UrlError as caught:
        error = str(caught)
        assert error.isprintable()
        return
    assert normalise(normal) == normal
    assert re.fullmatch(r"https?://[!-~]+", normal)
    assert len(normal) <= MAX_URL_CHARS
    assert "@" not in authority(normal)
    assert normal.startswith(folder(normal))
    assert folder(normal).startswith(origin(normal) + "/")


@fuzz(300)
@given(URLS, URLS)
def test_a_link_of_any_page_is_a_normal_form_without_session_or_none(base, href):
    url = resolve(base, href)
    kept = resolve(base, href, strip_session=False)
    assert (url is None) == (kept is None)
    if url is not None:
        assert normalise(url) == url == resolve(base, url)
        assert normalise(kept) == kept
        assert resolve(base, kept) == url
        assert authority(url) == authority(kept)
        assert len(url) <= len(kept)


@fuzz(300)
@given(st.lists(PAGES | PAGES | URLS, max_size=4), st.lists(URLS | damaged_text(EDGES, 6), max_size=4))
def test_a_resolver_answers_like_resolve(bases, hrefs):
    resolver = LinkResolver(2_000)
    for base in bases * 2:
        for href in hrefs:
            assert resolver.resolve(base, href) == resolve(base, href)


@fuzz(300)
@given(URLS)
def test_any_url_can_be_judged_as_a_trap(url):
    assert repeats(url) in {True, False}
    assert is_fixed(url) in {True, False}
    collapsed = pattern(resolve("http://h/", url) or "http://h/")
    assert pattern(collapsed) == collapsed


@fuzz(300)
@given(URLS, st.none() | st.integers(1, 20))
def test_any_text_can_be_shown_on_one_line(text, limit):
    assert printable(text, limit).isprintable()


@fuzz(30, cost=10)
@given(
    st.sampled_from(["http://", "http://h/", "http://h/?", ""]),
    st.lists(st.sampled_from(PARTS), min_size=1, max_size=3),
)
def test_a_url_of_the_same_again_and_again_takes_linear_time(start, unit):
    def work(count):
        url = start + b"".join(unit).decode("utf-8", "surrogatepass") * count
        resolve("http://h/a/b", url)
        repeats(url)
        pattern(url)

    assert takes_linear_time(work, 500)
