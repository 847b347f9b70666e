"""What one measurement is told and what it gives: the values that go between `crawler compare` and its child."""

from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from crawler.core.config import CrawlConfig, StrategyKind

__all__ = [
    "SPIDERS",
    "Activity",
    "BatchesMeasured",
    "BatchesWork",
    "CrawlMeasured",
    "CrawlWork",
    "Lane",
    "ProcessMemory",
    "SpiderKind",
    "Work",
    "from_json",
    "to_json",
]

SpiderKind = Literal["light", "heavy"]
SPIDERS: dict[SpiderKind, str] = {
    "light": "crawler.cli.compare.spiders:light",
    "heavy": "crawler.cli.compare.spiders:heavy",
}
"""References of the spiders, as `--spider` takes them."""

Activity = Literal["fetch", "parse", "held up", "frontier", "commit"]
"""What a thread or process does with its time when it does not wait for others.

`held up`: it is at a page, but another has the core, or in threads the interpreter lock, that it needs.
"""


class CrawlWork(Struct, frozen=True, kw_only=True, tag="crawl"):
    """One crawl to measure: `config` says all about it. `cpus` are the cores that it may use, none = any."""

    config: CrawlConfig
    spider: SpiderKind
    cores: int
    round: int
    cpus: tuple[int, ...] = ()


class BatchesWork(Struct, frozen=True, kw_only=True, tag="batches"):
    """Pages from memory, given to parser processes in batches of each of these sizes."""

    spider: SpiderKind
    cores: int
    sizes: tuple[int, ...]
    pages: int
    cpus: tuple[int, ...] = ()


Work = CrawlWork | BatchesWork


class Lane(Struct, frozen=True):
    """What one thread or process did: the share of each activity in each bin of time. The rest of a bin is waiting."""

    name: str
    shares: dict[Activity, tuple[float, ...]]


class ProcessMemory(Struct, frozen=True):
    """Memory of one process at the moment when all together had most."""

    name: str
    bytes: int


class CrawlMeasured(Struct, frozen=True, kw_only=True):
    """What one crawl took.

    `total_pages` ended in all, the first after `start_s` seconds, the last after `crawl_s`. Speed and processor time
    are those of the time after a tenth of them (`steady_s`, in which `pages` ended): until then processes start and
    caches fill. `main_cpu_s` is what the main process took in it, `parsers_cpu_s` what parser processes did. Bins of
    the `lanes` are `bin_s` long and begin with the crawl itself.
    """

    strategy: StrategyKind
    spider: SpiderKind
    cores: int
    round: int
    total_pages: int
    outcomes: dict[str, int]
    start_s: float
    crawl_s: float
    steady_s: float
    pages: int
    main_cpu_s: float
    parsers_cpu_s: float
    commits: int
    commit_s: float
    loop_lag_p99_s: float
    bin_s: float
    lanes: tuple[Lane, ...]
    memory: tuple[ProcessMemory, ...] = ()

    @property
    def pages_per_s(self) -> float:
        """Pages a second, but for the start."""
        return self.pages / self.steady_s if self.steady_s else 0.0

    @property
    def cpu_ms_per_page(self) -> float:
        """Milliseconds of processor time of all processes for a page."""
        return 1000 * (self.main_cpu_s + self.parsers_cpu_s) / self.pages if self.pages else 0.0

    @property
    def memory_bytes(self) -> int:
        """Memory of all processes together at its peak."""
        return sum(process.bytes for process in self.memory)


class BatchesMeasured(Struct, frozen=True, kw_only=True):
    """What a page takes in batches of one size, in seconds: by the clock, and of processor time in each process."""

    spider: SpiderKind
    cores: int
    size: int
    pages: int
    wall_s: float
    main_cpu_s: float
    parsers_cpu_s: float


def to_json(value: Any) -> bytes:
    """Encode any of these values."""
    return msgspec.json.encode(value, enc_hook=str)


def from_json(raw: bytes, kind: Any) -> Any:
    """Decode what `to_json` made of a value of this type."""
    return msgspec.json.decode(raw, type=kind, dec_hook=_decoded)


def _decoded(kind: type, value: Any) -> Any:
    """Paths are what msgspec does not know by itself."""
    if kind is Path:
        return Path(value)
    raise TypeError(f"no {kind}")
