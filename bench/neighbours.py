"""Bad neighbours, one attack at a time: what healthy hosts keep of their rate beside 1, 10, 300 and 1,000 of them.

    make soak                                                       # all attacks, after bench/soak.py: about an hour
    .venv/bin/python -m bench.neighbours --list
    .venv/bin/python -m bench.neighbours --attack silent stall --hosts 1 300 --by address name
    .venv/bin/python -m bench.neighbours --attack stall --pages small --seeds mixed
    .venv/bin/python -m bench.neighbours --root ../older-checkout   # the code of another checkout, with its .venv

Twenty healthy hosts (127.0.1.1 to 127.0.1.20, or names of theirs) are crawled with the default politeness, which allows
200 pages a second, alone and beside the bad ones, in turns: alone, beside 1, alone, beside 10, and so on. Each rate
beside is divided by the mean of those alone before and after it. Servers are processes of their own
(`tests/support/street.py`), the crawl is the command line. It is ended (kill -9) when its time is up.

The rate is that of healthy pages whose records are on the disk. Memory is that of the main process: the most of its
proportional set size. Lag is the 99th percentile of the event loop's lateness. The words are what the display said most
often of what limits the crawl. Exit code 1 if a ratio is under 0.9.

Everything runs in a network namespace of its own where that is allowed (`unshare -rn`), so that IPv6 addresses can be
many there; elsewhere the attack that needs them is left out.
"""

import argparse
import contextlib
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil

from bench.soak import set_size
from tests.support.street import (
    ATTACKS,
    HEALTHY_PREFIX,
    LARGE,
    NETWORK,
    SMALL,
    Attack,
    Street,
    bad_street,
    healthy_street,
    paths,
)

ROOT = Path(__file__).parent.parent
LEAST_RATIO = 0.9
WARM_UP_S = 5.0
"""Not counted, from the time at which the crawl is under way: parsers start, robots.txt is asked for."""
START_S = 60.0
HOSTS = (1, 10, 300, 1000)
PAGES = {"small": SMALL, "large": LARGE}
_COMMIT_S = 1.0
_IN_NAMESPACE = "CRAWLER_BENCH_NAMESPACE"
_NAMING = (re.compile(r"most is held by [^;]+"), re.compile(r"[\d,]+ hosts? do(es)? not answer"))
"""What a log line says of who holds what, in short."""
_HEALTHY = re.compile(rb'"url":"http://(?:%b|h\d+\.good\.test:)' % re.escape(HEALTHY_PREFIX.encode()))
_FETCHED_AT = re.compile(rb'"fetched_at":"([^"]+)"')


@dataclass(frozen=True)
class Case:
    """One attack, and how it is measured. `hosts` 0: the healthy ones alone."""

    name: str
    hosts: int
    by: str
    healthy: int
    pages: str
    seeds: str
    seconds: float
    root: Path

    @property
    def attack(self) -> Attack:
        """What the bad hosts do."""
        return ATTACKS[self.name]


@dataclass(frozen=True)
class Run:
    """What came of one crawl: healthy pages a second, most bytes of the main process, lag of its loop, words."""

    rate: float
    memory_bytes: int
    lag_s: float
    words: str


@dataclass(frozen=True)
class Row:
    """An attack by so many hosts, beside what was measured without it."""

    case: Case
    alone: float
    beside: Run
    alone_bytes: int

    @property
    def ratio(self) -> float:
        """What healthy hosts keep of their rate."""
        return self.beside.rate / self.alone if self.alone else 0.0

    def __str__(self) -> str:
        case, run = self.case, self.beside
        mark = "" if self.ratio >= LEAST_RATIO else " **too little**"
        return (
            f"| {case.name} | {case.hosts:,} | {case.by} | {self.alone:.0f} | {run.rate:.0f} | {self.ratio:.2f}{mark} "
            f"| {self.alone_bytes / 1e6:.0f} | {run.memory_bytes / 1e6:.0f} | {1e3 * run.lag_s:.0f} | {run.words} |"
        )


