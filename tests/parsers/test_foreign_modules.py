"""Modules that somebody has put where a crawl runs are no part of it; those that a spider needs are found there."""

import ast
import subprocess
import sys
import textwrap
from pathlib import Path

import msgspec
import pytest

from crawler.core.interpreter import python, same_imports
from crawler.parsers.spiders.known_modules import NEEDED
from tests.support.servers import Answer, LocalServer, html

ROOT = Path(__file__).parents[2]
PLANTED = (
    *("signal", "types", "selectors", "multiprocessing", "socket", "ctypes", "resource", "statistics", "pickle"),
    *("lxml", "bs4", "msgspec", "turbohtml", "tldextract", "crawler"),
)
OPTIONS = ["--allow-private", "--delay", "0", "--parsers", "1", "--quiet", "--scope", "domain", "-o", "a.jsonl"]
# As the command `crawler` is, which looks for modules in the folder that it lies in, and hands no `-P` on.
CRAWL = [sys.executable, ROOT / "tests/support/crawler_command.py", "crawl"]
SHOP = """
import helpers

def parse(page):
    return {"title": helpers.text(page.soup.title), "links": len(page.tree.xpath("//a"))}
"""


def respond(_host: str, path: str) -> Answer:
    return Answer(status=404) if path == "/robots.txt" else Answer(html("/a", title=f"page {path}"))


@pytest.fixture(scope="module")
def server():
    with LocalServer(respond) as one:
        yield one


@pytest.fixture
def shared(tmp_path) -> Path:
    """A folder in which others have put modules of many names; each leaves a trace when it is imported."""
    shared = tmp_path / "shared"
    shared.mkdir()
    for name in PLANTED:
        (shared / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'a').write('{name} ')\n")
    return shared


def run(folder: Path, *command: object) -> None:
    done = subprocess.run(list(map(str, command)), cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    ran = folder.parent / "ran"
    assert not ran.exists(), ran.read_text()


def records(path: Path) -> list[dict]:
    return sorted((msgspec.json.decode(line) for line in path.read_bytes().splitlines()), key=lambda one: one["title"])


def test_no_process_of_a_crawl_runs_a_module_of_the_working_directory(shared, server):
    """Neither the parsers nor the process that tidies up after them, though both are told what to do by `-c`."""
    run(shared, *CRAWL, server.url("/"), *OPTIONS)
    assert [one["title"] for one in records(shared / "a.jsonl")] == ["page /", "page /a"]


@pytest.mark.parametrize("spider", ["shop:parse", pytest.param("shop.py:parse", marks=pytest.mark.thorough)])
def test_a_spider_finds_its_own_modules_and_hides_no_others(shared, server, spider):
    """It stands among the planted ones, and so does what it imports; soup and tree come from the packages."""
    (shared / "shop.py").write_text(SHOP)
    (shared / "helpers.py").write_text("def text(tag):\n    return tag.get_text()\n")
    run(shared, *CRAWL, server.url("/"), *OPTIONS, "--spider", spider)
    assert records(shared / "a.jsonl") == [{"title": "page /", "links": 1}]


def test_a_spider_may_have_the_name_of_a_module_that_nobody_uses(shared, server):
    (shared / "antigravity.py").write_text(SHOP)
    (shared / "helpers.py").write_text("def text(tag):\n    return tag.get_text()\n")
    spider = ["--spider", "antigravity:parse"]
    run(shared, *CRAWL, server.url("/"), *OPTIONS, *spider)
    assert records(shared / "a.jsonl") == [{"title": "page /", "links": 1}]


def test_parsers_find_what_the_program_finds_and_the_standard_library_before_it(shared, server):
    """A program that changes its path: the parser imports its spider from there, and nothing that Python has itself."""
    for name in NEEDED.intersection(PLANTED):  # where a program puts its own packages first, they are first
        (shared / f"{name}.py").unlink()
    (shared / "mine.py").write_text("def parse(page):\n    return {'title': page.title}\n")
    folder = shared.parent / "program"
    folder.mkdir()
    (folder / "program.py").write_text(
        textwrap.dedent(f"""
        import asyncio, sys
        import crawler.ring.library, crawler.ring.crawler, crawler.parsers.worker
        from crawler import crawl
        sys.path.insert(0, {str(shared)!r})
        import mine
        found = crawl({server.url("/")!r}, allow_private=True, delay_s=0, parsers=1, spider=mine.parse)
        assert [page["title"] for page in found] == ["page /"]
        """)
    )
    run(folder, sys.executable, "program.py")


def test_another_interpreter_finds_the_same_packages_and_no_foreign_library(shared, monkeypatch):
    """As the demo's server and the runs of `crawler compare` are started."""
    monkeypatch.syspath_prepend(str(shared))
    (shared / "mine.py").touch()
    code = "import signal, types, selectors, multiprocessing, mine, aiohttp"
    done = subprocess.run(python("-c", code), env=same_imports(), cwd=shared, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not (shared.parent / "ran").exists()


def test_all_packages_that_are_imported_are_known():
    found = set()
    for path in (ROOT / "crawler").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Import(names=names):
                    found |= {alias.name.partition(".")[0] for alias in names}
                case ast.ImportFrom(module=str(name), level=0):
                    found.add(name.partition(".")[0])
    assert found - sys.stdlib_module_names <= NEEDED
