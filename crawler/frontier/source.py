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
    like it.
    """

    seed: SeedContext
    depth: int
    listed: bool
    nearest: Reach
    per_alike: int
    parent: bytes
    parent_url: str | None
    hops: tuple[str, ...]

    @classmethod
    def of(cls, handed: Handed, done: Done, nearest: Reach, limits: Limits) -> "Source":
        """A page that a sitemap lists counts as a seed; the target of a redirect stands where the redirect stood."""
        task = handed.task
        alike = int(limits.by_depth)
        if done.outcome == "redirected":
            hops = (*task.redirected_from, task.url)
            return cls(task.seed, task.depth, False, nearest, alike, handed.parent, task.parent, hops)
        listed = task.kind == "sitemap"
        return cls(task.seed, task.depth + 1, listed, nearest, alike, task.key, task.url, ())

    def for_seed(self, seed: SeedContext, hops: tuple[str, ...]) -> "Source":
        """Return the same redirect as what a seed led to by other redirects, `hops`."""
        hops = (*hops, self.hops[-1])
        return structs.replace(self, seed=seed, depth=0, nearest=Reach(0, 0), parent=b"", parent_url=None, hops=hops)

    def reach(self, link: Link) -> Reach:
        """Return how far a link is by the way through this."""
        far, chain = self.nearest
        if self.hops:
            return Reach(far, chain if link.alike else 0)
        if self.listed:
            return Reach(far + 1, 0) if link.kind == "sitemap" else Reach(0, 0)
        return Reach(far + self.per_alike, chain + 1) if link.alike else Reach(far + 1, 0)

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
        return UrlRow(
            url=link.url,
            depth=depth,
            parent=self.parent,
            seed=self.seed.number,
            redirected_from=self.hops,
            attempts=0,
            seq=seq,
            at=now,
            outcome=outcome,
            reason=reason,
            is_sitemap=is_sitemap,
            chain=reach.chain if reached else -1,
            spent_ms=round(link.spent_s * 1000),
            lastmod=link.lastmod,
            parent_url=parent_url,
            far=reach.far if reached else 0,
        )
