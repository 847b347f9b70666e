"""The documentation as a site: built by one command, and crawled by the crawler that it is about."""

import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin

import lxml.html
import pytest

from crawler import crawl
from tests.support.nginx import serving

ROOT = Path(__file__).parents[2]
NO_LINKS_HERE = {"404.html"}
"""Only a server shows it, at addresses that lead nowhere."""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site") / "site"
    subprocess.run([sys.executable, "-m", "website.build", str(folder)], cwd=ROOT, check=True)
    return folder


@pytest.mark.thorough
def test_a_crawl_of_the_site_finds_every_page_and_no_dead_link(site, tmp_path):
    with serving(site, tmp_path) as url:
        pages = list(crawl(url, job=tmp_path / "job", allow_private=True, fields=["url", "status", "parent", "links"]))
    assert [page for page in pages if page["status"] != 200] == []
    reached = {page["url"].removeprefix(url) or "index.html" for page in pages}
    written = {str(file.relative_to(site)) for file in site.rglob("*.html")} - NO_LINKS_HERE
    assert {one for one in reached if one.endswith(".html")} == written
    assert {f"docs/{file.stem}.html" for file in ROOT.glob("docs/*.md") if file.name != "README.md"} <= written


@pytest.mark.thorough
def test_every_part_of_a_page_that_is_linked_to_is_there_and_nothing_comes_from_elsewhere(site):
    pages = {file.relative_to(site).as_posix(): lxml.html.parse(file).getroot() for file in site.rglob("*.html")}
    parts = {name: {*page.xpath("//@id"), ""} for name, page in pages.items()}
    missing = []
    for name, page in pages.items():
        for href in page.xpath("//a/@href"):
            target, part = urldefrag(urljoin(name, href))
            if target in parts and unquote(part) not in parts[target]:
                missing.append(f"{name}: {href}")
    assert missing == []
    shown = [place for page in pages.values() for place in page.xpath("//script/@src | //img/@src | //link/@href")]
    assert shown
    assert [place for place in shown if "//" in place] == []
