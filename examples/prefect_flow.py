"""A flow for Prefect: crawl, then count what the pages link to.

    python examples/prefect_flow.py https://example.com/

Without Prefect its functions are just called.
"""

import sys
from collections import Counter
from urllib.parse import urlsplit

from crawler import crawl

try:
    from prefect import flow, task
except ImportError:

    def task(**_options):
        return lambda function: function

    flow = task


@task(retries=2)
def linked_hosts(seed: str) -> dict[str, int]:
    pages = crawl(seed, max_pages=50)
    return dict(Counter(urlsplit(link).netloc for page in pages for link in page.links))


@flow(name="linked hosts")
def linked(seed: str) -> dict[str, int]:
    return linked_hosts(seed)


if __name__ == "__main__":
    print(linked(sys.argv[1]))
