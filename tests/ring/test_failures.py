"""When things go wrong for a user: one clear line, the right exit code, nothing lost, and the mended command works."""

import contextlib
import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from crawler.frontier.store import Store
from tests.support.patience import PATIENCE_S, wait_until
from tests.support.ports import closed_port
from tests.support.processes import end_groups
from tests.support.servers import HANG, Answer, LocalServer, html
from tests.support.terminal import PseudoTerminal
from tests.support.thorough import first_quickly

ROOT = Path(__file__).parents[2]
PAGES = 60
OPTIONS = ("--job", "j", "--allow-private", "--delay", "0", "--per-host", "8", "--parsers", "1", "--retries", "0",
           "--give-up-after", "1")  # fmt: skip
PAYLOAD = "".join(random.Random(1).choices("abcdefghijklmnop ", k=20_000))

MAKE_ROOM = "make room and run the same command again: it resumes from the last commit"

UNPRIVILEGED = "import ctypes; [ctypes.CDLL(None).prctl(24, capability, 0, 0, 0) for capability in (1, 2)]"
"""Drops CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, with which root may write and read what it likes."""


def limit(name: str, soft: int, hard: int) -> str:
    return f"import resource; resource.setrlimit(resource.RLIMIT_{name}, ({soft}, {hard}))"


def respond(host: str, path: str):
    if path == "/robots.txt":
        return Answer(status=404)
    if path.startswith("/hang"):
        return Answer(html(*(f"/hang/{n}" for n in range(4)))) if path == "/hang" else HANG
    if path == "/wide":
        return Answer(html(*(f"/{n}" for n in range(PAGES)), *(f"http://other.test/{n:0100}" for n in range(3_000))))
    if path.startswith("/slow"):
        return Answer(html(*(f"/slow/{n}" for n in range(PAGES))), delay_s=0.05)
    return Answer(html(*(f"/{n}" for n in range(PAGES)), text=PAYLOAD))


@pytest.fixture(scope="module")
def server():
    with LocalServer(respond) as server:
        yield server


@pytest.fixture(scope="module")
def finished_job(tmp_path_factory, server):
    folder = tmp_path_factory.mktemp("finished")
    command = [sys.executable, "-m", "crawler", "crawl", server.url("/0"), *OPTIONS, "--quiet"]
    subprocess.run(command, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True, timeout=60)
    return folder / "j"


