"""What limits a crawl, judged over the time between two snapshots: pure. `judge` keeps the verdict still.

Stages are judged from the ledger backwards, because a stage that cannot keep up fills the one before it: parsers
that wait for a slow ledger look as full as parsers that are slow themselves. Whether a stage is full is told by
counters that add up how long it was at what, not by a look at one moment: between the end of a request and the start
of the next one, nothing seems to hold a host that has had all of its requests under way for an hour.
"""

from collections.abc import Mapping
from typing import Final, Literal

from msgspec import Struct

from crawler.core.printable import printable
from crawler.core.quantity import count, count_of, duration, share, size
from crawler.core.rate import Rates, rates
from crawler.core.stats import CrawlStats, SilentHost
from crawler.ring.who_holds import who_holds

__all__ = ["Bottleneck", "Stage", "bottleneck", "limits_of_run", "silent_hosts"]

Stage = Literal[
    "starting",
    "paused",
    "consumer",
    "output",
    "disk",
    "ledger",
    "parsers",
    "memory",
    "main process",
    "concurrency",
    "per-host",
    "per-address",
    "delay",
    "Crawl-delay",
    "back-off",
    "retries",
    "silent hosts",
    "few URLs",
    "frontier",
    "nothing left",
]

MIN_SPAN_S = 0.5
"""With less time between two snapshots, shares of it are noise."""
LEDGER_BACKLOG = 2_000
"""Results waiting for the ledger that are more than it takes in two commits (one takes about 1,000)."""
BUSY_SHARE = 0.9
PARSERS_BUSY_SHARE = 0.85
PARSE_BACKLOG_SHARE = 0.8
HALF = 0.5
NOTHING: Final = "nothing"
"""Stands in `CrawlStats.held_s` for the time in which no host was held."""
_OFTEN: Final = 0.2
"""What held hosts for this part of the time may be the limit; for less, it did so by chance,"""
_SELDOM: Final = 0.02
"""unless nothing else is to be found."""
_LATE: Final = 0.2
FETCHING_SHARE = 0.95
HELD_SHARE = 0.9
HOLDING_SHARE = 0.1
"""Requests without an answer are spoken of when they are this part of all."""

_OF_WORDS: Final[dict[str, Stage]] = {
    "--per-host": "per-host",
    "--per-address": "per-address",
    "--delay": "delay",
    "--concurrency": "concurrency",
    "Crawl-delay": "Crawl-delay",
    "Retry-After or back-off": "back-off",
    "parsers": "parsers",
    "bytes": "memory",
}
"""The stage for each word that says what holds hosts (`CrawlStats.held_by`), options without their values."""
_SENTENCES: Final[dict[Stage, tuple[str, str]]] = {
    "per-host": ("{who} {have} all requests at once that {by} allows", "{by}"),
    "per-address": ("{who} {have} an address with all requests at once that {by} allows", "{by}"),
    "delay": ("{who} {are} not asked again before {by} is over", "{by}"),
    "Crawl-delay": ("{who} {are} asked as rarely as {their} robots.txt wants (Crawl-delay)", "--robots ignore"),
    "back-off": ("{who} {have} asked for a pause (Retry-After, 429, 503), or did not answer in time", ""),
    "parsers": ("{who} {have} as many pages before {parsers} as they may", "{parsers}"),
    "memory": ("{who} {have} as many bytes of bodies as --bytes-in-flight leaves them", "--bytes-in-flight"),
    "concurrency": ("{who} {are} held by {by}", "{concurrency}"),
}
"""What is said of hosts that a stage holds, and the option that would lift it."""
_CLOCKS: Final = ("delay", "Crawl-delay", "back-off")
"""What no processor time would lift."""


class Bottleneck(Struct, frozen=True):
    """The limiting stage, in one plain sentence why it is that one, and the option that would lift it, with its value.

    `option` is empty where no option does.
    """

    stage: str
    why: str
    option: str = ""


def bottleneck(previous: CrawlStats, current: CrawlStats) -> Bottleneck:
    """Judge what limited the crawl up to `current`, since a snapshot of a few seconds before."""
    c = current
    if c.paused:
        return Bottleneck("paused", "a person has paused the crawl", "crawler steer JOB resume")
    between = rates(previous, current)
    if between.span_s < MIN_SPAN_S:
        return _at_an_end(c) or Bottleneck("starting", "too early to tell")
    ledger_s = _shares(previous.ledger_s, c.ledger_s, between.span_s)
    held = _held(previous, c, between.span_s)
    late = max(0.0, c.late_s - previous.late_s) / between.span_s
    return (
        _ledger(c, between, ledger_s)
        or _at_an_end(c, ledger_s)
        or _parsers(c, between)
        or _memory(previous, c)
        or _main_process(c, between, late, next(iter(held), ""))
        or _requests(c, held)
        or _nothing_due(c)
        or _hosts(c, held)
        or _too_few(c, ledger_s, _held(previous, c, between.span_s, least=_SELDOM), late)
    )


