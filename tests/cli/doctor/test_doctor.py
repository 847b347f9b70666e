"""`crawler doctor`: each look says what it saw and what to do, and no look can break the others."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from crawler.cli.doctor import machine, program
from crawler.cli.doctor.finding import Finding, looked
from crawler.cli.versions import EXTRAS
from tests.support.commands import CommandLine
from tests.support.patience import PATIENCE_S
from tests.support.servers import Answer, LocalServer

NAMES = {*machine.MACHINE, "disk", *program.PROGRAM}


@pytest.fixture
def commands(tmp_path):
    line = CommandLine(tmp_path)
    yield line
    line.close()


def test_all_is_looked_at_and_nothing_is_left_behind(commands):
    done = commands.run("doctor", "--json")
    found = {one["name"]: one for one in json.loads(done.out)}
    assert set(found) == NAMES
    for one in found.values():
        assert one["state"] in {"ok", "warning", "problem"}
        assert one["seen"]
        assert one["then"] or one["state"] == "ok", one
    assert found["parsers"]["state"] == "ok"
    assert "went through a parser process" in found["parsers"]["seen"]
    assert done.code == any(one["state"] == "problem" for one in found.values())
    assert list(commands.folder.iterdir()) == [commands.temporary]
    assert list(commands.temporary.iterdir()) == []


def test_a_look_that_fails_is_a_problem_and_hides_no_other():
    def broken() -> Finding:
        raise OSError("no such \x1b[31m thing")

    found = looked("odd", broken)
    assert (found.name, found.state) == ("odd", "problem")
    assert r"\x1b[31m" in found.seen


def test_few_open_files_are_told_and_the_limit_stays_as_it_was():
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (200, 300))\n"
        "from crawler.cli.doctor.machine import open_files\n"
        "found = open_files(); print(found.state, '|', found.seen, '|', found.then)\n"
        "assert resource.getrlimit(resource.RLIMIT_NOFILE) == (200, 300)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE_S, check=True,
        env=os.environ | {"PYTHONPATH": str(Path(machine.__file__).parents[3])},
    )  # fmt: skip
    state, seen, then = done.stdout.split(" | ")
    assert (state, "requests at once" in seen, "ulimit" in then) == ("warning", True, True)
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 200


def test_a_disk_is_looked_at_where_the_folder_would_be_made(tmp_path):
    found = machine.disk(tmp_path / "not" / "there" / "yet")
    assert found.seen.startswith(f"{tmp_path}: ")
    assert "a sync takes" in found.seen
    assert not list(tmp_path.iterdir())
    assert machine.disk(Path("/proc")).state == "problem"  # nobody can write there


@pytest.mark.parametrize(
    ("kind", "room", "sync_ms", "told"),
    [
        ("ext4", 10**11, 5.0, ""),
        ("nfs4", 10**11, 5.0, "local disk"),
        ("tmpfs", 10**11, 0.1, "gone after a restart"),
        ("ext4", 10**9, 5.0, "make room"),
        ("ext4", 10**11, 80.0, "faster disk"),
    ],
)
def test_what_could_be_better_about_a_disk(kind, room, sync_ms, told):
    worry = machine._worry(kind, room, sync_ms)
    assert told in worry
    assert bool(told) == bool(worry)


def test_limits_of_a_control_group_count(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    assert machine._of_group("memory.max", "memory/memory.limit_in_bytes", int) is None
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory/memory.limit_in_bytes").write_text("300000000\n")
    assert "control group may have 300" in machine.memory().seen
    (tmp_path / "memory.max").write_text("100000000\n")
    assert machine.memory().state == "problem"
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    found = machine.processors()
    assert ("may use 0.5" in found.seen, found.state, found.then[:11]) == (True, "warning", "--parsers 1")
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert "control group" not in machine.processors().seen


def test_proxies_are_told_by_name_alone(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://me:hunter2@proxy/")
    found = program.proxies()
    assert (found.state, "HTTPS_PROXY" in found.seen, "hunter2" in found.seen + found.then) == ("warning", True, False)


def test_a_url_is_asked_for_only_if_one_is_given():
    with LocalServer(lambda _host, _path: Answer(headers={"Date": "Mon, 01 Jan 2024 00:00:00 GMT"})) as server:
        found = program.online(server.url("/x"))
        assert (found.state, "clock" in found.then) == ("warning", True)
        assert [path for _, path in server.requests] == ["/x"]
    assert program.online(f"https://127.0.0.1:{server.port}/").state == "problem"  # nobody listens any more
    assert program.online("http://nobody.invalid/").state == "problem"
    assert looked("online", lambda: program.online("ftp://x/")).state == "problem"


def test_extras_are_those_of_the_package():
    import tomllib

    data = tomllib.loads((Path(machine.__file__).parents[3] / "pyproject.toml").read_text("utf-8"))
    extras = data["project"]["optional-dependencies"]
    declared = {name: [one.split(">")[0] for one in extras[name]] for name in extras if name not in {"all", "dev"}}
    assert {name: sorted(packages) for name, packages in EXTRAS.items()} == {n: sorted(p) for n, p in declared.items()}
