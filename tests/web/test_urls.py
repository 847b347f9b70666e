"""URLs: what the normal form is, what is refused, and that nothing but UrlError comes out."""

import json
import re
from pathlib import Path
from urllib.parse import unquote_to_bytes

import ada_url
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from xxhash import xxh3_64_digest, xxh3_128_digest

from crawler.core.errors import UrlError
from crawler.web.urls import (
    MAX_URL_CHARS,
    LinkResolver,
    authority,
    folder,
    host_key,
    normalise,
    origin,
    resolve,
    url_key,
)
from tests.support.table import table
from tests.support.thorough import first_quickly
from tests.support.yardstick import processor_s, takes_linear_time

HERE = Path(__file__).parents[1]
DOCS = HERE.parent / "docs" / "urls.md"
HTTP = ("http://", "https://")
UNRESERVED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
HEX = "0123456789abcdefABCDEF"


# --- WHATWG data

CASES = [
    row for row in json.loads((HERE / "data" / "urltestdata.json").read_text(encoding="utf-8")) if isinstance(row, dict)
]
FAILURES = [row for row in CASES if row.get("failure")]
ACCEPTED = [row for row in CASES if row.get("href", "").startswith(HTTP)]
OTHERS = [row for row in CASES if not row.get("failure") and not row["href"].startswith(HTTP)]


def named(row):
    return f"{ascii(row['input'])[:60]} on {ascii(row.get('base'))[:40]}"


def answer(row):
    """What this package says to a case: normal form, or None when it refuses."""
    if row.get("base") is not None:
        return resolve(row["base"], row["input"])
    try:
        return normalise(row["input"])
    except UrlError:
        return None


def tidied(text):
    """RFC 3986 §6.2.2 written a second time, character by character, without the module's regular expression."""
    out, position, incomplete = [], 0, False
    while position < len(text):
        pair = text[position + 1 : position + 3]
        if text[position] == "%" and len(pair) == 2 and all(digit in HEX for digit in pair):
            character = chr(int(pair, 16))
            out.append(character if character in UNRESERVED and not incomplete else f"%{pair.upper()}")
            position, incomplete = position + 3, False
            continue
        incomplete = text[position] == "%" or (text[position] in HEX and text[position - 1] == "%")
        out.append(text[position])
        position += 1
    return "".join(out)


def test_all_whatwg_cases_are_there():
    assert (len(CASES), len(FAILURES), len(ACCEPTED)) == (891, 267, 247)
    assert len(ACCEPTED) + len(FAILURES) + len(OTHERS) == len(CASES)


@table("row", ACCEPTED, ids=named)
def test_an_http_row_of_the_whatwg_data_gives_its_href_in_normal_form(row):
    href = row["href"]
    url = href.partition("#")[0]
    if row["username"] or row["password"]:
        scheme, userinfo_and_rest = url.split("//", 1)
        url = f"{scheme}//{userinfo_and_rest.split('@', 1)[1]}"
    assert answer(row) == (tidied(url) if "%" in url else url)


@table("row", ACCEPTED, ids=named)
def test_an_http_row_of_the_whatwg_data_gives_the_right_authority_and_origin(row):
    url = answer(row)
    assert authority(url) == row["host"]
    assert origin(url) == row["protocol"] + "//" + row["host"]


@table("row", FAILURES, ids=named)
def test_a_failure_row_of_the_whatwg_data_is_refused(row):
    assert answer(row) is None
    if row.get("base") is None:
        with pytest.raises(UrlError):
            normalise(row["input"])


@table("row", OTHERS, ids=named)
def test_a_row_of_the_whatwg_data_that_is_not_http_is_refused(row):
    assert answer(row) is None


@table("row", [row for row in CASES if row.get("base") is not None], ids=named)
def test_a_resolver_answers_each_whatwg_row_like_resolve(row):
    resolver = LinkResolver()
    expected = resolve(row["base"], row["input"])
    assert [resolver.resolve(row["base"], row["input"]) for _ in range(2)] == [expected, expected]


# --- the normal form


def documented_rows():
    lines = DOCS.read_text(encoding="utf-8").splitlines()
    for line in lines[lines.index("| --- | --- | --- |") + 1 :]:
        if not line.startswith("|"):
            return
        yield tuple(cell.strip().strip("`") for cell in line.strip("|").split(" | "))


def test_the_documentation_has_a_table():
    assert len(list(documented_rows())) > 30


