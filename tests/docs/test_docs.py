"""What README.md and docs/ show is true: every block of code runs here, every link leads somewhere.

A block's language says how: `sh` runs in bash, of `console` also what is printed is compared (`...` stands for
anything), `python` runs as a program, `toml` is read as settings, `json` must be a record, `text` is not code. Public
hosts are played by a server on loopback. What cannot run here is listed in `ELSEWHERE`, with a check in its place.
"""

import contextlib
import gzip
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import msgspec
import pytest

import crawler
from crawler import DEFAULT_FIELDS, Record
from crawler.cli.entry import cli
from crawler.cli.exit_code import ExitCode
from crawler.cli.settings import load_settings
from tests.support.on_loopback import allow_loopback
from tests.support.patience import PATIENCE_S
from tests.support.ports import quiet_ports
from tests.support.servers import Answer, LocalServer, html
from tests.support.thorough import first_quickly

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
MAP = ROOT / "docs" / "README.md"
DOCUMENTS = [README, *sorted((ROOT / "docs").glob("*.md"))]

HOSTS = ("example.com", "docs.python.org", "www.iana.org")
"""Public hosts that documents may name in commands: `https://HOST` becomes `http://HOST.localhost:PORT`."""

PORTS = ("8000", "8080")
"""Ports of servers that a document starts: they become free ones."""

REAL_SERVER = "/usr/sbin/nginx"
"""A block with this command runs only where the web server, the documentation and wget2 are installed."""

JQ = "import json, sys\nfor line in sys.stdin: print(json.loads(line)[sys.argv[-1].lstrip('.')])"
"""Stands in for `jq -r .NAME` where that is not installed."""

FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")


class Block(NamedTuple):
    """A fenced block of code."""

    document: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.document.relative_to(ROOT)}:{self.line}"


def blocks(*languages: str) -> list[Block]:
    """The blocks in these languages; all without any."""
    texts = [(document, document.read_text("utf-8")) for document in DOCUMENTS]
    return [
        Block(document, text.count("\n", 0, match.start()) + 1, match[1], match[2])
        for document, text in texts
        for match in FENCE.finditer(text)
        if not languages or match[1] in languages
    ]


def name(document: Path) -> str:
    return str(document.relative_to(ROOT))


def prose(document: Path) -> str:
    """The text without its fenced blocks."""
    return FENCE.sub("", document.read_text("utf-8"))


# A web and a folder for them to run in


def respond(host: str, path: str) -> Answer:
    """Every folder has an index and six pages."""
    if path == "/robots.txt":
        return Answer(status=404)
    if path == "/":
        return Answer(html(*"abcdef", title="Example Domain", text="This domain is for use in documents."))
    return Answer(html(*"abcdef", title=f"Page {path}"))


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    with LocalServer(respond) as one:
        yield one


