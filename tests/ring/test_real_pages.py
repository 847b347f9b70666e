"""A crawl of real documentation behind a real server: every page once, the same set as other tools find.

Needs nginx and PostgreSQL's HTML documentation (Debian: nginx-light, postgresql-doc), and compares with wget2 where
it is installed. `.ci/run` installs all three.
"""

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from urllib.parse import urldefrag, urljoin

import lxml.html
import pytest

from crawler.core.config import CrawlConfig
from crawler.ring.crawler import Crawler
from tests.support import nginx
from tests.support.servers import Answer, LocalServer, html
from tests.support.shapes import SHAPES, shaped

ROOTS = sorted(Path("/usr/share/doc").glob("postgresql-doc-*/html"))


@pytest.fixture(scope="module")
def docs(tmp_path_factory):
    """URL of the documentation's index, and its folder."""
    if nginx.NGINX is None:
        pytest.skip("nginx is not installed (Debian: apt-get install nginx-light)")
    if not ROOTS:
        pytest.skip("no PostgreSQL documentation to crawl (Debian: apt-get install postgresql-doc)")
    with nginx.serving(ROOTS[-1].parent, tmp_path_factory.mktemp("nginx")) as server:
        yield f"{server}html/index.html", ROOTS[-1]


@pytest.fixture(scope="module")
def crawled(docs, tmp_path_factory) -> list[dict]:
    """The records of a crawl by the command line."""
    job = tmp_path_factory.mktemp("crawl") / "job"
    done = subprocess.run(
        [sys.executable, "-m", "crawler", "crawl", docs[0], "--scope", "prefix", "--delay", "0", "--per-host", "32",
         "--allow-private", "--job", str(job)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    print(done.stderr)
    return [json.loads(line) for line in (job / "pages.jsonl").read_bytes().splitlines()]


def reachable(index: str, folder: Path) -> set[str]:
    """URLs of the files that can be reached from the index by links, found by lxml alone."""
    base = index.rpartition("/")[0] + "/"
    found, todo = {index}, [index]
    for url in todo:
        file = folder / url[len(base) :]
        if file.suffix != ".html" or not file.exists():
            continue
        for element in lxml.html.parse(str(file)).iterfind(".//*[@href]"):
            if element.tag not in {"a", "area", "link"}:
                continue
            if element.tag == "link" and not {"next", "prev", "canonical", "alternate"} & set(
                element.get("rel", "").split()
            ):
                continue
            target = urldefrag(urljoin(url, element.get("href").strip()))[0]
            if target.startswith(base) and target not in found:
                found.add(target)
                todo.append(target)
    return found


@pytest.mark.thorough
def test_every_page_that_links_lead_to_is_there_once(docs, crawled):
    counts = Counter(record["url"] for record in crawled)
    assert [url for url, count in counts.items() if count > 1] == []
    assert len(counts) > 1_000
    assert set(counts) == reachable(*docs)


def test_titles_are_those_of_the_files(docs, crawled):
    base = docs[0].rpartition("/")[0] + "/"
    for record in crawled[::20]:
        if record["status"] == 200 and record["url"].endswith(".html"):
            tree = lxml.html.parse(str(docs[1] / record["url"][len(base) :]))
            assert record["title"] == " ".join(tree.findtext(".//title").split())


def test_wget2_finds_the_same_pages(docs, crawled, tmp_path):
    """The same set of pages as `wget2 -r` fetches below the same folder."""
    wget2 = shutil.which("wget2")
    if wget2 is None:
        pytest.skip("wget2 is not installed (Debian: apt-get install wget2)")
    subprocess.run(
        [wget2, "-r", "-l", "inf", "--no-parent", "--quiet", "--no-robots", "-P", str(tmp_path), docs[0]], check=False
    )
    base = docs[0].rpartition("/")[0] + "/"
    files = next(path for path in tmp_path.rglob("html") if path.is_dir())
    theirs = {base + str(file.relative_to(files)) for file in files.rglob("*.html")}
    ours = {record["url"] for record in crawled if record["status"] == 200 and record["url"].endswith(".html")}
    assert ours == theirs


@pytest.mark.thorough
async def test_a_crawl_of_large_pages_of_every_shape_loses_none(tmp_path):
    names = {f"/{number}": name for number, name in enumerate(SHAPES)}

    def respond(host: str, path: str) -> Answer:
        if path in names:
            return Answer(shaped(names[path], 600_000))
        return Answer(html(*names)) if path == "/" else Answer(status=404)

    with LocalServer(respond) as server:
        config = CrawlConfig(job=tmp_path / "job", allow_private=True, delay_s=0.0, depth=1)
        stats = await Crawler(config, [server.url()]).run()
    assert stats.outcomes["fetched"] == len(names) + 1
    assert stats.outcomes.keys() <= {"fetched", "skipped: depth"}
