"""What a shard sends to another one: once, in order, with all that the receiver needs, and kept until it is safe."""

import msgspec
import pytest

from crawler.core.config import CrawlConfig
from crawler.core.errors import JobError
from crawler.core.model import Done, Link, Seed
from crawler.core.shard import START, Mark, Parcel, Shard
from crawler.frontier import outbox
from crawler.frontier.frontier import Frontier
from crawler.frontier.store import Store
from crawler.web.shards import owner

HOSTS = {
    number: next(f"http://s{n}.test" for n in range(99) if owner(f"http://s{n}.test/", 2) == number)
    for number in (0, 1)
}
HERE, THERE = HOSTS[0], HOSTS[1]


class Side:
    """One shard of two: a store on the disk, and the frontier over it."""

    def __init__(self, path, number, incarnation=0, folder="", **settings):
        self.path = path
        self.number = number
        self.store = Store(path / (folder or str(number)), hash_seed=7, incarnation=incarnation)
        self.frontier = Frontier(self.store, CrawlConfig(job=path, scope="any", **settings), Shard(number, 2))

    def commit(self):
        self.frontier.save()
        self.store.commit()
        self.frontier.committed()

    def fetch(self, url, *links, **how):
        """End the task of a URL with these links."""
        key = self.store.keys.url(url, "page")
        how = {"outcome": "fetched", "status": 200, "records": b"{}\n"} | how
        done = Done(key, links=tuple(link if isinstance(link, Link) else Link(link) for link in links), **how)
        self.frontier.finish([done], 1000.0)

    def due(self):
        self.commit()
        return {task.url: task for task in self.frontier.refill(1000.0)[0]}

    def waiting(self, after=START, most=99):
        return self.frontier.outbox.waiting(1 - self.number, after, most)


@pytest.fixture
def sides(tmp_path):
    one, two = Side(tmp_path, 0), Side(tmp_path, 1)
    one.frontier.add_seed(1, Seed(f"{HERE}/", {"name": "one"}))
    assert list(one.due()) == [f"{HERE}/"]
    yield one, two
    one.store.close()
    two.store.close()


def test_a_link_is_due_with_its_owner_and_nowhere_else(sides):
    one, two = sides
    one.fetch(f"{HERE}/", f"{THERE}/a", f"{HERE}/b")
    assert list(one.due()) == [f"{HERE}/b"]
    assert one.frontier.counters.known == 2
    (parcel,) = one.waiting()
    assert two.frontier.receive(parcel, 1000.0)
    task = two.due()[f"{THERE}/a"]
    assert (task.depth, task.far, task.parent) == (1, 1, f"{HERE}/")
    assert (task.seed.extra, task.seed.anchors) == (b'{"name":"one"}', (f"{HERE}/",))
    assert two.store.last_seed == 0, "the seed of another shard is none of its own"
    two.fetch(f"{THERE}/a")
    two.commit()
    (row,) = [row for _, row in two.store.all_urls()]
    assert row.parent_url == f"{HERE}/", "its own row is elsewhere"


def test_what_was_told_is_told_again_for_a_better_way_alone(sides):
    one, _ = sides
    one.fetch(f"{HERE}/", Link(f"{THERE}/a", skip="nofollow"), f"{HERE}/b", f"{HERE}/c")
    one.due()
    one.fetch(f"{HERE}/b", Link(f"{THERE}/a", skip="nofollow"), Link(f"{THERE}/a", skip="trap"))
    one.commit()
    assert one.frontier.counters.sent == 1
    one.fetch(f"{HERE}/c", f"{THERE}/a", f"{THERE}/a")
    one.commit()
    assert one.frontier.counters.sent == 2
    assert [parcel.after for parcel in one.waiting()] == [START, Mark(0, 1)]