def limits_of_run(stats: CrawlStats) -> list[tuple[str, float]]:
    """Return the stages that limited a run, each with its part of the time that was judged, the largest first."""
    in_all = sum(stats.limited_s.values())
    return sorted(((stage, seconds / in_all) for stage, seconds in stats.limited_s.items()), key=lambda one: -one[1])


def silent_hosts(stats: CrawlStats) -> str:
    """Say which hosts do not answer, why, and when they are asked again; empty if all do."""
    if not stats.silent_hosts:
        return ""
    number = "1 host does" if stats.silent_hosts == 1 else f"{count(stats.silent_hosts)} hosts do"
    named = "; ".join(f"{one.name}: {one.why}, {_next(one)}" for one in stats.silent)
    return printable(f"{number} not answer ({named}{'; …' if stats.silent_hosts > len(stats.silent) else ''})")


def _next(one: SilentHost) -> str:
    return "given up" if one.next_s is None else f"asked again in {duration(one.next_s)}"


def _shares(before: Mapping[str, float], now: Mapping[str, float], span_s: float) -> dict[str, float]:
    """Return the part of the time that each thing took, the largest first."""
    took = {name: max(0.0, seconds - before.get(name, 0.0)) / span_s for name, seconds in now.items()}
    return dict(sorted(((name, part) for name, part in took.items() if part > 0), key=lambda item: -item[1]))


def _held(previous: CrawlStats, current: CrawlStats, span_s: float, least: float = _OFTEN) -> dict[Stage, str]:
    """Return the stages that have held hosts for a while, that first which held most, each with the word for it."""
    took = _shares(previous.held_s, current.held_s, span_s)
    words = [word for word, part in took.items() if part >= least] if took else list(current.held_by)
    found: dict[Stage, str] = {}
    for word in words:
        if word != NOTHING:
            found.setdefault(_OF_WORDS.get(word.partition(" ")[0], _OF_WORDS.get(word, "concurrency")), word)
    return found


def _ledger(c: CrawlStats, between: Rates, took: Mapping[str, float]) -> Bottleneck | None:
    """Judge the ledger, which is full when it hardly ever waits for something to do."""
    if took and took.get("idle", 0.0) <= 1 - BUSY_SHARE and (found := _written(took)):
        return found
    if c.committing >= max(LEDGER_BACKLOG, between.pages_per_s):
        return Bottleneck("ledger", f"{count(c.committing)} results wait to be written to disk")
    return None


def _at_an_end(c: CrawlStats, took: Mapping[str, float] | None = None) -> Bottleneck | None:
    """Judge a crawl that has nothing to do: not yet, or no more, but for what is still being written."""
    if c.queued or c.fetching or c.parsing or c.committing:
        return None
    if not c.known:
        why = "no seed has come yet: it waits for some (--follow)" if c.following else "no URL is known yet"
        return Bottleneck("starting", why)
    why = "every known URL has ended" + (", and it waits for more seeds (--follow)" if c.following else "")
    return _written(took or {}) or Bottleneck("nothing left", why)


def _written(took: Mapping[str, float]) -> Bottleneck | None:
    """Judge by what the ledger is at for half of its time or more, if that is waiting for somebody else."""
    most, part = next(((name, part) for name, part in took.items() if name not in ("idle", "work")), ("", 0.0))
    if part < HALF:
        return None
    if most == "consumer":
        return Bottleneck("consumer", f"whoever takes the records is at them {share(part)} of the time")
    if most == "store":
        why = f"the job's commits wait for its disk {share(part)} of the time: a quicker one for --job"
        return Bottleneck("disk", why, "--job")
    why = f"writing the output {most} takes {share(part)} of the time: a quicker place for --output"
    return Bottleneck("output", printable(why), "--output")


def _parsers(c: CrawlStats, between: Rates) -> Bottleneck | None:
    if not between.parser_shares or not c.parse_capacity:
        return None
    number = len(between.parser_shares)
    if c.parsing and not c.run_pages and not any(c.parser_busy_s):
        return Bottleneck("starting", "its parsers start, which includes what a spider imports")
    busy = sum(between.parser_shares) / number
    is_full = busy >= BUSY_SHARE and c.parsing >= PARSE_BACKLOG_SHARE * c.parse_capacity
    if not is_full and (busy < PARSERS_BUSY_SHARE or c.parsing < number or "parsers" not in c.held_by):
        return None
    places = f"{count(c.parsing)} of {count(c.parse_capacity)} places before them are taken"
    why = f"all of --parsers {number} are busy {share(busy)} of the time and {places}{who_holds(c, 'parsers')}"
    return Bottleneck("parsers", why, f"--parsers {number}")