HEAD = """| attack | hosts | by | alone, pages/s | beside | ratio | MB alone | beside | lag, ms | the display says |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"""


# One crawl


def crawl(case: Case, good: Street, bad: Street) -> Run:
    """Crawl for the time of a case, in a process of its own. Raises `SystemExit` if that ends by itself."""
    with tempfile.TemporaryDirectory(prefix="neighbours-") as name:
        folder = Path(name)
        (folder / "seeds.txt").write_text("\n".join(_seeds(case, good, bad)))
        python = case.root / ".venv" / "bin" / "python"
        command = [str(python), str(ROOT / "bench" / "street_crawl.py"), str(folder / "figures"), str(good.names_port)]
        command += [case.attack.spider or "-", "--", "crawl", str(folder / "seeds.txt"), "--job", str(folder / "job")]
        command += ["--allow-private", "--insecure", *case.attack.options]
        with (folder / "log").open("w") as log:
            environment = {**os.environ, "PYTHONPATH": str(case.root)}
            process = psutil.Popen(command, cwd=folder, stdout=log, stderr=log, env=environment)
            try:
                start = _begun(process, folder / "figures") + WARM_UP_S
                memory_bytes = _watched(process, start + case.seconds + _COMMIT_S)
            finally:
                exit_code = process.poll()
                _end(process)
        if exit_code is not None and exit_code != 0:
            raise SystemExit(f"the crawl ended with exit code {exit_code}:\n{(folder / 'log').read_text()[-3000:]}")
        rate = _healthy_pages(folder / "job" / "pages.jsonl", start, case.seconds) / case.seconds
        lag_s, words = _told(folder / "figures")
        return Run(rate, memory_bytes, lag_s, words)


def _seeds(case: Case, good: Street, bad: Street) -> list[str]:
    by = case.attack.by or case.by
    healthy = [good.url(number, "/", by) for number in range(case.healthy)]
    hostile = [bad.url(number, path, by) for path in paths(case.attack, case.hosts) for number in range(case.hosts)]
    if case.seeds == "mixed":
        both = healthy + hostile
        random.Random(1).shuffle(both)
        return both
    return healthy + hostile if case.seeds == "first" else hostile + healthy


def _begun(process: psutil.Popen, figures: Path) -> float:
    """Wait until the crawl is under way; return the time at which it began to be."""
    deadline = time.time() + START_S
    while not (figures.exists() and figures.stat().st_size) and time.time() < deadline and process.poll() is None:
        time.sleep(0.05)
    return time.time()


def _watched(process: psutil.Popen, until: float) -> int:
    """Wait until that time, or the end; return the most memory that the process itself took."""
    most = 0
    while time.time() < until and process.poll() is None:
        with contextlib.suppress(psutil.Error, OSError):
            most = max(most, set_size(process))
        time.sleep(0.2)
    return most


def _end(process: psutil.Popen) -> None:
    """End a process and its children at once."""
    ones = [process]
    with contextlib.suppress(psutil.Error):
        ones += process.children(recursive=True)
    for one in ones:
        with contextlib.suppress(psutil.Error):
            one.kill()
    process.wait()
    psutil.wait_procs(ones[1:], timeout=10)


def _healthy_pages(records: Path, start: float, seconds: float) -> int:
    """How many healthy pages were fetched in a span of time, of those that have been written."""
    count = 0
    if not records.exists():
        return 0
    with records.open("rb") as lines:
        for line in lines:
            if _HEALTHY.search(line, 0, 400) and (found := _FETCHED_AT.search(line)):
                count += 0 <= datetime.fromisoformat(found[1].decode()).timestamp() - start < seconds
    return count


def _told(figures: Path) -> tuple[float, str]:
    """The lag at the end, and what the display said of what limits the crawl, most often."""
    text = figures.read_text() if figures.exists() else ""
    told = [json.loads(line) for line in text.splitlines() if line.endswith("}")]
    if not told:
        return 0.0, "nothing"
    stages = Counter(one["stage"] for one in told if one["stage"] != "starting") or Counter(["starting"])
    stage, _ = stages.most_common(1)[0]
    last = next(one for one in reversed(told) if one["stage"] == stage)
    words = [f"{stage}: {last['why']}", *(found[0] for one in _NAMING if (found := one.search(last["line"])))]
    return told[-1]["lag_s"], "; ".join(words)


