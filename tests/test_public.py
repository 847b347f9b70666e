"""The package's public face: what `from crawler import …` gives, and what it costs."""

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import crawler

ROOT = Path(__file__).parent.parent
HEAVY = {"aiohttp", "ada_url", "asyncio", "bs4", "click", "lxml", "msgspec", "multiprocessing", "requests"}
HEAVY |= {"rich", "rocksdict", "tldextract", "turbohtml", "uvloop"}


def loaded_by(program: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after `program`."""
    program += "; import json, sys; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("name", crawler.__all__)
def test_every_public_name_is_there_and_explains_itself(name):
    value = getattr(crawler, name)
    assert name in dir(crawler)
    if inspect.isclass(value):
        assert value.__doc__ is not inspect.getattr_static(value.__base__, "__doc__", None)
        assert len(inspect.getdoc(value)) > 10
    elif inspect.isfunction(value):
        assert len(inspect.getdoc(value)) > 10
    else:
        assert name in {"DEFAULT_FIELDS", "RECORD_FIELDS", "Position", "Spider", "__version__"}


@pytest.mark.parametrize("before", ["from crawler import Crawler", "import crawler.ring.crawler, crawler.ring.library"])
def test_crawl_is_a_function_whatever_was_imported_before(before):
    program = f"{before}; from crawler import crawl; import crawler; assert crawler.crawl is crawl and callable(crawl)"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_a_star_import_gives_exactly_the_public_names():
    names: dict[str, object] = {}
    exec("from crawler import *", names)
    assert names.keys() - {"__builtins__"} == set(crawler.__all__)
    assert len(crawler.__all__) == len(set(crawler.__all__))


def test_a_name_that_is_not_public_is_an_attribute_error_that_names_it():
    with pytest.raises(AttributeError, match="module 'crawler' has no attribute 'Nonsense'"):
        _ = crawler.Nonsense
    with pytest.raises(ImportError, match="cannot import name 'Nonsense' from 'crawler'"):
        exec("from crawler import Nonsense")


def test_a_public_name_is_the_one_of_its_module():
    """Loading by the package and by the module gives one and the same class, so that `isinstance` and `except` hold."""
    from crawler.core.config import CrawlConfig
    from crawler.core.errors import StorageError

    assert crawler.CrawlConfig is CrawlConfig
    assert crawler.StorageError is StorageError


def test_importing_the_package_loads_nothing_heavy():
    """`import crawler` and `crawler --help` stay quick: what costs time is loaded when a name is first used."""
    assert not loaded_by("import crawler") & HEAVY


def test_settings_and_errors_load_neither_network_nor_store():
    loaded = loaded_by("from crawler import CrawlConfig, CrawlStats, Record, UsageError")
    assert not loaded & {"aiohttp", "requests", "rich", "rocksdict", "turbohtml", "lxml"}


@pytest.mark.thorough
def test_type_checkers_see_the_names_that_are_loaded_lazily(tmp_path):
    """mypy --strict knows the types of public names, and that there are no others."""
    program = tmp_path / "program.py"
    program.write_text(
        f"from crawler import {', '.join(crawler.__all__)}\n"
        "from crawler import Nonsense\n"
        "reveal_type(CrawlStats().pages)\n"
        "reveal_type(Crawler.stop)\n"
        "reveal_type(extract('a.warc.gz'))\n"
        "reveal_type(extract(['a.warc.gz'], fields=['url'], output='a.csv'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(ROOT / ".mypy_cache"), str(program)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert re.findall(r"error: (.*)", done.stdout) == ['Module "crawler" has no attribute "Nonsense"  [attr-defined]']
    assert 'Revealed type is "int"' in done.stdout
    assert 'Revealed type is "def (self: crawler.ring.crawler.Crawler)"' in done.stdout
    assert 'Revealed type is "crawler.ring.extract.Extract[crawler.core.record.Record]"' in done.stdout
    assert re.search(r'Revealed type is "crawler.ring.extract.Extract\[(builtins\.)?dict\[', done.stdout)


def test_the_public_face_stays_a_list_of_names():
    assert len((ROOT / "crawler/__init__.py").read_text("utf-8").splitlines()) < 90
