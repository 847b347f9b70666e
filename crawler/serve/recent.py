"""What ended last: pages, and what went wrong."""

import threading
from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Final

import msgspec
from msgspec import Struct

from crawler.core.model import Finished
from crawler.core.printable import printable

__all__ = ["Ended", "Recent"]

_ERRORS: Final = 100
_PAGES: Final = 50
_URL_CHARS: Final = 2_048
_TITLE_CHARS: Final = 200
_RECORD_BYTES: Final = 1 << 20
"""The title of a larger record is not looked for."""


class Ended(Struct, frozen=True):
    """A URL that has ended. `number` counts them, `at` is unix time; `what` is its status, or why there is none."""

    number: int
    at: float
    url: str
    what: str
    title: str = ""


class Recent:
    """The last errors and pages of a run. `take` is called in the ledger's thread, all else in the event loop's.

    Errors are URLs that failed, and answers of 400 and above. Pages are only kept while somebody looks (`watched`),
    since their titles have to be read.

    State, under the lock: both lists and the number of the last one.
    """

    def __init__(self) -> None:
        self.watched = False
        self._lock = threading.Lock()
        self._number = 0
        self._errors: deque[Ended] = deque(maxlen=_ERRORS)
        self._pages: deque[Ended] = deque(maxlen=_PAGES)

    def take(self, finished: Sequence[Finished]) -> None:
        """Note what has ended with a commit."""
        errors = [one for one in finished if (one.outcome == "failed" or one.status >= 400) and one.url]
        pages = _last_pages(finished) if self.watched else ()
        with self._lock:
            for one in errors[-_ERRORS:]:
                self._errors.append(self._noted(one))
            for one in pages:
                self._pages.append(self._noted(one, _title(one)))

    def since(self, number: int) -> tuple[int, list[Ended], list[Ended]]:
        """Return errors and pages after a number, oldest first, and the number from which to go on."""
        with self._lock:
            errors = [one for one in self._errors if one.number > number]
            pages = [one for one in self._pages if one.number > number]
            return self._number, errors, pages

    def _noted(self, one: Finished, title: str = "") -> Ended:
        self._number += 1
        what = str(one.status) if one.outcome == "fetched" else one.reason
        return Ended(self._number, one.at, printable(one.url, _URL_CHARS), printable(what), title)


def _last_pages(finished: Sequence[Finished]) -> list[Finished]:
    """Return the last pages that were read, the oldest first."""
    read = (one for one in reversed(finished) if one.url and one.outcome == "fetched" and one.kind == "page")
    return list(islice(read, _PAGES))[::-1]


class _Titled(Struct):
    """What of a record is shown."""

    title: str | None = None


_read: Final = msgspec.json.Decoder(_Titled).decode


def _title(one: Finished) -> str:
    """Return the title in a page's first record; a spider's may have none, or something else there."""
    records = one.records or b""
    end = records.find(b"\n")
    if not 0 < end <= _RECORD_BYTES:
        return ""
    try:
        return printable(_read(records[:end]).title or "", _TITLE_CHARS)
    except msgspec.DecodeError:  # it is no object, or its title no text
        return ""