@pytest.fixture
def start(tmp_path):
    """Return a function that starts the crawler in an empty folder, as the leader of a process group."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("CRAWLER_")}
    processes = []

    def start(*arguments, before="", given=None, env=env | {"PYTHONPATH": str(ROOT)}, **streams):
        command = [sys.executable, "-m", "crawler", "crawl", *map(str, arguments), *OPTIONS]
        if before:
            command = [sys.executable, "-c", f"{before}; import os, sys; os.execv(sys.argv[1], sys.argv[1:])", *command]
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            env=env,
            start_new_session=True,
            **{"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | streams,
        )
        processes.append(process)
        return process

    yield start
    end_groups(processes)


@pytest.fixture
def run(start):
    """Return a function that runs the crawler to its end: (exit code, standard error)."""

    def run(*arguments, given="", **options):
        process = start(*arguments, **options)
        _, err = process.communicate(given, timeout=60)
        assert "Traceback" not in err
        return process.returncode, err

    return run


def urls(file: Path) -> list[str]:
    return sorted(json.loads(line)["url"] for line in file.read_bytes().splitlines())


def everything(server, root="/0", folder="/") -> list[str]:
    return sorted({server.url(root), *(server.url(f"{folder}{n}") for n in range(PAGES))})


def one_line(err: str) -> str:
    assert err.startswith("crawler: error: ")
    assert err.count("\n") == 1
    return err.removeprefix("crawler: error: ").rstrip("\n")


# Starts that fail


def damaged_in_the_middle() -> bytes:
    whole = bytearray(gzip.compress(b"".join(b"http://127.0.0.1:1/%d\n" % n for n in range(20_000)), mtime=0))
    middle = len(whole) // 2
    whole[middle : middle + 50] = bytes(50)
    return bytes(whole)


@pytest.mark.parametrize(
    ("arguments", "content", "code", "message"),
    first_quickly(
        [
            (
                ["exmaple.com"],
                None,
                2,
                "'exmaple.com' is neither an http(s) URL nor a file; did you mean https://exmaple.",
            ),
            (["none.txt"], None, 2, "no such file of seeds: 'none.txt'"),
            (["a.txt"], b"", 2, "no seeds in a.txt"),
            (["a.txt"], b"# none\n\n  # at all\n", 2, "no seeds in a.txt"),
            (["a.txt"], b"\0\1\2", 2, "a.txt looks binary; seeds are text files: "),
            (["a.txt"], b"htp://x\nnothing\n", 2, "no seeds in a.txt (bad lines: 2)"),
            (["a.txt.gz"], damaged_in_the_middle(), 2, "a.txt.gz: damaged gzip file: "),
            (["-"], None, 2, "no seeds in standard input"),
            ([], None, 2, "no seeds given, and j has no crawl to resume"),
            (
                ["http://x.test/", "-o", "d.jsonl"],
                None,
                5,
                "cannot write d.jsonl: Is a directory; name a file that can be",
            ),
            (["http://x.test/", "-o", "d.db"], None, 5, "cannot write d.db: unable to open database file; name a file"),
            (
                ["http://x.test/", "-o", "f/a.csv"],
                None,
                5,
                "cannot write f/a.csv: f is not a folder; name a file that can",
            ),
            (
                ["http://x.test/", "-o", "f/a.db"],
                None,
                5,
                "cannot write f/a.db: f is not a folder; name a file that can",
            ),
            (["http://x.test/", "-o", "pages.xls"], None, 2, "--output pages.xls has no known ending: name it .jso"),
            (
                ["http://x.test/", "-o", "a.db", "--rotate", "5"],
                None,
                2,
                "--output a.db cannot be rotated: a database is o",
            ),
        ],
        5,
    ),
)
def test_a_start_that_fails_says_why_and_leaves_no_job_behind(tmp_path, run, arguments, content, code, message):
    (tmp_path / "d.jsonl").mkdir()
    (tmp_path / "d.db").mkdir()
    (tmp_path / "f").touch()
    if content is not None:
        (tmp_path / arguments[0]).write_bytes(content)
    before = sorted(tmp_path.iterdir())
    returned, err = run(*arguments, "--quiet")
    assert returned == code
    assert one_line(err).startswith(message)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.thorough
def test_a_bad_line_stops_a_strict_crawl_and_the_corrected_file_works_in_the_same_job(tmp_path, run, server):
    seeds = tmp_path / "a.txt"
    seeds.write_text(f"{server.url('/0')}\nhtp://x\n")
    code, err = run("a.txt", "--strict", "--quiet")
    assert (code, one_line(err)) == (2, "a.txt:2: not an http(s) URL: 'htp://x'")
    seeds.write_text(f"{server.url('/0')}\n")
    assert run("a.txt", "--strict", "--quiet") == (0, "")
    assert urls(tmp_path / "j/pages.jsonl") == everything(server)


@pytest.mark.thorough
def test_bad_lines_are_named_counted_and_skipped_in_every_source(tmp_path, run, server):
    (tmp_path / "a.csv").write_text(f"url,team\n{server.url('/0')},x\nnothing,y\n")
    with gzip.open(tmp_path / "b.jsonl.gz", "wt") as file:
        file.write(f'{{"url": 1}}\n{{"url": "{server.url("/1")}"}}\n')
    code, err = run("a.csv", "b.jsonl.gz", "-", "--scope", "page", given=f"{server.url('/2')}\nhtp://x\n")
    assert code == 0
    for place in ("a.csv:3: not an http(s) URL: 'nothing'", "b.jsonl.gz:1: no key 'url'", "standard input:2: not an"):
        assert f"\n{place}" in f"\n{err}"
    assert json.loads((tmp_path / "j/summary.json").read_text())["bad_seeds"] == 3
    told = ['{"url": 1}', "htp://x", "nothing"]  # each row has a record
    assert urls(tmp_path / "j/pages.jsonl") == sorted([*told, *(server.url(f"/{n}") for n in range(3))])


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (["{good}", "-o", "/dev/full"], 5),
        (["{good}", "--no-allow-private"], 3),
        (["http://127.0.0.1:{closed}/"], 6),
        (["{good}", "--exclude", "."], 0),
    ],
    ids=["output", "private", "seed", "something fetched"],
)
def test_what_had_no_record_yet_does_not_refuse_the_mended_command(tmp_path, start, run, server, wrong, code):
    """Only a job with records is held to its settings: it names what changed and the choices."""
    # Later options win: OPTIONS has --allow-private.
    before = f"import sys; sys.argv.append({wrong[-1]!r})" if wrong[-1].startswith("--no") else ""
    with closed_port() as port:
        given = [argument.format(good=server.url("/0"), closed=port) for argument in wrong]
        assert run(*given, "--quiet", before=before)[0] == code
    returned, err = run(server.url("/0"), "--quiet")
    if code == 0:
        assert returned == 2
        assert "exclude was ['.'] and is now []" in one_line(err)
        assert all(choice in err for choice in ("repeat the earlier command", "another --job", "--fresh"))
    else:
        assert (returned, err) == (0, "")
        assert urls(tmp_path / "j/pages.jsonl") == everything(server)


@pytest.mark.thorough
def test_fresh_with_a_typo_in_the_seed_keeps_the_crawl_before(tmp_path, run, server, finished_job):
    shutil.copytree(finished_job, tmp_path / "j")
    assert run("none.txt", "--fresh", "--quiet")[0] == 2
    assert urls(tmp_path / "j/pages.jsonl") == everything(server)
    assert run(server.url("/0"), "--quiet") == (0, "")


@pytest.mark.thorough
def test_standard_input_resumes_with_the_same_seeds_and_refuses_others(tmp_path, run, server):
    seeds = server.url("/0") + "\n"
    assert run("-", "--max-pages", "3", "--quiet", given=seeds) == (0, "")
    refused = "job j was begun with other settings (seeds are others than before): repeat"
    for others, message in (("http://others.test/", refused), ("", "no seeds in standard input")):
        code, err = run("-", "--quiet", given=others)
        assert code == 2
        assert one_line(err).startswith(message)
        assert not list((tmp_path / "j").glob("stdin*"))
    assert run("-", "--quiet", given=seeds) == (0, "")
    assert urls(tmp_path / "j/pages.jsonl") == everything(server)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("depth = 1\nscope = = 1\n", "a.toml is not valid TOML: Invalid value (at line 2, column 9)"),
        ('depth = "x"\n', "a.toml: depth: expected a whole number or 'none', not 'x'"),
        ("retires = 1\n", "a.toml: unknown setting 'retires'; did you mean 'retries'?"),
        (None, "cannot read the settings in a.toml: Permission denied"),
    ],
)
def test_a_settings_file_that_is_wrong_says_where(tmp_path, run, text, message):
    (tmp_path / "a.toml").write_text(text or "")
    if text is None:
        (tmp_path / "a.toml").chmod(0)
    code, err = run("http://x.test/", "--config", "a.toml", before=UNPRIVILEGED)
    assert (code, one_line(err)) == (2, message)
    assert not (tmp_path / "j").exists()


# Output and state


@pytest.mark.thorough
def test_the_folders_of_an_output_are_made(tmp_path, run, server):
    assert run(server.url("/0"), "-o", "new/folder/a.jsonl", "--quiet") == (0, "")
    assert urls(tmp_path / "new/folder/a.jsonl") == everything(server)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("locked", "mode", "message"),
    [
        ("out/a.jsonl", 0o444, "cannot write out/a.jsonl: Permission denied; name a file that can be written with"),
        ("j/lock", 0o444, "cannot write the job folder j: Permission denied; choose another --job, or make it"),
        ("j/state", 0, "cannot read the state in j/state: Permission denied; choose another --job, or make it"),
    ],
)
def test_what_may_not_be_written_is_named_and_nothing_is_lost(tmp_path, run, server, locked, mode, message):
    command = [server.url("/0"), "-o", "out/a.jsonl", "--quiet"]
    assert run(*command, "--max-pages", "5") == (0, "")
    path = tmp_path / locked
    usual = path.stat().st_mode
    path.chmod(mode)
    code, err = run(*command, before=UNPRIVILEGED)
    path.chmod(usual)
    assert code == 5
    assert one_line(err).startswith(message)
    assert run(*command, before=UNPRIVILEGED) == (0, "")
    assert urls(tmp_path / "out/a.jsonl") == everything(server)


@pytest.mark.parametrize("room", first_quickly([900_000, 10_000]))
def test_a_file_that_may_not_grow_ends_with_5_and_more_room_makes_the_result_whole(tmp_path, run, server, room):
    """900,000 bytes end in the middle of a record, 10,000 while the store is made."""
    code, err = run(server.url("/0"), "--quiet", before=limit("FSIZE", room, room))
    assert code == 5
    assert one_line(err).startswith("cannot ")
    assert err.endswith(f"File too large; {MAKE_ROOM}\n")
    if room > 100_000:
        assert not (tmp_path / "j/pages.jsonl").read_bytes().endswith(b"\n")
    assert run(server.url("/0"), "--quiet") == (0, "")
    assert urls(tmp_path / "j/pages.jsonl") == everything(server)


DISK = """
mkdir disk && mount -t tmpfs -o size=$ROOM none disk || exit 77
"$@"; echo "code $?"
"$@"; echo "code $?"
mount -o remount,size=100m disk
"$@"; echo "code $?"
cp disk/a.jsonl a.jsonl 2>/dev/null
"""


@pytest.mark.thorough
@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare to mount a small disk")
@pytest.mark.parametrize(
    ("room", "output", "seed", "message"),
    [
        ("700k", "disk/a.jsonl", "/0", "cannot write disk/a.jsonl: "),
        ("250k", "a.jsonl", "/wide", "cannot write the store disk/j/state: "),
    ],
)
def test_a_full_disk_ends_with_5_and_more_room_makes_the_result_whole(tmp_path, server, room, output, seed, message):
    options = [*OPTIONS, "--job", "disk/j", "-o", output, "--quiet"]
    command = [sys.executable, "-m", "crawler", "crawl", server.url(seed), *options]
    env = os.environ | {"ROOM": room, "PYTHONPATH": str(ROOT)}
    shell = ["unshare", "-rm", "sh", "-c", DISK, "sh", *command]
    ran = subprocess.run(shell, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False)
    if ran.returncode == 77 or "unshare failed" in ran.stderr:
        pytest.skip("no user namespaces here")
    assert ran.stdout == "code 5\ncode 5\ncode 0\n"
    first, second = ran.stderr.splitlines()
    assert first.startswith(f"crawler: error: {message}")
    for line in (first, second):
        assert line.endswith(f"No space left on device; {MAKE_ROOM}")
    assert urls(tmp_path / "a.jsonl") == everything(server, seed)


def junk(path: Path) -> None:
    path.write_bytes(random.Random(0).randbytes(path.stat().st_size + 100))


def damage_rows(state: Path) -> None:
    for path in state.glob("*.sst"):
        junk(path)


def forget_everything(state: Path) -> None:
    """What RocksDB makes of a MANIFEST that was cut."""
    shutil.rmtree(state)
    Store(state).close()


@pytest.mark.parametrize(
    ("damage", "code", "message"),
    first_quickly(
        [
            (lambda state: (state / "CURRENT").write_bytes(b""), 5, "cannot open the store j/state: Corruption: "),
            (lambda state: (state / "CURRENT").unlink(), 5, "cannot open the store j/state: Corruption: "),
            (lambda state: junk(next(state.glob("MANIFEST*"))), 5, "cannot open the store j/state: Corruption: "),
            (
                lambda state: next(state.glob("MANIFEST*")).unlink(),
                5,
                "cannot open the store j/state: IO error: No such",
            ),
            (
                forget_everything,
                2,
                "j/pages.jsonl is there already and job j did not write it, or has lost its state: use",
            ),
            (damage_rows, 5, "cannot open the store j/state: Corruption: "),
            (shutil.rmtree, 2, "j/pages.jsonl is there already and job j did not write it, or has lost its state: use"),
            (lambda state: (shutil.rmtree(state), state.touch()), 2, "j/state is there and is no folder of a crawl's"),
            (
                lambda state: (state.parent / "pages.jsonl").unlink(),
                5,
                "j/pages.jsonl has 0 bytes, but the job has commit",
            ),
        ],
        2,
    ),
    ids=["CURRENT", "no CURRENT", "MANIFEST", "no MANIFEST", "empty store", "rows", "no state", "file", "no output"],
)
def test_damaged_state_is_one_line_that_advises_fresh_and_touches_no_record(
    tmp_path, run, server, finished_job, damage, code, message
):
    shutil.copytree(finished_job, tmp_path / "j")
    damage(tmp_path / "j/state")
    records = tmp_path / "j/pages.jsonl"
    before = records.read_bytes() if records.exists() else b""
    returned, err = run(server.url("/0"), "--quiet")
    assert returned == code
    assert one_line(err).startswith(message)
    assert "--fresh" in err or "choose another --job, or move it away" in err
    assert (records.read_bytes() if records.exists() else b"") == before


@pytest.mark.thorough
def test_fresh_starts_over_whatever_the_state_is(tmp_path, run, server, finished_job):
    shutil.copytree(finished_job, tmp_path / "j")
    for path in (tmp_path / "j/state").iterdir():
        junk(path)
    assert run(server.url("/0"), "--fresh", "--quiet") == (0, "")
    assert urls(tmp_path / "j/pages.jsonl") == everything(server)


def test_a_job_of_another_version_says_so(tmp_path, run, server, finished_job):
    shutil.copytree(finished_job, tmp_path / "j")
    with Store(tmp_path / "j/state") as store:
        store.put_meta("versions", {"schema": 99, "normal_form": 1})
        store.commit()
    code, err = run(server.url("/0"), "--quiet")
    assert code == 2
    assert one_line(err).startswith("j/state: made by another version of crawler (it has {'schema': 99, ")
    assert err.endswith("go on with that version, or start over with --fresh\n")


@pytest.mark.thorough
def test_a_finished_job_says_so(tmp_path, run, server, finished_job):
    shutil.copytree(finished_job, tmp_path / "j")
    code, err = run(server.url("/0"))
    assert code == 0
    assert "done before; this run found nothing left to fetch" in err
    assert "--fresh crawls it all again" in err


@pytest.mark.thorough
def test_a_second_process_is_refused_and_the_first_goes_on(tmp_path, start, run, server):
    first = start(server.url("/slow"), "--quiet", "--per-host", "1")
    wait_until((tmp_path / "j/pages.jsonl").exists)
    code, err = run(server.url("/slow"), "--fresh", "--quiet")
    assert code == 2
    assert one_line(err) == f"job j is being run by process {first.pid}: wait for it, or use another --job"
    assert first.communicate(timeout=60) == ("", "")
    assert first.returncode == 0
    assert urls(tmp_path / "j/pages.jsonl") == everything(server, "/slow", "/slow/")


# Limits on open files


@pytest.mark.thorough
def test_open_files_limit_the_concurrency_and_a_line_says_so(tmp_path, run, server):
    hosts = [f"http://h{n}.localhost:{server.port}/{n}" for n in range(100)]
    (tmp_path / "a.txt").write_text("\n".join(hosts))
    code, err = run("a.txt", "--scope", "page", before=limit("NOFILE", 200, 200))
    assert code == 0
    line = "the limit on open files allows 44 requests at once, not 256: raise it with `ulimit -n`"
    assert sum(line in one for one in err.splitlines()) == 1
    assert urls(tmp_path / "j/pages.jsonl") == sorted(hosts)


@pytest.mark.thorough
def test_a_soft_limit_on_open_files_is_raised_without_a_word(tmp_path, run, server):
    code, err = run(server.url("/0"), before=limit("NOFILE", 64, 4096))
    assert code == 0
    assert "open files" not in err
    assert urls(tmp_path / "j/pages.jsonl") == everything(server)


def test_too_few_open_files_for_any_crawl_is_one_line_and_makes_nothing(tmp_path, run):
    code, err = run("http://x.test/", before=limit("NOFILE", 100, 100))
    assert code == 2
    told = "the limit on open files is 100, and this crawl needs more than 156: raise it with `ulimit -n`"
    assert one_line(err).startswith(told)
    assert not (tmp_path / "j").exists()


# Signals


def left_running(group: int) -> list[str]:
    """Names of processes of a group that are not dead."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            name, state, _, its_group = (
                path.read_text().rpartition(")")[0],
                *path.read_text().rpartition(")")[2].split()[:3],
            )
            if int(its_group) == group and state not in "ZX":
                found.append(name)
    return found


