"""Paths that are not UTF-8, as file systems have them: fit for seeds and outputs, refused in plain words for a job."""

import contextlib
import json
import os
from io import StringIO

import pytest

from crawler.cli.entry import main
from crawler.frontier.store import Store
from tests.support.outputs import rows
from tests.support.servers import Answer, LocalServer, html

ODD = os.fsdecode(b"o\xff")


@pytest.fixture(scope="module")
def seed():
    with LocalServer(lambda _h, path: Answer(status=404) if path == "/robots.txt" else Answer(html("/a"))) as server:
        yield server.url("/")


def run(*arguments: str) -> tuple[int, str]:
    said = StringIO()
    with contextlib.redirect_stderr(said):
        code = main(["crawl", *arguments, "--allow-private", "--delay", "0", "--strategy", "async", "--quiet"])
    return code, said.getvalue()


def test_seeds_and_outputs_may_have_any_name(tmp_path, monkeypatch, seed):
    """The job goes on with them, also without being told; the store and the summary hold text that says which."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ODD).mkdir()
    (tmp_path / f"{ODD}.txt").write_text(seed)
    outputs = [f"{ODD}/{ODD}{ending}" for ending in (".jsonl", ".db", ".csv.gz")]
    named = [word for output in outputs for word in ("-o", output)]
    for command in ([f"{ODD}.txt", *named, "--max-pages", "1"], [f"{ODD}.txt", *named, "--max-pages", "2"], []):
        assert run(*command, "--job", "job") == (0, "")
    assert [len(rows(tmp_path / output)) for output in outputs] == [2, 2, 2]
    assert json.loads((tmp_path / "job/summary.json").read_text())["outputs"][0] == f"{tmp_path}/o\ufffd/o\ufffd.jsonl"
    with Store(tmp_path / "job/state", read_only=True) as store:
        assert store.meta("job")["output"][0] == f"{tmp_path}/o\\udcff/o\\udcff.jsonl"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--job", ODD], r"o\udcff/state: the store's path must be UTF-8: choose another --job"),
        (["--job", "job", "--spider", f"{ODD}.py:titles"], r"the path of o\udcff.py:titles, or that of the working"),
    ],
)
def test_what_cannot_have_such_a_name_is_said_before_anything_is_made(tmp_path, monkeypatch, seed, options, reason):
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"{ODD}.py").write_text("def titles(page):\n    yield {'t': page.title}\n")
    code, said = run(seed, *options)
    assert code == 2
    assert reason in said
    assert [name for name in os.listdir(tmp_path) if name != "__pycache__"] == [f"{ODD}.py"]
