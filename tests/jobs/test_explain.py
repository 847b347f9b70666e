"""`explain` is right for a URL of every outcome and reason, in a job that runs, one that was killed, one that ended."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from msgspec import structs

from crawler import CrawlConfig, Crawler, FakeTransport, Job
from crawler.core.model import SeedContext
from crawler.fetcher.transport.fake import answer
from crawler.frontier.reach import Reach
from crawler.frontier.row import ENDED, UrlRow
from crawler.frontier.store import Store
from crawler.ledger.kept import keep
from tests.support.every_outcome import SITE
from tests.support.patience import PATIENCE_S, wait_until
from tests.support.table import table

ROOT = Path(__file__).parents[2]
LIST = f"""{SITE}/
sitemap:{SITE}/map.xml
sitemap:{SITE}/no-map.xml
http://small.example/
http://127.0.0.1:9/
http://held.example/
this is no url
"""
LEFT_OUT = 11
"""URLs of small.example beyond its 30 pages: they end when nothing else is left to do."""
STORIES = [
    ("/", "fetched", "status 200"),
    ("/a", "fetched", "status 200"),
    ("/missing", "fetched", "status 404"),
    ("/listed", "fetched", "no line speaks of it"),
    ("/denied/open", "fetched", "line 4 allows it: 'Allow: /denied/open' (group of *)"),
    ("/map.xml", "fetched: sitemap", "read as a sitemap, which has no record"),
    ("/same", "fetched: duplicate", "the same as an earlier page"),
    ("/alike", "fetched: near-duplicate", "nearly the same as an earlier page"),
    ("/moved", "redirected", "points elsewhere"),
    ("/fails/connect", "failed: connect", "no connection could be made"),
    ("/fails/reset", "failed: reset", "broken off"),
    ("/fails/incomplete", "failed: incomplete", "7 of 9 bytes"),
    ("/fails/protocol", "failed: protocol", "no answer of HTTP"),
    ("/fails/encoding", "failed: encoding", "could not be decoded"),
    ("/fails/tls: expired", "failed: tls: expired", "no secure connection could be made: expired"),
    ("/fails/dns", "failed: dns", "could not be looked up"),
    ("/fails/timeout", "failed: timeout", "no answer came in time"),
    ("/round-2", "failed: redirects", "lead in a circle"),
    ("/no-map.xml", "failed: sitemap: broken XML", "could not be read as a sitemap"),
    ("/dies", "failed: parser-died", "the process that read it died"),
    ("/sleeps", "failed: parser-timeout", "longer than --parser-timeout"),
    ("/raises", "failed: parser-error: ValueError", "raised an exception: ValueError"),
    ("/unwritable", "failed: record: object in .url", "cannot be written"),
    ("/denied/x", "skipped: robots", "line 3 denies it: 'Disallow: /denied' (group of *)"),
    ("http://other.example/", "skipped: scope", "--scope host takes the host site.example alone"),
    ("/filtered", "skipped: filter", "--exclude '/filtered' is found in it"),
    ("/asked-not-to", "skipped: nofollow", "all links to it say nofollow"),
    ("/too-deep", "skipped: depth", "it is 3 links from its seed, and --depth is 2"),
    ("/x/x/x/x/x/", "skipped: trap", "its URL repeats itself"),
    ("http://127.0.0.1:9/", "skipped: private-address", "a private address"),
    ("this is no url", "skipped: malformed", "list.txt:7: not an http(s) URL"),
]


def said_of(job: Job, url: str) -> tuple[str, str]:
    """What a job says of a URL: outcome with reason, and all words."""
    (story,) = job.explain(SITE + url if url.startswith("/") else url).stories
    facts = story.facts
    ended = f"{facts.outcome}: {facts.reason}" if facts.reason else facts.outcome
    return ended, "; ".join((story.summary, *story.why, *story.waits_for))


def check_stories(job: Job) -> None:
    wrong = [(url, *said_of(job, url)) for url, ended, words in STORIES if (
        said_of(job, url)[0] != ended or words not in said_of(job, url)[1]
    )]  # fmt: skip
    assert not wrong, "\n".join(map(str, wrong))


def check_sums(job: Job) -> None:
    """Every URL that was ever met is there, once, with its reason."""
    counters = job.answers.stores[0].meta("counters")
    met = list(job.urls())
    lines = [one for one in met if one.reason == "malformed"]
    assert [one.url for one in lines] == ["this is no url"]
    ended = Counter(
        f"{one.outcome}: {one.reason}" if one.reason else one.outcome for one in met if one.outcome and one not in lines
    )
    assert ended == counters["outcomes"]
    assert sum(1 for one in met if not one.outcome) == counters["queued"]
    assert len({(one.url, one.kind) for one in met}) == len(met) == counters["known"] + len(lines)
    for name in ("fetched", "redirected", "failed", "skipped"):
        assert sum(1 for _ in job.urls(outcome=name)) == sum(1 for one in met if one.outcome == name)
    assert sum(1 for _ in job.urls(host="site.example")) == sum(1 for one in met if one.host == "site.example") > 0
    by_host = {one.host: one for one in job.hosts()}
    assert sum(sum(one.outcomes.values()) + one.due for one in by_host.values()) == counters["known"]
    assert by_host["site.example"].robots[0].crawl_delay_s == 0.001


@pytest.mark.timeout(240)
def test_a_url_of_every_outcome_is_explained_in_a_running_a_killed_and_an_ended_job(tmp_path):
    (tmp_path / "list.txt").write_text(LIST)
    command = [sys.executable, "-m", "tests.support.every_outcome", str(tmp_path / "job"), str(tmp_path / "list.txt")]
    crawl = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_until((tmp_path / "job" / "state" / "CURRENT").exists)
        with Job(tmp_path / "job") as job:

            def is_waiting() -> bool:
                job.refresh()
                return (job.answers.stores[0].meta("counters") or {}).get("queued") == 1 + LEFT_OUT

            wait_until(is_waiting)
            assert crawl.poll() is None
            check_stories(job)
            check_sums(job)
            held = job.explain("http://held.example/")
            assert held.running
            assert held.stories[0].facts.outcome == ""
            assert any("it is the first of its host" in words for words in held.stories[0].waits_for)

            crawl.kill()
            crawl.wait()
            wait_until(lambda: not job.is_running)
            job.refresh()
            check_stories(job)
            check_sums(job)
            assert any(
                "none runs the job now" in words for words in job.explain("http://held.example/").stories[0].waits_for
            )

            subprocess.run([*command, "open"], cwd=ROOT, check=True, timeout=PATIENCE_S, stderr=subprocess.DEVNULL)
            job.refresh()
            check_stories(job)
            check_sums(job)
            assert said_of(job, "http://held.example/")[0] == "fetched"
            assert sum(1 for _ in job.urls(reason="host-limit")) == LEFT_OUT
            assert "--max-pages-per-host" in said_of(job, next(job.urls(reason="host-limit")).url)[1]
            check_whole_story(job)
    finally:
        crawl.kill()
        crawl.wait()


def check_whole_story(job: Job) -> None:
    """All that is told of a page beside its outcome."""
    (deep,) = job.explain(f"{SITE}/deep#part").stories
    assert [(one.url, one.how) for one in deep.way] == [(f"{SITE}/a", "links to"), (f"{SITE}/", "links to")]
    assert (deep.seed.number, deep.seed.url, deep.facts.depth) == (1, f"{SITE}/", 2)
    assert [(one.what, len(one.address)) for one in deep.facts.attempts] == [("", 4)]
    (listed,) = job.explain(f"{SITE}/listed").stories
    assert [(one.url, one.how) for one in listed.way] == [(f"{SITE}/map.xml", "lists")]
    assert listed.facts.lastmod == "2026-01-02"
    (target,) = job.explain(f"{SITE}/target").stories
    assert [(one.url, one.how) for one in target.way] == [(f"{SITE}/moved", "redirects to"), (f"{SITE}/", "links to")]
    assert job.explain(f"{SITE}/moved").stories[0].redirects_to == f"{SITE}/target"
    assert job.explain(f"{SITE}/same").stories[0].repeats == f"{SITE}/a"
    lines = (job.folder / "pages.jsonl").read_text().splitlines()
    record = deep.facts.record
    assert json.loads(lines[record])["url"] == f"{SITE}/deep"
    assert deep.record_at == f"record {record + 1}: line {record + 1} of {job.folder / 'pages.jsonl'}"


ROWS = [
    ("skipped", "repeats", "--max-repeats"),
    ("skipped", "same-page: ref", "differ from it in ref alone"),
    ("skipped", "domain-limit", "--max-pages-per-domain"),
    ("skipped", "robots-unreachable", "robots.txt could not be had"),
    ("skipped", "blocked", "blocked"),
    ("failed", "host-down", "--fail-unreachable"),
    ("fetched", "sitemap: cut", "not all of it was taken"),
]


def test_what_takes_a_large_site_or_an_older_version_is_explained_as_well(tmp_path):
    with Store(tmp_path / "state") as store:
        store.put_meta("job", {"seeds": "x"})
        keep(store, CrawlConfig(job=tmp_path))
        store.put_seed(SeedContext(1, ("http://a.example/",), b'{"id":7}'))
        for number, (outcome, reason, _) in enumerate(ROWS):
            url = f"http://a.example/{number}"
            row = UrlRow(url, 1, b"", 1, (), 1, number, 1e9, outcome, reason, 200)
            store.urls.put(store.keys.url(url, "page"), ENDED, row)
        waiting = UrlRow("http://a.example/later", 0, b"", 1, (), 2, 9, 1e9, reason="timeout")
        store.retries.add(4e9, store.keys.url(waiting.url, "page"), waiting)
        store.urls.put_waiting(store.keys.url(waiting.url, "page"), b"", Reach(0, 0))
        store.commit()
    with Job(tmp_path) as job:
        for number, (outcome, reason, words) in enumerate(ROWS):
            ended, said = said_of(job, f"http://a.example/{number}")
            assert ended == f"{outcome}: {reason}"
            assert words in said
        (story,) = job.explain("http://a.example/later").stories
        assert story.summary == "it is due again after 2 attempts: no answer came in time (--timeout)"
        assert story.waits_until == 4e9
        assert story.seed.extra == {"id": 7}


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    """A job of a site with a page in a folder."""
    folder = tmp_path_factory.mktemp("small")

    def respond(request):
        if request.url.endswith("/robots.txt"):
            return answer(request, "User-agent: crawler\nDisallow: /closed", headers=(("content-type", "text/plain"),))
        return answer(request, '<a href="/docs/Guide/?b=2&a=1">x</a> <a href="/docs/start/">x</a> <a href="/news/">')

    import asyncio

    config = CrawlConfig(job=folder, delay_s=0.0, strategy="async", exclude=("[.]zip$",))
    asyncio.run(Crawler(config, ["http://www.a.example/"], transport=FakeTransport(respond)).run())
    return folder


@table(
    ("asked", "why", "near"),
    [
        ("http://www.a.example/docs/start", "no page that was read links to it", "http://www.a.example/docs/start/"),
        (
            "https://www.a.example/news/",
            "nothing was ever asked of https://www.a.example",
            "http://www.a.example/news/",
        ),
        (
            "http://a.example/news/",
            "out of scope: --scope host takes the host www.a.example",
            "http://www.a.example/news/",
        ),
        ("http://www.a.example/news/index.html", "no page that was read links", "http://www.a.example/news/"),
        ("http://www.a.example/NEWS/", "no page that was read links", "http://www.a.example/news/"),
        ("http://www.a.example/docs/Guide/?a=1&b=2", "no page", "http://www.a.example/docs/Guide/?b=2&a=1"),
        ("http://www.a.example/docs/Guide/", "no page that was read links", "http://www.a.example/docs/Guide/?b=2&a=1"),
        ("http://www.a.example/docs/stort/", "no page that was read links", "http://www.a.example/docs/start/"),
        ("http://www.a.example/news/a.zip", "it would be filtered: --exclude '[.]zip$'", "http://www.a.example/news/"),
        (
            "http://www.a.example/closed/x",
            "line 2 denies it: 'Disallow: /closed' (group of crawler)",
            "http://www.a.example/",
        ),
        ("http://www.a.example/a/a/a/a/a/", "repeats itself", "http://www.a.example/"),
        ("ftp://www.a.example/", "not an http(s) URL", None),
    ],
)
def test_a_url_that_was_never_met_is_told_why_and_what_is_near(small, asked, why, near):
    with Job(small) as job:
        told = job.explain(asked)
    assert not told.is_known
    assert any(why in words for words in told.why_unknown), told.why_unknown
    assert [one.url for one in told.near[:1]] == ([] if near is None else [near]), told.near


def test_what_is_typed_in_another_form_is_found_by_its_normal_form(small):
    with Job(small) as job:
        told = job.explain("HTTP://me:secret@WWW.A.example:80/docs/./start/#top")
    assert told.is_known
    assert told.url == "http://www.a.example/docs/start/"
    said = "; ".join(told.changes)
    for words in ("behind #", "user name and password", "the host is www.a.example", "its normal form is"):
        assert words in said


def test_a_robots_txt_that_has_changed_since_is_told(small):
    """The stored verdict stays; what the rules say now is told beside it."""
    with Store(small / "state") as store:
        url = "http://www.a.example/opened"
        row = UrlRow(url, 1, b"", 1, (), 0, 99, 1e9, "skipped", "robots")
        store.urls.put(store.keys.url(url, "page"), ENDED, row)
        store.commit()
    with Job(small) as job:
        (story,) = job.explain(url).stories
        assert "robots.txt has changed since 2001-09-09 01:46:40 UTC, when it denied the URL" in story.why
    assert structs.asdict(story)["robots"].allows
