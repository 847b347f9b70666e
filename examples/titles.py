"""A script: the titles of a site's pages, as they come.

    python examples/titles.py https://example.com/

The crawl begins when the first page is asked for, and ends with the loop, however that ends.
"""

import sys

from crawler import crawl

for page in crawl(sys.argv[1], max_pages=50):
    print(page.status, page.url, page.title or "(no title)")
