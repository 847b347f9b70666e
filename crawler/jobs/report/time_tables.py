"""Tables of how a crawl went over time, from its samples: pure."""

import re
from collections.abc import Iterator

from crawler.jobs.report.table import Column, Table, Value
from crawler.jobs.report.timeline import OUTCOMES, Step, Timeline

__all__ = ["time_tables"]

NO_SAMPLES = "this job keeps no samples of its course: an earlier version ran it, or it ran for less than a second"
_OPTION = re.compile(r"--[a-z][a-z-]*[a-z]")
_TIME = (Column("from_s", "from", "seconds"), Column("to_s", "to", "seconds"), Column("run", "run", "number"))
_WORTH = 0.2
"""An option is named that was spoken of for this part of the time."""
_LIFTS = {
    "ledger": "a quicker disk for the job and its outputs, or fewer outputs",
    "disk": "a quicker disk for the job and its outputs, or fewer outputs",
    "consumer": "a quicker program behind the crawl",
    "parsers": "more --parsers, or a quicker spider",
    "memory": "more --bytes-in-flight",
    "main process": "a second job beside this one",
    "network": "more --concurrency",
    "concurrency": "more --concurrency",
    "politeness": "more --per-host or --per-address, a shorter --delay: where the sites allow it",
    "per-host": "more --per-host, where the sites allow it; more hosts",
    "per-address": "more --per-address, where the sites allow it",
    "delay": "a shorter --delay, where the sites allow it",
    "Crawl-delay": "--robots ignore, for a site of your own",
    "back-off": "fewer requests: those hosts asked for a pause",
    "output": "a quicker place for --output",
    "few URLs": "nothing here: hardly any URL was known",
    "silent hosts": "nothing here: those hosts do not answer",
    "retries": "nothing here: what failed waits for its next attempt",
}
"""What would lift a limit whose own words name no option."""


def time_tables(line: Timeline) -> Iterator[Table]:
    """Give all tables that the samples of a job make."""
    yield _runs(line)
    yield _speed(line)
    yield _outcomes(line)
    yield _limits(line)
    yield _limits_over_time(line)
    yield _queues(line)
    yield _parsers(line)
    yield _memory(line)


def _runs(line: Timeline) -> Table:
    return Table(
        "runs",
        "Runs",
        (
            Column("run", "run", "number"),
            Column("began_at", "began (UTC)", "time"),
            Column("seconds", "ran for", "seconds"),
            Column("ended", "ended", "text"),
            Column("pages", "pages"),
            Column("bytes", "bytes", "bytes"),
            Column("pages_per_s", "pages/s", "rate"),
        ),
        tuple(
            (
                run.number,
                run.began_at,
                run.to_s - run.from_s,
                run.last.stats.ended,
                run.last.stats.run_pages,
                run.last.stats.run_bytes,
                run.last.stats.run_pages / (run.to_s - run.from_s) if run.to_s > run.from_s else None,
            )
            for run in line.runs
        ),
        "" if line.runs else NO_SAMPLES,
    )


def _rows(line: Timeline, columns: tuple[Column, ...], name: str, title: str, values: list[tuple[Value, ...]]) -> Table:
    rows = tuple(
        (step.from_s, step.to_s, step.run, *of_step) for step, of_step in zip(_seen(line), values, strict=True)
    )
    return Table(name, title, (*_TIME, *columns), rows, "" if rows else NO_SAMPLES)


def _seen(line: Timeline) -> list[Step]:
    return [step for step in line.steps if step.seen_s > 0]


def _speed(line: Timeline) -> Table:
    columns = (Column("pages_per_s", "pages/s", "rate"), Column("bytes_per_s", "bytes/s", "bytes"))
    values: list[tuple[Value, ...]] = [(one.pages / one.seen_s, one.bytes / one.seen_s) for one in _seen(line)]
    return _rows(line, columns, "speed", "Pages and bytes a second", values)


def _outcomes(line: Timeline) -> Table:
    columns = tuple(Column(f"{name}_per_s", f"{name}/s", "rate") for name in OUTCOMES)
    values: list[tuple[Value, ...]] = [
        tuple(one.ended.get(name, 0.0) / one.seen_s for name in OUTCOMES) for one in _seen(line)
    ]
    return _rows(line, columns, "outcomes_over_time", "URLs that ended, a second", values)


def _limits(line: Timeline) -> Table:
    total = sum(line.limits.values())
    rows = []
    for stage, seconds in line.limits.items():
        whys = sorted(line.whys.get(stage, {}).items(), key=lambda item: -item[1])
        named = {option: said_s for option, said_s in line.lifts.get(stage, {}).items() if option}
        for why, said_s in whys if not named else ():  # samples of an earlier version
            for option in set(_OPTION.findall(why)):
                named[option] = named.get(option, 0.0) + said_s
        often = [option for option in sorted(named, key=lambda one: -named[one]) if named[option] >= _WORTH * seconds]
        lifts = ", ".join(often) or _LIFTS.get(stage, "")
        rows.append((stage, seconds, seconds / total, lifts, whys[0][0] if whys else ""))
    return Table(
        "limits",
        "What limited the crawl",
        (
            Column("limit", "limit", "text"),
            Column("seconds", "for", "seconds"),
            Column("share", "share", "share"),
            Column("lifted_by", "what would lift it", "text"),
            Column("why", "as it was said most", "text"),
        ),
        tuple(rows),
        "" if rows else (NO_SAMPLES if not line.runs else "it ran too short to tell"),
    )


def _limits_over_time(line: Timeline) -> Table:
    stages = list(line.limits)
    columns = tuple(Column(stage.replace(" ", "_"), stage, "share") for stage in stages)
    values: list[tuple[Value, ...]] = [
        tuple(one.limits.get(stage, 0.0) / one.seen_s for stage in stages) for one in _seen(line)
    ]
    return _rows(line, columns, "limits_over_time", "What limited the crawl, over time", values)


def _queues(line: Timeline) -> Table:
    columns = (
        Column("queued", "not ended"),
        Column("retrying", "wait for a retry"),
        Column("fetching", "being fetched"),
        Column("parsing", "at the parsers"),
        Column("committing", "at the ledger"),
    )
    values: list[tuple[Value, ...]] = [
        (one.queued, one.retrying, one.fetching, one.parsing, one.committing) for one in _seen(line)
    ]
    return _rows(line, columns, "queues", "URLs in each stage", values)


def _parsers(line: Timeline) -> Table:
    number = 1 + max((parser for step in line.steps for parser in step.parsers), default=-1)
    columns = tuple(Column(f"parser_{place + 1}", f"parser {place + 1}", "share") for place in range(number))
    values: list[tuple[Value, ...]] = [
        (
            min(1.0, one.main / one.seen_s),
            *(min(1.0, one.parsers.get(place, 0.0) / one.seen_s) for place in range(number)),
        )
        for one in _seen(line)
    ]
    main = Column("main_process", "main process, of a core", "share")
    return _rows(line, (main, *columns), "parsers", "How busy each parser was", values)


def _memory(line: Timeline) -> Table:
    columns = (Column("main_bytes", "main process", "bytes"), Column("parser_bytes", "parsers together", "bytes"))
    values: list[tuple[Value, ...]] = [(one.memory or None, one.parser_memory or None) for one in _seen(line)]
    return _rows(line, columns, "memory", "Memory", values)
