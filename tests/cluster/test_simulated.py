"""Twenty simulated crawls on many machines, and whatever befalls these. `make simulate` runs 2,000 of them."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SEEDS = (13, 16, 22, 28, 29, 35, 37, 39, 41, 43, 47, 50, 53, 55, 59, 68, 69, 72, 80, 86)
"""Seeds that do not take long; each kind of misfortune befalls some of them."""


def simulate(*arguments: str) -> str:
    """Run the command in a process of its own: sets of bytes have to have the same order each time."""
    command = [sys.executable, "-m", "bench.simulate", *arguments]
    run = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONHASHSEED": "0"}, capture_output=True, check=False)
    said = run.stdout.decode()
    assert (run.returncode, run.stderr) == (0, b""), said + run.stderr.decode()
    return said


def test_twenty_seeds_keep_all_promises():
    assert "broken: 0" in simulate("--seed", *map(str, SEEDS))


def test_a_seed_is_the_same_crawl_each_time():
    """What a seed stands for is told by its number alone, so that one that fails can be looked at."""
    first, second = (simulate("--seed", "4", "--trace").rpartition("took_s")[0] for _ in range(2))
    assert first == second
