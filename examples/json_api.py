"""Crawl a JSON API page by page, and every item that it names.

    crawler crawl 'https://example.com/api/items?page=1' --spider examples/json_api.py:parse -o items.csv
    python examples/json_api.py 'https://example.com/api/items?page=1'

A page of the API has `items`, each with the `url` of its details, and `next`, the page after it, or null.
"""

import sys

from crawler import Page, crawl


def parse(page: Page):
    answer = page.json()
    if "items" in answer:
        yield page.follow([item["url"] for item in answer["items"]], answer["next"])
    else:
        yield {"url": page.url, "name": answer["name"], "price": answer["price"]}


if __name__ == "__main__":
    for record in crawl(sys.argv[1], spider=parse, headers={"Accept": "application/json"}, max_pages=50):
        print(record)