@table(("given_url", "page", "expected"), list(documented_rows()))
def test_every_row_of_the_documentation_is_true(given_url, page, expected):
    row = {"input": given_url, "base": None if page == "(none)" else page}
    assert answer(row) == (None if expected == "(refused)" else expected)


@table(
    ("url", "expected"),
    [
        ("http://h/%2e/a", "http://h/a"),
        ("http://h/a/.%2e/b", "http://h/b"),
        ("http://h/a%2Eb", "http://h/a.b"),
        ("http://h/%2E%2E%2E/b", "http://h/.../b"),
        ("http://h/%2%45%2%45/b", "http://h/%2%45%2%45/b"),
        ("http://h/%%34%31", "http://h/%%341"),
        ("http://h/%%41", "http://h/%%41"),
        ("http://h/%a%4a", "http://h/%a%4A"),
        ("http://h/%aa%4a", "http://h/%AAJ"),
        ("http://h/%25%34%31", "http://h/%2541"),
        ("http://h/%zz%41", "http://h/%zzA"),
        ("http://h/?%2e%2E/%7E=%3d%26", "http://h/?../~=%3D%26"),
        ("http://h/?a=%2541&b=%%41", "http://h/?a=%2541&b=%%41"),
        ("http://h/?a'b", "http://h/?a%27b"),
        ("http://h/a;v=1,2!$&'()*+=:@", "http://h/a;v=1,2!$&'()*+=:@"),
        ("http://h/@a?b@c", "http://h/@a?b@c"),
        ("http://u@v:p@h/@a", "http://h/@a"),
        ("http://h?@a/b", "http://h/?@a/b"),
        ("http://h/a b ?c d #e", "http://h/a%20b%20?c%20d%20"),
        (" \n http://h/a\tb\r\n", "http://h/ab"),
        ("http://h/\0a\0", "http://h/%00a"),
        ("http://h/\ud800", "http://h/%EF%BF%BD"),
        ("http://h/?\udfff\ud800", "http://h/?%EF%BF%BD%EF%BF%BD"),
        ("http://h/#\ud800", "http://h/"),
        ("http://h/A?B#C", "http://h/A?B"),
        ("https://h:80/", "https://h:80/"),
        ("http://h:/", "http://h/"),
        ("http://h:0/", "http://h:0/"),
        ("http://%68/", "http://h/"),
        ("http:h/a", "http://h/a"),
    ],
)
def test_normal_form(url, expected):
    assert normalise(url) == expected


REFUSED = [
    "",
    " ",
    "h",
    "/a",
    "//h/a",
    "?a",
    "#a",
    "http:",
    "http://",
    "https:///",
    "http://%",
    "http://h\0/",
    "http://h:x/",
]
REFUSED += [
    "ws://h/",
    "file:///a",
    "data:,a",
    "javascript:1",
    "about:blank",
    "http://[::1",
    "http://\ud800/",
    "httpx://h/",
]
REFUSED += ["\ud800", "http://a:b:c/", "http://256.1.1.1/", "blob:http://h/", "feed:http://h/", "view-source:http://h/"]


@table("url", REFUSED, ids=ascii)
def test_what_has_no_normal_form_is_a_url_error_that_shows_it(url):
    with pytest.raises(UrlError, match=re.escape(repr(url))):
        normalise(url)


def test_a_message_about_a_bad_url_is_one_short_line():
    with pytest.raises(UrlError) as caught:
        normalise("x\n\x1b[31m" * 100_000)
    assert len(str(caught.value)) < 2000
    assert str(caught.value).isprintable()


