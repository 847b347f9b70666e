"""Whether nothing is left to do, and what is done then: looks at what was left out (`frontier.second_look`)."""

from crawler.core.counters import Counters
from crawler.frontier.handed import Handed
from crawler.frontier.leftovers import Leftovers
from crawler.frontier.looks import Looks
from crawler.frontier.second_look import SecondLook
from crawler.frontier.store import Store
from crawler.frontier.window import Window

__all__ = ["Rest"]

_ENDED_AT_ONCE = 1_024
"""Most URLs that end in one step because their hosts may have no more pages."""


class Rest:
    """A frontier at rest. Part of it. Has no state.

    A job by itself takes a look as soon as it is at rest. A shard waits until that is called (`frontier.looks`), since
    others may still find something for it. `looks` are those of a shard, None without any.
    """

    def __init__(
        self,
        store: Store,
        counters: Counters,
        window: Window,
        second_look: SecondLook,
        *,
        leftovers: Leftovers,
        looks: Looks | None,
    ) -> None:
        self._store = store
        self._counters = counters
        self._window = window
        self._second_look = second_look
        self._leftovers = leftovers
        self._looks = looks

    @property
    def is_on(self) -> bool:
        """Whether no URL is due, but for those of hosts that are given up for this run."""
        return self._counters.queued == 0 or (self._counters.retrying == 0 and self._window.stranded)

    @property
    def wants_look(self) -> bool:
        """Whether something may come of a look."""
        return self._second_look.is_due or self._window.has_leftovers

    @property
    def may_look(self) -> bool:
        """Whether a look may be taken, once it is at rest."""
        return self._looks is None or self._looks.is_called

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to do but to look, unless a look is called that was not taken yet."""
        is_called = self._looks is not None and self._looks.is_called
        return self.is_on and not self._counters.owed and not is_called

    @property
    def is_over(self) -> bool:
        """Whether no known URL is left that has not ended, and no record is owed."""
        return self._counters.queued == 0 and self._counters.owed == 0 and not self._second_look.is_due

    @property
    def is_stranded(self) -> bool:
        """Whether all known URLs that have not ended belong to hosts that are given up for this run."""
        return self._counters.queued > 0 and self.is_on and not self.wants_look

    def look(self) -> None:
        """Take the look that may be taken, once all is committed."""
        if self._looks is None:
            if self.is_on:
                self._second_look.take()
        elif self._looks.is_called:
            if not self.is_on:
                self._looks.take()  # this shard has fallen behind, and looks with the others next time
            elif not self._store.dirty and (self._second_look.is_due or not self._window.has_leftovers):
                self._looks.take()
                self._second_look.take()

    def left_over(self) -> list[tuple[Handed, str]]:
        """Take out some URLs that their hosts have no room for, with the reason of each, if it is time for that."""
        if not (self._window.has_leftovers and self.is_on) or self._second_look.is_due or not self.may_look:
            return []
        return self._leftovers.take(_ENDED_AT_ONCE)
