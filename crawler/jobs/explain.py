"""Why a URL was fetched, or was not: from a few look-ups by key, whatever the size of the job."""

import time
from itertools import islice
from pathlib import Path

import msgspec

from crawler.core.errors import UrlError
from crawler.core.model import SeedContext, TaskKind
from crawler.core.printable import SHOWN_CHARS, printable
from crawler.core.quantity import count_of
from crawler.core.shard import Shard
from crawler.frontier.row import UrlRow, is_late
from crawler.frontier.seed_lines import sitemap_url
from crawler.frontier.store import Store
from crawler.jobs.among_shards import AmongShards
from crawler.jobs.explanation import Explanation, SeedFacts, Story, Way
from crawler.jobs.hosts import host_facts, host_state
from crawler.jobs.known_rows import Found, KnownRows
from crawler.jobs.near import nearest
from crawler.jobs.opening import is_running
from crawler.jobs.reasons import summary
from crawler.jobs.records import record_at
from crawler.jobs.rulings import Rulings, date_of
from crawler.jobs.urls import facts, malformed
from crawler.ledger.changes import kept_steering
from crawler.web.traps import repeats
from crawler.web.urls import authority, normalise, origin, resolve

__all__ = ["explain"]

_LONGEST_WAY = 200
_MOST_AHEAD = 10_000
_MOST_SEEDS = 1_000
_KINDS: tuple[TaskKind, ...] = ("page", "sitemap")
_PASSED = frozenset({"fetched", "redirected", "failed"})


def explain(folder: Path, store: Store, asked: str, among: AmongShards | None = None) -> Explanation:
    """Tell the whole story of a URL, whatever form it is written in; of one shard of a job, with what others know."""
    return _Explaining(folder, store, among).of(asked.strip())


