"""How a crawl ended and what to do next, in plain sentences: pure."""

from msgspec import Struct

from crawler.config import CrawlConfig
from crawler.report.quantity import count, duration
from crawler.stats import CrawlStats

__all__ = ["Ending", "ending"]


class Ending(Struct, frozen=True):
    """`what` happened, in a few words; `then` is the next action, empty if there is none."""

    what: str
    then: str


def ending(stats: CrawlStats, config: CrawlConfig) -> Ending:
    """Say how the crawl ended. `running` stands for a crawl that an error broke off."""
    left = f"{count(stats.queued)} URLs are still queued" if stats.queued else ""
    match stats.ended:
        case "max-pages":
            what = f"stopped at {count(stats.pages)} pages: the budget of --max-pages {config.max_pages} is used up"
            then = _sentence(left, "a larger --max-pages goes on from here")
        case "max-time":
            what = f"stopped after {duration(stats.elapsed_s)}: the budget of --max-time {config.max_time_s} is used up"
            then = _sentence(left, "run the same command again to go on for as long")
        case "interrupted":
            what, then = "interrupted; nothing is lost", _sentence(left, "run the same command again to go on")
        case "running":
            what = "broken off by an error; what was committed is safe"
            then = _sentence(left, "put right what the error names and run the same command again")
        case "done" if stats.pages == 0:
            what, then = "done, but no page was fetched", _nothing_fetched(stats)
        case "done" if stats.run_pages == 0:
            what, then = "done before; this run found nothing left to fetch", "--fresh crawls it all again"
        case "done":
            what, then = "done: every URL that was found has ended", ""
    return Ending(what, then)


def _nothing_fetched(stats: CrawlStats) -> str:
    """Name the most likely cause: the reason that most URLs ended with."""
    if not stats.known:
        return "there was no usable seed: give an http(s) URL or a file of them"
    reasons = sorted(stats.outcomes.items(), key=lambda item: (-item[1], item[0]))
    reason = reasons[0][0] if reasons else ""
    if reason == "skipped: private-address":
        return "the seeds are on loopback or private addresses: run again with --allow-private --fresh to permit that"
    if reason.startswith("skipped: robots"):
        return (
            "robots.txt forbids it or could not be read; a site of your own can be crawled with --robots ignore --fresh"
        )
    if reason == "failed: dns":
        return "the host names do not resolve: check the spelling of the seeds and the network"
    if reason.startswith("failed"):
        return f"most URLs {reason}: check that the servers answer, then run the same command with --fresh"
    return "see the outcomes above"


def _sentence(*parts: str) -> str:
    return "; ".join(part for part in parts if part)
