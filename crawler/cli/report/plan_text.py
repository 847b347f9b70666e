"""A plan on one screen: what a crawl will be, and what to do about it. Pure."""

from collections.abc import Iterator

from crawler.core.printable import printable
from crawler.core.quantity import count, duration, size
from crawler.planning.pages import Number
from crawler.planning.plan import HostPlan, Plan, Span

__all__ = ["plan_lines"]

_MOST_HOSTS = 12
_HOST_CHARS = 26
_MOST_RULES = 6
_LIMITS = {
    "hosts": "as long as the slowest host takes",
    "concurrency": "held by --concurrency",
    "per-address": "held by --per-address: many hosts lie on one address",
    "machine": "held by this machine: more --parsers may help, if it has cores for them",
    "max-pages": "until --max-pages are there",
    "max-time": "until --max-time is over",
}
_WHY = {
    "counted": "all there are",
    "sitemap": "by sitemap",
    "levels": "by depth",
    "sightings": "by links",
    "others": "as others have",
    "unknown": "unknown",
}


def plan_lines(plan: Plan) -> Iterator[str]:
    """Give the lines that tell a plan, each of at most 80 characters unless a name in it is longer."""
    hosts = len(plan.hosts)
    yield _fact("plan", f"{_number(plan.pages)} pages of {count(hosts)} host{'' if hosts == 1 else 's'}")
    yield _fact("", _sampled(plan))
    yield _fact("time", f"{_span(plan.seconds)}, {_LIMITS[plan.limit]}")
    received, written, state = size(plan.bytes), size(plan.record_bytes), size(plan.job_bytes)
    yield _fact("bytes", f"{received} received, {written} of records, {state} of state")
    yield _fact("seeds", _seeds(plan))
    for rule in plan.denied_seeds:
        yield _fact("", f"skipped: {rule.rule}: {', '.join(printable(url) for url in rule.examples[:2])}")
    yield from _links(plan)
    if plan.sitemaps:
        listed, read = sum(one.urls for one in plan.sitemaps), len(plan.sitemaps)
        yield _fact("sitemaps", f"{count(read)}, which list {count(listed)} URLs")
    if hosts:
        yield ""
        yield from _table(plan)
        yield ""
    for advice in _advice(plan):
        yield _fact("next", advice)


def _sampled(plan: Plan) -> str:
    sample = plan.sample
    read = f"{count(sample.pages)} pages in {duration(sample.seconds)}"
    if sample.is_whole:
        return f"counted: the sample met all there is, {read}"
    short = {"max-time": ", cut short by its time", "interrupted": ", interrupted"}.get(sample.ended, "")
    return f"estimated from a sample of {read}{short}"


def _seeds(plan: Plan) -> str:
    bad = f"; {count(plan.bad_seed_lines)} bad lines left out" if plan.bad_seed_lines else ""
    denied = sum(rule.urls for rule in plan.denied_seeds)
    return f"{count(plan.seeds)}{bad}" + (f"; {count(denied)} of them would be skipped:" if denied else "")


def _links(plan: Plan) -> Iterator[str]:
    out = sum(rule.urls for rule in plan.left_out)
    if not out:
        return
    met = plan.admitted + out
    yield _fact("URLs met", f"{count(met)}, of which {100 * plan.admitted / met:.0f} % are admitted; left out:")
    for rule in plan.left_out[:_MOST_RULES]:
        example = f", such as {printable(rule.examples[0], 2 * _HOST_CHARS)}" if rule.examples else ""
        yield _fact("", f"{count(rule.urls)} {printable(rule.rule)}{example}")


def _table(plan: Plan) -> Iterator[str]:
    yield f"  {'slowest hosts':<{_HOST_CHARS}} {'pages':>9} {'time':>12} {'a request each':>15}  pages known"
    for host in plan.hosts[:_MOST_HOSTS]:
        pages = "no answer" if host.is_silent else count(host.pages.likely)
        name = printable(host.host, _HOST_CHARS)
        pace = duration(host.pace_s) if host.pace_s >= 1 else f"{host.pace_s:.2f} s"
        why = "" if host.is_silent else _WHY[host.pages.basis]
        yield f"  {name:<{_HOST_CHARS}} {pages:>9} {duration(host.seconds.likely):>12} {pace:>15}  {why}".rstrip()
    rest = plan.hosts[_MOST_HOSTS:]
    if rest:
        name, pages = f"{count(len(rest))} others, each at most", count(sum(host.pages.likely for host in rest))
        yield f"  {name:<{_HOST_CHARS}} {pages:>9} {duration(rest[0].seconds.likely):>12}"


def _advice(plan: Plan) -> Iterator[str]:
    silent = [host for host in plan.hosts if host.is_silent]
    if silent:
        yield f"{count(len(silent))} hosts do not answer, such as {printable(silent[0].host)}: look at their seeds"
    slowest = next((host for host in plan.hosts if not host.is_silent), None)
    if plan.limit == "hosts" and slowest is not None and len(plan.hosts) > len(silent) + 1:
        yield _slowest(slowest)
    endless = [host for host in plan.hosts if host.pages.most is None and not host.is_silent]
    if endless and plan.limit not in ("max-pages", "max-time"):
        some = f"{count(len(endless))} hosts" if len(endless) > 1 else printable(endless[0].host)
        yield f"nothing tells where {some} ends: a larger --sample, or --depth or --max-pages-per-host, does"
    if plan.sample.ended == "max-time":
        yield "the sample had no time for more: a larger --sample-time makes the plan better"
    if not plan.pages.likely and not silent:
        yield "no page would be fetched: see what is left out, and why"


def _slowest(host: HostPlan) -> str:
    took = f"slowest: {printable(host.host)}, {duration(host.seconds.likely)}"
    if host.crawl_delay_s:
        return f"{took} by Crawl-delay {host.crawl_delay_s:g}: --max-pages-per-host, or ask its owner"
    return f"{took}: --max-pages-per-host bounds it; --per-host and --delay say how fast it is asked"


def _number(number: Number) -> str:
    if number.most is None:
        return f"{count(number.likely)} (at least {count(number.least)}, no end in sight)"
    if number.least == number.most:
        return count(number.likely)
    return f"{count(number.likely)} ({count(number.least)} to {count(number.most)})"


def _span(span: Span) -> str:
    if span.most is None:
        return f"{duration(span.likely)} (at least {duration(span.least)})"
    least, most = duration(span.least), duration(span.most)
    return duration(span.likely) if least == most else f"{duration(span.likely)} ({least} to {most})"


def _fact(name: str, text: str) -> str:
    return f"{name:<11}{text}"
