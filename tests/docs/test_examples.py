"""Every example runs as it stands, in a process of its own, on a site on loopback, and does what it says.

Only what nobody would write in an example is set from outside, by a `sitecustomize` on the path of the examples: that
loopback may be crawled, without a delay and with one parser process.
"""

import ast
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

import crawler
from tests.support.on_loopback import allow_loopback
from tests.support.ports import listeners
from tests.support.servers import Answer, LocalServer, html

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples"
EXAMPLES = sorted(path for path in FOLDER.iterdir() if path.suffix in {".py", ".sh", ".ipynb"})

NOTEBOOK = """
import json, sys
import nbformat
from nbclient import NotebookClient

notebook = nbformat.read(sys.argv[1], 4)
at = next(n for n, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", ()))
assert "seed" in notebook.cells[at].source
notebook.cells.insert(at + 1, nbformat.v4.new_code_cell(f"seed = {sys.argv[2]!r}"))
NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
print([output["data"]["text/plain"] for cell in notebook.cells for output in cell.get("outputs", ())][-1])
"""

SITE = {
    "/": html("/a", "/b", "/products/1", "/products/2", title="Shop", text="Welcome to the shop."),
    "/a": html("/", "/b", title="A", text="Some more words on this page."),
    "/b": html("/a", "/gone", title="B"),
    "/products/1": "<title>Tea</title><h1>Tea</h1><p class=price>€ 4.50</p>",
    "/products/2": "<title>Cup</title><h1>Cup</h1><p class=price>12 €</p>",
}
PAGES = len(SITE) + 1
API = {
    "/api?page=1": '{"items": [{"url": "/api/1"}, {"url": "/api/2"}], "next": "?page=2"}',
    "/api?page=2": '{"items": [{"url": "/api/3"}], "next": null}',
    **{f"/api/{n}": f'{{"name": "Teé {n}", "price": {n}.5}}' for n in (1, 2, 3)},
}


def respond(host: str, path: str) -> Answer:
    if path in API:
        return Answer(API[path], headers={"content-type": "application/json"})
    return Answer(SITE[path]) if path in SITE else Answer("<title>Gone</title>", status=404)


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with LocalServer(respond) as server:
        yield server.url()


def eventually(holds: Callable[[], bool]) -> bool:
    """Whether something holds within a minute."""
    return any(holds() or time.sleep(0.1) for _ in range(600))


def alive(group: int) -> bool:
    """Whether a group of processes has one left; Python's own helpers end a moment after the program."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


class Stage:
    """An empty folder with the examples in it, and an environment in which they may crawl loopback."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(FOLDER, folder / "examples", ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("site", "bin", "home"):
            (folder / name).mkdir()
        allow_loopback(folder / "site")
        for name, first in {"crawler": "-m crawler", "python": ""}.items():
            (folder / "bin" / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {first} "$@"\n')
            (folder / "bin" / name).chmod(0o755)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("CRAWLER_", "JUPYTER_"))}
        self.environment = kept | {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": f"{folder / 'site'}:{ROOT}",
            "HOME": str(folder / "home"),
            "CRAWLER_ALLOW_PRIVATE": "1",
            "CRAWLER_DELAY": "0",
            "CRAWLER_PARSERS": "1",
            "RUNTIME__DLTHUB_TELEMETRY": "false",
            "DLT_DATA_DIR": str(folder / "home" / "dlt"),
        }

    def start(self, *command: str, keep: tuple[int, ...] = ()) -> subprocess.Popen[str]:
        """Start a command; `keep` are descriptors that it gets too."""
        return subprocess.Popen(
            command, cwd=self.folder, env=self.environment, start_new_session=True, text=True, pass_fds=keep,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, *command: str) -> str:
        """Run a command that must succeed and leave no process behind; return what it printed."""
        process = self.start(*command)
        try:
            printed, errors = process.communicate(timeout=100)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            printed, errors = process.communicate()
            raise AssertionError(f"{command} does not end\n{printed}\n{errors}") from None
        assert process.returncode == 0, f"{command}\n{printed}\n{errors}"
        assert eventually(lambda: not alive(process.pid)), f"{command} left a process behind"
        return printed

    def example(self, name: str, *arguments: str) -> str:
        return self.run("python", f"examples/{name}.py", *arguments)


@pytest.fixture
def stage(tmp_path) -> Stage:
    return Stage(tmp_path)


def test_a_script_prints_titles(stage, site):
    printed = stage.example("titles", site).splitlines()
    assert sorted(line.split()[0] for line in printed) == ["200"] * len(SITE) + ["404"]
    assert f"200 {site} Shop" in printed


