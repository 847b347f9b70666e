"""The three trees of a page agree on real documentation: on titles and links, and with the page's own values.

Needs PostgreSQL's HTML documentation (Debian: postgresql-doc), as `.ci/run` installs it. Where two parsers disagree
about a page, one of the rules in `RULES` has to apply; `docs/page.md` says the same for people.
"""

import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urldefrag, urljoin

import pytest

from crawler.page.page import Page
from crawler.web.urls import normalise
from tests.support.table import table

ROOTS = sorted(Path("/usr/share/doc").glob("postgresql-doc-*/html"))
PAGES = 300
BASE = "http://docs.example/html/"
TREES = ("css()", "tree", "soup")
DOCUMENT = Path(__file__).parents[2] / "docs" / "page.md"


class Seen(NamedTuple):
    """What one tree says of a page: text of the first `<title>`, and `href` of every `<a>`, in page order."""

    title: str | None
    links: list[str]


class Difference(NamedTuple):
    """Two trees disagree on `what` ("title" or "links") of a page. `rule` explains it; None if none does."""

    name: str
    what: str
    seen: tuple[object, ...]
    rule: str | None


def seen(page: Page) -> tuple[Seen, Seen, Seen]:
    """What `css()`, `tree` and `soup` say, in that order."""
    first, soup_title = page.css_first("title"), page.soup.title
    return (
        Seen(None if first is None else first.text, [str(link.attr("href")) for link in page.css("a[href]")]),
        Seen(page.tree.findtext(".//title"), page.tree.xpath("//a/@href")),
        Seen(None if soup_title is None else soup_title.get_text(), [a["href"] for a in page.soup("a", href=True)]),
    )


def nested(page: Page) -> int:
    """How deep the elements of a page are nested, as `soup` has them."""
    deepest, todo = 0, [(page.soup, 0)]
    while todo:
        element, depth = todo.pop()
        deepest = max(deepest, depth)
        todo += [(child, depth + 1) for child in element.find_all(True, recursive=False)]
    return deepest


def reopened(page: Page, fast: Seen, other: Seen) -> bool:
    """Whether `css()` has links more than once that the other tree has once, and no others."""
    more, less = Counter(fast.links) - Counter(other.links), Counter(other.links) - Counter(fast.links)
    return bool(more) and not less and set(more) <= set(other.links)


RULES = {
    "A link that is not closed is opened again": reopened,
    "An element closed in its own tag": lambda page, *_: re.search(r"<(?:html|head|title)\b[^>]*/>", page.text),
    "A frameset": lambda page, *_: page.css_first("frameset") is not None,
    "Elements nested more than 500 deep": lambda page, *_: nested(page) > 500,
}
"""When `css()` may differ from `tree` or `soup`, or these two from each other: (page, one, other) to truth."""


def differences(name: str, page: Page) -> list[Difference]:
    """Where the trees disagree about a page, each with the rule that explains it."""
    views = seen(page)
    found = []
    for what in Seen._fields:
        values = [getattr(view, what) for view in views]
        if values[0] == values[1] == values[2]:
            continue
        pairs = [(one, other) for one in views[:2] for other in views[1:] if getattr(one, what) != getattr(other, what)]
        rule = next((rule for rule, applies in RULES.items() if all(applies(page, *pair) for pair in pairs)), None)
        shown = values if what == "title" else map(len, values)
        found.append(Difference(name, what, tuple(shown), rule))
    return found


def references(page: Page) -> dict[str, list[tuple[str, str, str]]]:
    """What each tree says of `<a href>` and `<link href>`: (tag, rel, href) in page order."""
    tags = page.soup(["a", "link"], href=True)
    return {
        "css()": [(one.tag, one.attr("rel", ""), one.attr("href", "")) for one in page.css("a[href],link[href]")],
        "tree": [
            (one.tag, one.get("rel", ""), one.get("href", "")) for one in page.tree.xpath("//a[@href]|//link[@href]")
        ],
        "soup": [(one.name, " ".join(one.get("rel", [])), one["href"]) for one in tags],
    }


def targets(found: list[tuple[str, str, str]], url: str) -> tuple[str, ...]:
    """The links of a record: absolute by the standard library, only http(s), each once, none into the page."""
    hrefs = [href for tag, rel, href in found if tag == "a" or {"next", "prev", "canonical", "alternate"} & {rel}]
    absolute = [urldefrag(urljoin(url, href.strip()))[0] for href in hrefs if href and not href.startswith("#")]
    return tuple(dict.fromkeys(normalise(one) for one in absolute if one.startswith(("http://", "https://"))))


