"""The model of the demo site agrees with itself and with a crawl that shares no code with the crawler."""

import collections
import contextlib
import gzip
import random
import re

import ada_url
import lxml.html
import pytest
from protego import Protego

from crawler.cli.demo.hosts import HOSTS
from crawler.cli.demo.site import Site, demo_seeds, expected_urls
from crawler.core.config import DEFAULT_USER_AGENT

PORT = 8000


@pytest.fixture(scope="module")
def site():
    return Site(PORT)


@pytest.mark.thorough
def test_two_models_give_the_same_bytes(site):
    other = Site(PORT)
    assert other.outcomes() == site.outcomes()
    for url in site.outcomes():
        host, target = split(url)
        assert other.answer(host, target) == site.answer(host, target)


def test_site_is_as_large_as_announced(site):
    expected = expected_urls(PORT)
    assert 1_900 <= len(expected) <= 2_200
    assert len(HOSTS) == 20
    sizes = [len(site.answer(*split(url)).body) for url in expected]
    assert max(sizes) > 50_000
    assert 5_000 < sum(sizes) / len(sizes) < 30_000
    # At the adaptive delay's least value, 0.1 s, no host alone may take the demo's whole minute.
    per_host = collections.Counter(split(url)[0] for url in expected)
    assert max(per_host.values()) * 0.1 < 30


def test_pages_carry_as_many_links_as_real_ones(site):
    counts = [len(links_of(site, url)) for url in expected_urls(PORT) if "/news/" in url or "/trails/" in url]
    assert min(counts) >= 25
    assert max(counts) >= 60


@pytest.mark.thorough
@pytest.mark.parametrize("order", [1, 2, 3])
def test_a_plain_crawl_of_the_model_ends_as_announced_in_any_order(site, order):
    """Closure: nothing is linked that the model does not know, nothing is announced that no link leads to."""
    assert plain_crawl(site, random.Random(order)) == site.outcomes()


def test_unlisted_addresses_are_announced_nowhere(site):
    """Scripts, comments, images and files hold no links to follow."""
    assert not [
        url for url in site.outcomes() if re.search(r"/from-(a-script|a-comment|an-svg|plain-text)|/images/", url)
    ]


def test_a_host_that_is_not_the_sites_is_unknown_and_a_stray_address_is_404(site):
    assert site.answer("example.com", "/") is None
    assert site.answer("site01.localhost", "/nowhere").status == 404
    assert site.resource(f"http://site01.localhost:{PORT}/").kind == "home"
    assert site.resource(f"https://site01.localhost:{PORT}/") is None


def test_the_calendar_has_no_end_and_is_closed_to_crawlers(site):
    month = "/calendar/2026/11"
    for _ in range(40):
        answer = site.answer("site09.localhost", month)
        assert answer.status == 200
        month = re.findall(rb'href="(/calendar/[^"]+)">[A-Z]', answer.body.partition(b"<aside>")[2])[1].decode()
    assert month == "/calendar/2030/03"
    assert not robots(site, "site09.localhost").can_fetch(f"http://site09.localhost:{PORT}{month}", "crawler")


@pytest.mark.parametrize(
    ("number", "path", "allowed"),
    [
        (1, "/", True),
        (1, "/private/minutes", False),
        (1, "/private/press/kit", True),
        (1, "/search?q=opening+hours", False),
        (9, "/calendar/2026/11", False),
        (9, "/events/", True),
        (10, "/", True),
        (10, "/vault/keys", False),
        (10, "/vault/tour/start", True),
        (10, "/downloads/plans.zip", False),
        (10, "/downloads/plans.zip?mirror=2", True),
        (10, "/exhibits/?sort=age", False),
        (12, "/private/minutes", False),
        (16, "/private/minutes", False),
        (17, "/private/minutes", True),
    ],
)
def test_robots_files_say_what_they_are_meant_to(site, number, path, allowed):
    host = f"site{number:02d}.localhost"
    agent = DEFAULT_USER_AGENT.partition("/")[0]
    assert robots(site, host).can_fetch(f"http://{host}:{PORT}{path}", agent) is allowed


def test_robots_files_name_a_delay_on_one_host_and_a_sitemap_on_all_but_one(site):
    delays = {host.number: robots(site, host.name).crawl_delay("crawler") for host in HOSTS}
    assert {number: delay for number, delay in delays.items() if delay} == {14: 0.25}
    without = [host.number for host in HOSTS if not list(robots(site, host.name).sitemaps)]
    assert without == [17]


