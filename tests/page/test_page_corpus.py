"""Whatever pages the web has are read, in time that grows with their size alone.

The pages are those of documentation packages of Debian, where they are installed (`.ci/run` installs the first two; the
test names those that are missing), and made ones of 0.3 to 2.4 MB.
"""

from collections.abc import Callable
from pathlib import Path
from statistics import median

import pytest

from crawler.core.record import DEFAULT_FIELDS, RecordMaker
from crawler.page.page import Page
from crawler.page.raw_page import RawPage
from tests.support.downloads import download_of
from tests.support.shapes import SHAPES, ordinary, shaped
from tests.support.yardstick import processor_s

DOCUMENTATION = {
    "postgresql-doc": "postgresql-doc-*/html",
    "python3-doc": "python3.*-doc/html",
    "openjdk-17-doc": "openjdk-17-*/api",
    "apache2-doc": "apache2-doc/manual",
    "cppreference-doc-en-html": "../cppreference/doc/html",
    "rust-doc": "rust-doc/html",
}
"""Packages of Debian, and where below /usr/share/doc the pages of each lie."""
MOST_PAGES = 800
"""Of one package; from a larger one as many are taken, evenly."""
LARGE = 65_536
"""Bytes from which on a page's time says something about the page."""
SLOWER = 25
"""A page may take so many times as long for each byte as an ordinary one: tags cost, and text hardly does."""

_record = RecordMaker(DEFAULT_FIELDS).record


def record(body: bytes) -> dict:
    return _record(RawPage(download_of(body)))


def everything(body: bytes) -> None:
    """Ask for what a spider may ask for, but the trees of lxml and BeautifulSoup."""
    page = Page(download_of(body))
    _ = page.links, page.visible_text, page.simhash, page.document, page.meta, page.open_graph, page.json_ld
    _ = page.microdata, page.tables, page.article, page.main_text, page.markdown, page.feed


def slow(work: Callable[[bytes], object], body: bytes, most_s: float) -> bool:
    """Whether work takes longer than that, three times in a row."""
    return processor_s(lambda: work(body), tries=1) > most_s and processor_s(lambda: work(body)) > most_s


def files(package: str) -> list[Path]:
    """The pages of a package, or at most `MOST_PAGES` of them, and always the largest; none if it is not installed."""
    folders = sorted(Path("/usr/share/doc").glob(DOCUMENTATION[package]))
    found = sorted({path.resolve() for folder in folders[-1:] for path in folder.rglob("*.html") if path.is_file()})
    chosen = [found[at * len(found) // MOST_PAGES] for at in range(MOST_PAGES)] if len(found) > MOST_PAGES else found
    largest = sorted(found, key=lambda path: path.stat().st_size)[-20:]
    return sorted({*chosen, *largest})


@pytest.mark.thorough
@pytest.mark.parametrize("package", DOCUMENTATION)
def test_every_page_of_documentation_is_read_in_time(package, capsys):
    pages = files(package)
    if not pages:
        pytest.skip(f"not installed, its pages are not read (Debian: apt-get install {package})")
    times = {}
    for path in pages:
        body = path.read_bytes()
        times[path] = processor_s(lambda body=body: record(body), tries=1) / max(1, len(body))
    usual = median(times.values())
    large = [path for path in pages if path.stat().st_size > LARGE]
    with capsys.disabled():
        slowest = max(pages, key=lambda path: times[path] * path.stat().st_size)
        size = slowest.stat().st_size
        print(
            f"\n{package}: {len(pages)} pages, {len(large)} of them larger than {LARGE} bytes; median "
            f"{usual * 1e9:.0f} ns a byte; slowest {slowest.name}: {size} bytes in {times[slowest] * size * 1e3:.0f} ms"
        )
    suspects = [path for path in large if times[path] > SLOWER * usual]
    assert [path for path in suspects if slow(record, path.read_bytes(), SLOWER * usual * path.stat().st_size)] == []


@pytest.mark.thorough
@pytest.mark.parametrize("size", [300_000, 2_400_000])
def test_pages_of_every_shape_take_time_by_their_size(size):
    """One yardstick for all sizes: that of an ordinary page, and so what grows faster than a page fails."""
    usual = processor_s(lambda: record(ordinary(300_000))) / 300_000
    assert [name for name in SHAPES if slow(record, shaped(name, size), SLOWER * usual * size)] == []


@pytest.mark.thorough
def test_what_a_spider_asks_for_takes_time_by_the_size_of_the_page():
    usual, size = processor_s(lambda: everything(ordinary(300_000))) / 300_000, 450_000
    assert [name for name in SHAPES if slow(everything, shaped(name, size), SLOWER * usual * size)] == []
