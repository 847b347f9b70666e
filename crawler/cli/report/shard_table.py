"""The shards of a cluster job as a table of text, below what is told of all of them. Pure."""

from collections.abc import Sequence
from typing import Final

from crawler.core.printable import printable
from crawler.core.quantity import count, count_of, duration, rate
from crawler.jobs.status import ShardStatus

__all__ = ["shard_table"]

_HEAD: Final = ("shard", "state", "node", "epoch", "pages", "due", "pages/s", "checkpoint", "public")
_NUMBERS: Final = frozenset({"shard", "epoch", "pages", "due", "pages/s"})
_LONGEST_NODE: Final = 20


def shard_table(shards: Sequence[ShardStatus], now: float, most: int) -> list[str]:
    """Return lines: a heading, and one for each shard, at most `most` in all; none without shards.

    Of more shards those with most URLs due are shown, and a line says how many are not.
    """
    if not shards:
        return []
    shown: Sequence[ShardStatus] = shards
    room = max(1, most - 1)
    if len(shards) > room:
        busiest = sorted(shards, key=lambda one: -one.queued)[: max(1, room - 1)]
        shown = sorted(busiest, key=lambda one: one.shard)
    rows = [_HEAD, *(_row(one, now) for one in shown)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(_HEAD))]
    lines = [
        " ".join(
            cell.rjust(wide) if name in _NUMBERS else cell.ljust(wide)
            for cell, wide, name in zip(row, widths, _HEAD, strict=True)
        ).rstrip()
        for row in rows
    ]
    left = len(shards) - len(shown)
    return [*lines, *([f"and {count_of(left, 'shard')} with fewer URLs due"] if left else [])]


def _row(one: ShardStatus, now: float) -> tuple[str, ...]:
    when = "" if one.checkpoint_at is None else f", {_age(now - one.checkpoint_at)} ago"
    return (
        str(one.shard),
        one.state,
        printable(one.node)[:_LONGEST_NODE] or "-",
        str(one.epoch),
        count(one.pages),
        count(one.queued),
        rate(one.pages_per_s),
        f"{count(one.checkpoint)}{when}" if one.checkpoint else "none yet",
        f"{count_of(one.records, 'record')}, {count_of(one.parts, 'part')}",
    )


def _age(seconds: float) -> str:
    """Return about how long ago something was, in one unit."""
    return " ".join(duration(seconds).split(" ")[:2])
