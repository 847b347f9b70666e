"""What a cluster and the ledger of a shard tell each other: bounded, after the commit, no answer is owed for ever."""

import pytest

from crawler.core.config import CrawlConfig
from crawler.core.errors import RingEndedError, StorageError
from crawler.core.model import Done, Link, Seed
from crawler.core.shard import START, Mark, Parcel, Shard
from crawler.frontier.frontier import Frontier
from crawler.frontier.store import Store
from crawler.ledger import exchange as module
from crawler.ledger.account import Grant
from crawler.ledger.begun import begin_shard, note_drained
from crawler.ledger.exchange import Exchange
from crawler.web.shards import owner

HERE, THERE = (next(f"http://s{n}.test" for n in range(99) if owner(f"http://s{n}.test/", 2) == of) for of in (0, 1))


class Side:
    """One shard of two without a ring: the test plays the ledger's thread."""

    def __init__(self, path, number, **settings):
        self.store = Store(path / str(number), hash_seed=7, incarnation=1)
        self.frontier = Frontier(self.store, CrawlConfig(job=path, scope="any", **settings), Shard(number, 2))
        grant = Grant(None if "max_pages" not in settings else 2, 3)
        self.exchange = Exchange(self.frontier, self.frontier.outbox, epoch=9, safe={}, grant=grant)

    def commit(self):
        self.frontier.save()
        self.store.commit()
        self.frontier.committed()
        self.exchange.committed(changed=True)

    def fetch(self, url, *links):
        key = self.store.keys.url(url, "page")
        done = Done(key, "fetched", status=200, records=b"{}\n", links=tuple(map(Link, links)))
        self.frontier.finish([done], 1000.0)

    def due(self):
        self.commit()
        return [task.url for task in self.frontier.refill(1000.0)[0]]

    def answered(self, future):
        self.exchange.serve(1000.0)
        return future.result(0)


@pytest.fixture
def sides(tmp_path):
    one, two = Side(tmp_path, 0), Side(tmp_path, 1)
    one.frontier.add_seed(1, Seed(f"{HERE}/", {}))
    one.due()
    yield one, two
    one.store.close()
    two.store.close()


def parcels_of(one, number):
    """Rows of the outbox, one for each commit."""
    one.fetch(f"{HERE}/", *(f"{HERE}/{at}" for at in range(number)))
    for url in one.due():
        one.fetch(url, f"{THERE}{url.removeprefix(HERE)}")
        one.commit()
    return one.answered(one.exchange.waiting(1, most=number))


def test_a_parcel_is_told_after_the_commit_that_has_it(sides):
    one, two = sides
    told = []
    one.exchange.on_news = told.append
    (parcel,) = parcels_of(one, 1)
    assert told == [frozenset({1})]
    taken = two.exchange.post(parcel)
    two.exchange.serve(1000.0)
    assert not taken.done()
    two.commit()
    receipt = taken.result(0)
    assert (receipt.taken, receipt.safe, receipt.epoch) == (parcel.mark, START, 9)
    again = two.exchange.post(parcel)
    assert two.answered(again).taken == parcel.mark, "what was taken before is told at once"
    assert two.answered(two.exchange.ask(0)).taken == parcel.mark


def test_what_no_checkpoint_has_is_kept_by_its_sender(sides, tmp_path):
    one, two = sides
    (parcel,) = parcels_of(one, 1)
    two.exchange.post(parcel)
    two.exchange.serve(1000.0)
    two.commit()
    cut = two.exchange.checkpoint(tmp_path / "cut")
    assert two.exchange.wants_cut
    two.exchange.cut(two.store, [])
    marks = cut.result(0).marks
    assert marks == {0: parcel.mark}
    one.exchange.receipt(1, two.answered(two.exchange.ask(0)))
    one.exchange.serve(1000.0)
    assert len(one.frontier.outbox.waiting(1, START, 9)) == 1
    two.exchange.safe(marks)
    receipt = two.answered(two.exchange.ask(0))
    assert receipt.safe == parcel.mark
    one.exchange.receipt(1, receipt)
    one.exchange.serve(1000.0)
    assert one.frontier.outbox.is_empty


def test_parcels_that_find_no_room_or_come_too_early_are_to_be_sent_again(sides, monkeypatch):
    one, two = sides
    parcels = parcels_of(one, 8)
    assert len(parcels) == 8
    early = two.exchange.post(parcels[3])
    assert two.answered(early).taken == START
    monkeypatch.setattr(module, "PARCELS_BYTES", 2 * len(parcels[0].links) + 10)
    posted = [two.exchange.post(parcel) for parcel in parcels]
    two.exchange.serve(1000.0)
    refused = [one.result(0) for one in posted if one.done()]
    assert len(refused) == 6, "two have room, however many come"
    assert {receipt.taken for receipt in refused} == {START}
    two.commit()
    assert max(one.result(0).taken for one in posted) == parcels[1].mark
    for parcel in parcels[2:]:
        again = two.exchange.post(parcel)
        two.exchange.serve(1000.0)
        two.commit()
        assert again.result(0).taken == parcel.mark
    assert two.frontier.counters.received == 8


