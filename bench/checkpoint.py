"""What a checkpoint of a shard costs: bytes and requests, CPU and wall time, room on the disk.

    python -m bench.checkpoint                                        (about 4 minutes)
    python -m bench.checkpoint --urls 200000 --doublings 0

A made-up crawl, as in `bench.frontier`, goes on until so many URLs are known; then comes the first checkpoint, the
second after 1 % more pages, and then one each `--pages` pages, as a shard makes one a minute. The place is a folder
whose files are counted as object storage would: what is linked here is sent there. Then the same at twice, four times
and eight times the size.

cut: the ledger's thread makes it, and does nothing else meanwhile; `held` is how long at most another thread waited for
the interpreter. upload: another thread, beside the crawl.
"""

import argparse
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

from bench.frontier import Simulation, Web, _refuse, settings
from crawler.core.model import Result
from crawler.ledger.cut import Cut
from crawler.ledger.job import JobFolder
from crawler.ring.opening import Opening
from crawler.shards.checkpoint import Checkpoint
from crawler.shards.place import Place
from crawler.shards.safe import Safe

_LATER = 20
"""Checkpoints of the steady state."""


class CountingPlace(Place):
    """Counts what an object storage is asked for."""

    sent = 0
    requests = 0

    def put(self, local: Path, name: str) -> None:
        CountingPlace.sent += local.stat().st_size
        CountingPlace.requests += 1
        super().put(local, name)

    def write(self, name: str, content: bytes) -> None:
        CountingPlace.sent += len(content)
        CountingPlace.requests += 1
        super().write(name, content)


class Cost(NamedTuple):
    """Of one checkpoint."""

    known: int
    pages: int
    store_bytes: int
    sent_bytes: int
    requests: int
    cut_s: float
    held_s: float
    cut_cpu_s: float
    upload_s: float
    upload_cpu_s: float
    place_bytes: int
    disk_bytes: int

    def __str__(self) -> str:
        return (
            f"{self.known:>10,} {self.pages:>9,} {self.store_bytes / 1e6:>9.1f} {self.sent_bytes / 1e6:>8.2f} "
            f"{100 * self.sent_bytes / self.store_bytes:>6.1f} {self.requests:>4} {1e3 * self.cut_s:>7.0f} "
            f"{1e3 * self.held_s:>7.0f} {1e3 * self.cut_cpu_s:>7.0f} {1e3 * self.upload_s:>9.0f} "
            f"{1e3 * self.upload_cpu_s:>9.0f} {self.place_bytes / 1e6:>9.1f} {self.disk_bytes / 1e6:>9.1f}"
        )


HEAD = (
    f"{'known':>10} {'pages':>9} {'store MB':>9} {'sent MB':>8} {'%':>6} {'put':>4} {'cut ms':>7} {'held ms':>7} "
    f"{'CPU ms':>7} {'upload ms':>9} {'CPU ms':>9} {'place MB':>9} {'disk MB':>9}"
)


