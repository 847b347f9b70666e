"""`crawler compare` crawls with every strategy, checks that all give the same records, and draws what it took."""

import functools
import json
import sys

import pytest

import crawler.cli.compare.plan
from crawler.cli.compare.plan import Plan, available_cpus, default_cores, demo_seeds
from crawler.cli.compare.records import Written, difference, written
from crawler.cli.compare.results import Results
from crawler.cli.compare.timeline import Sample, lanes
from crawler.cli.compare.work import SPIDERS, CrawlMeasured, ProcessMemory, from_json, to_json
from crawler.cli.entry import main
from crawler.core.config import CrawlConfig
from crawler.core.stats import CrawlStats
from tests.support.servers import Answer, LocalServer, html

CHARTS = ("pages-per-second", "speed-up", "cpu-per-page", "memory", "timeline-light", "timeline-heavy", "batch-size")
POLITE_TO_NOBODY = ("--allow-private", "--delay", "0", "--per-host", "8")


@pytest.fixture(autouse=True)
def _few_batches(monkeypatch):
    """Batches take longer than all else here."""
    monkeypatch.setattr(crawler.cli.compare.plan, "Plan", functools.partial(Plan, batch_sizes=(1, 8), batch_pages=16))


def respond(host: str, path: str) -> Answer:
    """A small site; `/b` is not a page of HTML, `/c` is not there."""
    if path == "/b":
        return Answer("plain", headers={"content-type": "text/plain"})
    if path == "/c":
        return Answer(html("a"), status=404)
    return Answer(html("/a", "/b", "/c", *(f"/p{n}" for n in range(12)), title=path), delay_s=0.03)


@pytest.mark.thorough
def test_a_small_site_ends_with_charts_and_results(tmp_path, capfd):
    """All strategies and both spiders: the same records, a chart of each kind, and every figure in results.json."""
    with LocalServer(respond) as server:
        code = main(["compare", server.url(), *POLITE_TO_NOBODY, "--cores", "1", "-o", str(tmp_path / "out")])
    out, err = capfd.readouterr()
    assert (code, out) == (0, ""), err
    assert "records    the same in all 8 crawls\n" in err
    assert "[8/8] heavy spider, 1 core, hybrid: 16 pages in " in err
    for name in CHARTS:
        assert (tmp_path / f"out/{name}.png").read_bytes().startswith(b"\x89PNG"), name
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        ["results.json", *(f"{name}.png" for name in CHARTS)]
    )
    raw = (tmp_path / "out/results.json").read_bytes()
    assert json.loads(raw)["same_records"] is True
    results: Results = from_json(raw, Results)
    assert [run.total_pages for run in results.runs] == [16] * 8
    assert {tuple(sorted(run.outcomes.items())) for run in results.runs} == {(("fetched", 16),)}
    assert [(one.spider, one.size, one.pages) for one in results.batches] == [
        ("light", 1, 64), ("light", 8, 64), ("heavy", 1, 16), ("heavy", 8, 16)
    ]  # fmt: skip
    for run in results.runs:
        names = [lane.name for lane in run.lanes]
        assert names[0] == "event loop"
        assert names[-1] == "ledger"
        assert ("parser process 1" in names) == (run.strategy == "hybrid")
        assert run.main_cpu_s > 0
        assert (run.parsers_cpu_s > 0) == (run.strategy == "hybrid")
        assert 0 < run.start_s <= run.crawl_s
        assert run.pages <= 15


