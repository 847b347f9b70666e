"""The report of jobs as crawls leave them: its sums are those of the counters, whatever the job is at."""

import json
import tarfile
import time
from pathlib import Path
from typing import Any

from crawler import CrawlConfig, Crawler, FakeTransport, FetchRequest, FetchResult, Job
from crawler.cli.entry import main
from crawler.core.model import Failure
from crawler.fetcher.transport.fake import answer
from crawler.frontier.row import ENDED, UrlRow
from crawler.frontier.store import Store
from crawler.jobs.report import passing
from crawler.jobs.report.report import Report, report
from tests.ring.test_old_jobs import OLD_JOB
from tests.support.commands import POLITE_ENOUGH, CommandLine
from tests.support.patience import wait_until
from tests.support.servers import Answer, LocalServer, html

SEEDS = ("http://a.example/", "http://b.example/")


def web(request: FetchRequest) -> FetchResult | Failure:
    """Two hosts of 20 pages each that link to each other, with an error, a failure and a redirect each."""
    host, _, path = request.url.removeprefix("http://").partition("/")
    other = "b.example" if host == "a.example" else "a.example"
    match path:
        case "robots.txt":
            return answer(request, "User-agent: *\nDisallow: /13\n", headers=(("content-type", "text/plain"),))
        case "4":
            return answer(request, status=404)
        case "5":
            return Failure("protocol", "no HTTP", retryable=False, answered=True)
        case "7":
            return answer(request, status=301, headers=(("location", "/8"),))
    number = int(path or 1)
    links = "".join(f'<a href="/{n}">{n}</a>' for n in (2 * number, 2 * number + 1) if n <= 20)
    return answer(request, f'<title>{path}</title>{links}<a href="http://{other}/{number}">{number}</a>')


async def crawled(folder: Path, **settings: Any) -> Crawler:
    config = CrawlConfig(job=folder, delay_s=0.0, strategy="async", scope="any", **settings)
    crawler = Crawler(config, list(SEEDS), transport=FakeTransport(web))
    await crawler.run()
    return crawler


def reported(folder: Path) -> Report:
    with Job(folder) as job:
        return report(job, now=time.time())


def counters(folder: Path) -> dict[str, Any]:
    with Job(folder) as job:
        return job.answers.stores[0].meta("counters")


def check_sums(found: Report, kept: dict[str, Any]) -> None:
    """Compare what one pass over the URLs has counted with what the crawl has."""
    tables = found.tables
    outcomes = {
        f"{outcome}: {reason}" if reason else outcome: urls
        for outcome, reason, urls, *_ in tables["outcomes"].rows
        if outcome != "due"
    }
    assert outcomes == kept["outcomes"]
    assert sum(tables["outcomes"].column("urls")) == kept["known"] == found.figures["known"]
    assert (
        dict(zip(tables["statuses"].column("status"), tables["statuses"].column("pages"), strict=True))
        == kept["statuses"]
    )
    assert sum(sum(row[1:]) for row in tables["depths"].rows) == kept["known"]
    assert sum(tables["hosts"].column("urls")) == kept["known"]
    assert sum(tables["hosts"].column("due")) == kept["queued"] == found.figures["due"]
    assert sum(sum(row[2:]) for row in tables["ended"].rows) == kept["known"] - kept["queued"]
    assert found.figures["pages"] == kept["pages"]


async def test_sums_are_those_of_the_counters_and_each_error_has_examples(tmp_path):
    crawler = await crawled(tmp_path)
    found = reported(tmp_path)
    check_sums(found, counters(tmp_path))
    assert found.state == "done"
    assert {kind: (number, sorted(urls)) for kind, number, urls in found.tables["errors"].rows} == {
        "failed: protocol": (2, [f"{seed}5" for seed in SEEDS]),
        "status 404": (2, [f"{seed}4" for seed in SEEDS]),
    }
    runs = found.tables["runs"]
    assert runs.column("pages") == [crawler.stats().pages]
    fields = {name: share for name, _, share in found.tables["fields"].rows}
    assert fields["url"] == 1.0
    assert f"all {found.figures['records']} records" in found.tables["fields"].note
    assert {row[:2] for row in found.tables["host_links"].rows} <= {
        ("a.example", "b.example"),
        ("b.example", "a.example"),
    }
    assert found.headline[0] == "The crawl is done: no URL is left."


async def test_a_stopped_job_and_its_next_run_follow_each_other(tmp_path):
    await crawled(tmp_path, max_pages=5)
    found = reported(tmp_path)
    assert found.state == "max-pages"
    check_sums(found, counters(tmp_path))
    await crawled(tmp_path)
    found = reported(tmp_path)
    check_sums(found, counters(tmp_path))
    assert [run for run, *_ in found.tables["runs"].rows] == [1, 2]
    assert sum(found.tables["runs"].column("pages")) == found.figures["pages"]


