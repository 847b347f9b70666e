"""The headline of a report, in words: pure."""

from crawler.core.quantity import count, count_of, duration, rate, share, size
from crawler.core.stats import CrawlStats
from crawler.jobs.report.table import Value
from crawler.jobs.report.tally import Tally
from crawler.jobs.report.timeline import Timeline

__all__ = ["headline", "state_of"]

_ENDED = {
    "running": "A crawl runs this job now: all figures are of one instant of it.",
    "done": "The crawl is done: no URL is left.",
    "unreachable": "The crawl ended with nothing left but URLs of hosts that do not answer.",
    "max-pages": "The crawl ended because it had as many pages as --max-pages allows.",
    "max-time": "The crawl ended because it had run for as long as --max-time allows.",
    "interrupted": "The crawl was stopped, and can go on.",
    "killed": "The crawl was killed, or its machine went down: the same command goes on from the last commit.",
    "stopped": "No crawl runs this job now, and URLs are left: the same command goes on.",
    "empty": "Nothing is in this job as yet.",
}
_NO_LIMITS = frozenset({"starting", "nothing left", "paused"})


def state_of(line: Timeline, stats: CrawlStats, *, running: bool) -> str:
    """Return what the job is at: a key of the sentences above."""
    if running:
        return "running"
    if line.runs:
        ended = line.runs[-1].last.stats.ended
        return "killed" if ended == "running" else ended
    if not stats.known:
        return "empty"
    return "stopped" if stats.queued else "done"


def headline(state: str, figures: dict[str, Value], tally: Tally, line: Timeline) -> tuple[str, ...]:
    """Say in a few sentences what the job did, what went wrong, and what held it up."""
    said = [_ENDED.get(state, f"The crawl ended: {state}.")]
    if not tally.rows:
        return tuple(said)
    said.append(_did(figures))
    said.append(_wrong(figures, tally))
    took = _took(tally)
    if took:
        said.append(took)
    limits = {stage: seconds for stage, seconds in line.limits.items() if stage not in _NO_LIMITS}
    if limits:
        stage, seconds = next(iter(limits.items()))
        why, _ = max(line.whys.get(stage, {"": 0.0}).items(), key=lambda item: item[1])
        part = share(seconds / sum(line.limits.values()))
        said.append(f"It was limited by {stage} {part} of the time" + (f": {why}." if why else "."))
    return tuple(said)


def _did(figures: dict[str, Value]) -> str:
    pages, records, hosts = (int(_number(figures[name])) for name in ("pages", "records", "hosts_with_pages"))
    said = f"{count_of(pages, 'page')} of {count_of(hosts, 'host')}, {size(_number(figures['bytes']))} of bodies"
    if records != pages:
        said += f", {count_of(records, 'record')}"
    if figures["seconds"]:
        said += f", in {duration(_number(figures['seconds']))}: {rate(_number(figures['pages_per_s']))} pages/s"
    known, due = (int(_number(figures[name])) for name in ("known", "due"))
    left = f"{count(due)} {'has' if due == 1 else 'have'} not ended." if due else "all have ended."
    return f"{said}. Of {count_of(known, 'known URL')} {left}"


def _wrong(figures: dict[str, Value], tally: Tally) -> str:
    failed, errors = (int(_number(figures[name])) for name in ("failed", "errors"))
    if not failed and not errors:
        return "Nothing failed."
    said = []
    if failed:
        worst = max(
            (item for item in tally.outcomes.items() if item[0][0] == "failed"), key=lambda item: (item[1], item[0])
        )
        ended = int(_number(figures["ended"]))
        said.append(
            f"{count_of(failed, 'URL')} failed, {_percent(failed, ended)} of those that ended, "
            f"most often of {worst[0][1]} ({count(worst[1])})"
        )
    if errors:
        said.append(f"{count_of(errors, 'page')} had a status of 400 or more")
    return "; ".join(said) + "."


def _took(tally: Tally) -> str:
    half, most = tally.answers.percentile(0.5), tally.answers.percentile(0.95)
    if half is None or most is None:
        return ""
    return f"Half of all answers took {_time(half)} or less, 95 % took {_time(most)} or less."


def _time(ms: int) -> str:
    return f"{ms} ms" if ms < 1_000 else duration(ms / 1_000)


def _percent(part: int, whole: int) -> str:
    exact = part / max(1, whole)
    return share(exact) if exact >= 0.005 else "less than 1 %"


def _number(value: Value) -> float:
    return value if isinstance(value, int | float) else 0.0
