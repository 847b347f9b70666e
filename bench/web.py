"""What the web's own pages cost: large, compressed, on hosts that take their time, plain and over TLS.

    python -m bench.web                             (make bench-web: about 20 minutes; writes docs/performance.md)
    python -m bench.web --hosts 200 --rounds 1 --only ours
    python -m bench.web --only ours,scrapy --hosts 200
    python -m bench.web --parts curves              one part of it, about five minutes; writes that part alone
    python -m bench.web --describe                  what the served web is like, seen from outside
    python -m bench.web --root ../older-checkout    the code of another checkout, with its .venv, in turns with this one

A list of home pages is crawled by the command line with everything on, as `bench.web_site` serves it: 2,000 hosts with
three pages of 242 KB each on average, gzip or brotli, robots.txt everywhere, answers that begin after 50 ms to 2 s.
Over TLS each host has a handshake of its own, with an ECDSA or an RSA certificate. The server runs on the same cores.

Printed are medians of the rounds: pages and megabytes (of HTML) for each second of CPU time, which is what one core can
do; CPU time a page of all processes and of the main one, and by stage; p99 lag of the event loop; memory; the server's
CPU time a page. Threads of the main process are stages, and their times exact; what parsers are at is sampled; the
start is a crawl of one page. The ceiling is what the main process could feed if parsers cost nothing: 1 s over its CPU
time a page. It is arithmetic, and was not run.

Then Scrapy, Crawlee and spider-rs beside ours do the job of `make bench` on fewer hosts; and what a page costs against
its size, the number of hosts, and of URLs known. Ends with exit code 1 if a target is missed.
"""

import argparse
import os
import sys
from pathlib import Path

from bench import ring
from bench.target import AtLeast, AtMost, print_targets
from bench.web_crawl import KINDS, ROOT, Run, beginning, crawl
from bench.web_curves import curves
from bench.web_look import look
from bench.web_peers import NAMES, race
from bench.web_report import order, write_curves, write_peers, write_seen, write_stages
from bench.web_site import HOSTS, PAGES, web

LEAST_RATE, MOST_TLS_MS, MOST_PLAIN_MS, MOST_LAG_MS = 150, 0.6, 0.4, 50
ROUNDS, PEER_ROUNDS, PEER_HOSTS = 3, 2, 200
PARTS = ("seen", "stages", "peers", "curves")
_THERE = "there, "


def figures(runs: dict[str, list[Run]]) -> list[AtLeast | AtMost]:
    """What was measured, beside its targets; those are for this checkout and the record of `make bench`."""
    rows: list[AtLeast | AtMost] = []
    for kind, done in runs.items():
        aimed = kind in {"plain", "TLS"}
        main = MOST_TLS_MS if kind == "TLS" else MOST_PLAIN_MS
        rows += [
            AtLeast(f"{kind}: pages a CPU second", ring.median(done, "a_core"), LEAST_RATE if kind == "TLS" else None),
            AtLeast(f"{kind}: MB of HTML a CPU second", ring.median(done, "mb_a_core")),
            AtLeast(f"{kind}: pages/s", ring.median(done, "rate")),
            AtMost(f"{kind}: ms CPU a page, all processes", ring.median(done, "cpu_ms")),
            AtMost(f"{kind}: ms CPU a page, main process", ring.median(done, "main_ms"), main if aimed else None),
            AtLeast(f"{kind}: ceiling of one ring, pages/s", ring.median(done, "ceiling")),
            AtMost(f"{kind}: cores for parsers at that ceiling", ring.median(done, "parsers_at_ceiling")),
            AtMost(f"{kind}: event loop's p99 lag, ms", ring.median(done, "lag_ms"), MOST_LAG_MS if aimed else None),
            AtMost(f"{kind}: memory, MB", ring.median(done, "peak_mb")),
            AtMost(f"{kind}: server, ms CPU a page", ring.median(done, "server_ms")),
        ]
    return rows