class Checkpointed(Simulation):
    """The made-up crawl that stops for checkpoints. `costs` has one for each."""

    def __init__(self, *arguments: object, folder: Path, pages: int) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self._root = folder
        self._pages = pages
        self._first = self._urls
        self._urls = 1 << 60
        self._next = 0
        place = Place(folder / "place")
        place.__class__ = CountingPlace
        self._safe = Safe(self._folder.parent, place, (), shard=0, epoch=1, incarnation=0, endings=(), accepted=None)
        self.costs: list[Cost] = []
        self.accepted: Checkpoint | None = None

    def _take(self) -> tuple[list[Result], bool]:
        counters = self._frontier.counters
        if not self._next and counters.known >= self._first:
            self._next = counters.pages
        if self._next and counters.pages >= self._next:
            self._commit()
            self.costs.append(self._checkpoint())
            self._next += counters.pages // 100 if len(self.costs) == 1 else self._pages
        if len(self.costs) == 2 + _LATER:
            return [], True
        return super()._take()

    def _checkpoint(self) -> Cost:
        CountingPlace.sent = CountingPlace.requests = 0
        gaps: list[float] = []
        over = threading.Event()

        def beat() -> None:
            last = time.perf_counter()
            while not over.is_set():
                time.sleep(0.0005)
                now = time.perf_counter()
                gaps.append(now - last)
                last = now

        heart = threading.Thread(target=beat)
        heart.start()
        wall, cpu = time.perf_counter(), time.process_time()
        self._store.checkpoint(self._safe.cut_folder)
        cut_s, cut_cpu_s = time.perf_counter() - wall, time.process_time() - cpu
        over.set()
        heart.join()
        wall, cpu = time.perf_counter(), time.process_time()
        counters = self._frontier.counters
        cut = Cut(folder=self._safe.cut_folder, parts=(), marks={}, pages=counters.pages, sent=0, taken=0)
        self.accepted = checkpoint = self._safe.upload(cut)
        self._safe.accept()
        return Cost(
            counters.known, counters.pages, checkpoint.bytes, CountingPlace.sent, CountingPlace.requests, cut_s,
            max(gaps, default=0.0), cut_cpu_s, time.perf_counter() - wall, time.process_time() - cpu,
            _bytes(self._root / "place"), _bytes(self._root),
        )  # fmt: skip


def _bytes(folder: Path) -> int:
    """Room that a folder takes, each file once."""
    files = {(one.stat().st_dev, one.stat().st_ino): one.stat().st_size for one in folder.rglob("*") if one.is_file()}
    return sum(files.values())


def run(folder: Path, urls: int, hosts: int, pages: int) -> list[Cost]:
    """Crawl until so many URLs are known, and make checkpoints."""
    web = Web(hosts)
    seeds = folder / "seeds.txt"
    seeds.write_text("".join(f"{web.url(host, 0)}\n" for host in range(hosts)))
    config = settings(folder)
    job = JobFolder(config)
    opened = Opening(
        job, config, [str(seeds)], fresh=False, stdin=None, on_bad_seed=_refuse, stopping=lambda: False
    ).open()
    crawl = Checkpointed(opened, job.state_path, web, urls, 1 << 60, folder=folder, pages=pages)
    crawl.run()
    opened.store.close()
    for sink in opened.sinks:
        sink.close()
    opened.locks.close()
    job.close()
    started = time.perf_counter()
    again = Safe(
        folder / "again", Place(folder / "place"), (), shard=0, epoch=2, incarnation=1, endings=(),
        accepted=crawl.accepted,
    )  # fmt: skip
    again.restore()
    print(f"{'restored by links in':>60} {1e3 * (time.perf_counter() - started):.0f} ms")
    return crawl.costs


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--urls", type=int, default=200_000)
    parser.add_argument("--hosts", type=int, default=2_000)
    parser.add_argument("--pages", type=int, default=3_000, help="pages between two checkpoints, after the second")
    parser.add_argument("--doublings", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where to make a temporary folder")
    arguments = parser.parse_args()
    for doubling in range(arguments.doublings + 1):
        with tempfile.TemporaryDirectory(prefix="bench-checkpoint-", dir=arguments.folder) as name:
            costs = run(Path(name), arguments.urls << doubling, arguments.hosts, arguments.pages)
        print(HEAD)
        first, second, later = costs[0], costs[1], costs[2:]
        for cost in (first, second, later[-1]):
            print(cost)
        sent = sum(cost.sent_bytes for cost in later)
        cut_ms, held_ms = (
            1e3 * statistics.median(each) for each in ([one.cut_s for one in later], [one.held_s for one in later])
        )
        print(
            f"{len(later)} checkpoints of {arguments.pages:,} pages: {sent / len(later) / 1e6:.2f} MB each (at most "
            f"{max(cost.sent_bytes for cost in later) / 1e6:.1f}), {sent / len(later) / arguments.pages:,.0f} bytes a "
            f"page, {statistics.mean(cost.requests for cost in later):.1f} requests; cut {cut_ms:.0f} ms, held "
            f"{held_ms:.0f} ms\n",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
