import json
import re
import sys
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from crawler.web.path_rules import MAX_WILDCARD_RULES, PathRules
from crawler.web.robots import (
    MAX_CRAWL_DELAY_S,
    MAX_ROBOTS_BYTES,
    RobotsAnswer,
    RobotsRules,
    directives,
    lifetime_s,
    product_token,
    rules_for,
)
from crawler.web.written_rules import WrittenRules
from tests.support.table import table
from tests.support.yardstick import takes_linear_time

CASES = json.loads((Path(__file__).parents[1] / "data" / "robots_cases.json").read_text(encoding="utf-8"))
AGENT = "crawler/0.1 (+https://example.com/bot)"


def allows(text, url, agent=AGENT):
    return RobotsRules.parse(text.encode()).allows(url, agent)


@table("case", CASES, ids=lambda case: case["name"])
def test_rfc_9309_and_common_extensions(case):
    rules = RobotsRules.parse(case["robots_txt"].encode())
    assert rules.allows(case["url"], case["user_agent"]) is case["allowed"]
    with_mark = RobotsRules.parse(b"\xef\xbb\xbf" + case["robots_txt"].encode())
    assert with_mark.allows(case["url"], case["user_agent"]) is case["allowed"]


@table(
    ("text", "path", "allowed"),
    [
        ("User-agent: crawl\nDisallow: /", "/x", True),  # the start of our name is somebody else
        ("User-agent: crawlers\nDisallow: /", "/x", True),
        ("User-agent: CRAWLER/2.0 beta\nDisallow: /", "/x", False),
        ("User-agent: * everybody\nDisallow: /", "/x", False),
        ("User-agent:\nDisallow: /", "/x", True),
        ("User-agent: *\nDisallow: /\nUser-agent: crawler\nDisallow:", "/x", True),
        (
            "User-agent: crawler\nDisallow: /a\nUser-agent: x\nDisallow: /\nUser-agent: crawler\nDisallow: /b",
            "/b",
            False,
        ),
        ("User-agent: crawler\nCrawl-delay: 1\nUser-agent: x\nDisallow: /", "/x", False),
        ("User-agent: crawler\nAllow:\nUser-agent: x\nDisallow: /", "/x", True),
        ("User-agent: *\nDisallow: /a\x0bAllow: /\n", "/b", True),
        ("User-agent: *\nDisallow: /\nX\u2028Allow: /", "/b", False),
        ("user agent crawler\ndisallow /a:b\n", "/a:b", False),
        ("User-agent: *\nDisallow: /*/x\nAllow: /*/x/y$", "/a/x/y", True),
        ("User-agent: *\nDisallow: /\nAllow: /*/index.html", "/a/", True),
        ("User-agent: *\nDisallow: /\nAllow: /*/index%2Ehtml", "/a/", True),
        ("User-agent: *\nDisallow: /*%62c", "/abc", False),
        ("User-agent: *\nDisallow: /*b%63", "/a%62%63", False),
        ("User-agent: *\nDisallow: /*bc", "/a%62%63", False),
        ("User-agent: *\nDisallow: /*a=b", "/?a%3Db", True),  # as Google has it: RFC 3986 §2.2
        ("User-agent: *\nDisallow: /*%26", "/?a&b", True),
        ("User-agent: *\nDisallow: /*%3f", "/a%3F", False),
        ("User-agent: *\nDisallow: /a b", "/a%20b", False),
        ("User-agent: *\nDisallow: /{x}", "/%7Bx%7D", False),
        ("User-agent: *\nDisallow: /a|b", "/a%7Cb", False),
        ("User-agent: *\nDisallow: /a%7cb", "/a|b", False),
        ("User-agent: *\nDisallow: /a%2A", "/a*", False),
        ("User-agent: *\nDisallow: /a%2A", "/ab", True),
        ("User-agent: *\nDisallow: /a$b", "/a$bc", False),
        ("User-agent: *\nDisallow: /a$", "/a$", True),
        ("User-agent: *\nDisallow: /*%", "/a$*", True),
        ("User-agent: *\nDisallow: *url%2*x", "/url%2Ax", False),
        ("User-agent: *\nDisallow: x", "/x", True),
        ("User-agent: *\nDisallow: /", "/robots.txt", True),
    ],
)
def test_groups_lines_and_escapes(text, path, allowed):
    assert allows(text, f"http://example.com{path}") is allowed