def test_a_parcel_is_taken_once_and_in_order(sides):
    one, two = sides
    one.fetch(f"{HERE}/", f"{THERE}/a", f"{HERE}/b")
    one.due()
    one.fetch(f"{HERE}/b", f"{THERE}/b")
    one.commit()
    first, second = one.waiting()
    assert not two.frontier.receive(second, 1000.0)
    assert two.frontier.marks == {}
    assert two.frontier.receive(first, 1000.0)
    assert two.frontier.receive(first, 1000.0)
    assert two.frontier.receive(second, 1000.0)
    assert two.frontier.marks == {}, "not committed yet"
    two.commit()
    assert two.frontier.marks == {0: second.mark}
    assert two.frontier.counters.received == 2


def test_rows_stay_until_they_are_safe_and_go_on_in_a_new_incarnation(sides, tmp_path):
    one, _ = sides
    one.fetch(f"{HERE}/", f"{THERE}/a", f"{HERE}/b")
    one.due()
    one.fetch(f"{HERE}/b", f"{THERE}/b")
    one.commit()
    box = one.frontier.outbox
    assert (box.destinations(), len(one.waiting()), box.is_empty) == ([1], 2, False)
    box.forget(1, Mark(0, 1))
    one.commit()
    size = box.size_bytes
    one.store.close()
    one = Side(tmp_path, 0, incarnation=3)
    sides[0].store = one.store
    box = one.frontier.outbox
    assert box.size_bytes == size > 0
    assert [parcel.mark for parcel in one.waiting()] == [Mark(0, 2)]
    one.due()
    one.frontier.add_seed(2, Seed(f"{THERE}/seed", {}))
    one.commit()
    assert [(parcel.mark, parcel.after) for parcel in one.waiting()][1:] == [(Mark(3, 3), Mark(0, 2))]
    box.forget(1, Mark(3, 3))
    assert (box.size_bytes, box.is_empty, box.destinations()) == (0, True, [])


def test_a_row_has_so_many_links_at_most(sides, monkeypatch):
    monkeypatch.setattr(outbox, "MOST_LINKS", 10)
    one, two = sides
    one.fetch(f"{HERE}/", *(f"{THERE}/{number}" for number in range(25)))
    one.commit()
    parcels = one.waiting()
    assert len(parcels) == 3
    assert one.waiting(parcels[0].mark, 1) == [parcels[1]]
    assert all(two.frontier.receive(parcel, 1000.0) for parcel in parcels)
    assert len(two.due()) == 25


def test_a_redirect_takes_its_statuses_and_its_place_along(sides):
    one, two = sides
    one.fetch(f"{HERE}/", f"{THERE}/x", outcome="redirected", status=301, records=None)
    one.commit()
    for parcel in one.waiting():
        assert two.frontier.receive(parcel, 1000.0)
    task = two.due()[f"{THERE}/x"]
    assert (task.depth, task.parent, task.redirected_from) == (0, None, (f"{HERE}/",))
    assert task.seed.anchors == (f"{HERE}/", f"{THERE}/x")
    two.fetch(f"{THERE}/x", f"{HERE}/y", outcome="redirected", status=302, records=None)
    two.commit()
    for parcel in two.waiting():
        assert one.frontier.receive(parcel, 1000.0)
    task = one.due()[f"{HERE}/y"]
    assert task.seed.number == 1, "it is at home again"
    assert task.seed.anchors == (f"{HERE}/", f"{THERE}/x", f"{HERE}/y")


def test_the_home_of_a_seed_learns_where_it_led_in_other_shards(sides):
    one, two = sides
    one.fetch(f"{HERE}/", f"{THERE}/x", outcome="redirected", status=301, records=None)
    one.commit()
    assert two.frontier.receive(one.waiting()[0], 1000.0)
    two.due()
    two.fetch(f"{THERE}/x", f"{THERE}/y", outcome="redirected", status=301, records=None)
    two.commit()
    (parcel,) = two.waiting()
    assert one.frontier.receive(parcel, 1000.0)
    one.commit()
    assert one.store.seed(1).anchors == (f"{HERE}/", f"{THERE}/x", f"{THERE}/y")


