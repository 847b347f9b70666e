"""What is said at the start of patterns that a URL may drag out (`web.url_patterns`)."""

import logging

from crawler.core.config import CrawlConfig
from crawler.core.printable import printable
from crawler.parsers.spiders.router import Router
from crawler.parsers.spiders.spider import Spider
from crawler.web.url_patterns import UrlPatterns

__all__ = ["tell_costly"]

_log = logging.getLogger(__name__)


def tell_costly(config: CrawlConfig, spider: Spider | None, *, alone: bool = False) -> None:
    """Warn of each pattern of a crawl that is not linear, in one line. `alone`: one page is read, in this process."""
    told = [("--include", one) for one in UrlPatterns(config.include).costly]
    told += [("--exclude", one) for one in UrlPatterns(config.exclude).costly]
    if isinstance(spider, Router):
        told += [("route", one) for one in spider.costly]
    if alone:
        where = "nothing but Ctrl-C ends that here"
    elif config.strategy == "hybrid":
        where = f"parsers judge it, and a page that takes them {config.parser_timeout_s:g} s fails (--parser-timeout)"
    else:
        where = f"nothing ends that with --strategy {config.strategy}"
    for what, (pattern, why) in told:
        _log.warning("%s %s: not linear: %s. A URL can be made to take long; %s", what, printable(pattern), why, where)
