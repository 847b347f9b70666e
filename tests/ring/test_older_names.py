"""Names that settings once had are still taken, with one line of notice, and a job begun with them goes on."""

import asyncio
import logging
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from crawler import Crawler, crawl, crawl_to_arrow
from crawler.cli.settings import Run, combine, from_environment, from_options, load_settings
from crawler.core.config import CrawlConfig
from crawler.core.errors import ConfigError
from crawler.core.model import Field
from crawler.fetcher.transport.fake import FakeTransport, answer
from crawler.frontier.store import Store
from tests.support.servers import Answer, LocalServer, html
from tests.support.thorough import first_quickly

ROOT = Path(__file__).parents[2]
URL = "http://x.test/"
TITLE = (Field(name="t", css="title"),)


def read(page):
    return {"t": page.title}


def web():
    return FakeTransport(lambda request: answer(request, "<title>a</title>"))


def one_line(caplog):
    """Return what the log was told, which is one warning."""
    told = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(told) == 1, [record.getMessage() for record in told]
    return told[0].getMessage()


def of_crawl(**settings):
    return list(crawl(URL, transport=web(), **settings))


def of_crawl_to_arrow(**settings):
    return crawl_to_arrow(URL, transport=web(), **settings).to_pylist()


def of_crawler(**settings):
    async def records():
        config = CrawlConfig(
            seeds=(URL,), **{name: settings.pop(name) for name in ("select", "selectors") if name in settings}
        )
        async with Crawler(config, transport=web(), **settings) as crawler:
            return [record async for record in crawler]

    return asyncio.run(records())


WAYS = [of_crawl, of_crawl_to_arrow, of_crawler]


@pytest.mark.parametrize("way", first_quickly(WAYS))
@pytest.mark.parametrize(("old", "new", "value"), [("parse", "spider", read), ("selectors", "select", TITLE)])
def test_a_keyword_argument_by_its_older_name_does_the_same_with_one_line_in_the_log(way, old, new, value, caplog):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        by_old = way(**{old: value})
    assert one_line(caplog) == f"{old} is now called {new}"
    caplog.clear()
    by_new = way(**{new: value})
    assert by_old == by_new
    assert [record["t"] for record in by_new] == ["a"]
    assert not caplog.records


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("old", "new", "value"), [("parse", "spider", read), ("selectors", "select", TITLE)])
def test_both_names_at_once_are_refused(way, old, new, value):
    with pytest.raises(ConfigError) as refused:
        way(**{old: value, new: value})
    assert str(refused.value) == f"{new}: {old} is its older name, and both are given: leave {old} out"


@pytest.mark.parametrize("way", WAYS)
def test_none_by_an_older_name_is_not_given(way, caplog):
    assert [record["t"] for record in way(parse=None, spider=read)] == ["a"]
    assert not caplog.records


def test_an_older_name_can_still_be_read():
    assert CrawlConfig(select=TITLE).selectors == TITLE


def toml(tmp_path, text):
    path = tmp_path / "crawl.toml"
    path.write_text(text)
    return path


SOURCES = {
    "file": lambda path, name: load_settings(toml(path, f'[{name}]\nt = "title"')),
    "list in a file": lambda path, name: load_settings(toml(path, f'{name} = ["t=title"]')),
    "environment": lambda path, name: from_environment({f"CRAWLER_{name.upper()}": "t=title"}),
    "option": lambda path, name: from_options({name: ("t=title",)}),
}


@pytest.mark.parametrize("source", SOURCES)
def test_an_option_by_its_older_name_sets_the_same_and_is_noted_with_the_new_one(tmp_path, source):
    old, new = (SOURCES[source](tmp_path, name) for name in ("field", "select"))
    assert old == new == {"select": TITLE}
    said = {
        "environment": "CRAWLER_FIELD is now called CRAWLER_SELECT",
        "option": "--field is now called --select",
    }.get(source, f"{tmp_path}/crawl.toml: field is now called {tmp_path}/crawl.toml: select")
    assert (old.notes, new.notes) == ([said], [])
    assert combine({"seeds": [URL]}, old).notes == (said,)


@pytest.mark.parametrize("source", ["file", "environment", "option"])
def test_both_names_in_one_place_are_refused_and_in_two_the_later_place_wins(tmp_path, source):
    both = {
        "file": lambda: load_settings(toml(tmp_path, 'field = ["t=title"]\nselect = ["t=title"]')),
        "environment": lambda: from_environment({"CRAWLER_FIELD": "t=title", "CRAWLER_SELECT": "t=title"}),
        "option": lambda: from_options({"field": ["t=title"], "select": ["t=title"]}),
    }[source]
    with pytest.raises(ConfigError, match=r"is its older name, and both are given: leave .* out$") as refused:
        both()
    assert "\n" not in str(refused.value)
    run: Run = combine(
        {"seeds": [URL]}, from_environment({"CRAWLER_FIELD": "a=p"}), from_options({"select": ["t=title"]})
    )
    assert run.config.select == TITLE


def command(folder, *arguments, **variables):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CRAWLER_")}
    environment |= {"PYTHONPATH": str(ROOT), "CRAWLER_ALLOW_PRIVATE": "1", "CRAWLER_DELAY": "0", **variables}
    return subprocess.run(
        [sys.executable, "-m", "crawler", *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.thorough
def test_the_command_line_says_it_in_one_line_unless_it_is_to_be_quiet(tmp_path):
    (tmp_path / "page.html").write_text("<title>a</title>")
    done = command(tmp_path, "try", "page.html", "--field", "t=title", CRAWLER_FIELD="x=p")
    assert done.returncode == 0
    assert '"t": "a"' in done.stdout
    assert done.stderr == (
        "crawler: note: CRAWLER_FIELD is now called CRAWLER_SELECT; --field is now called --select\n"
    )
    both = command(tmp_path, "try", "page.html", "--field", "t=title", "--select", "t=title")
    assert both.returncode == 2
    assert both.stderr == "crawler: error: --select: --field is its older name, and both are given: leave --field out\n"
    with LocalServer(lambda host, path: Answer(html(title="a")) if path == "/" else Answer(status=404)) as server:
        url = f"http://127.0.0.1:{server.port}/"
        loud = command(tmp_path, "crawl", url, "--field", "t=title", "-o", "-")
        quiet = command(tmp_path, "crawl", url, "--field", "t=title", "-o", "-", "--quiet", "--fresh")
    assert loud.stderr.count("crawler: note: ") == loud.stderr.count("--select") == 1
    assert (quiet.stderr, quiet.stdout) == ("", loud.stdout)
    assert loud.stdout == f'{{"url":"{url}","seed":null,"t":"a"}}\n'


def test_the_help_shows_the_new_name_alone(tmp_path):
    said = command(tmp_path, "crawl", "--help").stdout
    assert "--select NAME=SELECTOR" in said
    assert "--field " not in said


@pytest.mark.parametrize(("name", "value"), [("select", TITLE), ("spider", "tests.ring.test_older_names:read")])
def test_a_job_keeps_settings_under_the_names_that_jobs_have_always_had(tmp_path, name, value):
    """So one that was begun when they had other names goes on."""
    config = CrawlConfig(job=tmp_path / "job", seeds=(URL,), **{name: value})
    assert asyncio.run(Crawler(config, transport=web()).run()).pages == 1
    with Store(tmp_path / "job/state") as store:
        stored = store.meta("job")
    assert {"selectors", "spider"} <= stored.keys()
    assert not {"select", "parse"} & stored.keys()
    assert stored[{"select": "selectors"}.get(name, name)]
    assert asyncio.run(Crawler(config, transport=web()).run()).run_pages == 0
