"""How much of a page's body its main text keeps, and how much of menus it lets in, beside other extractors.

    python -m bench.text                              # the documentation that is installed (Debian packages)
    python -m bench.text --articles CHECKOUT …        # and articles, from checkouts of the corpora below

Documentation: of each package in `SITES` that is installed, up to 150 pages. What the body of a page is says one
selector for the site. Articles: the web pages in checkouts of github.com/mozilla/readability (`expected.html` is the
body) and of github.com/scrapinghub/article-extraction-benchmark (people copied the body out).

Recall is the share of the body's words that a text keeps; precision is the share of the text's words that are the
body's. Both count a word as often as it stands there. Times are processor time for a page from bytes to text, parsing
included; of this crawler, that of a page of which links and title were read as well.
"""

import argparse
import gzip
import importlib.util
import json
import re
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from statistics import mean, median
from time import process_time
from typing import NamedTuple

import lxml.html

from crawler.page.page import Page

MOST_PAGES = 150
"""Of one site."""
FEWEST_WORDS = 20
"""Of a body. A shorter one is a page that leads elsewhere."""
SITES = {
    "PostgreSQL": ("doc/postgresql-doc-*/html", "body", ".navheader, .navfooter"),
    "Python": ("doc/python3.*-doc/html", "[role=main]", ""),
    "OpenJDK": ("doc/openjdk-*-jre-headless/api", "main", ""),
    "Rust": ("doc/rust-doc/html", "main", ""),
    "pandas": ("doc/python-pandas-doc/html", "main", ""),
    "Django": ("doc/python-django-doc/html", "#yui-main", ""),
    "Apache": ("doc/apache2-doc/manual/en", "#page-content", "#quickview, .toplang"),
    "cppreference": (
        "cppreference/doc/html/en",
        "#content",
        ".t-navbar, .printfooter, #catlinks, #siteSub, #contentSub, .editsection",
    ),
    "Qt": ("qt5/doc", ".content", ".sidebar"),
    "Git": ("doc/git-doc", "body", "#footer"),
    "SQLite": ("doc/sqlite3", "body", ".nosearch"),
    "Debian": ("doc/debian-handbook/html/en-US", "body", "#banner, .docnav"),
    "GTK": ("gtk-doc/html/gtk3", "body", "table.navigation, .footer"),
    "Erlang": ("doc/erlang-doc/lib/*/doc/html", "#content", ".footer"),
    "Boost": ("doc/libboost1.*-doc/doc/html", ".section, .refentry, .chapter, .library", ".spirit-nav"),
}
"""By name: where below /usr/share the pages lie, what the body of each is, and what in it is none of it."""

_UNSEEN = "script, style, noscript, template, head, [hidden]"
_INLINE = frozenset(
    {"a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font", "i", "ins"}
    | {
        "kbd",
        "label",
        "mark",
        "nobr",
        "q",
        "s",
        "samp",
        "small",
        "span",
        "strike",
        "strong",
        "sub",
        "sup",
        "time",
        "tt",
    }
    | {"u", "var", "wbr"}
)
_WORD = re.compile(r"\w+")


class Case(NamedTuple):
    """A page, and the words of its body."""

    site: str
    name: str
    html: bytes
    words: Counter[str]


class Score(NamedTuple):
    """What one extractor made of one page; recall and precision are from 0 to 1."""

    recall: float
    precision: float
    time_s: float


def words(text: str) -> Counter[str]:
    return Counter(_WORD.findall(text.lower()))


def text_of(element: lxml.html.HtmlElement) -> str:
    """The text in an element, with a blank between blocks."""
    parts: list[str] = []
    for event, one in lxml.etree.iterwalk(element, events=("start", "end", "comment", "pi")):
        if event == "start":
            if one.tag not in _INLINE:
                parts.append(" ")
            parts.append(one.text or "")
        else:
            if event == "end" and one.tag not in _INLINE:
                parts.append(" ")
            if one is not element:
                parts.append(one.tail or "")
    return "".join(parts)


def tree(html: bytes | str) -> lxml.html.HtmlElement:
    parser = lxml.html.HTMLParser(encoding="utf-8", huge_tree=True)
    found = lxml.html.document_fromstring(html, parser=parser)
    for element in found.cssselect(_UNSEEN):
        element.drop_tree()
    return found


