"""An asset for Dagster: the pages of a site as a DataFrame. Needs the extra pandas.

    python examples/dagster_asset.py https://example.com/

In a project of Dagster the file is part of the definitions; without Dagster it is a program like any other.
"""

import os
import sys

from crawler import crawl

try:
    from dagster import asset
except ImportError:

    def asset(**_options):
        return lambda function: function


@asset(group_name="web")
def pages():
    """One row a page; the site is named by the environment, as Dagster's resources are."""
    return crawl(os.environ["SITE"], max_pages=50, skip_duplicates="exact").to_pandas()


if __name__ == "__main__":
    os.environ["SITE"] = sys.argv[1]
    print(pages()[["status", "depth", "url", "title"]])
