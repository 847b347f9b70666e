"""What the command line promises: options, messages, exit codes."""

import contextlib
import gzip
import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import click
import pytest

from crawler.cli.entry import cli, main
from crawler.cli.exit_code import ExitCode
from crawler.cli.settings import GROUPS, SETTINGS, from_options
from crawler.cli.terminal import LogLines, Terminal
from tests.support.patience import PATIENCE_S, wait_until
from tests.support.terminal import PseudoTerminal
from tests.support.thorough import first_quickly

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs/cli.md"
PAGES = 12
HIDE_CURSOR, SHOW_CURSOR = b"\x1b[?25l", b"\x1b[?25h"


class Site(BaseHTTPRequestHandler):
    """`/` links to `/0` … `/11`; `/slow/` does so too, but its pages take as long as the server's `gate` is closed."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        server.asked.append(self.path)
        if self.path == "/robots.txt":
            return self.answer(404, "")
        if self.path in ("/", "/slow/"):
            return self.answer(200, "".join(f'<a href="{number}">x</a>' for number in range(PAGES)))
        if self.path.startswith("/slow/"):
            server.gate.wait(3600)
        return self.answer(200, f"<title>{self.path}\x1b[31m</title>")

    def answer(self, status, text):
        body = text.encode()
        with contextlib.suppress(OSError):
            self.send_response(status)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def site():
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        server.daemon_threads = True
        server.block_on_close = False
        server.asked = []
        server.gate = threading.Event()
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.gate.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def crawler(tmp_path):
    """Return a function that starts `python -m crawler` in an empty folder, with no CRAWLER_* variables."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CRAWLER_")}
    environment |= {"PYTHONPATH": str(ROOT)}
    processes = []

    def start(*arguments, env=None, **options):
        process = subprocess.Popen(
            [sys.executable, "-m", "crawler", *map(str, arguments)],
            cwd=tmp_path,
            env=environment | (env or {}),
            **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
            | options,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def run(crawler):
    """Return a function that runs `python -m crawler` to its end: (exit code, stdout, stderr)."""

    def run(*arguments, given=None, **options):
        if given is not None:
            options["stdin"] = subprocess.PIPE
        process = crawler(*arguments, **options)
        out, err = process.communicate(given, timeout=60)
        assert "Traceback" not in err
        return process.returncode, out, err

    return run


POLITE_ENOUGH = ("--allow-private", "--delay", "0", "--strategy", "async")


def records(path):
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def paths(lines):
    return sorted(record["url"].partition("/")[2].partition("/")[2].partition("/")[2] for record in lines)


EVERYTHING = sorted(["", *map(str, range(PAGES))])


# Options


def test_every_setting_is_an_option_with_help():
    shown = [option for option in cli.commands["crawl"].params if not getattr(option, "hidden", False)]
    options = {option.name: option for option in shown}
    assert set(options) == {setting.name.replace("-", "_") for setting in SETTINGS} | {"seeds", "config"}
    for command in cli.commands.values():
        assert command.help
        for option in command.params:
            assert isinstance(option, click.Argument) or option.hidden or option.help.endswith((".", "]")), option.name


def test_help_shows_groups_defaults_and_examples(capsys):
    assert main(["crawl", "--help"]) == 0
    out = capsys.readouterr().out
    for title in GROUPS:
        assert f"\n{title}:\n" in out
    for text in (
        "-o, --output PATH",
        "[256]",
        "[auto]",
        "--scope page|prefix|host|domain|any",
        "--allow-private [CIDR] ",
        "[64MB]",
        "sitemap:URL",
        "Examples:",
        "Exit codes",
    ):
        assert text in out


def test_version_is_told(capsys):
    assert main(["--version"]) == 0
    assert re.match(r"crawler \d+\.\d+\.\d+\S*\n", capsys.readouterr().out)


ALLOWED = [
    (["--allow-private"], True, []),
    (["--allow-private", "http://127.0.0.1/"], True, ["http://127.0.0.1/"]),
    (["http://127.0.0.1/", "--allow-private"], True, ["http://127.0.0.1/"]),
    (["--allow-private", "--depth", "1"], True, []),
    (["--allow-private", "--", "10.0.0.0/8"], True, ["10.0.0.0/8"]),
    (["--", "--allow-private"], None, ["--allow-private"]),
    (["--allow-private", "127.0.0.0/8"], ("127.0.0.0/8",), []),
    (["--allow-private", "127.0.0.0/8", "a.txt"], ("127.0.0.0/8",), ["a.txt"]),
    (["--allow-private", "10.0.0.0/8,fd00::/8", "a.txt"], ("10.0.0.0/8", "fd00::/8"), ["a.txt"]),
    (["--allow-private=10.0.0.0/8,fd00::/8"], ("10.0.0.0/8", "fd00::/8"), []),
    (["--allow-private=fd00::/8", "a.txt", "--allow-private", "10.0.0.0/8"], ("10.0.0.0/8", "fd00::/8"), ["a.txt"]),
    (["--allow-private", "10.0.0.0/8", "--allow-private"], True, []),
    (["--allow-private", "::1"], ("::1/128",), []),
    (["--allow-private=yes"], True, []),
    (["--allow-private=all"], True, []),
    (["--allow-private=no"], False, []),
    (["--no-allow-private"], False, []),
    (["--allow-private", "--no-allow-private"], False, []),
    (["--no-allow-private", "--allow-private", "10.0.0.0/8"], ("10.0.0.0/8",), []),
    (["--allow-private", "--no-allow-private", "--allow-private", "::1"], ("::1/128",), []),
    (["--user-agent", "--allow-private", "a.txt"], None, ["a.txt"]),
    (["-o", "--allow-private"], None, []),
]


@pytest.mark.parametrize(("arguments", "expected", "seeds"), ALLOWED, ids=[" ".join(case[0]) for case in ALLOWED])
def test_allow_private_takes_networks_and_nothing_else_as_its_value(arguments, expected, seeds):
    given = cli.commands["crawl"].make_context("crawl", arguments).params
    fields = from_options({name.replace("_", "-"): value for name, value in given.items()})
    assert fields.get("allow_private") == expected
    assert given["seeds"] == tuple(seeds)


@pytest.mark.parametrize(
    ("arguments", "expected", "seeds"),
    [
        (["--keep-parameters", "--max-repeats", "5"], True, []),
        (["--keep-parameters", "--quiet", "a.txt"], True, ["a.txt"]),
        (["--keep-parameters", "ref,sort", "a.txt"], ("ref", "sort"), ["a.txt"]),
    ],
)
def test_another_option_is_no_value_of_one_that_may_stand_alone(arguments, expected, seeds):
    given = cli.commands["crawl"].make_context("crawl", arguments).params
    fields = from_options({name.replace("_", "-"): value for name, value in given.items()})
    assert fields["keep_parameters"] == expected
    assert given["seeds"] == tuple(seeds)
    assert fields.get("max_repeats") == (5 if "--max-repeats" in arguments else None)


def test_help_is_quick_because_it_imports_nothing_heavy():
    code = "import sys, crawler.cli.entry as e; e.main(['crawl', '--help']); print(*sys.modules, file=sys.stderr)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = {name.partition(".")[0] for name in ran.stderr.split()}
    assert "msgspec" in loaded
    assert not loaded & {"aiohttp", "asyncio.runners", "bs4", "lxml", "requests", "rich", "rocksdict", "tldextract"}
    assert not loaded & {"turbohtml", "uvloop", "multiprocessing"}


def test_no_command_shows_the_help_and_is_wrong_usage(capsys):
    assert main([]) == ExitCode.USAGE
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Commands:\n" in captured.err


def test_the_exit_codes_in_the_documentation_are_those_of_the_program():
    rows = re.findall(r"^\| (\d) \| ", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert [int(row) for row in rows] == [code.value for code in ExitCode]


# Wrong usage: one line on standard error, exit code 2, nothing made


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["crawl"], "no seeds given: name a URL, a file of URLs, or - for standard input (or --job to resume)"),
        (["crawl", "--dpeth", "1"], "No such option '--dpeth'. (Did you mean one of: '--depth', '--expect'?)"),
        (["crwl"], "No such command 'crwl'. Did you mean `crawler crawl`? (see crawler --help)"),
        (["help"], "No such command 'help'. Did you mean `crawler --help`? (see crawler --help)"),
        (["frobnicate"], "No such command 'frobnicate'. (see crawler --help)"),
        (["https://x.example/a"], "No such command 'https://x.example/a'. Did you mean `crawler crawl https://x.exa"),
        (["seeds.txt", "--depth", "1"], "No such command 'seeds.txt'. Did you mean `crawler crawl seeds.txt`?"),
        (["crawl", "http://x/", "--depth", "deep"], "--depth: expected a whole number or 'none', not 'deep'"),
        (["crawl", "http://x/", "--depth", "-1"], "--depth must be at least 0, not -1"),
        (["crawl", "http://x/", "--scope", "all"], "Invalid value for '--scope': 'all' is not one of 'page',"),
        (["crawl", "http://x/", "--header", "hunter2"], "--header: expected a list of texts like 'Name: value'"),
        (["crawl", "http://x/", "--include", "("], "--include: '(' is not a regular expression: "),
        (
            ["crawl", "http://x/", "--allow-private", "10.1.2.3/8"],
            "--allow-private: 10.1.2.3/8 has bits set behind its prefix: write 10.0.0.0/8, or 10.1.2.3 for that",
        ),
        (
            ["crawl", "--allow-private=http://x/"],
            "--allow-private: expected true, false or networks such as 10.0.0.0/8, not 'http://x/'",
        ),
        (["crawl", "--allow-private="], "--allow-private: expected true, false or networks such as 10.0.0.0/8, not ''"),
        (["crawl", "http://x/", "--max-chain", "0"], "--max-chain must be at least 1, not 0"),
        (["crawl", "http://x/", "--header", "A: a\rhunter2"], "--header: header 'A' has a line break or NUL in it"),
        (["crawl", "htp://me:hunter2@x/"], "not an http(s) URL: 'htp://…@x/'"),
        (["crawl", "http://me:hunter2#@x/"], "not an http(s) URL: 'http://…@x/'"),
        (["crawl", "me:hunter2@x.example"], "'…@x.example' is neither an http(s) URL nor a file"),
        (["crawl", "--config", "range.toml"], "range.toml: depth must be at least 0, not -1"),
        (["crawl", "http://x/", "--fields", "a\x1b[31m"], r"--fields: 'a\x1b[31m'; choose from url, "),
        (["crawl", "http://x/", "--fields", "url,titel"], "--fields: 'titel'; did you mean 'title'? choose from url, "),
        (["crawl", "--config", "none.toml"], "cannot read the settings in none.toml: No such file or directory"),
        (["crawl", "--config", "bad.toml"], "bad.toml: unknown setting 'max-page'; did you mean 'max-pages'?"),
        (["crawl", "--config", "broken.toml"], "broken.toml is not valid TOML: "),
        (["demo", "--port", "99999"], "Invalid value for '--port': 99999 is not in the range 0<=x<=65535."),
    ],
)
def test_wrong_usage_ends_with_one_line_and_code_2(tmp_path, monkeypatch, capsys, arguments, message):
    (tmp_path / "bad.toml").write_text("max-page = 1")
    (tmp_path / "broken.toml").write_text("depth 1")
    (tmp_path / "range.toml").write_text("depth = -1")
    before = sorted(tmp_path.iterdir())
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == ExitCode.USAGE
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"crawler: error: {message}")
    assert captured.err.count("\n") == 1
    assert captured.err[:-1].isprintable()
    assert "hunter2" not in captured.err
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("name", "content", "message"),
    first_quickly(
        [
            ("none.txt", None, "no such file of seeds: 'none.txt'"),
            ("empty.txt", b"", "no seeds in empty.txt"),
            ("binary.csv", b"\x7fELF\2\1\1\0\0", "binary.csv looks binary; seeds are text files: .txt, .csv or .jsonl"),
            ("bad.txt", b"htp://x\n", "no seeds in bad.txt (bad lines: 1)"),
            (
                "half.txt.gz",
                gzip.compress(b"https://example.com/" * 99, mtime=0)[:-9],
                "half.txt.gz: damaged gzip file: ",
            ),
            (
                "example.com",
                None,
                "'example.com' is neither an http(s) URL nor a file; did you mean https://example.com ?",
            ),
            ("ftp://example.com/", None, "not an http(s) URL: 'ftp://example.com/'"),
        ],
        3,
    ),
)
def test_seeds_that_cannot_be_used_end_with_one_line_and_code_2(tmp_path, run, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    code, out, err = run("crawl", name, "--quiet")
    assert code == ExitCode.USAGE
    assert out == ""
    assert err.startswith(f"crawler: error: {message}")
    assert err.count("\n") == 1


def test_a_bad_line_is_named_and_skipped(tmp_path, run, site):
    (tmp_path / "a.txt").write_text(f"{site.url}/\nhtp://\x1b[2Jx\n")
    code, _, err = run("crawl", "a.txt", *POLITE_ENOUGH)
    assert code == ExitCode.DONE
    assert r"a.txt:2: control character in a URL: 'htp://\x1b[2Jx' (skipped; --strict to stop here)" in err
    assert "\x1b" not in err
    assert paths(records(tmp_path / "output/a/pages.jsonl")) == EVERYTHING


def test_a_bad_line_with_strict_ends_with_one_line_and_code_2(tmp_path, run, site):
    (tmp_path / "a.txt").write_text(f"{site.url}/\nhtp://x\n")
    code, _, err = run("crawl", "a.txt", "--strict", "--quiet", *POLITE_ENOUGH)
    assert code == ExitCode.USAGE
    assert err.startswith("crawler: error: a.txt:2: not an http(s) URL: 'htp://x'")
    assert err.count("\n") == 1
    assert site.asked == []


@pytest.mark.thorough
def test_twenty_bad_lines_are_named_and_the_rest_is_counted(tmp_path, run, site):
    (tmp_path / "a.txt").write_text("x\n" * 50 + f"{site.url}/0\n")
    code, _, err = run("crawl", "a.txt", "--scope", "page", *POLITE_ENOUGH)
    assert code == ExitCode.DONE
    assert len(re.findall(r"^a\.txt:\d+: ", err, re.MULTILINE)) == 20
    assert "50 bad seeds were skipped; the first 20 are named above" in err


# Crawls


def test_a_crawl_ends_with_0_and_the_same_command_finds_nothing_left(tmp_path, run, site):
    code, out, err = run("crawl", f"{site.url}/", *POLITE_ENOUGH)
    assert (code, out) == (ExitCode.DONE, "")
    job = tmp_path / f"output/127.0.0.1-{site.server_port}"
    assert paths(records(job / "pages.jsonl")) == EVERYTHING
    assert json.loads((job / "summary.json").read_text())["ended"] == "done"
    assert "\x1b" not in err
    asked = len(site.asked)
    code, _, _ = run("crawl", f"{site.url}/", *POLITE_ENOUGH)
    assert code == ExitCode.DONE
    assert paths(records(job / "pages.jsonl")) == EVERYTHING
    assert len(site.asked) == asked


def test_standard_output_gets_records_and_nothing_else(run, site):
    arguments = ["crawl", "-", "-o", "-", "--fields", "url,seed", *POLITE_ENOUGH]
    code, out, err = run(*arguments, given=json.dumps({"url": f"{site.url}/", "team": "a"}) + "\n")
    assert code == ExitCode.DONE
    lines = [json.loads(line) for line in out.splitlines()]
    assert paths(lines) == EVERYTHING
    assert all(line["seed"] == {"team": "a"} for line in lines)
    assert err


def test_quiet_prints_nothing(run, site):
    code, out, err = run("crawl", f"{site.url}/", "--quiet", *POLITE_ENOUGH)
    assert (code, out, err) == (ExitCode.DONE, "", "")


def test_option_wins_over_environment_over_file_over_default(tmp_path, run, site):
    (tmp_path / "crawl.toml").write_text(
        f'seeds = ["{site.url}/"]\njob = "a"\nfields = ["url", "title"]\nmax-pages = 1\nparsers = 1\n'
        "allow-private = true\ndelay = 0\nquiet = true\n"
    )
    env = {"CRAWLER_CONFIG": "crawl.toml", "CRAWLER_FIELDS": "url,status", "CRAWLER_MAX_PAGES": "2"}
    code, _, _ = run("crawl", "--max-pages", "3", env=env)
    assert code == ExitCode.DONE
    lines = records(tmp_path / "a/pages.jsonl")
    assert len(lines) == 3
    assert all(list(line) == ["url", "status"] for line in lines)


@pytest.mark.thorough
def test_a_larger_budget_goes_on(tmp_path, run, site):
    assert run("crawl", f"{site.url}/", "--job", "a", "--max-pages", "4", *POLITE_ENOUGH)[0] == ExitCode.DONE
    assert len(records(tmp_path / "a/pages.jsonl")) == 4
    assert run("crawl", "--job", "a", "--max-pages", "none", *POLITE_ENOUGH)[0] == ExitCode.DONE
    assert paths(records(tmp_path / "a/pages.jsonl")) == EVERYTHING


@pytest.mark.parametrize("transport", ["aiohttp", "requests"])
@pytest.mark.parametrize(
    ("content", "message"),
    first_quickly(
        [
            (None, "cannot read none.pem: No such file or directory"),
            (b"no certificate", "none.pem has no certificate"),
            (b"", "none.pem has no certificate"),
        ]
    ),
    ids=["missing", "junk", "empty"],
)
def test_a_ca_bundle_that_cannot_be_used_ends_with_one_line_and_code_2(tmp_path, run, transport, content, message):
    if content is not None:
        (tmp_path / "none.pem").write_bytes(content)
    before = sorted(tmp_path.iterdir())
    code, out, err = run("crawl", "https://localhost:1/", "--ca-bundle", "none.pem", "--transport", transport)
    assert (code, out) == (ExitCode.USAGE, "")
    assert err.startswith(f"crawler: error: --ca-bundle: {message}")
    assert err.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


def test_insecure_is_a_warning_in_one_line(run, site):
    code, _, err = run("crawl", f"{site.url}/0", "--insecure", "--scope", "page", *POLITE_ENOUGH)
    assert code == ExitCode.DONE
    warnings = [line for line in err.splitlines() if "WARNING" in line]
    assert len(warnings) == 1
    assert "--insecure: TLS certificates are not checked" in warnings[0]
    assert run("crawl", f"{site.url}/0", "--insecure", "--fresh", "--quiet", *POLITE_ENOUGH)[2] == ""


def test_a_crawl_may_be_let_into_one_network_only(tmp_path, run, site):
    seeds = [f"{site.url}/0", f"http://[::1]:{site.server_port}/0"]
    options = ["--scope", "page", "--delay", "0", "--parsers", "1", "--quiet", "--allow-private", "127.0.0.0/8"]
    assert run("crawl", *options, *seeds, "--job", "a")[0] == ExitCode.DONE
    outcomes = json.loads((tmp_path / "a/summary.json").read_text())["outcomes"]
    assert outcomes == {"fetched": 1, "skipped: private-address": 1}


@pytest.mark.thorough
def test_a_job_of_another_crawl_is_refused_with_the_choices(run, site):
    assert run("crawl", f"{site.url}/0", "--job", "a", *POLITE_ENOUGH)[0] == ExitCode.DONE
    code, _, err = run("crawl", f"{site.url}/1", "--job", "a", *POLITE_ENOUGH)
    assert code == ExitCode.USAGE
    assert err.startswith("crawler: error: job a was begun with other settings (seeds are others than before)")
    assert "--job" in err
    assert "--fresh" in err


def test_no_page_fetched_ends_with_3_and_its_reason_even_if_quiet(run):
    code, _, err = run("crawl", "http://127.0.0.1/", "--quiet")
    assert code == ExitCode.NO_PAGE
    why = "skipped: private-address (1); the seeds are on loopback or private addresses: run again with --allow-private"
    assert err.startswith(f"crawler: error: no page was fetched: {why}")
    assert err.count("\n") == 1


def test_a_variable_that_is_no_setting_is_named(run, site):
    env = {"CRAWLER_MAXPAGES": "1", "CRAWLER_QWERTY": "1", "CRAWLER_DEPTH": "0", "CRAWLER_SCOPE": ""}
    _, _, err = run("crawl", f"{site.url}/", *POLITE_ENOUGH, env=env)
    assert err.splitlines()[0] == (
        "crawler: note: the variable CRAWLER_MAXPAGES is no setting; did you mean CRAWLER_MAX_PAGES ?; "
        "the variable CRAWLER_QWERTY is no setting"
    )


def slow_pages(site):
    return sum(path.startswith("/slow/") and path != "/slow/" for path in site.asked)


@pytest.mark.parametrize("number", first_quickly([signal.SIGINT, signal.SIGTERM]), ids=lambda number: number.name)
def test_the_first_signal_drains_and_ends_with_4_and_the_crawl_goes_on_later(tmp_path, crawler, run, site, number):
    arguments = ["crawl", f"{site.url}/slow/", "--job", "a", "--per-host", "2", *POLITE_ENOUGH]
    process = crawler(*arguments)
    wait_until(lambda: slow_pages(site) == 2)
    process.send_signal(number)
    for line in process.stderr:
        if line.startswith("stopping: finishing 2 requests; press Ctrl-C again to stop at once"):
            break
    site.gate.set()
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == ExitCode.INTERRUPTED
    assert slow_pages(site) == 2
    assert len(records(tmp_path / "a/pages.jsonl")) == 3
    assert run(*arguments)[0] == ExitCode.DONE
    assert paths(records(tmp_path / "a/pages.jsonl")) == sorted(["slow/", *(f"slow/{n}" for n in range(PAGES))])


def test_the_second_signal_waits_for_no_request_and_the_crawl_goes_on_later(tmp_path, crawler, run, site):
    """The requests would take an hour."""
    arguments = ["crawl", f"{site.url}/slow/", "--job", "a", "--per-host", "2", "--timeout", "3600", *POLITE_ENOUGH]
    process = crawler(*arguments)
    wait_until(lambda: slow_pages(site) == 2)
    process.send_signal(signal.SIGINT)
    next(line for line in process.stderr if line.startswith("stopping: "))
    process.send_signal(signal.SIGINT)
    process.wait(timeout=PATIENCE_S)
    assert not site.gate.is_set()
    assert process.returncode == ExitCode.INTERRUPTED
    site.gate.set()
    assert run(*arguments)[0] == ExitCode.DONE
    assert paths(records(tmp_path / "a/pages.jsonl")) == sorted(["slow/", *(f"slow/{n}" for n in range(PAGES))])


def test_ctrl_c_twice_on_a_terminal_leaves_it_usable(crawler, site):
    with PseudoTerminal() as terminal:
        process = crawler(
            *["crawl", f"{site.url}/slow/", "--job", "a", "--per-host", "2", *POLITE_ENOUGH],
            stderr=terminal.slave,
            env={"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"},
        )
        terminal.started()
        try:
            wait_until(lambda: slow_pages(site) == 2 and HIDE_CURSOR in terminal.seen)
            process.send_signal(signal.SIGINT)
            wait_until(lambda: b"stopping: finishing 2 requests" in terminal.seen)
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=PATIENCE_S) == ExitCode.INTERRUPTED
        finally:
            process.kill()
    assert terminal.seen.rfind(SHOW_CURSOR) > terminal.seen.rfind(HIDE_CURSOR)


