"""What a task that ends gives to the URLs that it leads to."""

from msgspec import Struct, structs

from crawler.core.model import Done, Link, SeedContext
from crawler.frontier.handed import Handed
from crawler.frontier.reach import Limits, Reach
from crawler.frontier.row import UrlRow

__all__ = ["Source"]


class Source(Struct, frozen=True, gc=False):
    """What a task that ends gives to the URLs that it leads to. `hops`: the redirects from it to there.

    `nearest` is the best that is known of its own reach; `per_alike` is how much further a link to a page is that looks
    like it. `on` and `on_alike` are how far what it leads to is by the way through it, made once for all of its links.
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

    @classmethod
    def of(cls, handed: Handed, done: Done, nearest: Reach, limits: Limits) -> "Source":
        """A page that a sitemap lists counts as a seed; the target of a redirect stands where the redirect stood."""
        task = handed.task
        far, chain = nearest
        alike = int(limits.by_depth)
        if done.outcome == "redirected":
            hops = (*task.redirected_from, task.url)
            on = Reach(far, 0)
            return cls(task.seed, task.depth, False, nearest, alike, handed.parent, task.parent, hops, on, nearest)
        if task.kind == "sitemap":
            at_start = Reach(0, 0)
            return cls(task.seed, task.depth + 1, True, nearest, alike, task.key, task.url, (), at_start, at_start)
        on, on_alike = Reach(far + 1, 0), Reach(far + alike, chain + 1)
        return cls(task.seed, task.depth + 1, False, nearest, alike, task.key, task.url, (), on, on_alike)

    def for_seed(self, seed: SeedContext, hops: tuple[str, ...]) -> "Source":
        """Return the same redirect as what a seed led to by other redirects, `hops`."""
        start = Reach(0, 0)
        changes = {"nearest": start, "on": start, "on_alike": start, "parent": b"", "parent_url": None}
        return structs.replace(self, seed=seed, depth=0, hops=(*hops, self.hops[-1]), **changes)

    def reach(self, link: Link) -> Reach:
        """Return how far a link is by the way through this."""
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
