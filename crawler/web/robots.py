"""What a site's robots.txt, X-Robots-Tag and meta robots allow (RFC 9309 and the common extensions).

`written_rules` and `path_rules` match paths. Everything before that is decided here, because of what hostile and
careless files hold: which bytes are read, and which group is ours. Pure: nothing is fetched.
"""

import math
import re
from collections.abc import Iterable
from typing import ClassVar, Final, Literal, Self, get_args

from msgspec import Struct

from crawler.web.written_rules import WrittenRules

__all__ = [
    "MAX_CRAWL_DELAY_S",
    "MAX_ROBOTS_BYTES",
    "AgentRules",
    "RobotsAnswer",
    "RobotsRules",
    "directives",
    "lifetime_s",
    "names_agent",
    "product_token",
    "record_of",
    "rules_for",
]

MAX_ROBOTS_BYTES: Final = 500 * 1024
"""Bytes of a robots.txt that are read (RFC 9309 §2.5 asks for at least 500 KiB)."""

MAX_CRAWL_DELAY_S: Final = 3600.0
"""A longer Crawl-delay counts as this one."""

_MAX_AGENTS: Final = 16
_RULES_BYTES: Final = 256
_DAY_S: Final = 86_400.0
_UNREACHABLE_LIFETIME_S: Final = 600.0

_Kind = Literal["agent", "allow", "disallow", "delay", "sitemap"]
_KINDS: Final[tuple[_Kind, ...]] = get_args(_Kind)

# Common misspellings of Disallow and forms without a colon are understood too. Any other line is no record at all, so
# that it cannot end a group (RFC 9309 §2.2.4).
_RECORD = re.compile(
    r"(?:(?P<agent>user[-\s]?agent)|(?P<allow>allow)|(?P<disallow>diss?all?ow|disallaw|diasllow)"
    r"|(?P<delay>crawl[-\s]delay)|(?P<sitemap>site-?maps?))(?=[\s:]|$)\s*:?\s*(?P<value>.*)",
    re.IGNORECASE | re.DOTALL,
)
_BLANKS: Final = " \t\v\f"
_USUAL: Final[dict[str, _Kind]] = {
    **dict.fromkeys(("User-agent", "User-Agent", "user-agent"), "agent"),
    **dict.fromkeys(("Allow", "allow"), "allow"),
    **dict.fromkeys(("Disallow", "disallow"), "disallow"),
    **dict.fromkeys(("Crawl-delay", "Crawl-Delay", "crawl-delay"), "delay"),
    **dict.fromkeys(("Sitemap", "sitemap"), "sitemap"),
}
"""Names before a colon as nearly all lines have them: for these no expression is needed."""
_DISALLOW: Final = "Disallow: /"
_ALLOW: Final = "Allow: /"
"""How nearly all rules begin. Such lines are read many at a time."""
_COMMENT = re.compile(r"#[^\r\n]*")
_TOKEN = re.compile(r"[A-Za-z0-9_-]+")
_COMPATIBLE = re.compile(r"mozilla/[0-9.]+ \(compatible; *([A-Za-z0-9_-]+)", re.IGNORECASE)
_DIRECTIVES_WITH_VALUE = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})


class RobotsAnswer(Struct, frozen=True):
    """What a request for a robots.txt came to, as the store keeps it.

    `status` is that of the last answer after redirects (RFC 9309 §2.3.1.2: five are followed), 0 if there was none.
    `body` is decoded from its Content-Encoding; more than `MAX_ROBOTS_BYTES` of it need not be kept.
    `expires_at` is unix time in seconds (see `lifetime_s`). `apart`: the body is kept in a row of its own.
    """

    status: int
    body: bytes
    expires_at: float
    apart: bool = False

    @property
    def is_unreachable(self) -> bool:
        """Whether the server could not say what it allows (RFC 9309 §2.3.1.4)."""
        return _is_unreachable(self.status)


def lifetime_s(status: int) -> float:
    """Seconds for which an answer with this status (0 = unreachable) holds.

    A day (RFC 9309 §2.4); 10 minutes where the site is closed only because the server could not say.
    """
    return _UNREACHABLE_LIFETIME_S if _is_unreachable(status) else _DAY_S


def _is_unreachable(status: int) -> bool:
    return status == 429 or not 200 <= status < 500


