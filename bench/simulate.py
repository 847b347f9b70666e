"""A crawl on many machines, simulated from one number: does it keep its promises whatever happens to them?

    python -m bench.simulate                             (make simulate: 2,000 seeds on all cores, half an hour on two)
    python -m bench.simulate --seeds 200 --first 1000
    python -m bench.simulate --seed 17 --trace           one of them, and what happens in it
    python -m bench.simulate --scale 1 4 16 64           how speed grows with the number of shards

What runs is the crawler's own: frontier, outbox, window, fetcher with its clocks of hosts, ledger, exchange, sinks,
leases, checkpoints, coordinator. Made up, and drawn from the seed: the web and its servers, the network between the
machines, their clocks and disks, and what befalls them. Time is made up too, so minutes take a fraction of a second,
and a seed that fails fails again. bench/simulation/ says how.

For each seed: public records are those that an undisturbed ring must write, by a definition that knows no rings; none
is public twice, and none goes away again; each URL ends in its own shard, as that definition says; no server is asked
by two owners in turns, or sooner than it wants, across moves too; no holder asks after its shard was given to another;
budgets are exact; outboxes are bounded; the crawl ends. Ends with exit code 1, and the seeds, if one is broken.
"""

import argparse
import os
import sys
import time
from collections import Counter
from multiprocessing import get_context

__all__ = ["main"]

SEEDS = 2_000
DOMAINS = 20
"""Of each shard, with --scale."""
PAGE_S = 0.004
"""What a page takes of its shard there, which is what limits it."""


def main() -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(
        description="Crawls on simulated machines; see the docstring of bench/simulate.py."
    )
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (default: %(default)s)")
    parser.add_argument("--seed", type=int, nargs="+", help="only these")
    parser.add_argument("--trace", action="store_true", help="tell what happens")
    parser.add_argument("--calm", action="store_true", help="nothing happens to the machines")
    parser.add_argument(
        "--processes", type=int, default=len(os.sched_getaffinity(0)), help="default: one for each core"
    )
    parser.add_argument("--scale", type=int, nargs="+", metavar="N", help="instead: how speed grows, with N shards")
    parser.add_argument(
        "--pages", type=int, default=2_000, help="of --scale: pages of each shard (default: %(default)s)"
    )
    parser.add_argument(
        "--cross", type=float, default=0.1, help="of --scale: links to any domain (default: %(default)s)"
    )
    asked = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of a set of bytes is drawn for each process otherwise, and no run would be like another.
        os.execve(
            sys.executable,
            [sys.executable, "-m", "bench.simulate", *sys.argv[1:]],
            {**os.environ, "PYTHONHASHSEED": "0"},
        )
    from bench.simulation.run import Outcome, simulated  # noqa: PLC0415 - not before the process is the right one

    if asked.scale:
        return _scale(asked.scale, asked.pages, asked.cross)
    if asked.seed is not None and len(asked.seed) == 1:
        outcome = simulated(asked.seed[0], calm=asked.calm, trace=print if asked.trace else None)
        print(f"seed {outcome.seed}: {outcome.broken or 'all promises kept'}")
        print(f"{outcome}")
        return int(bool(outcome.broken))
    started = time.perf_counter()
    numbers = [(number, asked.calm) for number in asked.seed or range(asked.first, asked.first + asked.seeds)]
    outcomes: list[Outcome] = []
    with get_context("spawn").Pool(asked.processes) as pool:
        for outcome in pool.imap_unordered(_simulated, numbers, chunksize=4):
            outcomes.append(outcome)
            if outcome.broken:
                print(f"seed {outcome.seed}: {outcome.broken}", flush=True)
            if len(outcomes) % 200 == 0:
                print(f"{len(outcomes)} seeds, {time.perf_counter() - started:.0f} s", flush=True)
    broken = sorted(outcome.seed for outcome in outcomes if outcome.broken)
    happened = Counter(kind for outcome in outcomes for kind in outcome.blows)
    records, requests = (sum(getattr(one, name) for one in outcomes) for name in ("records", "requests"))
    hours, starts = sum(one.world_s for one in outcomes) / 3600, sum(one.starts for one in outcomes)
    print(
        f"{len(outcomes)} seeds in {time.perf_counter() - started:.0f} s: {records:,} records, {requests:,} requests, "
        f"{hours:,.0f} hours of their worlds, {starts:,} starts of shards"
    )
    print("befell them: " + ", ".join(f"{kind} {number}" for kind, number in happened.most_common()))
    print(f"broken: {len(broken)}" + (f": {' '.join(map(str, broken))}" if broken else ""))
    return int(bool(broken))


def _scale(sizes: list[int], pages: int, cross: float) -> int:
    """Print how the speed of a crawl grows with its shards; 1 if it falls behind by more than a tenth."""
    from bench.simulation.scale import grown  # noqa: PLC0415 - as above

    print("| shards | pages | pages/s | a shard's pages/s | CPU ms a page | links to other shards | bytes a page |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    rates = []
    for shards in sizes:
        one = grown(shards, pages=pages // DOMAINS, domains=DOMAINS, cross=cross, page_s=PAGE_S, delay_s=0.0)
        rates.append(one.pages_per_s / shards)
        print(
            f"| {shards} | {one.pages:,} | {one.pages_per_s:,.0f} | {rates[-1]:.0f} | {one.cpu_ms:.2f} | "
            f"{100 * one.crossing:.1f} % | {one.wire_bytes:.0f} |",
            flush=True,
        )
    return int(min(rates) < 0.9 * rates[0])


def _simulated(asked: "tuple[int, bool]") -> "Outcome":  # noqa: F821
    from bench.simulation.run import simulated  # noqa: PLC0415 - in the process that simulates

    number, calm = asked
    try:
        return simulated(number, calm=calm)
    except Exception as error:  # noqa: BLE001 - a seed that breaks the code is a seed that is told
        from bench.simulation.run import Outcome  # noqa: PLC0415 - as above

        return Outcome(number, f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    sys.exit(main())
