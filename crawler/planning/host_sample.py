"""What a sample shows of one host."""

from collections.abc import Sequence

from msgspec import Struct

__all__ = ["HostSample", "Level"]


class Level(Struct, frozen=True):
    """The URLs of pages of a host at one depth: how many are known, how many of them were read, and to how many new
    ones of the same host these led. `pages` of those read are pages; `body_bytes` and `record_bytes` are theirs.
    """

    known: int = 0
    read: int = 0
    led_to: int = 0
    pages: int = 0
    body_bytes: int = 0
    record_bytes: int = 0


class HostSample(Struct, frozen=True, kw_only=True):
    """What a sample shows of one host (name and port). Counts are of URLs of pages that the settings admit.

    `levels` by depth, from 0 on. `read` have ended after a request, `pages` of them with a page; `waiting` are known
    and were not asked for. `requests` went to the host, those for robots.txt, sitemaps, redirects and retries too.
    `span_s` are the seconds from the first request to the last answer, `pace_s` those between two, once there was
    enough to ask for; `latency_s` those that an answer took, None if too few were seen. `delay_s` is the least time
    between two requests that is asked for, `crawl_delay_s` that of robots.txt. `sightings` says how many URLs were
    linked from exactly one, two, three and four of `lists` pages, links to what stands above a page in the way to it
    left out. `listed` URLs that are admitted stand in its sitemaps, `known_listed` of those that links lead to among
    them; both are 0 if that is not known. `chained` of those that wait stand in a long row of URLs that look alike.
    `answered`: it has answered at least once; None if it was not asked. `address` is where, if known, packed and in
    hexadecimal. `robots_status` is that of its robots.txt.
    """

    host: str
    levels: tuple[Level, ...] = ()
    read: int = 0
    pages: int = 0
    waiting: int = 0
    requests: int = 0
    span_s: float = 0.0
    pace_s: float | None = None
    latency_s: float | None = None
    delay_s: float = 0.0
    crawl_delay_s: float | None = None
    sightings: tuple[int, int, int, int] = (0, 0, 0, 0)
    lists: int = 0
    listed: int = 0
    known_listed: int = 0
    chained: int = 0
    answered: bool | None = True
    address: str = ""
    robots_status: int | None = None

    @property
    def known(self) -> int:
        """URLs of pages that are known."""
        return sum(level.known for level in self.levels)

    @property
    def pages_per_url(self) -> float:
        """How many of the URLs bring a page."""
        return self._mean([level.pages for level in self.levels])

    @property
    def bytes_per_url(self) -> tuple[float, float]:
        """Bytes of bodies, and of records, that a URL brings."""
        return (
            self._mean([level.body_bytes for level in self.levels]),
            self._mean([level.record_bytes for level in self.levels]),
        )

    def _mean(self, amounts: Sequence[int]) -> float:
        """Return what a URL brings, each level by what is known of it, not by what was read.

        A sample reads more of the levels with few pages, and these are often the large ones.
        """
        read = [(level, amount) for level, amount in zip(self.levels, amounts, strict=True) if level.read]
        known = sum(level.known for level, _ in read)
        return sum(level.known * amount / level.read for level, amount in read) / known if known else 0.0