def test_only_whole_lines_of_the_first_500_kib_count():
    head = b"User-agent: *\nDisallow: /first\n"
    filler = b"#" * (MAX_ROBOTS_BYTES - len(head) - 12) + b"\nDisallow: /"
    rules = RobotsRules.parse(head + filler + b"cut-in-two\n" + b"Disallow: /late\n" * 600_000)
    assert not rules.allows("http://example.com/first", AGENT)
    assert rules.allows("http://example.com/late", AGENT)


def test_invalid_utf8_spoils_only_its_own_line():
    rules = RobotsRules.parse(b"User-agent: *\nDisallow: /\xff\xfe\nDisallow: /b\n")
    assert not rules.allows("http://example.com/b", AGENT)
    assert rules.allows("http://example.com/a", AGENT)


def test_an_octet_that_is_not_utf8_stands_for_itself():
    """A file in Latin-1 closes what its server serves in Latin-1."""
    rules = RobotsRules.parse(b"User-agent: *\nDisallow: /soci\xe9t\xe9\nSitemap: http://a/\xe9\n")
    assert not rules.allows("http://example.com/soci%E9t%e9/x", AGENT)
    assert rules.allows("http://example.com/soci%C3%A9t%C3%A9/x", AGENT)
    assert rules.sitemaps == ("http://a/\ufffd",)


# Each line of what follows was answered by the matcher that Google published (github.com/google/robotstxt).
@table(
    ("lines", "path", "allowed"),
    [
        ("Disallow: /search|Allow: /*?p=", "/search?p=1", False),  # 7 octets against 5
        ("Disallow: /a?b|Allow: /*?b", "/a?b", True),  # as long: Allow
        ("Disallow: /a?bc|Allow: /a*?b", "/a?bc", True),  # 5 and 5
        ("Disallow: /a?bcd|Allow: /a*?b", "/a?bcd", False),
        ("Disallow: /p|Allow: /*?", "/p?x", True),
        ("Disallow: /pa|Allow: /*?", "/pa?x", True),  # 3 and 3
        ("Disallow: /pag|Allow: /*?", "/pag?x", False),
        ("Disallow: /fish*|Allow: /fish", "/fish", False),  # a star counts
        ("Disallow: /fish$|Allow: /fish", "/fish", False),  # a dollar counts
        ("Disallow: /fish|Allow: /fish$", "/fish", True),
        ("Disallow: /\u00e9|Allow: /*****", "/%C3%A9", False),  # 7 octets against 6
        ("Disallow: /%C3%A9|Allow: /******", "/%C3%A9", True),  # 7 and 7
        ("Disallow: /%c3%a9|Allow: /*******", "/%C3%A9", True),  # 7 against 8
        ("Disallow: /a=b&c|Allow: /*a=b", "/a=b&c", False),
        ("Disallow: /x/|Allow: /x/index.html", "/x/", True),  # `/x/$`: 4 against 3
        ("Disallow: /x/|Allow: /x/index.html", "/x/index.html?q", True),
        ("Disallow: /x/|Allow: /x/index.htm", "/x/", True),
        ("Allow: /|Disallow: /x/index.html", "/x/", True),  # Allow alone
        ("Disallow: /x/*|Allow: /x/index.html", "/x/", True),  # 4 and 4
        ("Disallow: /x/**|Allow: /x/index.html", "/x/", False),
    ],
)
def test_the_longest_match_is_counted_in_octets_as_written(lines, path, allowed):
    text = "\n".join(["User-agent: *", *lines.split("|")])
    assert allows(text, f"http://example.com{path}") is allowed


@table(
    ("value", "expected"),
    [
        ("2", 2.0),
        ("0.5", 0.5),
        ("0", 0.0),
        ("-1", None),
        ("nan", None),
        ("inf", None),
        ("1e400", None),
        ("1e9", MAX_CRAWL_DELAY_S),
        ("9" * 5000, None),
        ("\u0663", None),
        ("soon", None),
        ("", None),
        ("3\nCrawl-delay: 1", 3.0),
    ],
)
def test_crawl_delay_is_a_bounded_number_or_nothing(value, expected):
    rules = RobotsRules.parse(f"User-agent: *\nCrawl-delay: {value}\n".encode())
    assert rules.crawl_delay_s(AGENT) == expected