class Stage:
    """A folder in which commands of a document run, with a `crawler` on the PATH and public hosts on loopback."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self._there = [pair for host in HOSTS for pair in self._names(host, port)]
        for named, free in zip(PORTS, quiet_ports(len(PORTS)), strict=True):
            self._there += [(f":{named}", f":{free}"), (f"--port {named}", f"--port {free}")]
        self._programs({"crawler": "-m crawler", "python": "", "python3": ""})
        if shutil.which("jq") is None:
            self._programs({"jq": f"-c {shlex.quote(JQ)}"})
        for name in ("seeds", "examples"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        for file in (folder / "seeds").iterdir():
            file.write_text(self.there(file.read_text("utf-8")))
        urls = self.there("".join(f"https://example.com/{name}\n" for name in "abc"))
        (folder / "urls.txt.gz").write_bytes(gzip.compress(urls.encode(), mtime=0))

    @staticmethod
    def _names(host: str, port: int) -> Iterator[tuple[str, str]]:
        yield f"https://{host}", f"http://{host}.localhost:{port}"
        yield f"output/{host}", f"output/{host}.localhost-{port}"

    def _programs(self, arguments: dict[str, str]) -> None:
        (self.folder / "bin").mkdir(exist_ok=True)
        for name, first in arguments.items():
            program = self.folder / "bin" / name
            program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {first} "$@"\n')
            program.chmod(0o755)

    def there(self, text: str) -> str:
        """Turn the names of a document into those of this stage."""
        for name, stands_for in self._there:
            text = text.replace(name, stands_for)
        return text

    def back(self, text: str) -> str:
        """Turn the names of this stage into those of a document."""
        for name, stands_for in self._there:
            text = text.replace(stands_for, name)
        return text

    def run(self, command: list[str], where: object, *also: Path) -> str:
        """Run a command that must succeed, with `also` in PYTHONPATH; return all that it printed."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CRAWLER_")}
        environment |= {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": ":".join(map(str, (ROOT, *also))),
        }
        environment |= {"CRAWLER_ALLOW_PRIVATE": "1", "CRAWLER_DELAY": "0", "CRAWLER_PARSERS": "1"}
        process = subprocess.Popen(
            command, cwd=self.folder, env=environment, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        try:
            printed, _ = process.communicate(timeout=5 * PATIENCE_S)
        finally:
            with contextlib.suppress(ProcessLookupError):  # what it started and did not end, if it failed
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()  # of one that took too long its pipe is still open
        assert process.returncode == 0, f"{where}: exit code {process.returncode}\n{printed}"
        return self.back(printed)

    def shell(self, script: str, where: object) -> str:
        """Run a script that must succeed in each of its commands."""
        return self.run(["bash", "-eu", "-o", "pipefail", "-c", self.there(script)], where)

    def program(self, source: str, where: object) -> str:
        """Run a program, allowed to fetch from loopback; return what it printed."""
        path = self.folder / "program.py"
        path.write_text(self.there(source))
        allow_loopback(self.folder / "site")
        return self.run([sys.executable, str(path)], where, self.folder / "site")


@pytest.fixture
def stage(tmp_path, server) -> Stage:
    return Stage(tmp_path, server.port)


# Commands that do not run here


def is_a_target_of_the_makefile(command: str) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert set(command.split()[1:]) <= set(targets)


def installs_what_ci_installs(command: str) -> None:
    assert command.partition(" install ")[2] in (ROOT / ".ci/run").read_text("utf-8")


def is_the_environment_of_the_makefile(command: str) -> None:
    assert f"VENV   := {command.split()[1].removesuffix('/bin/activate')}\n" in (ROOT / "Makefile").read_text("utf-8")


def names_what_there_is_to_install(command: str) -> None:
    """Never by a name that a package index knows; only extras that there are."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    *_, what = shlex.split(command)
    place, _, extras = what.partition("[")
    assert place == "/path/to/clone" or Path(place).match(f"{project['name'].replace('-', '_')}-*.whl")
    assert set(filter(None, extras.rstrip("]").split(","))) <= set(project["optional-dependencies"])


def has_these_options(command: str) -> None:
    _, name, *options = shlex.split(command)
    cli.commands[name].make_context(name, options)


ELSEWHERE = {
    "make ": is_a_target_of_the_makefile,  # would make a virtual environment, or run these tests in themselves
    "sudo apt-get install ": installs_what_ci_installs,  # changes the machine
    "pip install ": names_what_there_is_to_install,  # changes the environment; tests/test_build.py installs the wheel
    r"\. \.venv/bin/activate": is_the_environment_of_the_makefile,  # other tools keep their environment elsewhere
    "crawler demo(?!.*--serve)": has_these_options,  # half a minute; tests/demo runs it
    r"crawler crawl .*--cluster [^-\s]": has_these_options,  # several machines; tests/cluster plays them
    "crawler compare": has_these_options,  # minutes; tests/compare runs it with a small site
}
"""Patterns of beginnings of commands that do not run here, with what is checked instead, and why."""


def commands_to_run(script: str) -> str:
    """The script without the lines that do not run here; those are checked."""
    kept = []
    for line in script.splitlines():
        check = next((check for start, check in ELSEWHERE.items() if re.match(start, line)), None)
        if check is None:
            kept.append(line)
        else:
            check(line.partition(" #")[0].rstrip())
    return "\n".join(kept)


def check_output(expected: str, printed: str, where: object) -> None:
    """Compare line by line; `...` stands for anything and the spaces before it, alone also for any number of lines."""
    pattern = "".join(
        r"(?:.*\n)*?" if line == "..." else ".*?".join(map(re.escape, re.split(r" *\.\.\.", line))) + r" *\n"
        for line in expected.splitlines()
    )
    assert re.fullmatch(pattern, printed), f"{where}: expected\n{expected}\nand got\n{printed}"


def run_console(block: Block, stage: Stage) -> None:
    """Run the lines that begin with `$ `, each with what is printed below it."""
    start, *commands = re.split(r"^\$ ", block.text, flags=re.MULTILINE)
    assert start == "", f"{block}: a console block begins with a command"
    for entry in commands:
        command, _, expected = entry.partition("\n")
        check_output(expected, stage.shell(command, block), block)


@pytest.mark.parametrize("document", first_quickly(DOCUMENTS), ids=name)
def test_the_commands_of_a_document_run_one_after_another(document, stage):
    for block in blocks("sh", "console"):
        if block.document != document or REAL_SERVER in block.text:
            continue
        if block.language == "console":
            run_console(block, stage)
        elif script := commands_to_run(block.text):
            stage.shell(script, block)


@pytest.mark.thorough
def test_the_commands_for_real_documentation_find_what_wget2_finds(stage):
    (block,) = [block for block in blocks("sh") if REAL_SERVER in block.text]
    missing = [name for name in (REAL_SERVER, "wget2") if shutil.which(name) is None]
    if missing or not list(Path("/usr/share/doc").glob("postgresql-doc-*/html")):
        pytest.skip("needs nginx, wget2 and PostgreSQL's documentation (.ci/run installs them)")
    try:
        ours, theirs = re.findall(r"^\d+$", stage.shell(block.text, block), re.MULTILINE)
    finally:
        if (pid := stage.folder / "nginx.pid").exists():
            os.kill(int(pid.read_text()), signal.SIGTERM)
    assert ours == theirs
    assert int(ours) > 1_000


def test_commands_name_no_host_that_is_not_played_here():
    for block in blocks("sh", "console", "python"):
        for host in re.findall(r"https?://([^/\s\"':]+)", block.text):
            assert host in {*HOSTS, "127.0.0.1"} or host.endswith(".localhost"), f"{block}: {host}"


# Other languages


@pytest.mark.parametrize("block", first_quickly(blocks("python")), ids=str)
def test_a_program_runs(block, stage):
    assert stage.program(block.text, block)


@pytest.mark.parametrize("block", blocks("toml"), ids=str)
def test_settings_are_valid(block, tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text(block.text)
    assert load_settings(path)


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_a_record_is_what_the_crawler_writes(block, stage):
    """The default fields in their order, of the right types, and but for the time what a crawl of that URL gives."""
    record = msgspec.json.decode(block.text, type=Record)
    assert tuple(msgspec.json.decode(block.text)) == DEFAULT_FIELDS
    assert block.text.count("\n") == 1
    printed = stage.shell(f"crawler crawl {record.url} --depth 0 --quiet -o -", block)
    real = msgspec.json.decode(printed, type=Record)
    assert msgspec.structs.replace(real, fetched_at=record.fetched_at) == record
    assert re.sub(r"\d", "0", real.fetched_at) == re.sub(r"\d", "0", record.fetched_at)


def test_every_block_of_code_is_in_a_language_that_is_tested():
    known = {"sh", "console", "python", "toml", "json", "text"}
    assert [f"{block}: {block.language!r}" for block in blocks() if block.language not in known] == []


def test_no_command_hides_where_it_is_not_tested():
    """Commands stand in `sh` and `console` blocks; indented or as `text` nobody would run them."""
    texts = [(document, prose(document)) for document in DOCUMENTS]
    texts += [(block, block.text) for block in blocks("text")]
    hidden = re.compile(r"^ *(\$ |crawler |python3? |make |\.venv/)(?!.*\[OPTIONS\])", re.MULTILINE)
    assert [f"{where}: {match[0]}" for where, text in texts if (match := hidden.search(text))] == []


def test_the_demo_that_does_not_run_here_runs_elsewhere():
    assert "from crawler.cli.demo.run import" in (ROOT / "tests/cli/demo/test_demo_run.py").read_text("utf-8")


# Examples


# Links and names


def linked(document: Path) -> list[str]:
    return [link for link in LINK.findall(prose(document)) if not link.startswith(("http://", "https://"))]


def anchors(document: Path) -> set[str]:
    """The ends of URLs that lead to headings."""
    headings = re.findall(r"^#+ (.+)$", prose(document), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", sorted([*ROOT.glob("*.md"), *ROOT.glob("[a-z]*/*.md")]), ids=name)
def test_relative_links_lead_somewhere(document):
    for link in linked(document):
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.is_relative_to(ROOT), link
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_the_map_leads_to_every_document_and_the_readme_to_the_map():
    found = {(MAP.parent / link.partition("#")[0]).resolve() for link in linked(MAP)}
    assert {*DOCUMENTS[1:], ROOT / "examples/README.md"} - {MAP} <= found
    assert MAP in {(ROOT / link.partition("#")[0]).resolve() for link in linked(README)}


def test_no_document_names_an_option_that_does_not_exist():
    """Options of other programs stand in blocks of code, or after the program's name in one span of code."""
    commands = [cli, *cli.commands.values(), *(sub for group in cli.commands.values() for sub in subcommands(group))]
    ours = {
        name for command in commands for option in command.params for name in (*option.opts, *option.secondary_opts)
    }
    ours |= {f"--no-{option.removeprefix('--')}" for option in ours}
    others = {"--help", "--version"}
    for document in DOCUMENTS:
        text = re.sub(r"`(?:sudo|make|pip|py-spy|\.venv/bin/python|python|wget2?|npm|ray)[^`]*`", "", prose(document))
        named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))
        assert named <= ours | others, f"{name(document)}: {sorted(named - ours - others)}"


