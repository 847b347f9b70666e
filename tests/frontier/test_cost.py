"""What a link costs the frontier, in counts: seconds would say more of the machine than of the program."""

import sys
import time

from crawler.core.config import CrawlConfig
from crawler.core.model import Done, Link, Seed
from crawler.frontier.frontier import Frontier
from crawler.frontier.store import Store

LINKS = 1_000
MOST_CALLS = 46.0
"""A seventh more than it takes. When it takes more, something is done for each link that was not."""


def test_to_make_a_link_known_takes_few_calls(tmp_path):
    """Of Python functions of the package and of the builtin ones that these call, with the commit; the link is new."""
    calls = 0

    def count(frame, event, _):
        nonlocal calls
        calls += event in ("call", "c_call") and "/crawler/" in frame.f_code.co_filename

    links = tuple(Link(f"http://a.test/{number}") for number in range(LINKS))
    with Store(tmp_path / "store") as store:
        frontier = Frontier(store, CrawlConfig(job=tmp_path))
        frontier.add_seed(1, Seed("http://a.test/", extra={}))
        store.commit()
        frontier.committed()
        ((task,), _) = frontier.refill(time.time())
        sys.setprofile(count)
        try:
            frontier.finish([Done(task.key, "fetched", status=200, records=b"{}\n", links=links)], time.time())
            frontier.save()
            store.commit()
        finally:
            sys.setprofile(None)
        assert frontier.counters.known == LINKS + 1
    assert calls / LINKS <= MOST_CALLS