def test_the_longest_url_is_accepted_and_one_character_more_is_refused():
    longest = "http://h/" + "a" * (MAX_URL_CHARS - len("http://h/"))
    assert normalise(longest) == longest == resolve("http://h/", longest)
    for url in (longest + "a", "http://h/" + "é" * (MAX_URL_CHARS // 6)):
        assert resolve("http://h/", url) is None
        with pytest.raises(UrlError, match=str(MAX_URL_CHARS)):
            normalise(url)


def test_only_the_normal_form_counts_for_the_length():
    assert normalise("http://h/a#" + "b" * 1_000_000) == "http://h/a"
    assert normalise("http://h/" + "../" * 300_000) == "http://h/"
    assert normalise("http://h/" + "%41" * 5_000) == "http://h/" + "A" * 5_000


@pytest.mark.parametrize(
    "piece",
    first_quickly(
        [
            "a",
            "%",
            "%4",
            "%41",
            "%%41",
            "../",
            "/",
            "@",
            ":",
            "a:@",
            "é",
            "é.",
            "\ud800",
            "\0",
            "\t",
            " ",
            "#",
            "?",
            "[",
            "xn--",
        ]
    ),
)
@pytest.mark.parametrize("start", ["", "http://", "http://h/", "http://h/?", "http://h/#"])
def test_a_megabyte_of_anything_takes_linear_time(start, piece):
    def work(size):
        text = start + piece * size
        assert answer({"input": text}) == resolve("http://base/", text) or not text.startswith("http")
        assert LinkResolver().resolve("http://base/", text) == resolve("http://base/", text)

    assert takes_linear_time(work, 125_000 // len(piece))


# --- any string at all

ANYTHING = st.text(st.characters(exclude_categories=()))
PARTS = [
    "http:",
    "https:",
    "HTTP:",
    "ht\ntp:",
    "//",
    "/",
    "\\",
    "h",
    "h.x",
    "[::1]",
    "1.2",
    ":80",
    ":8080",
    "@",
    "u:p@",
]
PARTS += [
    "?",
    "#",
    ".",
    "..",
    "%",
    "%%",
    "%2",
    "%2e",
    "%2E",
    "%41",
    "%4",
    "45",
    "1",
    "e",
    "E",
    "%c3%a9",
    "é",
    "ß",
    "。",
]
PARTS += [" ", "\t", "\n", "\r", "\0", "\x1f", "\x7f", "\x85", "\ud800", "\udfff", "\U0001f600", *"&=;'~^"]
URLISH = st.lists(st.sampled_from(PARTS), max_size=12).map("".join)
ROOTED = st.builds(
    "{}{}".format, st.sampled_from(["http://h/", "https://h.x:81/a/b?c/d", "http://h?", "http:"]), URLISH
)
STRINGS = ANYTHING | URLISH | ROOTED


@given(STRINGS)
def test_any_string_has_an_idempotent_normal_form_or_is_a_url_error(url):
    try:
        normal = normalise(url)
    except UrlError:
        return
    assert normalise(normal) == normal
    assert resolve(normal, "") == resolve(normal, normal) == resolve("https://other/x?y", normal) == normal


@given(ROOTED)
def test_a_normal_form_is_printable_ascii_without_fragment_or_userinfo(url):
    try:
        normal = normalise(url)
    except UrlError:
        return
    assert re.fullmatch(r"https?://[!-~]+", normal)
    assert "#" not in normal
    assert authority(normal)
    assert "@" not in authority(normal)
    assert normal.startswith(origin(normal) + "/")
    assert folder(normal).startswith(origin(normal) + "/")
    assert normal.startswith(folder(normal))


@given(URLISH)
@example("/%%34%31")
@example("?%2%45")
@example("/%25%34%31")
def test_tidying_escapes_changes_no_octet_of_path_or_query(tail):
    href = ada_url.join_url("http://h/", "./a" + re.sub("[\ud800-\udfff]", "", tail)).partition("#")[0]
    normal = resolve("http://h/", href)
    assert unquote_to_bytes(normal) == unquote_to_bytes(href)
    assert normal == tidied(href)


@given(STRINGS, STRINGS)
def test_resolve_gives_a_normal_form_or_none_for_any_two_strings(base, href):
    url = resolve(base, href)
    assert url is None or normalise(url) == url


# --- the resolver


@given(st.lists(st.tuples(ROOTED | URLISH, st.lists(URLISH | ANYTHING, max_size=4)), max_size=5), st.integers(0, 3000))
def test_a_resolver_answers_like_resolve_whatever_it_has_seen_before(pages, memo_bytes):
    resolver = LinkResolver(memo_bytes)
    for base, hrefs in pages * 2:
        for href in hrefs * 2:
            assert resolver.resolve(base, href) == resolve(base, href)


BASES = [
    "http://h/a/b?x=/y/",
    "http://h/a/c",
    "http://h/a/",
    "http://h/a",
    "http://h/a/..",
    "http://h/a/%2e",
    "http:\\\\h\\a\\b",
    " http://u:p@h/a/b#/z/",
    "https://h/a/b",
    "http://h",
    "about:blank",
    "",
    "http://h/a/\ud800/b",
]
HREFS = [
    "",
    "#",
    "#y",
    "?",
    "?x",
    "?x#y",
    "x",
    "x#y",
    "x #y",
    "x\t#y",
    " #y",
    "\n?x",
    "\t",
    "http:",
    "http:?x",
    "HTTP:#y",
]
HREFS += [
    "ht\ntp:?x",
    "https:?x",
    "http:x",
    ".",
    "./",
    "..",
    "../x",
    "/",
    "/x",
    "//k",
    "//k/x",
    "\\x",
    "http://k/x#y",
    ";x",
]
HREFS += ["mailto:a@b", "javascript:x#y", "http://", "x?y", "x?y#z", "\ud800", " x ", "%2e%2e", "x/../y", ":", "a:b"]


@table("href", HREFS, ids=ascii)
def test_a_resolver_never_mixes_up_two_bases(href):
    """Every base after every other base, so that a memo of the wrong folder would show."""
    resolver = LinkResolver()
    for first in BASES:
        for second in BASES:
            assert resolver.resolve(first, href) == resolve(first, href)
            assert resolver.resolve(second, href) == resolve(second, href)


def held(resolver):
    return sum(
        len(base) + sum(len(href) + len(url or "") for href, url in links.items())
        for base, links in resolver._folders.items()
    )


def test_a_resolver_stays_within_its_memory_whatever_it_is_given():
    resolver = LinkResolver(100_000)
    for number in range(3_000):
        base = f"http://h/{number}/" + "f" * 500 + "/"
        for href in ("#a", "?b", "c", "c#d", f"/{number}", "e" * 20_000, f"mailto:{number}"):
            resolver.resolve(base, href)
        assert held(resolver) <= 100_000
        assert len(resolver._folders) <= 250


def test_a_resolver_keeps_no_entry_for_pages_without_links_to_remember():
    resolver = LinkResolver()
    for number in range(1_000):
        resolver.resolve(f"http://h/{number}/", "#a")
    assert not resolver._folders


def test_a_resolver_says_how_much_it_holds():
    resolver = LinkResolver()
    resolver.resolve("http://h/a/b", "c")
    assert re.fullmatch(r"<LinkResolver 1 links, 1 folders, \d+ bytes>", repr(resolver))


def test_a_remembered_link_is_many_times_cheaper_than_a_new_one():
    """Guards the memo itself, not the machine: a hit measures about a fortieth of a plain resolve."""
    hrefs = [f"page{number}.html" for number in range(500)]
    resolver = LinkResolver()

    def cost(function):
        return processor_s(lambda: [function("http://h/a/b.html", href) for href in hrefs], tries=5)

    assert cost(resolver.resolve) * 5 < cost(resolve)


# --- session parameters

PAGE = "http://h/a/b"


@table(
    ("href", "expected"),
    [
        ("/x;jsessionid=0A1B", "/x"),
        ("/x;JSESSIONID=0A1B.node1!-12?y=1", "/x?y=1"),
        ("/x;jsessionid=", "/x"),
        ("/x;jsessionid=1;v=2", "/x;v=2"),
        ("/x;v=2;jsessionid=1", "/x;v=2"),
        ("/x;jsessionid=1/y;jsessionid=2/z", "/x/y/z"),
        ("/;jsessionid=1", "/"),
        ("/x;jsessionid=1?", "/x?"),
        ("/x;%6Asessionid=1", "/x"),
        ("/..;jsessionid=1/x", "/..;jsessionid=1/x"),
        ("/%2E;jsessionid=1", "/.;jsessionid=1"),
        ("/..;jsessionid=1;jsessionid=2", "/..;jsessionid=1"),
        ("/...;jsessionid=1", "/..."),
        ("/x;jsessionid", "/x;jsessionid"),
        ("/x;xjsessionid=1", "/x;xjsessionid=1"),
        ("/jsessionid=1", "/jsessionid=1"),
        ("/x;sid=0123456789abcdef", "/x;sid=0123456789abcdef"),
        ("/?jsessionid=1", "/"),
        ("/?PHPSESSID=", "/"),
        ("/?PhpSessionId=a,b-c", "/"),
        ("/?ASPSESSIONIDQQGGGNCK=ABC", "/"),
        ("/?sessid=1", "/"),
        ("/?osCsid=1", "/"),
        ("/?zenid=1", "/"),
        ("/?a=1&PHPSESSID=1", "/?a=1"),
        ("/?PHPSESSID=1&a=1", "/?a=1"),
        ("/?a=1&PHPSESSID=1&b=2", "/?a=1&b=2"),
        ("/?a=1&amp;PHPSESSID=1&b=2", "/?a=1&amp&b=2"),
        ("/?a=1;PHPSESSID=1;b=2", "/?a=1;b=2"),
        ("/?PHPSESSID=1&PHPSESSID=2&a", "/?a"),
        ("/?&PHPSESSID=1&", "/?&"),
        ("/?PHPSESSID=1&&a", "/?&a"),
        ("/?PHPSESSID=1?x&a=1", "/?a=1"),
        ("/?CFID=1&CFTOKEN=2", "/"),
        ("/?cftoken=2&a=1&cfid=1", "/?a=1"),
        ("/?cfid=1", "/?cfid=1"),
        ("/?cftoken=1", "/?cftoken=1"),
        ("/?xcfid=1&cftoken=1", "/?xcfid=1&cftoken=1"),
        ("/?sid=0123456789abcdef", "/"),
        ("/?SID=0123456789ABCDEF&a=1", "/?a=1"),
        ("/?s=abcdefghijklmno1", "/"),
        ("/?session=abcdefgh12345678;a", "/?a"),
        ("/?sessionid=abcdefgh12345678", "/"),
        ("/?session_id=abcdefgh12345678", "/"),
        ("/?sid=0123456789abcde", "/?sid=0123456789abcde"),
        ("/?s=abcdefghijklmnop", "/?s=abcdefghijklmnop"),
        ("/?s=who+was+king+in+1066+and+so+on", "/?s=who+was+king+in+1066+and+so+on"),
        ("/?sid=01234567-89abcdef01", "/?sid=01234567-89abcdef01"),
        ("/?sid=0123456789abcdef%20", "/?sid=0123456789abcdef%20"),
        ("/?sid=7&s=shoes&session=2024", "/?sid=7&s=shoes&session=2024"),
        ("/?session-id=0123456789abcdef", "/?session-id=0123456789abcdef"),
        ("/?phpsessid", "/?phpsessid"),
        ("/?myphpsessid=1", "/?myphpsessid=1"),
        ("/?a=PHPSESSID=1", "/?a=PHPSESSID=1"),
        ("/?sessids=1&residence=2", "/?sessids=1&residence=2"),
        ("/?", "/?"),
        ("/?;", "/?;"),
        ("http://PHPSESSID=1@h/", "/"),
        ("/x;jsessionid=1?sid=0123456789abcdef#y", "/x"),
    ],
)
def test_a_link_loses_its_session_parameters_and_nothing_else(href, expected):
    assert resolve(PAGE, href) == "http://h" + expected
    resolver = LinkResolver()
    assert [resolver.resolve(PAGE, href) for _ in range(2)] == ["http://h" + expected] * 2


def test_a_page_with_a_session_has_links_to_itself_without():
    page = "http://h/a;jsessionid=1/b;jsessionid=1?PHPSESSID=2"
    for resolver in (resolve, LinkResolver().resolve):
        assert resolver(page, "") == resolver(page, "#x") == resolver(page, " #x").removesuffix("%20") == "http://h/a/b"
        assert resolver(page, "c") == "http://h/a/c"
        assert resolver(page, "?d") == "http://h/a/b?d"


@table("url", ["http://h;jsessionid=1/x", "https://;jsessionid=1/", "http://..;jsessionid=1:81/x"])
def test_a_host_that_looks_like_a_session_is_left_alone(url):
    assert normalise(url) == url
    assert resolve(PAGE, url) == LinkResolver().resolve(PAGE, url) == url
    assert resolve(PAGE, url + ";jsessionid=2") == url
    assert LinkResolver().resolve(url, "?a") == url + "?a"


def test_what_is_too_long_with_its_session_is_refused_by_a_resolver_too():
    page, href = "http://h/a;jsessionid=" + "1" * 100, "?" + "x" * (MAX_URL_CHARS - 60)
    assert resolve(page, href) is None
    assert LinkResolver().resolve(page, href) is None
    assert resolve("http://h/a", href) is not None


def test_seeds_and_redirect_targets_keep_their_session_parameters():
    url = "http://h/a;jsessionid=1?PHPSESSID=2"
    assert normalise(url) == url
    assert resolve("http://h/a", "/a;jsessionid=1?PHPSESSID=2", strip_session=False) == url


@table("row", [row for row in ACCEPTED if row.get("base") is not None], ids=named)
def test_no_row_of_the_whatwg_data_has_a_session(row):
    assert resolve(row["base"], row["input"]) == resolve(row["base"], row["input"], strip_session=False)


SESSIONS = [
    "jsessionid=1",
    "PHPSESSID=",
    "aspsessionidQX=2",
    "sid=0123456789abcdef",
    "s=1",
    "cfid=1",
    "cftoken=2",
    "zenid",
]
QUERIES = st.lists(st.sampled_from([*SESSIONS, "a=1", "b", "", "%4", "x?y"]), max_size=6)
SEGMENTS = st.lists(st.sampled_from([*SESSIONS, "v=1", "", ".."]), max_size=3).map(";".join)
HOSTS = st.sampled_from(["", "", "//k", "//k;jsessionid=1", "//;jsessionid=1:81"])
PATHS = st.lists(st.builds("{}{}".format, st.sampled_from(["", "x", ".", "..", "%2e", "x;"]), SEGMENTS), max_size=4)
WITH_SESSIONS = st.builds(
    "{}/{}?{}".format, HOSTS, PATHS.map("/".join), st.builds(str.join, st.sampled_from("&;"), QUERIES)
)


@given(WITH_SESSIONS | URLISH)
@example("/..;jsessionid=1?PHPSESSID=1&PHPSESSID=2")
def test_a_url_without_session_is_a_normal_form_with_nothing_left_to_strip(href):
    url = resolve(PAGE, href)
    assert url is None or resolve(PAGE, url) == url == normalise(url)


@given(WITH_SESSIONS)
def test_what_is_left_stood_there_before_in_the_same_order(href):
    before, after = resolve(PAGE, href, strip_session=False), resolve(PAGE, href)
    assert (before is None) == (after is None)
    rest = iter(re.split("([/;?&])", before or ""))
    assert all(part in rest for part in re.split("([/;?&])", after or "") if part)


@given(st.lists(st.sampled_from(["a=1", "b", "", "%4", "s=1", "sid=x", "cfid=1", "session=2"]), max_size=6))
def test_a_query_without_a_session_is_left_alone(parameters):
    url = "http://h/x;v=1?" + "&".join(parameters)
    assert resolve(PAGE, url) == url


@given(st.lists(WITH_SESSIONS, min_size=1, max_size=4), st.lists(WITH_SESSIONS | URLISH, max_size=6))
def test_a_resolver_answers_like_resolve_on_pages_with_sessions(pages, hrefs):
    resolver = LinkResolver()
    for page in pages * 2:
        for href in ["", "#x", "?y", "c", "../c", *hrefs] * 2:
            assert resolver.resolve("http://h" + page, href) == resolve("http://h" + page, href)


# --- parts and keys


@table(
    ("url", "host", "site", "base_folder"),
    [
        ("http://h/", "h", "http://h", "http://h/"),
        ("https://h/a/b", "h", "https://h", "https://h/a/"),
        ("http://h:8080/a/?b/c", "h:8080", "http://h:8080", "http://h:8080/a/"),
        ("http://h/a?b=http://x/y", "h", "http://h", "http://h/"),
        ("https://[::1]:81/a//b", "[::1]:81", "https://[::1]:81", "https://[::1]:81/a//"),
    ],
)
def test_parts_of_a_normal_form(url, host, site, base_folder):
    assert normalise(url) == url
    assert (authority(url), origin(url), folder(url)) == (host, site, base_folder)


def test_keys_are_xxh3_digests_that_other_programs_can_compute():
    assert url_key("http://h:81/a") == xxh3_128_digest(b"http://h:81/a")
    assert host_key("http://h:81/a") == host_key("https://h:81/b") == xxh3_64_digest(b"h:81")
    assert url_key("http://h/").hex() == "e2f2da591a4c78599d88b070e519744e"  # stores hold these: must never change
    assert host_key("http://h/").hex() == "7045c205f5ef6a66"


@given(ANYTHING)
def test_parts_and_keys_of_any_string_never_raise(text):
    assert len(url_key(text)) == 16
    assert len(host_key(text)) == 8
    for part in (authority, origin, folder):
        assert isinstance(part(text), str)
