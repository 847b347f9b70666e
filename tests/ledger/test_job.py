"""What a job keeps of its settings: those that decide what is crawled, and nothing that may be secret."""

import pytest

from crawler.core.config import CRAWL_SETTINGS, CrawlConfig
from crawler.core.errors import JobError
from crawler.core.model import Field, Rotation
from crawler.fetcher.transport.fake import FakeTransport, answer
from crawler.frontier.store import Store
from crawler.ledger.job import JobFolder
from crawler.ring.crawler import Crawler
from tests.support.store_rows import store_rows

SECRETS = ("Bearer-of-the-secret", "key-0123456789", "sid=cookie-of-the-secret")


def settle(config: CrawlConfig, *, record: bool = False) -> bool:
    """Begin, or go on with, the job of `config`."""
    job = JobFolder(config)
    try:
        with Store(job.state_path) as store:
            settled = job.settle(store, "seeds")
            if record:
                store.put_meta("counters", {"pages": 1})
                store.commit()
            return settled
    finally:
        job.close()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("scope", "any"),
        ("depth", 3),
        ("include", ("a",)),
        ("exclude", ("a",)),
        ("sitemaps", True),
        ("max_links", 5),
        ("max_chain", 7),
        ("robots", "ignore"),
        ("allow_private", True),
        ("allow_private", ("10.0.0.0/8",)),
        ("fields", ("url",)),
        ("output", ("a.jsonl", "b.csv")),
        ("rotate", Rotation(records=5)),
        ("spider", "shop:parse"),
        ("select", (Field(name="price", css=".price"),)),
        ("skip_duplicates", "near"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_decides_which_urls_are_crawled_stays_as_the_job_began(tmp_path, setting, value):
    """Refused by name once there is a record; the same settings go on."""
    config = CrawlConfig(job=tmp_path / "job")
    changed = CrawlConfig(job=tmp_path / "job", **{setting: value})
    assert settle(config)
    assert not settle(changed), "without a record the job may begin anew"
    assert settle(config, record=True)
    with pytest.raises(JobError, match=rf"\({setting} was .* and is now .*\).*--fresh"):
        settle(changed)
    assert settle(config)


@pytest.mark.parametrize("value", [True, False, ("10.0.0.0/8", "::1")])
def test_a_job_goes_on_with_the_settings_it_was_begun_with(tmp_path, value):
    """Also with those that are kept in another form than they are given."""
    config = CrawlConfig(
        job=tmp_path / "job",
        allow_private=value,
        include=("a", "b"),
        output=(str(tmp_path / "a.csv"), "-"),
        rotate=Rotation(bytes=5) if value is False else None,
        select=(Field(name="items", css="li", many=True, fields=(Field(name="price", css=".price"),)),),
    )
    assert settle(config, record=True)
    assert settle(config)


def test_a_job_begun_before_there_was_a_setting_goes_on_with_its_default(tmp_path):
    config = CrawlConfig(job=tmp_path / "job")
    assert settle(config, record=True)
    job = JobFolder(config)
    with Store(job.state_path) as store:
        store.put_meta("job", {name: value for name, value in store.meta("job").items() if name != "max_chain"})
        store.commit()
    job.close()
    assert settle(config)
    with pytest.raises(JobError, match=r"\(max_chain was 100 and is now 7\)"):
        settle(CrawlConfig(job=tmp_path / "job", max_chain=7))


def test_no_setting_that_a_job_keeps_may_be_secret():
    assert not [setting.field for setting in CRAWL_SETTINGS if setting.matters and setting.kind.secret]


@pytest.mark.parametrize(
    "changed",
    [
        {"cookies": True},
        {"insecure": True},
        {"headers": (("X-Other", "1"),)},
        {"bytes_in_flight": 1_000_000},
        {"parser_memory_bytes": None},
        {"timeout_s": 1.0},
    ],
    ids=str,
)
def test_what_decides_how_urls_are_asked_for_may_change(tmp_path, changed):
    assert settle(CrawlConfig(job=tmp_path / "job"), record=True)
    assert settle(CrawlConfig(job=tmp_path / "job", **changed))


async def test_no_file_of_a_job_holds_a_header_that_was_sent_or_a_cookie_that_came(tmp_path):
    """Neither the store nor its logs, nor the records."""
    asked = []

    def site(request):
        asked.append(request.url)
        if request.url.endswith("/robots.txt"):
            return answer(request, status=404)
        cookie = (("content-type", "text/html"), ("set-cookie", SECRETS[2]))
        return answer(request, '<a href="/b">b</a><p>public words</p>', headers=cookie)

    config = CrawlConfig(
        job=tmp_path / "job",
        delay_s=0.0,
        parsers=1,
        cookies=True,
        headers=(("Authorization", SECRETS[0]), ("X-Api-Key", SECRETS[1])),
    )
    stats = await Crawler(
        config, ["http://user:password-of-the-secret@site.example/"], transport=FakeTransport(site)
    ).run()
    assert stats.pages == 2
    assert "http://site.example/b" in asked
    held = {path.name: path.read_bytes() for path in (tmp_path / "job").rglob("*") if path.is_file()}
    assert any(b"public words" in content for content in held.values())
    held["rows"] = b"\n".join(store_rows(tmp_path / "job" / "state"))
    assert b"http://site.example/b" in held["rows"]
    for secret in (*SECRETS, "password-of-the-secret"):
        assert [name for name, content in held.items() if secret.encode() in content] == []
