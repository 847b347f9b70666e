"""The manifest: what is public by a state, with the counts of single parts as they become known."""

import json

import msgspec

from crawler.core.shard import Mark
from crawler.shards.checkpoint import Checkpoint, Listing, OutputTotal, Part
from crawler.shards.manifest import Manifests, manifest_of
from crawler.shards.place import Place
from crawler.shards.state import ClusterState, ShardState


def with_parts(place: Place, number: int, parts: int) -> ShardState:
    """A shard whose checkpoint brings its last part, with as many records as its number."""
    new = Part(0, parts, ".jsonl.gz", "staged", parts, 10 * parts)
    place.write(f"checkpoints/000/listing-{number}", msgspec.json.encode(Listing((), (new,))))
    total = OutputTotal(".jsonl.gz", parts, sum(range(parts + 1)), 10 * sum(range(parts + 1)))
    checkpoint = Checkpoint(number, 1, 1, f"listing-{number}", 0, (total,), {1: Mark(1, 2)}, pages=9)
    return ShardState(epoch=1, checkpoint=checkpoint, published=number, public=(total,))


def state_of(number: int, *shards: ShardState, ended="running", **config) -> ClusterState:
    return ClusterState(number=number, job="j", shards=shards, hash_seed=1, ended=ended, config=config)


def read(place: Place) -> dict:
    return json.loads(place.read("manifest.json"))


def test_counts_of_parts_are_gathered_and_one_that_was_missed_follows_from_the_sum(tmp_path):
    place = Place(tmp_path)
    manifests = Manifests(place)
    empty = ShardState()
    manifests.look(state_of(1, with_parts(place, 1, 1), empty))
    assert [part["records"] for part in read(place)["outputs"][0]["parts"]] == [1]
    manifests.look(state_of(2, with_parts(place, 2, 2), empty))
    assert read(place)["state"] == 1, "each minute, not each second"
    # Another coordinator, which has missed the second part: it has what the others leave.
    manifests = Manifests(place)
    manifests.look(state_of(3, with_parts(place, 3, 3), empty, ended="done"))
    told = read(place)
    assert (told["state"], told["ended"], told["shards"], told["pages"]) == (3, "done", 2, 9)
    (output,) = told["outputs"]
    assert (output["folder"], output["records"], output["bytes"]) == ("records", 6, 60)
    assert [
        (part["path"], part["shard"], part["kind"], part["records"], part["bytes"]) for part in output["parts"]
    ] == [(f"records/part-000-0000{number}.jsonl.gz", 0, "jsonl.gz", number, 10 * number) for number in (1, 2, 3)]


def test_where_several_were_missed_nobody_says_what_each_has(tmp_path):
    place = Place(tmp_path)
    place.write("manifest.json", b"not one")
    Manifests(place).look(state_of(9, with_parts(place, 3, 3), ended="done"))
    assert [part.get("records") for part in read(place)["outputs"][0]["parts"]] == [None, None, 3]


def test_outputs_have_the_folders_that_were_named(tmp_path):
    two = (OutputTotal(".jsonl", 1, 1, 1), OutputTotal(".parquet", 1, 1, 1))
    state = state_of(1, ShardState(public=two), settings={"output": ["/data/a.jsonl", "s3://b/x.parquet"]})
    made = manifest_of(state, {}, now=0.0)
    assert [output.parts[0].path for output in made.outputs] == [
        "/data/a.jsonl/part-000-00001.jsonl",
        "s3://b/x.parquet/part-000-00001.parquet",
    ]