# All of them


def measure(case: Case, hosts: Sequence[int], rounds: int) -> list[Row]:
    """One attack by so many hosts, in turns with none; prints a row for each."""
    rows = []
    with healthy_street(case.healthy, PAGES[case.pages]) as good, bad_street(case.name) as bad:
        alone = [crawl(_of(case, 0), good, bad)]
        for number in list(hosts) * rounds:
            one = _of(case, number)
            beside = crawl(one, good, bad)
            alone.append(crawl(_of(case, 0), good, bad))
            rate = statistics.fmean(run.rate for run in alone[-2:])
            rows.append(Row(one, rate, beside, alone[-1].memory_bytes))
            print(rows[-1], flush=True)
    return rows


def _of(case: Case, hosts: int) -> Case:
    return Case(**{**vars(case), "hosts": hosts})


def _in_namespace() -> bool:
    """Whether this process is alone in its network; becomes one that is, if it may."""
    if os.environ.get(_IN_NAMESPACE):
        return _has_network()
    unshare, ip = shutil.which("unshare"), shutil.which("ip")
    if not (unshare and ip) or subprocess.run([unshare, "-rn", "true"], capture_output=True, check=False).returncode:
        return False
    os.environ[_IN_NAMESPACE] = "1"
    os.execv(unshare, [unshare, "-rn", sys.executable, "-m", "bench.neighbours", *sys.argv[1:]])
    return False


def _has_network() -> bool:
    """Bring up loopback, and an IPv6 network on it."""
    commands = (f"link set lo up|-6 route add local {NETWORK}::/64 dev lo").split("|")
    return not any(subprocess.run(["ip", *one.split()], capture_output=True).returncode for one in commands)  # noqa: PLW1510 - its code is told


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--attack", nargs="*", default=list(ATTACKS), choices=ATTACKS, metavar="NAME", help="[all]")
    parser.add_argument("--hosts", nargs="*", type=int, default=list(HOSTS), help="bad hosts [1 10 300 1000]")
    parser.add_argument("--by", nargs="*", default=["address"], choices=["address", "name"], help="[address]")
    parser.add_argument("--healthy", type=int, default=20, help="healthy hosts, at most ten requests/s each [20]")
    parser.add_argument("--pages", choices=PAGES, help="healthy pages: 11 KB or 200 KB [what feels the attack]")
    parser.add_argument("--seeds", default="last", choices=["first", "last", "mixed"], help="healthy ones [last]")
    parser.add_argument("--seconds", type=float, default=15.0, help="of each crawl, after 5 s of warm-up [15]")
    parser.add_argument("--rounds", type=int, default=1, help="[1]")
    parser.add_argument("--root", type=Path, default=ROOT, help="a checkout with a .venv [this one]")
    parser.add_argument("--list", action="store_true", help="name the attacks, and do no more")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(f"{name:<14}{attack.does}" for name, attack in ATTACKS.items()))
        return
    apart = _in_namespace()
    rows: list[Row] = []
    print(HEAD, flush=True)
    for name in arguments.attack:
        if name == "one-network" and not apart:
            print(f"| {name} | | | | | left out: this machine allows no network namespace | | | | |")
            continue
        forms = [ATTACKS[name].by] if ATTACKS[name].by else arguments.by
        for by in forms:
            case = Case(
                name, 0, by, arguments.healthy, arguments.pages or ("large" if ATTACKS[name].large else "small"),
                arguments.seeds, arguments.seconds, arguments.root.absolute(),
            )  # fmt: skip
            rows += measure(case, arguments.hosts, arguments.rounds)
    low = [row for row in rows if row.ratio < LEAST_RATIO]
    print(f"{len(rows) - len(low)} of {len(rows)} ratios are at least {LEAST_RATIO}")
    sys.exit(1 if low else 0)


if __name__ == "__main__":
    main()
