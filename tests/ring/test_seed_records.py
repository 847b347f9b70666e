"""A record for each row of the seeds: whatever becomes of it, with its own columns, once."""

import csv
import json
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from crawler import crawl
from crawler.core.config import CrawlConfig
from crawler.core.model import Field
from crawler.frontier.store import Store
from crawler.ring.crawler import Crawler
from tests.support.kill_driver import POINTS
from tests.support.record_numbers import check_record_numbers
from tests.support.servers import RESET, Answer, LocalServer
from tests.support.thorough import first_quickly

DRIVER = Path(__file__).parents[1] / "support" / "kill_driver.py"
TITLE = Field(name="title", css="title")
OPEN = {
    "allow_private": ("127.0.0.0/8",),
    "delay_s": 0.0,
    "retries": 0,
    "parsers": 1,
    "give_up_after_s": 2.0,
    "fail_unreachable": True,
}


def moved(to: str) -> Answer:
    return Answer(status=302, headers={"location": to})


def respond(host: str, path: str) -> Answer | object:
    kind, _, rest = path.strip("/").partition("/")
    match kind:
        case "robots.txt":
            return Answer("User-agent: *\nDisallow: /closed/\n", headers={"content-type": "text/plain"})
        case "page":
            return Answer(f"<title>{rest}</title><p>{'word ' * 30}{rest} <a href=//aside.invalid/>aside</a>")
        case "same":
            return Answer("<title>same</title>")
        case "old":
            return moved(f"/page/{rest}")
        case "older":
            return moved(f"/old/{rest}")
        case "ping":
            return moved(f"/pong/{rest}")
        case "pong":
            return moved(f"/ping/{rest}")
        case "soon":
            return Answer(f"<meta http-equiv=refresh content='0; url=/page/{rest}'>")
        case "inside":
            return moved("http://10.0.0.1/")
        case "to-closed":
            return moved("/closed/1")
        case "reset":
            return RESET
        case "broken":
            return Answer(b"no gzip", headers={"content-encoding": "gzip"})
        case "data":
            return Answer('{"a": 1}', headers={"content-type": "application/json"})
    return Answer("<title>gone</title>", status=404)


@pytest.fixture(scope="module")
def server():
    with LocalServer(respond) as one:
        yield one


def rows(url: Any, groups: int) -> list[tuple[str, str, str]]:
    """(URL, outcome, reason) of each row: for each group all kinds, four of which lead to one page."""
    found = []
    for n in range(groups):
        found += [
            (url(f"/page/{n}"), "fetched", ""),
            (url(f"/page/{n}"), "fetched", ""),
            (url(f"/page/{n}#part"), "fetched", ""),
            (url(f"/old/{n}"), "fetched", ""),
            (url(f"/older/{n}"), "fetched", ""),
            (url(f"/soon/{n}"), "fetched", ""),
            (url("/old/0"), "fetched", ""),
            (url(f"/ping/{n}"), "failed", "redirects"),
            (url(f"/pong/{n}"), "failed", "redirects"),
            (url(f"/missing/{n}"), "fetched", ""),
            (url(f"/data/{n}"), "fetched", ""),
            (url(f"/same/{n}"), "fetched", ""),
            (url(f"/closed/{n}"), "skipped", "robots"),
            (url("/to-closed/1"), "skipped", "robots"),
            (url(f"/inside/{n}"), "skipped", "private-address"),
            (f"http://10.0.0.1/{n}", "skipped", "private-address"),
            (f"http://name{n % 3}.invalid/", "failed", "dns"),
            (url(f"/broken/{n}"), "failed", "encoding"),
            (f"htp://bad/{n}", "skipped", "malformed"),
            ("", "skipped", "malformed"),
        ]
    return [*found, (url("/reset/1"), "failed", "reset"), ("http://127.0.0.1:1/", "failed", "host-down")]