class _Explaining:
    """Answers from one view of a store. Has no state but what it was made with."""

    def __init__(self, folder: Path, store: Store, among: AmongShards | None) -> None:
        self._folder = folder
        self._store = store
        self._among = among
        self._known = KnownRows(store)
        self._rulings = Rulings(store)
        self._running = is_running(folder) if among is None else among.is_running

    def of(self, asked: str) -> Explanation:
        """Explain what a person has typed."""
        named = sitemap_url(asked)
        written = asked if named is None else named
        try:
            url = normalise(written)
        except UrlError as error:
            return self._no_url(asked, written, str(error))
        keys = [self._store.keys.url(url, kind) for kind in _KINDS]
        found = [one for one in self._known.find(keys) if one is not None]
        changes = _changes(written, url)
        host = authority(url)
        about = host_facts(self._store, host, self._rulings.config.user_agent)
        if found:
            stories = tuple([self._story(one, url) for one in found])
            return Explanation(
                asked=asked, url=url, changes=changes, stories=stories, host=about, running=self._running
            )
        return Explanation(
            asked=asked,
            url=url,
            changes=changes,
            why_unknown=tuple(self._why_unknown(url)),
            near=tuple(nearest(self._store, url)),
            host=about if about.robots or about.answered else None,
            running=self._running,
        )

    @property
    def _shown(self) -> str:
        return str(self._folder) if self._among is None else self._among.job

    # A URL that is known

    def _story(self, found: Found, url: str) -> Story:
        row = found.row
        if row is None:  # it waits for a retry, among so many that its row was not found
            row = UrlRow(url, 0, b"", 0, (), 1, 0, 0.0)
        parent = self._row(row.parent)
        seed = self._seed(row.seed)
        anchors = () if seed is None else seed.anchors
        is_seed = not row.parent and not row.redirected_from
        way, goes_on = self._way(row)
        told = Story(
            facts=facts(row, row.parent_url or (None if parent is None else parent.url)),
            summary=summary(row, self._rulings.config),
            way=way,
            way_goes_on=goes_on,
            seed=seed,
            scope=None if is_seed or not anchors else self._rulings.scope(row.url, anchors),
            filters=None if is_seed else self._rulings.filters(row.url),
            robots=self._rulings.robots(row.url),
            redirects_to=self._redirects_to(row),
            repeats=None if row.outcome == "redirected" else self._other(row),
            record_at=record_at(self._folder, self._store, self._rulings.config, row, self._among),
            waits_until=found.waits_until if found.is_due else None,
            waits_for=tuple(self._waits_for(found, row)) if found.is_due else (),
        )
        return msgspec.structs.replace(told, why=tuple(_why(row, told)))

    def _way(self, row: UrlRow) -> tuple[tuple[Way, ...], bool]:
        """Return what led to a URL, one after the other, back to the seed."""
        way: list[Way] = [Way(hop, row.depth, "redirects to") for hop in reversed(row.redirected_from)]
        met = set[bytes]()
        known = self._known
        while row.parent and row.parent not in met:
            met.add(row.parent)
            before = _row_in(known, row.parent)
            if before is None and row.parent_url is not None and self._among is not None:
                elsewhere = self._among.store_of(row.parent_url)
                if elsewhere is None:
                    way.append(Way(row.parent_url, max(0, row.depth - 1), "links to"))
                    return tuple(way), True
                known = KnownRows(elsewhere)
                before = _row_in(known, row.parent)
            if before is None:
                break
            if len(way) >= _LONGEST_WAY:
                return tuple(way), True
            way.append(Way(before.url, before.depth, "lists" if before.is_sitemap else "links to"))
            way += [Way(hop, before.depth, "redirects to") for hop in reversed(before.redirected_from)]
            row = before
        return tuple(way), False

    def _row(self, key: bytes) -> UrlRow | None:
        return _row_in(self._known, key)

    def _seed(self, number: int) -> SeedFacts | None:
        try:
            context = self._store.seed(number)
        except KeyError:
            return None
        shard = None if self._among is None else self._among.shard.home(number)
        at_home = number if shard is None else Shard(shard, 0).at_home(number)
        return SeedFacts(at_home, context.anchors[0], msgspec.json.decode(context.extra), context.anchors, shard)

    def _other(self, row: UrlRow) -> str | None:
        """Return the URL that a row names beside its own: what it redirects to, or repeats."""
        other = self._row(row.other)
        return None if other is None else other.url

    def _redirects_to(self, row: UrlRow) -> str | None:
        """Return what a URL redirects to; of a job that does not keep it, if that is another spelling of it."""
        if row.outcome != "redirected":
            return None
        kept = self._other(row)
        if kept is not None:
            return kept
        for near in nearest(self._store, row.url, 20):
            one = self._row(self._store.keys.url(near.url, row.kind))
            if one is not None and row.url in one.redirected_from[-1:]:
                return one.url
        return None

    def _waits_for(self, found: Found, row: UrlRow) -> list[str]:
        """Say what keeps a URL that is due from being asked for."""
        now, said = time.time(), []
        if not self._running:
            said.append(f"a crawl: none runs the job now, `crawler crawl --job {printable(self._shown)}` goes on")
        if found.waits_until is not None and found.waits_until > now:
            said.append(f"its next attempt, at {date_of(found.waits_until)}")
        host = authority(row.url)
        state = host_state(self._store, host)
        if state is not None and state.clock is not None:
            ready_at = state.saved_at + state.clock.wait_s
            if ready_at > now:
                said.append(f"its host, which may be asked again at {date_of(ready_at)}")
            elif state.clock.delay_s >= 1:
                said.append(f"its host's turn: a request each {state.clock.delay_s:g} s")
        steered = kept_steering(self._store)
        if steered.paused:
            said.append("the crawl to be resumed: it is paused (`crawler steer JOB resume`)")
        if host in steered.blocked:
            said.append("its host to be unblocked: it is blocked (`crawler steer JOB unblock HOST`)")
        closed = [] if state is None else [one.status for one in state.robots.values() if one.is_unreachable]
        said += [f"the robots.txt of its host, which could not be had (status {one or 'none'})" for one in closed]
        key = self._store.keys.host(row.url)
        if found.place and is_late(found.place):
            said.append("all other URLs of its host: those of its shape have brought nothing but links")
        elif found.place:
            ahead = sum(1 for _ in islice(self._store.queue.scan(key, found.place), _MOST_AHEAD))
            more = " or more" if ahead == _MOST_AHEAD else ""
            said.append(
                f"{count_of(ahead, 'URL')}{more} of its host that {'comes' if ahead == 1 else 'come'} first"
                if ahead
                else "its turn: it is the first of its host"
            )
        return said

    # A URL that is not

    def _no_url(self, asked: str, written: str, error: str) -> Explanation:
        for bad in self._store.bad_rows.all():
            if bad.text == written:
                row = malformed(bad)
                story = Story(facts=facts(row, None), summary=summary(row, self._rulings.config), why=(str(bad),))
                return Explanation(asked=asked, url="", stories=(story,), running=self._running)
        return Explanation(asked=asked, url="", why_unknown=(error,), running=self._running)

    def _why_unknown(self, url: str) -> list[str]:
        """Say what would have kept the URL from being fetched, or that nothing led to it."""
        said = []
        config = self._rulings.config
        seeds = list(islice(self._store.seeds(), _MOST_SEEDS + 1))
        admits = next((one for one in seeds if self._rulings.scope(url, one.anchors).allows), None)
        if admits is None and seeds:
            said.append(_out_of_scope(self._rulings.scope(url, seeds[0].anchors).text, seeds))
        filters = self._rulings.filters(url)
        if not filters.allows:
            said.append(f"it would be filtered: {filters.text}")
        if repeats(url):
            said.append("its path or query repeats itself, as in a trap")
        robots = self._rulings.robots(url)
        if robots is not None and not robots.allows:
            said.append(f"it would not be asked for: {robots.text}")
        stripped = resolve(url, "", strip_session=True)
        if stripped is not None and stripped != url:
            said.append(f"links lose their session ids: as a link it is {stripped}")
        if robots is None and not any(origin(url) == origin(anchor) for one in seeds for anchor in one.anchors):
            said.append(f"nothing was ever asked of {origin(url)}")
        said.append("no page that was read links to it, and it is no seed")
        due = (self._store.meta("counters") or {}).get("queued", 0)
        if due:
            said.append(f"{count_of(due, 'URL', 'are')} due yet, whose pages may link to it")
        if config.depth is not None:
            said.append(f"links of pages at depth {config.depth} were not followed (--depth)")
        return said


