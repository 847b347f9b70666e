"""What a crawl is expected to come to: `pages>=1000`, `price>=95%`, `failed<=1%`. Read, and judged at the end: pure.

    name      a counter (`pages`, `failed`, `failed: timeout`, `404`, `5xx`, …) or a field of the records (`price`)
    relation  >= <= > < == !=
    value     a number, or a share in percent; of `bytes` a size such as 10MB

docs/expectations.md says for each name what its share is of. All numbers are exact: 999 of 1,000 is not 99.95 %.
"""

import difflib
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from crawler.core.model import RETRIED_KINDS, SKIPPED_REASONS
from crawler.core.printable import SHOWN_CHARS, printable
from crawler.core.setting_kinds import BYTES, PATTERNS, MistakeError
from crawler.core.stats import CrawlStats

__all__ = [
    "COUNTERS",
    "EXPECTATIONS",
    "Coverage",
    "Expectation",
    "Share",
    "Verdict",
    "judge",
    "paths_of",
    "read_expectation",
    "unknown_field",
]


class Share(Struct, frozen=True):
    """So many of so many; `of` is None for what is no part of anything. A part of nothing is no part: 0 %."""

    number: Fraction
    of: int | None = None

    @property
    def percent(self) -> Fraction:
        """The part in percent."""
        return 100 * self.number / self.of if self.of else Fraction(0)


class Coverage(Struct, frozen=True):
    """In how many of the `records` each field, by its path, has a value. `why_not` says why nobody knows, if so."""

    records: int = 0
    values: Mapping[str, int] = {}
    why_not: str = ""


class Counter(Struct, frozen=True):
    """A number of a crawl that may be expected: how it comes from the counters, what a share of it is of, in words."""

    value: Callable[[CrawlStats], float]
    of: str = ""
    total: Callable[[CrawlStats], int] | None = None
    of_run: bool = False


class Expectation(Struct, frozen=True):
    """One expectation, as it was read. `field` is the path of a record's field, empty where `name` is a counter."""

    text: str
    name: str
    relation: str
    wanted: Fraction
    is_share: bool
    field: str = ""


class Verdict(Struct, frozen=True):
    """What came of an expectation.

    `seen` is the number that was seen, in percent where a share was expected, None if nobody can tell; `part` and
    `whole` are what a share was made of. `text` says it in one line, with the value that was wanted.
    """

    expect: str
    met: bool
    text: str
    seen: float | None = None
    part: int | None = None
    whole: int | None = None


def _ended(stats: CrawlStats) -> int:
    return sum(stats.outcomes.values())


def _answers(stats: CrawlStats) -> int:
    return sum(stats.statuses.values())


def _rate(stats: CrawlStats) -> float:
    return stats.run_pages / stats.elapsed_s if stats.elapsed_s > 0 else 0.0


_OF_URLS = ("URLs that ended", _ended)
_OF_PAGES = ("pages", operator.attrgetter("pages"))
_OF_KNOWN = ("URLs known", operator.attrgetter("known"))
_OF_ANSWERS = ("records with a status", _answers)

COUNTERS: dict[str, Counter] = {
    "pages": Counter(operator.attrgetter("pages"), *_OF_URLS),
    "records": Counter(operator.attrgetter("records")),
    "bytes": Counter(operator.attrgetter("bytes")),
    "known": Counter(operator.attrgetter("known")),
    "queued": Counter(operator.attrgetter("queued"), *_OF_KNOWN),
    "retrying": Counter(operator.attrgetter("retrying"), *_OF_KNOWN),
    "duplicates": Counter(operator.attrgetter("duplicates"), *_OF_PAGES),
    "near_duplicates": Counter(operator.attrgetter("near_duplicates"), *_OF_PAGES),
    "reread": Counter(operator.attrgetter("reread"), *_OF_PAGES),
    "run_pages": Counter(operator.attrgetter("run_pages"), of_run=True),
    "run_bytes": Counter(operator.attrgetter("run_bytes"), of_run=True),
    "elapsed_s": Counter(operator.attrgetter("elapsed_s"), of_run=True),
    "pages_per_s": Counter(_rate, of_run=True),
    "bad_seeds": Counter(operator.attrgetter("bad_seeds"), of_run=True),
    "unreachable_hosts": Counter(operator.attrgetter("unreachable_hosts"), of_run=True),
}
"""Counters that may be expected beside outcomes and statuses; `of_run`: of the last run alone."""