def test_a_reader_that_closes_the_pipe_is_no_error(crawler, site):
    process = crawler("crawl", f"{site.url}/slow/", "-o", "-", "--per-host", "1", "--quiet", *POLITE_ENOUGH)
    assert json.loads(process.stdout.readline())["url"] == f"{site.url}/slow/"
    process.stdout.close()
    site.gate.set()
    assert process.wait(timeout=PATIENCE_S) == ExitCode.INTERRUPTED
    assert process.stderr.read() == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    first_quickly(
        [
            (["-o", "file/pages.jsonl"], "cannot write file/pages.jsonl: "),
            (["--job", "file/job"], "cannot write the job folder file/job: Not a directory"),
            (["-o", "/dev/full"], "cannot write /dev/full: "),
        ]
    ),
)
def test_output_that_cannot_be_written_ends_with_one_line_and_code_5(tmp_path, run, site, arguments, message):
    (tmp_path / "file").write_text("x")
    code, out, err = run("crawl", f"{site.url}/", "--quiet", *arguments, *POLITE_ENOUGH)
    assert (code, out) == (ExitCode.STORAGE, "")
    assert err.startswith(f"crawler: error: {message}")
    assert err.count("\n") == 1


@pytest.mark.thorough
def test_a_full_disk_ends_with_5_and_loses_nothing(tmp_path, crawler, run, site):
    arguments = ["crawl", f"{site.url}/", "--job", "a", "-o", "-", "--quiet", *POLITE_ENOUGH]
    with open("/dev/full", "wb") as full:
        process = crawler(*arguments, stdout=full)
        _, err = process.communicate(timeout=60)
    assert process.returncode == ExitCode.STORAGE
    assert err.startswith("crawler: error: cannot write standard output: No space left on device; make room")
    assert err.count("\n") == 1
    code, out, _ = run(*arguments)
    assert code == ExitCode.DONE
    assert paths(json.loads(line) for line in out.splitlines()) == EVERYTHING


