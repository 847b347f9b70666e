"""What a job knows of a host: its robots.txt, its clock, and how many URLs of it came to what."""

import time
from collections import Counter
from collections.abc import Iterator

import msgspec
from msgspec import Struct, structs

from crawler.core.host_rows import CLOCK, HEAD, WHOLE
from crawler.frontier.row import QUEUED
from crawler.frontier.store import Store
from crawler.web.host_state import HostState, decoded, text_of
from crawler.web.robots import RobotsAnswer, lifetime_s, rules_for
from crawler.web.urls import authority

__all__ = ["HostFacts", "RobotsFacts", "host_state", "hosts", "robots_of"]


class RobotsFacts(Struct, frozen=True, kw_only=True):
    """What the robots.txt of an origin (`https://example.com`) came to.

    `status` is that of HTTP, 0 without an answer; `asked_at` and `expires_at` are unix times; `crawl_delay_s` is what
    it asks of this crawler, None if nothing. `is_unreachable`: the server could not say, so nothing may be asked for.
    """

    origin: str
    status: int
    asked_at: float
    expires_at: float
    crawl_delay_s: float | None = None
    is_unreachable: bool = False


class HostFacts(Struct, frozen=True, kw_only=True):
    """One host (name and port) of a job.

    `outcomes` counts its URLs that have ended, by outcome with reason (`failed: timeout`), and `due` those that have
    not. `robots` holds a row for each origin that was asked. Of its clock, as it was kept last: `delay_s` is the time
    between two requests, None for the ordinary one; `crawl_delay_s` the part of it that robots.txt asks for; and
    `next_at` the unix time at which it may be asked again, if that was long. `answered`: it has answered in this job.
    """

    host: str
    outcomes: dict[str, int] = {}
    due: int = 0
    robots: tuple[RobotsFacts, ...] = ()
    delay_s: float | None = None
    crawl_delay_s: float = 0.0
    next_at: float | None = None
    answered: bool = False


def hosts(store: Store, user_agent: str) -> Iterator[HostFacts]:
    """Give every host of which a URL is known, those with most URLs first. Memory grows with the number of hosts."""
    outcomes: dict[str, Counter[str]] = {}
    due: Counter[str] = Counter()
    for value in store.urls.stored():
        if value[:1] != QUEUED:
            row = store.urls.row(value)
            counts = outcomes.setdefault(authority(row.url), Counter())
            counts[f"{row.outcome}: {row.reason}" if row.reason else row.outcome] += 1
    for table in (store.queue, store.retries):
        due.update(authority(row.url) for row in table.rows() if not row.outcome)
    totals = due + Counter({host: counts.total() for host, counts in outcomes.items()})
    for host, _ in totals.most_common():
        counted = dict(outcomes.get(host, {}))
        yield structs.replace(host_facts(store, host, user_agent), outcomes=counted, due=due[host])


def host_facts(store: Store, host: str, user_agent: str) -> HostFacts:
    """Put together what is known of a host, but for its URLs, which only a scan of all can count."""
    state = host_state(store, host)
    if state is None:
        return HostFacts(host=host)
    clock = state.clock
    return HostFacts(
        host=host,
        robots=tuple(_robots(store, host, origin, answer, user_agent) for origin, answer in state.robots.items()),
        delay_s=None if clock is None else clock.delay_s,
        crawl_delay_s=0.0 if clock is None else clock.crawl_delay_s,
        next_at=None if clock is None or not clock.wait_s else state.saved_at + clock.wait_s,
        answered=state.proven,
    )


def host_state(store: Store, host: str) -> HostState | None:
    """Return what the store remembers of a host (authority), None if nothing."""
    key = store.keys.authority(host)
    rows = store.host_rows([key + HEAD, key + WHOLE, key + CLOCK])
    return decoded(row for row in rows if row is not None)


def robots_of(store: Store, host: str, state: HostState | None, origin: str) -> RobotsAnswer | None:
    """Return the robots.txt of an origin as it was kept, with its text; None if that was never asked for."""
    head = None if state is None else state.robots.get(origin)
    if head is None or not head.apart:
        return head
    text = store.host(store.keys.authority(host) + text_of(origin))
    return head if text is None else msgspec.msgpack.decode(text, type=RobotsAnswer)


def _robots(store: Store, host: str, origin: str, head: RobotsAnswer, user_agent: str) -> RobotsFacts:
    state = HostState(host, time.time(), {origin: head}, None)
    answer = robots_of(store, host, state, origin) or head
    return RobotsFacts(
        origin=origin,
        status=answer.status,
        asked_at=answer.expires_at - lifetime_s(answer.status),
        expires_at=answer.expires_at,
        crawl_delay_s=None if answer.is_unreachable else rules_for(answer).crawl_delay_s(user_agent),
        is_unreachable=answer.is_unreachable,
    )
