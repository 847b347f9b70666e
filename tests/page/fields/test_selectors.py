"""Which selectors can be run, and where the others go wrong."""

import warnings

import pytest

from crawler.page.fields.selectors import css_mistake, shown, xpath_mistake
from crawler.page.page import Page
from tests.support.table import table

HTML = """<!doctype html><html lang=en><title>t</title><div class="a b" id=x data-n=1><p>1 <b>2</b><p class=b>3</div>
<ul><li><a href=/1>one</a><li><a href=/2 rel=nofollow>two</a><li>three</ul><form><input type=checkbox checked></form>"""


@table(
    ("selector", "place", "why"),
    [
        ("div..a", "column 5, before '.a'", "expected an identifier"),
        ("p[", "column 3, its end", "expected an identifier"),
        ("p[a=b", "column 6, its end", "expected ']'"),
        ("p, a:foo b", "column 5, before ':foo b'", "unknown pseudo-class"),
        ("p,", "column 3, its end", "expected a selector"),
        ("> p", "column 1, before '> p'", "expected a selector"),
        ("a:contains('x')", "column 2, before ':contains('…'", "unknown pseudo-class"),
        ("p::before", "column 3, before ':before'", "expected an identifier"),
        ("\u00e9\U0001f388..p", "column 4, before '.p'", "expected an identifier"),
        ("div,\np..a", "line 2, column 3, before '.a'", "expected an identifier"),
        (":is(p, ..)", "column 8, before '..)'", "Malformed class selector"),
        ("p,\n:is(b, ..)", "line 2, column 8, before '..)'", "Malformed class selector"),
        ("p:modal", "column 2, before ':modal'", "':modal' was detected as a pseudo-class"),
        ("#1", "column 1, before '#1'", "Malformed id selector"),
        ("p\0", "column 2, before '\\x00'", "expected a combinator or the end of the selector"),
        ("", "column 1, its end", "expected a selector"),
        (":not(" * 5_000 + "p" + ")" * 5_000, "column ", ""),
    ],
)
def test_a_css_selector_is_refused_with_its_place(selector, place, why):
    said = css_mistake(selector)
    assert said is not None
    assert said.startswith(f"the CSS selector '{shown(selector)}' is wrong at {place}")
    assert why in said
    assert said.isprintable()
    assert len(said) < 200


@table(
    "selector",
    [
        "p",
        "p > b, a[href^='/'] ~ b",
        "li:nth-child(2n+1 of .a)",
        ":has(> b)",
        "[x='::' i]",
        ":hover",
        "svg|a",
        "p /* c */ b",
    ],
)
def test_a_css_selector_that_can_be_run_is_let_pass(selector):
    assert css_mistake(selector) is None


TURBOHTML_ALONE = [":is(p, ..)", ":where(..)", "#1", ".1a", ":has(:has(p))", ":modal"]
SOUPSIEVE_ALONE = [
    *("p:contains('x')", "p:-soup-contains('x')", "a[b!=c]", "& p", ":host", ":matches(p)", ":in-range"),
    *(":out-of-range", ":placeholder-shown", ":indeterminate", ":open"),
]


def test_what_only_one_of_the_two_accepts_is_what_the_documentation_lists():
    import soupsieve

    document = Page.from_html(HTML).document
    for selector in TURBOHTML_ALONE:
        document.select(selector)
        with pytest.raises(soupsieve.SelectorSyntaxError):
            soupsieve.compile(selector)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        for selector in SOUPSIEVE_ALONE:
            soupsieve.compile(selector)
            with pytest.raises(ValueError, match="invalid CSS selector"):
                document.select(selector)
    assert None not in map(css_mistake, [*TURBOHTML_ALONE, *SOUPSIEVE_ALONE])


@table(
    "selector",
    [
        *("*", "p", "div p", "div > p", "p + p", "p ~ p", "p, b", ".a.b", "#x", "[href]", "[class~=b]", "[href$='2']"),
        *("li:first-child", "li:nth-child(odd)", "li:not(:has(a))", "p:last-of-type", ":is(a, b)", ":empty", ":root"),
        *("a:any-link", ":checked", "p:only-child", "li:nth-last-child(2)", "[rel=NOFOLLOW i]", ":lang(en) b"),
    ],
)
def test_both_find_the_same_elements(selector):
    page = Page.from_html(HTML)
    assert [element.tag for element in page.css(selector)] == [tag.name for tag in page.soup.select(selector)]


@table(
    ("expression", "place", "why"),
    [
        ("//p[", "column 5, its end", "expected a node test"),
        ("//p/", "column 5, its end", "expected a node test"),
        ("//a/'x'", "column 5, before ''x''", "expected a node test"),
        ("//p[@class='a]", "column 12, before ''a]'", "expected a node test"),
        ("//zz[foo(1)]", "column 6, before 'foo(1)]'", "there is no function foo()"),
        ("true() or foo()", "column 11, before 'foo()'", "there is no function foo()"),
        ("//zz[@x=$y]", "column 9, before '$y]'", "there are no variables here"),
        ("//zz/svg:g", "column 6, before 'svg:g'", "there is no namespace svg"),
        ("//zz/@xlink:href", "column 7, before 'xlink:href'", "there is no namespace xlink"),
        ("//zz/a:*", "column 7, before ':*'", "invalid character"),
        ("//zz[b[substring('a')]]", "column 8, before 'substring('…'", "substring() takes 2 to 3 arguments"),
        ("//zz[count('a')]", "column 6, before 'count('a')]'", "count() of a non-node-set"),
        ("//zz[re:test(., '(')]", "column 6, before 're:test(., …'", "a regular expression is wrong: missing )"),
        ("(1)/p", "column 1, before '(1)/p'", "a path step on a non-node-set"),
        ("//p\0", "column 4, before '\\x00'", "invalid character"),
        ("", "column 1, its end", "expected a node test"),
        ("(" * 5_000 + "1" + ")" * 5_000, "column 1025", "nested too deeply"),
    ],
)
def test_an_xpath_expression_is_refused_with_its_place(expression, place, why):
    said = xpath_mistake(expression)
    assert said is not None
    assert said.startswith(f"the XPath expression '{shown(expression)}' is wrong at {place}")
    assert why in said
    assert said.isprintable()
    assert len(said) < 200


@table(
    "expression",
    [
        "//p[1]",
        ".//a/@href",
        "//zz[@a='$b' and contains(., 'foo() a:b [')]/following-sibling::text()",
        "//p[re:test(., '1')]",
        "//zz[child::node() or (self::p) and not (text())]",
        "//*[@xml:lang]",
        "string(//p[last()])",
        "count(//li) div 2",
        "id('x')",
    ],
)
def test_an_xpath_expression_that_can_be_run_is_let_pass(expression):
    assert xpath_mistake(expression) is None


def test_an_at_sign_is_shown_for_it_is_no_password_here():
    assert shown("//p[@x='a']/@b") == "//p[@x='a']/@b"
    assert shown("a\x1b@b\n" + "x" * 100) == r"a\x1b@b\n" + "x" * 34 + "…"
