"""A resource for dlt: pages into a table of DuckDB, links into one of their own. Needs `pip install 'dlt[duckdb]'`.

    python examples/dlt_pipeline.py https://example.com/

Pages that a later run brings again replace those of before.
"""

import sys

import dlt
import msgspec

from crawler import crawl


@dlt.resource(primary_key="url", write_disposition="merge")
def pages(seed):
    for page in crawl(seed, max_pages=50):
        yield msgspec.structs.asdict(page)


pipeline = dlt.pipeline("web", destination="duckdb", dataset_name="site")
pipeline.run(pages(sys.argv[1]))
print("tables:", ", ".join(pipeline.default_schema.data_table_names()))
with pipeline.sql_client() as client:
    print("by status:", client.execute_sql("SELECT status, count(*) FROM pages GROUP BY status ORDER BY status"))
