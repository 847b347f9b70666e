"""URLs that are not asked for, since they differ from others only in parameters that do not change the page.

What a page has brought is compared with what URLs brought that differ from its own in one parameter alone
(`frontier.groups`); from such pairs it is learnt, host by host, which parameters change nothing (`frontier.lessons`).
URLs that differ in nothing else are a *group*. Once two of a group that differ in a parameter have brought the same
page, others that have it are left out when their turn comes (those that have several, once that is so of each): as
`skipped: same-page`, with the parameters in the row. One in `_ASKED_ONE_IN` is asked for
nevertheless, and so are all that a person or a sitemap names, and the targets of redirects. As soon as any two of a
group differ, the lesson is taken back for good, and what was left out for it is due again.
"""

import logging
from collections.abc import Callable, Collection

import msgspec
from msgspec.structs import replace
from xxhash import xxh3_64_digest, xxh3_64_intdigest

from crawler.core.config import CrawlConfig
from crawler.core.counters import Counters
from crawler.core.model import Done
from crawler.core.printable import SHOWN_CHARS, printable
from crawler.frontier.budgets import STAND_BACK
from crawler.frontier.elsewhere import Elsewhere
from crawler.frontier.evidence import Brought, Evidence, Pair
from crawler.frontier.handed import Handed
from crawler.frontier.known import waiting
from crawler.frontier.lessons import LEARNT, HostLessons, Ways
from crawler.frontier.out import Out
from crawler.frontier.reach import Limits, Reach
from crawler.frontier.row import QUEUED, REOPENABLE, UrlRow, is_late
from crawler.frontier.store import Store
from crawler.web.parameters import Query, parameter_of, paths
from crawler.web.urls import authority

__all__ = ["SAME_PAGE", "SamePages", "is_same_page"]

_log = logging.getLogger(__name__)

SAME_PAGE = "same-page"
"""Reason of outcome `skipped`, before a colon and the parameters: others that differ in these alone were asked for."""

_ASKED_ONE_IN = 8
_REOPENED_AT_ONCE = 2_048
_NAMED = Reach(0, 0)
_KEPT_HOSTS = 1_024
"""Hosts whose lessons are in memory, a few kilobytes each; beyond that all are read again from the store."""
_LOOK_BYTES, _PAGE_BYTES = 4, 4