_OUTCOMES = ("fetched", "redirected", "failed", "skipped")
_REASONS = {"fetched": ("sitemap",), "failed": RETRIED_KINDS, "skipped": SKIPPED_REASONS}
_SIZES = {"bytes", "run_bytes"}
_RELATIONS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
    "!=": operator.ne,
}
_FORM = re.compile(
    r"\s*(?P<name>[^<>=!\"\\\x00-\x1f]{1,200}?)\s*(?P<relation>>=|<=|==|!=|>|<)\s*(?P<value>[^<>=!]{1,50}?)\s*"
)
_NUMBER = re.compile(r"[0-9][0-9_]{0,30}(?:\.[0-9]{1,20})?")
_STATUS = re.compile(r"[1-5](?:[0-9][0-9]|xx)")
_OF_FIELD = "field:"
"""Stands before the name of a field that is called as a counter is."""


def read_expectation(text: str) -> Expectation:
    """Return what a text like `price>=95%` expects. Raises `MistakeError` that says what may stand there."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise MistakeError(
            f"expected NAME RELATION VALUE, as in pages>=1000, failed<=1% or price>=95% (relations: "
            f"{' '.join(_RELATIONS)}), not {_shown(text)}"
        )
    name, field = _named(match["name"])
    value = match["value"]
    is_share = value.endswith("%")
    wanted = _number(text, name, value.removesuffix("%").rstrip(), is_share=is_share)
    if is_share and not field and _counter(name).total is None:
        raise MistakeError(f"{_shown(text)}: {name} is a number, and no share of anything: leave the % out")
    if is_share and wanted > 100:
        raise MistakeError(f"{_shown(text)}: a share is at most 100%")
    return Expectation(text.strip(), name, match["relation"], wanted, is_share, field)


def unknown_field(texts: Iterable[str], known: Iterable[str]) -> str:
    """Return what is wrong with the first expectation that names a field which no record has; empty if none does.

    `known` are the names of all fields that records have.
    """
    fields = tuple(known)
    for text in texts:
        expectation = read_expectation(text)
        name = expectation.field
        if name and name not in fields and name.partition(".")[0] not in fields:
            words = [*COUNTERS, *_OUTCOMES, "404", "5xx", "failed: timeout", *fields]
            near = difflib.get_close_matches(name, words, 1)
            meant = f"did you mean {near[0]}? " if near else ""
            return (
                f"{_shown(text)}: there is no counter and no field {_shown(name)}; {meant}counters are "
                f"{', '.join((*COUNTERS, *_OUTCOMES))}, outcomes with a reason (failed: timeout), statuses (404, 5xx); "
                f"fields are {', '.join(fields)}"
            )
    return ""


def paths_of(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the paths of the fields that expectations name, each once."""
    fields = (read_expectation(text).field for text in texts)
    return tuple(dict.fromkeys(field for field in fields if field))


def judge(texts: Sequence[str], stats: CrawlStats, coverage: Coverage, *, knows_run: bool = True) -> list[Verdict]:
    """Return a verdict on each expectation. What cannot be told is not met.

    `coverage` counts the fields that they name. `knows_run`: whether the counters of the last run are known.
    """
    return [_verdict(read_expectation(text), stats, coverage, knows_run=knows_run) for text in texts]


