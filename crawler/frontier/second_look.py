"""What is done when nothing is left to do: pages that turned out to be nearer are judged again, chains go on.

A page is read with the reach (`frontier.reach`) that is known of it then. When a shorter way is found later, some of
its links may be followed that were not. Its row says so (`UrlRow.stale`), and that is all, since as a rule nothing
comes of it. But when the crawl has nothing else to do, and has left out URLs because they are too far away, the pages
to which that may make a difference are read again, those that are nearest first, for their links alone: they are in the
records already. So the crawl ends with what the shortest ways lead to, whatever came first.

Then a look is taken at chains of pages that look alike, host by host. A chain may be `FIRST_CHAIN` long without more
ado, and half as long again after each look, up to `max_chain`: a look stops at a host where more than 100 times
`max_chain` pages stand so deep in chains, as in a tree that has no end. Longer chains go on, up to 100 times
`max_chain`, as long as they bring something else: since the look before, the host must have got at least as many other
pages as pages of chains. A page whose URL ends in a date is not something else.

Where other shards have a part in the crawl (`frontier.looks`), one of them may have left out what a page of this one
leads to. So each tells the others once that it has left out something that is too far away.

Before all that, URLs become due again that were left out for a lesson which is taken back (`frontier.same_pages`).
"""

import msgspec
from msgspec import Struct, structs

from crawler.core.counters import Counters
from crawler.frontier.discovery import Discovery
from crawler.frontier.gate import HELD_BACK
from crawler.frontier.joined_scopes import JoinedScopes
from crawler.frontier.outbox import Outbox
from crawler.frontier.reach import CHAIN_STALE, FAR_STALE, NOT_REACHED, SEED_STALE, Limits, Reach
from crawler.frontier.row import ENDED, REOPENABLE, UrlRow
from crawler.frontier.same_pages import is_same_page
from crawler.frontier.store import Store
from crawler.web.traps import is_dated, pattern

__all__ = ["SecondLook"]

_MOST_PER_CHAIN = 100
"""Times `max_chain`: how long a chain may get that brings something, and how many pages a host may have so deep."""


class _Host(Struct):
    """What the look before has found on a host: how long chains could be until then, and how many other pages it had.

    `limit` is how long they may be now; `ended` says that it is not to be raised any more.
    """

    limit: int
    before: int = 0
    others: int = 0
    ended: bool = False


class _Tally(Struct):
    """Pages of a host: `deep` ones stand in chains longer than the first limit, `new` ones were let in by the last."""

    deep: int = 0
    new: int = 0
    others: int = 0


class _View(Struct):
    """What one walk through the store finds: stale pages, URLs that chains are too long for, by host, whether one is
    too far away without a limit on depth, and those that were cut off by a limit which is higher now.
    """

    stale: list[tuple[bytes, UrlRow]] = []
    cut: dict[bytes, list[tuple[bytes, UrlRow]]] = {}
    far_cut: bool = False
    free: list[tuple[bytes, UrlRow]] = []