def test_sitemaps_list_pages_that_exist_only(site):
    expected = expected_urls(PORT)
    for host in HOSTS:
        root = lxml.etree.fromstring(site.answer(host.name, "/sitemap.xml").body)
        listed = [element.text for element in root.iter("{*}loc")]
        assert listed
        assert set(listed) <= expected


# A crawl of the model in plain Python, which shares no code with the crawler.


def plain_crawl(site, rng):
    """Outcome of every URL that is met, visiting what is due in the order that `rng` picks."""
    ends, queued = {}, set()
    queue = []
    rules = {host.name: robots(site, host.name) for host in HOSTS}

    def offer(url, anchors, chain=(), nofollow=False):
        if ada_url.URL(url).host not in anchors:
            reason = "skipped: scope"
        elif nofollow:
            reason = "skipped: nofollow"
        else:
            if url not in queued:
                queued.add(url)
                queue.append((url, anchors, chain))
            return
        if url not in queued:
            # The reason of a skip must not depend on which page came first either.
            assert ends.setdefault(url, reason) == reason

    for seed in demo_seeds(site.port):
        offer(seed, frozenset({ada_url.URL(seed).host}))
    seeds = set(queued)
    while queue:
        url, anchors, chain = queue.pop(rng.randrange(len(queue)))
        host, target = split(url)
        if not rules[host].can_fetch(url, "crawler"):
            ends[url] = "skipped: robots"
            continue
        answer = site.answer(host, target)
        headers = dict(answer.headers)
        if answer.cut:
            ends[url] = "failed: incomplete"
        elif "Location" in headers or b'http-equiv="refresh"' in answer.body:
            location = headers.get("Location") or re.search(rb"url=([^\"]+)", answer.body)[1].decode()
            to = normal(ada_url.join_url(url, location))
            looped = to == url or to in chain
            ends[url] = "failed: redirects" if looped else "redirected"
            if not looped:
                wider = anchors | {ada_url.URL(to).host} if url in seeds else anchors
                offer(to, wider, (*chain, url))
        else:
            ends[url] = "fetched"
            for to, nofollow in links_of(site, url):
                offer(to, anchors, (), nofollow)
    return ends


def links_of(site, url):
    """(URL, nofollow) of all links to follow on a page, with lxml."""
    answer = site.answer(*split(url))
    headers = dict(answer.headers)
    body = gzip.decompress(answer.body) if headers.get("Content-Encoding") == "gzip" else answer.body
    if not re.search(rb"<html", body.replace(b"\0", b"")):
        return []
    codec = "utf-16" if body[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    tree = lxml.html.document_fromstring(body.decode(codec, "replace"))
    bases = tree.xpath("//base/@href")
    base = ada_url.join_url(url, bases[0]) if bases else url
    everything = "nofollow" in "".join(tree.xpath("//meta[@name='robots']/@content"))
    everything = everything or headers.get("X-Robots-Tag") == "nofollow"
    found = [(element.get("href"), element.get("rel", "")) for element in tree.xpath("//a[@href] | //area[@href]")]
    found += [(source, "") for source in tree.xpath("//iframe/@src | //frame/@src")]
    for element in tree.xpath("//link[@href]"):
        if element.get("rel") in {"next", "prev", "canonical", "alternate"}:
            found.append((element.get("href"), ""))
    links = []
    for href, rel in found:
        with contextlib.suppress(ValueError):
            joined = ada_url.join_url(base, href)
            if joined.startswith(("http:", "https:")):
                links.append((normal(joined), everything or "nofollow" in rel))
    return links


def normal(url):
    parsed = ada_url.URL(url)
    parsed.hash = parsed.username = parsed.password = ""

    def decoded(match):
        character = chr(int(match[1], 16))
        return character if re.match(r"[A-Za-z0-9._~-]", character) else match[0].upper()

    return re.sub("%([0-9A-Fa-f]{2})", decoded, parsed.href)


def robots(site, host):
    answer = site.answer(host, "/robots.txt")
    if answer.status == 301:
        answer = site.answer(host, dict(answer.headers)["Location"])
    text = answer.body.decode("utf-8-sig") if answer.status == 200 else ""
    return Protego.parse(text)


def split(url):
    parsed = ada_url.URL(url)
    return parsed.hostname, parsed.pathname + parsed.search
