"""What pages have promised: links to unknown URLs, until it is known whether these are pages that lead on."""

from msgspec import Struct

from crawler.core.model import Done, Task
from crawler.frontier.worth import BRINGS, worth
from crawler.web.traps import is_dated

__all__ = ["Looked", "Promises"]

_KEPT = 16_384


class Looked(Struct, gc=False):
    """A page that was looked at for a `site` (its key), and what was found on it: see `worth.worth`."""

    site: bytes
    task: Task
    says: str
    new: int
    waiting: int

    @property
    def worth(self) -> int:
        """What the page is worth, in halves."""
        return worth(self.task, self.says, self.new, self.waiting)


class Promises:
    """Pages that are to be judged again if what they promised is no page.

    State: the page on which each promised URL was found, of the last `_KEPT` URLs. After a crash, and of those before,
    it is as if each were a page: that costs a site credit, and gives it none.
    """

    def __init__(self) -> None:
        self._by: dict[bytes, Looked] = {}

    def made(self, page: Looked, urls: list[bytes]) -> None:
        """Learn of a page that leads to unknown URLs, by their keys.

        One whose URL ends in a date is judged once: each day of a calendar has a file, or a form that is forbidden.
        """
        if urls and page.worth < BRINGS and not is_dated(page.task.url):
            self._by.update(dict.fromkeys(urls, page))
            while len(self._by) > _KEPT:
                del self._by[next(iter(self._by))]

    def ended(self, url: bytes, done: Done) -> Looked | None:
        """Learn how a URL has ended; return the page on which it was found if that has promised less by it."""
        page = self._by.pop(url, None) if self._by else None
        return page if page is not None and _is_no_page(done) else None


def _is_no_page(done: Done) -> bool:
    """Whether a URL is a file, an error or out of bounds, and so no promise that a page was to keep."""
    if done.outcome == "fetched":
        return done.is_file or not 200 <= done.status < 300
    if done.outcome == "redirected":
        return all(link.skip for link in done.links)
    return done.outcome == "failed" or done.reason == "robots"