def documentation() -> Iterator[Case]:
    for site, (where, selector, without) in SITES.items():
        folders = sorted(Path("/usr/share").glob(where))
        files = sorted({path.resolve() for folder in folders for path in folder.rglob("*.html") if path.is_file()})
        if not files:
            print(f"{site}: not installed, left out (/usr/share/{where})", file=sys.stderr)
        chosen = 0
        for at in range(min(len(files), 2 * MOST_PAGES)):
            path = files[at * len(files) // min(len(files), 2 * MOST_PAGES)]
            html = path.read_bytes()
            root = tree(html)
            for element in root.cssselect(without) if without else ():
                element.drop_tree()
            body = root.cssselect(selector)
            found = words(text_of(body[0])) if body else Counter()
            if found.total() >= FEWEST_WORDS and chosen < MOST_PAGES:
                chosen += 1
                yield Case(site, path.name, html, found)


def articles(checkout: Path) -> Iterator[Case]:
    pages = sorted(checkout.glob("test/test-pages/*/source.html"))
    for source in pages:
        expected = (source.parent / "expected.html").read_bytes()
        yield Case("articles (readability)", source.parent.name, source.read_bytes(), words(text_of(tree(expected))))
    truth = checkout / "ground-truth.json"
    for name, page in json.loads(truth.read_bytes()).items() if truth.exists() else ():
        html = gzip.decompress((checkout / "html" / f"{name}.html.gz").read_bytes())
        yield Case("articles (scrapinghub)", name, html, words(page["articleBody"]))


def _page(html: bytes) -> Page:
    return Page.from_html(html, headers={"content-type": "text/html; charset=utf-8"})


def _trafilatura(html: bytes, **options: bool) -> str:
    import trafilatura  # noqa: PLC0415 - may be missing

    return trafilatura.extract(html.decode("utf-8", "replace"), include_comments=False, **options) or ""


def _resiliparse(html: bytes) -> str:
    from resiliparse.extract.html2text import extract_plain_text  # noqa: PLC0415 - may be missing

    return extract_plain_text(html.decode("utf-8", "replace"), main_content=True)


def _readability(html: bytes) -> str:
    import readability  # noqa: PLC0415 - may be missing

    return text_of(lxml.html.fromstring(readability.Document(html.decode("utf-8", "replace")).summary()))


def _justext(html: bytes) -> str:
    import justext  # noqa: PLC0415 - may be missing

    paragraphs = justext.justext(html.decode("utf-8", "replace"), justext.get_stoplist("English"))
    return "\n".join(one.text for one in paragraphs if not one.is_boilerplate)


EXTRACTORS: dict[str, tuple[str, Callable[[bytes], str]]] = {
    "main_text": ("crawler", lambda html: _page(html).main_text),
    "markdown": ("crawler", lambda html: _page(html).markdown),
    "turbohtml": ("turbohtml", lambda html: _page(html).document.main_text()),
    "visible_text": ("crawler", lambda html: _page(html).visible_text),
    "trafilatura": ("trafilatura", _trafilatura),
    "trafilatura, for recall": ("trafilatura", lambda html: _trafilatura(html, favor_recall=True)),
    "resiliparse": ("resiliparse", _resiliparse),
    "readability-lxml": ("readability", _readability),
    "jusText": ("justext", _justext),
}
"""By name: the package that it needs, and from the bytes of a page to its text."""


def score(extract: Callable[[bytes], str], case: Case) -> Score:
    began = process_time()
    try:
        text = extract(case.html)
    except Exception as error:  # noqa: BLE001 - whatever an extractor raises: it has no text then
        print(f"{case.site} {case.name}: {type(error).__name__} {error}", file=sys.stderr)
        text = ""
    took_s = process_time() - began
    found = words(text)
    common = (found & case.words).total()
    return Score(common / case.words.total(), common / found.total() if found else 1.0, took_s)


def table(cases: list[Case], names: Iterable[str]) -> None:
    print(f"{len(cases)} pages of {len({case.site for case in cases})} sites")
    scores = {name: [score(EXTRACTORS[name][1], case) for case in cases] for name in names}
    print("\n| extractor | recall: median | mean | lowest tenth | under 50 % | precision | mean | time, ms | mean |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, found in scores.items():
        recalls, precisions = sorted(one.recall for one in found), [one.precision for one in found]
        few = sum(recall < 0.5 for recall in recalls) / len(recalls)
        times = [one.time_s * 1e3 for one in found]
        print(
            f"| {name} | {median(recalls):.1%} | {mean(recalls):.1%} | {recalls[len(recalls) // 10]:.1%} | {few:.1%} "
            f"| {median(precisions):.1%} | {mean(precisions):.1%} | {median(times):.2f} | {mean(times):.2f} |"
        )
    print("\nMedian recall / pages under 50 % / median precision, by site:\n")
    print(f"| site | pages | {' | '.join(scores)} |")
    print(f"| --- | --- |{' --- |' * len(scores)}")
    for site in dict.fromkeys(case.site for case in cases):
        rows = []
        for found in scores.values():
            ours = [one for one, case in zip(found, cases, strict=True) if case.site == site]
            few = sum(one.recall < 0.5 for one in ours)
            rows.append(f"{median(s.recall for s in ours):.0%} / {few} / {median(s.precision for s in ours):.0%}")
        print(f"| {site} | {len(ours)} | {' | '.join(rows)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--articles", type=Path, nargs="*", default=[], metavar="CHECKOUT")
    parser.add_argument("--only", nargs="*", metavar="EXTRACTOR", help=f"of {', '.join(EXTRACTORS)}")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    names = [name for name in EXTRACTORS if not arguments.only or name in arguments.only]
    missing = {EXTRACTORS[name][0] for name in names if importlib.util.find_spec(EXTRACTORS[name][0]) is None}
    if missing:
        print(f"not installed, left out: {', '.join(sorted(missing))}", file=sys.stderr)
    cases = [*documentation(), *(case for checkout in arguments.articles for case in articles(checkout))]
    table(cases, [name for name in names if EXTRACTORS[name][0] not in missing])


if __name__ == "__main__":
    main()
