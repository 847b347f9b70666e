"""Passwords, tokens and cookies go to whom they are meant for, and nowhere else: not into logs, records or the store.

Every secret of these tests has the same word in it. Whatever a crawl leaves behind or prints is searched for it.
"""

import base64
import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.patience import wait_until
from tests.support.ports import closed_port
from tests.support.processes import end_groups
from tests.support.store_rows import store_rows
from tests.support.thorough import first_quickly

ROOT = Path(__file__).parents[2]
MARK = "hunter2"
TOKEN, API_KEY = f"Bearer {MARK}-token", f"{MARK}-key"
PAGES = 20
BAD_HEADERS = (
    "Set-Cookie: {}\0",
    "Set-Cookie: {}\1",
    "Set-Cookie {}",
    "Set-Cookie : {}",
    "Set-Cookie\1: {}",
    " Set-Cookie: {}",
    "Content-Length: {}",
    "Transfer-Encoding: {}",
    "Content-Encoding: {}",
    "Set-Cookie: " + 20_000 * "{0}",
)
"""Heads that a client may quote when it complains about them."""
SEARCHED = [MARK.encode(), MARK.upper().encode()]
# What HTTP Basic makes of "name:password" depends on where in three bytes the password begins.
SEARCHED += [base64.b64encode(b"x" * at + MARK.encode())[3 if at else 0 : -4] for at in range(3)]


