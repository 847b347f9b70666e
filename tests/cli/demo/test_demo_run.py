"""The demo crawl: one record for each page that can be reached, and what is said about it."""

import asyncio
import collections
import datetime as dt
import json
import subprocess
from pathlib import Path

import ada_url
import msgspec
import pytest

from crawler.cli.demo.run import check_records, demo_config, next_steps, program_name, run
from crawler.cli.demo.site import Site, expected_urls
from crawler.core.errors import CrawlerError

PORT = 8000


def quick(config):
    """The demo without its politeness: delays are tested elsewhere."""
    return msgspec.structs.replace(config, delay_s=0.0, per_host=8)


@pytest.mark.thorough
def test_a_crawl_gives_one_record_for_each_reachable_page_and_ends_each_url_as_announced(tmp_path):
    from crawler.ring.crawler import Crawler

    said = []
    ended = []

    def crawl(config, seeds, fresh):
        ended.append(asyncio.run(Crawler(quick(config), seeds, fresh=fresh).run()))
        ended.append(int(seeds[0].rpartition(":")[2].strip("/")))
        return 0

    code = run(tmp_path / "demo", crawl, say=said.append)
    stats, port = ended
    site = Site(port)
    assert code == 0, said
    assert stats.outcomes == dict(collections.Counter(site.outcomes().values()))

    lines = (tmp_path / "demo" / "pages.jsonl").read_bytes().splitlines()
    records = [json.loads(line) for line in lines]
    by_url = {record["url"]: record for record in records}
    assert len(by_url) == len(records)
    assert set(by_url) == expected_urls(port)
    for url, record in by_url.items():
        resource = site.resource(url)
        answer = site.answer(*split(url))
        assert record["status"] == answer.status
        if resource.kind in {"article", "charset", "language", "standing", "429-then-200", "503-then-200"}:
            assert record["title"] == resource.content.title
    patient = sorted(
        dt.datetime.fromisoformat(record["fetched_at"]).timestamp()
        for url, record in by_url.items()
        if "//site14." in url
    )
    # Crawl-delay is 0.25 s there, and holds although --delay is 0; answers may come a little late or early.
    assert patient[-1] - patient[0] > 0.9 * 0.25 * (len(patient) - 1)
    there = by_url[f"http://site02.localhost:{port}/services-at-last"]
    hops = [
        f"http://site02.localhost:{port}{path}"
        for path in ("/old/services", "/older/services", "/oldest/services.html")
    ]
    assert there["redirected_from"] == hops
    assert by_url[f"http://site19.localhost:{port}/annex/"]["redirected_from"] == [f"http://site20.localhost:{port}/"]


@pytest.mark.thorough
def test_a_demo_that_was_stopped_goes_on_on_the_same_port(tmp_path):
    from crawler.ring.crawler import Crawler

    job = tmp_path / "demo"
    calls = []

    async def stop_early(crawler):
        task = asyncio.create_task(crawler.run())
        while crawler.stats().pages < 200 and not task.done():
            await asyncio.sleep(0.02)
        crawler.stop()
        return await task

    def crawl(config, seeds, fresh):
        calls.append((seeds[0], fresh))
        crawler = Crawler(quick(config), seeds, fresh=fresh)
        if len(calls) == 1:
            assert asyncio.run(stop_early(crawler)).ended == "interrupted"
            return 4
        asyncio.run(crawler.run())
        return 0

    said = []
    assert run(job, crawl, say=said.append) == 4
    assert "go on where it stopped" in said[-1]
    assert run(job, crawl, say=said.append) == 0
    assert calls == [(calls[0][0], True), (calls[0][0], False)]
    assert "none twice" in said[-2]


def test_a_demo_that_had_ended_or_is_to_be_fresh_starts_over(tmp_path):
    calls = []

    def crawl(config, seeds, fresh):
        calls.append(fresh)
        config.job.mkdir(exist_ok=True)
        Path(config.outputs[0]).write_text("")
        return 4 if len(calls) == 2 else 0

    def run_without_records():
        with pytest.raises(
            CrawlerError, match=r"has 0 records where the demo site has .* missing, such as http://site01"
        ):
            run(tmp_path, crawl, say=say, fresh=len(calls) == 2)

    def say(_):
        return None

    run_without_records()
    assert run(tmp_path, crawl, say=say) == 4
    run_without_records()
    assert calls == [True, True, True]


def test_the_check_names_what_is_missing_twice_or_not_expected(tmp_path):
    output = tmp_path / "pages.jsonl"
    urls = sorted(expected_urls(PORT))
    written = [*urls[1:], urls[5], "http://elsewhere.localhost/"]
    output.write_text("".join(json.dumps({"url": url, "status": 200}) + "\n" for url in written))
    check = check_records(output, PORT)
    assert not check.ok
    assert (check.missing, check.repeated, check.unexpected) == (
        (urls[0],),
        (urls[5],),
        ("http://elsewhere.localhost/",),
    )
    assert (check.records, check.expected) == (len(urls) + 1, len(urls))


def test_the_commands_to_try_next_are_three_and_the_one_on_the_records_works(tmp_path):
    config = demo_config(tmp_path / "my demo")
    config.job.mkdir()
    Path(config.outputs[0]).write_text('{"status": 200}\n{"status": 404}\n{"status": 200}\n')
    text = next_steps(config, program="crawler")
    commands = [line.strip() for line in text.splitlines() if line.startswith("  ") and not line.startswith("   ")]
    assert len(commands) == 3
    counting = next(command for command in commands if command.startswith("python3"))
    shown = subprocess.run(counting, shell=True, capture_output=True, text=True, check=True).stdout
    assert shown == "Counter({200: 2, 404: 1})\n"
    assert f"crawler demo --job '{config.job}'" in commands


@pytest.mark.parametrize(
    ("argv0", "shown"),
    [
        ("bin/crawler", "bin/crawler"),
        ("/elsewhere/crawler", "/elsewhere/crawler"),
        ("/x/crawler/__main__.py", "python3 -m crawler"),
    ],
)
def test_a_program_that_is_not_on_the_path_is_named_by_its_place(argv0, shown, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert program_name(argv0) == shown


def test_a_program_on_the_path_is_named_alone(tmp_path, monkeypatch):
    script = tmp_path / "crawler"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert program_name(str(script)) == "crawler"


def split(url):
    parsed = ada_url.URL(url)
    return parsed.hostname, parsed.pathname + parsed.search
