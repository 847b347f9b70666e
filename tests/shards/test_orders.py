"""Orders at the place of a job: taken by the holder of a shard, answered, and kept until a checkpoint holds them."""

import msgspec
import pytest

from crawler.core.steered import Change
from crawler.ledger.inbox import Answer, Inbox, Order
from crawler.shards.orders import OrderBox, TakenOver
from crawler.shards.place import Place


@pytest.fixture
def orders(tmp_path):
    return OrderBox(Place(tmp_path / "job"), 3)


def taken(inbox: Inbox, answer: Answer) -> list[str]:
    """Take what is in an inbox, as a ring does."""
    waiting, foreign = inbox.waiting()
    assert not foreign
    for one in waiting:
        inbox.finish(one.name, answer)
    return [one.name for one in waiting]


def test_an_order_is_taken_answered_and_kept_until_a_checkpoint_holds_it(tmp_path, orders):
    name = orders.put_seeds([b'{"url":"http://a.test/"}\n', b'{"url":"http://b.test/"}\n'])
    inbox = Inbox(tmp_path / "own")
    over = TakenOver(orders, inbox)
    over.look()
    with inbox.open(name) as file:
        assert len(file.readlines()) == 2
    assert orders.answered(name) is None
    assert taken(inbox, Answer(new=2)) == [name]
    over.look()
    assert orders.answered(name) == Answer(new=2)
    over.safe()  # of a checkpoint that was cut before it was taken
    assert orders.waiting()[0] == [name]
    over.cut()
    assert orders.waiting()[0] == [name], "the checkpoint does not count as yet"
    over.safe()
    assert orders.waiting() == ([], {name})
    over.look()
    assert taken(inbox, Answer()) == []


def test_what_no_checkpoint_holds_is_taken_again_by_the_next_holder(tmp_path, orders):
    name = orders.put_order(Order(change=Change("block", "a.test")))
    first = Inbox(tmp_path / "first")
    TakenOver(orders, first).look()
    assert taken(first, Answer()) == [name]
    after_a_loss = Inbox(tmp_path / "second")
    over = TakenOver(orders, after_a_loss)
    over.look()
    over.look()
    assert after_a_loss.order(name).change == Change("block", "a.test")
    assert taken(after_a_loss, Answer(refused="no")) == [name]
    over.look()
    assert orders.answered(name) == Answer(refused="no")


def test_a_holder_that_begins_again_leaves_a_file_that_is_being_taken(tmp_path, orders):
    name = orders.put_order(Order(change=Change("pause")))
    inbox = Inbox(tmp_path / "own")
    TakenOver(orders, inbox).look()
    (before,), _ = inbox.waiting()
    TakenOver(orders, inbox).look()
    assert inbox.waiting()[0] == [before], "the same file, whose mark counts"
    (inbox.path / f".{name}.tmp").write_bytes(b"half")  # of one that was killed
    inbox.take_back(name)
    TakenOver(orders, inbox).look()
    assert inbox.is_there(name)


def test_orders_to_the_whole_crawl_are_no_shards(tmp_path):
    place = Place(tmp_path / "job")
    whole = OrderBox(place, None)
    name = whole.put_order(Order(change=Change("stop")))
    assert whole.order(name).change == Change("stop")
    assert OrderBox(place, 0).waiting() == ([], set())
    whole.answer(name, Answer())
    whole.remove(name)
    assert whole.waiting() == ([], {name})
    with pytest.raises(msgspec.MsgspecError):
        whole.order(name)