class SecondLook:
    """Takes second looks at one job. Part of the frontier, whose counters it writes.

    State: the hosts whose chains have been looked at, what was known when nothing was left to do, and whether other
    shards have left out what is too far away, or were told that this one has (all also in the store); whether `save`
    has something to put there.
    """

    def __init__(
        self,
        store: Store,
        discovery: Discovery,
        counters: Counters,
        limits: Limits,
        joined: JoinedScopes,
        *,
        outbox: Outbox | None = None,
    ) -> None:
        self._store = store
        self._discovery = discovery
        self._counters = counters
        self._limits = limits
        self._joined = joined
        self._outbox = outbox
        self._cut_elsewhere: bool = outbox is not None and bool(store.meta("cut_elsewhere"))
        self._has_told: bool = outbox is None or bool(store.meta("told_of_cut"))
        self._same_pages = discovery.same_pages
        self._settled = store.meta("settled")
        saved = store.meta("chains") or {}
        self._hosts = {bytes.fromhex(key): msgspec.convert(host, _Host) for key, host in saved.items()}
        self._many: set[bytes] = set()
        self._raised = self._unsaved = False
        if (before := store.meta("limits")) != limits.settings:
            # Those of an earlier version are fewer.
            self._raised = before is not None and before != limits.settings[: len(before)]
            store.put_meta("limits", limits.settings)
        limits.chains.update({key: host.limit for key, host in self._hosts.items()})

    @property
    def is_due(self) -> bool:
        """Whether something may come of a look, once no URL is due."""
        outcomes = self._counters.outcomes
        if self._raised or self._same_pages.takes_back or self._store.rereads.are_wanted:
            return True
        if not self._has_told and "skipped: depth" in outcomes:
            return True
        nearer = self._counters.stale and ("skipped: depth" in outcomes or self._cut_elsewhere)
        if not (nearer or "skipped: trap" in outcomes or self._scope_grew):
            return False
        known: list[int] | None = self._settled
        return known != self._known()

    def take(self) -> None:
        """Look whether pages are to be read again, or chains to go on; wait for the commit if the batch is open."""
        if not self.is_due or self._store.dirty:
            return
        if self._same_pages.takes_back:
            self._same_pages.reopen(self._discovery.open)
            return
        view = self._walk()
        self._raised = False
        if view.far_cut or "skipped: depth" in self._counters.outcomes:
            self._tell()
        if view.free:
            for key, row in view.free:
                self._discovery.open(key, row)
            return
        if self._join() or self._read_again(view, self._exact(view)):
            return
        tallies = self._tallies(view)
        self._many |= {host for host, tally in tallies.items() if tally.deep > self._most}
        if self._read_again(view, self._exact(view)):
            return
        if not self._let_on(view, tallies):
            self._settled = self._known()
            self._store.put_meta("settled", self._settled)

    def let_on(self, host: bytes, deep: int) -> bool:
        """Raise the limit of a host's chains without a look at the whole; False if that is not to be done.

        It is done as long as a look would raise it in any case: up to half of `max_chain`, on a host that has at most
        half of the pages in chains, `deep`, that end it.
        """
        limit, known = self._limits.chain(host), self._hosts.get(host)
        if limit is None or 2 * limit >= (self._limits.max_chain or 0) or 2 * deep > self._most:
            return False
        self._limits.chains[host] = longer = _longer(limit)
        self._hosts[host] = _Host(longer, limit, 0 if known is None else known.others)
        self._unsaved = True
        return True

    def save(self) -> None:
        """Put what `let_on` has changed into the open batch."""
        if self._unsaved:
            self._save()

    def ended(self, key: bytes, handed: Reach) -> None:
        """Learn that a page was read again, by which its links are those of the reach at which it was handed out."""
        (value,) = self._store.urls.values([key])
        if value is None:
            raise KeyError(key)
        row = self._store.urls.row(value)
        stale = self._limits.stale(row, handed, self._limits.reach(row))
        self._counters.stale += bool(stale) - bool(row.stale)
        self._counters.queued -= 1
        self._counters.reread += 1
        self._store.urls.put(key, ENDED, structs.replace(row, stale=stale))

    def learn_of_cut(self) -> None:
        """Learn that another shard has left out what is too far away."""
        if not self._cut_elsewhere:
            self._cut_elsewhere = True
            self._store.put_meta("cut_elsewhere", value=True)

    def unsettle(self) -> None:
        """Learn that another shard has told of something: numbers of what is known do not show all that may follow."""
        if self._settled is not None:
            self._settled = None
            self._store.put_meta("settled", None)

    def _tell(self) -> None:
        if self._outbox is not None and not self._has_told:
            self._has_told = True
            self._store.put_meta("told_of_cut", value=True)
            self._outbox.tell_of_cut()

    @property
    def _scope_grew(self) -> bool:
        """Whether the scope of a seed grew that may let in what was left out."""
        return self._counters.joined > 0 and self._joined.may_let_in(self._counters.outcomes)

    @property
    def _most(self) -> int:
        return _MOST_PER_CHAIN * (self._limits.max_chain or 0)

    def _known(self) -> list[int]:
        return [self._counters.seq, self._counters.known, self._counters.stale]

    def _walk(self) -> _View:
        view = _View([], {}, free=[])
        for key, state, row in self._store.urls.ended():
            if row.stale:
                view.stale.append((key, row))
            elif row.reason in HELD_BACK or is_same_page(row.reason):
                if self._raised and row.reason in HELD_BACK:
                    view.free.append((key, row))
            elif state == REOPENABLE and (reach := self._limits.reach(row)) != NOT_REACHED:
                if not self._limits.cut(reach, host := self._store.keys.host(row.url), is_sitemap=row.is_sitemap):
                    view.free.append((key, row))
                elif not self._limits.too_far(reach.far, is_sitemap=row.is_sitemap):
                    view.cut.setdefault(host, []).append((key, row))
                elif row.reason == "trap":
                    view.far_cut = True
        return view

    # Pages that are in the scope of another seed, too

    def _join(self) -> bool:
        pages = self._joined.wanted() if self._store.rereads.are_wanted else {}
        self._store.rereads.are_wanted = bool(pages)
        asked = False
        if self._scope_grew:
            rows = (row for _, state, row in self._store.urls.ended() if state == REOPENABLE and row.reason == "scope")
            asked = self._joined.pages(rows, pages)
        for key, row in pages.items():
            self._discovery.read_again(key, row)
        return bool(pages) or asked

    # Pages that turned out to be nearer

    def _exact(self, view: _View) -> frozenset[str]:
        """Return the patterns of those chains that must be as long as they seem, since they may be ended."""
        near_end = (self._limits.max_chain or 0) // 2
        return frozenset(
            _pattern(row.url)
            for host, cut in view.cut.items()
            if host in self._many or (self._limits.chain(host) or 0) >= near_end
            for _, row in cut
        )

    def _read_again(self, view: _View, patterns: frozenset[str]) -> bool:
        """Make the nearest of those pages due that may lead on to URLs that were left out; False if there are none."""
        by_far: dict[int, list[tuple[bytes, UrlRow]]] = {}
        by_chain: dict[int, list[tuple[bytes, UrlRow]]] = {}
        depth_cut = self._cut_elsewhere or "skipped: depth" in self._counters.outcomes
        far_cut, scope_grew = self._cut_elsewhere or view.far_cut, self._scope_grew
        for key, row in view.stale:
            reach = self._limits.reach(row)
            far_counts = depth_cut if self._limits.by_depth or row.is_sitemap else far_cut
            if row.stale & SEED_STALE and scope_grew:
                by_far.setdefault(0, []).append((key, row))
            elif row.stale & FAR_STALE and far_counts:
                by_far.setdefault(reach.far, []).append((key, row))
            elif row.stale & CHAIN_STALE and _pattern(row.url) in patterns:
                by_chain.setdefault(reach.chain, []).append((key, row))
        pages = [page for found in (by_far, by_chain) if found for page in found[min(found)]]
        for key, row in pages:
            self._discovery.read_again(key, row)
        return bool(pages)

    # Chains

    def _tallies(self, view: _View) -> dict[bytes, _Tally]:
        """Count the pages of each host on which a chain may have to end."""
        tallies = {host: _Tally() for host in view.cut if host not in self._hosts or not self._hosts[host].ended}
        if not tallies:
            return tallies
        first = self._limits.first_chain or 0
        for _, state, row in self._store.urls.ended():
            if state != ENDED or row.is_sitemap or row.outcome != "fetched":
                continue
            host = self._store.keys.host(row.url)
            tally = tallies.get(host)
            if tally is not None:
                known = self._hosts.get(host)
                tally.deep += row.chain > first
                tally.new += row.chain > (known.before if known is not None else first)
                tally.others += row.chain <= first and not is_dated(row.url)
        return tallies

    def _let_on(self, view: _View, tallies: dict[bytes, _Tally]) -> bool:
        """Raise the limits of hosts on which chains may go on, and make due what is behind; False if there are none."""
        went_on = False
        for host, tally in tallies.items():
            limit = self._limit(host, tally)
            before = self._limits.chain(host) or 0
            self._hosts[host] = _Host(limit or before, before, tally.others, ended=limit is None)
            if limit is not None:
                went_on = True
                self._limits.chains[host] = limit
                for key, row in view.cut[host]:
                    if self._limits.reach(row).chain <= limit:
                        self._discovery.open(key, row)
        if tallies:
            self._save()
        return went_on

    def _save(self) -> None:
        saved = {key.hex(): msgspec.to_builtins(host) for key, host in self._hosts.items()}
        self._store.put_meta("chains", saved)
        self._unsaved = False

    def _limit(self, host: bytes, tally: _Tally) -> int | None:
        """Return how long the chains of a host may be from now on, None if they end here."""
        limit, max_chain = self._limits.chain(host) or 0, self._limits.max_chain or 0
        if tally.deep > self._most:
            return None
        longer = _longer(limit)
        if limit < max_chain:
            return min(longer, max_chain)
        known = self._hosts.get(host)
        brought = tally.others - (known.others if known is not None else 0)
        if limit >= self._most or tally.new == 0 or brought < tally.new:
            return None
        return min(longer, self._most)


def _longer(limit: int) -> int:
    return limit + (limit + 1) // 2


def _pattern(url: str) -> str:
    return pattern(url).rstrip("/")
