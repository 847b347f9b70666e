"""Patterns of people in URLs of servers: the answer of `re.search`, in time that no URL can drag out."""

import pickle
import random
import re
import warnings

import pytest

from crawler.web import automaton, pattern_tree
from crawler.web.automaton import Automaton
from crawler.web.pattern_tree import NotRegularError, read
from crawler.web.url_patterns import UrlPatterns
from tests.support.table import table

PARTS = (
    *"aabcdAK01 ./-_%?=&",
    *(r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", r"\.", r"\/", ".", r"\x61", r"\u0061", r"\101", "é", "ſ", "ı", "K"),
    *("[abc]", "[^/]", "[a-d1]", r"[\w-]", r"[^\d/]", "[]a]", "[^]a]", "[é-ſ]", r"[^\W\d_]"),
    *("^", "$", r"\b", r"\B", r"\A", r"\Z", "", "(?#note)"),
)
REPEATS = ("*", "+", "?", "{2}", "{1,3}", "{,2}", "{2,}", "*?", "+?", "??", "{1,2}?")
GROUPS = ("({})", "(?:{})", "(?i:{})", "(?s:{})", "(?a:{})", "(?-i:{})", "(?P<n{}>{})", "(?m:{})", "(?x: {} )")
STARTS = ("", "", "", "(?i)", "(?m)", "(?a)", "(?s)", "^(?!{})", "^(?={})", r"\A(?!{})(?={})")


def pattern(rng: random.Random, depth: int = 3) -> str:
    """Anything that Python's syntax has and an automaton can follow, short enough for `re` to end."""
    made = ""
    for _ in range(rng.randint(1, 4)):
        part = rng.choice(PARTS)
        if depth and rng.random() < 0.35:
            inner = "|".join(pattern(rng, depth - 1) for _ in range(rng.choice((1, 1, 2, 3))))
            form = rng.choice(GROUPS)
            part = form.format(rng.getrandbits(60), inner) if form.count("{}") == 2 else form.format(inner)
        if rng.random() < 0.3:
            part += rng.choice(REPEATS)
        made += part
    return made


def whole_pattern(rng: random.Random) -> str:
    start = rng.choice(STARTS)
    return start.format(*(pattern(rng, 1) for _ in range(start.count("{}")))) + pattern(rng)


def url(rng: random.Random) -> str:
    return "".join(rng.choice("aabbcdkKAiIsS01./-_%?=&~") for _ in range(rng.randint(1, 14)))


def differing(seed: int, number: int) -> list[tuple[str, str]]:
    """Patterns and texts of which an automaton says something else than `re.search`, of so many patterns."""
    rng = random.Random(seed)
    found = []
    regular = 0
    while regular < number:
        one = whole_pattern(rng)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what a later Python will read in another way
            try:
                compiled = re.compile(one)
            except (re.error, OverflowError):
                continue
            try:
                terms = [(Automaton(term.node), term.wanted) for term in read(one)]
            except NotRegularError:
                continue
        regular += 1
        texts = [url(rng) for _ in range(10)]
        answers = [all(automaton.finds(text) == wanted for automaton, wanted in terms) for text in texts]
        found += [(one, text) for text, said in zip(texts, answers, strict=True) if said != bool(compiled.search(text))]
    return found


def test_an_automaton_finds_what_re_finds():
    """Whatever the pattern: flags, classes, case, boundaries, repeats, choices, what it must not find at the start."""
    assert differing(1, 1_000) == []


@pytest.mark.thorough
def test_an_automaton_finds_what_re_finds_in_many():
    assert differing(2, 6_000) == []


@table(
    ("pattern", "url"),
    [
        (r"(a+)+$", "http://a.test/" + "a" * 16_000 + "!"),
        (r"(.*a){20}b", "http://a.test/" + "a" * 16_000),
        (r"^(\w+\s?)*$", "a" * 16_000 + "/"),
        (r"/.*/.*/.*/.*/.*\.html$", "http://a.test" + "/" * 16_000),
        (r"(?i)(x+x+)+y", "http://a.test/" + "xX" * 8_000),
        (r"^(?!(a|aa)+$)(b|b?c)+d", "b" * 8_000 + "a" * 8_000),
        (r"[ab]*a[ab]{300}c", "abbaab" * 2_700),  # a row of its own after nearly each character
    ],
)
def test_no_url_can_drag_out_a_search(pattern, url):
    """With `re` most of these would take longer than the universe is old."""
    patterns = UrlPatterns([pattern])
    assert not patterns.costly
    assert not patterns.found(url)


@table(
    ("pattern", "why"),
    [
        (r"(?=.*a)(a+)+$", "it looks ahead or behind"),
        (r"(a|(?<!b)c)*d", "it looks ahead or behind"),
        (r"(a)\1*", "it refers back to a group"),
        (r"(a)?(?(1)b*|c)", "it refers back to a group"),
        (r"(?>a+)b", "it has an atomic group"),
        (r"a++b", "it repeats possessively"),
        (r"(ab*){600}", "written out, it is longer than 1,000 characters"),
    ],
)
def test_what_no_automaton_follows_is_costly_and_judged_all_the_same(pattern, why):
    patterns = UrlPatterns(["nothing", pattern])
    assert patterns.costly == ((pattern, why),)
    for url in ("a", "ab", "aab", "ad", "aa", "b", "xacd", "ab" * 600):
        assert patterns.found(url) == bool(re.search(pattern, url))


def test_many_patterns_are_searched_as_one_would_be_after_the_other():
    """Whatever their kind, of brief ones too; asked again, and after they came to another process."""
    of_all_kinds = [
        r"/b.*\.html$",
        "jpg",
        r"(?i)/C\d+",
        r"(.)\1{3}",
        r"^(?!.*[?])x.*y",
        *(f"/{n}.*{n}/" for n in range(400)),
    ]
    patterns = UrlPatterns(of_all_kinds)
    for one in (patterns, patterns, pickle.loads(pickle.dumps(patterns))):
        for url in (
            "/b/a.html",
            "a.jpg",
            "/c12",
            "/c",
            "oooo",
            "xay",
            "x?y",
            "/7/7/",
            "/399//399/",
            "/399",
            "é",
            "/b\n",
        ):
            assert one.found(url) == any(re.search(pattern, url) for pattern in of_all_kinds), url
    assert not UrlPatterns([])
    assert not UrlPatterns([]).found("a")


def test_an_automaton_that_forgets_its_rows_says_the_same(monkeypatch):
    monkeypatch.setattr(automaton, "_MOST_ROWS", 3)
    ((term,), text) = read("a[ab]{3}c(d|ed)*$"), random.Random(5)
    judge = Automaton(term.node)
    for _ in range(200):
        url = "".join(text.choice("abcde") for _ in range(text.randint(1, 12)))
        assert judge.finds(url) == bool(re.search("a[ab]{3}c(d|ed)*$", url))
        assert len(judge._rows) <= 3


def test_the_private_parts_of_re_are_there_and_mean_what_they_did():
    """With a Python where this fails no pattern is linear: look at crawler/web/pattern_tree.py."""
    from re import _compiler, _constants, _parser

    assert callable(_parser.parse)
    assert callable(_compiler.compile)
    for name in (*pattern_tree._SAID, "LITERAL", "NOT_LITERAL", "ANY", "IN", "AT", "BRANCH", "SUBPATTERN", "FAILURE"):
        assert str(getattr(_constants, name)) == name
    for name in (*pattern_tree._EDGES, "MAX_REPEAT", "MIN_REPEAT", "MAXREPEAT"):
        assert str(getattr(_constants, name)) == name
    assert all(read(pattern) for pattern in ("a", "[^a]", ".", "(?i)k", "a|b", "(?P<n>a)", "a*?", r"^\b$"))