def by_stage(runs: dict[str, list[Run]], start: Run) -> dict[str, dict[str, float]]:
    """CPU ms a page by process and stage: of each kind, the run whose CPU time is the median."""
    chosen = {kind: sorted(done, key=lambda run: run.cpu_ms)[len(done) // 2] for kind, done in runs.items()}
    stages = {kind: run.less(start) for kind, run in chosen.items()}
    if "plain" in stages and "TLS" in stages:
        loops = [stages[kind].get("main: event loop", 0.0) for kind in ("plain", "TLS")]
        stages["TLS"]["main: event loop"] = loops[0]
        stages["TLS"]["main: TLS (the difference)"] = loops[1] - loops[0]
    return stages


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=HOSTS)
    parser.add_argument("--pages", type=int, default=PAGES, help=f"of each host [{PAGES}]")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--root", type=Path, help="another checkout, to compare with; without peers and curves")
    parser.add_argument("--kinds", default="/".join(KINDS), help=f"[{'/'.join(KINDS)}]")
    parser.add_argument(
        "--only", default=",".join(NAMES), metavar="NAMES", help=f"with which peers [{','.join(NAMES)}]"
    )
    parser.add_argument("--parts", default=",".join(PARTS), help=f"what to measure [{','.join(PARTS)}]")
    parser.add_argument("--describe", action="store_true", help="tell what the served web is like, and end")
    parser.add_argument("--keep", action="store_true", help="write docs/performance.md whatever the job was")
    arguments = parser.parse_args()
    only, kinds = arguments.only.split(","), arguments.kinds.split("/")
    parts = {"seen"} if arguments.describe else set(arguments.parts.split(","))
    if unknown := (set(only) - set(NAMES)) | (set(kinds) - set(KINDS)) | (parts - set(PARTS)):
        parser.error(f"there is no {', '.join(sorted(unknown))}: see --help for the names")
    usual = not arguments.root and (arguments.hosts, arguments.pages, arguments.rounds) == (HOSTS, PAGES, ROUNDS)
    usual = usual and set(only) == set(NAMES) and kinds == list(KINDS) and not arguments.describe
    keep = usual or arguments.keep
    rows: list[AtLeast | AtMost] = []
    machine = f"{os.cpu_count()} cores, the server on them too; medians of {arguments.rounds} rounds"
    if parts & {"seen", "stages"}:
        rows = crawls(arguments, kinds, parts, machine, keep=keep)
    if "peers" in parts and len(only) > 1 and not arguments.root:
        rounds = min(arguments.rounds, PEER_ROUNDS)
        with web(min(arguments.hosts, PEER_HOSTS), arguments.pages) as served:
            title = f"{served.hosts:,} hosts, {served.pages:,} pages of {served.page_bytes / 1000:.0f} KB"
            print(f"\npeers: {title}", flush=True)
            peers = race(served, only, rounds)
        if keep:
            write_peers(f"{title}; medians of {rounds} rounds.", peers)
    if "curves" in parts and (usual or arguments.parts != ",".join(PARTS)):
        measured = curves(beginning(), min(1.0, arguments.hosts / HOSTS))
        if keep:
            write_curves(measured)
    return print_targets(machine, rows) if rows else 0


def crawls(
    arguments: argparse.Namespace, kinds: list[str], parts: set[str], machine: str, *, keep: bool
) -> list[AtLeast | AtMost]:
    """Look at the web, and crawl it with each checkout in turns; what was measured, beside its targets."""
    roots = {"": ROOT} | ({_THERE: arguments.root.absolute()} if arguments.root else {})
    runs: dict[str, list[Run]] = {}
    with web(arguments.hosts, arguments.pages) as served:
        title = f"{served.hosts:,} hosts, {served.pages:,} pages of {served.page_bytes / 1000:.0f} KB"
        print(title, flush=True)
        if "seen" in parts and (keep or "stages" not in parts):
            seen = look(served)
            for what, asked, was in seen.rows:
                print(f"  {what:44}{was:24}{f'asked: {asked}' if asked else ''}", flush=True)
            if keep:
                write_seen(seen)
        if "stages" not in parts:
            return []
        start = beginning()
        for number in range(1, arguments.rounds + 1):
            for kind in kinds:
                for where, root in roots.items():
                    run = crawl(served, kind, root)
                    runs.setdefault(where + kind, []).append(run)
                    print(
                        f"round {number}: {where + kind:16} {run.rate:5.0f} pages/s, {run.cpu_ms:.2f} ms CPU a page, "
                        f"{run.main_ms:.2f} of it in the main process, p99 lag {run.lag_ms:.0f} ms, "
                        f"{run.peak_mb:.0f} MB, {run.new:,} new handshakes and {run.resumed:,} resumed, "
                        f"server {run.server_ms:.2f} ms",
                        flush=True,
                    )
    stages = by_stage(runs, start)
    print(f"\n{'CPU ms a page':36}{''.join(f'{kind:>18}' for kind in stages)}")
    for name in order(stages):
        print(f"  {name:34}{''.join(f'{one.get(name, 0.0):18.2f}' for one in stages.values())}")
    rows = figures(runs)
    if keep:
        write_stages(f"{title}; {machine}.", rows, stages)
    return rows


if __name__ == "__main__":
    sys.exit(main())
