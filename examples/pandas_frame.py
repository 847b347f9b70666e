"""A DataFrame of pandas: the crawl as a table.

    python examples/pandas_frame.py https://example.com/

Needs the extra pandas.
"""

import sys

from crawler import crawl

frame = crawl(sys.argv[1], max_pages=50).to_pandas()
frame["words"] = frame["text"].str.split().str.len()
print(frame.groupby(["status", "depth"]).agg(pages=("url", "count"), words=("words", "mean")))
print("linked most:", frame["links"].explode().value_counts().head(3), sep="\n")
