"""How a crawl ended and what to do next, in plain sentences: pure."""

from msgspec import Struct

from crawler.cli.report.certificates import NO_TLS, TLS, is_of_certificate, is_without_tls
from crawler.core.config import CrawlConfig
from crawler.core.printable import printable
from crawler.core.quantity import count, count_of, duration, share
from crawler.core.stats import CrawlStats
from crawler.ring.bottleneck import limits_of_run

__all__ = ["Ending", "ending", "limited_by", "why_no_page"]


_CAUSES = (
    (
        "skipped: private-address",
        "the seeds are on loopback or private addresses: run again with --allow-private --fresh to permit that",
    ),
    (
        "skipped: robots",
        "robots.txt forbids it or could not be read; a site of your own can be crawled with --robots ignore --fresh",
    ),
    ("skipped: scope", "what the seeds lead to is out of scope: run again with a wider --scope and --fresh"),
    (
        "failed: tls",
        "most URLs {reason}: --ca-bundle FILE trusts further authorities, --insecure any certificate; with --fresh",
    ),
    ("failed: dns", "the host names are unknown: check the spelling of the seeds"),
    ("failed", "most URLs {reason}: check that the servers answer, then run the same command with --retry-failed"),
)
"""Beginnings of the outcome that most URLs have, and what to do about it; the first that fits counts."""


_WORTH_TELLING = 0.02
_TOLD = 4


class Ending(Struct, frozen=True):
    """`what` happened, in a few words; `then` is the next action, empty if there is none."""

    what: str
    then: str


def ending(stats: CrawlStats, config: CrawlConfig) -> Ending:
    """Say how the crawl ended. `running` stands for a crawl that an error broke off."""
    end = _ending(stats, config)
    if config.job is not None or stats.ended == "done":
        return end
    return Ending(end.what.partition(";")[0], "this crawl had no job that could go on: --job DIR keeps one")


def _ending(stats: CrawlStats, config: CrawlConfig) -> Ending:
    left = f"{count_of(stats.queued, 'URL', 'are')} still queued" if stats.queued else ""
    match stats.ended:
        case "max-pages":
            what = f"stopped at {count(stats.pages)} pages: the budget of --max-pages {config.max_pages} is used up"
            then = _sentence(left, "a larger --max-pages goes on from here")
        case "max-time":
            what = f"stopped after {duration(stats.elapsed_s)}: the budget of --max-time {config.max_time_s} is used up"
            then = _sentence(left, "run the same command again to go on for as long")
        case "unreachable":
            what, then = (
                _unreachable(stats),
                "the same command tries them again; --fail-unreachable ends them as failed",
            )
        case "interrupted":
            what, then = "interrupted; nothing is lost", _sentence(left, "run the same command again to go on")
        case "running":
            what = "broken off by an error; what was committed is safe"
            then = _sentence(left, "put right what the error names and run the same command again")
        case "done" if stats.pages == 0:
            what, then = "done, but no page was fetched", _nothing_fetched(stats, config)
        case "done" if stats.run_pages == 0:
            what, then = "done before; this run found nothing left to fetch", _more(stats)
        case "done":
            what, then = "done: every URL that was found has ended", ""
    return Ending(what, then)


def limited_by(stats: CrawlStats) -> str:
    """Say what limited the crawl, with its part of the time: `per-host 81 %, parsers 12 %`; empty if it was short."""
    told = [f"{stage} {share(part)}" for stage, part in limits_of_run(stats) if part >= _WORTH_TELLING]
    return ", ".join(told[:_TOLD])


def _remedy(kind: str, config: CrawlConfig) -> str:
    """Say what to do about a kind of outcome that most URLs have; empty for one that nobody can help."""
    if kind.startswith(TLS) and not is_of_certificate(kind):
        if is_without_tls(kind):
            return NO_TLS
        return f"most URLs {kind}: crawler and server have no version or cipher of TLS in common"
    if kind.startswith("failed: parser-error") and config.spider is not None:
        return f"the spider fails: `crawler try URL --spider {config.spider}` shows where; mended, run it with --fresh"
    return next((then.format(reason=kind) for start, then in _CAUSES if kind.startswith(start)), "")


def why_no_page(stats: CrawlStats, config: CrawlConfig) -> str:
    """Say in one line how most URLs ended, and what to do about it."""
    kinds = sorted(stats.outcomes.items(), key=lambda item: (-item[1], item[0]))
    return _sentence(", ".join(f"{kind} ({count(number)})" for kind, number in kinds[:3]), ending(stats, config).then)


def _more(stats: CrawlStats) -> str:
    failed = any(kind.startswith("failed") for kind in stats.outcomes)
    return "--fresh crawls it all again" + (", --retry-failed what has failed" if failed else "")


def _unreachable(stats: CrawlStats) -> str:
    """Say how many URLs are left, and of whom."""
    urls = count_of(stats.queued, "URL")
    number = stats.unreachable_hosts
    hosts = count_of(number, "host")
    one = stats.silent[0] if stats.silent else None
    who = "" if one is None else printable(f" ({one.name}: {one.why})" if number == 1 else f" ({one.name} and others)")
    return f"{urls} of {hosts} cannot be reached{who}; all others have ended"


def _nothing_fetched(stats: CrawlStats, config: CrawlConfig) -> str:
    """Name the most likely cause: the reason that most URLs ended with."""
    if not stats.known:
        return "there was no usable seed: give an http(s) URL or a file of them"
    # That a sitemap was read is no reason why the pages that it lists were not.
    others = {kind: number for kind, number in stats.outcomes.items() if not kind.startswith("fetched")}
    if stats.outcomes and not others:
        return "sitemaps were read, but they list no page"
    reason = min(others, key=lambda kind: (-others[kind], kind), default="")
    return _remedy(reason, config) or "see the outcomes above"


def _sentence(*parts: str) -> str:
    return "; ".join(part for part in parts if part)
