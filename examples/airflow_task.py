"""A task for Airflow: one crawl a day, each with a folder of its own, from which a retry of the task goes on.

    python examples/airflow_task.py https://example.com/ output/airflow

Put the file into Airflow's folder of DAGs. Without Airflow it is a program like any other.
"""

import sys
from datetime import datetime
from pathlib import Path

from crawler import crawl

try:
    from airflow.sdk import dag, task
except ImportError:
    dag = None


def crawl_to_parquet(seed: str, folder: str) -> int:
    """Crawl into `<folder>/pages.parquet`; return how many pages that are. Killed and retried, it loses none."""
    with crawl(seed, job=folder, output=Path(folder) / "pages.parquet", max_pages=50) as pages:
        for _ in pages:
            pass
        return pages.stats().pages


if dag is not None:

    @dag(schedule="@daily", start_date=datetime(2026, 1, 1), catchup=False)  # noqa: DTZ001 - Airflow takes it as UTC
    def daily_crawl():
        task(retries=3)(crawl_to_parquet)("https://example.com/", "/data/crawls/{{ ds }}")

    daily_crawl()
elif __name__ == "__main__":
    print(crawl_to_parquet(*sys.argv[1:3]), "pages fetched")
