"""What a cluster gives to a ring that is one shard of its job. Nothing here knows of what carries it."""

from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from crawler.core.printable import printable
from crawler.core.shard import Mark, Shard
from crawler.frontier.frontier import Frontier
from crawler.frontier.storing import DAMAGED
from crawler.ledger.account import Grant
from crawler.ledger.exchange import Exchange

__all__ = ["Member", "advice_on_damage", "exchange_of"]


class Member(Struct, frozen=True, kw_only=True):
    """One shard of a cluster job, as its ring has to know it.

    `hash_seed` is the number in the keys of URLs, the same for all shards. `incarnation` rises each time the shard goes
    on from a checkpoint, and `epoch` with each lease; both come from the coordinator. `may_ask()` says from any thread
    whether the lease is held: no request begins without it. `joined(exchange)` is called in the event loop when the
    stages stand, before the first request.

    `credit` is how many pages the shard may bring in all (None: no limit) by the grant `credit_number`; the setting
    `max_pages` is for the whole job and is not looked at. `safe` are the marks, by sender, of the last checkpoint that
    was accepted.

    Such a ring may have no seeds. It does not end when nothing is left, nor by `max_time_s`: see `Exchange.end`.
    """

    shard: Shard
    hash_seed: int
    incarnation: int
    epoch: int
    may_ask: Callable[[], bool]
    joined: Callable[[Exchange], None]
    credit: int | None = None
    credit_number: int = 0
    safe: Mapping[int, Mark] = {}


def exchange_of(member: Member, frontier: Frontier) -> Exchange:
    """Make the face of a shard's ledger for its cluster. In the ledger's thread."""
    if frontier.outbox is None:
        raise RuntimeError("a frontier without a shard has no outbox")
    grant = Grant(member.credit, member.credit_number)
    return Exchange(frontier, frontier.outbox, epoch=member.epoch, safe=member.safe, grant=grant)


def advice_on_damage(member: Member | None, folder: Path) -> str:
    """Return what to do if the store of the job in a folder is damaged: a shard has more than is there."""
    if member is None:
        return DAMAGED
    return (
        f"if it is damaged, remove {printable(str(folder))} and run the same command again: "
        "this shard goes on from its last checkpoint"
    )
