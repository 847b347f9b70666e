"""What docs/cluster.md says of readers is so: each line reads all records of the parts that are public."""

import glob
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support.cluster_job import HOSTS, PAGES, made_job

DOCUMENT = Path(__file__).parents[2] / "docs" / "cluster.md"
_, _, READERS = DOCUMENT.read_text("utf-8").partition("<!-- readers -->")
LINES = dict(re.findall(r"^\| (\S+) \| `([^`]+)` \|$", READERS, re.MULTILINE))
QUICK = ("DuckDB", "pandas", "polars", "pyarrow")
RECORDS = len(HOSTS) * (PAGES + 1)


@pytest.fixture(scope="module")
def stage(tmp_path_factory) -> Path:
    """A folder in which the job of the document lies; a part that does not count yet is no record."""
    folder = tmp_path_factory.mktemp("readers")
    job = folder / "output" / "two"
    made_job(job)
    staged = job / "records" / "_staged"
    staged.mkdir(exist_ok=True)
    shutil.copy(next((job / "records").glob("part-*")), staged / "00000002-000-00000009-00003.jsonl")
    return folder


@pytest.mark.parametrize("reader", QUICK)
def test_one_line_reads_all_public_records(stage, reader, monkeypatch):
    monkeypatch.chdir(stage)
    names = {
        "DuckDB": lambda: {"duckdb": pytest.importorskip("duckdb")},
        "pandas": lambda: {"pandas": pytest.importorskip("pandas"), "glob": glob},
        "polars": lambda: {"polars": pytest.importorskip("polars")},
        "pyarrow": lambda: {"pyarrow": SimpleNamespace(dataset=pytest.importorskip("pyarrow.dataset")), "glob": glob},
    }[reader]()
    assert eval(LINES[reader], names) == RECORDS


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Ray's own, when its settings are made
def test_so_does_ray(stage, monkeypatch):
    ray = pytest.importorskip("ray", reason="Ray is not installed: the extra cluster has it")
    monkeypatch.chdir(stage)
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    ray.init(address="local", include_dashboard=False, log_to_driver=False)
    try:
        pytest.importorskip("ray.data")
        assert eval(LINES["ray.data"], {"ray": ray}) == RECORDS
    finally:
        ray.shutdown()


def test_all_readers_have_a_line():
    assert set(LINES) == {*QUICK, "ray.data", "Spark"}
