"""`Job.urls`, its tables, and which pages link to what: from real crawls, by the class and by the command."""

import csv
import io
import json
import sys

import pyarrow.parquet
import pytest
from msgspec.structs import replace

from crawler import CrawlConfig, Crawler, FakeTransport, Job, Rotation
from crawler.cli.entry import main
from crawler.fetcher.transport.fake import answer
from crawler.frontier.row import UrlRow
from crawler.frontier.store import Store
from tests.support.commands import CommandLine, Ended

SITE = "http://a.example"
LEADS_TO = {
    "/": ["/one", "/two", "/moved", "/missing", "/twice"],
    "/one": ["/missing", "/missing", "/one"],
    "/two": ["/gone?x=1&y=é", "/moved"],
    "/three": ["/"],
}
MOVED = {"/moved": "/moved-again", "/moved-again": "/missing", "/twice": "/three"}
BROKEN = {
    ("/", "/missing", ()),
    ("/", "/missing", ("/moved", "/moved-again")),
    ("/one", "/missing", ()),
    ("/two", "/gone?x=1&y=%C3%A9", ()),
    ("/two", "/missing", ("/moved", "/moved-again")),
}


def respond(request):
    path = request.url.removeprefix(SITE)
    if path == "/robots.txt":
        return answer(request, status=404)
    if path in MOVED:
        return answer(request, status=301, headers=(("location", MOVED[path]),))
    links = "".join(f'<a href="{link}">x</a>' for link in LEADS_TO.get(path, ()))
    return answer(request, f"<title>t</title>{links}", status=200 if path in LEADS_TO else 404)


@pytest.fixture
def crawled(tmp_path):
    """Return a function that crawls the site with some settings, and gives the folder of the job."""

    async def crawled(**settings):
        config = CrawlConfig(job=tmp_path / "job", delay_s=0.0, strategy="async", **settings)
        await Crawler(config, [f"{SITE}/"], transport=FakeTransport(respond)).run()
        return tmp_path / "job"

    return crawled


