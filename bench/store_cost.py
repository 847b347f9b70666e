"""What the durable store costs: the same crawl with it, and with one that only remembers.

    python -m bench.store_cost --pages 3000 --rounds 5      (make bench-store)

Both crawl pages like those of documentation (`bench/docs_site.py`) with everything on: robots.txt, parser processes,
ledger, commits, records in a file. The store that only remembers keeps the same rows in dictionaries of Python, with no
RocksDB, no log and nothing that waits for the disk; its run does not wait for the records to reach the disk either.
Runs take turns. Prints pages/s and CPU ms a page (all processes) of each, then medians; ends with exit code 1 if the
durable store costs more than 10 % of the pages/s.
"""

import argparse
import asyncio
import json
import resource
import statistics
import subprocess
import sys
import tempfile
from bisect import bisect_left, insort
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from uvloop import new_event_loop

import crawler.frontier.store
import crawler.ledger.sinks.files.file
from bench.docs_site import docs_site
from crawler.core.config import CrawlConfig
from crawler.frontier.database import Database, Table
from crawler.frontier.families import FAMILIES
from crawler.parsers.memory import collect_rarely, return_large_blocks
from crawler.ring.crawler import Crawler

MOST_COST = 0.10
_SCANNED = frozenset({"queue", "later"})


class Rows:
    """One family of rows, as `Table` uses those of RocksDB. Those that are scanned are kept in order, too."""

    def __init__(self, *, scanned: bool) -> None:
        self._scanned = scanned
        self._rows: dict[bytes, bytes] = {}
        self._order: list[bytes] = []

    def put(self, key: bytes, value: bytes) -> None:
        if self._scanned and key not in self._rows:
            insort(self._order, key)
        self._rows[key] = value

    def delete(self, key: bytes) -> None:
        if self._rows.pop(key, None) is not None and self._scanned:
            del self._order[bisect_left(self._order, key)]

    def get(self, key: Any) -> Any:
        return [self._rows.get(one) for one in key] if isinstance(key, list) else self._rows.get(key)

    def items(self, lower: bytes, upper: bytes) -> Iterator[tuple[bytes, bytes]]:
        first, last = bisect_left(self._order, lower), bisect_left(self._order, upper)
        return ((key, self._rows[key]) for key in self._order[first:last])

    def keys(self, from_key: bytes = b"") -> Iterator[bytes]:
        return iter(self._order[bisect_left(self._order, from_key) :])

    def values(self) -> Iterator[bytes]:
        return iter(self._rows.values())


class Batch:
    """What is written with the next commit."""

    def __init__(self) -> None:
        self.puts: list[tuple[Rows, bytes, bytes]] = []
        self.deletes: list[tuple[Rows, bytes]] = []

    def put(self, key: bytes, value: bytes, table: Rows) -> None:
        self.puts.append((table, key, value))

    def delete(self, key: bytes, table: Rows) -> None:
        self.deletes.append((table, key))

    def is_empty(self) -> bool:
        return not self.puts and not self.deletes


class MemoryTable(Table):
    """One table of the store, on rows in memory."""

    def items(
        self, start: bytes | None = None, upper: bytes | None = None, *, backwards: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        assert not backwards, "only texts are read backwards, which this crawl does not keep"
        return self._family.items(start or b"", upper or b"\xff" * 32)

    def keys(self, start: bytes | None = None) -> Iterator[bytes]:
        return self._family.keys(start or b"")


class MemoryDatabase(Database):
    """A database that forgets everything when its process ends."""

    def __init__(self, path: Path, versions: dict[str, int], *, read_only: bool = False) -> None:  # noqa: ARG002
        self.batch: Any = Batch()
        rows = {name: Rows(scanned=name in _SCANNED) for name in FAMILIES}
        self._tables = {name: MemoryTable(self, rows[name], rows[name]) for name in FAMILIES}

    def commit(self) -> None:
        for table, key, value in self.batch.puts:
            table.put(key, value)
        for table, key in self.batch.deletes:
            table.delete(key)
        self.forget()

    def forget(self) -> None:
        self.batch = Batch()

    def close(self) -> None:
        pass


async def crawl(url: str, job: Path, pages: int) -> dict[str, float]:
    config = CrawlConfig(
        job=job, scope="prefix", delay_s=0.0, per_host=32, allow_private=True, max_pages=pages, parsers=2
    )
    stats = await Crawler(config, [url]).run()
    assert stats.run_pages == pages, stats
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu_s = sum(one.ru_utime + one.ru_stime for one in used)
    return {"rate": pages / stats.elapsed_s, "cpu_ms": 1e3 * cpu_s / pages, "commits": stats.commits}


def run(kind: str, url: str, job: Path, pages: int) -> None:
    """One crawl, in this process; prints what came of it."""
    return_large_blocks()  # as the command line does
    collect_rarely()
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        if kind == "durable":
            found = runner.run(crawl(url, job, pages))
        else:
            with (
                patch.object(crawler.frontier.store, "Database", MemoryDatabase),
                patch.object(crawler.ledger.sinks.files.file, "_sync", lambda _: None),
            ):
                found = runner.run(crawl(url, job, pages))
    print(json.dumps(found))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=3_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--run", nargs=3, metavar=("KIND", "URL", "JOB"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        kind, url, job = arguments.run
        run(kind, url, Path(job), arguments.pages)
        return 0
    found: dict[str, list[dict[str, float]]] = {"durable": [], "memory": []}
    with docs_site(arguments.pages) as url, tempfile.TemporaryDirectory(prefix="bench-store-") as folder:
        for number in range(1, arguments.rounds + 1):
            # Each of the two is first in every other round.
            for kind in sorted(found, reverse=number % 2 == 0):
                job = Path(folder) / f"{kind}-{number}"
                command = [sys.executable, "-m", "bench.store_cost", "--pages", str(arguments.pages)]
                done = subprocess.run([*command, "--run", kind, url, str(job)], check=True, stdout=subprocess.PIPE)
                one: dict[str, float] = json.loads(done.stdout)
                found[kind].append(one)
                print(
                    f"round {number}: {kind:<8}{one['rate']:8.0f} pages/s{one['cpu_ms']:7.2f} CPU ms a page"
                    f"{one['commits']:6.0f} commits",
                    flush=True,
                )
    medians = {
        kind: {name: statistics.median(one[name] for one in runs) for name in ("rate", "cpu_ms")}
        for kind, runs in found.items()
    }
    cost = 1 - medians["durable"]["rate"] / medians["memory"]["rate"]
    more = medians["durable"]["cpu_ms"] / medians["memory"]["cpu_ms"] - 1
    for kind, values in medians.items():
        print(f"{kind:<8} median {values['rate']:.0f} pages/s, {values['cpu_ms']:.2f} CPU ms a page")
    met = cost <= MOST_COST
    print(f"the durable store costs {100 * cost:.1f} % of the pages/s (at most {100 * MOST_COST:.0f} %): "
          f"{'met' if met else 'MISSED'}; {100 * more:+.1f} % CPU")  # fmt: skip
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