def test_crawl_delay_holds_only_for_agents_named_before_it():
    rules = RobotsRules.parse(b"User-agent: crawler\nCrawl-delay: 7\nUser-agent: *\nDisallow: /x\n")
    assert rules.crawl_delay_s("crawler") == 7.0
    assert rules.crawl_delay_s("other") is None


def test_sitemaps_are_site_wide_once_each_and_in_order():
    rules = RobotsRules.parse(
        b"Sitemap: http://a/1\nUser-agent: x\nsite-map:http://a/2\nSitemap: http://a/1\nSitemap:\n"
    )
    assert rules.sitemaps == ("http://a/1", "http://a/2")


@table(
    ("status", "allowed", "lifetime"),
    [
        (200, False, 86_400.0),
        (301, True, 86_400.0),
        (401, True, 86_400.0),
        (404, True, 86_400.0),
        (429, False, 600.0),
        (500, False, 600.0),
        (503, False, 600.0),
        (0, False, 600.0),
        (999, False, 600.0),
    ],
)
def test_status_of_robots_txt_decides(status, allowed, lifetime):
    """RFC 9309 §2.3.1: unavailable allows all, unreachable disallows all and is asked again soon."""
    answer = RobotsAnswer(status, b"User-agent: *\nDisallow: /", 0.0)
    assert rules_for(answer).allows("http://example.com/x", AGENT) is allowed
    assert lifetime_s(status) == lifetime


@table(
    ("user_agent", "token"),
    [
        (AGENT, "crawler"),
        ("My_Bot-x/1", "My_Bot-x"),
        ("MJ12bot/v1.4", "MJ12bot"),
        ("Mozilla/5.0 (compatible; Foobot/2.1; +http://foo)", "Foobot"),
        ("Mozilla/5.0 (X11; Linux)", "Mozilla"),
        ("  spaced", "spaced"),
        ("", ""),
        ("(nothing)", ""),
    ],
)
def test_product_token(user_agent, token):
    assert product_token(user_agent) == token


@table(
    ("header", "meta", "expected"),
    [
        (None, None, ""),
        ("noindex", None, "noindex"),
        ("NoIndex, NOFOLLOW", None, "noindex nofollow"),
        ("otherbot: noindex, nofollow", None, ""),
        ("otherbot: noindex, crawler: nofollow", None, "nofollow"),
        ("crawler: nofollow, noindex", None, "noindex nofollow"),
        (("otherbot: none", "nofollow"), None, "nofollow"),
        ("Crawler : none", None, "noindex nofollow"),
        ("crawl: none", None, ""),
        ("*: none", None, "noindex nofollow"),
        ("unavailable_after: Thu, 25 Jun 2010 15:00:00 GMT, noindex", None, "noindex"),
        ("max-snippet: 20, nofollow", None, "nofollow"),
        ("noarchive, index, follow, all", None, ""),
        (None, "NOINDEX, nofollow", "noindex nofollow"),
        (None, "none", "noindex nofollow"),
        (None, "all", ""),
        (None, " noindex nofollow ", "noindex nofollow"),
        ("noindex", "index,nofollow", "noindex nofollow"),
        ("", "", ""),
        (":::,,", ",,", ""),
        (":none", None, "noindex nofollow"),  # no agent named: everybody
    ],
)
def test_directives_of_header_and_meta(header, meta, expected):
    assert directives(header, meta, AGENT) == frozenset(expected.split())


@given(st.text(), st.text(), st.text())
def test_directives_never_raise(header, meta, agent):
    assert directives(header, meta, agent) <= {"noindex", "nofollow"}


WORDS = st.sampled_from(
    (
        b"User-agent: *|User-agent: crawler|"
        b"Disallow: |Allow: |Crawl-delay: |Sitemap: |/|*|$|a|%|%2f|%e4|index.html|?|=|#"
        b"| |\n|\r|\x00|\xff|\xe2\x80\xa8"
    ).split(b"|")
)
BODIES = st.one_of(st.binary(max_size=300), st.lists(WORDS, max_size=40).map(b"".join))
URLS = st.from_regex(
    r"https?://(a\.example|127\.0\.0\.1|\[::1\])(:8080)?/[!$&-;=?-Z_a-z~%|\[\]{}]{0,40}", fullmatch=True
)


