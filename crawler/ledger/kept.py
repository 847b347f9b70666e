"""What a job's store keeps of how the job was begun, for whoever goes on with it: read without running it."""

from pathlib import Path
from typing import Any

from crawler.core.errors import CrawlerError
from crawler.frontier.store import Store

__all__ = ["begun_with"]


def begun_with(folder: Path) -> str | None:
    """Return the fingerprint of the seeds that the job in a folder was begun with, None if that cannot be told."""
    try:
        with Store(folder / "state", read_only=True) as store:
            job: dict[str, Any] = store.meta("job") or {}
    except CrawlerError:
        return None
    return job.get("seeds")
