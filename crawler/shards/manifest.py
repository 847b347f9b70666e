"""What of a job of many shards is public, in one file for people and for readers of tables: `manifest.json`.

It follows from the state of the job, and counts for nothing in a crawl. Parts of a shard in an output have the numbers
from 1 on, so their names follow from how many there are. How many records and bytes one part has stands in the listing
of the checkpoint that brought it, which goes with the next one: so that is gathered as it comes.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from crawler.core.stats import Ended
from crawler.shards.checkpoint import Listing, part_name
from crawler.shards.place import Place
from crawler.shards.state import ClusterState

__all__ = ["MANIFEST", "Manifest", "Manifests", "PublicOutput", "PublicPart", "counts_in", "manifest_of"]

MANIFEST: Final = "manifest.json"
VERSION: Final = 1
"""Grows when a key changes its meaning or goes away."""
_EACH_S: Final = 60.0
_IN_THE_JOB: Final = "records"

Counts = tuple[int, int]
"""Records and bytes of a part."""
Spot = tuple[int, int, int]
"""Where a part stands: output, shard and number."""


class PublicPart(Struct, frozen=True, kw_only=True):
    """A file with records. `path` is relative to the job, or a path or URL as `--output` was.

    `kind` is its ending without the first dot: `jsonl`, `csv.gz`, `parquet`. `number` counts the parts of the `shard`
    in that output, from 1. `records` and `bytes` are None where nobody has put them down.
    """

    path: str
    shard: int
    number: int
    kind: str
    records: int | None = None
    bytes: int | None = None


class PublicOutput(Struct, frozen=True, kw_only=True):
    """One output: the `folder` of its parts, and what these hold together."""

    folder: str
    records: int
    bytes: int
    parts: tuple[PublicPart, ...]


class Manifest(Struct, frozen=True, kw_only=True):
    """What is public of a `job` by its `state`, a number. `written_at` is unix time.

    `pages` are those that its public records come of. `ended` says how the last run ended, "running" before that.
    """

    version: int = VERSION
    job: str
    state: int
    written_at: float
    ended: Ended
    shards: int
    pages: int
    outputs: tuple[PublicOutput, ...]


def _outputs(state: ClusterState) -> tuple[str, ...]:
    """Return the folders of the outputs of a job as a manifest names them: without passwords."""
    settings: Mapping[str, Any] = state.config.get("settings") or {}
    named = state.config.get("output") or settings.get("output")
    if not named:
        return (_IN_THE_JOB,)
    return (named,) if isinstance(named, str) else tuple(named)


def manifest_of(state: ClusterState, counts: Mapping[Spot, Counts], *, now: float) -> Manifest:
    """Make the manifest of a state. `counts` are those of single parts, by output, shard and number."""
    return Manifest(
        job=state.job,
        state=state.number,
        written_at=now,
        ended=state.ended,
        shards=len(state.shards),
        pages=sum(shard.kept_pages for shard in state.shards),
        outputs=tuple(_output(state, at, folder, counts) for at, folder in enumerate(_outputs(state))),
    )


class Manifests:
    """Writes the manifest of the job at `place` as its states come. One thread uses it; raises `StorageError`.

    State: the counts of all parts that are known, the state that was written last, and when.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._counts: dict[Spot, Counts] | None = None
        self._listed: dict[int, int] = {}
        self._written = -1
        self._written_at = 0.0

    def look(self, state: ClusterState) -> None:
        """Take the newest state, and write what is public by it: each minute, and when the crawl is over.

        It may be called again and again: what was written once is not written again.
        """
        if state.number == self._written:
            return
        if self._counts is None:
            self._counts = counts_in(self._place.read(MANIFEST))
        self._gather(state, self._counts)
        if state.is_over or time.time() - self._written_at >= _EACH_S:
            made = manifest_of(state, self._counts, now=time.time())
            self._place.write(MANIFEST, msgspec.json.format(msgspec.json.encode(made), indent=1) + b"\n")
            self._written, self._written_at = state.number, time.time()

    def _gather(self, state: ClusterState, counts: dict[Spot, Counts]) -> None:
        for number, shard in enumerate(state.shards):
            checkpoint = shard.checkpoint
            if checkpoint is None or self._listed.get(number) == checkpoint.number:
                continue
            content = self._place.read(f"checkpoints/{number:03}/{checkpoint.listing}")
            if content is not None:
                for part in msgspec.json.decode(content, type=Listing).parts:
                    counts[part.output, number, part.number] = part.records, part.bytes
            self._listed[number] = checkpoint.number


def _output(state: ClusterState, at: int, folder: str, counts: Mapping[Spot, Counts]) -> PublicOutput:
    totals = [shard.public[at] for shard in state.shards if len(shard.public) > at]
    return PublicOutput(
        folder=folder,
        records=sum(one.records for one in totals),
        bytes=sum(one.bytes for one in totals),
        parts=tuple(_parts(state, at, folder, counts)),
    )


def _parts(state: ClusterState, at: int, folder: str, counts: Mapping[Spot, Counts]) -> Iterator[PublicPart]:
    for shard, kept in enumerate(state.shards):
        for total in kept.public[at : at + 1]:
            known = [counts.get((at, shard, number)) for number in range(1, total.parts + 1)]
            for number, one in enumerate(_completed(known, (total.records, total.bytes)), start=1):
                yield PublicPart(
                    path=f"{folder.rstrip('/')}/{part_name(shard, number, total.ending)}",
                    shard=shard,
                    number=number,
                    kind=total.ending.removeprefix("."),
                    records=None if one is None else one[0],
                    bytes=None if one is None else one[1],
                )


def _completed(known: Sequence[Counts | None], total: Counts) -> Sequence[Counts | None]:
    """Return the counts of all parts: if one alone is not known, it has what the others leave."""
    if known.count(None) != 1:
        return known
    there = [one for one in known if one is not None]
    rest = total[0] - sum(one[0] for one in there), total[1] - sum(one[1] for one in there)
    return [rest if one is None else one for one in known]


def counts_in(content: bytes | None) -> dict[Spot, Counts]:
    """Return the counts that an earlier manifest has; none if it cannot be read."""
    try:
        made = msgspec.json.decode(content or b"", type=Manifest)
    except msgspec.MsgspecError:
        return {}
    return {
        (at, part.shard, part.number): (part.records, part.bytes)
        for at, output in enumerate(made.outputs)
        for part in output.parts
        if part.records is not None and part.bytes is not None
    }
