"""`crawler try`: one page, read as a crawl would do it, with its records, links and times."""

import asyncio
import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from crawler.cli.entry import main
from crawler.cli.exit_code import ExitCode
from tests.fetcher.transport.raw_server import RawServer, page, says
from tests.support.ports import closed_port
from tests.support.servers import HANG, Answer, LocalServer, html

ROOT = Path(__file__).parents[2]

SITE = {
    "/": Answer(html("/a", "/b", "http://other.example/", title="Home")),
    "/many": Answer(html(*(f"/{n}" for n in range(40)), text="word " * 200)),
    "/moved": Answer(status=301, headers={"location": "/there"}),
    "/there": Answer(status=302, headers={"location": "/"}),
    "/loop": Answer(status=302, headers={"location": "/loop"}),
    "/nowhere": Answer(status=302, headers={"location": "ftp://x/"}),
    "/missing": Answer("gone", status=404),
    "/private/x": Answer(html(title="secret")),
    "/steer": Answer("<title>\x1b[31m\u202ered</title>"),
}
ROBOTS = Answer("User-agent: *\nDisallow: /private/", headers={"content-type": "text/plain"})


@pytest.fixture
def site():
    answers = {**SITE, "/robots.txt": ROBOTS}
    with LocalServer(lambda host, path: answers.get(path, Answer(status=404))) as server:
        yield server


@pytest.fixture
def spiders(tmp_path, monkeypatch) -> Path:
    (tmp_path / "try_spiders.py").write_text(
        textwrap.dedent("""
            def parse(page):
                yield {"title": page.title, "words": len(page.visible_text.split())}
                yield {"soup": page.soup.title.string}
                yield page.follow(css="a[href='/b'], a[href^='http']")

            def fails(page):
                yield {"first": 1}
                raise KeyError("no such thing")

            def sets(page):
                return {"tags": {1}}

            def nothing(page):
                pass
        """)
    )
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("try_spiders", None)


def tried(capsys, *arguments: str) -> tuple[int, str]:
    code = main(["try", *arguments, "--allow-private"])
    said = capsys.readouterr()
    assert [line for line in said.err.splitlines() if "this process stood still" not in line] == []
    return code, said.out


def records(text: str) -> list[dict]:
    decoder = json.JSONDecoder()
    return [decoder.raw_decode(text, match.start())[0] for match in re.finditer(r"^\{", text, re.MULTILINE)]


def steps(text: str) -> list[str]:
    return re.findall(r"^ +[\d.]+ ms  (\S+)", text, re.MULTILINE)


def test_the_help_lists_the_options_that_there_are(capsys):
    assert main(["try", "--help"]) == ExitCode.DONE
    assert "--spider" in capsys.readouterr().out


def test_a_spider_is_tried_on_a_page_of_a_server(site, spiders, capsys):
    code, text = tried(capsys, site.url(), "--spider", "try_spiders:parse")
    assert code == ExitCode.DONE
    assert f"200 {site.url()} (" in text
    assert "2 records" in text
    assert records(text) == [{"title": "Home", "words": 3}, {"soup": "Home"}]
    assert "1 link to follow, 1 skipped" in text
    assert f"  follow  {site.url('/b')}" in text
    assert "  skipped: scope  http://other.example/" in text
    assert steps(text) == ["robots.txt", "download", "import", "page", "spider"]


def test_without_a_spider_the_record_of_a_crawl_is_shown(site, capsys):
    code, text = tried(capsys, site.url())
    assert code == ExitCode.DONE
    (record,) = records(text)
    assert (record["title"], record["depth"], record["links"][0]) == ("Home", 0, site.url("/a"))
    assert steps(text) == ["robots.txt", "download", "page"]


def test_fields_are_tried_too(site, capsys):
    code, text = tried(capsys, site.url(), "--select", "t=title", "--select", "n[]=a")
    assert (code, records(text)) == (
        ExitCode.DONE,
        [{"url": site.url(), "seed": None, "t": "Home", "n": ["/a", "/b", "http://other.example/"]}],
    )
    assert steps(text)[-1] == "fields"


