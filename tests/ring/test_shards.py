"""Rings as the shards of one job: real servers, real stores, and a post office that carries what they find."""

import asyncio
import hashlib
import time
from collections import Counter
from functools import partial
from pathlib import Path

import msgspec
import pytest

from crawler.core.config import CrawlConfig
from crawler.core.errors import LeaseLostError, RingEndedError, StorageError
from crawler.frontier import outbox
from crawler.frontier.frontier import Frontier
from crawler.frontier.store import Store
from crawler.ring.crawler import Crawler
from crawler.shards import courier
from crawler.web.shards import owner
from tests.support.post_office import PostOffice, until_joined
from tests.support.servers import Answer, LocalServer, html

HOSTS = 10
PAGES = 8
MOST_BYTES, BYTES_OF_A_PAGE = 5_000, 3_000
WIDE, LINKS = 200, 8
"""A host whose pages lead to so many pages of another one each."""


def respond(host: str, path: str) -> Answer:
    """A web of hosts of `PAGES` pages each: a page leads to the next one, and to pages of other hosts."""
    if path == "/robots.txt":
        return Answer("User-agent: *\nDisallow: /private")
    if path == "/private":
        return Answer(status=404)
    number = int(path.removeprefix("/") or 0)
    name, port = host.split(":")
    own = int(name.partition(".")[0].removeprefix("s"))
    seed = hashlib.sha256(f"{own} {number}".encode()).digest()
    links = [f"/{number + 1}"] if number + 1 < PAGES else []
    links += [f"http://s{byte % HOSTS}.localhost:{port}/{byte % PAGES}" for byte in seed[:4]]
    links += ["/private", f"http://s{seed[5] % HOSTS}.localhost:{port}/private"]
    return Answer(html(*links, title=f"{own} {number}"))


def wide(other: str, host: str, path: str) -> Answer:
    """A host of `WIDE` pages, each of which leads to `LINKS` pages of another host."""
    if path == "/robots.txt" or host.startswith(other):
        return Answer(status=404)
    if path == "/":
        return Answer(html(*(f"/{number}" for number in range(WIDE))))
    port = host.partition(":")[2]
    return Answer(html(*(f"http://{other}:{port}{path}/{number}" for number in range(LINKS))))


def urls_of(folders: list[Path]) -> dict[str, str]:
    """Every URL that these jobs know, with how it ended."""
    found = {}
    for folder in folders:
        with Store(folder / "state", read_only=True) as store:
            for _, row in store.all_urls():
                assert row.url not in found, "a URL has one owner"
                found[row.url] = f"{row.outcome} {row.reason}".strip()
    return found


def records_of(folder: Path) -> Counter[str]:
    """The records of a job by their URLs."""
    lines = [line for path in folder.rglob("*.jsonl") for line in path.read_bytes().splitlines()]
    return Counter(msgspec.json.decode(line)["url"] for line in lines)


async def one_ring(folder: Path, seeds: list[str], **settings) -> None:
    config = CrawlConfig(
        job=folder, **{"allow_private": True, "delay_s": 0.0, "strategy": "threads", "scope": "any", **settings}
    )
    await Crawler(config, seeds).run()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    """A crawl ends when all that was sent is safe, and that is asked for once a second."""
    monkeypatch.setattr(courier, "_ASKS_EVERY_S", 0.1)


@pytest.fixture
def server():
    with LocalServer(respond) as running:
        yield running


def seeds(server) -> list[str]:
    return [f"http://s{number}.localhost:{server.port}/" for number in (0, 1)]


async def test_shards_together_do_what_one_ring_does(server, tmp_path):
    await one_ring(tmp_path / "one", seeds(server))
    alone = server.pages()
    server.requests.clear()
    office = PostOffice(tmp_path / "many", 3, seeds(server), scope="any")
    stats = await office.crawl()
    assert {one.ended for one in stats} == {"done"}
    assert server.pages() == alone
    folders = [post.folder for post in office.posts]
    assert urls_of(folders) == urls_of([tmp_path / "one"])
    records = records_of(tmp_path / "many")
    assert records == records_of(tmp_path / "one")
    assert max(records.values()) == 1
    assert office.carried > 0


async def test_every_page_is_lent_once_when_credit_moves_between_shards(server, tmp_path):
    """The last page of the budget is had by whoever has work for it."""
    office = PostOffice(tmp_path, 3, seeds(server), scope="any", max_pages=37)
    office.loan = 4
    stats = await office.crawl()
    assert sum(one.pages for one in stats) == 37
    assert sum(records_of(tmp_path).values()) == 37
    assert office.loans > 3


@pytest.mark.thorough
async def test_a_shard_that_is_killed_goes_on_where_it_was(server, tmp_path):
    """Twice from its own disk, and once from its last checkpoint: nothing is lost with the links to and from others."""
    await one_ring(tmp_path / "one", seeds(server))
    server.requests.clear()
    office = PostOffice(tmp_path / "many", 3, seeds(server), scope="any", delay_s=0.05)
    await office.begin()
    over = asyncio.create_task(office.over())
    for number, loses in ((0, False), (1, True), (2, False)):
        post = office.posts[number]
        while server.pages().total() < 15 + 15 * number:
            await asyncio.sleep(0.01)
        await post.kill()
        if loses:
            post.lose_disk()
        post.start()
        await until_joined(post)
    await office.end(await over)
    assert urls_of([post.folder for post in office.posts]) == urls_of([tmp_path / "one"])


