"""Whether a URL that is due may be handed out, by what its host and its domain have had already."""

from crawler.core.model import Done
from crawler.core.steered import BLOCKED
from crawler.frontier.budgets import REPEATS, STAND_BACK, Budgets
from crawler.frontier.handed import Handed
from crawler.frontier.known import waiting
from crawler.frontier.page_limits import DOMAIN_LIMIT, HOST_LIMIT, PageLimits
from crawler.frontier.row import QUEUED, UrlRow, late_key
from crawler.frontier.same_pages import SAME_PAGE, SamePages
from crawler.frontier.store import Store

__all__ = ["HELD_BACK", "PASSING", "STAND_BACK", "Gate"]

HELD_BACK = frozenset({HOST_LIMIT, DOMAIN_LIMIT, REPEATS, BLOCKED})
"""Reasons with which URLs end that a host or a domain had no room for. A larger limit opens them again."""
PASSING = frozenset({STAND_BACK, SAME_PAGE})
"""Verdicts on a URL alone, which hold nothing else of its host back."""


class Gate:
    """Stands between the queue and the window: plain limits (`page_limits`), what sites may spend (`budgets`), and URLs
    of pages that are known already (`same_pages`).

    State: the hosts (by their keys) that a person has blocked. Nothing of theirs is handed out.
    """

    def __init__(self, store: Store, limits: PageLimits, budgets: Budgets, same_pages: SamePages) -> None:
        self._store = store
        self._limits = limits
        self._budgets = budgets
        self._same_pages = same_pages
        self._limited = limits.apply
        self._budgeted = budgets.apply
        self.blocked: frozenset[bytes] = frozenset()

    def verdict(self, host: bytes, place: bytes, row: UrlRow) -> str:
        """Return why a URL of a host may not be handed out now, empty if it may; of `PASSING` if that is its own alone:
        `STAND_BACK` if others come first, `SAME_PAGE` if it is to be left out.
        """
        if self.blocked and host in self.blocked:
            return BLOCKED
        why = self._limits.reason(host, row) if self._limited else ""
        why = why or self._same_pages.verdict(host, place, row)
        return why or (self._budgets.verdict(host, place, row) if self._budgeted else "")

    def most_at_once(self, host: bytes, most: int) -> int:
        """Return how many tasks of a host may be handed out at once, of so many."""
        own = self._budgets.most_at_once(host) if self._budgeted else None
        sampled = self._limits.tasks_at_once
        return min(most, most if own is None else own, most if sampled is None else sampled)

    def freed(self) -> list[bytes]:
        """Return the hosts that had to wait, and need not any more."""
        return self._budgets.freed() if self._budgeted else []

    def watched(self, host: bytes, key: bytes, row: UrlRow) -> str:
        """Return the site for which it is to be told what a page brings, empty if it need not be (`Task.watched`)."""
        return self._budgets.watched(host, key, row) if self._budgeted else ""

    def put_off(self, place: bytes, key: bytes, row: UrlRow) -> bytes:
        """Return the place of a URL that is to stand back, and note it where the URL is known."""
        late = late_key(place, key, self._budgets.stand_back(place[:8], row.url))
        value = self._store.urls.values([key])[0]
        if value is not None and value[:1] == QUEUED:
            self._store.urls.put_waiting(key, late, waiting(value)[1])
        return late

    def leave_out(self, place: bytes, key: bytes, row: UrlRow) -> None:
        """End a URL that is a page which is known already."""
        self._same_pages.leave_out(place[:8], key, row)

    def hand_out(self, handed: Handed) -> None:
        """Learn that a task is handed out."""
        self._same_pages.hand_out(handed)
        if self._limited:
            self._limits.hand_out(handed)
        if self._budgeted:
            self._budgets.hand_out(handed)

    def take_back(self, handed: Handed) -> None:
        """Learn that a task is handed out no more."""
        self._same_pages.take_back(handed)
        if self._limited:
            self._limits.take_back(handed)
        if self._budgeted:
            self._budgets.take_back(handed)

    def ended(self, handed: Handed, done: Done) -> None:
        """Learn how a task has ended, before what it leads to is known."""
        self._limits.ended(handed, done)
        self._budgets.ended(handed, done)
        self._same_pages.ended(handed, done)

    def save(self) -> None:
        """Put what was learned into the open batch."""
        self._limits.save()
        self._budgets.save()
        self._same_pages.save()

    def committed(self) -> None:
        """Learn that the open batch was committed."""
        self._limits.committed()
        self._budgets.committed()
        self._same_pages.committed()