@pytest.mark.thorough
def test_a_crawl_in_a_loop_can_be_resumed_and_its_records_read(stage, site):
    printed = stage.example("crawl_site", site, "output/example")
    assert printed.count("\n200 ") + printed.startswith("200 ") == len(SITE)
    assert printed.endswith("done: {'fetched': 6}\n")
    again = stage.example("crawl_site", site, "output/example")
    assert site not in again, "nothing is left to do"
    assert again.endswith("done: {'fetched': 6}\n")
    read = stage.example("read_records", "output/example/pages.jsonl")
    assert f"200 {site} Shop\n" in read
    assert "statuses: {200: 5, 404: 1}" in read or "statuses: {404: 1, 200: 5}" in read
    assert f"2 x {site}a" in read


def test_a_list_of_seeds_is_dealt_out_by_registrable_domain(stage):
    """Each line goes to one list, and the same each time; the hosts of one domain go to the same."""
    domains = [f"d{number}.co.uk" for number in range(20)]
    urls = [
        f"https://{sub}{domain}{port}/x" for domain in domains for sub in ("", "www.", "A.b.") for port in ("", ":8")
    ]
    urls += ["http://127.0.0.1:80/", "http://127.0.0.1:81/", "http://127.0.0.2/", "http://localhost:1/"]
    (stage.folder / "seeds.txt").write_text("\n".join(urls))
    stage.example("split_seeds", "seeds.txt", "3")
    parts = [(stage.folder / f"seeds-{number}.txt").read_text().splitlines() for number in (1, 2, 3)]
    assert sorted(line for part in parts for line in part) == sorted(urls)
    assert min(map(len, parts)) > 0
    for name in (*domains, "127.0.0.1"):
        assert len([part for part in parts if any(f"{name}/" in url or f"{name}:" in url for url in part)]) == 1


@pytest.mark.thorough
def test_a_web_that_does_not_exist_is_crawled(stage):
    printed = stage.example("fake_web")
    assert printed.startswith("['Number 1'")
    assert "{200: 100, 404: 101}" in printed or "{404: 101, 200: 100}" in printed


@pytest.mark.thorough
def test_pandas_has_the_pages(stage, site):
    printed = stage.example("pandas_frame", site)
    assert re.search(r"^200\s+0\s+1\s", printed, re.MULTILINE)
    assert re.search(r"^404\s+2\s+1\s", printed, re.MULTILINE)
    assert re.search(rf"^{re.escape(site)}[ab]\s+2$", printed, re.MULTILINE)


@pytest.mark.thorough
def test_duckdb_and_polars_have_the_pages(stage, site):
    printed = stage.example("polars_duckdb", site)
    assert "shape: (5, 3)" in printed
    assert re.search(rf"{re.escape(site)}a\W+2\W+200", printed)


@pytest.mark.thorough
def test_airflow_can_run_a_crawl_and_retry_it(stage, site):
    for _ in range(2):
        assert stage.example("airflow_task", site, "output/airflow") == f"{PAGES} pages fetched\n"
    import duckdb

    parts = stage.folder / "output/airflow/pages.parquet/*.parquet"
    assert duckdb.sql(f"SELECT count(*) FROM '{parts}'").fetchall() == [(PAGES,)]


@pytest.mark.thorough
def test_prefect_can_run_a_crawl(stage, site):
    hosts = ast.literal_eval(stage.example("prefect_flow", site))
    assert hosts == {site.split("/")[2]: 8}


@pytest.mark.thorough
def test_dagster_can_make_the_pages(stage, site):
    printed = stage.example("dagster_asset", site)
    assert printed.count("\n") == PAGES + 1
    assert "Shop" in printed


STAND_INS = {
    "airflow_task": ("airflow/sdk.py", "def dag(**o):\n    return lambda f: lambda: print('a DAG')\ntask = None\n"),
    "prefect_flow": ("prefect.py", "def task(**o):\n    return lambda f: f\ndef flow(**o):\n    return task()\n"),
    "dagster_asset": ("dagster.py", "def asset(**o):\n    print('an asset')\n    return lambda f: f\n"),
}


@pytest.mark.parametrize("name", STAND_INS)
def test_with_the_scheduler_installed_its_decorators_are_used(stage, name):
    """They are too large to be installed for a test; here stands what is needed of their interfaces."""
    path, source = STAND_INS[name]
    (stage.folder / "site" / path).parent.mkdir(exist_ok=True)
    (stage.folder / "site" / path).write_text(source)
    told = stage.run("python", "-c", f"import sys; sys.path.insert(0, 'examples'); import {name}")
    assert told == {"airflow_task": "a DAG\n", "dagster_asset": "an asset\n"}.get(name, "")


@pytest.mark.thorough
def test_a_pipe_has_records_and_nothing_else(stage, site):
    printed = stage.run("sh", "examples/pipe.sh", site).splitlines()
    assert [line.split() for line in printed[:3]] == [
        ["pages", "by", "status:"],
        ["5", '{"status":200}'],
        ["1", '{"status":404}'],
    ]
    assert [sorted(json.loads(line)) for line in printed[4:]] == [["title", "url"]] * 3