async def test_without_its_lease_a_shard_asks_nobody_and_ends(server, tmp_path):
    office = PostOffice(tmp_path, 2, seeds(server), scope="any", delay_s=0.01)
    await office.begin()
    while server.pages().total() < 10:
        await asyncio.sleep(0.01)
    for post in office.posts:
        post.leased = False
    await asyncio.sleep(0.1)  # what had been sent is answered
    asked = server.asked().total()
    await asyncio.sleep(0.5)
    for post in office.posts:
        post.exchange.lose()
        with pytest.raises(LeaseLostError):
            await post.running
        post.stop()
    assert server.asked().total() == asked
    with pytest.raises(RingEndedError):
        office.posts[0].last.ask(1).result()
    known = urls_of([post.folder for post in office.posts])
    assert [ended for ended in known.values() if ended.startswith("fetched")], "what it had is committed"
    for post in office.posts:
        post.leased = True
    await office.crawl()
    assert server.pages() == Counter(set(server.pages())), "and no page is asked for twice"


@pytest.mark.thorough
async def test_after_a_restore_each_host_waits_its_own_delay(server, tmp_path):
    """The clocks in a checkpoint know nothing of what was asked after it."""
    names = [f"s{number}.localhost:{server.port}" for number in range(3)]
    office = PostOffice(tmp_path, 1, [f"http://{name}/" for name in names], delay_s=2.0, robots="ignore")
    (post,) = office.posts
    await office.begin()
    while len(server.starts) < 3:
        await asyncio.sleep(0.01)
    await post.checkpoint()
    await post.kill()
    before = {name: len(server.starts[name]) for name in names}
    post.lose_disk()
    began = time.monotonic()
    await office.begin()
    while any(len(server.starts[name]) == before[name] for name in names):
        await asyncio.sleep(0.01)
    assert all(server.starts[name][before[name]] >= began + 2.0 for name in names)
    await office.end("interrupted")


@pytest.mark.thorough
async def test_a_slow_shard_slows_the_others_down_and_fills_no_memory(tmp_path, monkeypatch):
    """What is for it waits on the disk, up to a limit; then its senders wait, and still take what is for them."""
    monkeypatch.setattr(outbox, "MOST_BYTES", MOST_BYTES)
    names = [f"s{number}.localhost" for number in range(40)]
    slow_one, quick_one = (next(name for name in names if owner(f"http://{name}/", 2) == of) for of in (0, 1))
    with LocalServer(partial(wide, slow_one)) as server:
        office = PostOffice(tmp_path, 2, [f"http://{quick_one}:{server.port}/"], scope="any")
        slow, quick = office.posts
        slow.is_cut_off = True
        await office.begin()
        most = 0
        while not quick.exchange.is_full:
            await asyncio.sleep(0.01)
        asked = server.asked().total()
        for _ in range(50):
            await asyncio.sleep(0.01)
            most = max(most, quick.exchange.standing.outbox_bytes)
        held = server.asked().total()
        assert held - asked <= quick.crawler.stats().concurrency, "what was handed out ends, and no more is"
        assert most < MOST_BYTES + (held + 1) * BYTES_OF_A_PAGE
        assert not quick.exchange.standing.resting
        office.opened.set()
        await office.end(await office.over())
    assert len(urls_of([post.folder for post in office.posts])) == WIDE * LINKS + WIDE + 1


async def test_a_damaged_shard_is_told_to_go_on_from_its_checkpoint(server, tmp_path, monkeypatch):
    """And not to start over, with which all that the job has would be lost."""

    def broken(*_):
        raise Exception("Corruption: block checksum mismatch")  # noqa: TRY002 - as rocksdict does

    monkeypatch.setattr(Frontier, "finish", broken)
    office = PostOffice(tmp_path, 1, seeds(server))
    (post,) = office.posts
    await office.begin()
    with pytest.raises(StorageError) as raised:
        await post.running
    post.stop()
    assert str(raised.value) == (
        "cannot use the store: Corruption: block checksum mismatch; if it is damaged, "
        f"remove {post.folder} and run the same command again: this shard goes on from its last checkpoint"
    )


async def test_parts_of_other_shards_are_nobody_elses(server, tmp_path):
    """All shards of a job have one output: a folder of parts, in which theirs may lie before this one begins."""
    output = tmp_path / "pages.parquet"
    output.mkdir()
    (output / "part-00001.parquet").write_bytes(b"of another shard")
    office = PostOffice(tmp_path / "job", 1, seeds(server), output=str(output), max_pages=1)
    (ended,) = await office.crawl()
    assert (ended.pages, ended.ended) == (1, "max-pages")