def _memory(previous: CrawlStats, c: CrawlStats) -> Bottleneck | None:
    """Judge whether downloads wait for room: full now, or nearly so and some had to wait since the snapshot before."""
    most, held = c.body_bytes_most, c.body_bytes_held
    waited = c.body_waits > previous.body_waits
    if not most or not (held >= most or (waited and held >= HELD_SHARE * most)):
        return None
    why = f"bodies fill the memory that they may have ({size(most)}): more --bytes-in-flight, or more --parsers"
    return Bottleneck("memory", why + who_holds(c, "bodies"), "--bytes-in-flight")


def _main_process(c: CrawlStats, between: Rates, late: float, held: str) -> Bottleneck | None:
    """Judge the one process that everything goes through: has it no time left, or does it get none."""
    busy = sum(between.parser_shares) / max(1, len(between.parser_shares))
    if between.main_share >= BUSY_SHARE and busy < BUSY_SHARE and between.parser_shares:
        why = f"it takes {share(between.main_share)} of a core, and parsers are busy {share(busy)} of the time: "
        return Bottleneck("main process", f"{why}more hosts a second take a second job beside this one")
    if late >= HALF and held not in _CLOCKS and 2 * c.unanswered < c.concurrency:
        return _too_late(late)
    return None


def _too_late(late: float) -> Bottleneck:
    return Bottleneck("main process", f"its event loop is late {share(late)} of the time: it lacks processor time")


def _requests(c: CrawlStats, held: Mapping[Stage, str]) -> Bottleneck | None:
    """Judge the places for requests: taken now, and by that most hosts were held."""
    first = next(iter(held), "concurrency")
    if not c.concurrency or first != "concurrency" or c.fetching < FETCHING_SHARE * c.concurrency:
        return None
    why = f"{count(c.fetching)} of {count(c.concurrency)} requests wait for an answer (--concurrency)"
    if c.unanswered >= HOLDING_SHARE * c.fetching:
        why += f", {count(c.unanswered)} of them at hosts that have not answered yet, or do not"
    return Bottleneck("concurrency", why + who_holds(c, "requests"), f"--concurrency {c.concurrency}")


def _idle(c: CrawlStats) -> int:
    return max(0, c.queued - c.fetching - c.parsing - c.committing)


def _nothing_due(c: CrawlStats) -> Bottleneck | None:
    """Judge whether what is queued may not be asked for in any case: its hosts are silent, or its time has not come."""
    idle = _idle(c)
    silent = idle and c.silent_hosts and c.silent_hosts >= c.active_hosts and not c.waiting_hosts
    if c.offline or silent:
        nobody = "no host answers: is this machine's network down?"
        why = nobody if c.offline else f"{count_of(idle, 'URL', 'are')} queued, but {silent_hosts(c)}"
        return Bottleneck("silent hosts", why)
    if idle and c.retrying >= idle:
        left = "the URL that is left waits" if idle == 1 else f"all {count(idle)} URLs that are left wait"
        return Bottleneck("retries", f"{left} for {'its' if idle == 1 else 'their'} next attempt", "--retries")
    return None


def _hosts(c: CrawlStats, held: Mapping[Stage, str]) -> Bottleneck | None:
    """Judge what has held hosts that have something to do."""
    for stage, word in held.items():
        hosts = c.held_by.get(word, 0)
        who = "hosts" if not hosts else "1 host" if hosts == 1 else f"{count(hosts)} hosts"
        are, have, their = ("is", "has", "its") if hosts == 1 else ("are", "have", "their")
        parsers = f"--parsers {len(c.parser_busy_s)}"
        sentence, option = _SENTENCES[stage]
        told = sentence.format(who=who, are=are, have=have, their=their, by=word, parsers=parsers)
        lift = option.format(by=word, parsers=parsers, concurrency=f"--concurrency {c.concurrency}")
        holder = who_holds(c, "parsers") if stage == "parsers" else ""
        return Bottleneck(stage, f"{count_of(max(1, _idle(c)), 'URL', 'are')} queued, and {told}{holder}", lift)
    return None


def _too_few(c: CrawlStats, took: Mapping[str, float], held: Mapping[Stage, str], late: float) -> Bottleneck:
    """Say why fewer requests are under way than could be, when hardly anything holds a host."""
    idle = _idle(c)
    if idle <= c.concurrency:
        return Bottleneck("few URLs", f"only {count_of(c.queued, 'known URL', 'have')} not ended")
    if c.waiting_hosts and not c.held_s:
        hosts = count_of(c.waiting_hosts, "host", "wait")
        why = f"{count_of(idle, 'URL', 'are')} queued, but {hosts} for the next allowed request"
        return Bottleneck("delay", why, "--delay")
    slow = f"{count_of(idle, 'URL', 'are')} queued and no host has to wait: it hands out too slowly"
    return (
        _written(took)
        or (_too_late(late) if late >= _LATE else None)
        or _hosts(c, held)
        or Bottleneck("frontier", slow)
    )