def test_robots_txt_holds_and_can_be_ignored(site, capsys):
    code, text = tried(capsys, site.url("/private/x"))
    assert code == ExitCode.NO_PAGE
    assert f"skipped: robots: the robots.txt of http://127.0.0.1:{site.port} does not allow it (status 200)" in text
    assert ("127.0.0.1:" + str(site.port), "/private/x") not in site.requests
    code, text = tried(capsys, site.url("/private/x"), "--robots", "ignore")
    assert (code, records(text)[0]["title"], steps(text)[0]) == (ExitCode.DONE, "secret", "download")


def test_a_robots_txt_that_cannot_be_had_allows_nothing(capsys):
    with LocalServer(lambda host, path: Answer(status=503)) as server:
        code, text = tried(capsys, server.url())
    assert code == ExitCode.NO_PAGE
    assert "cannot be had (status 503)" in text


@pytest.mark.parametrize("robots", ["obey", "ignore"])
def test_private_addresses_are_refused_as_in_a_crawl(site, capsys, robots):
    assert main(["try", site.url(), "--robots", robots]) == ExitCode.NO_PAGE
    said = capsys.readouterr().out
    assert said.startswith("skipped: private-address: ")
    assert "--allow-private" in said
    assert not site.requests


def test_redirects_are_followed_and_shown(site, capsys):
    code, text = tried(capsys, site.url("/moved"))
    assert code == ExitCode.DONE
    assert text.splitlines()[:2] == [f"redirected: {site.url('/moved')}", f"redirected: {site.url('/there')}"]
    (record,) = records(text)
    assert record["redirected_from"] == [site.url("/moved"), site.url("/there")]


@pytest.mark.parametrize("path", ["/loop", "/nowhere"])
def test_redirects_that_lead_nowhere_are_a_failure(site, capsys, path):
    code, text = tried(capsys, site.url(path))
    assert (code, "failed: redirects: status 302 to " in text) == (ExitCode.NO_PAGE, True)


def test_redirects_share_one_deadline(capsys):
    """Each hop is well within --timeout, all of them are five times as long."""
    hops, timeout_s = 10, 1.0

    def respond(_host, path):
        number = int(path.removeprefix("/"))
        moved = Answer(status=302, headers={"location": f"/{number + 1}"}, delay_s=timeout_s / 2)
        return moved if number < hops else Answer(html(title="Home"))

    with LocalServer(respond) as server:
        code, text = tried(capsys, server.url("/0"), "--robots", "ignore", "--timeout", str(timeout_s))
        asked = sum(server.requests.values())
    assert code == ExitCode.NO_PAGE
    assert text.splitlines()[-2].startswith("failed: timeout: ")
    assert text.count("redirected: ") == asked - ("no complete headers" in text)
    assert asked <= hops / 2


def test_a_crawl_delay_is_waited_for(capsys):
    robots = Answer("User-agent: *\nCrawl-delay: 1", headers={"content-type": "text/plain"})
    with LocalServer(lambda _host, path: robots if path == "/robots.txt" else Answer(html(title="x"))) as server:
        code, text = tried(capsys, server.url())
        (starts,) = server.starts.values()
    assert (code, steps(text)[:2]) == (ExitCode.DONE, ["robots.txt", "download"])
    assert starts[1] - starts[0] >= 0.9  # as the server sees it, which may be late for the first


def test_a_host_that_wants_a_long_pause_gets_it_and_the_user_is_told(capsys, monkeypatch):
    monkeypatch.setattr("crawler.fetcher.hosts._VERY_LONG_WAIT_S", 0.2)
    robots = Answer("User-agent: *\nCrawl-delay: 1", headers={"content-type": "text/plain"})
    with LocalServer(lambda _host, path: robots if path == "/robots.txt" else Answer(html(title="x"))) as server:
        code = main(["try", server.url(), "--allow-private"])
        (starts,) = server.starts.values()
    said = capsys.readouterr()
    assert (code, records(said.out)[0]["title"]) == (ExitCode.DONE, "x")
    assert "wants no request for another 1 s: waiting" in said.err
    assert starts[1] - starts[0] >= 0.9  # as the server sees it, which may be late for the first