def test_a_shard_that_rested_says_at_once_that_it_does_not(sides):
    """Whoever ends a crawl goes by it: a parcel may be told as taken only when it is known to be worked on."""
    one, two = sides
    (parcel,) = parcels_of(one, 1)
    two.exchange.stand(lambda: "done")
    assert two.exchange.standing.resting
    two.exchange.post(parcel)
    two.exchange.serve(1000.0)
    two.exchange.stand(lambda: "done")
    assert not two.exchange.standing.resting


def test_a_large_parcel_has_room_when_no_other_waits(sides, monkeypatch):
    one, two = sides
    monkeypatch.setattr(module, "PARCELS_BYTES", 1)
    (parcel,) = parcels_of(one, 1)
    taken = two.exchange.post(parcel)
    two.exchange.serve(1000.0)
    two.commit()
    assert taken.result(0).taken == parcel.mark


def test_a_grant_binds_to_no_less_than_what_is_handed_out_and_an_old_one_is_ignored(tmp_path):
    one = Side(tmp_path, 0, max_pages=100)
    for number in range(5):
        one.frontier.add_seed(number + 1, Seed(f"{HERE}/{number}", {}))
    assert len(one.due()) == 2
    for pages, number, bound in ((1, 4, 2), (50, 4, 2), (50, 3, 2), (4, 5, 4)):
        one.exchange.allow(pages, number)
        one.exchange.serve(1000.0)
        one.exchange._stood_at = float("-inf")
        one.exchange.stand(lambda: None)
        assert (one.exchange.standing.credit, one.exchange.standing.credit_number) == (bound, max(4, number))
    for number in range(2):
        one.fetch(f"{HERE}/{number}")
    assert len(one.due()) == 2
    one.store.close()


def test_whoever_waits_when_the_ring_ends_is_told(sides, tmp_path):
    one, _ = sides
    open_ones = [
        one.exchange.ask(1),
        one.exchange.post(Parcel(1, Mark(1, 1), START, b"")),
        one.exchange.checkpoint(tmp_path / "a"),
        one.exchange.end("done", tmp_path / "b"),
    ]
    one.exchange.close()
    open_ones += [one.exchange.ask(1), one.exchange.checkpoint(tmp_path / "c"), one.exchange.end("done")]
    for future in open_ones:
        with pytest.raises(RingEndedError):
            future.result(0)


def test_what_breaks_the_ring_is_told_to_whom_it_answered(sides):
    one, two = sides
    (parcel,) = parcels_of(one, 1)
    taken = two.exchange.post(Parcel(0, parcel.mark, parcel.after, b"no letter"))
    with pytest.raises(Exception, match=r"."):
        two.exchange.serve(1000.0)
    two.exchange.close()
    with pytest.raises(RingEndedError):
        taken.result(0)


def test_a_disk_that_refuses_a_checkpoint_does_not_end_the_ring(sides, tmp_path):
    one, _ = sides
    (tmp_path / "there").mkdir()
    refused = one.exchange.checkpoint(tmp_path / "there")
    one.exchange.cut(one.store, [])
    with pytest.raises(StorageError):
        refused.result(0)
    assert one.answered(one.exchange.ask(1)).taken == START


def test_the_last_commit_can_be_a_checkpoint_and_the_first_call_counts(sides, tmp_path):
    one, _ = sides
    done = one.exchange.end("max-pages", tmp_path / "last")
    assert one.exchange.end("interrupted") is done
    assert (one.exchange.ends_as, one.exchange.ends_sealed) == ("max-pages", True)
    one.exchange.cut(one.store, [], last=True)
    assert done.result(0).folder == tmp_path / "last"
    with Store(tmp_path / "last", read_only=True) as kept:
        assert kept.counters.known == 1


def test_clocks_are_exact_unless_the_store_comes_from_a_checkpoint_of_a_run_that_went_on(tmp_path):
    def begun(incarnation, name="state", *, drained=False):
        with Store(tmp_path / name, hash_seed=7, incarnation=incarnation) as store:
            begun = begin_shard(store)
            if drained:
                note_drained(store)
                store.commit()
        return begun.exact_from

    assert begun(1) == 0
    assert begun(1) == 0, "its own disk"
    assert begun(2) == 2, "a checkpoint"
    assert begun(2, drained=True) == 2
    assert begun(3) == 2, "the last checkpoint of a run that drained"
    assert begun(4) == 4
    assert begun(3, "new") == 3, "nothing is left of what went before"
