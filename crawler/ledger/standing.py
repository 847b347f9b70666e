"""How far a shard of a cluster job is."""

from msgspec import Struct

from crawler.core.stats import Ended

__all__ = ["Standing"]


class Standing(Struct, frozen=True, kw_only=True):
    """How far a shard is, at one moment of its ledger's thread.

    `resting`: nothing is to be done here until others send something, or credit comes. `why` says what is left then:
    `done`: nothing; `unreachable`: URLs of hosts that are given up; `max-pages`: URLs for which there is no credit.
    `idle`: it rests, all that it has sent is safe with those who took it, and all that it has is in a checkpoint.

    `pages` are those that it has brought, `credit` is to how many it is bound in all (None: no limit) by the grant
    `credit_number`. `sent` and `taken` count links, over all runs. `unsafe`: a commit has changed what is known since
    the last checkpoint that was accepted. `outbox_bytes` are those of rows that are not safe with others. `wants_look`
    and `looks` are as the `Frontier` has them.
    """

    resting: bool
    idle: bool
    why: Ended
    pages: int
    credit: int | None
    credit_number: int
    sent: int
    taken: int
    unsafe: bool
    outbox_bytes: int
    wants_look: bool
    looks: int
