"""From standard input to standard output: a crawl between two other programs, which leaves nothing behind."""

import json
import signal

import pytest

from crawler.cli.exit_code import ExitCode
from tests.support.commands import POLITE_ENOUGH, CommandLine
from tests.support.patience import PATIENCE_S, wait_until
from tests.support.servers import HANG, Answer, LocalServer, html

ARGUMENTS = ("crawl", "-", "-o", "-", "--scope", "page", *POLITE_ENOUGH)


def respond(_: str, path: str) -> object:
    if path == "/robots.txt":
        return Answer(status=404)
    return HANG if path == "/slow" else Answer(html(title=path))


@pytest.fixture
def server():
    with LocalServer(respond) as one:
        yield one


def titles(out: str) -> list[str]:
    return [json.loads(line)["title"] for line in out.splitlines()]


def left(commands: CommandLine) -> list[str]:
    return sorted(str(path.relative_to(commands.folder)) for path in commands.folder.rglob("*"))


def test_each_pipe_is_a_crawl_of_its_own(commands, server):
    """No job, so no other seeds, no other settings and no page that was fetched before."""
    one = commands.run(*ARGUMENTS, given=f"{server.url('/1')}\n")
    two = commands.run(*ARGUMENTS, "--fields", "title", given=f"{server.url('/2')}\n{server.url('/1')}\n")
    assert (one.code, titles(one.out)) == (ExitCode.DONE, ["/1"])
    assert (two.code, sorted(titles(two.out))) == (ExitCode.DONE, ["/1", "/2"])
    assert "summary.json" not in one.err
    assert left(commands) == ["tmp"]


def test_a_pipe_with_a_job_goes_on_where_it_stopped(commands, server):
    given = f"{server.url('/1')}\n{server.url('/2')}\n"
    arguments = (*ARGUMENTS, "--job", "kept", "--quiet")
    first = commands.run(*arguments, "--max-pages", "1", given=given)
    second = commands.run(*arguments, given=given)
    assert sorted(titles(first.out) + titles(second.out)) == ["/1", "/2"]
    assert (commands.folder / "kept/summary.json").exists()


def test_a_budget_says_how_a_crawl_without_a_job_could_have_gone_on(commands, server):
    ended = commands.run(*ARGUMENTS, "--max-pages", "1", given=f"{server.url('/1')}\n{server.url('/2')}\n")
    assert (ended.code, len(titles(ended.out))) == (ExitCode.DONE, 1)
    assert "next       this crawl had no job that could go on: --job DIR keeps one\n" in ended.err
    assert left(commands) == ["tmp"]


def test_seeds_that_cannot_be_used_end_with_2_and_leave_nothing(commands):
    ended = commands.run(*ARGUMENTS, given="nothing\n")
    assert ended.code == ExitCode.USAGE
    assert ended.err.endswith("crawler: error: no seeds in standard input (bad lines: 1)\n")
    assert left(commands) == ["tmp"]


@pytest.mark.parametrize("signals", [1, 2])
def test_ctrl_c_once_or_twice_ends_with_4_and_leaves_nothing(commands, server, signals):
    timeout = "3600" if signals == 2 else "1"
    process = commands.start(*ARGUMENTS, "--timeout", timeout, "--retries", "0")
    process.stdin.write(server.url("/slow") + "\n")
    process.stdin.close()
    process.stdin = None
    wait_until(lambda: server.requests[f"127.0.0.1:{server.port}", "/slow"])
    process.send_signal(signal.SIGINT)
    if signals == 2:
        next(line for line in process.stderr if line.startswith("stopping: "))
        process.send_signal(signal.SIGINT)
    process.wait(timeout=PATIENCE_S)
    assert process.returncode == ExitCode.INTERRUPTED
    wait_until(lambda: left(commands) == ["tmp"])


def test_a_reader_that_has_seen_enough_ends_it_and_nothing_is_left(commands, server):
    given = "".join(f"{server.url(f'/{number}')}\n" for number in range(3_000))
    process = commands.start(*ARGUMENTS, "--quiet")
    process.stdin.write(given)
    process.stdin.close()
    process.stdin = None
    assert json.loads(process.stdout.readline())["title"].startswith("/")
    process.stdout.close()
    assert process.wait(timeout=PATIENCE_S) == ExitCode.INTERRUPTED
    assert process.stderr.read() == ""
    assert left(commands) == ["tmp"]


def test_a_job_that_an_earlier_version_named_after_the_host_alone_goes_on(commands, server):
    """With the seeds that it was begun with; others have a job of their own."""
    older = f"output/127.0.0.1-{server.port}"
    commands.run("crawl", server.url("/1"), "--job", older, *POLITE_ENOUGH)
    again = commands.run("crawl", server.url("/1"), *POLITE_ENOUGH)
    assert "done before; this run found nothing left to fetch" in again.err
    assert commands.run("crawl", server.url("/2"), *POLITE_ENOUGH).code == ExitCode.DONE
    assert {path.name for path in (commands.folder / "output").iterdir()} == {
        f"127.0.0.1-{server.port}",
        f"127.0.0.1-{server.port}-2",
    }
