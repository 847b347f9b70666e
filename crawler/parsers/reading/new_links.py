"""Which links of a page are news, and the verdict on each of them."""

from collections.abc import Iterable

from crawler.core.model import Link, Task
from crawler.web.scope import Scope
from crawler.web.traps import is_fixed, pattern, repeats
from crawler.web.urls import host_key, url_key

__all__ = ["NewLinks"]

_SENT_CHARS = 16 << 20
_SENT_ENTRY_CHARS = 150
# A way through pages that do not look alike may be so many times longer than a chain of pages that do.
_DEPTH_PER_CHAIN = 10


class NewLinks:
    """The links that one parser has sent on, and the rules by which it judges new ones.

    A link is sent once, and again only if it is found closer to a seed, or found to be followed after it was sent as
    skipped. `sent_chars` bounds the memory of that (default: about 100,000 ordinary URLs); past it, all is forgotten,
    which costs time and changes no outcome. `max_chain` is that of `CrawlConfig`; `obey` says that links which are not
    to be followed are not.
    """

    def __init__(self, scope: Scope, max_chain: int | None, *, obey: bool, sent_chars: int = _SENT_CHARS) -> None:
        self._scope = scope
        self._obey = obey
        self._max_chain = max_chain
        self._max_depth = None if max_chain is None else _DEPTH_PER_CHAIN * max_chain
        self._sent_chars = sent_chars
        self._left = sent_chars
        # URL -> smallest depth at which it was sent to be fetched, None = only sent as skipped.
        self._sent: dict[str, int | None] = {}

    def take(self, task: Task, hrefs: Iterable[tuple[str, bool]], *, nofollow: bool) -> tuple[Link, ...]:
        """Return those links of a task's page that are news to the frontier. Takes them for sent.

        `hrefs` are (URL in normal form, its `nofollow`); `nofollow` says that of all. `skip` of a link is the first
        that applies of: the verdict of scope; `trap`; `nofollow`. The page itself is no link.
        """
        depth = task.depth + 1
        anchors = task.seed.anchors
        sent = self._sent
        too_deep = self._max_depth is not None and depth > self._max_depth
        fresh: list[tuple[str, str, str]] = []
        leads_on = False
        for url, rel_nofollow in hrefs:
            before = sent.get(url, -1)
            if (before is not None and 0 <= before <= depth) or url == task.url:
                continue
            skip: str = self._scope.verdict(url, anchors, depth)
            if not skip and (too_deep or repeats(url)):
                skip = "trap"
            if skip and before != -1:
                continue
            last = "nofollow" if self._obey and (nofollow or rel_nofollow) else ""
            fresh.append((url, skip, last))
            leads_on = leads_on or (before == -1 and not skip and not last and is_fixed(url))
        # A page from which a page without a number is found is no link of an endless chain.
        links = self._judged(task, fresh, 0 if leads_on else task.chain)
        # Only now, when nothing can fail any more: what is marked as sent must be sent.
        for link in links:
            self._left -= 0 if link.url in sent else len(link.url) + _SENT_ENTRY_CHARS
        if self._left < 0:
            sent.clear()
            self._left = self._sent_chars - sum(len(link.url) + _SENT_ENTRY_CHARS for link in links)
        for link in links:
            sent[link.url] = None if link.skip else depth
        return tuple(links)

    def _judged(self, task: Task, fresh: list[tuple[str, str, str]], chain: int) -> list[Link]:
        """Give links (URL, reason to skip it, reason that counts after all others) their verdicts and chains.

        `chain` is that of the page; a link that looks like the page, or like the page before it, goes on with it.
        """
        alike: set[str] = set()
        links = []
        for url, reason, last in fresh:
            skip, link_chain = reason, 0
            # What has nothing in it that counts looks only like itself.
            if not skip and self._max_chain is not None and not is_fixed(url):
                if not alike:
                    alike = {pattern(task.url), pattern(task.parent or task.url)}
                if pattern(url) in alike:
                    link_chain = chain + 1
                    skip = "trap" if link_chain > self._max_chain else ""
            skip = skip or last
            if not skip or url not in self._sent:
                links.append(Link(url, url_key(url), host_key(url), skip=skip, chain=link_chain))
        return links
