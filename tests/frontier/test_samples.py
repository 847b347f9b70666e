"""The time series of a job: bounded for a run of any length, whole after any commit, readable by other versions."""

import itertools

import msgspec
import pytest

from crawler.core.errors import JobError
from crawler.core.sample import Sample
from crawler.core.stats import CrawlStats
from crawler.frontier import samples
from crawler.frontier.store import Store


def sample(run: int, elapsed_s: float, **changes) -> Sample:
    return Sample(run=run, at=1e9 + elapsed_s, stats=CrawlStats(elapsed_s=elapsed_s, pages=int(elapsed_s)), **changes)


def times(store: Store) -> list[tuple[int, float]]:
    return [(one.run, one.stats.elapsed_s) for one in store.samples.all()]


def test_a_run_of_any_length_keeps_its_first_and_last_sample_and_few_evenly_spread_between(tmp_path, monkeypatch):
    """After each commit the newest sample is there, however long the run is: a killed crawl has its last one."""
    monkeypatch.setattr(samples, "MOST", 20)
    with Store(tmp_path / "s") as store:
        run = store.samples.begin()
        for second in range(1_000):
            store.samples.put(sample(run, float(second)))
            store.commit()
            last = store.samples.last()
            assert last is not None
            assert last.stats.elapsed_s == second
        taken = [at for _, at in times(store)]
    assert taken[0] == 0.0
    assert taken[-1] == 999.0
    assert 10 <= len(taken) <= 20
    gaps = [later - earlier for earlier, later in itertools.pairwise(taken[:-1])]
    assert max(gaps) <= 2 * min(gaps), taken


def test_samples_that_come_too_soon_replace_each_other(tmp_path):
    with Store(tmp_path / "s") as store:
        for tenth in range(100):
            store.samples.put(sample(1, tenth / 10))
        store.commit()
        taken = [at for _, at in times(store)]
    assert taken[-1] == pytest.approx(9.9)
    assert len(taken) <= 11


def test_what_was_not_committed_is_no_sample(tmp_path):
    with Store(tmp_path / "s") as store:
        store.samples.put(sample(1, 0.0))
        store.commit()
        store.samples.put(sample(1, 5.0))
        assert times(store) == [(1, 0.0)]
    with Store(tmp_path / "s", read_only=True) as store:
        assert times(store) == [(1, 0.0)]


def test_runs_follow_each_other_and_of_very_many_each_keeps_its_last_sample(tmp_path, monkeypatch):
    monkeypatch.setattr(samples, "MOST_EARLIER", 30)
    for run in range(1, 11):
        with Store(tmp_path / "s") as store:
            assert store.samples.begin() == run
            for second in range(5):
                store.samples.put(sample(run, float(second)))
            store.commit()
    with Store(tmp_path / "s", read_only=True) as store:
        taken = times(store)
    assert taken == sorted(taken)
    assert len(taken) <= 30 + 5 + 5
    assert {(run, 4.0) for run in range(1, 11)} <= set(taken)


def test_a_sample_of_another_version_is_read_as_far_as_it_is_known(tmp_path):
    with Store(tmp_path / "s") as store:
        assert store.samples.last() is None
        later = msgspec.to_builtins(sample(1, 1.0, why="x")) | {"colour": "blue"}
        later["stats"] |= {"wishes": 3}
        key = b"sample:" + (1).to_bytes(4, "big") + (1).to_bytes(8, "big")
        meta = store._database.table("meta")
        meta.put(key, msgspec.msgpack.encode(later))
        store.commit()
        assert list(store.samples.all()) == [sample(1, 1.0, why="x")]
        meta.put(key, msgspec.msgpack.encode({"run": 1, "at": 1.0, "stats": {}}))
        store.commit()
        assert list(store.samples.all()) == [Sample(run=1, at=1.0, stats=CrawlStats())]
        meta.put(key, b"nonsense")
        store.commit()
        with pytest.raises(JobError, match="cannot be read"):
            store.samples.last()