@pytest.mark.thorough
def test_a_signal_while_seeds_are_read_ends_with_4_and_the_same_command_goes_on(tmp_path, start, run, server):
    with (tmp_path / "a.txt").open("w") as file:
        file.writelines(f"{server.url()}{n}\n" for n in range(120_000))
    command = ["a.txt", "--scope", "page", "--max-pages", "20", "--quiet"]
    process = start(*command)
    wait_until((tmp_path / "j/pages.jsonl").exists)
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGINT)
    assert process.communicate(timeout=PATIENCE_S) == ("", "")
    assert process.returncode == 4
    known = json.loads((tmp_path / "j/summary.json").read_text())["known"]
    assert 0 < known < 120_000
    code, err = run("--scope", "page", "--quiet")
    assert (code, one_line(err)) == (2, "the run before was stopped while it read its seeds: name them again")
    assert run(*command) == (0, "")
    assert json.loads((tmp_path / "j/summary.json").read_text())["known"] == 120_000
    assert len(set(urls(tmp_path / "j/pages.jsonl"))) == 20


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("number", "send", "pause_s"),
    first_quickly([(signal.SIGINT, os.killpg, 0.03), (signal.SIGTERM, os.kill, 0.15)]),
    ids=["SIGINT group", "SIGTERM main"],
)
def test_two_signals_end_with_4_whenever_the_second_comes_and_leave_no_process(
    tmp_path, start, run, server, number, send, pause_s
):
    """In the middle of the drain, after it, while the process ends: the code is the same and every URL comes once."""
    command = [server.url("/slow"), "--parsers", "2", "--per-host", "2"]
    process = start(*command)
    wait_until(lambda: (tmp_path / "j/pages.jsonl").exists() and (tmp_path / "j/pages.jsonl").stat().st_size)
    send(process.pid, number)
    time.sleep(pause_s)
    with contextlib.suppress(ProcessLookupError):
        send(process.pid, number)
    _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 4
    assert "Traceback" not in err
    wait_until(lambda: not left_running(process.pid))
    assert run(*command, "--quiet") == (0, "")
    assert urls(tmp_path / "j/pages.jsonl") == everything(server, "/slow", "/slow/")