def seed_file(folder: Path, expected: list[tuple[str, str, str]]) -> str:
    with (folder / "seeds.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["n", "url", "name"])
        writer.writerows((n, url, f"row {n}") for n, (url, _, _) in enumerate(expected))
    return str(folder / "seeds.csv")


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def settings(folder: Path, **others) -> CrawlConfig:
    output = others.pop("output", str(folder / "pages.jsonl"))
    return CrawlConfig(job=folder / "job", output=output, scope="page", **{**OPEN, **others})


def check(records: list[dict], expected: list[tuple[str, str, str]]) -> None:
    """Each row once, with its columns, as it must end; of a host that cannot be had, robots.txt may be why."""
    assert Counter(int(record["seed"]["n"]) for record in records) == Counter(range(len(expected)))
    for record in records:
        n = int(record["seed"]["n"])
        url, outcome, reason = expected[n]
        assert record["seed"] == {"n": str(n), "name": f"row {n}"}
        ended = (record["outcome"], record["reason"] or "")
        assert ended in {(outcome, reason), ("skipped", "robots-unreachable")}, (url, record)
        hops = [hop.partition("#")[0] for hop in [*record["redirected_from"], record["url"]]]
        assert hops[0] == url.partition("#")[0]


def parse(page):
    if "/data/" in page.url:
        return {"url": page.url, "redirected_from": page.redirected_from, "name": page.seed["name"], "a": page.json()}
    return {
        "url": page.url,
        "redirected_from": page.redirected_from,
        "name": page.seed["name"],
        "outcome": "fetched",
        "reason": None,
    }


@pytest.mark.parametrize("groups", first_quickly([12, 500]))
async def test_each_row_of_a_list_has_one_record_whatever_becomes_of_it(tmp_path, server, groups):
    """12 groups are 242 rows, 500 are 10,002."""
    expected = rows(server.url, groups)
    server.requests.clear()
    await Crawler(settings(tmp_path), [seed_file(tmp_path, expected)]).run()
    records = lines(tmp_path / "pages.jsonl")
    check(records, expected)
    assert {tuple(record) for record in records} == {tuple(records[0])}, "all have the same fields"
    check_record_numbers(tmp_path / "job", tmp_path / "pages.jsonl", apart=False)
    fetches = {path: count for (_, path), count in server.pages().items() if path != "/reset/1"}
    assert set(fetches.values()) == {1}, "one fetch, however many rows"
    gone = next(record for record in records if "/missing/" in record["url"])
    assert (gone["status"], gone["title"], gone["outcome"]) == (404, "gone", "fetched")


def tables(folder: Path) -> dict[str, list[dict]]:
    """What each output holds, with the columns of the seed read from their text."""
    with (folder / "pages.csv").open(newline="") as file:
        of_csv: list[dict] = list(csv.DictReader(file))
    with sqlite3.connect(folder / "pages.db") as database:
        database.row_factory = sqlite3.Row
        of_sqlite = [dict(row) for row in database.execute("SELECT * FROM records")]
    database.close()
    of_parquet = pyarrow.parquet.read_table(folder / "pages.parquet").to_pylist()
    found = {"csv": of_csv, "db": of_sqlite, "parquet": of_parquet}
    for records in found.values():
        for record in records:
            record["seed"] = json.loads(record["seed"])
            if isinstance(record["redirected_from"], str):
                record["redirected_from"] = json.loads(record["redirected_from"])
    return found | {"jsonl": lines(folder / "pages.jsonl")}


def everywhere(folder: Path) -> tuple[str, ...]:
    return tuple(str(folder / f"pages.{ending}") for ending in ("jsonl", "csv", "db", "parquet", "warc.gz"))


SELECT = {"select": (TITLE, Field(name="seed-title", css="title")), "all_statuses": True}
SELECT["fields"] = ("url", "redirected_from", "seed", "status", "outcome", "reason", "detail")


@pytest.mark.parametrize(
    ("how", "strategy"),
    [
        ({}, "hybrid"),
        (SELECT, "async"),
        ({"spider": f"{__file__}:parse"}, "hybrid"),
    ],
    ids=["plain", "selectors", "spider"],
)
async def test_every_output_has_each_row_once(tmp_path, server, how, strategy):
    """The list has the same URL for several rows: of a page that a spider reads, each has what it made of that row."""
    expected = rows(server.url, 4)
    await Crawler(
        settings(tmp_path, output=everywhere(tmp_path), strategy=strategy, **how), [seed_file(tmp_path, expected)]
    ).run()
    if how is SELECT:
        expected = [(url, end, why or ("not markup" if "/data/" in url else "")) for url, end, why in expected]
    if "spider" not in how:  # its records without a page are kept back, and have no row
        check_record_numbers(tmp_path / "job", tmp_path / "pages.jsonl", apart=False)
    for records in tables(tmp_path).values():
        for record in records:
            name = record.get("name")  # only a spider gives one
            assert not name or name == record["seed"]["name"]
            record["outcome"] = record.get("outcome") or (name and "fetched")
            record["reason"] = record.get("reason")
        check(records, expected)


async def test_it_can_be_turned_off_and_on(tmp_path, server):
    """By itself it is on with scope page alone. On with another scope, the pages behind the seeds have records, too."""
    expected = rows(server.url, 1)
    seeds = seed_file(tmp_path, expected)
    await Crawler(settings(tmp_path / "off", record_per_seed=False), [seeds]).run()
    assert Counter(record["url"] for record in lines(tmp_path / "off" / "pages.jsonl")).most_common(1)[0][1] == 1
    config = CrawlConfig(job=tmp_path / "on", record_per_seed=True, **OPEN)
    await Crawler(config, [seeds]).run()
    check(lines(tmp_path / "on" / "pages.jsonl"), expected)


async def test_a_page_that_has_ended_without_a_row_is_asked_for_again_when_one_comes(tmp_path):
    """Through a link it was there before: the row that a slow redirect leads to it has a record of its own."""
    late = 0

    def answers(host: str, path: str) -> Answer:
        nonlocal late
        if path == "/slow":
            late += server.requests[f"127.0.0.1:{server.port}", "/b"] > 0
            return moved(server.url("/b")) if late > 1 else Answer(status=503, headers={"retry-after": "1"})
        return {"/": Answer("<a href=/b>b</a>"), "/b": Answer("<title>b</title>")}.get(path, Answer(status=404))

    with LocalServer(answers, ("127.0.0.1", "127.0.0.2")) as server:
        slow = server.url("/slow", "127.0.0.2")
        (tmp_path / "seeds.csv").write_text(f"url,n\n{server.url('/')},1\n{slow},2\n")
        others = OPEN | {"retries": 9, "skip_duplicates": "exact"}
        config = CrawlConfig(job=tmp_path / "job", record_per_seed=True, **others)
        await Crawler(config, [str(tmp_path / "seeds.csv")]).run()
        fetched = server.requests[f"127.0.0.1:{server.port}", "/b"]
    found = [
        (record["url"].rpartition("/")[2], record["depth"], record["seed"]["n"], len(record["redirected_from"]))
        for record in lines(tmp_path / "job" / "pages.jsonl")
    ]
    assert sorted(found) == [("", 0, "1", 0), ("b", 0, "2", 1), ("b", 1, "1", 0)]
    assert fetched == 2


@pytest.mark.parametrize("point", first_quickly([point for point in POINTS if point != "between-slices"], 2))
def test_killed_at_a_named_point_each_row_still_has_one_record(tmp_path, server, point):
    expected = rows(server.url, 25)
    command = [
        *("crawl", seed_file(tmp_path, expected), "--job", str(tmp_path / "job"), "--scope", "page", "--quiet"),
        *("--allow-private=127.0.0.0/8", "--delay", "0", "--retries", "0", "--parsers", "1"),
        *("--give-up-after", "2", "--fail-unreachable"),
    ]
    for ending in ("jsonl", "csv", "db", "parquet"):
        command += ["-o", str(tmp_path / f"pages.{ending}")]
    if point.startswith("in-resume"):
        assert subprocess.run([sys.executable, DRIVER, "before-commit", "2", *command], check=False).returncode < 0
    count = "1" if point.startswith("in-resume") else "2"
    killed = subprocess.run([sys.executable, DRIVER, point, count, *command], check=False, timeout=90)
    assert killed.returncode == -signal.SIGKILL
    subprocess.run([sys.executable, "-m", "crawler", *command], check=True, timeout=90)
    for records in tables(tmp_path).values():
        check(records, expected)
    check_record_numbers(tmp_path / "job", tmp_path / "pages.jsonl", apart=False)


async def test_a_job_that_was_begun_before_seeds_had_records_goes_on_as_it_was(tmp_path, server):
    """With its columns, and without records of what has no page."""
    (tmp_path / "seeds.csv").write_text(
        f"url,n\n{server.url('/page/1')},1\n{server.url('/page/2')},2\n{server.url('/closed/1')},3\n"
    )
    output = str(tmp_path / "pages.csv")
    before = {"fields": ("url",), "record_per_seed": False}
    seeds = [str(tmp_path / "seeds.csv")]
    await Crawler(settings(tmp_path, output=output, select=(TITLE,), max_pages=1, **before), seeds).run()
    with Store(tmp_path / "job" / "state") as store:
        job = store.meta("job")
        for name in ("record_per_seed", "all_statuses"):
            del job[name]
        store.put_meta("job", job | {"fields": None})
        store.commit()
    await Crawler(settings(tmp_path, output=output, select=(TITLE,)), seeds).run()
    header, *found = (tmp_path / "pages.csv").read_text().splitlines()
    assert (header, sorted(found)) == ("url,title", [f"{server.url(f'/page/{n}')},{n}" for n in (1, 2)])


async def test_rows_wait_for_a_budget_and_a_repeated_page_and_a_sitemap_are_told_once(tmp_path):
    site = dict.fromkeys(("/same1", "/same2"), "<p>same")

    def answers(host: str, path: str) -> Answer:
        if path == "/map":
            listed = f"<urlset><url><loc>http://{host}/listed</loc></url></urlset>"
            return Answer(listed, headers={"content-type": "text/xml"})
        return Answer(site.get(path, path), status=404 if path in {"/robots.txt", "/no-map"} else 200)

    with LocalServer(answers) as server:
        urls = [f"sitemap:{server.url('/map')}", f"sitemap:{server.url('/no-map')}", *map(server.url, site)]
        (tmp_path / "seeds.csv").write_text("url,n\n" + "".join(f"{url},{n}\n" for n, url in enumerate(urls * 2)))
        for most in (1, None):
            config = settings(tmp_path, skip_duplicates="exact", max_pages=most)
            await Crawler(config, [str(tmp_path / "seeds.csv")]).run()
    found = [
        (record["url"].rpartition("/")[2], record["seed"]["n"], record["outcome"], record["reason"])
        for record in lines(tmp_path / "pages.jsonl")
    ]
    first = next(name for name, _, _, reason in found if name.startswith("same") and reason is None)
    assert sorted(found) == [
        ("listed", "0", "fetched", None),
        *[("no-map", n, "failed", "sitemap: status 404") for n in ("1", "5")],
        *[("same1", n, "fetched", None if first == "same1" else "duplicate") for n in ("2", "6")],
        *[("same2", n, "fetched", None if first == "same2" else "duplicate") for n in ("3", "7")],
    ]


def test_a_url_that_a_program_names_twice_has_two_records(server):
    urls = [server.url("/page/1"), server.url("/page/1"), "http://nobody.invalid/"]
    with crawl(urls, scope="page", **OPEN) as records:
        assert sorted((record.status, record.outcome) for record in records) == [
            (0, "failed"),
            (200, "fetched"),
            (200, "fetched"),
        ]
    assert [record.outcome for record in crawl(urls[:2], **OPEN)] == [None]
