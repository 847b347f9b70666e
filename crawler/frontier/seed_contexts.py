"""What every URL inherits from the seed that led to it, at hand for those that are in use."""

import msgspec

from crawler.core.model import SeedContext
from crawler.frontier.store import Store

__all__ = ["SeedContexts"]

_KEPT = 4_096


class SeedContexts:
    """The contexts of one job's seeds.

    State: those that were read lately, those that the open batch changes, and those of them whose scope has `grown`.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: dict[int, SeedContext] = {}
        self._uncommitted: dict[int, SeedContext] = {}
        self.grown: set[int] = set()

    def get(self, number: int) -> SeedContext:
        """Return the context of a seed that was committed, or changed since."""
        context = self._kept.get(number)
        if context is None:
            if len(self._kept) >= _KEPT:
                self._kept.pop(next(iter(self._kept)))
            context = self._kept[number] = self._uncommitted.get(number) or self._store.seed(number)
        return context

    def put(self, context: SeedContext) -> None:
        """Keep the context of a seed that is added; a crawl that runs may need it before the commit."""
        self._uncommitted[context.number] = context
        self._store.put_seed(context)

    def anchor(self, number: int, url: str) -> bool:
        """Let the target of a redirected seed count as in scope from now on. False if it did."""
        context = self.get(number)
        if url in context.anchors:
            return False
        self._widen(context, url)
        self.grown.add(number)
        return True

    def learn(self, number: int, told: SeedContext) -> bool:
        """Take what another shard knows of a seed, which is `number` here. True if the scope of a known one grew."""
        try:
            known = self.get(number)
        except KeyError:
            self.put(msgspec.structs.replace(told, number=number))
            return False
        more = [anchor for anchor in told.anchors if anchor not in known.anchors]
        if not more:
            return False
        self._widen(known, *more)
        return True

    def committed(self) -> None:
        """Learn that the open batch was committed."""
        self._uncommitted.clear()
        self.grown.clear()

    def _widen(self, context: SeedContext, *anchors: str) -> None:
        context = msgspec.structs.replace(context, anchors=(*context.anchors, *anchors))
        self._kept[context.number] = context
        self.put(context)
