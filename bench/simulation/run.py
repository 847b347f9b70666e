"""One simulated crawl from its seed to its end, and the promises that it kept or broke."""

import logging
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from msgspec import Struct
from msgspec.structs import replace

import crawler.frontier.outbox
import crawler.frontier.second_look
import crawler.frontier.store
import crawler.ledger.ledger
from bench.simulation import disk
from bench.simulation.blows import Blows
from bench.simulation.cluster import Cluster
from bench.simulation.holder import kept_by_simulation
from bench.simulation.plan import Plan
from bench.simulation.promises import BrokenError, asked_by_owners, delays, ended_as, public_lines, public_set
from bench.simulation.servers import Servers
from bench.simulation.web import Web
from bench.simulation.world import Process, World
from crawler.core.config import CrawlConfig
from crawler.core.model import Seed
from crawler.frontier.store import Store
from crawler.shards.messages import Start
from crawler.shards.place import Place
from crawler.shards.state import encode, new_state, opened
from crawler.shards.states import States
from tests.support.simulated_web import expected

__all__ = ["Outcome", "memory", "settings", "simulated"]

LONGEST_S = 4 * 3600.0
"""A crawl that has not ended after so many seconds of its world does not end."""
MOST_PER_CHAIN = 4
_LOOK_EVERY_S = 7.0
_ON_THE_WAY_BYTES = 20_000
"""What pages bring to a full outbox that were read when it got full."""
_PLACE_CALLS = ("put", "write", "create", "read", "size", "names", "rename", "remove", "fetch")


class Outcome(Struct, frozen=True):
    """What came of a seed. `broken` says which promise was broken, empty if none."""

    seed: int
    broken: str = ""
    shards: int = 0
    records: int = 0
    requests: int = 0
    world_s: float = 0.0
    starts: int = 0
    blows: tuple[str, ...] = ()
    most_outbox: int = 0
    took_s: float = 0.0


def simulated(seed: int, *, calm: bool = False, trace: Callable[[str], None] | None = None) -> Outcome:
    """Run the simulation that a seed stands for."""
    started = time.perf_counter()
    plan = Plan(seed, calm=calm)
    web = Web(seed, domains=plan.domains, pages=plan.pages, cross=plan.cross)
    wanted = expected(web, MOST_PER_CHAIN)
    world = World(seed)
    world.trace = trace
    servers = Servers(world, web, seed)
    told: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(dir=memory()) as name, settings(world, plan), world.entered():
        config = CrawlConfig(
            job=Path(name) / "place", scope=web.scope, depth=web.depth, max_chain=web.max_chain,
            sitemaps=False, delay_s=plan.delay_s, max_pages=plan.max_pages, concurrency=64,
            retries=10,
        )  # fmt: skip
        cluster = Cluster(plan, world, servers, config, Path(name))
        broken = ""
        try:
            _crawl(cluster, web, wanted, told)
        except (BrokenError, AssertionError) as error:
            broken = f"{type(error).__name__}: {error}"
        finally:
            cluster.close()
    return Outcome(
        seed=seed,
        broken=broken,
        shards=plan.shards,
        records=sum(told.get("public", {}).values()),
        requests=sum(map(len, servers.log.values())),
        world_s=world.now,
        starts=len(cluster.shard_processes),
        blows=tuple(cluster.happened),
        most_outbox=cluster.most_outbox,
        took_s=time.perf_counter() - started,
    )


def _crawl(cluster: Cluster, web: Web, wanted: dict[tuple[str, str], str], told: dict[str, Any]) -> None:
    plan, world, place = cluster.plan, cluster.world, cluster.place
    state = opened(
        new_state(f"simulation {plan.seed}", plan.shards, plan.seed, {}), max_pages=plan.max_pages, max_time_s=None
    )
    States(place.at("states")).put(1, encode(replace(state, number=1)))
    cluster.seeds = [Seed(url, {}, kind) for url, kind in web.seeds]  # type: ignore[arg-type]
    cluster.start_coordinator()
    cluster.look()
    records = cluster.base / "place" / "records"
    told["public"] = Counter()

    def look_at_public() -> None:
        now = public_lines(records)
        if gone := told["public"] - now:
            raise BrokenError(f"{len(gone)} records are public no more: {sorted(gone)[:3]}")
        told["public"] = now
        world.after(_LOOK_EVERY_S, look_at_public)

    look_at_public()
    Blows(cluster)
    if not world.run(lambda: cluster.is_over, LONGEST_S):
        standing = {one.process.name: one.ring and one.ring.exchange.standing for one in cluster.living()}
        raise BrokenError(f"does not end: {standing}")
    assert cluster.state is not None
    why = cluster.state.ended
    until = world.now + 60.0  # those who were stopped wake up now
    world.run(lambda: world.now > until, until + 1.0)
    look_at_public()
    asked_by_owners(cluster.servers, plan.shards, cluster.moves)
    delays(cluster.servers, web, plan.delay_s, plan.shards, cluster.moves, cluster.unheard)
    if cluster.most_outbox > plan.outbox_bytes + _ON_THE_WAY_BYTES:
        raise BrokenError(f"an outbox held {cluster.most_outbox:,} bytes, and may hold {plan.outbox_bytes:,}")
    public_set(told["public"], wanted, plan.max_pages)
    if why == "done":
        ended_as(_stores(cluster), wanted, plan.shards)
    elif why != "max-pages" or plan.max_pages is None:
        raise BrokenError(f"ends as {why!r}")


def _stores(cluster: Cluster) -> list[Store]:
    """The stores of all shards, as their last checkpoints have them."""
    assert cluster.state is not None
    stores = []
    for number, one in enumerate(cluster.state.shards):
        folder = cluster.base / "restored" / str(number)
        start = Start(
            shard=number, of=cluster.plan.shards, epoch=1 << 20, incarnation=one.incarnation, hash_seed=0, run=0,
            own=False, checkpoint=one.checkpoint, credit=None, grant=0, lease_s=1.0,
        )  # fmt: skip
        cluster.safe(start, folder).restore()
        stores.append(Store(folder / "state"))
    return stores


@contextmanager
def settings(world: World, plan: Plan) -> Iterator[None]:
    """Make sizes small, put disks into memory, and let what goes to the place take its time."""
    with ExitStack() as patches:
        patch = patches.enter_context
        patch(mock.patch.object(crawler.frontier.store, "Database", disk.Database))
        patch(mock.patch.object(disk.Database, "disks", disk.Disks()))
        patch(mock.patch.object(crawler.frontier.second_look, "_MOST_PER_CHAIN", MOST_PER_CHAIN))
        patch(mock.patch.object(crawler.frontier.outbox, "MOST_BYTES", plan.outbox_bytes))
        patch(mock.patch.object(crawler.ledger.ledger, "COMMIT_INTERVAL_S", plan.commit_s))
        patch(kept_by_simulation(plan.checkpoint_s))
        patches.callback(logging.getLogger("crawler").handlers.clear)
        for name in _PLACE_CALLS:
            patch(mock.patch.object(Place, name, _late(world, getattr(Place, name))))
        random.seed(plan.seed)
        yield


def _late(world: World, call: Callable[..., Any]) -> Callable[..., Any]:
    """A call to storage that takes its time in the process that makes it: others run meanwhile."""

    def late(*arguments: Any, **options: Any) -> Any:
        process: Process | None = world.running
        if process is not None:
            process.pause(world.rng.expovariate(100.0))
        return call(*arguments, **options)

    return late


def memory() -> str | None:
    """A folder in memory, if there is one: nothing of a simulation outlives it."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
