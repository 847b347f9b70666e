"""The story of a URL, as values: what `Job.explain` answers."""

from typing import Any

from msgspec import Struct

from crawler.jobs.hosts import HostFacts
from crawler.jobs.near import Near
from crawler.jobs.rulings import RobotsRuling, Ruling
from crawler.jobs.urls import UrlFacts

__all__ = ["Explanation", "SeedFacts", "Story", "Way"]


class Way(Struct, frozen=True):
    """A URL on the way from a seed: `how` it leads on to the one before it (`links to`, `lists`, `redirects to`)."""

    url: str
    depth: int
    how: str


class SeedFacts(Struct, frozen=True):
    """A seed: its number, from 1, in the order in which seeds were read; its URL; its other columns (None without any).

    `anchors` are the URLs that scope is measured from: the seed and what it redirected to. `shard` is that of a cluster
    job which was given the seed, and numbers it.
    """

    number: int
    url: str
    extra: Any
    anchors: tuple[str, ...]
    shard: int | None = None


class Story(Struct, frozen=True, kw_only=True):
    """What became of a known URL, asked for as one kind.

    `summary` says it in a sentence, and `why` holds further ones: the rules that decided, found again from the job's
    settings and the robots.txt that it keeps; where these say something else than what was decided, it is said, too.
    `way` leads back to the seed, the nearest URL first; `way_goes_on` says that it is longer. `redirects_to` and
    `repeats` (the page that brought the same before) are URLs, None if there is none or the job does not know it.
    `record_at` says where the record stands, empty if that cannot be told. `waits_until` is the unix time of the next
    attempt, `waits_for` what the URL waits for, both of one that is due.
    """

    facts: UrlFacts
    summary: str
    why: tuple[str, ...] = ()
    way: tuple[Way, ...] = ()
    way_goes_on: bool = False
    seed: SeedFacts | None = None
    scope: Ruling | None = None
    filters: Ruling | None = None
    robots: RobotsRuling | None = None
    redirects_to: str | None = None
    repeats: str | None = None
    record_at: str = ""
    waits_until: float | None = None
    waits_for: tuple[str, ...] = ()


class Explanation(Struct, frozen=True, kw_only=True):
    """All that a job can say of a URL.

    `asked` is what was asked about, `url` its normal form (empty if it has none), `changes` says in what they differ.
    `stories` has one for each kind that the URL was asked for as: none for one that was never met. Then `why_unknown`
    says why, as far as it can be told, and `near` holds URLs that are known. `running`: a crawl runs the job now.

    Of a cluster job, `shard` is the one that owns the URL, of so many `shards`; it alone was asked. `as_of` is the unix
    time of the checkpoint that tells, None where the shard itself was read.
    """

    asked: str
    url: str
    changes: tuple[str, ...] = ()
    stories: tuple[Story, ...] = ()
    why_unknown: tuple[str, ...] = ()
    near: tuple[Near, ...] = ()
    host: HostFacts | None = None
    running: bool = False
    shard: int | None = None
    shards: int = 0
    as_of: float | None = None

    @property
    def is_known(self) -> bool:
        """Whether the job has met the URL."""
        return bool(self.stories)

    @property
    def asked_its_origin(self) -> bool:
        """Whether the job has asked for the robots.txt of the URL's origin."""
        origins = () if self.host is None else [one.origin for one in self.host.robots]
        return any(self.url.startswith(f"{one}/") for one in origins)
