"""`crawler plan`: what it prints, what it leaves behind (nothing), and how it ends."""

import json
import re
import signal
import tarfile
import time
from pathlib import Path

import pytest

from tests.support.commands import POLITE_ENOUGH, CommandLine
from tests.support.patience import wait_until
from tests.support.servers import Answer, LocalServer, html

OLD_JOB = Path(__file__).parents[1] / "data" / "old_job.tar.gz"


def site(_: str, path: str) -> Answer:
    if path == "/robots.txt":
        return Answer("User-agent: *\nDisallow: /private\n")
    links = [f"/p{n}" for n in range(30)] if path == "/" else ["/\x1b[31mred", "/private"]
    return Answer(html(*links, title=path))


def test_a_plan_is_a_table_of_80_columns_and_leaves_nothing(commands: CommandLine):
    with LocalServer(site) as server:
        seeds = commands.folder / "seeds.txt"
        seeds.write_text(f"{server.url()}\nno url\n")
        done = commands.run("plan", seeds, "--sample", 10, "--exclude", "p29$", *POLITE_ENOUGH)
        asked = server.pages().total()
    assert done.code == 0, done.err
    assert asked <= 11
    assert max(map(len, done.out.splitlines())) <= 80
    assert "\x1b" not in done.out
    pages = re.match(r"plan +(\d+) \(\d+ to \d+\) pages of 1 host$", done.out.splitlines()[0])
    assert pages
    assert int(pages[1]) == pytest.approx(31, abs=4)
    assert "1; 1 bad lines left out" in done.out
    assert "1 filter, such as " in done.out
    assert f"{seeds}:2: " in done.err
    assert sorted(path.name for path in commands.folder.iterdir()) == ["seeds.txt", "tmp"]
    assert not list(commands.temporary.iterdir())


def test_the_same_as_json(commands: CommandLine):
    with LocalServer(site) as server:
        done = commands.run("plan", server.url(), "--sample", 10, "--json", "--quiet", *POLITE_ENOUGH)
    plan = json.loads(done.out)
    assert (done.code, done.err) == (0, "")
    assert plan["pages"]["likely"] == sum(host["pages"]["likely"] for host in plan["hosts"])
    assert plan["seconds"]["least"] <= plan["seconds"]["likely"] <= plan["seconds"]["most"]
    assert {rule["rule"] for rule in plan["left_out"]} <= {"robots"}


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_ends_the_sample_and_leaves_nothing(commands: CommandLine, times: int):
    """Once: with a plan of what was read. Twice: at once."""
    with LocalServer(lambda host, path: Answer(site(host, path).body, delay_s=0.2)) as server:
        process = commands.start("plan", server.url(), *POLITE_ENOUGH, "--per-host", 1)
        wait_until(lambda: server.pages().total() > 3)
        for _ in range(times):
            process.send_signal(signal.SIGINT)
            time.sleep(0.05)
        out, _ = process.communicate()
    assert process.returncode == 4
    assert "interrupted" in out or times == 2
    wait_until(lambda: not list(commands.temporary.iterdir()))


def test_what_other_settings_would_have_done_to_a_job_of_an_earlier_version(commands: CommandLine):
    """The pages from 40 to 60 are left out, and nobody is asked for anything: the host does not exist."""
    with tarfile.open(OLD_JOB) as archive:
        archive.extractall(commands.folder / "job", filter="data")
    told = ("plan", "--job", "job", "--exclude", "/[4-6][0-9]$", "--depth", 4)
    done = commands.run(*told)
    assert (done.code, done.err) == (0, "")
    assert "--exclude /[4-6][0-9]$" in done.out.splitlines()[0]
    assert max(map(len, done.out.splitlines())) <= 80
    found = json.loads(commands.run(*told, "--json").out)
    assert found["pages"] == 20
    assert {rule["rule"] for rule in found["left_out"]} <= {"filter", "depth"}
    out = sum(rule["urls"] for rule in [*found["left_out"], found["behind"]])
    assert found["kept"] <= found["urls"] - out < found["urls"] == 39


def test_what_cannot_be_planned_is_one_line(commands: CommandLine, tmp_path: Path):
    for arguments, said in [
        (["plan"], "no seeds given"),
        (["plan", "no-such.txt"], "no-such.txt"),
        (["plan", "http://a.test/", "--sample", "0"], "--sample"),
        (["plan", "http://a.test/", "--depth", "x"], "--depth: expected"),
        (["plan", "--job", "no-job", "--depth", "1"], "no job no-job"),
        (["plan", "--job", ".", "--depth", "1"], "is no job"),
    ]:
        done = commands.run(*arguments)
        assert (done.code, done.out) == (2, "")
        assert said in done.err
        assert len(done.err.strip().splitlines()) == 1