def test_a_redirect_to_another_origin_is_followed_and_its_robots_txt_asked_for(capsys):
    """Wherever it leads; the look-up of a name and each robots.txt count where they belong."""
    with LocalServer(lambda _host, path: Answer(status=404) if "robots" in path else Answer(html(title="x"))) as there:
        moved = Answer(status=301, headers={"location": there.url("/x", "localhost")})
        with LocalServer(lambda _host, path: Answer(status=404) if "robots" in path else moved) as here:
            code, text = tried(capsys, here.url(), "--scope", "page", "--exclude", "x")
    assert (code, records(text)[0]["title"], records(text)[0]["depth"]) == (ExitCode.DONE, "x", 0)
    assert steps(text)[:2] == ["robots.txt", "download"]
    assert there.requests[f"localhost:{there.port}", "/robots.txt"] == 1


def test_a_server_that_is_not_there_is_named_as_the_cause_with_what_to_do(capsys):
    """And not that its robots.txt cannot be had."""
    with closed_port() as port:
        code, text = tried(capsys, f"http://127.0.0.1:{port}/")
    assert (code, text.splitlines()[0]) == (ExitCode.NO_PAGE, "failed: connect: Connection refused")
    assert "check host and port" in text


async def test_each_cause_has_its_name_and_its_remedy(capsys):
    """A name that nobody has, silence, a certificate, and TLS on a port of plain HTTP."""
    plain = says(b"HTTP/1.1 400 plain HTTP\r\n\r\n", end="close")
    with LocalServer(lambda _host, _path: HANG) as silent:
        async with RawServer(says(page()), certificate="self") as tls, RawServer(plain) as no_tls:
            no_tls.head = lambda reader: reader.read(1)
            for url, cause, advice in (
                ("http://nobody.invalid/", "failed: dns: nobody.invalid: ", "check the spelling"),
                (silent.url(), "failed: timeout: ", "--timeout S waits longer"),
                (tls.url("/", "localhost", "https"), "failed: tls: self-signed: ", "--ca-bundle FILE trusts further"),
                (no_tls.url("/", "localhost", "https"), "failed: tls: wrong version", "http:// rather than https:// ?"),
            ):
                code, text = await asyncio.to_thread(tried, capsys, url, "--timeout", "2")
                assert (code, text.startswith(cause), advice in text) == (ExitCode.NO_PAGE, True, True), text


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("example.com", "'example.com' is neither an http(s) URL nor a file; did you mean https://example.com ?"),
        ("localhost:8000/a", "did you mean http://localhost:8000/a ?"),
        ("./saved", "no such file of HTML: './saved'"),
    ],
)
def test_what_is_neither_url_nor_file_is_told_with_what_may_be_meant(capsys, page, message):
    assert main(["try", page]) == ExitCode.USAGE
    assert message in capsys.readouterr().err


def test_what_a_robots_txt_leads_to_is_no_page(capsys):
    """Many sites send who asks for it to their home page."""
    answers = {"/robots.txt": Answer(status=302, headers={"location": "/"}), "/": Answer(html(title="Home"))}
    with LocalServer(lambda _host, path: answers[path]) as server:
        code, text = tried(capsys, server.url())
    assert (code, server.requests.total()) == (ExitCode.DONE, 3)
    assert steps(text)[:2] == ["robots.txt", "download"]


def test_a_server_that_is_not_there_is_a_failure(capsys):
    with closed_port() as port:
        code, text = tried(capsys, f"http://127.0.0.1:{port}/", "--robots", "ignore")
    assert (code, text.startswith("failed: connect: ")) == (ExitCode.NO_PAGE, True)


