"""What a fetcher and parsers make of the answers of a simulated web: real rules of links and redirects, no network."""

import random
from collections import Counter
from collections.abc import Callable

from crawler.core.config import CrawlConfig
from crawler.core.model import Again, Done, Link, Task
from crawler.parsers.reading.new_links import NewLinks
from crawler.web.redirect import followed, redirect_scope
from crawler.web.scope import Scope
from tests.support.simulated_web import SimulatedWeb

__all__ = ["WebAnswers"]


class WebAnswers:
    """Ends tasks as the web has it, those of slow hosts later.

    State: how often each URL was asked for, `asked`; the random numbers.
    """

    def __init__(self, web: SimulatedWeb, config: CrawlConfig, rng: random.Random) -> None:
        self._slow = {host: rng.choice((0.02, 0.5, 1.0)) for host in web.hosts}
        self.asked: Counter[tuple[str, str]] = Counter()
        self._web = web
        self._rng = rng
        self._scope = Scope(config.scope)
        self._redirects = redirect_scope(config.scope, (), (), config.depth)

    def some_of(
        self, under_way: list[Task], links: Callable[[], NewLinks], now: float
    ) -> tuple[list[Done | Again], list[Task]]:
        """Return what comes of some tasks, of one at least, and the tasks that are under way still.

        `links` gives the parser that a page comes to.
        """
        late: list[Task] = []
        results: list[Done | Again] = []
        self._rng.shuffle(under_way)
        for task in under_way:
            host = task.url[: task.url.index("/", 8)]
            if self._rng.random() < self._slow[host] and len(results) < 8:
                results.append(self._result(task, links, now))
            else:
                late.append(task)
        if not results:
            results.append(self._result(late.pop(), links, now))
        return results, late

    def _result(self, task: Task, links: Callable[[], NewLinks], now: float) -> Done | Again:
        web, rng = self._web, self._rng
        what, found = web.answer(task.url, task.kind)
        self.asked[task.url, task.kind] += 1
        if self.asked[task.url, task.kind] <= web.flaky.get(task.url, 0):
            tried = rng.random() < 0.7
            wait_s = rng.choice((0.0, 0.5, 9.0)) if tried else 9.0
            return Again(task.key, now + wait_s, "reset" if tried else None)
        if what == "dead":
            return Done(task.key, "failed", "protocol")
        if what == "missing":
            return Done(task.key, "fetched", "", 404, b"{}\n")
        if what == "moved":
            return followed(task, found[0][0], status=301, spent_s=0.0, scope=self._redirects)
        if task.kind == "sitemap":
            listed = tuple(Link(url, self._scope.verdict(url, task.seed.anchors, 0), kind) for url, kind, _ in found)
            return Done(task.key, "fetched", "sitemap", 200, links=listed)
        hrefs = [(url, nofollow) for url, _, nofollow in found]
        return Done(task.key, "fetched", "", 200, b"{}\n", links().take(task, hrefs, nofollow=False))