@given(BODIES, URLS, st.text(max_size=20))
@example(b"User-agent: *\nDisallow: /x", "http://[::1/x?y", "a")
@settings(max_examples=300)
def test_no_body_and_no_url_raise(body, url, agent):
    rules = RobotsRules.parse(body)
    assert rules.allows(url, agent) in {True, False}
    delay_s = rules.crawl_delay_s(agent)
    assert delay_s is None or 0 <= delay_s <= MAX_CRAWL_DELAY_S
    assert all(rules.sitemaps)


PATTERNS = st.text(alphabet="/ab*$%2Ff=?.", min_size=1, max_size=8) | st.sampled_from(["/*/index.html", "/a*%61b$"])
ESCAPES = st.sampled_from(["%61", "%62", "%2F", "%2f", "%3D", "%25", "%2E", "a", "b", "/", "x"])
LINES = st.lists(st.tuples(st.sampled_from(["allow", "disallow"]), PATTERNS), min_size=1, max_size=6)


def one_spelling(text: str) -> str:
    """Unreserved characters, `*` and `$` by themselves: enough for the alphabet of these tests."""
    unreserved = "%(?:2[ADE]|24|[46][1-9A-F]|[57][0-9A]|3[0-9])"
    octets = re.sub(unreserved, lambda at: chr(int(at[0][1:], 16)), text, flags=re.IGNORECASE)
    return re.sub("%[0-9a-f]{2}", lambda at: at[0].upper(), octets, flags=re.IGNORECASE)


def by_trying_every_rule(lines: list[tuple[str, str]], path: str) -> bool:
    """RFC 9309 §2.2.2 and §2.2.3 word for word, without a thought of speed."""
    patterns = [(pattern, kind) for kind, pattern in lines]
    patterns += [(re.sub(r"(?<=/)index\.htm[^/]*$", "$", one), kind) for one, kind in patterns if kind == "allow"]
    found = [(0, True)]
    for pattern, kind in patterns:
        parts = [re.escape(one_spelling(part)) for part in pattern.removesuffix("$").split("*")]
        expression = ".*".join(parts) + ("$" if pattern.endswith("$") else "")
        if any(re.match(expression, spelling, re.DOTALL) for spelling in (path, one_spelling(path))):
            found.append((len(pattern), kind == "allow"))
    return max(found)[1]


@pytest.mark.thorough
@given(LINES, st.text(alphabet="/ab%26f=?.$", max_size=8) | st.lists(ESCAPES, max_size=4).map("".join))
@settings(max_examples=500)
def test_the_quick_way_gives_the_same_answer_as_trying_every_rule(lines, path):
    text = "\n".join(["user-agent: *", *(f"{kind}: {pattern}" for kind, pattern in lines)])
    url = f"http://h/{path}"
    assert allows(text, url) is by_trying_every_rule(lines, url.removeprefix("http://h"))


@pytest.mark.parametrize(
    "pattern", ["/****/****/****.js", "/*a*a*a*a*a*a*a*b", "/*/*/*/*/*/*/*/*$x", "/*%61*%62*%63.js"]
)
def test_matching_takes_linear_time(pattern):
    """Some of it twenty times over, so that a short URL can be measured."""
    rules = RobotsRules.parse(f"User-agent: *\nDisallow: {pattern}\n".encode())

    def work(count):
        for _ in range(20):
            rules.allows("http://h/" + "a/" * count + "a%3Dab.js_", AGENT)

    assert takes_linear_time(work, 4_000)


def agents(number: int) -> bytes:
    return b"".join(b"user-agent:%x\n" % n for n in range(number)) + b"user-agent:*\n"


