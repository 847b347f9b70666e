"""The records of a job, read back from any output, and with the pages that link to each."""

import asyncio
import json
import os
import random
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pyarrow.parquet as parquet
import pytest

import crawler.jobs.linked_records as linked
from crawler import Job
from crawler.core.config import CrawlConfig
from crawler.core.errors import ConfigError, CrawlerError
from crawler.fetcher.transport.fake import FakeTransport, answer
from crawler.ring.crawler import Crawler
from tests.support.commands import CommandLine
from tests.support.patience import PATIENCE_S

ROOT = Path(__file__).parents[2]
PAGES = 120


class Web:
    """A random site, of which each seventh URL redirects to the next one."""

    def __init__(self) -> None:
        rng = random.Random(3)
        self.links = {n: [*rng.choices(range(PAGES), k=rng.randrange(9)), (n + 1) % PAGES, 7, n] for n in range(PAGES)}

    def __call__(self, request):
        path = request.url.rpartition("/")[2]
        if path == "robots.txt":
            return answer(request, status=404)
        number = int(path or 0)
        if number % 7 == 6:
            return answer(request, status=301, headers=(("location", f"/{number + 1}"),))
        return answer(request, "".join(f'<a href="/{to or ""}">x</a>' for to in self.links[number]))

    def expected(self) -> dict[str, list[str]]:
        """Which pages link to each, by the model."""
        found = defaultdict(set)
        for page, links in self.links.items():
            for to in links:
                end = to + 1 if to % 7 == 6 else to
                if page % 7 != 6 and end != page:
                    found[url(end)].add(url(page))
        return {one: sorted(pages) for one, pages in found.items()}


def url(number: int) -> str:
    return f"http://h.test/{number or ''}"


def crawled(job: Path, *outputs: str, web=None, **settings) -> Path:
    config = CrawlConfig(
        job=job, **{"delay_s": 0.0, "strategy": "async", "output": outputs or None, "max_repeats": None, **settings}
    )
    stats = asyncio.run(Crawler(config, [url(0)], transport=FakeTransport(web or Web())).run())
    assert stats.ended == "done"
    return job


@pytest.mark.parametrize("ending", [".jsonl.gz", ".csv", ".db", ".parquet"])
def test_each_record_has_the_pages_that_link_to_it_whatever_was_met_first(tmp_path, monkeypatch, ending):
    """And is else what the crawl gave, also where a table holds it as text."""
    monkeypatch.setattr(linked, "_SORTED_AT_ONCE", 37)  # so that there are many files
    plain = tmp_path / "plain.jsonl"
    crawled(tmp_path / "job", str(tmp_path / f"pages{ending}"), str(plain), fields=("url", "links", "redirected_from",
            "depth", "fetched_at", "seed", "truncated"))  # fmt: skip
    with Job(tmp_path / "job") as job:
        found, again = list(job.records(inlinks=True)), list(job.records())
    expected = Web().expected()
    assert {one["url"]: one["inlinks"] for one in found} == {one["url"]: expected[one["url"]] for one in again}
    assert [one["inlinks_total"] for one in found] == [len(one["inlinks"]) for one in found]
    assert again == [json.loads(line) for line in plain.read_bytes().splitlines()]
    assert [{**one, "inlinks": 0, "inlinks_total": 0} for one in found] == [
        one | {"inlinks": 0, "inlinks_total": 0} for one in again
    ]


def test_of_very_many_pages_some_are_named_and_all_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(linked, "MOST_INLINKS", 10)
    with Job(crawled(tmp_path / "job")) as job:
        (most,) = (one for one in job.records(inlinks=True) if one["url"] == url(7))
        (again,) = (one for one in job.records(inlinks=True) if one["url"] == url(7))
    expected = Web().expected()[url(7)]
    assert most == again
    assert (len(most["inlinks"]), most["inlinks_total"]) == (10, len(expected))
    assert set(most["inlinks"]) < set(expected)


def test_what_cannot_be_told_is_one_clear_error(tmp_path):
    with Job(crawled(tmp_path / "few", fields=("url",))) as job, pytest.raises(CrawlerError, match="no field links"):
        list(job.records(inlinks=True))
    with (
        Job(crawled(tmp_path / "archive", str(tmp_path / "a.warc.gz"))) as job,
        pytest.raises(CrawlerError, match="no output that can be read again"),
    ):
        list(job.records())
    with pytest.raises(ConfigError, match=r"inlinks are known only when .* `crawler export JOB --inlinks`"):
        CrawlConfig(job=tmp_path, fields=("url", "inlinks"))


def test_a_record_that_a_crawl_is_at_is_left_out(tmp_path):
    job = crawled(tmp_path / "job")
    with (job / "pages.jsonl").open("ab") as file:
        file.write(b'{"url":"http://h.te')
    with Job(job) as opened:
        assert len(list(opened.records(inlinks=True))) == len(list(opened.records())) == PAGES - PAGES // 7


def test_the_command_writes_them_in_each_format(tmp_path):
    job = crawled(tmp_path / "job", fields=("url", "links"))
    command = CommandLine(tmp_path)
    try:
        for ending in (".jsonl", ".csv", ".parquet"):
            ended = command.run("export", job, "--inlinks", "-o", f"linked{ending}")
            assert (ended.code, ended.out, ended.err) == (0, "", "")
        lines = [json.loads(line) for line in (tmp_path / "linked.jsonl").read_bytes().splitlines()]
        assert {one["url"]: one["inlinks"] for one in lines} == {
            one["url"]: Web().expected()[one["url"]] for one in lines
        }
        (header, first), *_ = [(tmp_path / "linked.csv").read_text().splitlines()[:2]]
        assert header == "url,links,inlinks,inlinks_total"
        assert first.startswith(f"{lines[0]['url']},")
        assert parquet.read_table(tmp_path / "linked.parquet")["inlinks_total"].to_pylist() == [
            one["inlinks_total"] for one in lines
        ]
        assert "is there already" in command.run("export", job, "-o", "linked.csv").err
        assert command.run("export", "nowhere").code == 2
        assert json.loads(command.run("export", job).out.splitlines()[0]).keys() == {"url", "links"}
    finally:
        command.close()


def test_without_room_it_says_where_and_leaves_nothing(tmp_path):
    """For the file itself, and for what is sorted aside; `ulimit` is the disk that is full."""
    job = crawled(tmp_path / "job", fields=("url", "links"))
    (tmp_path / "aside").mkdir()
    script = 'ulimit -f 8; TMPDIR="$1" exec "$2" -m crawler export job $3 -o linked.jsonl'
    for options, output in (("", "cannot write linked.jsonl"), ("--inlinks", "cannot sort links in")):
        if options:  # the URLs of many records
            with (job / "pages.jsonl").open("ab") as file:
                file.writelines(b'{"url":"http://h.test/%0100d","links":[]}\n' % number for number in range(200))
        ended = subprocess.run(
            ["sh", "-c", script, "sh", str(tmp_path / "aside"), sys.executable, options],
            cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
            timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        assert ended.returncode == 5, ended.stderr
        assert ended.stderr.startswith(f"crawler: error: {output}")
        assert "File too large; make room" in ended.stderr
        assert ended.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["aside", "job"]
    assert list((tmp_path / "aside").iterdir()) == []
