"""The demo server says what the model says, and ends when it should."""

import contextlib
import gzip
import http.client
import os
import re
import signal
import subprocess
import sys
import time

import ada_url
import psutil
import pytest

from crawler.cli.demo.process import DemoServer
from crawler.cli.demo.server import main as serve_main
from crawler.cli.demo.site import Site
from crawler.cli.entry import main
from crawler.cli.exit_code import ExitCode
from crawler.core.errors import UsageError


@pytest.fixture(scope="module")
def server():
    with DemoServer() as running:
        yield running


def get(port, host, target, method="GET"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(connection):
        connection.request(method, target, headers={"Host": f"{host}:{port}"})
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()


@pytest.mark.thorough
def test_the_server_answers_as_the_model_says_for_each_kind(server):
    site = Site(server.port)
    checked = set()
    for url in site.outcomes():
        resource = site.resource(url)
        if resource is None or resource.kind in checked or resource.kind in {"cut", "429-then-200", "503-then-200"}:
            continue
        checked.add(resource.kind)
        host, target = split(url)
        answer = site.answer(host, target)
        status, headers, body = get(server.port, host, target)
        assert (status, body) == (answer.status, answer.body), url
        for name, value in answer.headers:
            assert headers[name] == value, url
    assert len(checked) > 30


def test_answers_come_as_late_as_the_server_is_told():
    with DemoServer(latency_s=0.2) as late:
        get(late.port, "site01.localhost", "/")  # which may wait until the site is built
        started = time.monotonic()
        assert get(late.port, "site01.localhost", "/")[0] == 200
        assert time.monotonic() - started >= 0.2


def test_a_page_that_is_busy_first_answers_the_second_time(server):
    host = "site03.localhost"
    status, headers, _ = get(server.port, host, "/radar/live")
    assert (status, headers["Retry-After"]) == (429, "1")
    assert get(server.port, host, "/radar/live")[0] == 200
    assert [get(server.port, host, "/radar/archive")[0] for _ in range(3)] == [503, 200, 200]
    assert {get(server.port, "site04.localhost", "/box-office")[0] for _ in range(4)} == {503}


def test_an_unfinished_page_promises_more_than_it_sends(server):
    with pytest.raises(http.client.IncompleteRead):
        get(server.port, "site06.localhost", "/reviews/unfinished")


@pytest.mark.thorough
def test_slow_pages_are_slow(server):
    for host, target, least in (
        ("site05.localhost", "/departures/1", 0.5),
        ("site05.localhost", "/departures/ticker", 2),
    ):
        began = time.monotonic()
        get(server.port, host, target)
        assert least <= time.monotonic() - began < 20 * least


def test_unknown_hosts_and_other_methods_are_refused(server):
    assert get(server.port, "example.com", "/")[0] == 421
    assert get(server.port, "site01.localhost", "/", "POST")[0] == 405
    assert get(server.port, "site01.localhost", "/", "HEAD")[::2] == (200, b"")


def test_one_host_compresses_its_pages(server):
    site = Site(server.port)
    article = next(
        url for url in site.outcomes() if "site12" in url and "/bread/" in url and site.resource(url).kind == "article"
    )
    _, headers, body = get(server.port, *split(article))
    assert headers["Content-Encoding"] == "gzip"
    assert b"</html>" in gzip.decompress(body)


def test_the_server_ends_with_its_block():
    with DemoServer() as running:
        port, pid = running.port, running.pid
        assert get(port, "site01.localhost", "/")[0] == 200
    assert running.pid is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_port_that_is_taken_is_one_clear_error(server):
    with pytest.raises(UsageError, match=f"port {server.port} on 127.0.0.1 is taken"), DemoServer(server.port):
        pass
    assert serve_main(["--port", str(server.port)]) == 3


def test_the_server_ends_when_its_parent_is_killed():
    code = (
        "import time\nfrom crawler.cli.demo.process import DemoServer\n"
        "with DemoServer() as server:\n    print(server.port, server.pid, flush=True)\n    time.sleep(3600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        port, pid = map(int, parent.stdout.readline().split())
        assert get(port, "site01.localhost", "/about")[0] == 200
        server = psutil.Process(pid)
        parent.kill()
    assert psutil.wait_procs([server], timeout=60)[0] == [server]


def test_ctrl_c_leaves_the_server_to_a_crawl_that_drains():
    with DemoServer() as running:
        os.kill(running.pid, signal.SIGINT)
        time.sleep(0.1)
        assert get(running.port, "site01.localhost", "/about")[0] == 200


def test_a_person_may_have_the_site_alone_until_ctrl_c():
    command = [sys.executable, "-m", "crawler", "demo", "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as served:
        port = int(
            re.search(r"Serving http://site01\.localhost:(\d+)/ to .*; Ctrl-C ends it", served.stdout.readline())[1]
        )
        assert get(port, "site01.localhost", "/about")[0] == 200
        served.send_signal(signal.SIGINT)
        assert served.wait(timeout=60) == 0


def test_a_port_that_is_taken_is_wrong_usage(server, capfd):
    assert main(["demo", "--serve", "--port", str(server.port)]) == ExitCode.USAGE
    assert "choose another --port" in capfd.readouterr().err


def split(url):
    parsed = ada_url.URL(url)
    return parsed.hostname, parsed.pathname + parsed.search
