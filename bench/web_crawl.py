"""One crawl of the web that `bench.web_site` serves, and what it cost by process and stage."""

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench import ring
from bench.inside_times import Inside
from bench.measure import measure, own_cpu_s
from bench.web_site import Web, web

__all__ = ["KINDS", "ROOT", "Run", "beginning", "crawl"]

ROOT = Path(__file__).parent.parent
KINDS = {"plain": ring.LEAN, "TLS": ring.LEAN, "TLS, all fields": ()}
"""What is crawled, and the options that belong to it: the record of `make bench`, or with all its fields."""
TIMEOUT_S = 1_800


class Run(ring.Run, frozen=True):
    """One crawl, with the mean size of its pages' HTML, how many handshakes there were, and what the server used.

    `stages`: CPU seconds by process and stage (`Inside`).
    """

    page_bytes: int
    new: int
    resumed: int
    server_s: float
    stages: dict[str, float]

    @property
    def a_core(self) -> float:
        """Pages for each second of CPU time, all processes together."""
        return self.pages / self.cost.cpu_s

    @property
    def mb_a_core(self) -> float:
        """Megabytes of HTML for each second of CPU time."""
        return self.a_core * self.page_bytes / 1e6

    @property
    def lag_ms(self) -> float:
        """The 99th percentile of the event loop's lateness."""
        return 1000 * self.lag_s

    @property
    def peak_mb(self) -> float:
        """The most memory that all processes took together."""
        return self.cost.peak_bytes / 1e6

    @property
    def server_ms(self) -> float:
        """CPU time of the server for each page."""
        return 1000 * self.server_s / self.pages

    @property
    def ceiling(self) -> float:
        """Pages a second that the main process could feed, if parsers cost nothing: arithmetic, not a run."""
        return 1000 / self.main_ms

    @property
    def parsers_at_ceiling(self) -> float:
        """Cores that parsers, and all other processes, would need beside the main process at its ceiling."""
        return (self.cpu_ms - self.main_ms) / self.main_ms

    def less(self, start: "Run") -> dict[str, float]:
        """CPU time a page by process and stage, in ms, with what the crawl of one page took as stages of its own."""
        told = {}
        for process in ("main", "parsers"):
            own = {name: used for name, used in start.stages.items() if name.startswith(process)}
            told[f"{process}: start"] = sum(own.values())
            for name, used in self.stages.items():
                if name.startswith(process) and name != "parsers: start":
                    told[name] = max(0.0, used - own.get(name, 0.0))
        return {name: 1000 * used / self.pages for name, used in told.items()}


def crawl(served: Web, kind: str, root: Path = ROOT, more: Sequence[str] = ()) -> Run:
    """Crawl the home pages and what is linked from them at their hosts. Raises SystemExit if pages are missing."""
    tls = kind.startswith("TLS")
    with tempfile.TemporaryDirectory(prefix="bench-web-") as name:
        folder = Path(name)
        (folder / "seeds.txt").write_text("\n".join(served.seeds(tls=tls)))
        python = str(root / ".venv" / "bin" / "python") if root != ROOT else sys.executable
        command = [python, "-m", "crawler", "crawl", "seeds.txt", "--job", "job", "--allow-private", "--scope", "host"]
        command += [*KINDS[kind], *more, *(["--ca-bundle", str(served.authority)] if tls else [])]
        inside = Inside(folder / "inside")
        served.handshakes()
        before_s = own_cpu_s(served.pid)
        cost = measure(command, folder, inside.environment(root), TIMEOUT_S)
        server_s = own_cpu_s(served.pid) - before_s
        shaken: Mapping[str, int] = served.handshakes()
        if cost.exit_code:
            raise SystemExit(f"exit code {cost.exit_code}: {(folder / 'log').read_text()[-2000:]}")
        summary = json.loads((folder / "job" / "summary.json").read_text())
        stages = inside.stages(cost.main_cpu_s, cost.cpu_s - cost.main_cpu_s)
    pages = summary["run_pages"]
    if pages != served.pages:
        raise SystemExit(f"{pages:,} of {served.pages:,} pages were fetched: {summary['outcomes']}")
    lag_s, page_bytes = summary["loop_lag_p99_s"], served.page_bytes
    return Run(pages, cost, lag_s, page_bytes, shaken["new"], shaken["resumed"], server_s, stages)


def beginning(root: Path = ROOT) -> Run:
    """What a crawl of one page costs: nearly all of it is the start."""
    with web(hosts=1, pages=1) as served:
        return crawl(served, "TLS", root)
