"""Tables of what became of a job's URLs, from the counters of one pass over them: pure."""

from collections.abc import Iterable, Iterator

from crawler.core.quantity import count
from crawler.jobs.report.host_graph import HostGraph
from crawler.jobs.report.table import MOST_ROWS, Column, Table, cut_note
from crawler.jobs.report.tally import HostTally, Tally
from crawler.jobs.report.timeline import OUTCOMES

__all__ = ["url_tables"]

_LINKS_IN_TABLE = 40
_MOST_KINDS = 60
_MOST_DEPTHS = 40
_MOST_BINS = 100
_NO_TIMES = "this job keeps no times of requests: an earlier version made it, or nothing was asked for yet"


def url_tables(tally: Tally, graph: HostGraph) -> Iterator[Table]:
    """Give all tables that the URLs of a job make."""
    yield _outcomes(tally)
    yield _statuses(tally)
    yield _errors(tally)
    yield _tries(tally)
    yield _percentiles(tally)
    yield _latencies(tally)
    yield _busiest(tally)
    yield _slowest(tally)
    yield _failing(tally)
    yield _depths(tally)
    yield _ended(tally)
    yield _trapped(tally)
    yield _links(graph)


def _outcomes(tally: Tally) -> Table:
    rows = [
        (outcome or "due", reason, number, number / tally.rows, tuple(tally.kinds.get(f"{outcome}: {reason}", ())))
        for (outcome, reason), number in _most(tally.outcomes.items())
    ]
    return Table(
        "outcomes",
        "Outcomes",
        (
            Column("outcome", "outcome", "text"),
            Column("reason", "reason", "text"),
            Column("urls", "URLs"),
            Column("share", "share", "share"),
            Column("examples", "for example", "urls"),
        ),
        tuple(rows[:_MOST_KINDS]),
        cut_note(len(rows), _MOST_KINDS, "outcomes") or ("" if rows else "no URL is known yet"),
    )


def _statuses(tally: Tally) -> Table:
    answered = sum(tally.statuses.values())
    rows = [(status, number, number / answered) for status, number in sorted(tally.statuses.items())]
    return Table(
        "statuses",
        "Statuses of HTTP",
        (Column("status", "status", "number"), Column("pages", "pages"), Column("share", "share", "share")),
        tuple(rows),
        "" if rows else "no page was fetched yet",
    )


def _errors(tally: Tally) -> Table:
    found = [(f"failed: {reason}", n) for (outcome, reason), n in tally.outcomes.items() if outcome == "failed"]
    found += [(f"status {status}", number) for status, number in tally.statuses.items() if status >= 400]
    rows = [(kind, number, tuple(tally.kinds.get(kind, ()))) for kind, number in _most(found)]
    return Table(
        "errors",
        "Errors by kind",
        (Column("kind", "kind", "text"), Column("urls", "URLs"), Column("examples", "for example", "urls")),
        tuple(rows[:_MOST_KINDS]),
        cut_note(len(rows), _MOST_KINDS, "kinds")
        or ("" if rows else "nothing failed, and no page has a status of 400 or more"),
    )


def _tries(tally: Tally) -> Table:
    rows = tuple(_most(tally.tries.items()))[:_MOST_KINDS]
    return Table(
        "failed_attempts",
        "Attempts that brought nothing",
        (Column("what", "what went wrong", "text"), Column("attempts", "attempts")),
        rows,
        "" if rows else "each attempt that the job keeps brought an answer that was taken",
    )


def _percentiles(tally: Tally) -> Table:
    shares = (0.5, 0.9, 0.95, 0.99)
    rows = []
    for name, times in (("answered", tally.answers), ("not answered", tally.failures)):
        total = times.total
        if total:
            rows.append((name, total, times.sum_ms / total, *map(times.percentile, shares), times.most_ms))
    return Table(
        "latency",
        "How long requests took",
        (
            Column("requests", "requests", "text"),
            Column("number", "number"),
            Column("mean_ms", "mean", "milliseconds"),
            *(Column(f"p{share * 100:.0f}_ms", f"{share:.0%}", "milliseconds") for share in shares),
            Column("max_ms", "longest", "milliseconds"),
        ),
        tuple(rows),
        "" if rows else _NO_TIMES,
    )


def _latencies(tally: Tally) -> Table:
    rows = tuple(tally.answers.bars())
    return Table(
        "latency_histogram",
        "Answers by how long they took",
        (
            Column("from_ms", "from", "milliseconds"),
            Column("to_ms", "to", "milliseconds"),
            Column("answers", "answers"),
        ),
        rows,
        "" if rows else _NO_TIMES,
    )


_HOST_COLUMNS = (
    Column("host", "host", "text"),
    Column("urls", "URLs"),
    Column("pages", "pages"),
    Column("errors", "of status 400+"),
    Column("failed", "failed"),
    Column("skipped", "skipped"),
    Column("due", "due"),
    Column("answers", "answers"),
    Column("mean_ms", "mean", "milliseconds"),
    Column("max_ms", "longest", "milliseconds"),
)


def _host_table(tally: Tally, name: str, title: str, hosts: list[tuple[str, HostTally]], empty: str) -> Table:
    rows = tuple(
        (
            host,
            one.urls,
            one.fetched,
            one.errors,
            one.failed,
            one.skipped,
            one.due,
            one.answers,
            one.answer_ms / one.answers if one.answers else None,
            one.most_ms if one.answers else None,
        )
        for host, one in hosts[:MOST_ROWS]
    )
    return Table(name, title, _HOST_COLUMNS, rows, empty if not rows else _hosts_note(tally, len(hosts)))


