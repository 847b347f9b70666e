"""What `bench/` measures with is right: the costs of a command, and the site that is crawled."""

import random
import re
import statistics
import sys
from pathlib import Path

import pytest

from bench import web_report, web_site
from bench.docs_site import page
from bench.inside_times import Inside, stage_of
from bench.measure import measure
from bench.target import AtLeast, AtMost, print_targets
from bench.web_curves import Curves, Point
from bench.web_look import Look, look
from bench.web_peers import PeerRow

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


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="measures by /proc")
def test_the_exit_code_of_the_command_is_told(tmp_path):
    assert measure([sys.executable, "-c", "raise SystemExit(3)"], tmp_path).exit_code == 3
    assert measure([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"], tmp_path).exit_code == -9


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="measures by /proc")
def test_another_checkout_is_measured_and_not_this_one(tmp_path):
    there = tmp_path / "there" / "crawler"
    there.mkdir(parents=True)
    (there / "__init__.py").touch()
    look = "import crawler; print(crawler.__file__)"
    measure([sys.executable, "-c", look], tmp_path, {"PYTHONPATH": str(there.parent)})
    assert (tmp_path / "log").read_text() == f"{there / '__init__.py'}\n"


def test_the_site_resembles_documentation():
    pages = [page(number, 10_000) for number in range(1, 10_000, 97)]
    assert 25_000 < sum(map(len, pages)) / len(pages) < 27_500
    assert 85 < sum(one.count(b"<a href=") for one in pages) / len(pages) < 100


def has_documentation():
    return any(any(Path("/").glob(place[1:])) for place in web_site.PACKAGES.values())


def test_pages_are_drawn_as_large_and_with_as_many_links_as_the_web_has_them():
    chance = random.Random(1)
    sizes = [web_site.size_of(chance) for _ in range(20_000)]
    assert 132_000 < statistics.median(sizes) < 144_000
    assert 237_000 < statistics.mean(sizes) < 246_000
    assert min(sizes) >= 30_000
    assert max(sizes) == 600_000
    assert 96 < statistics.median(web_site.links_of(chance) for _ in range(20_000)) < 104


@pytest.mark.thorough
@pytest.mark.skipif(not has_documentation(), reason="pages are made from documentation packages")
def test_the_served_web_is_what_it_says_seen_from_outside():
    with web_site.web(hosts=101, pages=1, size=40_000) as served:
        seen = look(served)
        assert served.handshakes() == {"new": 101, "resumed": 101}
    assert (seen.hosts, seen.pages, seen.robots, seen.resumed) == (101, 101, 101, 101)
    assert (seen.versions, seen.keys) == ({"TLSv1.3": 101}, {"ECDSA": 100, "RSA": 1})
    assert min(seen.codings["br"], seen.codings["gzip"]) > 40
    assert 38_000 < seen.size_p50 < 43_000
    assert 0.9 < seen.size_mean / served.page_bytes < 1.1
    assert seen.sent_mean < seen.size_mean / 3
    assert 70 < seen.links_p50 < 130
    assert 0.05 <= seen.latency_least_s < seen.latency_p50_s < seen.latency_most_s


BURN_IN_A_THREAD = """
import multiprocessing, threading, time, timeit
burnt = threading.Event()
def burn():
    while time.thread_time() < 0.4: pass
    burnt.set()
    time.sleep(600)
def read():
    call = "normalise('http://host.example/a/../b?c=%20d')", "from crawler.web.urls import normalise"
    child = multiprocessing.get_context("spawn").Process(target=timeit.timeit, args=call, kwargs={"number": 60_000})
    child.start()
    child.join()
if __name__ == "__main__":
    threading.Thread(target=burn, name="ledger", daemon=True).start()
    read()
    burnt.wait()
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="measures by /proc")
def test_cpu_time_is_told_by_thread_and_by_what_parsers_were_at(tmp_path):
    inside = Inside(tmp_path / "inside")
    (tmp_path / "burn.py").write_text(BURN_IN_A_THREAD)
    cost = measure([sys.executable, "burn.py"], tmp_path, inside.environment(Path(web_site.__file__).parent.parent))
    assert cost.exit_code == 0, (tmp_path / "log").read_text()
    stages = inside.stages(cost.main_cpu_s, cost.cpu_s - cost.main_cpu_s)
    assert stages["main: frontier and ledger"] >= 0.35
    assert stages["parsers: links"] > stages["parsers: start"] * 0.2
    assert sum(stages.values()) == pytest.approx(cost.cpu_s, rel=0.1)


def test_what_a_parser_is_at_goes_by_the_innermost_function_that_is_known():
    assert stage_of("page/html.py:_tidy page/html.py:visible_text parsers/worker.py:main") == "text"
    assert stage_of("page/html.py:_link page/html.py:read page/raw_page.py:extracted") == "links"
    assert stage_of("parsers/worker.py:main") == "receive and send"
    assert stage_of("") == "start"


def test_each_part_of_bench_web_is_written_where_the_document_has_its_marks(tmp_path, monkeypatch):
    """And nothing else of the document changes; a part can be measured by itself."""
    before = (web_report.DOCS / "performance.md").read_text("utf-8")
    (tmp_path / "performance.md").write_text(before, "utf-8")
    monkeypatch.setattr(web_report, "DOCS", tmp_path)
    ours = PeerRow("ours", "TLS", rate=100.0, cpu_ms=8.0, main_ms=2.0, peak_mb=123.0)
    points = [Point(10_000, 1.25, 0.5), Point(20_000, 2.5, 0.75)]
    web_report.write_stages(
        "OF STAGES", [AtMost("lag", 51.0, 50.0)], {"TLS": {"main: start": 0.25, "parsers: tree": 2.0}}
    )
    web_report.write_peers("OF PEERS", [ours, PeerRow("spider-rs", "", lack="no Node")])
    web_report.write_curves(Curves(points, points, points))
    web_report.write_seen(Look(5, 15, 1, 2, 3, 4, 77, 6, {"br": 7, "gzip": 8}, 5, 0.1, 0.2, 0.3, {}, {}, 5))
    after = (tmp_path / "performance.md").read_text("utf-8")
    for told in (
        "| lag | at most 50 | 51.00 | **no** |",
        "| **parsers: all** | **2.00** |",
        "| spider-rs |  |",
        "no Node",
    ):
        assert told in after
    for told in (
        "| 10 KB | 1.25 | 0.50 |",
        "| 20,000 hosts | 2.50 | 0.75 |",
        "br 7, gzip 8",
        "| ours | TLS | 100 | 8.00 |",
    ):
        assert told in after
    assert {file.name for file in (tmp_path / "img").iterdir()} == {
        f"web-{name}.png" for name in ("stages", "peers", "curves")
    }
    between = re.compile(r"(<!-- (web-\w+) -->).*?(<!-- /\2 -->)", re.DOTALL)
    assert between.sub(r"\1\3", after) == between.sub(r"\1\3", before)


def test_a_target_that_is_missed_ends_a_measurement_with_an_exit_code(capsys):
    told = [AtLeast("rate", 10.0), AtLeast("share", 0.7, 0.7), AtMost("time", 1.0, 1.1)]
    assert print_targets("all", told) == 0
    assert print_targets("some", [*told, AtMost("lag", 51.0, 50.0)]) == 1
    assert print_targets("some", [AtLeast("share", 0.69, 0.7)]) == 1
    assert capsys.readouterr().out.count("MISSED") == 2
