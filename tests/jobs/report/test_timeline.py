import pytest

from crawler.core.sample import Sample
from crawler.core.stats import CrawlStats
from crawler.jobs.report.time_tables import time_tables
from crawler.jobs.report.timeline import MOST_STEPS, timeline


def sample(at_s: float, pages: int, *, run: int = 1, before: int = 0, limit: str = "politeness", **more) -> Sample:
    """One of a run that began at 1000 (the second: at 5000), after so many pages of earlier runs."""
    stats = CrawlStats(
        elapsed_s=at_s,
        run_pages=pages,
        pages=before + pages,
        run_bytes=10 * pages,
        outcomes={"fetched": before + pages, "failed: timeout": 1},
        queued=1_000 - pages,
        parser_busy_s=(at_s / 2, at_s),
        **more,
    )
    began_at = 1_000.0 if run == 1 else 5_000.0
    return Sample(run=run, at=began_at + at_s, stats=stats, limit=limit, why="held by --delay 1")


def made(samples: list[Sample]) -> dict:
    line = timeline(samples)
    return {"line": line, **{table.name: table for table in time_tables(line)}}


def test_what_a_crawl_brought_is_dealt_out_to_steps_of_time_and_nothing_is_lost():
    samples = [sample(second, 7 * second) for second in range(1, 351)]
    found = made(samples)
    line = found["line"]
    assert len(line.steps) <= MOST_STEPS
    assert line.seconds == 350
    assert sum(step.pages for step in line.steps) == pytest.approx(7 * 350)
    assert sum(step.ended["fetched"] for step in line.steps) == pytest.approx(7 * 350)
    assert sum(step.ended["failed"] for step in line.steps) == pytest.approx(1)
    assert line.limits == {"politeness": pytest.approx(350)}
    assert found["speed"].column("pages_per_s") == pytest.approx([7.0] * len(line.steps))
    assert found["parsers"].column("parser_1") == pytest.approx([0.5] * len(line.steps))
    assert found["parsers"].column("parser_2") == pytest.approx([1.0] * len(line.steps))
    assert found["queues"].column("queued")[-1] == 1_000 - 7 * 350
    assert found["limits"].rows == (("politeness", pytest.approx(350), 1.0, "--delay", "held by --delay 1"),)


def test_limits_are_those_that_the_crawl_has_added_up_where_it_has():
    samples = [
        sample(
            second,
            second,
            limit="per-host",
            limited_s={"per-host": second * 0.75, "disk": second * 0.25},
            lift="--per-host 2",
        )
        for second in range(2, 102, 2)
    ]
    samples += [
        sample(second, second, run=2, before=100, limit="delay", limited_s={"delay": float(second)}, lift="--delay 1")
        for second in range(1, 101)
    ]
    found = made(samples)
    assert found["line"].limits == {
        "delay": pytest.approx(100), "per-host": pytest.approx(75), "disk": pytest.approx(25)
    }  # fmt: skip
    lifted = dict(zip(found["limits"].column("limit"), found["limits"].column("lifted_by"), strict=True))
    assert (lifted["per-host"], lifted["delay"]) == ("--per-host 2", "--delay 1")
    assert "disk" in lifted["disk"]
    shares = [sum(row[3:]) for row in found["limits_over_time"].rows]
    assert shares == pytest.approx([1.0] * len(shares))


def test_runs_follow_each_other_without_the_time_between_them_and_count_apart():
    samples = [sample(second, 10 * second) for second in range(1, 31)]
    samples += [sample(second, 5 * second, run=2, before=300) for second in range(1, 21)]
    found = made(samples)
    line = found["line"]
    assert [(run.from_s, run.to_s) for run in line.runs] == [(0, 30), (30, 50)]
    assert sum(step.pages for step in line.steps) == pytest.approx(400)
    assert sum(step.ended["fetched"] for step in line.steps) == pytest.approx(400)
    assert found["speed"].column("pages_per_s") == pytest.approx([10.0] * 30 + [5.0] * 20)
    assert found["speed"].column("run") == [1] * 30 + [2] * 20
    assert found["runs"].column("began_at") == [1_000.0, 5_000.0]


def test_few_samples_of_a_long_crawl_are_spread_evenly():
    line = timeline([sample(10, 100), sample(3_610, 100 + 3_600)])
    assert sum(step.pages for step in line.steps) == pytest.approx(3_700)
    assert {round(step.pages / step.seen_s, 6) for step in line.steps[1:]} == {1.0}


@pytest.mark.parametrize("samples", [[], [sample(0.0, 0)]])
def test_a_job_without_samples_says_why_its_tables_are_empty(samples):
    found = made(samples)
    for name in ("speed", "outcomes_over_time", "limits_over_time", "queues", "parsers", "memory"):
        assert found[name].rows == ()
        assert "no samples" in found[name].note
