"""Which links of a page are news, and the verdict on each of them."""

from collections.abc import Iterable

from crawler.core.model import Link, Task
from crawler.web.scope import Scope
from crawler.web.traps import is_fixed, pattern, repeats

__all__ = ["NewLinks"]

_SENT_CHARS = 16 << 20
_SENT_ENTRY_CHARS = 150
# How a link was sent, as one number: how far it is, its chain, whether there is a number in it. Negative: as skipped.
_MOST_CHAIN = (1 << 24) - 1
_NUMBERED = 1
_CHAIN = _MOST_CHAIN << 1
_FAR_SHIFT = 25
_SKIPPED = {"filter": -4, "trap": -3, "nofollow": -2, "scope": -1}


class NewLinks:
    """The links that one parser has sent on, and the rules by which it judges new ones.

    A link is sent once, and again only if that could make a difference to the frontier: if it is found nearer (see
    `frontier.reach`), or with a better verdict. So what one parser has sent changes no outcome. `sent_chars` bounds the
    memory of that (default: about 100,000 ordinary URLs); past it, all is forgotten, which costs time. `by_depth` says
    that there is a limit on depth, `max_chain` is that of `CrawlConfig`; `obey` says that links which are not to be
    followed are not.
    """

    def __init__(
        self, scope: Scope, max_chain: int | None, *, by_depth: bool, obey: bool, sent_chars: int = _SENT_CHARS
    ) -> None:
        self._scope = scope
        self._obey = obey
        self._chains = max_chain is not None
        self._per_alike = int(by_depth)
        self._sent_chars = sent_chars
        self._left = sent_chars
        self._sent: dict[str, int] = {}

    def take(self, task: Task, hrefs: Iterable[tuple[str, bool]], *, nofollow: bool) -> tuple[Link, ...]:
        """Return those links of a task's page that are news to the frontier. Takes them for sent.

        `hrefs` are (URL in normal form, its `nofollow`); `nofollow` says that of all. `skip` of a link is the first
        that applies of: the verdict of scope; `trap`, of a URL that repeats itself; `nofollow`. The page itself is not
        a link.
        """
        sent = self._sent
        # The best that a link of this page can be: one that does not look like the page, and any.
        other = (task.far + 1) << _FAR_SHIFT
        nearest = (task.far + self._per_alike) << _FAR_SHIFT | _NUMBERED
        own = ""
        news: list[tuple[Link, int]] = []
        for url, rel_nofollow in hrefs:
            before = sent.get(url)
            # Most links of a site end here. A negative number has all higher bits.
            if before is not None and (
                (before <= other and not before & (_NUMBERED | _CHAIN)) or (before <= nearest and not before & _CHAIN)
            ):
                continue
            if url == task.url:
                continue
            skip = self._skip(url, task, nofollow=nofollow or rel_nofollow)
            alike = False
            if not skip and self._chains and not is_fixed(url):
                own = own or pattern(task.url).rstrip("/")
                alike = pattern(url).rstrip("/") == own
            how = _SKIPPED[skip] if skip else self._how(url, task, alike=alike)
            if before is not None:
                how = _better(before, how)
            if how != before:
                news.append((Link(url, skip=skip, alike=alike), how))
        # Only now, when nothing can fail any more: what is marked as sent must be sent.
        for link, how in news:
            self._left -= 0 if link.url in sent else len(link.url) + _SENT_ENTRY_CHARS
            sent[link.url] = how
        if self._left < 0:
            sent.clear()
            self._left = self._sent_chars
        return tuple(link for link, _ in news)

    def _skip(self, url: str, task: Task, *, nofollow: bool) -> str:
        verdict = self._scope.verdict(url, task.seed.anchors, 0)
        return verdict or ("trap" if repeats(url) else "nofollow" if nofollow and self._obey else "")

    def _how(self, url: str, task: Task, *, alike: bool) -> int:
        """Return how a link of a page is sent that may be followed."""
        if alike:
            chain = min(task.chain + 1, _MOST_CHAIN)
            return (task.far + self._per_alike) << _FAR_SHIFT | chain << 1 | _NUMBERED
        return (task.far + 1) << _FAR_SHIFT | (self._chains and not is_fixed(url))


def _better(before: int, how: int) -> int:
    """Return as what a link counts that is sent in two ways: both numbers count for themselves."""
    if before < 0 or how < 0:
        return max(before, how)
    return min(before >> _FAR_SHIFT, how >> _FAR_SHIFT) << _FAR_SHIFT | min(before & _CHAIN, how & _CHAIN) | how & 1
