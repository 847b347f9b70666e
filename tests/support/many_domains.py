"""A small web of many domains that link to each other, for crawls of several shards, on one loopback server."""

import threading
import time

from tests.support.servers import Answer, LocalServer

__all__ = ["ManyDomains"]


class ManyDomains(LocalServer):
    """`domains` names below `localhost`, each with `pages` pages, a redirect to the next domain, and a page that is
    missing. Each page links to the next ones of its domain, and to pages of two other domains.

    `times` are the moments at which each domain was asked for a page, by the server's clock.
    """

    def __init__(self, domains: int = 8, pages: int = 6, *, delay_s: float = 0.0) -> None:
        super().__init__(self._page)
        self.domains = domains
        self.pages_each = pages
        self.delay_s = delay_s
        self.times: dict[str, list[float]] = {}
        self._writing = threading.Lock()

    def seeds(self) -> list[str]:
        """The start pages of each second domain: the others are found by links."""
        return [self.at(number, "/0") for number in range(0, self.domains, 2)]

    def at(self, number: int, path: str) -> str:
        return f"http://d{number % self.domains:02}.localhost:{self.port}{path}"

    def pages_there(self) -> set[str]:
        """All pages that have a record."""
        there = {self.at(number, f"/{page}") for number in range(self.domains) for page in range(self.pages_each)}
        return there | {self.at(number, "/missing") for number in range(self.domains)}

    def _page(self, host: str, path: str) -> Answer:
        name = host.partition(":")[0]
        if path == "/robots.txt":
            return Answer("", status=404)
        with self._writing:
            self.times.setdefault(name, []).append(time.monotonic())
        number = int(name[1:3])
        if path == "/away":
            return Answer(status=302, headers={"Location": self.at(number + 3, "/0")})
        if not path[1:].isdecimal() or int(path[1:]) >= self.pages_each:
            return Answer("missing", status=404, delay_s=self.delay_s)
        page = int(path[1:])
        links = [
            self.at(number, f"/{(page + 1) % self.pages_each}"),
            self.at(number, f"/{(2 * page + 1) % self.pages_each}"),
            self.at(number + 1, f"/{page}"),
            self.at(number + 2 + page, "/0"),
            self.at(number, "/away"),
            self.at(number, "/missing"),
        ]
        body = "".join(f'<p><a href="{link}">page {at} of {name}, {page}</a>' for at, link in enumerate(links))
        return Answer(
            f"<title>{name} {page}</title>{body}", headers={"Content-Type": "text/html"}, delay_s=self.delay_s
        )
