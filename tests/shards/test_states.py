"""The last numbered state is the truth, and of two coordinators one gets the next number."""

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from crawler.core.errors import ReplacedError, StorageError
from crawler.shards.place import Place
from crawler.shards.states import States


def state(number: int) -> bytes:
    return b'{"of":%d}' % number


def test_the_last_state_is_found_and_a_few_are_kept(address):
    place = Place(address).at("states")
    states = States(place, kept=3)
    assert states.latest() is None
    for number in range(1, 8):
        states.put(number, state(number))
    assert States(place).latest() == (7, state(7))
    assert place.names() == [f"{number:010}.json" for number in (5, 6, 7)]
    assert json.loads(place.read("0000000007.json"))["state"] == {"of": 7}


def race(place: Place, others: Place) -> None:
    """Have two coordinators go on from one state, for three numbers: each time one gets it, and the other learns it."""
    for number in range(1, 4):
        both = States(place), States(others)
        start = threading.Barrier(2)

        def put(states: States, number: int = number, start: threading.Barrier = start) -> bool:
            start.wait()
            try:
                states.put(number, state(number))  # the same state
            except ReplacedError:
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            assert sum(pool.map(put, both)) == 1
    assert States(place).latest() == (3, state(3))


def test_of_coordinators_that_race_for_a_number_one_gets_it_and_the_other_learns_it(tmp_path):
    for number in range(20):
        race(Place(tmp_path / str(number)), Place(tmp_path / str(number)))


def test_so_it_is_in_s3(s3):
    race(Place(s3).at("states"), Place(s3).at("states"))


def test_one_that_slept_while_its_next_number_was_written_and_removed_learns_it(address):
    place = Place(address).at("states")
    sleeper, other = States(place, kept=2), States(place, kept=2)
    sleeper.put(1, state(1))
    for number in range(2, 9):
        other.put(number, state(number))
    assert "0000000002.json" not in place.names()
    with pytest.raises(ReplacedError, match="another process has written state 2, or a later one"):
        sleeper.put(2, state(2))
    assert States(place).latest() == (8, state(8))
    other.put(9, state(9))
    assert place.names() == ["0000000008.json", "0000000009.json"]


def test_a_state_that_was_written_without_an_answer_is_put_again_as_its_own(address):
    place = Place(address).at("states")
    states = States(place)
    states.put(1, state(1))
    states.put(1, state(1))
    with pytest.raises(ReplacedError):
        States(place).put(1, state(1))


def test_what_a_killed_writer_left_is_no_state_and_goes(tmp_path, monkeypatch):
    place = Place(tmp_path)
    link = os.link

    def die(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "link", die)
    monkeypatch.setattr("pathlib.Path.unlink", lambda *_, **__: None)
    with pytest.raises(KeyboardInterrupt):
        States(place).put(1, state(1))
    monkeypatch.undo()
    assert os.link is link
    assert len(place.names()) == 1
    states = States(place, kept=1)
    assert states.latest() is None
    states.put(1, state(1))
    states.put(2, state(2))
    assert place.names() == ["0000000002.json"]


def test_a_damaged_state_is_told(tmp_path):
    (tmp_path / "0000000004.json").write_bytes(b'{"writer": "a", "number": 4, "sta')
    with pytest.raises(StorageError, match=r"0000000004\.json is damaged"):
        States(Place(tmp_path)).latest()
