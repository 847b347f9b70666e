"""Single decisions of a coordinator, one after the other, where a random world would only meet them by chance."""

from typing import Any

import pytest
from msgspec.structs import replace

from crawler.shards.checkpoint import Checkpoint, OutputTotal
from crawler.shards.coordinator import Coordinator
from crawler.shards.effects import Confirm, Effect, EndShard, Save, StartShard
from crawler.shards.lease import Lease
from crawler.shards.messages import LOCKED, LOST, Offer, Orders, Report, Start
from crawler.shards.overview import Wish
from crawler.shards.placing import Node
from crawler.shards.state import ClusterState, decode, encode, new_state, opened
from crawler.shards.timing import Timing

TIMING = Timing(10.0)
A, B = Node("a", 2, "disk-a", "first"), Node("b", 2, "disk-b", "second")


class Driven:
    """A coordinator with a clock, and the processes that it has started: all of them do what they are told."""

    def __init__(self, state: ClusterState, *nodes: Node, now: float = 1_000.0) -> None:
        self.coordinator = Coordinator(state, TIMING)
        self.now = now
        self.starts: dict[int, Start] = {}
        self.where: dict[int, str] = {}
        self.ended: list[tuple[int, int]] = []
        self.nodes = nodes
        self.take(self.coordinator.nodes(nodes, now))

    @property
    def state(self) -> ClusterState:
        return self.coordinator.state

    def take(self, effects: list[Effect]) -> list[Effect]:
        assert not any(isinstance(effect, Save) for effect in effects[1:]), "what is durable comes first"
        for effect in effects:
            if isinstance(effect, Save):
                assert decode(encode(effect.state)) == self.state
            if isinstance(effect, StartShard):
                self.starts[effect.start.shard], self.where[effect.start.shard] = effect.start, effect.node
            if isinstance(effect, EndShard):
                self.ended.append((effect.shard, effect.epoch))
        return effects

    def wait(self, seconds: float, *, stop: bool = False) -> Any:
        """Let time go by, the driver being there, half a second at a time."""
        for _ in range(round(seconds * 2)):
            self.now += 0.5
            self.take(self.coordinator.tick(self.now))
            view, effects = self.coordinator.wish(Wish(stop=stop), self.now)
            self.take(effects)
        return view

    def report(self, shard: int, **fields: Any) -> Orders:
        start = self.starts[shard]
        given = {
            "opened": True,
            "epoch": start.epoch,
            "incarnation": start.incarnation,
            "node": self.where[shard],
            "credit": start.credit,
            "grant": start.grant,
        }
        report = Report(shard=shard, **(given | fields))
        orders, effects = self.coordinator.report(report, self.now)
        self.take(effects)
        return orders

    def keep(self, shard: int, number: int, pages: int, **fields: Any) -> bool:
        """Offer a checkpoint; return whether it counts."""
        start = self.starts[shard]
        made = Checkpoint(
            number, start.epoch, start.incarnation, f"{shard}-{number}", 1, (OutputTotal(".jsonl", number),), {}, pages
        )
        answer, effects = self.coordinator.offer(
            Offer(shard, fields.get("epoch", start.epoch), replace(made, **fields)), self.now
        )
        self.take(effects)
        return not answer.lost


def new(shards: int, max_pages: int | None = None, max_time_s: float | None = None) -> ClusterState:
    return opened(new_state("job", shards, 7, {}), max_pages=max_pages, max_time_s=max_time_s)


def test_a_new_job_starts_at_once_and_a_holder_has_its_lease_when_it_has_opened_its_folder():
    job = Driven(new(2), A, B)
    assert sorted(job.where.values()) == ["a", "b"]
    assert [(start.epoch, start.incarnation, start.own) for start in job.starts.values()] == [(1, 1, False)] * 2
    assert job.report(0, opened=False).lease_s == 0
    orders = job.report(0)
    assert (orders.do, orders.lease_s, orders.epochs) == ("run", 10.0, (1, 0))


def test_a_holder_that_is_silent_loses_its_shard_after_two_leases_and_its_checkpoints_count_no_more():
    job = Driven(new(1), A)
    job.report(0)
    assert job.keep(0, 1, 5)
    job.wait(20)
    assert not job.ended
    job.wait(3)
    assert job.ended[0] == (0, 1)
    assert (job.starts[0].epoch, job.starts[0].own, job.starts[0].incarnation) == (2, True, 1)
    assert not job.keep(0, 2, 9, epoch=1)
    assert job.report(0, epoch=1).do == "end"
    assert job.state.shards[0].kept_pages == 5


def test_a_machine_that_is_gone_is_not_waited_for_longer_than_its_lease_and_a_checkpoint_is_what_is_left():
    job = Driven(new(1), A, B)
    gone = job.where[0]
    job.report(0)
    job.keep(0, 1, 5)
    job.nodes = tuple(node for node in (A, B) if node.id != gone)
    job.take(job.coordinator.nodes(job.nodes, job.now))
    job.wait(10)
    assert job.where[0] == gone
    job.wait(2)
    start = job.starts[0]
    assert job.where[0] != gone
    assert (start.own, start.incarnation, start.checkpoint.pages) == (False, 2, 5)