@pytest.mark.thorough
def test_closed_standard_descriptors_do_no_harm(tmp_path, site):
    command = f"exec '{sys.executable}' -m crawler crawl {site.url}/ --job a {' '.join(POLITE_ENOUGH)}"
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    ran = subprocess.run(f"{command} <&- >&- 2>&-", shell=True, cwd=tmp_path, env=env, check=False, timeout=60)
    assert ran.returncode == ExitCode.DONE
    assert paths(records(tmp_path / "a/pages.jsonl")) == EVERYTHING
    ran = subprocess.run(
        f"{command} -o - >&-", shell=True, cwd=tmp_path, env=env, check=False, timeout=60, stderr=subprocess.PIPE
    )
    assert ran.returncode == ExitCode.USAGE
    assert ran.stderr == b"crawler: error: --output -: standard output is closed\n"


def test_an_unexpected_error_is_one_line_with_code_1_and_a_traceback_on_request(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("crawler.cli.commands.crawl.combine", lambda *_: {}["x\n\x1b"])
    assert main(["crawl", "https://example.com/"]) == ExitCode.ERROR
    err = capsys.readouterr().err
    assert err.startswith(r"crawler: error: unexpected KeyError: 'x\n\x1b' (--log-level debug shows where;")
    assert err.count("\n") == 1


def test_a_message_from_outside_stays_one_line_of_the_log(capsys):
    logger = logging.Logger("test", logging.INFO)  # noqa: LOG001  one that no other test shares
    logger.addHandler(LogLines(Terminal()))
    logger.info("server said %s", "a\n2026-01-01 00:00:00 INFO all is well\x1b[2J")
    err = capsys.readouterr().err
    assert err.endswith(r" INFO server said a\n2026-01-01 00:00:00 INFO all is well\x1b[2J" + "\n")
    assert err.count("\n") == 1


def test_debug_shows_where_an_error_came_from(tmp_path, crawler):
    process = crawler("crawl", "none.txt", "--log-level", "debug")
    _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == ExitCode.USAGE
    assert "Traceback (most recent call last):" in err
    assert err.endswith("crawler: error: no such file of seeds: 'none.txt'\n")
