"""What a task that ends gives to the URLs that it leads to."""

from msgspec import Struct, structs

from crawler.core.model import Done, Link, SeedContext, Sent
from crawler.frontier.handed import Handed
from crawler.frontier.reach import NOT_REACHED, Limits, Reach
from crawler.frontier.row import UrlRow

__all__ = ["Source"]

_START = Reach(0, 0)
_BEFORE_START = Reach(-1, 0)


class Source(Struct, frozen=True, gc=False):
    """What a task that ends gives to the URLs that it leads to. `hops`: the redirects from it to there.

    `nearest` is the best that is known of its own reach; `per_alike` is how much further a link to a page is that looks
    like it. `on` and `on_alike` are how far what it leads to is by the way through it, made once for all of its links.
    `kept_url` is the parent's URL if its row is in another shard; `is_received`: so was the task.
    """

    seed: SeedContext
    depth: int
    listed: bool
    nearest: Reach
    per_alike: int
    parent: bytes
    parent_url: str | None
    hops: tuple[str, ...]
    on: Reach
    on_alike: Reach
    kept_url: str | None = None
    is_received: bool = False

    @classmethod
    def of(cls, handed: Handed, done: Done, nearest: Reach, limits: Limits) -> "Source":
        """A page that a sitemap lists counts as a seed; the target of a redirect stands where the redirect stood."""
        task = handed.task
        alike = int(limits.by_depth)
        if done.outcome == "redirected":
            hops = (*task.redirected_from, task.url)
            on, on_alike = _on(nearest, alike, moved=True, listed=False)
            return cls(task.seed, task.depth, False, nearest, alike, handed.parent, task.parent, hops, on, on_alike)
        listed = task.kind == "sitemap"
        on, on_alike = _on(nearest, alike, moved=False, listed=listed)
        return cls(task.seed, task.depth + 1, listed, nearest, alike, task.key, task.url, (), on, on_alike)

    @classmethod
    def of_seed(cls, seed: SeedContext) -> "Source":
        """What leads to the start of a seed that another shard owns: as if a sitemap before it listed that."""
        return cls(seed, 0, True, _BEFORE_START, 0, b"", None, (), _START, _START)

    @classmethod
    def received(cls, sent: Sent, seed: SeedContext, limits: Limits) -> "Source":
        """A task of another shard, as that has told of it."""
        nearest, alike = Reach(sent.far, sent.chain), int(limits.by_depth)
        on, on_alike = _on(nearest, alike, moved=bool(sent.hops), listed=sent.listed)
        return cls(
            seed,
            sent.depth,
            sent.listed,
            nearest,
            alike,
            sent.parent,
            sent.parent_url,
            sent.hops,
            on,
            on_alike,
            kept_url=sent.parent_url,
            is_received=True,
        )

    def for_seed(self, seed: SeedContext, hops: tuple[str, ...]) -> "Source":
        """Return the same redirect as what a seed led to by other redirects, `hops`."""
        changes = {"nearest": _START, "on": _START, "on_alike": _START, "parent": b"", "parent_url": None}
        return structs.replace(self, seed=seed, depth=0, hops=(*hops, self.hops[-1]), kept_url=None, **changes)

    @property
    def names(self) -> bool:
        """Whether this is a redirect, or a sitemap: what it leads to is asked for, whatever it is like."""
        return bool(self.hops) or self.listed

    def lands(self, link: Link) -> bool:
        """Whether a link is to where the seed itself redirects, which counts as in its scope then."""
        return bool(self.hops) and not link.skip and self.hops[0] == self.seed.anchors[0]

    def reach(self, link: Link) -> Reach:
        """Return how far a link is by the way through this, `NOT_REACHED` if it may not be followed."""
        if link.skip:
            return NOT_REACHED
        if self.listed and link.kind == "sitemap":
            return Reach(self.nearest.far + 1, 0)
        return self.on_alike if link.alike else self.on

    def row(
        self,
        link: Link,
        reach: Reach,
        now: float,
        *,
        seq: int = 0,
        outcome: str = "",
        reason: str = "",
        parent_url: str | None = None,
    ) -> UrlRow:
        """Return the row of a link; `reach` is the best that is known of its URL."""
        is_sitemap = link.kind == "sitemap"
        reached = not link.skip
        depth = 0 if self.listed and not is_sitemap else self.depth
        if reached and (is_sitemap or self.per_alike):
            depth = reach.far
        # By place: to name 16 fields takes as long again as to make the row.
        return UrlRow(
            link.url,
            depth,
            self.parent,
            self.seed.number,
            self.hops,
            0,  # attempts
            seq,
            now,
            outcome,
            reason,
            0,  # status
            is_sitemap,
            reach.chain if reached else -1,
            round(link.spent_s * 1000) if link.spent_s else 0,
            link.lastmod,
            parent_url,
            reach.far if reached else 0,
        )


def _on(nearest: Reach, alike: int, *, moved: bool, listed: bool) -> tuple[Reach, Reach]:
    """Return how far a link is by the way through a task, and one that looks like it."""
    if moved:
        return Reach(nearest.far, 0), nearest
    if listed:
        return _START, _START
    return Reach(nearest.far + 1, 0), Reach(nearest.far + alike, nearest.chain + 1)