def test_clocks_that_are_each_wrong_by_one_percent_give_no_shard_two_holders():
    job = Driven(new(1), A, B)
    since, passed = job.now, 0.0
    lease = Lease(TIMING.lease_s, lambda: passed * 0.99)
    lease.renew(lease.sending(), job.report(0))
    first, gone = job.starts[0], job.where[0]
    job.take(job.coordinator.nodes([node for node in (A, B) if node.id != gone], job.now))
    while job.starts[0] is first:
        passed += 0.01
        job.take(job.coordinator.tick(since + passed * 1.01))
    assert not lease.may_ask()
    assert passed < 11


def test_a_coordinator_that_slept_does_not_count_that_as_silence_of_others_and_proves_itself_first():
    job = Driven(new(1), A)
    job.report(0)
    job.wait(1)
    job.now += 300
    effects = job.take(job.coordinator.tick(job.now))
    assert isinstance(effects[0], Confirm)
    assert not job.ended
    assert job.state.ending == "running"
    assert job.report(0).do == "run"


def test_a_coordinator_in_the_place_of_one_that_was_killed_keeps_the_holders_and_waits_for_those_it_does_not_hear():
    job = Driven(new(2), A, B)
    for shard in (0, 1):
        job.report(shard)
    starts, where = job.starts, job.where
    job = Driven(job.state, A, B, now=5.0)
    job.starts, job.where = dict(starts), dict(where)
    assert job.report(0).lease_s == 10.0
    for _ in range(20):
        job.wait(1)
        assert job.report(0).lease_s == 10.0
    assert job.starts[1].epoch == 1
    job.wait(2)
    assert (job.starts[0].epoch, job.starts[1].epoch) == (1, 2)


def test_a_run_after_one_that_was_cut_off_goes_on_at_once_where_the_folders_are():
    job = Driven(new(2), A, B)
    for shard in (0, 1):
        job.report(shard)
        job.keep(shard, 1, 3)
    home = dict(job.where)
    cut_off = job.state
    job = Driven(opened(cut_off, max_pages=None, max_time_s=None), A, B)
    assert job.where == home
    assert [(start.epoch, start.own) for start in job.starts.values()] == [(2, True)] * 2
    assert job.report(0).lease_s == 10.0  # it has the lock, so whoever had the lease has ended
    other = Driven(opened(cut_off, max_pages=None, max_time_s=None), Node("c", 4, "disk-c"))
    assert not other.starts
    assert "cut off" in other.wait(20).waits
    other.wait(2)
    assert [start.own for start in other.starts.values()] == [False, False]


def test_a_folder_that_is_lost_is_made_from_the_checkpoint_and_one_that_stays_locked_is_given_up():
    job = Driven(new(1), A)
    job.report(0)
    job.keep(0, 1, 3)
    job.take(job.coordinator.died(0, 1, job.now))
    job.wait(2)
    assert job.starts[0].own
    assert job.report(0, opened=False, could_not=LOST).do == "end"
    job.wait(5)
    assert (job.starts[0].own, job.starts[0].incarnation, job.starts[0].checkpoint.number) == (False, 2, 1)
    job.report(0)
    job.take(job.coordinator.died(0, job.starts[0].epoch, job.now))
    job.take(job.coordinator.nodes([A, B], job.now))
    for _ in range(3):
        job.wait(20)
        assert job.starts[0].own
        job.report(0, opened=False, could_not=LOCKED)
    job.wait(20)
    assert (job.starts[0].own, job.where[0]) == (False, "b")


def test_an_error_of_a_shard_ends_the_crawl_with_its_words_and_so_does_a_shard_that_ends_again_and_again():
    job = Driven(new(2), A)
    for shard in (0, 1):
        job.report(shard)
    assert job.report(1, could_not="spider.py has no function parse").do == "end"
    assert job.report(0).do == "release"
    assert job.report(0, released=True).do == "end"
    view = job.wait(12)
    assert view.ended == "interrupted"
    assert view.error == "shard 1 on first: spider.py has no function parse"
    job = Driven(new(1), A)
    for _ in range(10):
        job.report(0)
        job.take(job.coordinator.died(0, job.starts[0].epoch, job.now))
        job.wait(70)
    assert "lost 10 times in a row" in job.state.error
    assert job.state.is_over


def test_a_machine_that_comes_gets_shards_when_it_has_stayed_and_they_go_there_whole():
    job = Driven(new(4), A)
    for shard in range(4):
        job.report(shard)
    job.take(job.coordinator.nodes([A, B], job.now))

    def work() -> list[Orders]:
        job.wait(2)
        return [job.report(shard) for shard in range(4)]

    for _ in range(4):
        assert {orders.do for orders in work()} == {"run"}
    moved = 0
    for _ in range(12):
        for shard, orders in enumerate(work()):
            if orders.do == "release":
                assert orders.why == "interrupted"
                assert job.keep(shard, 1, 5)
                job.report(shard, released=True, published=1)
                moved += 1
                assert (job.starts[shard].own, job.starts[shard].incarnation, job.where[shard]) == (False, 2, "b")
                assert job.starts[shard].checkpoint.pages == 5
                job.report(shard)
    assert moved == 2
    assert sorted(job.where.values()) == ["a", "a", "b", "b"]