def test_a_job_of_an_earlier_version_has_a_report_that_says_what_it_does_not_know(tmp_path):
    with tarfile.open(OLD_JOB) as archive:
        archive.extractall(tmp_path / "job", filter="data")
    found = reported(tmp_path / "job")
    kept = counters(tmp_path / "job")
    assert sum(found.tables["outcomes"].column("urls")) == kept["known"] == 40
    assert found.state == "stopped"
    for name in ("speed", "limits", "queues", "parsers", "memory", "runs"):
        assert found.tables[name].rows == ()
        assert "no samples" in found.tables[name].note
    assert "no times" in found.tables["latency"].note
    assert sum(sum(row[2:]) for row in found.tables["ended"].rows) == 22
    assert found.tables["fields"].column("field")[:2] == ["url", "status"]


def test_a_job_in_which_nothing_is_yet_has_a_report(tmp_path):
    with Store(tmp_path / "state") as store:
        store.commit()
    found = reported(tmp_path)
    assert found.state == "empty"
    assert found.headline == ("Nothing is in this job as yet.",)
    assert all(table.note for table in found.tables.values() if not table.rows)


def test_two_processes_count_what_one_does(tmp_path, monkeypatch):
    with Store(tmp_path / "state") as store:
        for n in range(1_000):
            url = f"http://h{n % 7}.example/{n}"
            parent = store.keys.url(f"http://h{n // 10 % 7}.example/{n // 10}", "page") if n else b""
            row = UrlRow(url, n % 5, parent, 1, (), 1, n, 1_000.0 + n, ("fetched", "failed")[n % 3 == 0], "", 200)
            store.urls.put(store.keys.url(url, "page"), ENDED, row)
        store.put_meta("counters", {"known": 1_000, "pages": 0})
        store.commit()
    alone = reported(tmp_path)
    monkeypatch.setattr(passing, "_WORTH_A_PROCESS", 1)
    both = reported(tmp_path)
    for name, table in alone.tables.items():
        if name not in {"outcomes", "errors"}:  # examples are other ones
            assert both.tables[name] == table
    assert sum(both.tables["outcomes"].column("urls")) == 1_000
    assert sum(row[2] for row in both.tables["host_links"].rows) > 0


def site(_: str, path: str) -> Answer:
    if path == "/robots.txt":
        return Answer(status=404)
    number = int(path[1:] or 1)
    return Answer(html(*(f"/{n}" for n in (number * 2, number * 2 + 1) if n <= 1_000)), delay_s=0.02)


def test_a_job_that_runs_and_one_that_was_killed_have_a_report_each(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    command = CommandLine(tmp_path)
    found = None
    try:
        with LocalServer(site) as server:
            crawl = command.start("crawl", server.url("/"), "--job", "job", "--quiet", *POLITE_ENOUGH)
            wait_until((tmp_path / "job" / "state" / "CURRENT").exists)
            while found is None or found.figures["pages"] < 10:
                assert crawl.poll() is None
                found = reported(tmp_path / "job")
            assert found.state == "running"
            assert sum(found.tables["outcomes"].column("urls")) == found.figures["known"]
            assert sum(found.tables["hosts"].column("due")) == found.figures["due"]
            crawl.kill()
            crawl.wait()
    finally:
        command.close()
    before = (tmp_path / "job" / "pages.jsonl").read_bytes()
    assert main(["report", "job"]) == 0
    said = capfd.readouterr()
    assert said.out == ""
    assert "killed" in said.err
    page = (tmp_path / "job" / "report.html").read_text("utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert not list((tmp_path / "job").glob(".*"))
    assert main(["report", "job", "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert told["state"] == "killed"
    assert (tmp_path / "job" / "pages.jsonl").read_bytes() == before


def test_what_cannot_be_done_is_told_in_one_line(tmp_path, monkeypatch, capfd):
    (tmp_path / "plain").mkdir()
    (tmp_path / "file").touch()
    with Store(tmp_path / "job" / "state") as store:
        store.commit()
    monkeypatch.chdir(tmp_path)
    for arguments, code, said in (
        (["nowhere"], 2, "there is no job nowhere"),
        (["plain"], 2, "plain is no job"),
        (["job", "--json", "-o", "plain"], 5, "cannot write plain: Is a directory"),
        (["job", "--json", "-o", "nowhere/report.json"], 5, "cannot write nowhere/report.json: No such file"),
        (["job", "--json", "--images", "file/pictures"], 5, "cannot write the pictures"),
    ):
        assert main(["report", *arguments]) == code
        told = capfd.readouterr()
        assert told.out == ""
        assert told.err.startswith(f"crawler: error: {said}")
        assert told.err.count("\n") == 1