@pytest.mark.thorough
def test_dlt_loads_the_pages_and_merges_them_again(stage, site):
    for _ in range(2):
        printed = stage.example("dlt_pipeline", site)
        assert "tables: pages, pages__links" in printed
        assert "by status: [(200, 5), (404, 1)]" in printed


@pytest.mark.thorough
def test_a_router_takes_the_products_alone(stage, site):
    expected = [("Cup", 12.0), ("Tea", 4.5)]
    records = map(ast.literal_eval, stage.example("shop_spider", site).splitlines())
    assert sorted((record["name"], record["price"]) for record in records) == expected
    spider = "examples/shop_spider.py:router"
    printed = stage.run("crawler", "crawl", site, "--spider", spider, "-o", "-", "--quiet").splitlines()
    assert sorted((json.loads(line)["name"], json.loads(line)["price"]) for line in printed) == expected


@pytest.mark.thorough
def test_a_json_api_is_crawled_page_by_page(stage, site):
    first = f"{site}api?page=1"
    records = map(ast.literal_eval, stage.example("json_api", first).splitlines())
    found = sorted((record["name"], record["price"]) for record in records)
    assert found == [("Teé 1", 1.5), ("Teé 2", 2.5), ("Teé 3", 3.5)]
    spider = "examples/json_api.py:parse"
    printed = stage.run("crawler", "crawl", first, "--spider", spider, "-o", "-", "--quiet").splitlines()
    assert sorted((json.loads(line)["name"], json.loads(line)["price"]) for line in printed) == found


@pytest.mark.thorough
def test_a_notebook_shows_a_frame(stage, site):
    printed = stage.run("python", "-c", NOTEBOOK, "examples/notebook.ipynb", site)
    assert printed.split()[:4] == ["url", "title", "headings", "links"]
    assert f"{site} " in printed
    assert "Shop" in printed


def parsers(process: psutil.Process) -> list[psutil.Process]:
    """Child processes but the one that Python keeps for its shared memory."""
    found = []
    for child in process.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
            if "resource_tracker" not in " ".join(child.cmdline()):
                found.append(child)
    return found


@pytest.fixture
def endpoint(stage) -> Iterator[tuple[str, psutil.Process]]:
    """URL of the running example of FastAPI, and its process."""
    (bound,) = listeners(("127.0.0.1",))
    with bound:
        port = bound.getsockname()[1]
        options = ("--app-dir", "examples", "--fd", str(bound.fileno()), "--log-level", "warning")
        process = stage.start("python", "-m", "uvicorn", *options, "fastapi_stream:app", keep=(bound.fileno(),))
    try:
        yield f"http://127.0.0.1:{port}/pages", psutil.Process(process.pid)
    finally:
        process.terminate()
        _, errors = process.communicate(timeout=60)
    assert errors == ""


@pytest.mark.thorough
def test_fastapi_streams_the_pages_and_a_client_that_leaves_ends_the_crawl(endpoint, site):
    url, process = endpoint
    whole = httpx.get(url, params={"seed": site}, timeout=60)
    assert whole.headers["content-type"] == "application/x-ndjson"
    assert sorted(json.loads(line)["status"] for line in whole.text.splitlines()) == [200] * len(SITE) + [404]
    with httpx.stream("GET", url, params={"seed": site}, timeout=60) as answer:
        assert json.loads(next(answer.iter_lines()))["url"] == site
    assert eventually(lambda: not parsers(process)), "the crawl goes on"
    assert httpx.get(url, params={"seed": site, "most": 10_000}).status_code == 422


# What all of them have in common


def source_of(example: Path) -> str:
    text = example.read_text("utf-8")
    if example.suffix != ".ipynb":
        return text
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    assert not any(cell["outputs"] for cell in cells), "a notebook is kept without its outputs"
    return "\n".join("".join(cell["source"]) for cell in cells)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_short_says_how_to_run_it_and_uses_public_names_only(example):
    source = source_of(example)
    assert len(source.splitlines()) < 40
    if example.suffix == ".sh":
        assert f"sh examples/{example.name} " in source
        return
    tree = ast.parse(source)
    if example.suffix == ".py":
        run = (
            f"uvicorn --app-dir examples {example.stem}:app"
            if "uvicorn" in source
            else f"python examples/{example.name}"
        )
        assert f"\n    {run}" in ast.get_docstring(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("crawler"):
            assert node.module == "crawler"
            assert {name.name for name in node.names} <= set(crawler.__all__)


def test_the_list_of_examples_is_whole():
    text = (FOLDER / "README.md").read_text("utf-8")
    assert set(re.findall(r"\]\(([^)/:]+)\)", text)) == {path.name for path in EXAMPLES}


def test_each_example_is_run_above():
    tests = Path(__file__).read_text("utf-8")
    assert [path.name for path in EXAMPLES if path.stem not in tests] == []
