"""What the coordinator does at the place of its job besides states: it takes orders to the whole crawl, and says in a
manifest what is public.
"""

import time

import msgspec

from crawler.ledger.inbox import Answer, put_at_ns
from crawler.shards.manifest import Manifests
from crawler.shards.orders import OrderBox
from crawler.shards.place import Place
from crawler.shards.state import ClusterState

__all__ = ["JobErrands"]


class JobErrands:
    """Looks at the place for orders to the whole crawl, which are to stop, and writes the manifest. One thread uses it,
    and it may block.

    State: when it was made, since what was ordered before was for a run before this one; and what the manifest knows.
    """

    def __init__(self, place: Place) -> None:
        self._orders = OrderBox(place, None)
        self._began_ns = time.time_ns()
        self._manifests = Manifests(place)

    def show(self, state: ClusterState) -> None:
        """Write what is public by a state: now and then, and at the end. Raises `StorageError`."""
        self._manifests.look(state)

    def is_told_to_stop(self) -> bool:
        """Take the orders that are there; return whether the crawl is to stop. Raises `StorageError`."""
        stops = False
        names, _ = self._orders.waiting()
        for name in names:
            try:
                change = self._orders.order(name).change
            except msgspec.MsgspecError:
                change = None
            is_stop = change is not None and change.do == "stop"
            refused = "" if is_stop else "it is no order to a whole crawl"
            stops = stops or (is_stop and put_at_ns(name) > self._began_ns)
            self._orders.answer(name, Answer(refused=refused))
            self._orders.remove(name)
        return stops