@pytest.mark.parametrize(("stop", "why"), [(True, "interrupted"), (False, "max-time")])
def test_a_run_is_over_when_all_have_given_their_shards_back(stop: bool, why: str):
    job = Driven(new(2, max_time_s=5), A)
    for shard in (0, 1):
        job.report(shard)
    job.wait(4 if stop else 6, stop=stop)
    for shard in (0, 1):
        orders = job.report(shard)
        assert (orders.do, orders.why) == ("release", why)
        job.keep(shard, 1, 5)
    job.report(0, released=True, published=1)
    assert job.wait(1).ended == "running"
    job.report(1, released=True, published=1)
    assert job.wait(1).ended == why
    assert all(shard.closed and shard.public == (OutputTotal(".jsonl", 1),) for shard in job.state.shards)


def test_without_a_driver_for_a_minute_the_crawl_stops():
    job = Driven(new(1), A)
    for second in range(70):
        job.now += 1
        job.take(job.coordinator.tick(job.now))
        assert (job.report(0).do == "release") == (second >= 59), second


def test_second_looks_are_taken_by_all_at_once_and_the_crawl_ends_when_none_is_wanted():
    job = Driven(new(2), A)
    rounds, looks = [0, 0], [0, 0]
    seen: list[int] = []
    for _ in range(40):
        for shard in (0, 1):
            orders = job.report(
                shard,
                idle=True,
                why="done",
                round=rounds[shard],
                looks=looks[shard],
                wants_look=shard == 1 and looks[1] < 2,
            )
            rounds[shard] = orders.round
            if orders.look > looks[shard]:
                looks[shard] = orders.look
                seen.append(orders.look)
        job.wait(0.5)
    assert seen == [1, 1, 2, 2]
    assert job.state.ending == "done"


def test_a_crawl_that_ends_for_its_pages_goes_on_with_more_in_a_later_run():
    job = Driven(new(2, max_pages=4), A)
    pages, bound = [0, 0], [0, 0]
    grants, rounds = [-1, -1], [0, 0]
    for _ in range(60):
        for shard in (0, 1):
            orders = job.report(
                shard,
                pages=pages[shard],
                credit=bound[shard],
                grant=grants[shard],
                idle=pages[shard] == bound[shard],
                why="max-pages" if pages[shard] == bound[shard] else "running",
                round=rounds[shard],
            )
            rounds[shard] = orders.round
            if orders.grant > grants[shard]:
                bound[shard], grants[shard] = max(orders.credit or 0, pages[shard]), orders.grant
            pages[shard] = min(pages[shard] + 1, bound[shard])
            assert sum(bound) <= 4
        job.wait(0.5)
    assert sum(pages) == 4
    assert job.state.ending == "max-pages"
    for shard in (0, 1):
        job.keep(shard, 1, pages[shard])
        job.report(shard, released=True, published=1, pages=pages[shard])
    job.wait(1)
    assert job.state.ended == "max-pages"
    again = Driven(opened(job.state, max_pages=10, max_time_s=None), A)
    assert sum(start.credit or 0 for start in again.starts.values()) > 4
    assert all(start.own for start in again.starts.values())


def test_credit_that_is_asked_back_is_free_only_when_the_shard_says_to_how_many_pages_it_is_bound():
    job = Driven(new(2, max_pages=400), A)
    bound, grants, pages = [0, 0], [0, 0], [0, 0]

    def tell(shard: int, *, idle: bool = False) -> Orders:
        return job.report(
            shard,
            pages=pages[shard],
            credit=bound[shard],
            grant=grants[shard],
            idle=idle,
            why="max-pages" if idle else "running",
        )

    def obey(shard: int, orders: Orders, *, under_way: int = 0) -> None:
        bound[shard], grants[shard] = max(orders.credit or 0, pages[shard] + under_way), orders.grant

    for shard in (0, 1):
        start = job.starts[shard]
        bound[shard], grants[shard] = start.credit or 0, start.grant
    while bound[1] < 200:  # shard 1 takes what it is given, and so all that is left but the part of shard 0
        pages[1] = bound[1]
        obey(1, tell(1, idle=True))
    while (orders := tell(1, idle=True)).grant > grants[1]:
        obey(1, orders)
        pages[1] = bound[1]
    assert sum(bound) == 400
    less = tell(0)
    assert less.credit == bound[0] // 2
    for _ in range(3):
        assert tell(1, idle=True).grant == grants[1]  # nothing is free yet: shard 0 may be at work on all of it
    obey(0, less, under_way=70)
    assert bound[0] == 70
    tell(0)
    obey(1, tell(1, idle=True))
    assert 0 < bound[1] - pages[1] <= 400 - 70 - pages[1]
