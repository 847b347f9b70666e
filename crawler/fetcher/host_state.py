"""What is remembered of a host between visits and between runs."""

from msgspec import Struct

from crawler.fetcher.clock import HostClock
from crawler.web.robots import RobotsAnswer

__all__ = ["HostState"]


class HostState(Struct, frozen=True, array_like=True):
    """A host's robots.txt, by origin, and its clock, as the store keeps them.

    `host` is an authority (`example.com`, `example.com:8080`), `saved_at` unix time. `clock` is None when
    there is nothing but the ordinary delay to remember.
    """

    host: str
    saved_at: float
    robots: dict[str, RobotsAnswer]
    clock: HostClock | None
