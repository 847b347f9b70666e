"""A command that is refused leaves everything in the folder of its job, and around it, as it was: byte by byte."""

import contextlib
import os
import stat
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
import rocksdict

from crawler.cli.entry import main
from crawler.frontier.store import Store
from tests.support.servers import Answer, LocalServer, html


def respond(_host: str, path: str) -> Answer:
    return Answer(status=404) if path == "/robots.txt" else Answer(html("/a", "/b", title=path))


@pytest.fixture(scope="module")
def server():
    with LocalServer(respond) as one:
        yield one


def tree(folder: Path) -> dict[str, object]:
    """Every path below a folder with all that may be lost of it."""

    def told(path: Path) -> object:
        status = path.lstat()
        if path.is_symlink():
            return os.readlink(path)
        if stat.S_ISREG(status.st_mode):
            return stat.filemode(status.st_mode), status.st_nlink, path.read_bytes()
        return stat.filemode(status.st_mode)

    return {str(path.relative_to(folder)): told(path) for path in sorted(folder.rglob("*"))}


def home(folder: Path) -> None:
    """A folder as people have it, with names that a job uses too."""
    for name in ("state", "upload", "large", "notes/state", "elsewhere"):
        (folder / name).mkdir(parents=True)
    for name, text in {
        "state/thesis.txt": "ten years of work",
        "state/CURRENT": "the current draft",
        "large/a.large": "x",
        "a.large": "a large thing",
        "upload/b": "b",
        "pages.jsonl": '{"mine": 1}\n',
        "summary.json": '{"mine": 1}\n',
        "summary.json.tmp": "mine",
        "part-00001.parquet": "mine",
        "elsewhere/keys": "mine",
    }.items():
        (folder / name).write_text(text)
    (folder / "link").symlink_to("elsewhere/keys")
    os.link(folder / "pages.jsonl", folder / "hard.jsonl")


def foreign_database(folder: Path) -> None:
    """A program's own RocksDB in a folder called state."""
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(True)
    with contextlib.closing(rocksdict.Rdict(str(folder / "state"), options)) as database:
        database[b"meta"] = b"theirs"


def with_file(name: str, text: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)

    return make


def linked(name: str, to: str) -> Callable[[Path], None]:
    """A link, to a folder with a file that is dear to somebody."""

    def make(folder: Path) -> None:
        (folder / "elsewhere").mkdir()
        (folder / "elsewhere/keys").write_text("dear")
        (folder / name).symlink_to(to)

    return make


def nothing(_folder: Path) -> None:
    pass


REFUSED = {
    "a home": (home, ["--job", "."], "state is there and holds no state of a crawl"),
    "a home, with an output elsewhere": (home, ["--job", ".", "-o", "new/a.jsonl"], "holds no state of a crawl"),
    "another database": (foreign_database, ["--job", "."], "holds no state of a crawl"),
    "state is a file": (with_file("state", "mine"), ["--job", "."], "is no folder of a crawl's state"),
    "lock is a file": (with_file("lock", "my keys\n"), ["--job", "."], "is no lock of a crawl"),
    "lock is a folder": (with_file("lock/a", "mine"), ["--job", "."], "cannot write the job folder"),
    "another summary": (with_file("summary.json", "[1]"), ["--job", "."], "is no summary of a crawl"),
    "output is a folder": (with_file("a.jsonl/b", "mine"), ["--job", "j", "-o", "a.jsonl"], "cannot write a.jsonl"),
    "output in a file": (with_file("a", "mine"), ["--job", "j", "-o", "a/b.jsonl"], "a is not a folder"),
    "parquet is a file": (with_file("a.parquet", "mine"), ["--job", "j", "-o", "a.parquet"], "is a file"),
    "second output is a folder": (
        with_file("b.jsonl/c", "mine"),
        ["--job", "j", "-o", "new/a.jsonl", "-o", "b.jsonl"],
        "cannot write b.jsonl",
    ),
    "job is a file": (with_file("j", "mine"), ["--job", "j"], "cannot write the job folder j"),
    "job in a file": (with_file("j", "mine"), ["--job", "j/k"], "cannot write the job folder j/k"),
    "a bad seed": (with_file("seeds.txt", "http://a.example/\nnonsense\n"), ["seeds.txt", "--strict"], "nonsense"),
}
"""What stands there, the options, and what the refusal says. With --fresh too."""

WITHOUT_FRESH = {
    "output is there": (with_file("pages.jsonl", "{}\n"), ["--job", "."], "is there already"),
    "no database": (with_file("a.db", "mine, and none" * 100), ["--job", "j", "-o", "a.db"], "is there already"),
    "a row is there": (
        with_file("a-00007.jsonl", "{}\n"),
        ["--job", "j", "-o", "a.jsonl", "--rotate", "5"],
        "is there already",
    ),
    "a folder of parts is there": (
        with_file("a.parquet/part-00001.parquet", "x"),
        ["--job", "j", "-o", "a.parquet"],
        "is there already",
    ),
}


def refused(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run the command line in a folder; return its code and what it says."""
    said = StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stderr(said):
        code = main(["crawl", *arguments, "--allow-private", "--delay", "0", "--parsers", "1", "--quiet"])
    return code, said.getvalue()


@pytest.mark.parametrize("fresh", [[], ["--fresh"]], ids=["", "fresh"])
@pytest.mark.parametrize("case", [*REFUSED, *WITHOUT_FRESH])
def test_a_refused_command_leaves_all_files_as_they_were(tmp_path, server, case, fresh):
    make, options, reason = (REFUSED | WITHOUT_FRESH)[case]
    if fresh and case in WITHOUT_FRESH:
        pytest.skip("--fresh is the permission")
    folder = tmp_path / "home"
    folder.mkdir()
    make(folder)
    before = tree(folder)
    code, said = refused(folder, server.url("/"), *options, *fresh)
    assert code in (2, 5), said
    assert reason in said
    assert said.count("\n") == 1
    assert tree(folder) == before


REFUSED_OVER_A_JOB = {
    "another output cannot be written": (with_file("b.jsonl/c", "mine"), ["-o", "a.jsonl", "-o", "b.jsonl"]),
    "strict": (with_file("seeds.txt", "nonsense\n"), ["seeds.txt", "--strict"]),
    "no such seeds": (nothing, ["nowhere.txt"]),
    "summary is mine": (with_file("job/summary.json", "mine"), []),
    "a file of mine in the state": (with_file("job/state/notes.txt", "mine"), []),
    "a folder in the way": (with_file("job/state.earlier/a", "mine"), []),
}


@pytest.mark.parametrize("case", REFUSED_OVER_A_JOB)
def test_starting_over_that_is_refused_leaves_the_earlier_job_whole(tmp_path, server, case):
    """Its state too: the earlier command goes on, or finds that nothing is left."""
    make, options = REFUSED_OVER_A_JOB[case]
    command = [server.url("/"), "--job", "job", "-o", "a.jsonl"]
    assert refused(tmp_path, *command)[0] == 0
    make(tmp_path)
    written = (tmp_path / "a.jsonl").read_bytes()
    mine = {name: told for name, told in tree(tmp_path).items() if "job/state/" not in name or "notes" in name}
    code, said = refused(tmp_path, *command, *options, "--fresh")
    assert code in (2, 5), said
    assert {name: told for name, told in tree(tmp_path).items() if name in mine} == mine
    with Store(tmp_path / "job/state", read_only=True) as store:
        assert store.meta("counters")["pages"] == 3
    if case != "summary is mine":
        assert refused(tmp_path, *command) == (0, "")
        assert (tmp_path / "a.jsonl").read_bytes() == written
