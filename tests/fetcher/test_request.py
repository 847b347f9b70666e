"""What a URL is asked for with: secrets stay with the seed's origin, cookies with their own, time runs out."""

import msgspec
import pytest

from crawler.core.config import CrawlConfig
from crawler.core.model import SeedContext, Task
from crawler.fetcher.request import MAX_SITEMAP_BYTES, Requests
from crawler.fetcher.transport.base import FetchResult

NOW = 1_700_000_000.0
SEED = SeedContext(1, ("https://a.test/start", "https://b.test/moved"), b"null")
SECRETS = (("Authorization", "Bearer s3cret"), ("X-Api-Key", "k3y"))
HARMLESS = ("Accept-Language", "de")


def task(url: str = "https://a.test/x", **changes) -> Task:
    return msgspec.structs.replace(Task(b"k" * 16, url, 0, None, (), 0, SEED), **changes)


def requests(tmp_path, **settings) -> Requests:
    return Requests(CrawlConfig(job=tmp_path, timeout_s=20.0, max_body_bytes=1_000, **settings))


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("https://a.test/", True),
        ("https://a.test/x?y", True),
        ("http://a.test/x", False),
        ("https://a.test:8443/x", False),
        ("https://www.a.test/x", False),
        ("https://b.test/moved", False),
        ("https://a.test.evil.test/", False),
    ],
)
def test_credentials_go_to_the_seeds_origin_alone(tmp_path, url, sent):
    """Scheme, host and port count; where the seed redirected to is another origin."""
    request = requests(tmp_path, headers=(*SECRETS, HARMLESS)).of(task(url), NOW)
    assert request.url == url
    assert request.headers == (SECRETS if sent else ())


def test_time_and_body_caps(tmp_path):
    """A redirect's target has what is left of the time; a sitemap may be as large as its protocol says."""
    made = requests(tmp_path)
    page, target = made.of(task(), NOW), made.of(task(spent_s=12.5), NOW)
    assert (page.timeout_s, page.max_body_bytes, page.headers) == (20.0, 1_000, ())
    assert target.timeout_s == 7.5
    assert made.of(task(kind="sitemap"), NOW).max_body_bytes == MAX_SITEMAP_BYTES == 52_428_800


def test_a_sitemap_is_asked_for_as_xml_unless_the_user_says_what_to_accept(tmp_path):
    (accept,) = requests(tmp_path).of(task(kind="sitemap"), NOW).headers
    assert accept[0] == "Accept"
    assert accept[1].startswith("application/xml")
    assert requests(tmp_path, headers=(("accept", "*/*"),)).of(task(kind="sitemap"), NOW).headers == ()


def answered(url: str, *cookies: str) -> FetchResult:
    return FetchResult(url, 200, tuple(("set-cookie", cookie) for cookie in cookies))


@pytest.mark.parametrize("on", [True, False])
def test_cookies_come_back_only_if_they_are_kept(tmp_path, on):
    made = requests(tmp_path, cookies=on)
    made.answered(answered("https://b.test/", "a=1", "b=2; Path=/x"), NOW)
    assert made.of(task("https://b.test/x"), NOW).headers == ((("Cookie", "b=2; a=1"),) if on else ())
    assert made.of(task("http://b.test/x"), NOW).headers == ()
    assert made.of(task("https://b.test:8443/x"), NOW).headers == ()


def test_configured_cookies_and_those_of_the_site_share_a_header(tmp_path):
    """RFC 6265 §5.4: one Cookie header; elsewhere only the site's own."""
    made = requests(tmp_path, cookies=True, headers=(("cookie", "mine=1"), ("X-Api-Key", "k3y")))
    for url in ("https://a.test/", "https://b.test/"):
        made.answered(answered(url, "theirs=2"), NOW)
    assert made.of(task(), NOW).headers == (("X-Api-Key", "k3y"), ("Cookie", "mine=1; theirs=2"))
    assert made.of(task("https://b.test/"), NOW).headers == (("Cookie", "theirs=2"),)
    assert made.of(task("https://a.test:1/"), NOW).headers == ()
