"""How far a shard of a cluster job is."""

from msgspec import Struct

from crawler.core.shard import Mark
from crawler.core.stats import Ended

__all__ = ["Standing"]


class Standing(Struct, frozen=True, kw_only=True):
    """How far a shard is, at one moment of its ledger's thread.

    `resting`: nothing is to be done here until others send something, or credit comes. `why` says what is left then:
    `done`: nothing; `unreachable`: URLs of hosts that are given up; `max-pages`: URLs for which there is no credit.
    `idle`: it rests, all that it has sent is safe with those who took it, and all that it has is in a checkpoint.

    `pages` are those that it has brought, `credit` is to how many it is bound in all (None: no limit) by the grant
    `credit_number`. `sent` and `taken` count links, over all runs; `work` rises with each commit of this run that
    changed what is known. `unsafe`: there was one since the last checkpoint that was accepted. `outbox_bytes` are those
    of rows that are not safe with others. `wants_look` and `looks` are as the `Frontier` has them; `marks` say what was
    taken from whom.
    """

    resting: bool = False
    idle: bool = False
    why: Ended = "running"
    pages: int = 0
    credit: int | None = None
    credit_number: int = 0
    sent: int = 0
    taken: int = 0
    work: int = 0
    unsafe: bool = True
    outbox_bytes: int = 0
    wants_look: bool = False
    looks: int = 0
    marks: dict[int, Mark] = {}
