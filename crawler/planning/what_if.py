"""What other settings would have done to a job: its URLs, judged again. Nobody is asked for anything.

Rules are those of the crawl: scope and filters by the same code (`web.scope`), from the anchors of each URL's seed; the
depth at which it was found; how many pages a host may have. What was found on pages that would be left out goes with
them: the store knows of each URL the page where it was found first. Another page may lead there too, so what is behind
others is at most so many.

URLs are judged in the order in which the store has them, and then taken by depth: each comes after the page that led to
it. In between they lie in a temporary file, 58 bytes for each URL; memory holds the keys of those that are left out,
about 100 bytes each, and one entry for each host.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from crawler.core.config import CrawlConfig
from crawler.core.errors import ConfigError
from crawler.core.setting import Setting
from crawler.frontier.keyed_rows import keyed_rows
from crawler.frontier.store import Store
from crawler.jobs.known_rows import KnownRows
from crawler.jobs.opening import opened_store
from crawler.planning.by_depth import ByDepth, Judged
from crawler.planning.census import LeftOut
from crawler.planning.judge import ADMITTED, LEFT_OUT, PAGE, Judge

__all__ = ["JUDGED", "WhatIf", "changed", "what_if"]

JUDGED: Final = (
    "scope", "include", "exclude", "depth", "max_pages", "max_pages_per_host", "robots",
)  # fmt: skip
"""Settings that what a job keeps can be judged by."""
_EXAMPLES: Final = 3


class WhatIf(Struct, frozen=True, kw_only=True):
    """What other settings would have done to a job.

    `pages` it has, of which at least `kept` would be there, and at most `most_kept`; `urls` were asked for or are due.
    `left_out` counts those of them that a rule leaves out, `behind` those that were found on such pages first: maybe
    others lead there, too. `admitted`
    counts URLs that were left out then, by the reason, and would be asked for now; what they lead to nobody knows.
    `seconds` and `bytes` are what the job took, `kept_seconds` and `kept_bytes` what of it would be left, about.
    """

    job: str
    changes: dict[str, str]
    urls: int
    pages: int
    kept: int
    most_kept: int
    left_out: tuple[LeftOut, ...]
    behind: LeftOut
    admitted: tuple[LeftOut, ...]
    seconds: float
    kept_seconds: float
    bytes: int
    kept_bytes: float


def changed(config: CrawlConfig, given: Mapping[str, object], settings: Mapping[str, Setting]) -> CrawlConfig:
    """Return the settings of a job with others in their place.

    Raises `ConfigError` for one that cannot be judged by what a job keeps, and where nothing is another one.
    """
    others = {name: value for name, value in given.items() if getattr(config, name) != value}
    known = ", ".join(f"--{settings[name].name}" for name in JUDGED)
    for name in others:
        if name not in JUDGED:
            raise ConfigError(
                f"{name}: what a job keeps does not tell what another one would have done; it does for {known}"
            )
    if others.get("robots") == "obey":
        raise ConfigError("robots: a job that ignored robots.txt does not know what it says")
    if not others:
        raise ConfigError(f"nothing would be other than it was: name one of {known}")
    return CrawlConfig(**{name: getattr(config, name) for name in JUDGED} | others)


def what_if(folder: Path, config: CrawlConfig, changes: Mapping[str, str]) -> WhatIf:
    """Judge the URLs of the job in `folder` by `config`, of which only `JUDGED` counts; `changes` are told as given.

    Raises `JobError` and `StorageError` for a job that cannot be read, `ConfigError` for a pattern that only a parser
    process may judge.
    """
    with opened_store(folder) as store, ByDepth() as by_depth:
        judge = Judge(config, store)
        hosts = _Hosts()
        for key, row in keyed_rows(store):
            judged = judge.judged(key, row)
            if judged is not None:
                by_depth.put(row.depth, judged)
                hosts.met(judged.host, row.at if judged.kind != ADMITTED else 0.0)
        counts = _Counts(config, hosts)
        for judged in by_depth.all():
            counts.take(judged)
        counters = store.meta("counters") or {}
        pages, size = counters.get("pages", 0), counters.get("bytes", 0)
        seconds = sum(_runs(store).values()) or hosts.longest_s
        kept = counts.pages if config.max_pages is None else min(counts.pages, config.max_pages)
        most = counts.pages + counts.pages_behind
        most = most if config.max_pages is None else min(most, config.max_pages)
        if kept < counts.pages:
            counts.left_out["max-pages"] += counts.pages - kept
        return WhatIf(
            job=str(folder),
            changes=dict(changes),
            urls=counts.urls,
            pages=pages,
            kept=min(kept, pages),
            most_kept=min(pages, most),
            left_out=_told(store, counts.left_out, counts.examples),
            behind=next(iter(_told(store, {"behind": counts.behind}, counts.examples)), LeftOut("behind", 0)),
            admitted=_told(store, counts.admitted, counts.examples),
            seconds=seconds,
            kept_seconds=seconds * hosts.share * (kept / counts.pages if kept < counts.pages else 1.0),
            bytes=size,
            kept_bytes=size * kept / pages if pages else 0.0,
        )


class _Hosts:
    """When each host was asked, and how much of that is kept. State: four numbers for each host."""

    def __init__(self) -> None:
        self._hosts: dict[bytes, list[float]] = {}

    def met(self, host: bytes, at: float) -> None:
        """Learn that a URL of a host ended."""
        if not at:
            return
        known = self._hosts.get(host)
        if known is None:
            self._hosts[host] = [at, at, 1, 0]
            return
        known[0], known[1] = min(known[0], at), max(known[1], at)
        known[2] += 1

    def keep(self, host: bytes) -> None:
        """Learn that a URL of a host is kept."""
        if (known := self._hosts.get(host)) is not None:
            known[3] += 1

    @property
    def longest_s(self) -> float:
        """Seconds from the first end at a host to the last, at the host where that is longest."""
        return max((last - first for first, last, _, _ in self._hosts.values()), default=0.0)

    @property
    def share(self) -> float:
        """What share of the job's time is left: the slowest host ends it, before and after."""
        before = self.longest_s
        after = max(((last - first) * kept / met for first, last, met, kept in self._hosts.values()), default=0.0)
        if before:
            return after / before
        met = sum(host[2] for host in self._hosts.values())
        return sum(host[3] for host in self._hosts.values()) / met if met else 0.0


