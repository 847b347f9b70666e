"""The command that runs a job of many shards: it deals out the seeds, starts the coordinator, and looks on."""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO, Final

import msgspec
from msgspec.structs import replace

from crawler.cluster.coordinator_actor import MARK, start_coordinator
from crawler.cluster.engine import Engine, is_answering
from crawler.cluster.host import Watch, Watched
from crawler.cluster.job_at import JobAt
from crawler.cluster.nodes import Found, alive, look_at
from crawler.cluster.peers import Peers
from crawler.cluster.seeds import deal_out
from crawler.cluster.task import COORDINATOR, Task, shard_name
from crawler.cluster.terms import check_terms, everywhere
from crawler.cluster.watching import ShardLine, Watching
from crawler.core.config import CrawlConfig
from crawler.core.errors import ConfigError, CrawlerError, JobRunningError, ReplacedError
from crawler.core.job_place import url_of
from crawler.core.stats import CrawlStats
from crawler.frontier.seeds import BadSeed, check_sources
from crawler.parsers.spiders.spider import Spider
from crawler.shards.lease import boot_time
from crawler.shards.outputs import output_places
from crawler.shards.overview import Wish
from crawler.shards.place import Place
from crawler.shards.state import ClusterState
from crawler.shards.timing import Timing

__all__ = ["Driver"]

_log = logging.getLogger(__name__)

_HEARTBEAT_S: Final = 1.0
_DEAF_S: Final = 15.0
"""Ray's own process that knows all others may be away for so long. Ray ends all of them after a minute."""
_OTHER_S: Final = 8.0
_MOST_SHARDS: Final = 64


