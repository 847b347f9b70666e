"""Shards spread over machines by their cores, stay where their folders are, and never go to and fro."""

import random

from crawler.shards.placing import Node, move, place


def test_shards_go_where_there_is_most_room_and_home_as_long_as_that_has_no_more_than_its_part():
    small, large = Node("a", 1, "disk-a"), Node("b", 3, "disk-b")
    assert place([small, large], {}, 4, None) == large
    assert place([small, large], {"b": 3}, 4, None) == small
    assert place([small, large], {}, 4, "disk-a") == small
    assert place([small, large], {"a": 1}, 4, "disk-a") == large
    assert place([small, large], {}, 4, "disk-b", avoid="disk-b") == small
    assert place([large], {}, 4, "disk-b", avoid="disk-b") == large
    assert place([], {}, 4, None) is None
    leaving = Node("a", 1, "disk-a", leaving=True)
    assert place([leaving, large], {}, 4, "disk-a") == large
    assert place([leaving], {}, 4, "disk-a") == leaving, "there is no other, and it is there still"


def test_a_shard_moves_only_to_a_machine_that_has_been_there_for_a_while_and_off_one_that_leaves():
    old, new = Node("a", 2, "a"), Node("b", 2, "b")
    held = {"a": [0, 1, 2, 3]}
    assert move([old, new], held, frozenset({"a"})) is None
    assert move([old, new], held, frozenset({"a", "b"})) == 3
    assert move([Node("a", 2, "a", leaving=True), new], {"a": [2, 3], "b": [0, 1]}, frozenset()) == 2
    assert move([Node("a", 2, "a", leaving=True)], {"a": [2, 3]}, frozenset()) is None


def test_moves_come_to_an_end_with_the_load_even():
    for seed in range(300):
        rng = random.Random(seed)
        nodes = [Node(f"n{n}", rng.choice([0.5, 1, 2, 8]), f"d{n}") for n in range(rng.randint(1, 6))]
        held: dict[str, list[int]] = {node.id: [] for node in nodes}
        shards = rng.randint(1, 40)
        for shard in range(shards):
            held[rng.choice(nodes).id].append(shard)
        for _ in range(shards * 2):
            shard = move(nodes, held, frozenset(held))
            if shard is None:
                break
            for there in held.values():
                if shard in there:
                    there.remove(shard)
            to = place(nodes, {node: len(there) for node, there in held.items()}, shards, None)
            assert to is not None
            held[to.id].append(shard)
        else:
            raise AssertionError(f"seed {seed}: shards go to and fro")
        loads = [node.load(len(held[node.id])) for node in nodes]
        one_more = [node.load(len(held[node.id]) + 1) for node in nodes]
        assert max(loads) <= min(one_more), f"seed {seed}: {held}"