@pytest.fixture(scope="module")
def pages() -> list[tuple[str, Page]]:
    """500 pages from all of the documentation, by name."""
    if not ROOTS:
        pytest.skip("no PostgreSQL documentation to read (Debian: apt-get install postgresql-doc)")
    files = sorted(ROOTS[-1].glob("*.html"))
    if len(files) < PAGES:
        pytest.skip(f"{ROOTS[-1]} has {len(files)} pages, {PAGES} are needed (Debian: apt-get install postgresql-doc)")
    chosen = [files[number * len(files) // PAGES] for number in range(PAGES)]
    return [(file.name, Page.from_html(file.read_bytes(), BASE + file.name)) for file in chosen]


@pytest.mark.thorough
def test_the_trees_agree_on_title_and_links(pages, capsys):
    found = [difference for name, page in pages for difference in differences(name, page)]
    titles = sum(page.css_first("title") is not None for _, page in pages)
    links = sum(len(page.css("a[href]")) for _, page in pages)
    with capsys.disabled():
        print(
            f"\n{len({name for name, _ in pages})} pages of {ROOTS[-1].parent.name}: {titles} titles and {links} links "
            f"by {', '.join(TREES)}; {len(found)} differences, {sum(one.rule is None for one in found)} unexplained"
        )
        for one in found:
            print(f"  {one.name}: {one.what} {one.seen}: {one.rule or 'UNEXPLAINED'}")
    assert [one for one in found if one.rule is None] == []
    assert len({name for name, _ in pages}) == PAGES
    assert titles == PAGES
    assert links > 5_000


@pytest.mark.thorough
def test_the_values_of_a_page_are_those_of_its_trees(pages, capsys):
    """`title` and `links`, which a record has, follow from each tree by a few lines of the standard library."""
    elements: Counter[str] = Counter()
    for name, page in pages:
        for title, _ in seen(page):
            assert " ".join((title or "").split()) == page.title, name
        for tree, found in references(page).items():
            assert targets(found, page.url) == page.links, (name, tree)
        elements.update(tag for tag, _, _ in found)
    total = sum(len(page.links) for _, page in pages)
    with capsys.disabled():
        print(
            f"\n{elements['a']} <a> and {elements['link']} <link> are {total} links: "
            "each target once a page, none into the page itself, no mail address, no style sheet"
        )


@table(
    ("rule", "html"),
    [
        ("A link that is not closed is opened again", "<title>t</title><p><a href=x>one<p>two"),
        ("An element closed in its own tag", "<html/><head><title>t</title></head><body><a href=x>y</a>"),
        ("An element closed in its own tag", "<title/>t<a href=x>y</a>"),
        ("A frameset", "<title>t</title><frameset><frame src=x></frameset><a href=y>z</a>"),
        ("Elements nested more than 500 deep", "<title>t</title>" + "<div>" * 3_000 + "<a href=x>y</a>"),
    ],
)
def test_each_rule_explains_a_difference_and_the_documentation_names_it(rule, html):
    found = differences("page", Page.from_html(html))
    assert found != []
    assert {one.rule for one in found} == {rule}
    assert rule.lower() in " ".join(DOCUMENT.read_text("utf-8").lower().split())


@table(
    "html",
    [
        "<a href=1>x<a href=2>y</a></a>",
        "<table><a href=x>1<tr><td><a href=y>2</table>",
        "<noscript><a href=x>y</a></noscript><template><a href=z>w</a></template>",
        "<div><template shadowrootmode=open><a href=x>y</a><slot></slot></template><a href=z>w</a></div>",
        "<iframe><a href=x>y</a></iframe><textarea><a href=x>y</a></textarea><script>'<a href=x>'</script>",
        "<svg><title>s</title><a href=q>s</a></svg><title>t</title>",
        "<title>a&ampb &notit; &#128; <b>c</b></title><title>d</title>",
        "<title>a\0b\r\nc</title>",
        "<!-- a -- b --><![CDATA[<a href=x>]]><a href>x</a><A HREF=z>",
        "<?xml version='1.0'?><html><head><title>t</title></head><body><a href='x'/><a href='y'/></body></html>",
        "<title>never closed <a href=x>y</a>",
    ],
)
def test_the_trees_agree_on_what_is_often_wrong_with_pages(html):
    assert differences("page", Page.from_html(html)) == []


def test_a_difference_that_no_rule_explains_is_told():
    page = Page.from_html("<title>t</title><a href=x>y</a>")
    page.css_first("a").decompose()
    assert differences("page", page) == [Difference("page", "links", (0, 1, 1), None)]