@pytest.mark.thorough
def test_records_that_differ_are_named_and_the_exit_code_says_so(tmp_path, capfd):
    """A site with a page that is another one each time, and one that is there only once."""
    asked: dict[str, int] = {}

    def moody(host: str, path: str) -> Answer:
        asked[path] = asked.get(path, 0) + 1
        title = f"{asked[path]}" if path == "/moody" else path
        return Answer(html("/moody", "/once", title=title), status=404 if path == "/once" and asked[path] > 1 else 200)

    with LocalServer(moody) as server:
        code = main([
            "compare", server.url(), *POLITE_TO_NOBODY, "--cores", "1", "--spider", "light", "-o", str(tmp_path),
            "--strategy", "async", "--strategy", "sequential",
        ])  # fmt: skip
        says = f"other records: {server.url('/moody')}; missing: {server.url('/once')}"
    err = capfd.readouterr().err
    assert code == 1, err
    last = err.splitlines()[-1]
    assert last == f"crawler: error: 1 crawl differs from the first: light spider, 1 core, sequential: {says}"
    assert json.loads((tmp_path / "results.json").read_bytes())["same_records"] is False


def test_a_site_that_gives_nothing_ends_the_comparison_at_once(tmp_path, capfd):
    with LocalServer(respond) as server:
        assert main(["compare", server.url(), "--cores", "1", "-o", str(tmp_path)]) == 1
        assert not server.requests
    assert "no page was fetched (skipped: private-address 1); --allow-private is" in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_more_cores_than_there_are_is_wrong_usage(tmp_path, capfd):
    there = len(available_cpus())
    assert main(["compare", "--cores", "4096", "-o", str(tmp_path / "out")]) == 2
    assert f"--cores: this process may use {there}, not 4096" in capfd.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("package", ["matplotlib", "psutil"])
def test_a_package_that_is_not_installed_is_named_with_its_extra_before_anything_is_done(
    package, tmp_path, capfd, monkeypatch
):
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    assert main(["compare", "-o", str(tmp_path / "out")]) == 2
    message = f"crawler: error: crawler compare needs {package}: pip install {package}, or "
    assert capfd.readouterr().err.startswith(message)
    assert not (tmp_path / "out").exists()


# The parts


def test_the_plan_has_every_strategy_side_by_side():
    plan = Plan(config=CrawlConfig(), strategies=("async", "hybrid"), spiders=("light", "heavy"), cores=(1,), rounds=2)
    names = [(run.round, run.spider, run.strategy) for run in plan.runs()]
    assert names == [
        (number, spider, strategy)
        for number in (1, 2)
        for spider in ("light", "heavy")
        for strategy in ("async", "hybrid")
    ]
    assert plan.demo
    assert not Plan(
        config=CrawlConfig(seeds=("http://a.test/",)), strategies=("async",), spiders=("light",), cores=(1,)
    ).demo


def test_the_demo_hosts_that_wait_are_left_out():
    names = [url.partition("//")[2].partition(".")[0] for url in demo_seeds(1)]
    assert len(names) == 10
    assert not {"site03", "site04", "site05", "site06", "site14"} & set(names)


def test_cores_by_default_are_powers_of_two_and_all():
    cores = default_cores()
    assert cores[0] == 1
    assert cores[-1] == min(8, len(available_cpus()))


@pytest.mark.parametrize(
    ("second", "outcomes", "whole", "says"),
    [
        ({"a": b"1", "b": b"2"}, {"fetched": 2}, True, ""),
        ({"a": b"1", "b": b"3"}, {"fetched": 2}, True, "other records: b"),
        ({"a": b"1"}, {"fetched": 1}, True, "missing: b; outcomes {'fetched': 1} instead of {'fetched': 2}"),
        ({"a": b"1", "b": b"2", "c": b"3"}, {"fetched": 2}, True, "too many: c"),
        ({"a": b"1", "c": b"3"}, {"fetched": 1}, False, ""),
        ({"b": b"9", "c": b"3"}, {"fetched": 1}, False, "other records: b"),
    ],
)
def test_a_difference_between_two_crawls_is_told(second, outcomes, whole, says):
    def crawl(records, ends):
        return Written({url: (record,) for url, record in records.items()}, ends)

    first = crawl({"a": b"1", "b": b"2"}, {"fetched": 2})
    assert difference(first, crawl(second, outcomes), whole=whole) == says


