"""How hosts answer: what grade each has, and how long a request of its may last."""

from collections.abc import Callable

from crawler.core.model import Failure
from crawler.fetcher.host import Host
from crawler.fetcher.pace import ContactTime, Grade
from crawler.fetcher.slots import GAVE_WAY
from crawler.fetcher.transport.base import FetchResult

__all__ = ["Paces"]


class Paces:
    """Judges hosts by their `Pace` and their silence.

    `in_flight(name)` counts the requests of a host under way, of which it may have `per_host`.

    State, of the event loop's thread alone: how long first answers take. Of each `Host` it writes `pace`.
    """

    def __init__(self, in_flight: Callable[[str], int], per_host: int) -> None:
        self._per_host = per_host
        self._in_flight = in_flight
        self._contact_time = ContactTime()

    def grade(self, host: Host) -> Grade:
        """Return what is known of how a host answers."""
        if host.silence is not None:
            return Grade.SILENT if host.silence.slept else Grade.SLOW
        pace = host.pace
        if pace.is_slow:
            return Grade.SLOW
        if pace.answers > self._per_host or pace.answers > self._in_flight(host.name):
            return Grade.ANSWERING
        return Grade.UNHEARD

    def patience_s(self, host: Host) -> float:
        """Return how long a request to a host may last before it is to give way to others."""
        patience_s = host.pace.patience_s(self._contact_time.usual_s)
        return patience_s if host.silence is None else max(patience_s, 2 * host.silence.listened_s)

    def learn(self, host: Host, result: FetchResult | Failure, took_s: float) -> None:
        """Learn what a request to a host came to, after so many seconds."""
        if result is GAVE_WAY:
            host.pace.hurried()
        elif isinstance(result, Failure) and not result.answered:
            host.pace.unanswered()
        else:
            if not host.pace.answers:
                self._contact_time.learn(took_s)
            host.pace.answered(took_s)
