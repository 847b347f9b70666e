"""Which links a crawl follows: one verdict for each link, and the reason when the answer is no."""

from collections.abc import Sequence
from typing import Literal

from crawler.core.config import ScopeKind
from crawler.web.domains import Domains
from crawler.web.url_patterns import UrlPatterns
from crawler.web.urls import authority, folder

__all__ = ["Scope", "Verdict"]

Verdict = Literal["", "depth", "scope", "filter"]
"""Empty: follow the link. Else the reason (of outcome `skipped`) why not."""


class Scope:
    """What is in scope, from the settings of the same names in `CrawlConfig`.

    `kind` is measured from the anchors of a link (its seed, and the seed's redirect targets); one of them suffices:

    - `page`: nothing is in scope: seeds alone.
    - `prefix`: the URL starts with an anchor's folder, that is the anchor up to the last `/` of its path. Scheme, host
      and port must therefore be equal too.
    - `host`: same host and port; http and https on their default ports count as the same.
    - `domain`: same registrable domain by the Public Suffix List (its ICANN part: `github.io` is no suffix), whatever
      scheme and port. An unknown top-level domain counts as a suffix, as that list's algorithm says. IP addresses,
      names of one label and public suffixes must be equal themselves. The list is the one that came with tldextract;
      nothing is downloaded or cached on disk.
    - `any`: everything.

    `include` and `exclude` are regular expressions searched (`re.search`) in the normal form: one of `include`, if
    there are any, and none of `exclude` must be found. If one of them `is_costly`, only a parser process may ask for a
    verdict (see `web.url_patterns`). `depth` is the greatest depth followed, None = no limit.

    Immutable but for bounded memos. Raises `re.error` for a pattern that `CrawlConfig` refuses.
    """

    def __init__(
        self,
        kind: ScopeKind,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        depth: int | None = None,
    ) -> None:
        self._kind = kind
        self._include = UrlPatterns(include)
        self._exclude = UrlPatterns(exclude)
        self.is_costly = bool(self._include.costly or self._exclude.costly)
        self._depth = depth
        self._domains = Domains() if kind == "domain" else None

    def verdict(self, url: str, anchors: tuple[str, ...], depth: int) -> Verdict:
        """Return "" if the link to `url` (normal form) at `depth` is to be followed, else why not.

        The first of `depth`, `scope`, `filter` that applies. `anchors` are URLs in normal form. Never raises.
        """
        if self._depth is not None and depth > self._depth:
            return "depth"
        if not self._in_scope(url, anchors):
            return "scope"
        if self._include and not self._include.found(url):
            return "filter"
        if self._exclude and self._exclude.found(url):
            return "filter"
        return ""

    def covers(self, url: str, anchors: tuple[str, ...]) -> bool:
        """Whether a URL is in scope, whatever filters and depth say."""
        return self._in_scope(url, anchors)

    def place(self, url: str) -> str:
        """Return what two URLs have in common if one is in the scope of the other, and few others have."""
        return self._domains.of(url) if self._domains is not None else authority(url)

    def _in_scope(self, url: str, anchors: tuple[str, ...]) -> bool:
        if self._kind == "any":
            return True
        if self._kind == "prefix":
            return any(url.startswith(folder(anchor)) for anchor in anchors)
        if self._kind == "host":
            host = authority(url)
            return any(host == authority(anchor) for anchor in anchors)
        if self._domains is not None:
            domain = self._domains.of(url)
            return any(domain == self._domains.of(anchor) for anchor in anchors)
        return False
