"""Crawls on a Ray cluster for tests: machines that are simulated, and commands that run in threads of this process."""

import asyncio
import json
import os
import shutil
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, Self

import msgspec

from crawler.cluster.driver import Driver
from crawler.cluster.engine import Engine
from crawler.cluster.task import COORDINATOR, shard_name
from crawler.core.config import CrawlConfig
from crawler.core.stats import CrawlStats
from crawler.shards.state import ClusterState, decode
from crawler.shards.timing import Timing

__all__ = ["PATIENCE_S", "Command", "Machines", "descendants", "records", "state_of"]

PATIENCE_S = 180.0
"""A start of an actor takes seconds, and on a busy machine many."""


class Machines:
    """Ray on some simulated machines, each with a raylet and a temporary folder of its own, below `folder`."""

    def __init__(self, folder: Path, number: int) -> None:
        os.environ["RAY_DISABLE_IMPORT_WARNING"] = "1"
        self.ray = Engine(True).load()
        from ray.cluster_utils import Cluster

        self._folder = folder
        self._made = 0
        # Names of sockets must be short.
        self._cluster = Cluster(
            initialize_head=True, head_node_args={"num_cpus": 0, **_SMALL, "include_dashboard": False}
        )
        self.nodes = [self.add() for _ in range(number)]
        how = {"log_to_driver": False, "logging_level": "error", "configure_logging": False}
        self.ray.init(address=self._cluster.address, **how)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.ray.shutdown()
        self._cluster.shutdown()

    def add(self) -> Any:
        """Have one more machine."""
        self._made += 1
        folder = self._folder / f"disk-{self._made}"
        folder.mkdir()
        return self._cluster.add_node(num_cpus=1, **_SMALL, env_vars={"TMPDIR": str(folder)})

    def lose(self, node: Any, *, disk: bool) -> None:
        """End a machine at once, and all processes of it; with its disk, if that is lost, too."""
        at = self.nodes.index(node)
        workers = descendants(node.all_processes["raylet"][0].process.pid)
        self._cluster.remove_node(node, allow_graceful=False)
        for pid in workers:
            _kill(pid)
        if disk:
            shutil.rmtree(self._folder / f"disk-{at + 1}")
        self.nodes[at] = self.add()


class Command:
    """One command that runs a job, in a thread: `with Command(...) as command: ...; command.wait()`.

    `stop` is the first Ctrl-C; `vanish` is what `kill -9` of the command does to the job: nobody asks any more.
    """

    def __init__(self, config: CrawlConfig, seeds: list[str], *, lease_s: float = 2.0) -> None:
        self.lines: list[str] = []
        self.driver = Driver(config, seeds, say=self.lines.append, timing=Timing(lease_s=lease_s))
        self.stats: CrawlStats | None = None
        self.error: BaseException | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._main, daemon=True)

    def __enter__(self) -> Self:
        self.driver.prepare()
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._thread.is_alive():
            self.vanish()
        self.driver.close()

    def wait(self) -> CrawlStats:
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), "\n".join(["the crawl did not end", *self.lines])
        if self.error is not None:
            raise self.error
        assert self.stats is not None
        return self.stats

    @property
    def is_running(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self.driver.stop)

    def vanish(self) -> None:
        self._loop.call_soon_threadsafe(self._running.cancel)
        self._thread.join(PATIENCE_S)

    def processes(self) -> dict[str, int]:
        """The processes of the job's actors that answer now, by name."""
        ray, task = self.driver._ray, self.driver._task
        overview = self.driver._watching.overview
        views = () if overview is None else overview.shards
        names = [shard_name(view.shard, view.epoch) for view in views if view.doing == "running"]
        found = {}
        for name in (COORDINATOR, *names):
            try:
                actor = ray.get_actor(name, namespace=task.namespace)
                found[name] = ray.get(actor.process.remote(), timeout=10)
            except (ValueError, ray.exceptions.RayError):
                continue
        return found

    def _main(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._running = self._loop.create_task(self.driver.run())
        try:
            self.stats = self._loop.run_until_complete(self._running)
        except asyncio.CancelledError:
            pass
        except BaseException as error:  # noqa: BLE001 - `wait` raises it
            self.error = error
        finally:
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()


def records(folder: Path) -> Counter[str]:
    """The URLs of all public records in a folder of parts."""
    lines = (line for part in folder.glob("part-*.jsonl") for line in part.read_text("utf-8").splitlines())
    return Counter(json.loads(line)["url"] for line in lines)


def state_of(job: Path) -> ClusterState:
    """The last state of a job in a folder."""
    latest = max((job / "states").glob("[0-9]*.json"))
    return decode(msgspec.json.encode(json.loads(latest.read_text())["state"]))


_SMALL = {"object_store_memory": 80 << 20}


def descendants(pid: int) -> list[int]:
    """Children of a process, and theirs."""
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*"):
        if stat := _read(path / "stat"):
            parents.setdefault(int(stat.rpartition(b")")[2].split()[1]), []).append(int(path.name))
    found, left = [], [pid]
    while left:
        children = parents.get(left.pop(), [])
        found += children
        left += children
    return found


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _kill(pid: int) -> None:
    try:
        os.kill(pid, 9)
    except ProcessLookupError:
        return
    while Path(f"/proc/{pid}/stat").exists() and b") Z" not in _read(Path(f"/proc/{pid}/stat")):
        time.sleep(0.01)