def _row_in(known: KnownRows, key: bytes) -> UrlRow | None:
    (found,) = known.find([key]) if key else (None,)
    return None if found is None else found.row


def _out_of_scope(text: str, seeds: list[SeedContext]) -> str:
    if len(seeds) == 1:
        return f"it is out of scope: {text}"
    number = f"{_MOST_SEEDS:,} seeds that were looked at" if len(seeds) > _MOST_SEEDS else f"{len(seeds):,} seeds"
    return f"it is out of scope of all {number}: of the first one, {text}"


def _changes(asked: str, url: str) -> tuple[str, ...]:
    """Say in what the normal form of a URL differs from what was typed."""
    if asked == url:
        return ()
    said = []
    if "#" in asked:
        said.append("what stands behind # is no part of it")
    if "@" in asked.partition("://")[2].partition("/")[0]:
        said.append("user name and password are no part of it")
    asked_host = asked.partition("://")[2].partition("/")[0].rpartition("@")[2]
    if asked_host != authority(url):
        said.append(f"the host is {printable(authority(url), SHOWN_CHARS)}")
    return (*said, f"its normal form is {url}")


def _why(row: UrlRow, told: Story) -> list[str]:
    """Say which rules decided, and where they say something else now."""
    said = [row.detail] if row.detail else []
    word = row.reason.partition(": ")[0]
    if told.scope is not None and (word == "scope" or not told.scope.allows):
        said.append(told.scope.text)
        if row.outcome == "skipped" and word == "scope" and told.scope.allows:
            said.append(
                "that takes it in now, and did not when the link was judged: a way from another seed may have led to it"
            )
    if told.filters is not None and (word == "filter" or not told.filters.allows):
        said.append(told.filters.text)
    if told.robots is not None:
        said.append(told.robots.text)
        decided = row.outcome == "skipped" and word == "robots"
        if (decided and told.robots.allows) or (row.outcome in _PASSED and not told.robots.allows):
            was = "denied" if decided else "allowed"
            said.append(f"robots.txt has changed since {date_of(row.at)}, when it {was} the URL")
    return said