def subcommands(command: click.Command) -> list[click.Command]:
    return list(command.commands.values()) if isinstance(command, click.Group) else []


def test_the_command_line_s_page_explains_every_exit_code():
    text = prose(ROOT / "docs/cli.md")
    assert re.findall(r"^\| (\d) \|", text, re.MULTILINE) == [str(code.value) for code in ExitCode]


@pytest.mark.parametrize("document", [README, ROOT / "docs/concurrency.md"], ids=name)
def test_what_a_document_says_is_in_a_file_is_there(document):
    for what, path in re.findall(r"`(\w+)` in \[[^\]]+\]\(([^)]+)\)", prose(document)):
        text = (document.parent / path).resolve().read_text("utf-8")
        assert re.search(rf"\b{what}\b", text), f"{what} in {path}"


TAUGHT = (
    *("Process", "start", "join", "terminate", "Queue", "Pipe", "Pool.map", "Pool.apply", "Lock", "Value", "Array"),
    *("Manager", "shared_memory", "current_process", "cpu_count"),
)
"""The tools that introductions to multiprocessing teach."""


def test_the_page_on_concurrency_says_of_each_tool_of_multiprocessing_where_it_is_used_or_why_not():
    text = (ROOT / "docs/concurrency.md").read_text("utf-8")
    rows = re.search(r"^## Every tool of `multiprocessing`.*?^(\|.*?)\n\n", text, re.MULTILINE | re.DOTALL)
    assert rows
    first = [row.split("|")[1] for row in rows[1].splitlines()[2:]]
    named = {tool.removesuffix("()") for cell in first for tool in re.findall(r"`([\w.]+)", cell)}
    assert set(TAUGHT) <= named


def test_defaults_that_are_quoted_are_those_of_the_settings():
    text = " ".join(prose(ROOT / "docs/politeness.md").split())
    config = crawler.CrawlConfig(job=Path("job"))
    assert f"at most {config.per_host} requests at once to a host and {config.per_address} to an IP address" in text
    assert f"gives each attempt {config.timeout_s:.0f} s and cuts bodies at {config.max_body_bytes // 10**6} MB" in text
    assert (config.retries, "tries a URL three times" in text) == (2, True)


def test_the_readme_can_be_read_in_one_go():
    """What it is, install, first crawl, three ways, outputs, where to go on; the rest is in docs/."""
    assert README.read_text("utf-8").count("\n") <= 140
