"""The robots.txt of each host of the demo site (RFC 9309), as a server answers it."""

from crawler.cli.demo.answer import Answer
from crawler.cli.demo.hosts import DemoHost

__all__ = ["MOVED_ROBOTS", "robots_answers"]

MOVED_ROBOTS = "/well-known/robots-rules.txt"
"""Where one host redirects its robots.txt to."""

_USUAL = """\
# Thank you for reading this first.
User-agent: *
Disallow: /private/
Disallow: /search
Allow: /private/press/
"""
_CHOOSY = """\
User-agent: *
Disallow: /

User-agent: crawler
Disallow: /vault/
Allow: /vault/tour/
Disallow: /*.zip$
Disallow: /*?sort=
"""


def robots_answers(host: DemoHost, port: int) -> dict[str, Answer]:
    """Map the targets that belong to the robots.txt of `host` to their answers; none means that it has no such file.

    A site's robots.txt is not a page: its URL has no record and no outcome.
    """
    sitemap = f"\nSitemap: http://{host.name}:{port}/sitemap.xml\n"
    text = _USUAL + sitemap
    match host.number:
        case 9:
            text = _USUAL + "Disallow: /calendar/\n" + sitemap
        case 10:
            text = _CHOOSY + sitemap
        case 12:
            # A byte-order mark and CR LF, as some editors leave them.
            return {"/robots.txt": _plain("\ufeff" + text.replace("\n", "\r\n"))}
        case 14:
            text = _USUAL + "Crawl-delay: 0.25\n" + sitemap
        case 16:
            moved = Answer(status=301, headers=(("Location", MOVED_ROBOTS),))
            return {"/robots.txt": moved, MOVED_ROBOTS: _plain(text)}
        case 17:
            return {}
    return {"/robots.txt": _plain(text)}


def _plain(text: str) -> Answer:
    return Answer(headers=(("Content-Type", "text/plain; charset=utf-8"),), body=text.encode())
