"""Our crawler and its peers, in turns, on the same job: every page below a prefix, with title and links.

    make bench
    .venv/bin/python -m bench.race --pages 1000 --rounds 3 --only ours,wget2
    .venv/bin/python -m bench.race --root /usr/share/doc/postgresql-doc-15/html

Writes a table and a chart into docs/performance.md and docs/img/ when the job is the
default one; prints the table always.
Peers that are marked as slow have two rounds.
"""

import argparse
import shutil
import statistics
import tempfile
from pathlib import Path

import msgspec

from bench.docs_site import PAGES
from bench.measure import Cost, measure, own_cpu_s
from bench.peer import PEERS, Peer
from bench.report import Row, write
from bench.static_server import serving

ROUNDS, SLOW_ROUNDS = 5, 2
SAMPLE = 50


def pages_of(peer: Peer, folder: Path, prefix: str) -> dict[str, frozenset[str]]:
    """The URLs that a run wrote, each with its links below the prefix, without fragments."""
    if not peer.records:
        depth = prefix.count("/") - 2  # mirror/HOST and the folders of the prefix
        below = ((file, file.relative_to(folder / "mirror").parts) for file in (folder / "mirror").rglob("*.html"))
        return {prefix + "/".join(parts[depth:]): frozenset() for _, parts in below}
    pages = {}
    for line in (folder / "pages.jsonl").read_bytes().splitlines():
        record = msgspec.json.decode(line)
        if record["status"] == 200:
            links = (link.partition("#")[0] for link in record.get("links") or ())
            pages[record["url"]] = frozenset(link for link in links if link.startswith(prefix))
    return pages


def differences(peer: Peer, found: dict[str, frozenset[str]], truth: dict[str, frozenset[str]]) -> str:
    """What a run found less, more or otherwise than ours; nothing if it is the same."""
    said = []
    if less := len(truth.keys() - found.keys()):
        said.append(f"{less} pages less")
    if more := len(found.keys() - truth.keys()):
        said.append(f"{more} pages more")
    both = sorted(truth.keys() & found.keys())
    sample = both[:: max(1, len(both) // SAMPLE)] if peer.records else []
    if other := sum(truth[url] != found[url] for url in sample):
        said.append(f"other links on {other} of {len(sample)} pages")
    return ", ".join(said)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=PAGES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", default="", metavar="NAMES", help=", ".join(peer.name for peer in PEERS))
    parser.add_argument("--root", type=Path, help="serve this folder instead of the generated site")
    parser.add_argument("--seed", default="index.html", help="first page of --root [index.html]")
    arguments = parser.parse_args()
    names = {peer.name for peer in PEERS}
    only = set(filter(None, arguments.only.split(","))) or names
    if only - names:
        parser.error(f"--only {arguments.only}: there are {', '.join(sorted(names))}")
    racing, missing = [], {}
    for peer in PEERS:
        if peer.name in only | {"ours"}:
            if lack := peer.install():
                missing[peer.name] = lack
                print(f"{peer.name}: {lack}", flush=True)
            else:
                racing.append(peer)
    if arguments.root:
        module, options = "bench.static_server", [str(arguments.root), "--seed", arguments.seed]
    else:
        module, options = "bench.docs_site", ["--pages", str(arguments.pages)]
    costs: dict[str, list[tuple[Cost, float]]] = {peer.name: [] for peer in racing}
    notes: dict[str, str] = {}
    counts: dict[str, int] = {}
    with serving(module, options) as (seed, server):
        prefix = seed.rpartition("/")[0] + "/"
        truth: dict[str, frozenset[str]] = {}
        for number in range(1, arguments.rounds + 1):
            for peer in racing:
                if peer.slow and number > SLOW_ROUNDS:
                    continue
                folder = Path(tempfile.mkdtemp(prefix="race-"))
                before = own_cpu_s(server)
                cost = measure(peer.command(seed, prefix, folder), folder)
                served_s = own_cpu_s(server) - before
                if cost.exit_code not in peer.codes:
                    raise SystemExit(f"{peer.name} failed ({cost.exit_code}): {(folder / 'log').read_text()[-2000:]}")
                found = pages_of(peer, folder, prefix)
                truth = truth or found
                if said := differences(peer, found, truth):
                    notes[peer.name] = said
                costs[peer.name].append((cost, served_s))
                counts[peer.name] = max(1, len(found))
                shutil.rmtree(folder)
                print(f"round {number}: {peer.name:<13}{len(found) / cost.wall_s:8.1f} pages/s {said}", flush=True)
    pages = len(truth)
    usual = (arguments.root, arguments.only, arguments.pages, arguments.rounds) == (None, "", PAGES, ROUNDS)
    rows = [
        Row(
            name=name,
            rounds=len(runs),
            rate=counts[name] / statistics.median(cost.wall_s for cost, _ in runs),
            cpu_ms=1000 * statistics.median(cost.cpu_s for cost, _ in runs) / counts[name],
            main_ms=1000 * statistics.median(cost.main_cpu_s for cost, _ in runs) / counts[name],
            server_ms=1000 * statistics.median(served for _, served in runs) / counts[name],
            peak_mb=statistics.median(cost.peak_bytes for cost, _ in runs) / 1e6,
            whole="pages less" not in notes.get(name, ""),
            note=notes.get(name, "no titles and links" if name == "wget2" else ""),
        )
        for name, runs in costs.items()
    ]
    write(rows, missing, pages, keep=usual)


if __name__ == "__main__":
    main()