def test_the_second_signal_does_not_wait_for_a_server_that_hangs(tmp_path, start, server):
    """It would take an hour."""
    process = start(server.url("/hang"), "--timeout", "3600")
    records = tmp_path / "j/pages.jsonl"
    wait_until(lambda: server.requests[f"127.0.0.1:{server.port}", "/hang/3"] and records.stat().st_size)
    os.killpg(process.pid, signal.SIGINT)
    assert any(line.startswith("stopping: finishing 4 requests; press Ctrl-C again") for line in process.stderr)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(PATIENCE_S) == 4
    wait_until(lambda: not left_running(process.pid))
    assert urls(records) == [server.url("/hang")]


# Terminals


@pytest.mark.thorough
def test_standard_error_on_a_full_disk_does_not_stop_a_crawl(tmp_path, start, server):
    with Path("/dev/full").open("w") as full:
        assert start(server.url("/0"), stderr=full).wait(60) == 0
    assert urls(tmp_path / "j/pages.jsonl") == everything(server)


@pytest.mark.thorough
@pytest.mark.parametrize(
    "variables",
    [{"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"COLUMNS": "20", "LINES": "5"}],
    ids=["ASCII", "narrow"],
)
def test_any_terminal_shows_the_crawl_to_its_end(tmp_path, start, server, variables):
    env = os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color"} | variables
    with PseudoTerminal() as terminal:
        process = start(server.url("/slow"), "--per-host", "4", stderr=terminal.slave, env=env)
        terminal.started()
        try:
            assert process.wait(60) == 0
        finally:
            process.kill()
    text = terminal.seen.decode()
    assert "Traceback" not in text
    assert "every URL that was found has ended" in text
    if variables.get("LC_ALL") == "C":
        assert text.isascii()
    assert urls(tmp_path / "j/pages.jsonl") == everything(server, "/slow", "/slow/")


def test_a_name_that_a_terminal_could_not_show_is_escaped(run):
    env = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"}
    code, err = run("\u202e.txt", env=env)
    assert (code, one_line(err)) == (2, r"no such file of seeds: '\u202e.txt'")
