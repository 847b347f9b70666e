"""Which links of a page are news, and the verdict on each of them."""

from collections.abc import Iterable

from crawler.core.model import Link, Task
from crawler.web.scope import Scope
from crawler.web.traps import is_fixed, pattern, repeats

__all__ = ["NewLinks"]

_SENT_CHARS = 16 << 20
_SENT_ENTRY_CHARS = 150
# How a link was sent, as one number. Negative: as skipped. Of a URL without a number in it: how far it is. Else a mark,
# how far it is, its chain, and the number of its pattern.
_SKIPPED = {"filter": -4, "trap": -3, "nofollow": -2, "scope": -1}
_PATTERN_BITS, _CHAIN_BITS, _FAR_BITS = 28, 24, 18
_MOST_PATTERNS, _MOST_CHAIN, _MOST_FAR = (1 << _PATTERN_BITS) - 1, (1 << _CHAIN_BITS) - 1, (1 << _FAR_BITS) - 1
_CHAIN_MASK = _MOST_CHAIN << _PATTERN_BITS
_NUMBERED = 1 << (_PATTERN_BITS + _CHAIN_BITS + _FAR_BITS)


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
        self._patterns: dict[str, int] = {}

    def take(self, task: Task, hrefs: Iterable[tuple[str, bool]], *, nofollow: bool) -> tuple[Link, ...]:
        """Return those links of a task's page that are news to the frontier. Takes them for sent.

        `hrefs` are (URL in normal form, its `nofollow`); `nofollow` says that of all. `skip` of a link is the first
        that applies of: the verdict of scope; `trap`, of a URL that repeats itself; `nofollow`. The page itself is not
        a link.
        """
        sent = self._sent
        far = min(task.far + 1, _MOST_FAR)
        near, chain = min(task.far + self._per_alike, _MOST_FAR), min(task.chain + 1, _MOST_CHAIN)
        farther = _numbered(far + 1, 0, 0)
        own = 0
        news: list[tuple[Link, int]] = []
        for url, rel_nofollow in hrefs:
            before = sent.get(url)
            if before is not None and 0 <= before <= far:
                continue  # most links of a site
            if before is not None and before >= _NUMBERED:
                own = own or self._pattern(task.url)
                alike = before & _MOST_PATTERNS == own
                # The first is the second without a call, for nearly all that have a number in them.
                if (not (alike or before & _CHAIN_MASK) and before < farther) or _as_good(
                    before, near if alike else far, chain if alike else 0
                ):
                    continue
            if url == task.url:
                continue
            skip = self._skip(url, task, nofollow=nofollow or rel_nofollow)
            alike = False
            if skip:
                how = _SKIPPED[skip]
            elif not self._chains or is_fixed(url):
                how = far
            else:
                own = own or self._pattern(task.url)
                number = self._pattern(url)
                alike = number == own
                how = _numbered(near if alike else far, chain if alike else 0, number)
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
            self._patterns.clear()
            self._left = self._sent_chars
        return tuple(link for link, _ in news)

    def _pattern(self, url: str) -> int:
        """Return a number, at least 1, that two URLs have in common if they are alike (`web.traps.alike`)."""
        if is_fixed(url):
            return _MOST_PATTERNS + 1  # no other's
        text = pattern(url).rstrip("/")
        number = self._patterns.get(text)
        if number is None:
            number = self._patterns[text] = len(self._patterns) + 1
            self._left -= len(text) + _SENT_ENTRY_CHARS
        return number

    def _skip(self, url: str, task: Task, *, nofollow: bool) -> str:
        verdict = self._scope.verdict(url, task.seed.anchors, 0)
        return verdict or ("trap" if repeats(url) else "nofollow" if nofollow and self._obey else "")


def _numbered(far: int, chain: int, number: int) -> int:
    return _NUMBERED | far << (_CHAIN_BITS + _PATTERN_BITS) | chain << _PATTERN_BITS | number


def _reach(how: int) -> tuple[int, int]:
    return (how >> (_CHAIN_BITS + _PATTERN_BITS)) & _MOST_FAR, (how >> _PATTERN_BITS) & _MOST_CHAIN


def _as_good(before: int, far: int, chain: int) -> bool:
    """Whether a URL with a number in it was sent from as near, and with as short a chain."""
    known_far, known_chain = _reach(before)
    return known_far <= far and known_chain <= chain


def _better(before: int, how: int) -> int:
    """Return as what a link counts that is sent in two ways: both numbers count for themselves."""
    if before < 0 or how < 0:
        return max(before, how)
    if how < _NUMBERED:
        return min(before, how)
    (far, chain), (known_far, known_chain) = _reach(how), _reach(before)
    return _numbered(min(far, known_far), min(chain, known_chain), how & _MOST_PATTERNS)
