"""What `bench/` measures with is right: the costs of a command, and the site that is crawled."""

import sys

import pytest

from bench.docs_site import page
from bench.measure import measure
from bench.target import AtLeast, AtMost, print_targets

BURN = "import os, subprocess, sys, time\nwhile time.process_time() < 0.3: pass\nkept = b'x' * 30_000_000\n"
AND_START = "subprocess.Popen([sys.executable, '-c', sys.argv[1], *sys.argv[2:]], start_new_session=True)\n"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="measures by /proc")
def test_cpu_and_memory_of_grandchildren_count_although_their_parents_are_gone(tmp_path):
    last = f"{BURN}time.sleep(0.5)"
    cost = measure([sys.executable, "-c", BURN + AND_START, BURN + AND_START, last], tmp_path, timeout_s=60)
    assert (cost.exit_code, cost.killed) == (0, 0), (tmp_path / "log").read_text()
    assert 0.85 <= cost.cpu_s <= 2.5
    assert 0.25 <= cost.main_cpu_s <= 0.7 < cost.cpu_s
    assert cost.peak_bytes > 30_000_000
    assert cost.wall_s < cost.cpu_s


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="measures by /proc")
def test_the_exit_code_of_the_command_is_told(tmp_path):
    assert measure([sys.executable, "-c", "raise SystemExit(3)"], tmp_path).exit_code == 3
    assert measure([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"], tmp_path).exit_code == -9


def test_the_site_resembles_documentation():
    pages = [page(number, 10_000) for number in range(1, 10_000, 97)]
    assert 25_000 < sum(map(len, pages)) / len(pages) < 27_500
    assert 85 < sum(one.count(b"<a href=") for one in pages) / len(pages) < 100


def test_a_target_that_is_missed_ends_a_measurement_with_an_exit_code(capsys):
    told = [AtLeast("rate", 10.0), AtLeast("share", 0.7, 0.7), AtMost("time", 1.0, 1.1)]
    assert print_targets("all", told) == 0
    assert print_targets("some", [*told, AtMost("lag", 51.0, 50.0)]) == 1
    assert print_targets("some", [AtLeast("share", 0.69, 0.7)]) == 1
    assert capsys.readouterr().out.count("MISSED") == 2
