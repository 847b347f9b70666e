"""What people want of a job of many shards: dealt out to those that it concerns, and waited for."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import BinaryIO, Final

from crawler.core.errors import UrlError, UsageError
from crawler.core.model import Seed
from crawler.frontier.reopening import Retried
from crawler.frontier.seed_lines import OnBad
from crawler.frontier.seeds import read_seeds
from crawler.jobs.changes import Patience, seed_line
from crawler.ledger.inbox import Answer, Order
from crawler.shards.orders import OrderBox
from crawler.shards.place import Place
from crawler.web.shards import Owners

__all__ = ["concerned", "give", "give_seeds", "waited"]

_MOST_LINES: Final = 50_000
"""Seeds of one file."""
_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 1.0


def give_seeds(
    place: Place, of: int, sources: Sequence[str], *, stdin: BinaryIO | None, on_bad: OnBad
) -> list[tuple[OrderBox, str]]:
    """Deal seeds out to the shards that own them; return the files that were put there."""
    owners = Owners(of)
    lines: dict[int, list[bytes]] = {}
    put: list[tuple[OrderBox, str]] = []

    def send(shard: int) -> None:
        orders = OrderBox(place, shard)
        put.append((orders, orders.put_seeds(lines.pop(shard))))

    for seed in read_seeds(sources, on_bad, stdin):
        shard = _owner(owners, seed)
        of_shard = lines.setdefault(shard, [])
        of_shard.append(seed_line(seed))
        if len(of_shard) >= _MOST_LINES:
            send(shard)
    for shard in sorted(lines):
        send(shard)
    return put


def give(place: Place, shards: Iterable[int | None], order: Order) -> list[tuple[OrderBox, str]]:
    """Give an order to some shards; None stands for the whole crawl. Return the files that were put there."""
    return [(orders, orders.put_order(order)) for orders in (OrderBox(place, shard) for shard in shards)]


def concerned(which: Retried, of: int) -> Mapping[int, Retried]:
    """Return the shards that a retry concerns, with what it asks of each: owners of what it names, else all."""
    owners = Owners(of)
    if which.urls:
        dealt: dict[int, list[str]] = {}
        for url in which.urls:
            dealt.setdefault(owners.owner(url), []).append(url)
        return {shard: _with_urls(which, urls) for shard, urls in dealt.items()}
    if which.host:
        return {owners.owner(f"http://{which.host}/"): which}
    return dict.fromkeys(range(of), which)


def waited(put: Sequence[tuple[OrderBox, str]], patience: Patience) -> Answer | None:
    """Wait until all files are answered, and return the sum; None if that was not waited for.

    Raises `UsageError` if one was refused.
    """
    began, pause_s = time.monotonic(), _FIRST_PAUSE_S
    left, found = list(put), Answer()
    while left:
        answers = [(one, one[0].answered(one[1])) for one in left]
        left = [one for one, answer in answers if answer is None]
        for _, answer in answers:
            if answer is not None:
                found = _sum(found, answer)
        if left:
            if not patience(time.monotonic() - began):
                return None
            time.sleep(pause_s)
            pause_s = min(1.5 * pause_s, _LONGEST_PAUSE_S)
    if found.refused:
        raise UsageError(found.refused)
    return found


def _owner(owners: Owners, seed: Seed) -> int:
    try:
        return owners.owner(seed.url)
    except UrlError:
        return 0


def _sum(one: Answer, other: Answer) -> Answer:
    return Answer(
        new=one.new + other.new,
        known=one.known + other.known,
        bad=one.bad + other.bad,
        due=one.due + other.due,
        refused=one.refused or other.refused,
    )


def _with_urls(which: Retried, urls: Sequence[str]) -> Retried:
    return Retried(which.outcome, which.kinds, which.host, tuple(urls))