class _Counts:
    """What became of the URLs. State: the counts, the keys of what is left out, and of a few examples."""

    def __init__(self, config: CrawlConfig, hosts: _Hosts) -> None:
        self._most = config.max_pages_per_host
        self._hosts = hosts
        self._gone: set[bytes] = set()
        self._of_host: defaultdict[bytes, int] = defaultdict(int)
        self.urls = self.pages = self.behind = self.pages_behind = 0
        self.left_out: defaultdict[str, int] = defaultdict(int)
        self.admitted: defaultdict[str, int] = defaultdict(int)
        self.examples: defaultdict[str, list[bytes]] = defaultdict(list)

    def take(self, one: Judged) -> None:
        """Count a URL; all that may have led to it were taken before."""
        is_behind = one.parent in self._gone or one.hop in self._gone
        if one.kind == ADMITTED:
            if not is_behind:
                self.admitted[one.rule] += 1
                self._example(one.rule, one.key)
            return
        self.urls += 1
        rule = one.rule if one.kind == LEFT_OUT else ""
        if not rule and not is_behind and one.kind == PAGE and self._most is not None:
            self._of_host[one.host] += 1
            rule = "host-limit" if self._of_host[one.host] > self._most else ""
        if rule:
            self.left_out[rule] += 1
            self._example(rule, one.key)
        elif is_behind:
            self.behind += 1
            self.pages_behind += one.kind == PAGE
            self._example("behind", one.key)
        else:
            self.pages += one.kind == PAGE
            self._hosts.keep(one.host)
            return
        self._gone.add(one.key)

    def _example(self, rule: str, key: bytes) -> None:
        if len(self.examples[rule]) < _EXAMPLES:
            self.examples[rule].append(key)


def _told(store: Store, counts: Mapping[str, int], examples: Mapping[str, list[bytes]]) -> tuple[LeftOut, ...]:
    ordered = sorted(((rule, number) for rule, number in counts.items() if number), key=lambda one: (-one[1], one[0]))
    return tuple(LeftOut(rule, number, tuple(_urls(store, examples.get(rule, [])))) for rule, number in ordered)


def _urls(store: Store, keys: list[bytes]) -> Iterator[str]:
    for found in KnownRows(store).find(keys):
        if found is not None and found.row is not None:
            yield found.row.url


def _runs(store: Store) -> dict[int, float]:
    """Return how many seconds each run took; none of a job of an earlier version, which has no samples."""
    return {sample.run: sample.stats.elapsed_s for sample in store.samples.all()}
