"""The demo site as a pure model: what each address answers, and how each URL of a crawl must end.

Nothing here touches the network, the clock or the disk. Two models with the same port are equal in every byte.
"""

import re

from crawler.cli.demo.answer import Answer
from crawler.cli.demo.hosts import HOSTS, DemoHost
from crawler.cli.demo.layout import Layout
from crawler.cli.demo.oddities import calendar_page, oddities
from crawler.cli.demo.page import HtmlPage, render
from crawler.cli.demo.resource import Resource
from crawler.cli.demo.robots_files import robots_answers

__all__ = ["Site", "demo_seeds", "expected_urls"]

_CALENDAR_HOST = 9
_CALENDAR = re.compile(r"/calendar/([0-9]{4})/(0[1-9]|1[0-2])")


class Site:
    """All twenty hosts, served on `port`.

    Its only state is a cache of rendered answers: a page is rendered when it is first asked for.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self._layouts = {host.name: Layout(host, port) for host in HOSTS}
        self._resources: dict[tuple[str, str], Resource] = {}
        self._answers: dict[tuple[str, str], Answer] = {}
        for host in HOSTS:
            self._build(host)

    def answer(self, host: str, target: str) -> Answer | None:
        """Give what `host` (a name without port) answers to `target` (path and query), or None for an unknown host.

        An unknown target gets a 404 page.
        """
        layout = self._layouts.get(host)
        if layout is None:
            return None
        answer = self._answers.get((host, target))
        if answer is None:
            answer = render(self._page(layout, target), layout.prose)
            if (host, target) in self._resources:
                self._answers[host, target] = answer
        return answer

    def resource(self, url: str) -> Resource | None:
        """Find what stands at a URL in normal form; None for what is not a page or file of the site."""
        scheme, _, rest = url.partition("://")
        authority, slash, target = rest.partition("/")
        if scheme != "http" or not authority.endswith(f":{self.port}"):
            return None
        return self._resources.get((authority.rpartition(":")[0], slash + target))

    def outcomes(self) -> dict[str, str]:
        """Map every URL (normal form) that a crawl from `demo_seeds` meets to how it ends.

        The crawl is one in scope `host`, without a limit of depth or pages, that obeys robots. Values are those of
        `core.model.Outcome`, with the reason: `fetched`, `redirected`, `failed: redirects`, `skipped: robots`.
        """
        ends = {
            f"http://{host}:{self.port}{target}": resource.outcome
            for (host, target), resource in self._resources.items()
            if resource.outcome
        }
        for host in HOSTS:
            ends[f"https://www.example.com/partners/{host.number:02d}"] = "skipped: scope"
        return ends

    def kinds(self) -> dict[str, int]:
        """Count the resources that a crawl meets by kind."""
        counts: dict[str, int] = {}
        for resource in self._resources.values():
            if resource.outcome:
                counts[resource.kind] = counts.get(resource.kind, 0) + 1
        return counts

    def _build(self, host: DemoHost) -> None:
        layout = self._layouts[host.name]
        odd = oddities(layout)
        for resource in (*layout.pages(odd.entrances), *odd.resources):
            key = (host.name, resource.target)
            if key in self._resources:
                raise ValueError(f"two resources at {key}")
            self._resources[key] = resource
            if isinstance(resource.content, Answer):
                self._answers[key] = resource.content
        for target, answer in robots_answers(host, self.port).items():
            self._answers[host.name, target] = answer

    def _page(self, layout: Layout, target: str) -> HtmlPage:
        resource = self._resources.get((layout.host.name, target))
        if resource is not None and isinstance(resource.content, HtmlPage):
            return resource.content
        month = _CALENDAR.fullmatch(target)
        if month is not None and layout.host.number == _CALENDAR_HOST:
            return calendar_page(layout, int(month[1]), int(month[2]))
        return layout.page(target, "Not found", status=404, size=200)


def demo_seeds(port: int) -> tuple[str, ...]:
    """Give the start URLs of the demo: the home page of each host."""
    return tuple(f"http://{host.name}:{port}/" for host in HOSTS)


def expected_urls(port: int) -> set[str]:
    """Give the URLs (normal form) that must have exactly one record each after a crawl from `demo_seeds`.

    They follow from the model, not from a crawl; `Site.outcomes` says which crawl is meant.
    """
    return {url for url, outcome in Site(port).outcomes().items() if outcome == "fetched"}
