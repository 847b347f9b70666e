"""A job of many shards, made by hand: each shard crawled by a ring of its own, with a checkpoint that counts.

The shards send each other nothing: their seeds are dealt out as a cluster does it, and each stays in its hosts.
"""

import asyncio
import shutil
from pathlib import Path

from msgspec.structs import replace

from crawler.core.config import CrawlConfig
from crawler.core.stats import Ended
from crawler.fetcher.transport.fake import FakeTransport, answer
from crawler.frontier.store import Store
from crawler.jobs.job import Job
from crawler.ledger.cut import Cut
from crawler.ledger.kept import settings_in
from crawler.ledger.sinks.base import ClosedPart
from crawler.ring.crawler import Crawler
from crawler.shards.glance import Glance, Glances
from crawler.shards.outputs import output_places
from crawler.shards.place import Place
from crawler.shards.safe import Safe
from crawler.shards.state import ClusterState, ShardState, encode
from crawler.shards.states import States
from crawler.web.shards import owner

__all__ = ["HOSTS", "keep_state", "made_job"]

HOSTS = tuple(f"site{number}.example" for number in range(6))
PAGES = 4
"""Of each host; the last one links to a page that is not there."""


def respond(request):
    path = request.url.partition("://")[2].partition("/")[2]
    if not path.isdigit() and path:
        return answer(request, "gone", status=404)
    number = int(path or 0)
    link = f"/{number + 1}" if number + 1 < PAGES else "/missing"
    return answer(request, f"<title>page {number}</title><a href='{link}'>x</a>")


def made_job(folder: Path, *, shards: int = 3, ended: Ended = "done", place: Place | None = None) -> ClusterState:
    """Make a job in `folder`; its checkpoints lie at `place`, if that is another one. Return its state, number 1."""
    place = Place(folder) if place is None else place
    kept = []
    config = CrawlConfig(delay_s=0.0, strategy="async")
    for shard in range(shards):
        seeds = [f"http://{host}/" for host in HOSTS if owner(f"http://{host}/", shards) == shard]
        own = folder / "shards" / f"{shard:03}"
        own.mkdir(parents=True)
        with Store(own / "state", hash_seed=77, incarnation=1):
            pass
        if not seeds:
            shutil.rmtree(own)
            kept.append(ShardState(epoch=1, incarnation=1))
            continue
        asyncio.run(Crawler(replace(config, job=own), seeds, transport=FakeTransport(respond)).run())
        kept.append(_kept(own, place, shard))
    settings = {"delay_s": 0.0, "strategy": "async"}
    state = ClusterState(
        number=1, job="made", shards=tuple(kept), hash_seed=77, run=1, ended=ended, config={"settings": settings}
    )
    keep_state(place, state)
    return state


def keep_state(place: Place, state: ClusterState) -> None:
    """Write a state."""
    States(place.at("states")).put(state.number, encode(state))


def _kept(own: Path, place: Place, shard: int) -> ShardState:
    """Make a checkpoint of a shard that counts, with its records as two parts."""
    lines = (own / "pages.jsonl").read_bytes().splitlines(keepends=True)
    parts = []
    for number, some in enumerate((lines[:2], lines[2:]), start=1):
        path = own / f"part-{number}.jsonl"
        path.write_bytes(b"".join(some))
        parts.append(ClosedPart(0, number, str(path), ".jsonl", len(some), path.stat().st_size))
    safe = Safe(
        own,
        place.at(f"checkpoints/{shard:03}"),
        output_places(CrawlConfig(job=own), place),
        shard=shard,
        epoch=1,
        incarnation=1,
        endings=[".jsonl"],
        accepted=None,
    )
    safe.begin()
    with Store(own / "state") as store:
        assert settings_in(store) is not None
        store.checkpoint(safe.cut_folder)
    checkpoint = safe.upload(
        Cut(folder=safe.cut_folder, parts=tuple(parts), marks={}, pages=len(lines), sent=0, taken=0)
    )
    safe.accept()
    with Job(own) as job:
        stats = job.status().stats
    Glances(place).put(Glance(shard=shard, epoch=1, at=1_000_000_000.0, stats=stats))
    return ShardState(
        epoch=1,
        incarnation=1,
        node_name="here",
        closed=True,
        checkpoint=checkpoint,
        checkpoint_at=1_000_000_000.0,
        published=1,
        public=checkpoint.outputs,
    )
