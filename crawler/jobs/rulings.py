"""What decides on a URL: scope, filters, robots.txt. Found again from what the job keeps, by the code of a crawl."""

from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec import Struct

from crawler.core.config import CrawlConfig
from crawler.frontier.store import Store
from crawler.jobs.hosts import host_state, robots_of
from crawler.ledger.kept import settings_in
from crawler.web.robots import lifetime_s, rules_for
from crawler.web.robots_line import RobotsLine, deciding_line
from crawler.web.scope import Scope
from crawler.web.url_patterns import UrlPatterns
from crawler.web.urls import authority, folder, origin

__all__ = ["RobotsRuling", "Ruling", "Rulings", "date_of"]

_SHOWN_ANCHORS = 3


class Ruling(Struct, frozen=True):
    """Whether a rule lets a URL pass, and the rule in words."""

    allows: bool
    text: str


class RobotsRuling(Struct, frozen=True, kw_only=True):
    """What a robots.txt says of a URL: its origin, its status, and the unix time at which it was asked for.

    `line` is the one that decides, None if none says anything of the URL.
    """

    allows: bool
    text: str
    origin: str
    status: int
    asked_at: float
    line: RobotsLine | None = None


class Rulings:
    """Judges URLs as the job's last run would have done. Has no state but its settings."""

    def __init__(self, store: Store) -> None:
        kept = settings_in(store)
        self._store = store
        self.config = CrawlConfig(**({} if kept is None else dict(kept.settings)))
        self._scope = Scope(self.config.scope)

    def scope(self, url: str, anchors: Sequence[str]) -> Ruling:
        """Say whether a URL is in the scope that is measured from these anchors."""
        kind = self.config.scope
        of = {"host": authority, "prefix": folder, "domain": self._scope.place}.get(kind, str)
        shown = ", ".join(list(dict.fromkeys(map(of, anchors)))[:_SHOWN_ANCHORS])
        if self._scope.covers(url, tuple(anchors)):
            return Ruling(True, "--scope any follows all links" if kind == "any" else f"--scope {kind}: {shown}")
        if kind == "page":
            return Ruling(False, "--scope page follows no links")
        what = {"host": "the host", "prefix": "what is below", "domain": "the domain"}[kind]
        return Ruling(False, f"--scope {kind} takes {what} {shown} alone")

    def filters(self, url: str) -> Ruling:
        """Say whether --include and --exclude let a URL pass, and which pattern decides."""
        include, exclude = self.config.include, self.config.exclude
        costly = {pattern for pattern, _ in UrlPatterns((*include, *exclude)).costly}
        if any(pattern in costly for pattern in (*include, *exclude)):
            return Ruling(True, "a pattern of --include or --exclude may take for ever: only parsers judge it")
        if include:
            found = [one for one in include if UrlPatterns([one]).found(url)]
            if not found:
                return Ruling(False, f"--include: none of {', '.join(map(repr, include))} is found in it")
        excluded = [one for one in exclude if UrlPatterns([one]).found(url)]
        if excluded:
            return Ruling(False, f"--exclude {excluded[0]!r} is found in it")
        return Ruling(True, "no --include or --exclude stands in its way")

    def robots(self, url: str) -> RobotsRuling | None:
        """Say what the robots.txt of its origin says of a URL, as it was kept last; None if none was asked for."""
        host, of = authority(url), origin(url)
        answer = robots_of(self._store, host, host_state(self._store, host), of)
        if answer is None:
            return None
        asked_at = answer.expires_at - lifetime_s(answer.status)
        allows, line = rules_for(answer).allows(url, self.config.user_agent), None
        file = f"{of}/robots.txt of {date_of(asked_at)}"
        if answer.is_unreachable:
            text = f"{file} could not be had (status {answer.status or 'none'}), which closes the host"
        elif not 200 <= answer.status < 300:
            text = f"{file} is not there (status {answer.status}): everything is allowed"
        else:
            line = deciding_line(answer.body, url, self.config.user_agent)
            text = _said(file, line)
        if self.config.robots == "ignore":
            allows, text = True, f"{text}; --robots ignore asks all the same"
        return RobotsRuling(allows=allows, text=text, origin=of, status=answer.status, asked_at=asked_at, line=line)


def date_of(unix_time: float) -> str:
    """Return a time for people, in UTC."""
    return datetime.fromtimestamp(unix_time, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _said(file: str, line: RobotsLine | None) -> str:
    if line is None:
        return f"{file}: no line speaks of it"
    verb = "allows" if line.allows else "denies"
    if not line.number:
        return f"{file} {verb} everything: it has {line.text}"
    return f"{file}, line {line.number} {verb} it: {line.text!r} (group of {line.agent})"
