"""The story of a URL in lines of text, as a person reads it."""

from collections.abc import Iterator, Sequence
from typing import Final

from crawler.core.dates import rfc3339
from crawler.core.ip_address import address_text
from crawler.core.model import Attempt
from crawler.core.printable import printable
from crawler.jobs.explanation import Explanation, Story
from crawler.jobs.hosts import HostFacts
from crawler.jobs.job import Job

__all__ = ["best_explanation", "told"]

_SHOWN_WAY: Final = 12
_LABEL: Final = 12


def best_explanation(job: Job, url: str) -> Explanation:
    """Return what a job can say of a URL that a person has written, perhaps without its scheme.

    Of its forms, that is the first that is known, else that of an origin that is, else the first.
    """
    return max(map(job.explain, _forms(url)), key=lambda one: (one.is_known, one.asked_its_origin))


def _forms(url: str) -> list[str]:
    """Return what may be meant: people leave the scheme out."""
    has_scheme = "://" in url or url.lower().startswith("sitemap:")
    return [url] if has_scheme or "." not in url.partition("/")[0] else [f"https://{url}", f"http://{url}", url]


def told(explanation: Explanation) -> Iterator[str]:
    """Give the lines of a story. What comes from outside is fit for a terminal."""
    return map(printable, _lines(explanation))


def _lines(explanation: Explanation) -> Iterator[str]:
    yield explanation.url or explanation.asked
    for change in explanation.changes:
        yield _row("typed", change)
    if explanation.shard is not None:
        as_of = "" if explanation.as_of is None else f", as of its checkpoint at {rfc3339(explanation.as_of)}"
        yield _row("shard", f"{explanation.shard} of {explanation.shards} owns it{as_of}")
    for story in explanation.stories:
        yield from _story(story)
    if explanation.why_unknown:
        yield _row("outcome", "never met by this job")
        yield from _rows("why", explanation.why_unknown)
    yield from _rows("near", [f"{one.url}  ({one.how})" if one.how else one.url for one in explanation.near])
    if explanation.host is not None:
        yield from _host(explanation.host)


def _story(story: Story) -> Iterator[str]:
    facts = story.facts
    ended = f"{facts.outcome}: {facts.reason}" if facts.outcome and facts.reason else facts.outcome or "due"
    as_sitemap = " (asked for as a sitemap)" if facts.kind == "sitemap" else ""
    yield _row("outcome", f"{ended}{as_sitemap}")
    yield from _rows("why", (story.summary, *story.why))
    if facts.at:
        yield _row("at", rfc3339(facts.at))
    for number, one in enumerate(facts.attempts, start=1):
        yield _row("attempts" if number == 1 else "", _attempt(one))
    yield from _rows("waits for", story.waits_for)
    if story.redirects_to:
        yield _row("leads to", story.redirects_to)
    if story.repeats:
        yield _row("repeats", story.repeats)
    if story.record_at:
        yield _row("record", story.record_at)
    if facts.lastmod:
        yield _row("changed", f"{facts.lastmod}, as a sitemap says")
    yield _row("depth", str(facts.depth))
    way = [f"{one.url}  {one.how} it" for one in story.way]
    left = len(way) - _SHOWN_WAY
    if left > 1:
        way[_SHOWN_WAY - 2 : -2] = [f"… {left + 1} further URLs …"]
    yield from _rows("found at", way)
    if story.seed is not None:
        extra = "" if story.seed.extra is None else f", with {story.seed.extra}"
        of = "" if story.seed.shard is None else f" of shard {story.seed.shard}"
        yield _row("seed", f"number {story.seed.number:,}{of}: {story.seed.url}{extra}")


def _attempt(one: Attempt) -> str:
    """Return an attempt as a person reads it: when, how long, of whom, what came of it."""
    of = f" of {address_text(one.address)}" if one.address else ""
    return f"{rfc3339(one.at)}, {one.elapsed_ms / 1000:.3f} s{of}: {one.what or 'its answer was taken'}"


def _host(host: HostFacts) -> Iterator[str]:
    said = []
    for one in host.robots:
        delay = "" if one.crawl_delay_s is None else f", Crawl-delay {one.crawl_delay_s:g} s"
        said.append(
            f"{one.origin}/robots.txt: status {one.status or 'none'}, asked for at {rfc3339(one.asked_at)}{delay}"
        )
    if host.delay_s is not None:
        said.append(f"a request each {host.delay_s:g} s")
    yield from _rows("host", said)


def _rows(label: str, texts: Sequence[str]) -> Iterator[str]:
    for number, text in enumerate(texts):
        yield _row("" if number else label, text)


def _row(label: str, text: str) -> str:
    return f"  {label:<{_LABEL}}{text}"
