"""What a shard and the coordinator of its job say to each other."""

from typing import Literal

from msgspec import Struct

from crawler.core.stats import CrawlStats, Ended
from crawler.shards.checkpoint import Checkpoint

__all__ = ["LOCKED", "LOST", "Answer", "Do", "Offer", "Orders", "Report", "Start"]

LOST = "lost"
"""What a holder could not do: its own folder is not there, or not that of its incarnation."""

LOCKED = "locked"
"""What a holder could not do: another process has the lock of its folder."""

Do = Literal["run", "release", "end"]
"""Go on; drain, make the last checkpoint and give the shard back; or end at once, since the shard is another's."""


class Start(Struct, frozen=True, kw_only=True):
    """What a process is given that is to hold a shard.

    With `own` it goes on from its own folder, whose store must be of exactly this `incarnation`. Without, it makes the
    folder anew from `checkpoint`, an empty one if that is None, and gives the store this incarnation; whatever the
    folder holds besides is worthless. `checkpoint` is the last one accepted, in both cases. `credit` pages may the
    shard bring in all, None without a limit; `grant` numbers that. `lease_s` is how long a lease lasts. The process has
    none until its first report is answered with one.
    """

    shard: int
    of: int
    epoch: int
    incarnation: int
    hash_seed: int
    run: int
    own: bool
    checkpoint: Checkpoint | None
    credit: int | None
    grant: int
    lease_s: float


class Report(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a shard is: told each `Orders.next_s`, and at once when its holder has opened the folder, or is idle.

    `node` is where it runs. `opened`: this process has its folder open and locked, which is false while it restores.
    `could_not` says why it cannot go on: `LOST`, `LOCKED`, or words for people, which end the crawl. `released`: the
    last checkpoint is accepted, its parts are public, the folder is closed, and it asks nobody any more.

    `idle`: nothing is due, under way or owed, and all that is committed is in an accepted checkpoint; `why` says then
    why the shard would end: "done", "unreachable" or, with URLs left and no credit, "max-pages". `pages` are committed;
    `credit` and `grant` are the limit that it holds itself to and its number. `sent` and `taken` count what went to
    others, and all that came from outside. `wants_look` and `looks`: whether a second look may bring something, and the
    number of the last one taken. `published` is the number of the last checkpoint whose parts are public. `round` is
    that of the last orders this process had got before it looked at itself.
    """

    shard: int
    epoch: int
    incarnation: int
    node: str
    opened: bool = False
    could_not: str = ""
    released: bool = False
    idle: bool = False
    why: Ended = "running"
    pages: int = 0
    credit: int | None = None
    grant: int = 0
    sent: int = 0
    taken: int = 0
    wants_look: bool = False
    looks: int = 0
    published: int = 0
    round: int = 0
    stats: CrawlStats | None = None


class Orders(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer to a report.

    `why` says for a release what the run of the shard ends as. `lease_s` counts from the moment the report was sent; 0
    renews nothing. `credit` with a `grant` that is not above the last one changes nothing. `look` is the number of the
    second look to take, if it is above those taken. `epochs` are, by shard, those of the holders that may be sent
    something; 0 for nobody.
    """

    do: Do = "run"
    why: Ended = "running"
    lease_s: float = 0.0
    next_s: float = 0.0
    credit: int | None = None
    grant: int = 0
    look: int = 0
    round: int = 0
    epochs: tuple[int, ...] = ()


class Offer(Struct, frozen=True):
    """A checkpoint that lies whole at the place, and counts from when the coordinator has accepted it.

    `at` is the unix time of its cut, for people.
    """

    shard: int
    epoch: int
    checkpoint: Checkpoint
    at: float = 0.0


class Answer(Struct, frozen=True):
    """The answer to an offer: `accepted` is the number of the last checkpoint of that shard which counts.

    With `lost` the shard is another's, and what was offered is nothing.
    """

    accepted: int
    lost: bool = False
