"""Sitemaps: any bytes are one, in normal URLs and within the caps, or a SitemapError in few words."""

import gzip
import zlib
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from crawler.web.sitemap import MAX_SITEMAP_URLS, SitemapError, read_sitemap
from crawler.web.urls import normalise
from tests.fuzz.damage import ANY_TEXT, damaged, fragments
from tests.fuzz.profile import fuzz
from tests.support.yardstick import takes_linear_time

FRAGMENTS = fragments("sitemap")
HEADS = [b"", b"", b'<?xml version="1.0"?><urlset>', b"<sitemapindex><sitemap><loc>", b"<rss><channel>", b"http://h/\n"]
PLAIN = st.builds(bytes.__add__, st.sampled_from(HEADS), damaged(FRAGMENTS, 30)) | st.binary(max_size=200)


@st.composite
def bodies(draw):
    body = draw(PLAIN)
    form = draw(st.sampled_from(["plain", "plain", "gzip", "broken gzip", "twice", "utf-16"]))
    if form == "utf-16":
        return body.decode("latin-1").encode("utf-16")
    if form != "plain":
        body = gzip.compress(body, 1, mtime=0)
    if form == "twice":
        return gzip.compress(body, 1, mtime=0)
    if form == "broken gzip":
        at = draw(st.integers(0, len(body) - 1))
        return body[:at] + draw(st.binary(max_size=3)) + body[at + draw(st.integers(0, 2)) :]
    return body


URLS = st.sampled_from(
    ["http://h/sitemap.xml", "https://h:81/a/s.xml.gz?b", "http://h/robots.txt", "http://h/robots.txt?x"]
)
TYPES = (
    st.none()
    | st.sampled_from(["text/xml; charset=utf-8", "application/xml;charset=utf-16", "x; charset=no"])
    | ANY_TEXT
)


@fuzz(300)
@given(bodies(), URLS, TYPES, st.booleans())
def test_any_bytes_are_a_sitemap_or_a_sitemap_error(body, url, content_type, truncated):
    try:
        sitemap = read_sitemap(body, url, content_type, truncated=truncated)
    except SitemapError as caught:
        error = str(caught)
        assert error.isprintable()
        assert len(error) < 60
        return
    assert len(sitemap.entries) <= MAX_SITEMAP_URLS
    assert sitemap.cut.isprintable()
    for entry in sitemap.entries:
        assert normalise(entry.url) == entry.url
        assert "root:" not in entry.url
        assert entry.lastmod is None or entry.lastmod.isprintable()


@fuzz(30, cost=10)
@given(
    st.sampled_from(HEADS), st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=4).map(b"".join), st.booleans()
)
def test_a_sitemap_of_the_same_again_and_again_takes_linear_time(head, unit, packed):
    def work(count):
        body = head + unit * count
        with suppress(SitemapError):
            read_sitemap(zlib.compress(body, 1, wbits=31) if packed else body, "http://h/s.xml", None)

    assert takes_linear_time(work, 500)