def _verdict(one: Expectation, stats: CrawlStats, coverage: Coverage, *, knows_run: bool) -> Verdict:
    if one.field:
        if coverage.why_not:
            return Verdict(one.text, met=False, text=f"{one.text}: cannot be told: {coverage.why_not}")
        share, of = Share(Fraction(coverage.values.get(one.field, 0)), coverage.records), "records"
    else:
        counter = _counter(one.name)
        if counter.of_run and not knows_run:
            why = "the job does not keep this figure of its last run"
            return Verdict(one.text, met=False, text=f"{one.text}: cannot be told: {why}")
        total = None if counter.total is None else counter.total(stats)
        share, of = Share(Fraction(str(counter.value(stats))), total), counter.of
    met = _RELATIONS[one.relation](share.percent if one.is_share else share.number, one.wanted)
    shown = _shown_number(share.number)
    if one.is_share:
        text = f"{one.text}: seen {_shown_percent(share.percent)} % ({shown} of {share.of:,} {of})"
        return Verdict(one.text, met, text, float(share.percent), int(share.number), share.of)
    return Verdict(one.text, met, f"{one.text}: seen {shown}", float(share.number))


def _named(written: str) -> tuple[str, str]:
    """Return the name of a counter and an empty text, or the name of a field twice."""
    if written.startswith(_OF_FIELD):
        name = written.removeprefix(_OF_FIELD).strip()
        return name, name
    head, colon, reason = (part.strip() for part in written.partition(":"))
    if colon and head in _REASONS:
        if reason.partition(":")[0] not in _REASONS[head]:
            near = difflib.get_close_matches(reason, _REASONS[head], 1)
            meant = f"did you mean {near[0]}? " if near else ""
            raise MistakeError(
                f"{_shown(written)}: no URL ends so; {meant}reasons of {head} are {', '.join(_REASONS[head])}"
            )
        return f"{head}: {reason}", ""
    if written in COUNTERS or written in _OUTCOMES or _STATUS.fullmatch(written):
        return written, ""
    return written, written


def _counter(name: str) -> Counter:
    """Return how a counter is had, by its name as it was read."""
    if name in COUNTERS:
        return COUNTERS[name]
    if _STATUS.fullmatch(name):
        return Counter(lambda stats: _with_status(stats, name), *_OF_ANSWERS)
    return Counter(lambda stats: _with_outcome(stats, name), *_OF_URLS)


def _with_status(stats: CrawlStats, name: str) -> int:
    least, most = int(name.replace("x", "0")), int(name.replace("x", "9"))
    return sum(number for status, number in stats.statuses.items() if least <= status <= most)


def _with_outcome(stats: CrawlStats, name: str) -> int:
    """Count URLs that ended so, whatever stands behind that: `failed` holds `failed: tls: expired`."""
    return sum(n for outcome, n in stats.outcomes.items() if outcome == name or outcome.startswith(f"{name}:"))


def _number(text: str, name: str, value: str, *, is_share: bool) -> Fraction:
    if name in _SIZES and not is_share:
        try:
            return Fraction(BYTES.read(value, text=True))
        except (ValueError, ArithmeticError) as error:
            raise MistakeError(f"{_shown(text)}: expected {BYTES.expects}, not {_shown(value)}") from error
    if _NUMBER.fullmatch(value) is None:
        raise MistakeError(f"{_shown(text)}: expected a number or a share such as 95%, not {_shown(value)}")
    return Fraction(value.replace("_", ""))


def _shown(text: str) -> str:
    return repr(printable(text, SHOWN_CHARS))


def _shown_number(number: Fraction) -> str:
    return f"{int(number):,}" if number.denominator == 1 else f"{float(number):,.2f}"


def _shown_percent(percent: Fraction) -> str:
    """Write a share so that it is never rounded up to what it did not reach."""
    return f"{int(percent * 10_000) / 10_000:g}"


def _check(value: Sequence[str]) -> None:
    for text in value:
        read_expectation(text)


EXPECTATIONS = replace(PATTERNS, expects="a list of texts like 'pages>=1000'", metavar="'NAME>=VALUE'", check=_check)
"""The kind of the setting."""
