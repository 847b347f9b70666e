"""Completion in a real bash, and the versions of what there is."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import crawler
from tests.support.commands import ROOT
from tests.support.patience import PATIENCE_S

BIN = Path(sys.executable).parent
ASK = """
eval "$(crawler completion bash)"
complete -p crawler
COMP_WORDS=({words})
COMP_CWORD={last}
_crawler_completion crawler
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def completed(*words: str, folder: Path) -> list[str]:
    """What bash offers for the last word, after what it says of itself."""
    script = ASK.format(words=" ".join(map(repr, words)), last=len(words) - 1)
    done = subprocess.run(
        ["bash", "--norc", "-c", script], cwd=folder, capture_output=True, text=True, timeout=PATIENCE_S, check=True,
        env={"PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(folder), "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    said, *offered = done.stdout.splitlines()
    assert said.startswith("complete ")
    return offered


@pytest.fixture
def folder(tmp_path):
    command = tmp_path / "crawler"
    program = "import sys; from crawler.cli.entry import main; sys.exit(main())"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{program}" "$@"\n')
    command.chmod(0o755)
    return tmp_path


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_bash_completes_commands_options_and_choices(folder):
    offered = completed("crawler", "c", folder=folder)
    assert {"crawl", "check", "compare", "completion"} <= set(offered)
    assert all(word.startswith("c") for word in offered)
    offered = completed("crawler", "crawl", "--max-p", folder=folder)
    assert {"--max-pages", "--max-pages-per-host"} <= set(offered)
    assert set(completed("crawler", "crawl", "--scope", "p", folder=folder)) == {"page", "prefix"}


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_scripts_for_other_shells_name_the_program(shell, capsys):
    from crawler.cli.entry import main

    assert main(["completion", shell]) == 0
    assert "_CRAWLER_COMPLETE" in capsys.readouterr().out


def test_the_first_line_of_versions_is_for_programs_and_the_rest_for_reports(capsys):
    from crawler.cli.entry import main

    assert main(["--version"]) == 0
    first, *rest = capsys.readouterr().out.splitlines()
    assert first == f"crawler {crawler.__version__}"
    assert rest[0].startswith("python 3.")
    assert any("rocksdict" in line for line in rest)
    assert any(line.startswith("extra warc: ") for line in rest)