@pytest.mark.parametrize(
    "file",
    [
        lambda size: agents(size) + b"".join(b"allow:%x\n" % n for n in range(size)),
        lambda size: agents(size) * 3,
        lambda size: b"User-agent: *\n" + b"".join(b"disallow:/%x\n" % n for n in range(2 * size)),
        lambda size: b"user-agent:*\ndisallow:" + b"*a" * 12 * size,
        lambda size: b"user-agent:*\ndisallow:" + b"%61" * 8 * size,
        lambda size: b"\r" * 25 * size,
        lambda size: b"crawl " + b" " * 25 * size,
    ],
    ids=["agents and rules", "agents", "rules", "stars", "escapes", "line ends", "spaces"],
)
def test_hostile_files_are_read_in_linear_time(file):
    """20,000 agents times 20,000 rules is not 400 million rules."""
    assert takes_linear_time(
        lambda size: RobotsRules.parse(file(size)).allows("http://h/" + "a" * 2000, AGENT), 20_000 // 8
    )


def test_absurdly_many_wildcard_rules_close_the_site():
    lines = [f"Disallow: /*x{n}" for n in range(MAX_WILDCARD_RULES)]
    assert allows("\n".join(["User-agent: *", *lines, lines[0]]), "http://h/a")
    assert not allows("\n".join(["User-agent: *", *lines, "Allow: /*y"]), "http://h/a")


def test_what_holds_for_one_agent_takes_about_as_much_memory_as_its_text():
    """One file of a hostile host must not take ten times its size, nor hold the text that nobody needs any more."""
    lines = "".join(f"disallow:/{n:x}\n" for n in range(40_000))
    body = f"user-agent:*\n{lines}user-agent:other\n{lines}".encode()[:MAX_ROBOTS_BYTES]
    tracemalloc.start()
    try:
        rules = RobotsRules.parse(body).of(AGENT)
        rules.paths.compiled()
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert not rules.allow("http://h/9c3f/x")
    assert held < 2 * len(body)
    assert held == pytest.approx(rules.size_bytes, rel=0.2)


_PIECES = ["/", "a", "b", "*", "$", "/index.html", "index.htm", "%61", "%", "?", "é", ".", " "]
_PATTERNS = st.lists(st.lists(st.sampled_from(_PIECES), min_size=1, max_size=5).map("".join), max_size=8)
_PATHS = st.lists(st.sampled_from([one for one in _PIECES if one != " "]), max_size=6).map(lambda of: "/" + "".join(of))


@given(_PATTERNS, _PATTERNS, _PATHS)
@example(["/"], ["/x/index.html"], "/x/")
@example(["/*a$"], ["/a"], "/ba")
@example(["/a "], [], "/a")
def test_the_first_path_is_judged_as_each_further_one(disallowed, allowed, path):
    """It is held only against the patterns that may match it; those that follow against all, compiled."""
    rules = WrittenRules(disallowed, allowed)
    as_all = PathRules([(one.rstrip(), False) for one in disallowed] + [(one.rstrip(), True) for one in allowed])
    assert [rules.allow(path) for _ in range(3)] == [as_all.allow(path)] * 3


def test_a_file_is_read_quicker_than_its_rules_are_compiled():
    """A host that is asked for one page never needs them all."""
    calls = 0

    def count(frame, event, _):
        nonlocal calls
        calls += event == "call" and "/crawler/web/" in frame.f_code.co_filename

    body = b"User-agent: *\n" + b"".join(b"Disallow: /of/%d/\n" % n for n in range(1000))
    sys.setprofile(count)
    try:
        assert RobotsRules.parse(body).allows("http://h/", AGENT)
    finally:
        sys.setprofile(None)
    assert calls < 50


def test_the_longest_of_the_patterns_that_begin_with_each_other_decides():
    """However many stand between a path and the last pattern before it in the order."""
    text = "User-agent: *\nDisallow: /a\nAllow: /a/b\nDisallow: /a/b/c!\nDisallow: /a/b/c\nAllow: /a/b/ca\nDisallow: /b"
    paths = ("/a", "/a/", "/a/b", "/a/b/c", "/a/b/c#", "/a/b/c!x", "/a/b/ca", "/a/b/cb", "/aa", "/b/x", "/c")
    opened = {path for path in paths if allows(text, f"http://h{path}")}
    assert opened == {"/a/b", "/a/b/ca", "/c"}


def test_memo_of_agents_is_bounded():
    rules = RobotsRules.parse(b"User-agent: *\nDisallow: /")
    for number in range(1000):
        assert not rules.allows("http://h/a", f"bot{number}")
    assert len(rules._by_agent) <= 16
