"""The main part of a page: nearly all of its text, and little of what stands around it."""

from collections import Counter
from pathlib import Path

import pytest

from crawler.page.page import Page
from tests.support.table import table

ROOTS = sorted(Path("/usr/share/doc").glob("postgresql-doc-*/html"))
PROSE = (
    "Long enough to read like the text of a page, with commas, and with more than one sentence. It goes on like this. "
)
LINKS = "".join(f'<li><a href="/{name}">{name} things</a></li>' for name in ("red", "green", "blue", "white", "black"))
ALL = ("kept", "also kept")


def page(body: str) -> Page:
    return Page.from_html(f"<!DOCTYPE html><html><head><title>T</title></head><body>{body}</body></html>")


@table(
    "body",
    [
        f"<nav>lost</nav><p>kept {PROSE}<p>also kept<footer>lost</footer>",
        f"<header>lost <a href=/>Home</a></header><main><p>kept {PROSE}</p><div>also kept</div></main><div>lost</div>",
        f"<div role=navigation>lost</div><div role=main>kept<p>{PROSE}<p>also kept</div><p role=contentinfo>lost",
        f"<div class=navheader>lost</div><div><p>kept {PROSE}</p><p>also kept</p></div><div class=navfooter>lost</div>",
        f"<div class='site-footer'>lost</div><p>kept<h2>also kept</h2><p>{PROSE}<ul id=menu><li>lost {LINKS}</ul>",
        f"<div>lost {LINKS}</div><article><h1>kept</h1><p>{PROSE}</p><p>also kept</p></article>",
        f"<ul>lost {LINKS}</ul><div><p>kept {PROSE * 3}</p><p>also kept {PROSE}</p></div>",
        f"<header><h1>kept</h1></header><p>{PROSE}<p>also kept<aside class=related>lost {LINKS}</aside>",
        f"<p>kept {PROSE * 2}<p>also kept<div class=comments-area><p>lost {PROSE}</div><button>lost</button>",
        f"<div class=sidebar><p>kept {PROSE * 3}</p></div><p>also kept {PROSE * 3}</p>",
        f"<section id=pagination><h2>kept</h2><p>{PROSE * 4}</section><section><p>also kept {PROSE}</section>",
        f"<div hidden>lost</div><p style='display: none'>lost<p>kept {PROSE}<script>lost</script><p>also kept",
    ],
)
def test_what_stands_around_the_text_is_left_out_and_all_of_the_text_is_there(body):
    for text in (page(body).main_text, page(body).markdown):
        assert [word for word in ALL if word not in text] == []
        assert "lost" not in text


@table(
    "body",
    [
        f"<footer><p>kept {PROSE}<p>also kept</footer>",  # never closed
        f"<div aria-hidden=true><p>kept {PROSE}<p>also kept</div>",
        f"<main></main><div id=app><p>kept {PROSE}</p><p>also kept</p></div>",
        f"<div class=navigation-drawer-content><p>kept {PROSE}<p>also kept</div>",
        f"<div class=menu><p>kept {PROSE}</div><div class=popup><p>also kept {PROSE}</div>",
        "<p>kept<p>also kept",
        "<h1>kept</h1><div>also kept</div>",
    ],
)
def test_where_little_is_left_less_is_taken_away(body):
    assert [word for word in ALL if word not in page(body).main_text] == []


def test_a_page_that_is_a_list_of_links_keeps_them():
    text = page(
        f"<nav>{LINKS}</nav><h1>Index</h1><p>{PROSE}</p><ul>{LINKS.replace('things', 'entries') * 10}</ul>"
    ).main_text
    assert "Long enough" in text
    assert text.count("blue entries") == 10
    assert "blue things" not in text


@pytest.mark.parametrize("html", ["", "<frameset><frame src=x></frameset>", "<title>x</title>"])
def test_a_page_without_text_has_none(html):
    assert (Page.from_html(html).main_text, Page.from_html(html).markdown) == ("", "")


def test_headings_in_markdown_have_blanks_and_no_character_references():
    body = f"<h2>2.1.&nbsp;On <b>tea&nbsp;</b>cups</h2><p>{PROSE}<code>&amp;#160;</code>"
    markdown = page(body).markdown
    assert markdown.startswith("## 2.1. On **tea** cups\n")
    assert "`&#160;`" in markdown


def test_the_main_part_of_documentation_is_nearly_all_of_its_body():
    """Of each 20th page; `make bench-text` measures more, on many sites."""
    if not ROOTS:
        pytest.skip("no PostgreSQL documentation to read (Debian: apt-get install postgresql-doc)")
    kept, let_in = {}, {}
    for path in sorted(ROOTS[-1].glob("*.html"))[::20]:
        one = Page.from_html(path.read_bytes())
        body = one.css_first("body")
        for around in body.select(".navheader,.navfooter"):
            around.decompose()
        words, found = Counter(body.to_text().split()), Counter(one.main_text.split())
        kept[path.name] = (words & found).total() / words.total()
        let_in[path.name] = (found - words).total() / words.total()
    assert {name: share for name, share in kept.items() if share < 0.5} == {}
    assert sorted(kept.values())[len(kept) // 2] > 0.99
    assert {name: share for name, share in let_in.items() if share > 0.05} == {}
