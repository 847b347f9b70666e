"""What each outcome and reason means, in a sentence. Pure."""

from typing import Final

from crawler.core.config import CrawlConfig
from crawler.frontier.row import UrlRow

__all__ = ["summary"]

_FAILED: Final = {
    "timeout": "no answer came in time (--timeout)",
    "dns": "the name of its host could not be looked up",
    "connect": "no connection could be made",
    "reset": "the connection was broken off",
    "incomplete": "the answer ended before its end",
    "protocol": "what came was no answer of HTTP",
    "encoding": "the body could not be decoded",
    "tls": "no secure connection could be made",
    "redirects": "its redirects lead in a circle, too far, or to no URL",
    "host-down": "its host did not answer, and was given up (--fail-unreachable)",
    "sitemap": "it could not be read as a sitemap",
    "parser-died": "the process that read it died",
    "parser-timeout": "to read it took longer than --parser-timeout",
    "parser-error": "to read it raised an exception",
    "record": "what the spider gave cannot be written",
}
_SKIPPED: Final = {
    "robots": "robots.txt denies it",
    "robots-unreachable": "its robots.txt could not be had, which closes the host",
    "scope": "it is out of scope",
    "filter": "a filter leaves it out",
    "nofollow": "all links to it say nofollow",
    "private-address": "its host has a private address (--allow-private opens it)",
    "repeats": "pages of its host bring nothing but links, more of them than --max-repeats allows",
    "host-limit": "its host has had all pages that --max-pages-per-host allows",
    "domain-limit": "its domain has had all pages that --max-pages-per-domain allows",
    "malformed": "this row of a list is no URL",
}


def summary(row: UrlRow, config: CrawlConfig) -> str:
    """Say in a sentence what became of a URL."""
    word, _, more = row.reason.partition(": ")
    match row.outcome:
        case "fetched":
            return _fetched(row)
        case "redirected":
            return f"its answer (status {row.status}) points elsewhere" if row.status else "its page points elsewhere"
        case "failed":
            said = _FAILED.get(word, "no usable answer came")
            return f"{said}: {more}" if more else said
        case "skipped":
            return _skipped(row, word, more, config)
    if row.attempts:
        return f"it is due again after {_attempts(row.attempts)}" + (f": {_failure(row.reason)}" if row.reason else "")
    return "it is due, and was not asked for yet"


def _fetched(row: UrlRow) -> str:
    said = f"a server answered with status {row.status}"
    match row.reason:
        case "sitemap":
            return f"{said}; it was read as a sitemap, which has no record"
        case "sitemap: cut":
            return f"{said}; it was read as a sitemap, and not all of it was taken"
        case "duplicate" | "near-duplicate":
            near = "nearly " if row.reason.startswith("near") else ""
            return f"{said}; it brought {near}the same as an earlier page, so it has no record (--skip-duplicates)"
        case "":
            return said
    return f"{said} ({row.reason})"


def _skipped(row: UrlRow, word: str, more: str, config: CrawlConfig) -> str:
    if word == "depth":
        most = "as far as sitemaps are followed" if row.is_sitemap else f"--depth is {config.depth}"
        return f"it is {row.depth} links from its seed, and {most}"
    if word == "trap":
        chain = f"{row.chain} pages in a row look alike on the way to it" if row.chain > 0 else "its URL repeats itself"
        return f"{chain}, as in a trap (--max-chain)"
    if word == "same-page":
        return f"others that differ from it in {more} alone brought the same page (--keep-parameters asks for it)"
    return _SKIPPED.get(word, f"it was left out: {row.reason}")


def _failure(reason: str) -> str:
    return _FAILED.get(reason.partition(": ")[0], reason)


def _attempts(number: int) -> str:
    return "an attempt" if number == 1 else f"{number} attempts"
