"""What the web's own pages cost: large, compressed, on hosts that take their time, plain and over TLS.

    python -m bench.web                             (make bench-web: about five minutes)
    python -m bench.web --hosts 400 --rounds 1
    python -m bench.web --root ../older-checkout    the code of another checkout, with its .venv, in turns with this one

A list of home pages is crawled by the command line with everything on, as `bench.web_site` serves it: 2,000 hosts with
three pages of 242 KB each on average, gzip or brotli, robots.txt everywhere, answers that begin after 50 ms to 2 s.
Over TLS each host has a handshake of its own, with an ECDSA or an RSA certificate. The server runs on the same cores.

Printed are medians of the rounds: pages and megabytes (of HTML) for each second of CPU time, which is what one core can
do; CPU time a page of all processes and of the main one; p99 lag of the event loop; memory. The ceiling is what the
main process could feed if parsers cost nothing: 1 s over its CPU time a page. It is arithmetic, and was not run.
Ends with exit code 1 if a target is missed.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from bench import ring
from bench.measure import measure
from bench.target import AtLeast, AtMost, print_targets
from bench.web_site import HOSTS, PAGES, Web, web

ROOT = Path(__file__).parent.parent
LEAST_RATE, MOST_TLS_MS, MOST_PLAIN_MS, MOST_LAG_MS = 150, 0.6, 0.4, 50
TIMEOUT_S = 1_800


class Run(ring.Run, frozen=True):
    """One crawl, with the mean size of its pages' HTML, and how many handshakes there were."""

    page_bytes: int
    new: int
    resumed: int

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


def crawl(served: Web, root: Path, *, tls: bool) -> Run:
    """Crawl the home pages and what is linked from them at their hosts. Raises SystemExit if pages are missing."""
    with tempfile.TemporaryDirectory(prefix="bench-web-") as name:
        folder = Path(name)
        (folder / "seeds.txt").write_text("\n".join(served.seeds(tls=tls)))
        python = str(root / ".venv" / "bin" / "python") if root != ROOT else sys.executable
        command = [python, "-m", "crawler", "crawl", "seeds.txt", "--job", "job", "--allow-private", "--scope", "host"]
        command += ["--ca-bundle", str(served.authority)] if tls else []
        served.handshakes()
        cost = measure(command, folder, {"PYTHONPATH": str(root)}, TIMEOUT_S)
        shaken = served.handshakes()
        if cost.exit_code:
            raise SystemExit(f"exit code {cost.exit_code}: {(folder / 'log').read_text()[-2000:]}")
        summary = json.loads((folder / "job" / "summary.json").read_text())
    pages = summary["run_pages"]
    if pages != served.pages:
        raise SystemExit(f"{pages:,} of {served.pages:,} pages were fetched: {summary['outcomes']}")
    return Run(pages, cost, summary["loop_lag_p99_s"], served.page_bytes, shaken["new"], shaken["resumed"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=HOSTS)
    parser.add_argument("--pages", type=int, default=PAGES, help=f"of each host [{PAGES}]")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--root", type=Path, help="another checkout, to compare with")
    arguments = parser.parse_args()
    roots = {"": ROOT} | ({"there, ": arguments.root.absolute()} if arguments.root else {})
    runs: dict[str, list[Run]] = {}
    with web(arguments.hosts, arguments.pages) as served:
        print(f"{served.hosts:,} hosts, {served.pages:,} pages of {served.page_bytes / 1000:.0f} KB", flush=True)
        for number in range(1, arguments.rounds + 1):
            for kind in ("plain", "TLS"):
                for where, root in roots.items():
                    run = crawl(served, root, tls=kind == "TLS")
                    runs.setdefault(where + kind, []).append(run)
                    print(
                        f"round {number}: {where + kind:12} {run.rate:5.0f} pages/s, {run.cpu_ms:.2f} ms CPU a page, "
                        f"{run.main_ms:.2f} of it in the main process, p99 lag {run.lag_ms:.0f} ms, "
                        f"{run.peak_mb:.0f} MB, {run.new:,} new handshakes and {run.resumed:,} resumed",
                        flush=True,
                    )
    rows: list[AtLeast | AtMost] = []
    for kind, done in runs.items():
        ours = not kind.startswith("there")
        tls = kind.endswith("TLS")
        main_ms = ring.median(done, "main_ms")
        rows += [
            AtLeast(f"{kind}: pages a CPU second", ring.median(done, "a_core"), LEAST_RATE if ours and tls else None),
            AtLeast(f"{kind}: MB of HTML a CPU second", ring.median(done, "mb_a_core")),
            AtMost(f"{kind}: ms CPU a page, all processes", ring.median(done, "cpu_ms")),
            AtMost(
                f"{kind}: ms CPU a page, main process",
                main_ms,
                (MOST_TLS_MS if tls else MOST_PLAIN_MS) if ours else None,
            ),
            AtLeast(f"{kind}: ceiling of one ring, pages/s", 1000 / main_ms),
            AtMost(f"{kind}: event loop's p99 lag, ms", ring.median(done, "lag_ms"), MOST_LAG_MS if ours else None),
            AtMost(f"{kind}: memory, MB", ring.median(done, "peak_mb")),
        ]
    return print_targets(f"{os.cpu_count()} cores, the server on them too; medians of {arguments.rounds} rounds", rows)


if __name__ == "__main__":
    sys.exit(main())
