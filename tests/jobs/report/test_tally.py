import msgspec
import pytest

from crawler.frontier.row import UrlRow
from crawler.jobs.report import tally as tally_module
from crawler.jobs.report.histogram import Histogram, rounded_ms
from crawler.jobs.report.tally import Tally


def row(url: str, outcome: str = "fetched", reason: str = "", status: int = 200, **more) -> UrlRow:
    told = {"depth": 1, "parent": b"p" * 16, "seed": 1, "redirected_from": (), "attempts": 1, "seq": 1, "at": 1000.0}
    return UrlRow(url, **(told | more), outcome=outcome, reason=reason, status=status if outcome == "fetched" else 0)


ROWS = [
    *(row(f"http://a.example/{number}", at=1000.0 + number, depth=number % 5) for number in range(100)),
    *(row(f"http://b.example/{number}", status=404) for number in range(7)),
    *(row(f"http://b.example/f{number}", "failed", "timeout") for number in range(5)),
    row("http://b.example:81/", "redirected"),
    row("http://c.example/", "skipped", "trap", parent=b""),
    row("http://c.example/due", ""),
]


def test_what_is_counted_adds_up_and_parts_join_to_the_whole():
    whole = Tally()
    whole.count(ROWS)
    assert whole.rows == len(ROWS) == sum(whole.outcomes.values()) == sum(whole.depths.values())
    assert sum(host.urls for host in whole.hosts.values()) == len(ROWS)
    assert whole.outcomes == {
        ("fetched", ""): 107, ("failed", "timeout"): 5, ("redirected", ""): 1, ("skipped", "trap"): 1, ("", ""): 1
    }  # fmt: skip
    assert whole.statuses == {200: 100, 404: 7}
    assert whole.trapped == {("trap", "c.example"): 1}
    assert whole.hosts["b.example"].errors == 7
    assert whole.hosts["b.example"].failed == 5
    assert set(whole.kinds) == {"status 404", "failed: timeout", "skipped: trap"}
    assert whole.linked == len(whole.links) == len(ROWS) - 1
    assert sum(whole.ended.values()) == len(ROWS) - 1

    joined = Tally()
    for start in range(0, len(ROWS), 10):
        part = Tally()
        part.count(ROWS[start : start + 10])
        # As it comes back from another process.
        joined.add(msgspec.msgpack.decode(msgspec.msgpack.encode(part), type=Tally))
    assert joined == whole


def test_of_more_hosts_than_are_kept_those_with_few_urls_go_and_it_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tally_module, "_MOST_HOSTS", 10)
    tally = Tally()
    for number in range(100):
        tally.count([row("http://large.example/"), row("http://large.example/2"), row(f"http://h{number}.example/")])
    assert len(tally.hosts) <= 20
    assert tally.hosts["large.example"].urls == 200
    assert len(tally.hosts) + tally.dropped_hosts == 101
    assert tally.short_by >= 1
    assert tally.rows == sum(tally.outcomes.values()) == 300


def test_times_of_ends_are_kept_in_wider_steps_when_they_are_many(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tally_module, "_MOST_SECONDS", 8)
    one, other = Tally(), Tally()
    one.count(row("http://a.example/", at=1000.0 + number) for number in range(1000))
    other.count(row("http://a.example/", at=1000.0 + number) for number in range(5))
    assert len(one.ended) <= 32
    assert sum(one.ended.values()) == 1000
    assert other.shift == 0
    other.add(one)
    assert sum(other.ended.values()) == 1005
    assert other.shift == one.shift


def test_a_percentile_is_exact_below_a_second_and_to_three_digits_above():
    times = Histogram()
    for ms in range(1, 1001):
        times.counts[rounded_ms(ms)] = times.counts.get(rounded_ms(ms), 0) + 1
    assert [times.percentile(share) for share in (0.5, 0.9, 0.99, 1.0)] == [500, 900, 990, 1000]
    assert [rounded_ms(ms) for ms in (-1, 0, 999, 1234, 12345, 123456)] == [0, 0, 999, 1230, 12300, 123000]
    assert len({rounded_ms(ms) for ms in range(0, 4_000_000, 7)}) < 5_000
    assert Histogram().percentile(0.5) is None


def test_bars_of_times_hold_all_of_them():
    times = Histogram({0: 3, 1: 1, 4: 2, 7: 5, 900: 1, 60_000: 1})
    assert sum(number for _, _, number in times.bars()) == 13
    edges = [edge for low, high, _ in times.bars() for edge in (low, high)]
    assert edges[1:-1:2] == edges[2::2]
