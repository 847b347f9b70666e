"""What may go wrong with a job of many shards while it runs, one thing after the other, and what must come of it.

    python -m tests.cluster.failures 60          a series, drawn from the seeds 0 to 59
    python -m tests.cluster.failures --seed 17   one of it again

Each trial is one crawl of a small web of many domains on three simulated machines, disturbed once or several times.
"""

import argparse
import contextlib
import io
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from crawler.cluster.task import COORDINATOR
from crawler.core.config import CrawlConfig
from tests.support.cluster_jobs import PATIENCE_S, Command, Machines, descendants, records, state_of
from tests.support.many_domains import ManyDomains

__all__ = ["FAILURES", "Trial"]

LEASE_S = 2.0
DELAY_S = 0.5


class Trial:
    """One crawl that is disturbed: `run` it, with the names of what is to go wrong, one after the other."""

    def __init__(self, machines: Machines, folder: Path, *, seed: int = 0, shared: bool = True) -> None:
        self.machines = machines
        self.rng = random.Random(seed)
        self.job = folder / "job"
        self.shared = shared
        self.told: list[str] = []
        self.command: Command

    def run(self, *failures: str) -> None:
        """Crawl, disturbed; assert that nothing is lost, nothing is there twice, and nobody was asked too often."""
        with ManyDomains(8, 7) as site:
            pages = len(site.pages_there())
            self.command = self._begin(site)
            try:
                for number, failure in enumerate(failures, start=1):
                    due = pages * number // (len(failures) + 2)
                    self._wait(lambda due=due: len(site.pages()) >= due)
                    self.told.append(failure)
                    FAILURES[failure](self)
                self.command = self._ended(site)
            finally:
                self.command.__exit__()
            self._check(site)

    def _begin(self, site: ManyDomains) -> Command:
        # A job in a folder named by a URL may be held by any machine, and its shards work on disks of their own.
        job = Path(f"file://{self.job}") if self.shared else self.job
        config = CrawlConfig(
            cluster=True, shards=4, job=job, scope="any", allow_private=True, delay_s=DELAY_S, parsers=1
        )
        return Command(config, site.seeds(), lease_s=LEASE_S).__enter__()

    def _ended(self, site: ManyDomains) -> Command:
        """Wait for the end; a command that was told of an error is given again, as a person would."""
        while True:
            stats = self.command.wait()
            if stats.ended == "done":
                return self.command
            self.command.__exit__()
            self.command = self._begin(site)

    def _check(self, site: ManyDomains) -> None:
        story = "\n".join([f"after {self.told}:", *self.command.lines])
        found = records(self.job / "records")
        assert not [url for url, number in found.items() if number > 1], (
            f"twice: {found - dict.fromkeys(found, 1)}\n{story}"
        )  # type: ignore[operator]
        assert set(found) == site.pages_there(), f"{set(found) ^ site.pages_there()}\n{story}"
        state = state_of(self.job)
        assert sum(total.records for shard in state.shards for total in shard.public) == len(found), story
        for name, times in site.times.items():
            gaps = [later - one for one, later in pairwise(times)]
            # Half of it, and once: a busy server may look at its clock late. Of two owners there would be many.
            close = [gap for gap in gaps if gap < DELAY_S / 2]
            assert len(close) <= 1, f"{name} was asked after {close} s\n{story}"

    def _wait(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition() and self.command.is_running:
            assert time.monotonic() < deadline, "\n".join(["it did not come to pass", *self.command.lines])
            time.sleep(0.02)

    def process(self, of: str) -> int | None:
        """One process of the job's: the coordinator's, or that of a shard; None if the crawl has ended before."""
        found: dict[str, int] = {}
        names: list[str] = []

        def is_there() -> bool:
            found.update(self.command.processes())
            names[:] = [name for name in sorted(found) if (name == COORDINATOR) == (of == COORDINATOR)]
            return bool(names)

        self._wait(is_there)
        return found[self.rng.choice(names)] if names else None

    # What goes wrong

    def kill_shard(self) -> None:
        if pid := self.process("shard"):
            os.kill(pid, signal.SIGKILL)

    def kill_parser(self) -> None:
        pid = self.process("shard")
        if pid and (parsers := descendants(pid)):
            os.kill(self.rng.choice(parsers), signal.SIGKILL)

    def kill_coordinator(self) -> None:
        if pid := self.process(COORDINATOR):
            os.kill(pid, signal.SIGKILL)

    def stop_shard(self) -> None:
        """Stop a process for longer than its lease, and wake it."""
        if pid := self.process("shard"):
            self._sleep(pid, self.rng.uniform(1.2, 3.0) * LEASE_S)

    def stop_coordinator(self) -> None:
        if pid := self.process(COORDINATOR):
            self._sleep(pid, self.rng.uniform(0.5, 3.0) * LEASE_S)

    def lose_machine(self) -> None:
        self.machines.lose(self.rng.choice(self.machines.nodes), disk=False)

    def lose_disk(self) -> None:
        self.machines.lose(self.rng.choice(self.machines.nodes), disk=True)

    def add_machine(self) -> None:
        self.machines.nodes.append(self.machines.add())

    def lose_command(self) -> None:
        """The command is killed, and given again a while later."""
        self.command.vanish()
        time.sleep(self.rng.uniform(0.5, 6.0))
        lines = self.command.lines
        driver = self.command.driver
        self.command = Command(driver._asked, list(driver._sources), lease_s=LEASE_S).__enter__()
        self.command.lines[:0] = lines

    def _sleep(self, pid: int, seconds: float) -> None:
        try:
            os.kill(pid, signal.SIGSTOP)
            time.sleep(seconds)
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            return  # it was ended meanwhile, as it should be


FAILURES: dict[str, Callable[[Trial], None]] = {
    "kill a shard": Trial.kill_shard,
    "kill a parser": Trial.kill_parser,
    "kill the coordinator": Trial.kill_coordinator,
    "stop a shard": Trial.stop_shard,
    "stop the coordinator": Trial.stop_coordinator,
    "lose a machine": Trial.lose_machine,
    "lose a machine with its disk": Trial.lose_disk,
    "add a machine": Trial.add_machine,
    "kill the command": Trial.lose_command,
}


def main() -> int:
    """Run a series of trials; return how many failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("number", nargs="?", type=int, default=60, help="how many trials  [60]")
    parser.add_argument("--seed", type=int, default=None, help="only the trial with this number")
    options = parser.parse_args()
    failed = 0
    for seed in range(options.number) if options.seed is None else [options.seed]:
        rng = random.Random(seed)
        chosen = rng.choices(sorted(FAILURES), k=rng.choice([1, 1, 2, 3]))
        print(f"{seed:>3} {', '.join(chosen)} ", end="", flush=True)
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            try:
                # Ray prints of each process that ends.
                with contextlib.redirect_stdout(io.StringIO()), Machines(Path(folder), 2) as machines:
                    Trial(machines, Path(folder), seed=seed).run(*chosen)
            except Exception as error:  # noqa: BLE001 - the others are to be tried, too
                failed += 1
                print(f"FAILED after {time.monotonic() - began:.0f} s: {type(error).__name__}: {error}")
            else:
                print(f"kept its promises, {time.monotonic() - began:.0f} s")
    print(f"{failed} failed")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