class Site(BaseHTTPRequestHandler):
    """Pages with secrets in links and headers. `/slow/…` waits for the server's `gate`; `asked` has all requests."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        server.asked.append((self.path, dict(self.headers)))
        me, other = (f"http://user:{MARK}-link@127.0.0.1:{port}" for port in (server.server_port, server.other_port))
        dead = f"http://user:{MARK}-dead@127.0.0.1"
        links = [
            f"{me}/page",
            *(f"{me}/slow/{number}" for number in range(PAGES)),
            f"{other}/page",
            f"{dead}:{server.closed_port}/",
            f"{dead}:99999/",  # no URL
            f"http://user:{MARK}-dead@nowhere.invalid/",
            "/redirect",
            "/loop",
            "/away",
            "/malformed",
            "/refresh",
            "/reset",
            "/junk",
            *(f"/bad-header/{number}" for number in range(len(BAD_HEADERS))),
        ]
        match self.path:
            case "/":
                canonical = f"<link rel=canonical href='{me}/'><base href='{me}/'>"
                self.answer(200, canonical + "".join(f'<a href="{link}">x</a>' for link in links))
            case "/redirect":
                self.answer(302, location=f"{me}/target")
            case "/loop":
                self.answer(302, location=f"{me}/loop")
            case "/away":
                self.answer(302, location=f"{other}/target")
            case "/malformed":
                self.answer(302, location=f"{dead}:99999/")
            case "/refresh":
                self.answer(200, f'<meta http-equiv=refresh content="0; url={me}/refreshed">')
            case "/reset":
                self.close_connection = True
            case "/junk":
                self.wfile.write(b"HTTP/1.1 what\r\n\r\n")
                self.close_connection = True
            case path if path.startswith("/bad-header/"):
                head = BAD_HEADERS[int(path.rpartition("/")[2])].format(server.cookie)
                self.wfile.write(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode())
                self.close_connection = True
            case "/robots.txt":
                self.answer(404)
            case _:
                if self.path.startswith("/slow/"):
                    server.gate.wait(30)
                self.answer(200, "<title>A page</title>")

    def answer(self, status, text="", location=""):
        body = text.encode()
        with contextlib.suppress(OSError):
            self.send_response(status)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Set-Cookie", f"{self.server.cookie}; Path=/")
            self.send_header("X-Debug", f"{MARK}-response")
            if location:
                self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@contextlib.contextmanager
def serving():
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        server.daemon_threads = True
        server.block_on_close = False
        server.asked = []
        server.other_port = server.closed_port = 0
        server.cookie = f"session={MARK}-{server.server_port}"
        server.gate = threading.Event()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.gate.set()
            server.shutdown()
            thread.join()


@pytest.fixture
def sites():
    """The site of the seeds, another one, and one that plays a proxy."""
    with serving() as site, serving() as other, serving() as proxy, closed_port() as closed:
        site.other_port, other.other_port = other.server_port, site.server_port
        site.closed_port = other.closed_port = closed
        other.gate.set()
        yield site, other, proxy


@pytest.fixture
def start(tmp_path, sites):
    """Return a function that starts the crawler in the empty folder `left`; the secrets lie in `given` and in
    variables.
    """
    site, _, proxy = sites
    (tmp_path / "left").mkdir()
    given = tmp_path / "given"
    given.mkdir()
    (given / ".netrc").write_text(f"machine 127.0.0.1 login me password {MARK}-netrc\ndefault login me password {MARK}")
    (given / ".netrc").chmod(0o600)
    (given / "seeds.txt").write_text(
        f"http://user:{MARK}-seed@127.0.0.1:{site.server_port}/\n"
        f"htp://user:{MARK}-scheme@127.0.0.1/\n"
        f"http://user:{MARK}-port@127.0.0.1:99999/\n"
        f"http://user:a#{MARK}-hash@127.0.0.1/\n"
        f"user:{MARK}-bare@127.0.0.1\n"
    )
    (given / "crawl.toml").write_text(
        f'header = ["Authorization: {TOKEN}", "X-Api-Key: {API_KEY}"]\ncookies = true\nscope = "any"\n'
        'allow-private = true\ndelay = 0\nparsers = 1\nretries = 0\nlog-level = "debug"\njob = "../left/job"\n'
        "give-up-after = 1\nfail-unreachable = true\n"
    )
    through = f"http://user:{MARK}-proxy@127.0.0.1:{proxy.server_port}"
    env = {name: value for name, value in os.environ.items() if not name.startswith("CRAWLER_")}
    env |= dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"), through)
    env |= {"PYTHONPATH": str(ROOT), "HOME": str(given), "NETRC": str(given / ".netrc")}
    env |= {"NO_PROXY": "", "no_proxy": "", "CRAWLER_CONFIG": "../given/crawl.toml"}
    processes = []

    def start(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-m", "crawler", "crawl", *arguments],
            cwd=tmp_path / "left",
            env=env,
            start_new_session=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        processes.append(process)
        return process

    yield start
    end_groups(processes)


def leaks(name: str, content: bytes) -> list[str]:
    """Where a secret stands in `content`, with what is around it."""
    return [f"{name}: …{content[max(0, at - 60) : at + 60]!r}…" for word in SEARCHED if (at := content.find(word)) >= 0]


def left_behind(folder: Path) -> list[str]:
    """Every secret in the files below `folder` and in the rows of the stores there."""
    found = []
    for path in sorted(folder.rglob("*")):
        found += leaks(str(path.relative_to(folder)), str(path).encode() if path.is_dir() else path.read_bytes())
    for current in folder.rglob("CURRENT"):
        found += itertools.chain.from_iterable(leaks("row", row) for row in store_rows(current.parent))
    return found


def told(process) -> list[str]:
    """What a program printed of the secrets, once it has ended."""
    out, err = process.communicate(timeout=60)
    return leaks("stdout", out) + leaks("stderr", err)


@pytest.mark.parametrize("transport", first_quickly(["aiohttp", "requests"]))
def test_no_secret_is_left_behind_or_printed_by_a_crawl_that_is_killed_and_resumed(tmp_path, sites, start, transport):
    site, other, proxy = sites
    left = tmp_path / "left"
    command = ["../given/seeds.txt", "--transport", transport]
    records = left / "job/pages.jsonl"

    killed = start(*command)
    wait_until(lambda: any(path.startswith("/slow/") for path, _ in site.asked))
    wait_until(lambda: records.exists() and records.stat().st_size > 0)
    os.killpg(killed.pid, signal.SIGKILL)
    assert told(killed) == []
    assert left_behind(left) == []

    site.gate.set()
    resumed = start(*command)
    assert told(resumed) == []
    assert resumed.returncode == 0
    assert left_behind(left) == []

    # It was a real crawl: each of these went its way.
    outcomes = json.loads((left / "job/summary.json").read_text())["outcomes"]
    assert outcomes["fetched"] >= PAGES + 5
    assert outcomes["redirected"] >= 3
    assert outcomes["failed: host-down"] >= 1
    assert sum(number for kind, number in outcomes.items() if kind.startswith("failed")) >= 4
    urls = [json.loads(line)["url"] for line in records.read_bytes().splitlines()]
    assert len(set(urls)) == len(urls)
    for path in ("/page", "/target", "/slow/0", "/refreshed"):
        assert f"http://127.0.0.1:{site.server_port}{path}" in urls

    # And the secrets went to those that they are for.
    assert proxy.asked == []
    for path, headers in other.asked:
        assert headers.get("Cookie") in (None, other.cookie)
        assert leaks(path, repr({**headers, "Cookie": ""}).encode()) == []
    assert {path for path, _ in other.asked} >= {"/page", "/target"}
    pages = [headers for path, headers in site.asked if path != "/robots.txt"]
    assert all(headers["Authorization"] == TOKEN and headers["X-Api-Key"] == API_KEY for headers in pages)
    assert any(headers.get("Cookie") == site.cookie for headers in pages)
    for headers in [headers for path, headers in site.asked if path == "/robots.txt"]:
        assert leaks("robots.txt", repr(headers).encode()) == []


def test_seeds_of_standard_input_leave_no_password_behind(tmp_path, sites, start):
    site, _, _ = sites
    process = start("-", "--scope", "page")
    process.stdin.write(f"http://user:{MARK}-stdin@127.0.0.1:{site.server_port}/page\n".encode())
    process.stdin.write(f"htp://user:{MARK}-bad@127.0.0.1/\n".encode())
    assert told(process) == []
    assert process.returncode == 0
    assert left_behind(tmp_path / "left") == []


@pytest.mark.parametrize(
    ("toml", "arguments"),
    first_quickly(
        [
            ("", [f"htp://user:{MARK}@127.0.0.1/"]),
            ("", [f"http://user:{MARK}@127.0.0.1:99999/"]),
            ("", [f"http://user:{MARK}/@127.0.0.1:x/"]),
            ("", [f"user:{MARK}@example.com"]),
            ("", [f"sitemap:htp://user:{MARK}@127.0.0.1/"]),
            ("", [f"sitemap:http://user:{MARK}@127.0.0.1:99999/"]),
            ("", ["http://x.invalid/", "--header", f"Authorization {MARK}"]),
            ("", ["http://x.invalid/", "--header", f"Authorization: a\r{MARK}"]),
            ("", ["http://x.invalid/", "--header", f"Authorization: {MARK}", "--depth", "x"]),
            ("", ["../given/seeds.txt", "--strict", "--depth", "0", "--quiet"]),
            (f'header = "Authorization {MARK}"', []),
            (f'header = ["Authorization: {MARK}", 1]', []),
            (f'header = {{Authorization = "{MARK}"}}', []),
            (f'header = "Authorization: {MARK}" x', []),
            (f'header = "Authorization: {MARK}\n"', []),
            (f'seeds = ["http://user:{MARK}@127.0.0.1:99999/"]', []),
            (f'seeds = ["http://user:{MARK}@127.0.0.1/", 1]', []),
            (f'seed = "http://user:{MARK}@127.0.0.1/"', []),
        ],
        5,
    ),
)
def test_no_message_about_a_mistake_shows_a_secret_nor_does_its_traceback(tmp_path, start, toml, arguments):
    if toml:
        (tmp_path / "given/wrong.toml").write_text(toml)
        arguments = ["--config", "../given/wrong.toml"]
    process = start(*arguments, "--log-level", "debug")
    _, err = process.communicate(timeout=60)
    assert leaks("stderr", err) == []
    assert err
    assert process.returncode == 2
    assert left_behind(tmp_path / "left") == []
