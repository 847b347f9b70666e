"""Scope: which links are followed, and the reason when one is not."""

import subprocess
import sys

from crawler.web.domains import _MAX_MEMO
from crawler.web.scope import Scope
from crawler.web.urls import normalise
from tests.support.table import table

FOLLOW = ""


def verdict(kind, url, *anchors):
    assert normalise(url) == url
    return Scope(kind).verdict(url, anchors, 1)


@table("url", ["http://a/", "http://a/b", "http://b/"])
def test_page_follows_nothing_and_any_follows_everything(url):
    assert verdict("page", url, "http://a/") == "scope"
    assert verdict("any", url, "http://a/") == FOLLOW


@table(
    ("anchor", "url", "expected"),
    [
        ("http://h/a/b", "http://h/a/", FOLLOW),
        ("http://h/a/b", "http://h/a/c/d?e#", None),
        ("http://h/a/b", "http://h/a/c/d?e", FOLLOW),
        ("http://h/a/b", "http://h/a", "scope"),
        ("http://h/a/b", "http://h/ab", "scope"),
        ("http://h/a/b", "http://h/", "scope"),
        ("http://h/a/b/", "http://h/a/b", "scope"),
        ("http://h/a/b/", "http://h/a/b/c", FOLLOW),
        ("http://h/a", "http://h/z", FOLLOW),
        ("http://h/", "http://h/z", FOLLOW),
        ("http://h/a?x=/b/c", "http://h/z", FOLLOW),
        ("http://h/a/b?x=/", "http://h/a/z", FOLLOW),
        ("http://h/a/b", "http://h/a?x=/a/b", "scope"),
        ("http://h/a/b", "https://h/a/b", "scope"),
        ("http://h/a/b", "http://h:81/a/b", "scope"),
        ("http://h/a/b", "http://h.x/a/b", "scope"),
        ("http://h/", "http://hh/", "scope"),
        ("http://h/", "http://h.evil.example/", "scope"),
        ("http://h/a/b", "http://x/http://h/a/b", "scope"),
        ("http://h/A/b", "http://h/a/b", "scope"),
    ],
)
def test_prefix_is_the_origin_and_folder_of_the_anchor(anchor, url, expected):
    if expected is None:
        url, expected = normalise(url), FOLLOW
    assert verdict("prefix", url, anchor) == expected


@table(
    ("anchor", "url", "expected"),
    [
        ("http://h/a/b", "http://h/", FOLLOW),
        ("http://h/a/b", "https://h/", FOLLOW),
        ("http://h/", "http://h:81/", "scope"),
        ("http://h:81/", "https://h:81/", FOLLOW),
        ("http://h:443/", "https://h/", "scope"),
        ("http://example.org/", "http://www.example.org/", "scope"),
        ("http://h/", "http://h./", "scope"),
        ("http://[::1]/", "http://[::1]/a", FOLLOW),
        ("http://127.0.0.1/", "http://127.0.0.2/", "scope"),
    ],
)
def test_host_is_name_and_port_whatever_the_scheme(anchor, url, expected):
    assert verdict("host", url, anchor) == expected


@table(
    ("anchor", "url", "expected"),
    [
        ("http://example.org/", "https://www.example.org:81/a", FOLLOW),
        ("http://a.example.org/", "http://b.c.example.org/", FOLLOW),
        ("http://example.org./", "http://www.example.org/", FOLLOW),
        ("http://example.org/", "http://example.com/", "scope"),
        ("http://example.org/", "http://notexample.org/", "scope"),
        ("http://a.co.uk/", "http://b.co.uk/", "scope"),
        ("http://a.co.uk/", "http://x.a.co.uk/", FOLLOW),
        ("http://co.uk/", "http://a.co.uk/", "scope"),
        ("http://co.uk/", "http://co.uk/b", FOLLOW),
        ("http://a.github.io/", "http://b.github.io/", FOLLOW),
        ("http://xn--bcher-kva.example/", "http://www.xn--bcher-kva.example/", FOLLOW),
        ("http://www.ck/", "http://a.www.ck/", FOLLOW),
        ("http://wiki.corp.internal/", "http://files.corp.internal/", FOLLOW),
        ("http://site01.localhost/", "http://site02.localhost/", "scope"),
        ("http://site01.localhost/", "http://www.site01.localhost:8080/", FOLLOW),
        ("http://localhost/", "http://localhost:8080/", FOLLOW),
        ("http://localhost/", "http://a.localhost/", "scope"),
        ("http://localhost./", "http://localhost:81/", FOLLOW),
        ("http://wiki.corp.internal./", "http://corp.internal/", FOLLOW),
        ("http://intranet/", "http://intranet2/", "scope"),
        ("http://127.0.0.1/", "http://127.0.0.1:8080/", FOLLOW),
        ("http://127.0.0.1/", "http://126.0.0.1/", "scope"),
        ("http://[::1]/", "http://[::1]:8080/", FOLLOW),
        ("http://[::1]/", "http://[::2]/", "scope"),
        ("http://[::1]:1/", "http://[::2]:1/", "scope"),
        ("http://a..com/", "http://b..com/", "scope"),
    ],
)
def test_domain_is_the_registrable_domain_or_else_the_host(anchor, url, expected):
    assert verdict("domain", url, anchor) == expected