def test_what_a_lost_disk_had_sent_hides_nothing_of_what_is_sent_after_it(sides):
    one, two = sides
    one.fetch(f"{HERE}/", f"{HERE}/b")
    one.due()
    one.fetch(f"{HERE}/b", f"{THERE}/before")
    one.commit()
    assert two.frontier.receive(one.waiting()[0], 1000.0)
    two.commit()
    again = Side(one.path, 0, incarnation=1, folder="again")
    again.frontier.add_seed(1, Seed(f"{HERE}/", {}))
    again.due()
    again.fetch(f"{HERE}/", f"{THERE}/after")
    again.commit()
    (parcel,) = again.waiting()
    assert (parcel.mark, parcel.after) == (Mark(1, 1), START)
    assert two.frontier.receive(parcel, 1000.0)
    assert f"{THERE}/after" in two.due()
    again.store.close()


def test_statuses_of_redirects_in_other_shards_are_known_where_a_record_asks_for_them(tmp_path):
    one, two = Side(tmp_path, 0, fields=("url", "redirects")), Side(tmp_path, 1, fields=("url", "redirects"))
    one.frontier.add_seed(1, Seed(f"{HERE}/", {}))
    one.due()
    one.fetch(f"{HERE}/", f"{THERE}/x", outcome="redirected", status=307, records=None)
    one.commit()
    assert two.frontier.receive(one.waiting()[0], 1000.0)
    assert two.due()[f"{THERE}/x"].hop_statuses == (307,)
    one.store.close()
    two.store.close()


def test_pages_are_brought_up_to_what_is_allowed(tmp_path):
    one = Side(tmp_path, 0, max_pages=100)
    for number in range(5):
        one.frontier.add_seed(number + 1, Seed(f"{HERE}/{number}", {}))
    assert one.due() == {}
    assert one.frontier.allow(2) == 2
    first = list(one.due())
    assert len(first) == 2
    assert one.frontier.allow(0) == 2, "what is handed out may become a page"
    one.fetch(first[0])
    assert one.due() == {}
    one.fetch(first[1], outcome="failed", records=None, status=0)
    assert one.frontier.allow(0) == 1
    assert one.due() == {}
    assert one.frontier.allow(3) == 3
    assert len(one.due()) == 2
    assert one.frontier.allow(None) is None
    assert len(one.due()) == 1
    one.store.close()


def test_a_shard_looks_when_that_is_called_and_takes_no_letters_of_a_later_look(tmp_path):
    one, two = Side(tmp_path, 0, depth=0), Side(tmp_path, 1, depth=0)
    one.frontier.add_seed(1, Seed(f"{HERE}/", {}))
    one.due()
    one.fetch(f"{HERE}/", f"{HERE}/too-far")
    one.commit()
    assert one.frontier.rests
    assert one.frontier.wants_look, "others are to know that it has left out something"
    one.frontier.refill(1000.0)
    assert one.frontier.looks == 0
    one.frontier.look(1)
    assert not one.frontier.rests
    one.frontier.refill(1000.0)
    one.commit()
    (parcel,) = one.waiting()
    assert one.frontier.looks == 1
    assert not two.frontier.receive(parcel, 1000.0)
    two.frontier.look(1)
    two.due()
    assert two.frontier.receive(parcel, 1000.0)
    one.store.close()
    two.store.close()


def test_a_store_keeps_the_number_of_its_keys(tmp_path):
    Store(tmp_path / "store", hash_seed=7).close()
    with Store(tmp_path / "store") as store:
        assert store.keys.seed == 7
    with pytest.raises(JobError, match="of another job"):
        Store(tmp_path / "store", hash_seed=8)


def test_a_parcel_travels_as_msgpack(sides):
    one, two = sides
    one.fetch(f"{HERE}/", f"{THERE}/a")
    one.commit()
    raw = msgspec.msgpack.encode(one.waiting())
    (parcel,) = msgspec.msgpack.decode(raw, type=list[Parcel])
    assert parcel == one.waiting()[0]
    assert two.frontier.receive(parcel, 1000.0)
