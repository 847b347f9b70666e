"""Numbers of seeds are one thing to the shard that was given them, and another to all others."""

from crawler.core.shard import START, Mark, Shard


def test_a_seed_goes_abroad_and_comes_home():
    here, there, elsewhere = (Shard(number, 3) for number in range(3))
    abroad = here.abroad(7)
    assert there.at_home(abroad) == elsewhere.at_home(abroad) == abroad > 1 << 40
    assert here.at_home(abroad) == 7
    assert there.abroad(abroad) == abroad, "passed on, it keeps its number"
    assert (here.home(7), there.home(abroad), there.home(7)) == (0, 0, 1)


def test_rows_after_a_loss_come_after_all_before():
    assert START < Mark(0, 1) < Mark(0, 2) < Mark(1, 1) < Mark(1, 2)