class AgentRules(Struct, frozen=True):
    """What one agent may ask for, and how often: no text of the file is held. `delay_s` is its Crawl-delay, if any."""

    paths: WrittenRules
    delay_s: float | None

    def allow(self, url: str) -> bool:
        """Say whether `url` (in normal form) may be fetched. Never raises.

        `path_rules` says how; robots.txt itself may always be asked for (RFC 9309 §2.2.2).
        """
        path = "/" + url.partition("://")[2].partition("/")[2].partition("#")[0]
        return self.paths.allow(path) or path.partition("?")[0] == "/robots.txt"

    @property
    def allow_all(self) -> bool:
        """Whether there are none."""
        return self.delay_s is None and self.paths.allow_all

    @property
    def size_bytes(self) -> int:
        """About what they take in memory."""
        return _RULES_BYTES + self.paths.size_bytes


class RobotsRules:
    """One parsed robots.txt.

    Immutable but for a bounded memo of what applies to the agents asked for; not for use from several threads.
    The groups of an agent are the ones that name its product token, all merged, else those for `*` (RFC 9309 §2.2.1).
    Crawl-delay, which the RFC does not define, holds for the agents named in its group before it and does not end
    the group (§2.2.4).
    """

    __slots__ = ("_by_agent", "_text")

    ALLOW_ALL: ClassVar["RobotsRules"]
    DISALLOW_ALL: ClassVar["RobotsRules"]

    def __init__(self, text: str) -> None:
        self._text = text
        self._by_agent: dict[str, AgentRules] = {}

    def __repr__(self) -> str:
        return f"RobotsRules({len(self._text)} characters)"

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read a robots.txt; never raises.

        UTF-8, in which an octet that is none stands for itself, as in a path (`%E9`). A byte-order mark is dropped. Cut
        after the last whole line of the first `MAX_ROBOTS_BYTES`: half a rule could disallow far more than the rule
        does.
        """
        if len(body) > MAX_ROBOTS_BYTES:
            body = body[:MAX_ROBOTS_BYTES]
            body = body[: max(body.rfind(b"\n"), body.rfind(b"\r")) + 1]
        return cls(body.decode("utf-8-sig", errors="surrogateescape"))

    def allows(self, url: str, user_agent: str) -> bool:
        """Say whether `user_agent` (a whole User-Agent value or a product token) may fetch `url` (in normal form)."""
        return self.of(user_agent).allow(url)

    def crawl_delay_s(self, user_agent: str) -> float | None:
        """Seconds of Crawl-delay for this agent, the largest if there are several, at most `MAX_CRAWL_DELAY_S`.

        None if there is none, or none that is a number of at least 0.
        """
        return self.of(user_agent).delay_s

    def of(self, user_agent: str) -> AgentRules:
        """Return what holds for one agent."""
        return self._by_agent.get(user_agent) or self._select(user_agent)

    @property
    def text(self) -> str:
        """What was read of the file. A surrogate stands for an octet that was not UTF-8."""
        return self._text

    @property
    def sitemaps(self) -> tuple[str, ...]:
        """Values of all Sitemap lines, as written, each once, in order. They hold for every agent."""
        values = (value for kind, value in map(record_of, _lines(self._text)) if kind == "sitemap" and value)
        return tuple(
            dict.fromkeys(value.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for value in values)
        )

    def _select(self, user_agent: str) -> AgentRules:
        """Find, and remember, the rules of one agent.

        Only those of the agent that is asked for: to copy each rule to every agent of its group, a file of 20,000
        agents and 20,000 rules would fill the memory.
        """
        name = product_token(user_agent).lower()
        own, others = _Group(), _Group()
        groups: list[_Group] = []
        after_rule = False
        lines = _lines(self._text)
        start = 0
        odd = [at for at, line in enumerate(lines) if line and line[:11] != _DISALLOW and line[:8] != _ALLOW]
        for at in (*odd, len(lines)):
            usual, start = lines[start:at], at + 1
            if any(usual):
                after_rule = True
                for group in groups:
                    group.add_all(usual)
            kind, value = record_of(lines[at]) if at < len(lines) else ("", "")
            if kind == "agent":
                if after_rule:
                    groups, after_rule = [], False
                if value.split(maxsplit=1)[:1] == ["*"]:
                    groups.append(others)
                elif names_agent(value, name):
                    own.named = True
                    groups.append(own)
            elif kind and kind != "sitemap":
                after_rule = after_rule or kind != "delay"
                for group in groups:
                    group.add(kind, value)
        group = own if own.named else others
        rules = AgentRules(WrittenRules(group.disallowed, group.allowed), group.delay_s)
        if len(self._by_agent) >= _MAX_AGENTS:
            self._by_agent.clear()
        self._by_agent[user_agent] = rules
        return rules


class _Group:
    """Collects the records of one agent while a file is read: its delay, and the patterns of its rules."""

    __slots__ = ("allowed", "delay_s", "disallowed", "named")

    def __init__(self) -> None:
        self.named = False
        self.delay_s: float | None = None
        self.disallowed: list[str] = []
        self.allowed: list[str] = []

    def add_all(self, usual: Iterable[str]) -> None:
        """Take lines that begin as nearly all rules do, or are empty."""
        self.disallowed += [line[10:] for line in usual if line[:1] == "D"]
        self.allowed += [line[7:] for line in usual if line[:1] == "A"]

    def add(self, kind: _Kind, value: str) -> None:
        if kind == "delay":
            delay_s = _delay_s(value)
            if delay_s is not None:
                self.delay_s = max(delay_s, self.delay_s or 0.0)
        elif value:
            (self.allowed if kind == "allow" else self.disallowed).append(value)


def _lines(text: str) -> list[str]:
    """Return the lines of a file without their comments."""
    return _COMMENT.sub("", text).replace("\r", "\n").split("\n")


def record_of(line: str) -> tuple[_Kind | Literal[""], str]:
    """Return what a line without a comment says, and of what kind that is: empty if it says nothing."""
    name, _, value = line.partition(":")
    if (kind := _USUAL.get(name)) is not None:
        return kind, value.lstrip().rstrip(_BLANKS)
    if (match := _RECORD.match(line.strip(_BLANKS))) is None:
        return "", ""
    return next(kind for kind in _KINDS if match[kind] is not None), match["value"]


def names_agent(value: str, name: str) -> bool:
    """Whether a User-agent line with this value names an agent, given by its product token in lower case."""
    return bool(name) and _first_token(value).lower() == name


def _delay_s(value: str) -> float | None:
    if not value.isascii():
        return None
    try:
        delay_s = float(value)
    except ValueError:
        return None
    return min(delay_s, MAX_CRAWL_DELAY_S) if math.isfinite(delay_s) and delay_s >= 0 else None


def _first_token(text: str) -> str:
    match = _TOKEN.match(text)
    return match[0] if match is not None else ""


def product_token(user_agent: str) -> str:
    """Name by which robots.txt knows a crawler: `crawler` for `crawler/0.1 (+https://…)`; empty if there is none.

    RFC 9309 §2.2.1 allows letters, `_` and `-`. Digits count as well: many agents that robots.txt files name have
    them, and a name cut at its digit would be somebody else's. `Mozilla/5.0 (compatible; name/1.0)` is `name`.
    """
    text = user_agent.strip()
    compatible = _COMPATIBLE.match(text)
    return compatible[1] if compatible is not None else _first_token(text)


def rules_for(answer: RobotsAnswer) -> RobotsRules:
    """Rules that an answer stands for (RFC 9309 §2.3.1).

    2xx: those in the body. Other 4xx, and 3xx (redirects that lead nowhere): everything is allowed. 429, 5xx, no
    answer and statuses that mean nothing: everything is disallowed until the answer expires.
    """
    if _is_unreachable(answer.status):
        return RobotsRules.DISALLOW_ALL
    if answer.status >= 300:
        return RobotsRules.ALLOW_ALL
    return RobotsRules.parse(answer.body)


def directives(header: str | Iterable[str] | None, meta: str | None, user_agent: str) -> frozenset[str]:
    """Which of "noindex" and "nofollow" a page asks of this agent; never raises.

    `header` is the value of X-Robots-Tag, or the values if it came several times (joined into one, the agent of the
    first would govern the second). In a value `name:` limits what follows it to the agent called so, up to the next
    such name. `meta` is the content of `<meta name="robots">`. Both ignore case; "none" is both, and a restriction
    wins over "all", "index" and "follow". Everything else is ignored.
    """
    found: set[str] = set()
    if meta is not None:
        _collect(meta.replace(",", " "), found)
    if header is not None:
        name = product_token(user_agent).lower()
        for value in (header,) if isinstance(header, str) else header:
            ours = True
            for item in value.split(","):
                prefix, colon, rest = item.partition(":")
                agent = prefix.strip().lower()
                if not colon:
                    rest = prefix
                elif agent in _DIRECTIVES_WITH_VALUE:
                    continue
                elif agent == "*" or _TOKEN.fullmatch(agent):
                    ours = agent in {"*", "robots", name}
                if ours:
                    _collect(rest, found)
    return frozenset(found)


def _collect(text: str, found: set[str]) -> None:
    for word in text.lower().split():
        if word == "none":
            found.update(("noindex", "nofollow"))
        elif word in {"noindex", "nofollow"}:
            found.add(word)


RobotsRules.ALLOW_ALL = RobotsRules("")
RobotsRules.DISALLOW_ALL = RobotsRules("user-agent: *\ndisallow: /")
