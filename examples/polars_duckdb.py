"""SQL over a crawl with DuckDB, and the answer as a DataFrame of polars.

Needs the extras arrow and polars, and `pip install duckdb`.

    python examples/polars_duckdb.py https://example.com/
"""

import sys

import duckdb

from crawler import crawl

pages = duckdb.from_arrow(crawl(sys.argv[1], max_pages=50).to_arrow())
hubs = pages.query(
    "pages",
    """
    SELECT target, count(*) AS linked_by, any_value(status) AS status
    FROM (SELECT unnest(links) AS target FROM pages) LEFT JOIN pages ON url = target
    GROUP BY target ORDER BY linked_by DESC, target LIMIT 5
    """,
)
print(hubs.pl())