def _hosts_note(tally: Tally, number: int) -> str:
    said = cut_note(number, MOST_ROWS, "hosts")
    if tally.dropped_hosts:
        exact = (
            f"of more hosts than are counted at once, {count(tally.dropped_hosts)} times one with few URLs was let go: "
            f"the counts of a host may lack up to {count(tally.short_by)} URLs"
        )
        said = f"{said}; {exact}" if said else exact
    return said


def _busiest(tally: Tally) -> Table:
    hosts = sorted(tally.hosts.items(), key=lambda item: (-item[1].urls, item[0]))
    return _host_table(tally, "hosts", "Hosts with most URLs", hosts, "no URL is known yet")


def _slowest(tally: Tally) -> Table:
    answering = [item for item in tally.hosts.items() if item[1].answers]
    hosts = sorted(answering, key=lambda item: (-item[1].answer_ms / item[1].answers, item[0]))
    return _host_table(tally, "slowest_hosts", "Slowest hosts, by the mean of their answers", hosts, _NO_TIMES)


def _failing(tally: Tally) -> Table:
    failing = [(name, one) for name, one in tally.hosts.items() if one.failed or one.errors]
    hosts = sorted(failing, key=lambda item: (-item[1].failed - item[1].errors, item[0]))
    rows = tuple(
        (name, one.failed + one.errors, one.failed, one.errors, one.urls, (one.failed + one.errors) / one.urls)
        for name, one in hosts[:MOST_ROWS]
    )
    return Table(
        "failing_hosts",
        "Hosts with most errors",
        (
            Column("host", "host", "text"),
            Column("wrong", "both"),
            Column("failed", "failed"),
            Column("errors", "of status 400+"),
            Column("urls", "URLs"),
            Column("share", "share", "share"),
        ),
        rows,
        _hosts_note(tally, len(hosts)) if rows else "no host has an error",
    )


def _depths(tally: Tally) -> Table:
    deepest = max((depth for depth, _ in tally.depths), default=-1)
    found: dict[int, dict[str, int]] = {depth: {} for depth in range(min(deepest, _MOST_DEPTHS) + 1)}
    for (depth, outcome), number in tally.depths.items():
        place = found[min(depth, _MOST_DEPTHS)]
        place[outcome or "due"] = place.get(outcome or "due", 0) + number
    names = (*OUTCOMES, "due")
    rows = tuple((depth, *(one.get(name, 0) for name in names)) for depth, one in found.items())
    last = f"the last row holds all deeper ones too, down to {deepest}" if deepest > _MOST_DEPTHS else ""
    return Table(
        "depths",
        "URLs by depth",
        (Column("depth", "depth", "number"), *(Column(name, name) for name in names)),
        rows,
        last if rows else "no URL is known yet",
    )


def _ended(tally: Tally) -> Table:
    """When URLs ended, by the clock: what jobs of any version can tell."""
    shift = tally.shift
    seconds = [second for second, _ in tally.ended]
    names = OUTCOMES
    columns = (
        Column("from_at", "from", "time"),
        Column("to_at", "to", "time"),
        *(Column(name, name) for name in names),
    )
    if not seconds:
        return Table("ended", "URLs that ended, by the clock (UTC)", columns, (), "no URL has ended yet")
    first, last = min(seconds), max(seconds)
    wide = max(1, -(-(last - first + 1) // _MOST_BINS))
    found: list[dict[str, int]] = [{} for _ in range((last - first) // wide + 1)]
    for (second, outcome), number in tally.ended.items():
        place = found[(second - first) // wide]
        place[outcome] = place.get(outcome, 0) + number
    rows = tuple(
        (
            (first + place * wide) << shift,
            (first + (place + 1) * wide) << shift,
            *(one.get(name, 0) for name in names),
        )
        for place, one in enumerate(found)
        if one
    )
    return Table("ended", "URLs that ended, by the clock (UTC)", columns, rows)


def _trapped(tally: Tally) -> Table:
    found = _most(tally.trapped.items())
    rows = tuple((reason, host, number) for (reason, host), number in found[:MOST_ROWS])
    return Table(
        "traps",
        "URLs left out as traps, repeats, or over a limit",
        (Column("reason", "reason", "text"), Column("host", "host", "text"), Column("urls", "URLs")),
        rows,
        cut_note(len(found), MOST_ROWS, "rows") if rows else "none",
    )


def _links(graph: HostGraph) -> Table:
    between = [(way, number) for way, number in graph.ways.items() if way[0] != way[1]]
    inside = sum(number for (source, target), number in graph.ways.items() if source == target)
    found = _most(between)
    rows = tuple((source, target, number) for (source, target), number in found[:_LINKS_IN_TABLE])
    said = []
    if graph.looked_at < graph.linked:
        said.append(
            f"from {count(graph.looked_at)} of the {count(graph.linked)} URLs that a page led to, chosen by hash"
        )
    if graph.looked_at:
        said.append(f"{count(inside)} URLs were first found on their own host, which is not shown")
    if len(found) > _LINKS_IN_TABLE:
        said.append(cut_note(len(found), _LINKS_IN_TABLE, "pairs of hosts"))
    if not rows:
        said.insert(0, "no host was found through another one")
    return Table(
        "host_links",
        "Hosts found through other hosts",
        (
            Column("from_host", "from", "text"),
            Column("to_host", "to", "text"),
            Column("urls", "URLs found first there"),
        ),
        rows,
        "; ".join(said),
    )


def _most(items: Iterable[tuple[object, int]]) -> list:  # type: ignore[type-arg]
    return sorted(items, key=lambda item: (-item[1], str(item[0])))
