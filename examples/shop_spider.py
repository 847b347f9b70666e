"""A spider for two kinds of pages: products become records, lists only lead to them.

    crawler crawl https://example.com/ --spider examples/shop_spider.py:router -o products.csv
    python examples/shop_spider.py https://example.com/

A function gets the pages in whose URL its pattern is found.
"""

import sys

from crawler import Page, Router, crawl

router = Router()


@router.route(r"/products/\d+$")
def product(page: Page):
    name, price = page.css_first("h1"), page.css_first(".price")
    if name is not None and price is not None:
        yield {"url": page.url, "name": name.text.strip(), "price": float(price.text.strip("€ \n"))}


@router.default
def anything_else(page: Page):
    yield page.follow()


if __name__ == "__main__":
    for record in crawl(sys.argv[1], spider=router, max_pages=50):
        print(record)
