"""What the store keeps of a host between visits and between runs: its clock, and what its robots.txt came to. Pure."""

from collections.abc import Iterable

from msgspec import Struct, msgpack
from msgspec.structs import replace

from crawler.core.host_rows import TEXT
from crawler.web.robots import RobotsAnswer

__all__ = ["HostClock", "HostState", "decoded", "text_of"]


class HostClock(Struct, frozen=True):
    """What is worth remembering of a host's clock between runs.

    `delay_s` is the time between two requests, back-off included; `wait_s` the time left until the next may start.
    `crawl_delay_s` is what robots.txt asks for, which no back-off adds to.

    Of a host that a person has given a fixed delay, the parts are told as well, since another run may have another one:
    `backoff_s` is what back-off adds, `held_s` the time left for which the host is held whatever its delay, and
    `asked_s` the time since its last request started. Of others, and in jobs of earlier versions, `backoff_s` is None.
    """

    delay_s: float
    wait_s: float
    crawl_delay_s: float = 0.0
    backoff_s: float | None = None
    held_s: float = 0.0
    asked_s: float = 0.0

    def aged(self, elapsed_s: float) -> "HostClock":
        """Return the same clock `elapsed_s` seconds later (the time between snapshot and restore)."""
        elapsed_s = max(0.0, elapsed_s)
        wait_s, held_s = max(0.0, self.wait_s - elapsed_s), max(0.0, self.held_s - elapsed_s)
        return replace(self, wait_s=wait_s, held_s=held_s, asked_s=self.asked_s + elapsed_s)


class HostState(Struct, frozen=True, array_like=True):
    """What the store keeps of a host, but for the texts of its robots.txt (see `core.host_rows`).

    `host` is an authority (`example.com`, `example.com:8080`), `saved_at` unix time. `robots` has an answer for each
    origin. `clock` is None when there is nothing but the ordinary delay to remember. `proven`: the host has answered in
    this job. `incarnation` is that of the shard which wrote it, 0 where there are no shards. Earlier versions kept the
    texts in here, and the clock once more by itself, without any robots.txt.
    """

    host: str
    saved_at: float
    robots: dict[str, RobotsAnswer]
    clock: HostClock | None
    proven: bool = True
    incarnation: int = 0

    def merged(self, other: "HostState") -> "HostState":
        """Return what both say together: where they differ, the later one is right."""
        first, last = sorted((self, other), key=lambda state: state.saved_at)
        proven = self.proven or other.proven
        return replace(last, host=self.host, robots=first.robots | last.robots, proven=proven)


def decoded(rows: Iterable[bytes]) -> HostState | None:
    """Return what rows say together of one host; None without any."""
    state: HostState | None = None
    for row in rows:
        one = _decode(row)
        state = one if state is None else state.merged(one)
    return state


def text_of(origin: str) -> bytes:
    """Return the name of the row for an origin's robots.txt: its scheme tells it from the host's others."""
    return TEXT + origin.partition(":")[0].encode()


_decode = msgpack.Decoder(HostState).decode