@table("kind", ["prefix", "host", "domain"])
def test_one_of_several_anchors_suffices_and_none_is_out_of_scope(kind):
    assert verdict(kind, "http://b.example/x", "http://a.example/", "http://b.example/") == FOLLOW
    assert verdict(kind, "http://c.example/x", "http://a.example/", "http://b.example/") == "scope"
    assert verdict(kind, "http://c.example/x") == "scope"


@table(
    ("include", "exclude", "url", "expected"),
    [
        ((), (), "http://h/a", FOLLOW),
        (("/a",), (), "http://h/x/a", FOLLOW),
        (("/a", "/b"), (), "http://h/b", FOLLOW),
        (("/a", "/b"), (), "http://h/c", "filter"),
        ((), ("/a",), "http://h/x/a", "filter"),
        ((), ("/a", "/b"), "http://h/c", FOLLOW),
        (("/a",), ("b$",), "http://h/a/b", "filter"),
        (("^/a",), (), "http://h/a", "filter"),
        (("^https?://h/[a-z]+$",), (), "http://h/abc", FOLLOW),
        ((r"\?q=",), (), "http://h/a?q=1", FOLLOW),
    ],
)
def test_include_and_exclude_are_searched_in_the_whole_url(include, exclude, url, expected):
    assert Scope("any", include, exclude).verdict(url, ("http://h/",), 0) == expected


@table(("limit", "depth", "expected"), [(None, 10**9, FOLLOW), (0, 0, FOLLOW), (0, 1, "depth"), (2, 2, "")])
def test_depth_is_the_greatest_depth_followed(limit, depth, expected):
    assert Scope("any", depth=limit).verdict("http://h/", ("http://h/",), depth) == expected


def test_the_reason_is_the_first_of_depth_scope_filter():
    scope = Scope("host", include=("good",), depth=1)
    assert scope.verdict("http://other/bad", ("http://h/",), 2) == "depth"
    assert scope.verdict("http://other/bad", ("http://h/",), 1) == "scope"
    assert scope.verdict("http://h/bad", ("http://h/",), 1) == "filter"
    assert scope.verdict("http://h/good", ("http://h/",), 1) == FOLLOW


def test_the_memo_of_domains_is_bounded_and_changes_no_answer():
    scope = Scope("domain")
    anchor = ("http://example.org/",)
    for number in range(_MAX_MEMO + 50):
        assert scope.verdict(f"http://h{number}.example.org/", anchor, 0) == FOLLOW
        assert len(scope._domains._memo) <= _MAX_MEMO
    assert scope.verdict("http://" + "a." * 8_000 + "example.org/", anchor, 0) == FOLLOW
    assert max(map(len, scope._domains._memo)) < 300


OFFLINE = """
import socket, sys
def refuse(*arguments, **named):
    raise AssertionError(f"went online: {arguments}")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
from crawler.web.scope import Scope
Scope("host").verdict("http://a/", ("http://a/",), 0)
assert "tldextract" not in sys.modules
assert Scope("domain").verdict("http://www.example.co.uk/", ("http://example.co.uk/",), 0) == ""
assert "tldextract" in sys.modules
"""


def test_the_suffix_list_is_loaded_only_when_needed_and_never_from_the_net_or_a_cache(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    environment = {"HOME": str(home), "TLDEXTRACT_CACHE": str(home / "cache"), "XDG_CACHE_HOME": str(home)}
    subprocess.run([sys.executable, "-W", "error", "-c", OFFLINE], check=True, cwd=home, env=environment, timeout=60)
    assert list(home.iterdir()) == []
