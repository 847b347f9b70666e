"""Seeds are added to a job, and URLs retried, whether a crawl runs it or not: each once, and none is lost."""

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from crawler import Crawler, Job
from crawler.core.config import CrawlConfig
from crawler.core.errors import JobError, SeedError, StorageError, UsageError
from crawler.core.model import Failure
from crawler.fetcher.transport.fake import FakeTransport, answer
from crawler.ledger.inbox import Answer, Inbox
from tests.support.patience import PATIENCE_S

LEADS_TO = {"/a": ["/a/1", "/a/2"], "/b": ["/b/1"], "/far": ["http://other.test/"]}


class Web:
    """One host, with a few links. `asked` are the paths of pages that were asked for; some of them `fail`."""

    def __init__(self, *fail: str) -> None:
        self.asked: list[str] = []
        self.fail = set(fail)
        self.robots = ""
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def __call__(self, request):
        path = urlsplit(request.url).path
        if path == "/robots.txt":
            return answer(request, self.robots, headers=(("content-type", "text/plain"),))
        self.asked.append(path)
        await self.may_answer.wait()
        if path in self.fail:
            return Failure("protocol", "nonsense", retryable=False)
        return answer(request, "".join(f'<a href="{to}">x</a>' for to in LEADS_TO.get(path, [])))


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "job"


@pytest.fixture
def crawler(folder):
    """Return a function that makes a crawler of the job."""

    def crawler(web: Web, *seeds: str, **settings: object) -> Crawler:
        config = CrawlConfig(job=folder, **{"delay_s": 0.0, "strategy": "async", "retries": 0, **settings})
        return Crawler(config, [f"http://h.test{seed}" for seed in seeds], transport=FakeTransport(web))

    return crawler


def records(folder: Path) -> list[str]:
    """Return the paths of all records, each once."""
    lines = (folder / "pages.jsonl").read_bytes().splitlines()
    return sorted(urlsplit(json.loads(line)["url"]).path for line in lines)