class Driver:
    """Runs one job on Ray, from its seeds to its end: `prepare`, `run`, `close`.

    `config` and `seeds` are as for a `Crawler`; `say` is told lines for people. `timing` is for tests.

    Raises `ConfigError` for settings that a crawl on a cluster cannot have.

    State: what `prepare` finds out and starts, of the thread that calls it; the wish, and what was seen last, of the
    event loop's thread.
    """

    def __init__(
        self,
        config: CrawlConfig,
        seeds: Sequence[str] = (),
        *,
        fresh: bool = False,
        stdin: BinaryIO | None = None,
        on_bad_seed: Callable[[BadSeed], None] | None = None,
        spider: Spider | str | None = None,
        say: Callable[[str], None] = _log.warning,
        timing: Timing | None = None,
    ) -> None:
        self._asked = config
        self._sources = tuple(dict.fromkeys([*config.seeds, *seeds]))
        self._fresh = fresh
        self._stdin = stdin
        self._on_bad_seed = on_bad_seed or _ignored
        self._say = say
        self._timing = timing or Timing()
        self._spider = check_terms(config, spider)
        self._engine = Engine(config.cluster)
        self._watching = Watching(config.max_pages, config.max_time_s)
        self._me = secrets.token_hex(8)
        self._wish = Wish()
        self._task: Task | None = None
        self._coordinator: Any = None
        self._ray: Any = None

    # Before

    def prepare(self) -> None:
        """Make all ready: the place, Ray, the machines, the seeds. It takes seconds; best called in the main thread.

        Raises `UsageError` for what cannot be done, `StorageError` for a place that refuses.
        """
        if self._sources:
            check_sources(self._sources, self._stdin)
        self._engine.load()
        config = everywhere(self._asked)
        job = JobAt(config)
        job.check()
        state = None if self._fresh else job.state()
        job.check_shards(state, config.shards)
        self._say("starting: Ray takes some seconds")
        self._ray = self._engine.begin()
        cores = self._look_at_machines(job)
        if self._fresh:
            job.clear()
        shards = len(state.shards) if state is not None else config.shards or min(max(2, round(cores)), _MOST_SHARDS)
        if state is None:
            state = job.new_state(shards)
        # Each has its part of the cores: what parses beyond that only takes memory.
        config = replace(config, parsers=min(config.parsers, max(1, round(cores / shards))))
        self._task = Task(job=state.job, place=job.address, config=config, spider=self._spider, timing=self._timing)
        if self._sources:
            deal_out(self._sources, self._stdin, job.place, shards, self._on_bad_seed)
        self._find_or_start(job, state)

    def _look_at_machines(self, job: JobAt) -> float:
        """Return how many cores the machines have; refuse a local job that some of them do not see."""
        job.place.write(MARK, b"")
        there = alive(self._ray)
        asked = {identifier: look_at(self._ray, identifier, job.address, MARK) for identifier in there}
        cores = 0.0
        refused: list[Found] = []
        for identifier, answer in asked.items():
            try:
                found = self._ray.get(answer, timeout=_DEAF_S * 4)
            except self._ray.exceptions.RayError as error:
                found = Found(identifier[:8], refused=f"it cannot run this program: {str(error).strip()[-200:]}")
            if found.refused:
                refused.append(found)
            else:
                cores += there[identifier]
        if refused and (len(refused) == len(there) or job.is_local):
            one = refused[0]
            advice = ""
            if job.is_local:
                advice = ": keep the job where all machines reach it: --job s3://bucket/job, or file:///shared/job"
            raise ConfigError(f"cluster: machine {one.name} cannot work on {job.place.shown}: {one.refused}{advice}")
        for one in refused:
            self._say(f"machine {one.name} is left out: {one.refused}")
        return cores

    def _find_or_start(self, job: JobAt, state: ClusterState) -> None:
        """Take up the crawl of an earlier command, or begin a run. A coordinator that ends just now may write last."""
        until = boot_time() + _OTHER_S
        while not self._is_running(state):
            try:
                job.open(state)
            except ReplacedError:
                if boot_time() > until:
                    raise
                time.sleep(_HEARTBEAT_S)
                state = job.state() or state
            else:
                self._coordinator = start_coordinator(self._ray, self._prepared)
                return

    def _is_running(self, state: ClusterState) -> bool:
        """Whether the coordinator of an earlier command is at work, whose driver has gone. One that has done ends."""
        try:
            coordinator = self._ray.get_actor(COORDINATOR, namespace=self._prepared.namespace)
        except ValueError:
            return False
        if state.is_over:
            self._ray.kill(coordinator)
            return False
        self._coordinator = coordinator
        self._say("the crawl that an earlier command has begun goes on, with the settings of that one")
        return True

    @property
    def _prepared(self) -> Task:
        """The run that `prepare` has made ready."""
        if self._task is None:
            raise RuntimeError("prepare comes first")
        return self._task

    # While it runs

    async def run(self) -> CrawlStats:
        """Look on until the job has ended; return the counters of all shards. Raises what ended it."""
        peers = Peers(self._ray, self._prepared.namespace, self._timing.lease_s)
        lines = 0
        ray_seen = told = boot_time()
        while True:
            if is_answering(self._engine.gcs, _HEARTBEAT_S):
                ray_seen = boot_time()
            elif boot_time() > ray_seen + _DEAF_S:
                break
            watch = Watch(self._me, self._wish, lines, waits=boot_time() < told + _DEAF_S)
            try:
                raw = await peers.call(COORDINATOR, "watch", msgspec.msgpack.encode(watch))
            except ConnectionError as error:
                _log.info("%s", error)
            else:
                watched = msgspec.msgpack.decode(raw, type=Watched)
                if watched.other:
                    # One that was killed a moment ago looks the same for some seconds.
                    if boot_time() > told + _OTHER_S:
                        shown = url_of(self._asked.folder) or self._asked.job
                        raise JobRunningError(f"job {shown} is being run by another command: wait for it, or stop it")
                    await asyncio.sleep(_HEARTBEAT_S)
                    continue
                for line in watched.lines:
                    self._say(line)
                lines = watched.number
                if watched.overview is not None:
                    told = boot_time()
                    self._watching.take(watched.overview, watched.stats)
                    if watched.overview.ended != "running":
                        break
            await asyncio.sleep(_HEARTBEAT_S)
        overview = self._watching.overview
        if overview is None or overview.ended == "running":
            raise CrawlerError(
                f"Ray does not answer any more (its GCS at {self._engine.gcs}): what was committed is safe; when Ray "
                "runs again, the same command goes on"
            )
        if overview.error:
            raise CrawlerError(overview.error)
        return self.stats()

    def stop(self) -> None:
        """Have all shards start nothing new, finish what is under way, and give back what they have."""
        self._wish = Wish(stop=True)

    def stats(self) -> CrawlStats:
        """Return the counters of all shards together, as they were last heard."""
        return self._watching.stats()

    def lines(self) -> tuple[ShardLine, ...]:
        """Return a line for each shard."""
        return self._watching.lines()

    def outputs(self) -> tuple[str, ...]:
        """Return where the parts of each output lie, as people may see it."""
        task = self._prepared
        return tuple(place.shown for place in output_places(task.config, Place(task.place)))

    # After

    def close(self) -> None:
        """End the actors of the job, and Ray if it was started here."""
        if self._coordinator is not None:
            self.end_actors()
        self._engine.end()

    def end_actors(self) -> None:
        """End all actors of the job at once: what was not committed is done again by the next command."""
        if self._task is None:
            return
        overview = self._watching.overview
        names = [] if overview is None else [shard_name(view.shard, view.epoch) for view in overview.shards]
        for name in (COORDINATOR, *names):
            try:
                self._ray.kill(self._ray.get_actor(name, namespace=self._task.namespace))
            except ValueError:
                continue


def _ignored(_: BadSeed) -> None:
    """Leave a bad line unsaid: nobody wants to know."""
