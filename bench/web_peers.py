"""Peers on the pages of the web: the job of `bench.race`, from a list of home pages, plain and over TLS.

Each visits every page of the hosts on the list and writes url, status, title and all absolute links of each as a JSON
line. No delays; certificates are checked against the authority where a peer can be told of one.
"""

import dataclasses
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from bench.measure import Cost, measure, own_cpu_s
from bench.peer import PEERS, Peer, python_script
from bench.race import pages_of
from bench.web_site import Web

__all__ = ["NAMES", "PeerRow", "race"]

AT_ONCE = {"scrapy": "64", "crawlee": "64", "spider-rs": "64"}
"""Requests at once, for spider-rs hosts; 16 made little difference, nor did 128 for Scrapy."""
TIMEOUT_S = 300
_TRUSTED = {"spider-rs": "SSL_CERT_FILE"}
"""The variable that names the authority's file. Scrapy checks no certificate, and Crawlee's client takes no file."""


class PeerRow(NamedTuple):
    """Medians of one peer's runs on one kind of web. `lack`: why there is none."""

    name: str
    kind: str
    rate: float = 0.0
    cpu_ms: float = 0.0
    main_ms: float = 0.0
    peak_mb: float = 0.0
    note: str = ""
    lack: str = ""


def _ours(seed: str, prefix: str, folder: Path) -> list[str]:  # noqa: ARG001 - one shape for all
    options = "--scope host --delay 0 --per-host 6 --allow-private --fields url,status,title,links"
    output = ["-o", str(folder / "pages.jsonl"), "--job", str(folder / "job")]
    return [sys.executable, "-m", "crawler", "crawl", seed.removeprefix("@"), *options.split(), *output]


def _spider_rs(command: Callable[[str, str, Path], list[str]]) -> Callable[[str, str, Path], list[str]]:
    return lambda seed, prefix, folder: [*command(seed, prefix, folder), AT_ONCE["spider-rs"]]


def _on_the_web(peer: Peer) -> Peer | None:
    """Return how a peer does this job; None for one that takes no part."""
    if peer.name == "ours":
        return dataclasses.replace(peer, command=_ours)
    if peer.name == "spider-rs":
        return dataclasses.replace(peer, command=_spider_rs(peer.command))
    scripts = {"crawlee": "crawlee_crawler.py", "scrapy": "scrapy_spider.py"}
    if peer.name not in scripts:
        return None
    return dataclasses.replace(peer, command=python_script(scripts[peer.name], AT_ONCE[peer.name]))


_RACING = tuple(found for peer in PEERS if (found := _on_the_web(peer)))
NAMES = tuple(peer.name for peer in _RACING)


class _Done(NamedTuple):
    cost: Cost
    pages: int
    said: str


def _run(peer: Peer, served: Web, *, tls: bool) -> _Done | str:
    """Run one peer once. A string tells why nothing came of it."""
    folder = Path(tempfile.mkdtemp(prefix="web-race-"))
    try:
        seeds = folder / "seeds.txt"
        seeds.write_text("\n".join(served.seeds(tls=tls)))
        command = peer.command(f"@{seeds}", "", folder)
        if tls and peer.name == "ours":
            command += ["--ca-bundle", str(served.authority)]
        env = {_TRUSTED[peer.name]: str(served.authority)} if tls and peer.name in _TRUSTED else None
        try:
            cost = measure(command, folder, env, TIMEOUT_S)
        except SystemExit as error:
            return str(error)[:60]
        if cost.exit_code not in peer.codes or not (folder / "pages.jsonl").exists():
            last = (folder / "log").read_text(errors="replace").strip().rpartition("\n")[2]
            return f"failed ({cost.exit_code}): {last[:100]}"
        found = pages_of(peer, folder, "")
        truth = dict.fromkeys(served.urls(tls=tls), frozenset[str]())
        said = [f"{less:,} pages less"] if (less := len(truth.keys() - found.keys())) else []
        said += [f"{more:,} pages more"] if (more := len(found.keys() - truth.keys())) else []
        return _Done(cost, max(1, len(truth.keys() & found.keys())), ", ".join(said))
    finally:
        shutil.rmtree(folder)


def race(served: Web, only: Iterable[str], rounds: int) -> list[PeerRow]:
    """Run the peers in turns. What cannot be had is said, and the others go on."""
    racing = []
    rows: list[PeerRow] = []
    for peer in _RACING:
        if peer.name in only:
            if lack := peer.install():
                print(f"{peer.name}: {lack}", flush=True)
                rows.append(PeerRow(peer.name, "", lack=lack))
            else:
                racing.append(peer)
    done: dict[tuple[str, str], list[_Done]] = {}
    lacks: dict[tuple[str, str], str] = {}
    for number in range(1, rounds + 1):
        for kind in ("plain", "TLS"):
            for peer in racing:
                at = (peer.name, kind)
                if at in lacks:
                    continue
                before = own_cpu_s(served.pid)
                run = _run(peer, served, tls=kind == "TLS")
                if isinstance(run, str):
                    lacks[at] = run
                    print(f"round {number}: {peer.name:10} {kind:6} {run}", flush=True)
                    continue
                done.setdefault(at, []).append(run)
                server_ms = 1000 * (own_cpu_s(served.pid) - before) / run.pages
                print(
                    f"round {number}: {peer.name:10} {kind:6} {run.pages / run.cost.wall_s:6.1f} pages/s, "
                    f"{1000 * run.cost.cpu_s / run.pages:6.2f} ms CPU a page, server {server_ms:.2f} {run.said}",
                    flush=True,
                )
    for (name, kind), runs in done.items():
        each = [(run.cost, run.pages) for run in runs]
        rows.append(
            PeerRow(
                name,
                kind,
                rate=statistics.median(pages / cost.wall_s for cost, pages in each),
                cpu_ms=1000 * statistics.median(cost.cpu_s / pages for cost, pages in each),
                main_ms=1000 * statistics.median(cost.main_cpu_s / pages for cost, pages in each),
                peak_mb=statistics.median(cost.peak_bytes for cost, _ in each) / 1e6,
                note=runs[-1].said,
            )
        )
    rows += [PeerRow(name, kind, lack=lack) for (name, kind), lack in lacks.items()]
    return rows
