"""The second day of a job: it goes on without being told again what it is."""

import json

import msgspec
import pytest

from crawler.cli.exit_code import ExitCode
from crawler.core.config import CrawlConfig
from crawler.frontier.store import Store
from crawler.ledger.kept import keep, kept_settings
from tests.support.commands import POLITE_ENOUGH, CommandLine
from tests.support.servers import Answer, LocalServer, html

TREE = {"/": "ab", "/a": "cd", "/b": "e", "/c": "f"}


def respond(_: str, path: str) -> object:
    return Answer(status=404) if path == "/robots.txt" else Answer(html(*TREE.get(path, ""), title=path))


@pytest.fixture
def server():
    with LocalServer(respond) as one:
        yield one


def settings(commands: CommandLine) -> dict[str, object]:
    return json.loads((commands.folder / "job/summary.json").read_bytes())["settings"]


def titles(commands: CommandLine, name: str = "job/pages.jsonl") -> list[str]:
    return sorted(json.loads(line)["title"] for line in (commands.folder / name).read_bytes().splitlines())


def test_a_job_alone_goes_on_with_all_settings_that_it_had(commands, server):
    """From wherever it is called; what is said now counts more."""
    options = (
        "--depth",
        "2",
        "--fields",
        "url,title",
        "--exclude",
        "/b$",
        "--user-agent",
        "someone/1",
        "--retries",
        "7",
    )
    headers = ("--header", "Accept-Language: de", "--header", "DNT: 1")
    first = commands.run(
        *("crawl", server.url("/"), "--job", "job", "-o", "pages.jsonl", "--max-pages", "1"),
        *options,
        *headers,
        *POLITE_ENOUGH,
    )
    assert first.code == ExitCode.DONE
    before = settings(commands)
    (commands.folder / "elsewhere").mkdir()
    second = commands.run("crawl", "--job", "../job", "--max-pages", "9", cwd=commands.folder / "elsewhere")
    assert second.code == ExitCode.DONE, second.err
    assert titles(commands, "pages.jsonl") == ["/", "/a", "/c", "/d"]
    assert settings(commands) == before | {"max_pages": 9}


def test_a_header_that_may_be_secret_is_not_kept_and_asked_for(commands, server):
    arguments = ("--job", "job", "--max-pages", "1", "--header", "dnt: 1")
    commands.run("crawl", server.url("/"), *arguments, "--header", "X-Api-Key: swordfish", *POLITE_ENOUGH)
    told = "crawler: error: --header: job job was run with X-Api-Key, whose value it does not keep: give it again, or"
    refused = commands.run("crawl", "--job", "job", "--max-pages", "2")
    assert (refused.code, refused.err.startswith(told)) == (ExitCode.USAGE, True)
    again = commands.run("crawl", "--job", "job", "--max-pages", "2", "--header", "x-api-key: swordfish")
    assert again.code == ExitCode.DONE
    assert len(titles(commands)) == 2
    assert settings(commands)["headers"] == ["x-api-key", "dnt"]
    files = [path for path in (commands.folder / "job").rglob("*") if path.is_file()]
    assert not [path for path in files if b"swordfish" in path.read_bytes()]


def test_fresh_without_seeds_is_refused_and_forgets_nothing(commands, server):
    commands.run("crawl", server.url("/"), "--job", "job", *POLITE_ENOUGH)
    refused = commands.run("crawl", "--job", "job", "--fresh")
    assert (refused.code, len(titles(commands))) == (ExitCode.USAGE, 7)
    assert refused.err == "crawler: error: --fresh starts job job over, which needs its seeds: name them, too\n"


def test_an_output_with_a_password_is_not_kept_nor_what_is_done_once(tmp_path):
    with Store(tmp_path / "state") as store:
        store.put_meta("job", {"seeds": ""})
        keep(store, CrawlConfig(output=("ftp://me:swordfish@host/a.jsonl", "-"), depth=1, retry_failed=True))
        store.commit()
    kept = kept_settings(tmp_path)
    assert kept.settings == {"depth": 1}
    assert kept.output == ("ftp://***@host/a.jsonl",) or "swordfish" not in kept.output[0]


def test_a_job_of_an_earlier_version_gives_what_it_is_held_to(tmp_path):
    with Store(tmp_path / "state") as store:
        store.put_meta("job", {"seeds": "", "depth": 3, "output": ["/a.csv"], "selectors": [], "scope": "any"})
        store.commit()
    given = kept_settings(tmp_path).settings
    assert given == {"depth": 3, "output": ("/a.csv",), "select": (), "scope": "any"}
    assert CrawlConfig(**given) == msgspec.structs.replace(CrawlConfig(), depth=3, output=("/a.csv",), scope="any")