@pytest.fixture
def command(tmp_path, monkeypatch, capfdbinary):
    """Return a function that runs a command in this process, in the folder of the job."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str) -> Ended:
        code = main(arguments)
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return Ended(code, out.decode(), err.decode())

    return command


def paths(links) -> set[tuple[str | None, str, tuple[str, ...]]]:
    bare = [(one.page, one.url, one.redirects) for one in links]
    assert len(set(bare)) == len(bare)
    return {
        (page and page.removeprefix(SITE), url.removeprefix(SITE), tuple(hop.removeprefix(SITE) for hop in hops))
        for page, url, hops in bare
    }


OUTPUTS = [
    "pages.jsonl",
    "pages.jsonl.gz",
    "pages.csv",
    "pages.db",
    pytest.param("p.parquet", marks=pytest.mark.thorough),
]


@pytest.mark.parametrize("output", [*OUTPUTS, "rotated.jsonl"])
async def test_the_pages_that_link_to_broken_ones_are_told_from_any_output(crawled, tmp_path, output):
    settings = {"output": str(tmp_path / output)} | (
        {"rotate": Rotation(records=1)} if output.startswith("rotated") else {}
    )
    with Job(await crawled(**settings)) as job:
        links = job.inlinks(job.urls(status="4xx"))
        assert paths(links) == BROKEN
        assert links.why_parents == ""


async def test_without_links_in_the_records_the_page_that_was_met_first_is_told_and_that_it_is_so(crawled):
    with Job(await crawled(fields=("url", "status"))) as job:
        links = job.inlinks(job.urls(status="4xx"))
        assert {(page, url) for page, url, _ in paths(links)} == {("/", "/missing"), ("/two", "/gone?x=1&y=%C3%A9")}
        assert "have no field links" in links.why_parents


async def test_a_url_that_no_page_links_to_is_told_at_the_end(crawled):
    with Job(await crawled()) as job:
        *_, last = job.inlinks(job.urls(depth=0))
        assert (last.url, last.page) == (f"{SITE}/", f"{SITE}/three")
        assert paths(job.inlinks([])) == set()


async def test_urls_are_filtered_by_what_became_of_them(crawled):
    with Job(await crawled()) as job:

        def told(**wanted) -> list[str]:
            return sorted(one.url.removeprefix(SITE) for one in job.urls(**wanted))

        assert told(outcome="redirected") == ["/moved", "/moved-again", "/twice"]
        assert told(status=404) == told(status="4xx") == ["/gone?x=1&y=%C3%A9", "/missing"]
        assert told(depth=0) == ["/"]
        assert told(host="A.example", outcome="fetched", depth=1) == ["/missing", "/one", "/three", "/two"]
        assert told(host="b.example") == told(due=True) == told(kind="sitemap") == told(reason="timeout") == []
        assert len(told(due=False)) == len(told()) == 9
        (gone,) = [one for one in job.urls(status=404) if "gone" in one.url]
        assert (gone.parent, gone.depth, gone.host, gone.seed) == (f"{SITE}/two", 2, "a.example", 1)
        assert {one.parent for one in job.urls(parents=False)} == {None}


async def test_a_table_of_arrow_holds_the_same(crawled):
    with Job(await crawled()) as job:
        table = job.to_arrow().read_all().to_pylist()
        assert {row["url"] for row in table} == {one.url for one in job.urls()}
        (row,) = [row for row in table if row["url"] == f"{SITE}/three"]
        assert (row["status"], row["redirected_from"]) == (200, [f"{SITE}/twice"])
        assert row["attempts"][0]["address"] == "192.0.2.1"
        assert row["at"].tzinfo is not None


async def test_the_command_writes_lines_json_csv_and_parquet(crawled, tmp_path, command):
    await crawled()
    lines = command("urls", "job", "--status", "404").out.splitlines()
    assert sorted(lines) == [f"fetched\t404\t1\t{SITE}/missing", f"fetched\t404\t2\t{SITE}/gone?x=1&y=%C3%A9"]
    rows = [json.loads(line) for line in command("urls", "job", "--json").out.splitlines()]
    (seed,) = [row for row in rows if row["depth"] == 0]
    assert len(rows) == 9
    assert (seed["parent"], seed["attempts"][0]["what"], seed["record"]) == (None, "", 0)
    assert command("urls", "job", "-o", "urls.csv").code == 0
    table = list(csv.DictReader(io.StringIO((tmp_path / "urls.csv").read_text())))
    assert {row["url"] for row in table} == {row["url"] for row in rows}
    again = command("urls", "job", "-o", "urls.csv")
    assert (again.code, "is there already" in again.err) == (2, True)
    assert command("urls", "job", "-o", "urls.csv", "--fresh").code == 0
    assert command("urls", "job", "-o", "urls.parquet").code == 0
    assert pyarrow.parquet.read_table(tmp_path / "urls.parquet").num_rows == 9
    broken = command("urls", "job", "--status", "4xx", "--inlinks", "--json").out.splitlines()
    assert len(broken) == len(BROKEN)
    shown = command("urls", "job", "--status", "4xx", "--inlinks").out
    assert f"{SITE}/two\n  404  {SITE}/gone?x=1&y=%C3%A9\n" in shown
    assert f"  404  {SITE}/missing  (by {SITE}/moved, {SITE}/moved-again)\n" in shown
    for wrong in (["urls", "nowhere"], ["urls", "job", "--status", "9"], ["urls", "job", "-o", "urls.xml"]):
        ended = command(*wrong)
        assert (ended.code, ended.err.count("\n")) == (2, 1)
    told = command("explain", "job", "a.example/missing/")
    assert told.code == 3
    assert f"{SITE}/missing  (slash at the end)" in told.out
    assert (
        json.loads(command("explain", "job", f"{SITE}/missing", "--json").out)["stories"][0]["facts"]["status"] == 404
    )


@pytest.mark.thorough
async def test_a_reader_that_has_seen_enough_ends_the_list_quietly(crawled, tmp_path):
    folder = await crawled()
    with Store(folder / "state") as store:
        value = store.urls.values([store.keys.url(f"{SITE}/one", "page")])[0]
        row = store.urls.row(value)
        for number in range(20_000):
            url = f"{SITE}/many/{number}"
            store.urls.put(store.keys.url(url, "page"), b"e", replace(row, url=url))
        store.commit()
    command = CommandLine(tmp_path)
    try:
        for form in ("--json", "--csv", "--parquet", "--inlinks"):
            listing = command.start("urls", "job", form, "--ended")
            listing.stdout.close()
            assert listing.wait(60) == 0, form
            assert "Traceback" not in listing.stderr.read()
    finally:
        command.close()


async def test_hostile_text_steers_no_terminal(crawled, command):
    """What a crawl has met is printed as text that is no control of a terminal, in lines of its own."""
    folder = await crawled()
    with Store(folder / "state") as store:
        url = f"{SITE}/odd"
        row = UrlRow(
            url, 1, b"", 1, (), 1, 99, 1e9, "failed", "tls: \x1b[31mred\nline", detail="\x1b]0;title\x07\u202e"
        )
        store.urls.put(store.keys.url(url, "page"), b"e", row)
        store.commit()
    for arguments in (["urls", "job", "--outcome", "failed"], ["explain", "job", url]):
        out = command(*arguments).out
        assert "\x1b" not in out
        assert "\u202e" not in out
        assert "\\x1b[31mred\\nline" in out