class SamePages:
    """Learns from pages, and says which URLs are not to be asked for. Part of the frontier, whose counters it writes.

    State: the lessons of hosts that are in use, and which of them the open batch is to hold; the groups of tasks that
    are handed out; ways that were found to URLs which are left out; the parameters that are being taken back, by host,
    and how far (the former also in the store).
    """

    def __init__(
        self,
        store: Store,
        config: CrawlConfig,
        counters: Counters,
        limits: Limits,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self._store = store
        self._elsewhere = elsewhere
        self._groups = store.groups
        self._evidence = Evidence(store.groups, store.keys)
        self._counters = counters
        self._limits = limits
        keep = config.keep_parameters
        self.apply = keep is not True
        self._kept = frozenset(map(parameter_of, keep)) if isinstance(keep, tuple) else frozenset()
        self._hosts: dict[bytes, HostLessons | None] = {}
        self._unsaved: set[bytes] = set()
        self._out = Out()
        self._ways: list[tuple[bytes, Reach]] = []
        self._back = {bytes.fromhex(host): set(names) for host, names in (store.meta("taken_back") or {}).items()}
        self._back_changed = False
        self._after: dict[bytes, bytes] = {}
        self._decode = msgspec.msgpack.Decoder(HostLessons).decode
        self._encode = msgspec.msgpack.Encoder().encode
        if keep and counters.parameters:
            self._keep()

    # What is asked for

    def verdict(self, host: bytes, place: bytes, row: UrlRow) -> str:
        """Return what becomes of a URL in the queue: empty if it is asked for, `SAME_PAGE`, or `STAND_BACK`."""
        url = row.url
        # Depth 0: a person or a sitemap names it.
        if "?" not in url or not row.depth or row.redirected_from or row.outcome or not self.apply:
            return ""
        known = self._known(host)
        if known is None or not known.learnt:
            return ""
        key, learnt = self._group_of(known, url)
        if not key or xxh3_64_intdigest(url.encode()) % _ASKED_ONE_IN == 0:
            return ""
        group = self._groups.get([key])[0]
        if learnt.issubset(group.met):
            return "" if self._is_named(url) else SAME_PAGE
        return STAND_BACK if bool(group.content) + self._out.count(key) > 1 and not is_late(place) else ""

    def hand_out(self, handed: Handed) -> None:
        """Learn that a task is handed out."""
        known = self._hosts.get(handed.host)
        if known is not None and known.learnt:
            group, _ = self._group_of(known, handed.task.url)
            if group:
                self._out.add(handed.task.key, group)

    def take_back(self, handed: Handed) -> None:
        """Learn that a task is handed out no more."""
        self._out.remove(handed.task.key)

    def leave_out(self, host: bytes, key: bytes, row: UrlRow) -> None:
        """End a URL of the queue that is not asked for; how it was reached counts for the page that stands for it."""
        known, value = self._known(host), self._store.urls.values([key])[0]
        if known is None or value is None:
            raise KeyError(key)
        group, learnt = self._group_of(known, row.url)
        reach = waiting(value)[1] if value[:1] == QUEUED else self._limits.reach(row)
        reason = f"{SAME_PAGE}: {', '.join(sorted(learnt))}"
        kept = None if self._elsewhere is None else self._elsewhere.kept(row.parent_url)
        row = replace(self._limits.at(row, reach), outcome="skipped", reason=reason, parent_url=kept)
        self._store.urls.put(key, REOPENABLE, row)
        self._groups.add_skipped(host, key)
        self._ways.append((self._groups.get([group])[0].first, reach))
        self._counters.queued -= 1
        self._counters.count("skipped", SAME_PAGE, 1)
        self._count(known, row.url, learnt, 1)

    def ways(self) -> list[tuple[bytes, Reach]]:
        """Return which pages stand for URLs that were left out since the call before, and how these were reached."""
        ways, self._ways = self._ways, []
        return ways

    def reached(self, host: bytes, url: str, way: Reach) -> None:
        """Learn of a way to a URL that is left out."""
        known = self._known(host)
        group = b"" if known is None else self._group_of(known, url)[0]
        if group:
            self._ways.append((self._groups.get([group])[0].first, way))

    # What is learnt

    def ended(self, handed: Handed, done: Done) -> None:
        """Learn what a URL has brought."""
        task, host = handed.task, handed.host
        if not self.apply or task.kind != "page" or handed.outcome:
            return
        known = self._known(host) if "?" in task.url else self._hosts.get(host)
        if known is None and "?" not in task.url:
            return  # nearly all
        brought, query = Brought.by(done), Query.of(task.url)
        if brought is None or query is None:
            return
        if known is None:
            known = self._hosts[host] = HostLessons()
        ways = Ways(*paths(query.start))
        if not ways.look:
            return
        for name in query.names - self._kept:
            known.admit(ways, name)
        if known.is_live(ways):
            for pair in self._evidence.take(known, ways, query, task.key, brought):
                self._learn(known, ways, handed, brought.content, pair)
            self._unsaved.add(host)

    def _learn(self, known: HostLessons, ways: Ways, handed: Handed, content: bytes, pair: Pair) -> None:
        """Count a pair: for the parameter in which it differs, or against all of those."""
        at = authority(handed.task.url)
        for name in pair.names - self._kept:
            if not pair.agree:
                for place in known.contradict(ways, name):
                    self._withdraw(handed.host, name, f"{at}{place}")
                continue
            look = xxh3_64_digest(ways.look.encode())[:_LOOK_BYTES]
            for place in known.agree(ways, name, content[:_PAGE_BYTES], pair.values, look):
                _log.info("%s%s: this parameter does not change a page", at, printable(place, SHOWN_CHARS))
            place = known.lesson(ways, name)
            tally = known.tallies.get(place)
            if tally is not None and tally.state == LEARNT:
                self._counters.learn(f"{at}{place}", tally.agreed, len(tally.pages))

    # What is taken back

    @property
    def takes_back(self) -> bool:
        """Whether URLs are to be made due again that were left out."""
        return bool(self._back)

    def opened(self, row: UrlRow) -> None:
        """Learn that a URL is due again that was left out."""
        host = self._store.keys.host(row.url)
        self._groups.remove_skipped(host, self._store.keys.url(row.url, "page"))
        known = self._known(host)
        if known is not None:
            self._count(known, row.url, row.reason.partition(": ")[2].split(", "), -1)

    def reopen(self, open_again: Callable[[bytes, UrlRow], None]) -> None:
        """Make some of the URLs due again that were left out for parameters which are taken back; no batch is open.

        A URL that was left out for others as well is judged anew when its turn comes.
        """
        host = next(iter(self._back))
        names = self._back[host]
        keys = self._groups.skipped(host, self._after.get(host, b""), _REOPENED_AT_ONCE)
        for key, value in zip(keys, self._store.urls.values(keys), strict=True):
            row = None if value is None or value[:1] != REOPENABLE else self._store.urls.row(value)
            if row is None or not is_same_page(row.reason):
                self._groups.remove_skipped(host, key)
            elif not names.isdisjoint(row.reason.partition(": ")[2].split(", ")):
                open_again(key, row)
        if len(keys) < _REOPENED_AT_ONCE:
            del self._back[host]
            self._after.pop(host, None)
        else:
            self._after[host] = keys[-1] + b"\0"
        self._back_changed = True
        self.save()

    def save(self) -> None:
        """Put what was learned into the open batch."""
        for host in self._unsaved:
            known = self._hosts[host]
            if known is not None:
                self._groups.put_lessons(host, self._encode(known))
        self._unsaved.clear()
        if self._back_changed:
            self._store.put_meta("taken_back", {host.hex(): sorted(names) for host, names in self._back.items()})
            self._back_changed = False

    def committed(self) -> None:
        """Learn that the open batch was committed."""
        if len(self._hosts) > _KEPT_HOSTS:
            self._hosts.clear()

    def _keep(self) -> None:
        """Take back what a person wants to count, on all hosts: the parameters of these names, or all."""
        names = {}
        for lesson in self._counters.parameters:
            at = lesson.partition("/")[0]
            names[self._store.keys.authority(at)] = at
        for host in list(self._groups.hosts_with_lessons()):
            known = self._known(host)
            if known is None:
                continue
            for place in [place for place, tally in known.tallies.items() if tally.state == LEARNT]:
                name = place.partition("?")[2]
                if not self.apply or name in self._kept:
                    known.count(place)
                    self._withdraw(host, name, f"{names.get(host, '')}{place}")
                    self._unsaved.add(host)

    def _is_named(self, url: str) -> bool:
        """Whether a person or a sitemap names a URL that was found before."""
        (value,) = self._store.urls.values([self._store.keys.url(url, "page")])
        return value is not None and value[:1] == QUEUED and waiting(value)[1] == _NAMED

    def _withdraw(self, host: bytes, name: str, lesson: str) -> None:
        _log.info("%s: this parameter counts after all; what was left out is asked for", printable(lesson, SHOWN_CHARS))
        self._counters.parameters.pop(lesson, None)
        self._back.setdefault(host, set()).add(name)
        self._after.pop(host, None)
        self._back_changed = True

    def _group_of(self, known: HostLessons, url: str) -> tuple[bytes, set[str]]:
        """Return the key of a URL's group, and the parameters that do not change it; both empty if all count."""
        query = Query.of(url)
        if query is None or not query.parameters:
            return b"", set()
        ways = Ways(*paths(query.start))
        learnt = {name for name in query.names - self._kept if known.state(ways, name) == LEARNT}
        return (self._store.keys.url(query.without(learnt), "page"), learnt) if learnt else (b"", learnt)

    def _count(self, known: HostLessons, url: str, names: Collection[str], change: int) -> None:
        query = Query.of(url)
        ways = Ways(*paths(query.start if query is not None else url))
        for name in names:
            self._counters.leave_out_for(f"{authority(url)}{known.lesson(ways, name)}", change)

    def _known(self, host: bytes) -> HostLessons | None:
        if host not in self._hosts:
            stored = self._groups.lessons(host)
            self._hosts[host] = None if stored is None else self._decode(stored)
        return self._hosts[host]


def is_same_page(reason: str) -> bool:
    """Whether a URL with this reason was left out since others of its group were asked for."""
    return reason.startswith(SAME_PAGE)