def test_a_page_without_success_is_shown_as_not_read(site, spiders, capsys):
    code, text = tried(capsys, site.url("/missing"), "--spider", "try_spiders:parse")
    assert code == ExitCode.DONE
    assert "0 records (only pages with a 2xx status are read; this one has 404)" in text


def test_an_exception_is_shown_with_the_lines_of_the_spider_alone(site, spiders, capsys):
    code, text = tried(capsys, site.url(), "--spider", "try_spiders.py:fails")
    assert code == ExitCode.ERROR
    assert 'raise KeyError("no such thing")' in text
    assert "the page would end as  failed: parser-error: KeyError" in text
    assert str(ROOT / "crawler") not in text


def test_a_record_that_cannot_be_written_is_named(site, spiders, capsys):
    code, text = tried(capsys, site.url(), "--spider", "try_spiders:sets")
    assert code == ExitCode.ERROR
    assert "failed: record: set in .tags" in text


def test_a_spider_that_follows_nothing_is_told_how(site, spiders, capsys):
    _, text = tried(capsys, site.url(), "--spider", "try_spiders:nothing")
    assert "0 records" in text
    assert "a spider follows what it yields with page.follow()" in text


def test_a_wrong_spider_is_refused_before_anybody_is_asked(site, spiders, capsys):
    assert main(["try", site.url(), "--spider", "try_spiders:pars", "--allow-private"]) == ExitCode.USAGE
    said = capsys.readouterr()
    assert said.err == "crawler: error: --spider: try_spiders:pars: try_spiders has no 'pars'; did you mean 'parse'?\n"
    assert not site.requests


def test_long_values_are_cut_and_can_be_had_whole(site, capsys):
    _, text = tried(capsys, site.url("/many"))
    (record,) = records(text)
    assert record["text"].endswith("characters)")
    assert len(record["links"]) == 11
    assert "… and 20 more (--all shows them)" in text
    _, text = tried(capsys, site.url("/many"), "--all")
    (record,) = records(text)
    assert len(record["text"]) > 999
    assert len(record["links"]) == 40
    assert text.count("  follow  ") == 40


def test_a_page_cannot_steer_the_terminal(site, capsys):
    _, text = tried(capsys, site.url("/steer"))
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_a_page_from_a_file(spiders, capsys):
    (spiders / "page.html").write_text(html("b", title="Saved"))
    code, text = tried(capsys, "page.html", "--url", "http://h.example/x/", "--spider", "try_spiders:parse")
    assert code == ExitCode.DONE
    assert "200 http://h.example/x/ (" in text
    assert records(text)[0] == {"title": "Saved", "words": 1}
    assert steps(text) == ["import", "page", "spider"]
    assert main(["try", "not-there.html"]) == ExitCode.USAGE
    assert "not-there.html: No such file" in capsys.readouterr().err


def test_a_page_that_takes_too_long_for_a_crawl_is_told(spiders, capsys):
    (spiders / "page.html").write_text("<p>x")
    _, text = tried(capsys, "page.html", "--parser-timeout", "0.000001")
    assert "a crawl would give the page up: failed: parser-timeout (--parser-timeout 1e-06)" in text


def test_a_pattern_that_a_url_may_drag_out_is_told(spiders, capsys):
    """No parser's limit holds here, since the page is read in this process."""
    (spiders / "page.html").write_text("<a href=/x>x</a>")
    assert main(["try", "page.html", "--exclude", r"(?<=/private/)(a+)$"]) == ExitCode.DONE
    told = r"--exclude (?<=/private/)(a+)$: not linear: it looks ahead or behind. A URL can be made to take long; "
    assert told + "nothing but Ctrl-C ends that here" in capsys.readouterr().err


def test_the_program_writes_nothing(site, spiders):
    command = [sys.executable, "-m", "crawler", "try", site.url(), "--allow-private", "--spider", "try_spiders:parse"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in spiders.iterdir()] == ["try_spiders.py"]
