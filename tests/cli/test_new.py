"""`crawler new spider`: what it writes works at once, and overwrites nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from crawler.cli.entry import main
from crawler.cli.exit_code import ExitCode
from crawler.cli.new.spider import new_spider
from crawler.core.errors import ConfigError, StorageError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_new_spider_and_its_test_work_at_once(here, capsys):
    assert main(["new", "spider", "tea_shop"]) == ExitCode.DONE
    said = capsys.readouterr().err
    assert "wrote spiders/tea_shop.py and tests/test_tea_shop.py" in said
    command = said.partition("run its test:  python ")[2].splitlines()[0].split()
    assert command == ["-m", "pytest", "tests/test_tea_shop.py"]
    done = subprocess.run(
        [sys.executable, *command, "-q", "-p", "no:cacheprovider", "-p", "no:asyncio", "-W", "error"],
        cwd=here,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_what_is_written_is_formatted_and_typed_as_this_project_wants_it(here):
    spider, test = new_spider("shop", here)
    config = f"--config={ROOT / 'pyproject.toml'}"
    ruff = [str(Path(sys.executable).with_name("ruff"))]
    ignored = "--ignore=INP001,S101,T20,PT,D103,ANN"
    for command in (["format", "--check", config], ["check", "--no-cache", config, ignored]):
        done = subprocess.run([*ruff, *command, spider, test], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_nothing_is_overwritten(here):
    (here / "tests").mkdir()
    (here / "tests" / "test_shop.py").write_text("mine")
    with pytest.raises(ConfigError, match=r"test_shop\.py is there already"):
        new_spider("shop", here)
    assert (here / "tests" / "test_shop.py").read_text() == "mine"
    assert not (here / "spiders").exists()


@pytest.mark.parametrize("name", ["", "2nd", "a-b", "a.b", "../x", "class", "sh\u00f6p", "a b"])
def test_a_name_that_python_could_not_import_is_refused(here, name):
    with pytest.raises(ConfigError, match="is not a name for a spider"):
        new_spider(name, here)
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("name", ["json", "crawler", "tests", "spiders"])
def test_a_name_that_would_hide_another_module_is_refused(here, name):
    with pytest.raises(ConfigError, match="name of another module"):
        new_spider(name, here)


def test_a_disk_that_refuses_is_an_error_with_the_place(here):
    (here / "spiders").write_text("a file")
    with pytest.raises(StorageError, match=r"cannot write .*spiders"):
        new_spider("shop", here)


def test_the_command_line_says_why_in_one_line(here, capsys):
    assert main(["new", "spider", "json"]) == ExitCode.USAGE
    assert capsys.readouterr().err.startswith("crawler: error: 'json' is the name of another module")