async def until(happens: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not happens():
            await asyncio.sleep(0.01)


async def test_seeds_are_added_to_an_ended_job_and_its_crawl_goes_on_with_them(crawler, folder, tmp_path):
    """By the command of before, too: its seeds are the same, whatever was added."""
    await crawler(Web(), "/a").run()
    more = tmp_path / "more.csv"
    more.write_text("url,note\nhttp://h.test/b,1\nhttp://h.test/a,2\nnonsense,3\n")
    bad = []
    with Job(folder) as job:
        assert job.add([str(more), "sitemap:http://h.test/map"], on_bad_seed=bad.append) == Answer(2, 1, 1)
        assert [one.url for one in job.urls(due=True)] == ["http://h.test/b", "http://h.test/map"]
    assert ["more.csv:4" in str(one) for one in bad] == [True]
    web = Web()
    await crawler(web, "/a").run()
    assert sorted(web.asked) == ["/b", "/b/1", "/map"]
    await crawler(web, "/a", "/c").run()
    assert records(folder) == ["/a", "/a/1", "/a/2", "/b", "/b/1", "/c"]


async def test_a_crawl_that_runs_takes_seeds_with_a_scope_of_their_own(crawler, folder):
    """And does not end before it has looked for more."""
    web = Web()
    web.may_answer.clear()
    run = asyncio.create_task(crawler(web, "/far").run())
    await until(lambda: web.asked)
    adding = asyncio.create_task(asyncio.to_thread(Job(folder).add, ["http://h.test/b", "http://other.test/"]))
    await until(lambda: list((folder / "inbox").glob("*.jsonl")))
    web.may_answer.set()
    stats = await run
    assert await adding == Answer(2)
    assert stats.outcomes == {"fetched": 4}
    assert sorted(web.asked) == ["/", "/b", "/b/1", "/far"]
    assert list((folder / "inbox").iterdir()) == []


async def test_what_is_added_while_a_crawl_ends_is_taken_by_it_or_left_in_the_job(crawler, folder):
    """Each of 30 seeds, added at any moment around the end of one of five crawls, has a record in the end."""
    await crawler(Web(), "/a").run()
    answers = []
    for number in range(5):
        web = Web()
        run = asyncio.create_task(crawler(web, "/a").run())

        def add_some(number: int = number) -> None:
            answers.extend(Job(folder).add(f"http://h.test/{number}-{one}") for one in range(6))

        adding = threading.Thread(target=add_some)
        adding.start()
        await run
        await asyncio.to_thread(adding.join)
    assert answers == [Answer(1)] * 30
    await crawler(Web(), "/a").run()
    assert records(folder)[:30] == sorted(f"/{number}-{one}" for number in range(5) for one in range(6))


async def test_two_who_add_at_once_wait_for_each_other(crawler, folder):
    await crawler(Web(), "/a").run()
    adding = [asyncio.to_thread(Job(folder).add, [f"http://h.test/{one}", "http://h.test/same"]) for one in range(6)]
    answers = await asyncio.gather(*adding)
    assert sum(one.new for one in answers) == 7
    assert sum(one.known for one in answers) == 5
    with Job(folder) as job:
        assert len(list(job.urls(due=True))) == 7


async def test_with_a_record_for_each_row_each_seed_is_a_row_more(crawler, folder, tmp_path):
    """Bad rows have records as well; the list of before may still grow at its end."""
    rows = tmp_path / "rows.txt"
    rows.write_text("http://h.test/a\nhttp://h.test/b\n")
    config = CrawlConfig(job=folder, delay_s=0.0, strategy="async", scope="page")

    async def crawled() -> list[str]:
        await Crawler(config, [str(rows)], transport=FakeTransport(Web())).run()
        return [json.loads(line)["url"] for line in (folder / "pages.jsonl").read_bytes().splitlines()]

    await crawled()
    more = tmp_path / "more.txt"
    more.write_text("http://h.test/a\nnonsense\n")
    assert Job(folder).add(str(more)) == Answer(new=0, known=1, bad=1)
    assert sorted((await crawled())[2:]) == ["http://h.test/a", "nonsense"]
    rows.write_text("http://h.test/a\nhttp://h.test/b\nhttp://h.test/c\n")
    assert (await crawled())[4:] == ["http://h.test/c"]


async def test_what_failed_is_retried_and_counted_right(crawler, folder):
    web = Web("/a/1", "/a/2")
    await crawler(web, "/a").run()
    with Job(folder) as job:
        assert (job.retry(kind="dns"), job.retry(host="other.test"), job.retry(url="http://h.test/a")) == (0, 0, 0)
        assert (job.retry(url="http://h.test/a/1"), job.retry(), job.retry()) == (1, 1, 0)
        assert sorted(one.url for one in job.urls(due=True)) == ["http://h.test/a/1", "http://h.test/a/2"]
    web.fail = {"/a/2"}
    stats = await crawler(web, "/a").run()
    assert (stats.outcomes, stats.queued, stats.known) == ({"fetched": 2, "failed: protocol": 1}, 0, 3)
    assert records(folder) == ["/a", "/a/1"]


async def test_what_robots_txt_forbade_is_retried_and_what_the_settings_leave_out_is_not(crawler, folder):
    web = Web()
    web.robots = "User-agent: *\nDisallow: /a/\n"
    await crawler(web, "/a", "/far").run()
    with Job(folder) as job:
        assert job.retry() == 0
        assert job.retry(outcome="skipped") == 2
        for refused in ({"outcome": "fetched"}, {"kind": "scope"}, {"kind": "depth"}, {"kind": "nonsense"}):
            with pytest.raises(UsageError, match="cannot be retried"):
                job.retry(**refused)
        with pytest.raises(UsageError, match="not the name of a host"):
            job.retry(host="two words")


async def test_a_crawl_that_runs_retries_and_unblocks(crawler, folder):
    """Also what has ended as blocked since nothing else was left."""
    web = Web("/b")
    one = crawler(web, "/b", "/far", scope="any")
    one.steering.block("other.test")
    web.may_answer.clear()
    run = asyncio.create_task(one.run())
    await until(lambda: len(web.asked) == 2)
    one.steering.pause()
    web.may_answer.set()
    await until(lambda: one.stats().outcomes == {"failed: protocol": 1, "fetched": 1, "skipped: blocked": 1})
    web.fail.clear()
    assert await asyncio.to_thread(Job(folder).retry) == 1
    assert await asyncio.to_thread(Job(folder).steer, "unblock", "other.test")
    assert await asyncio.to_thread(Job(folder).steer, "resume")
    assert (await run).outcomes == {"fetched": 4}
    assert records(folder) == ["/", "/b", "/b/1", "/far"]


async def test_what_is_steered_when_nothing_runs_holds_in_the_next_run(crawler, folder):
    await crawler(Web(), "/a").run()
    with Job(folder) as job:
        for verb in ("pause", "resume", "stop"):
            with pytest.raises(JobError, match=f"there is nothing to {verb}"):
                job.steer(verb)
        job.steer("block", "h.test")
        job.steer("delay", "slow.test", 5.0)
        job.add("http://h.test/b")
    one = crawler(Web(), "/a")
    stats = await one.run()
    assert stats.steered == ("blocked h.test", "delay 5 s for slow.test")
    assert stats.outcomes == {"fetched": 3, "skipped: blocked": 1}
    with Job(folder) as job:
        job.steer("unblock", "h.test")
        assert [url.url for url in job.urls(due=True)] == ["http://h.test/b"]


async def test_what_is_no_request_in_the_inbox_is_left_alone_and_links_are_refused(crawler, folder, tmp_path, caplog):
    await crawler(Web(), "/a").run()
    inbox = folder / "inbox"
    inbox.mkdir()
    (inbox / "notes.txt").write_text("mine")
    secret = tmp_path / "secret.jsonl"
    secret.write_text('{"url": "http://h.test/secret"}\n')
    (inbox / f"{1:019d}-1-00000000.jsonl").symlink_to(secret)
    broken = inbox / f"{2:019d}-1-00000000.json"
    broken.write_bytes(b"\xff{")
    late = inbox / f"{3:019d}-1-00000000.json"
    late.write_text('{"change": {"do": "stop"}}')
    web = Web()
    stats = await crawler(web, "/a").run()
    assert (stats.ended, web.asked) == ("done", [])
    assert sorted(path.name for path in inbox.iterdir() if not path.name.endswith(".answer")) == sorted(
        ["notes.txt", f"{1:019d}-1-00000000.jsonl"]
    )
    for text in ("notes.txt: it is left alone", "00000000.jsonl: it is left alone", "cannot be read", "had ended"):
        assert text in caplog.text
    for path in inbox.iterdir():
        path.unlink()
    inbox.rmdir()
    inbox.symlink_to(tmp_path)
    with pytest.raises(StorageError, match="symbolic link"):
        Job(folder).add("http://h.test/b")


async def test_a_job_that_cannot_be_changed_says_so_and_nothing_is_left_behind(crawler, folder, tmp_path):
    with pytest.raises(JobError, match="there is no job"):
        Job(folder).add("http://h.test/b")
    await crawler(Web(), "/a").run()
    for seeds in ("nonsense", [], str(tmp_path)):
        with pytest.raises(SeedError):
            Job(folder).add(seeds)
    empty = tmp_path / "empty.txt"
    empty.write_text("# nothing\n")
    with pytest.raises(SeedError, match="no seeds in"):
        Job(folder).add(str(empty))
    assert list((folder / "inbox").iterdir()) == []


async def test_a_large_file_is_taken_in_slices_and_goes_on_where_it_was(crawler, folder, tmp_path):
    """Of 2,500 rows, each with a record; a run that is stopped in between has taken whole slices."""
    config = CrawlConfig(job=folder, delay_s=0.0, strategy="async", scope="page", max_time_s=0.0)
    first = tmp_path / "first.txt"
    first.write_text("http://h.test/a\n")
    whole = CrawlConfig(job=folder, delay_s=0.0, strategy="async", scope="page")
    await Crawler(whole, [str(first)], transport=FakeTransport(Web())).run()
    Inbox(folder).put_seeds(f'{{"url": "http://h.test/{one % 1000}"}}\n'.encode() for one in range(2_500))
    await Crawler(config, [str(first)], transport=FakeTransport(Web())).run()
    await Crawler(whole, [str(first)], transport=FakeTransport(Web())).run()
    found = [json.loads(line)["url"] for line in (folder / "pages.jsonl").read_bytes().splitlines()]
    assert len(found) == 2_501
    assert {found.count(f"http://h.test/{one}") for one in range(500)} == {3}
