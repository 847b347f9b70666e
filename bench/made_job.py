"""A job's store with any number of URLs, as a crawl would have left it: for what reads jobs.

Of 20 URLs 11 are fetched pages, 1 is redirected, 1 has failed, 4 were skipped, 3 are due. Each leads back to its seed
by pages that are there. One host in ten has a robots.txt.
"""

import time
from pathlib import Path

from crawler.core.config import CrawlConfig
from crawler.core.counters import Counters
from crawler.core.model import SeedContext
from crawler.frontier.reach import Reach
from crawler.frontier.row import ENDED, REOPENABLE, UrlRow
from crawler.frontier.store import Store
from crawler.ledger.kept import keep

__all__ = ["made_job", "url_of"]

_ENDS = (
    *(("fetched", "", 200),) * 10,
    ("fetched", "", 404),
    ("redirected", "", 301),
    ("failed", "timeout", 0),
    ("skipped", "scope", 0),
    ("skipped", "scope", 0),
    ("skipped", "robots", 0),
    ("skipped", "filter", 0),
    *(("", "", 0),) * 3,
)
_COMMIT = 50_000
_LINKS = 20
_BEGAN_AT = 1_700_000_000.0


def url_of(number: int, hosts: int) -> str:
    """Return one of the URLs: all of a host's have one number modulo `hosts`."""
    host = number % hosts
    return f"https://host-{host}.example/section-{number // hosts % 97}/a-page-with-a-usual-name-{number}.html"


def made_job(folder: Path, urls: int, hosts: int = 1_000) -> None:
    """Make a job of so many URLs."""
    config = CrawlConfig(job=folder, scope="host", exclude=("/never",))
    with Store(folder / "state") as store:
        store.put_meta("job", {"output": ["in the job"], "seeds": "x"})
        keep(store, config)
        counters = Counters(known=urls)
        keys, encode = store.keys, store.urls
        for seed in range(hosts):
            store.put_seed(SeedContext(seed + 1, (url_of(seed, hosts),), b"null"))
        for number in range(urls):
            outcome, reason, status = _ENDS[number // hosts % len(_ENDS)] if number >= hosts else _ENDS[0]
            parent = (
                number // hosts - 1
            ) // _LINKS * hosts + number % hosts  # of the same host, and nearer to its seed
            url = url_of(number, hosts)
            key = keys.url(url, "page")
            row = UrlRow(
                url=url,
                depth=0 if number < hosts else 1 + number // hosts % 7,
                parent=b"" if number < hosts else keys.url(url_of(parent, hosts), "page"),
                seed=number % hosts + 1,
                redirected_from=(),
                attempts=int(outcome not in {"", "skipped"}),
                seq=number + 1,
                at=_BEGAN_AT + number / 100,
                outcome=outcome,
                reason=reason,
                status=status,
                parent_url=None if outcome or number < hosts else url_of(parent, hosts),
            )
            if outcome:
                encode.put(key, REOPENABLE if outcome == "skipped" else ENDED, row)
                counters.count(outcome, reason, 1)
            else:
                place = row.place(keys.host(url))
                encode.put_waiting(key, place, Reach(row.depth, 0))
                store.queue.add(place, key, row)
                counters.queued += 1
            if number % _COMMIT == 0:
                store.commit()
        counters.seq = urls
        counters.pages = counters.outcomes.get("fetched", 0)
        store.put_meta(
            "counters", {name: getattr(counters, name) for name in ("seq", "known", "queued", "pages", "outcomes")}
        )
        store.put_meta("seeded", value=True)
        store.commit()


if __name__ == "__main__":
    import sys

    began = time.monotonic()
    made_job(Path(sys.argv[1]), int(sys.argv[2]))
    print(f"{time.monotonic() - began:.0f} s")
