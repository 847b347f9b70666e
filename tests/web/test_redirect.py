"""A redirect's target is a URL of its own: same kind and depth, judged by scope, at most ten hops, no loop."""

import msgspec
import pytest

from crawler.core.model import SeedContext, Task
from crawler.web.redirect import MAX_REDIRECTS, followed, redirect_scope
from crawler.web.scope import Scope

SEED = SeedContext(1, ("http://a.test/docs/",), b"null")
ANY = Scope("any")


def task(url: str = "http://a.test/docs/x", **changes) -> Task:
    """A page one link away from the seed."""
    first = Task(b"k" * 16, url, 1, "http://a.test/docs/", (), 0, SEED)
    return msgspec.structs.replace(first, **changes)


@pytest.mark.parametrize("kind", ["page", "sitemap"])
def test_the_target_keeps_its_kind_and_has_less_time(kind):
    done = followed(task(kind=kind, spent_s=1.0), "http://a.test/docs/y", status=302, spent_s=2.5, scope=Scope("host"))
    (link,) = done.links
    assert (done.outcome, done.reason, done.status, done.records) == ("redirected", "", 302, None)
    assert (link.url, link.kind, link.alike, link.spent_s, link.skip) == ("http://a.test/docs/y", kind, False, 2.5, "")
    assert link.kind == kind


@pytest.mark.parametrize(
    ("hops", "target", "reason"),
    [
        (0, "http://b.test/", ""),
        (MAX_REDIRECTS - 1, "http://b.test/", ""),
        (MAX_REDIRECTS, "http://b.test/", "redirects"),
        (50, "http://b.test/", "redirects"),
        (0, "http://a.test/docs/x", "redirects"),
        (3, "http://a.test/hop1", "redirects"),
        (0, None, "redirects"),
    ],
)
def test_ten_hops_no_loop_and_only_http(hops, target, reason):
    chain = tuple(f"http://a.test/hop{n}" for n in range(hops))
    done = followed(task(redirected_from=chain), target, status=301, spent_s=0.0, scope=ANY)
    assert (done.outcome, done.reason) == (("failed", reason) if reason else ("redirected", ""))
    assert done.status == 301
    assert bool(done.links) == (not reason)


PAGE_OF_A_SITEMAP = {"depth": 0, "parent": "http://a.test/sitemap.xml"}


@pytest.mark.parametrize(
    ("source", "scope", "target", "skip"),
    [
        ({}, "host", "http://a.test/y", ""),
        ({}, "host", "http://b.test/y", "scope"),
        ({}, "prefix", "http://a.test/y", "scope"),
        ({}, "any", "http://b.test/y", ""),
        ({}, "any", "http://b.test/secret", "filter"),
        ({"depth": 9}, "host", "http://a.test/y", "depth"),
        # What a seed redirects to is in scope, whatever the scope.
        ({"depth": 0, "parent": None}, "host", "http://b.test/", ""),
        ({"depth": 0, "parent": None}, "page", "http://b.test/secret", ""),
        # A page that a sitemap lists has depth 0 as well, but its site must not lead anywhere by it.
        (PAGE_OF_A_SITEMAP, "host", "http://b.test/", "scope"),
        (PAGE_OF_A_SITEMAP, "page", "http://b.test/", "scope"),
        (PAGE_OF_A_SITEMAP, "page", "https://a.test/y", ""),
        (PAGE_OF_A_SITEMAP, "prefix", "http://a.test/y", "scope"),
        # Sitemaps may move on their host, which need not be the seed's; filters and depth are for pages.
        ({"kind": "sitemap", "depth": 0, "parent": None}, "host", "http://b.test/", ""),
        ({"kind": "sitemap", "url": "http://c.test/1.xml"}, "host", "https://c.test/secret.xml", ""),
        ({"kind": "sitemap", "url": "http://c.test/1.xml"}, "host", "http://b.test/1.xml", "scope"),
        ({"kind": "sitemap", "url": "http://c.test/1.xml"}, "host", "http://a.test/1.xml", ""),
        ({"kind": "sitemap", "url": "http://c.test/1.xml"}, "page", "http://a.test/1.xml", ""),
        ({"kind": "sitemap", "depth": 4}, "host", "http://a.test/1.xml", ""),
    ],
)
def test_scope(source, scope, target, skip):
    judge = redirect_scope(scope, (), ("secret",), 3)
    done = followed(task(**source), target, status=302, spent_s=0.0, scope=judge)
    assert [link.skip for link in done.links] == [skip]