def test_records_are_the_same_in_any_order(tmp_path):
    lines = [b'{"url":"a","n":1}\n', b'{"url":"b"}\n', b'{"url":"a","n":2}\n']
    for name, order in (("one", lines), ("other", lines[::-1])):
        (tmp_path / name).write_bytes(b"".join(order))
    assert written(tmp_path / "one", {}) == written(tmp_path / "other", {})


def samples(*rows: tuple[float, float, float, float, float]) -> list[Sample]:
    """Rows of (time, loop, parser thread, at pages, in commits), in seconds."""
    return [
        Sample(at, loop + parser, {"MainThread": loop, "parser-0": parser}, (), CrawlStats(
            parser_busy_s=(busy,), commit_s=commit
        ))
        for at, loop, parser, busy, commit in rows
    ]  # fmt: skip


def test_a_timeline_tells_work_from_waiting():
    """Shares of each bin: what ran, what wanted to run, commits; a counter grows evenly between two looks."""
    looks = samples((0.0, 0, 0, 0, 0), (0.5, 0.1, 0.2, 0.5, 0), (1.5, 0.1, 0.2, 0.5, 0.2), (2.0, 0.1, 0.2, 0.5, 0.2))
    found = {lane.name: lane.shares for lane in lanes(looks, "threads", 1.0, 2.0)}
    assert found["event loop"]["fetch"] == (0.1, 0.0, 0.0)
    assert found["parser thread 1"] == {"parse": (0.2, 0.0, 0.0), "held up": (0.3, 0.0, 0.0)}
    assert found["ledger"]["commit"] == (0.1, 0.1, 0.0)
    inline = {lane.name: lane.shares for lane in lanes(looks, "async", 1.0, 2.0)}
    assert set(inline) == {"event loop", "ledger"}
    assert inline["event loop"]["parse"] == (0.1, 0.0, 0.0)


def test_of_several_rounds_the_median_counts_and_speed_is_told_against_sequential():
    def run(strategy, number, seconds):
        return CrawlMeasured(
            strategy=strategy, spider="light", cores=1, round=number, total_pages=101, outcomes={}, start_s=1.0,
            crawl_s=seconds + 1, steady_s=seconds, pages=100, main_cpu_s=0.2, parsers_cpu_s=0.1, commits=1,
            commit_s=0.0, loop_lag_p99_s=0.0, bin_s=0.1, lanes=(), memory=(ProcessMemory("main process", 10**6),),
        )  # fmt: skip

    runs = [run("sequential", n, s) for n, s in ((1, 10.0), (2, 20.0), (3, 9.0))]
    runs += [run("hybrid", n, s) for n, s in ((1, 1.0), (2, 2.0), (3, 50.0))]
    results = Results(
        version="1", python="3", machine="", site="", max_pages=None, settings={}, runs=tuple(runs), batches=(),
        differences=(),
    )  # fmt: skip
    median = results.of("hybrid", "light", 1)
    assert median.round == 2
    assert results.speedup(median) == 5.0
    assert median.cpu_ms_per_page == pytest.approx(3.0)
    assert results.of("async", "light", 1) is None
    assert from_json(to_json(results), Results) == results


def test_the_spiders_are_those_that_their_names_say():
    from crawler import Page
    from crawler.parsers.spiders.spider import load_spider

    page = Page.from_html('<title> A  b</title><h1>Head</h1><a href="/x">x</a>', "http://a.test/")
    for name, reference in SPIDERS.items():
        record, follow = load_spider(reference)(page)
        assert (record["url"], record["headings"]) == ("http://a.test/", ["Head"]), name
        assert follow.urls == ("http://a.test/x",)


def test_results_that_cannot_be_written_are_a_storage_error(tmp_path, capfd):
    (tmp_path / "file").write_text("")
    assert main(["compare", "-o", str(tmp_path / "file")]) == 5
    assert "choose another --output" in capfd.readouterr().err
