"""`--log-format json`: one object a line on standard error, whatever is said and whoever says it."""

import json
import logging
import re

import pytest

from crawler.cli.json_lines import said_as_json, written_as_json
from tests.support.commands import POLITE_ENOUGH
from tests.support.servers import Answer, LocalServer, html

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def objects(text: str) -> list[dict]:
    """The lines of standard error; each must be an object with the keys that are always there."""
    found = [json.loads(line) for line in text.splitlines()]
    for one in found:
        assert list(one)[:4] == ["time", "level", "logger", "message"]
        assert STAMP.fullmatch(one["time"])
        assert one["level"] in {"debug", "info", "warning", "error"}
        assert one["message"].replace("\n", "").isprintable()
    return found


@pytest.fixture
def site():
    def respond(_host: str, path: str) -> Answer:
        if path == "/robots.txt":
            return Answer(status=404)
        if path == "/loop":
            return Answer(status=302, headers={"Location": "/loop"})
        return Answer(html("/loop", "/1", "/2", title="\x1b[31m"))

    with LocalServer(respond) as server:
        yield server


def test_log_progress_summary_and_misses_are_objects(commands, site):
    (commands.folder / "seeds.txt").write_text(f"{site.url('/')}\nnot\x1b[2J a url\n")
    done = commands.run("crawl", "seeds.txt", "--job", "job", *POLITE_ENOUGH, "--log-format", "json", "--log-level",
                        "debug", "--metrics", "0", "--expect", "pages>=1000")  # fmt: skip
    found = objects(done.err)
    assert done.code == 7
    assert any("metrics are at" in one["message"] and one["logger"] == "crawler.ring.measured" for one in found)
    assert any(r"not\x1b[2J a url" in one["message"] for one in found)
    (summary,) = [one for one in found if one.get("event") == "summary"]
    assert (summary["ended"], summary["pages"], summary["outcomes"]["fetched"]) == ("done", 3, 3)
    assert summary["expectations"][0]["met"] is False
    assert found[-1]["level"] == "error"
    assert found[-1]["message"] == "not as expected: pages>=1000: seen 3"


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["crawl", "--log-format", "json"], 2, "no seeds given"),
        (["crawl", "--log-format=json", "--nonsense"], 2, "No such option"),
        (["crawl", "--log-format=json", "http://x/", "--depth", "\x1b"], 2, r"\x1b"),
        (["extract", "--log-format", "json", "nowhere.warc.gz"], 2, "nowhere.warc.gz"),
    ],
)
def test_errors_of_the_command_itself_are_objects_too(commands, arguments, code, told):
    done = commands.run(*arguments)
    (error,) = objects(done.err)
    assert (done.code, error["level"], error["logger"]) == (code, "error", "crawler.cli")
    assert told in error["message"]
    assert not error["message"].startswith("crawler: error")


@pytest.mark.thorough
def test_the_variable_and_the_settings_file_do_the_same(commands, site):
    for name, how in (("a", {"env": {"CRAWLER_LOG_FORMAT": "json"}}), ("b", {})):
        (commands.folder / "settings.toml").write_text('log-format = "json"\n' if name == "b" else "")
        process = commands.start(
            "crawl", site.url("/"), "--job", name, *POLITE_ENOUGH, "--config", "settings.toml", **how
        )
        _, err = process.communicate(timeout=60)
        assert objects(err)[-1]["event"] == "summary"


def test_a_record_has_its_figures_and_its_traceback_and_what_is_hostile_is_escaped():
    record = logging.LogRecord("crawler.x", logging.WARNING, "", 1, "a\n%s", ("\u202e\x1b\ud800http://me:pw@x/",), None)
    record.figures = {"pages": 3, "time": "mine", "name\x1b": "\x07", "deep": {404: (1.23456,)}}
    found = json.loads(written_as_json(record))
    assert (found["level"], found["logger"]) == ("warning", "crawler.x")
    assert found["message"] == "a\n\\u202e\\x1b\\ud800http://…@x/"
    assert (found["pages"], found["name\\x1b"], found["deep"]) == (3, "\\x07", {"404": [1.235]})
    assert found["time"] != "mine"
    error = ValueError("\x1b[0m")
    record.exc_info = (type(error), error, None)
    line = written_as_json(record)
    assert "\n" not in line
    assert json.loads(line)["traceback"].endswith("ValueError: \\x1b[0m")
    assert json.loads(said_as_json("plain", now=0.0)) == {
        "time": "1970-01-01T00:00:00.000Z", "level": "info", "logger": "crawler.cli", "message": "plain"
    }  # fmt: skip


@pytest.mark.thorough
def test_warnings_of_python_are_objects(commands, site):
    (commands.folder / "odd.py").write_text(
        "import warnings\ndef parse(page):\n    warnings.warn('odd\\x1b', stacklevel=1)\n    yield {'url': page.url}\n"
    )
    done = commands.run("crawl", site.url("/"), "--job", "job", *POLITE_ENOUGH, "--spider", "odd.py:parse",
                        "--strategy", "async", "--log-format", "json")  # fmt: skip
    found = [one for one in objects(done.err) if one["logger"] == "py.warnings"]
    assert found
    assert "odd\\x1b" in found[0]["message"]
