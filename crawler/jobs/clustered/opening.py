"""From the name of a job to its place, if it is one of many shards, and to the last state that lies there."""

import os
from pathlib import Path, PurePath

from crawler.core.errors import JobError
from crawler.core.job_place import url_of
from crawler.shards.place import Place
from crawler.shards.state import ClusterState, decode
from crawler.shards.states import States

__all__ = ["place_of", "state_at"]


def place_of(job: str | os.PathLike[str]) -> Place | None:
    """Return the place of a job of many shards: a URL, or a folder with states. None for any other folder.

    Raises `ConfigError` for a URL that no installed driver knows.
    """
    url = url_of(PurePath(job))
    if url is not None:
        return Place(url)
    path = Path(job)
    try:
        is_place = (path / "states").is_dir() and not (path / "state" / "CURRENT").exists()
    except OSError:
        return None  # whoever opens it as a job of one ring says why
    return Place(path) if is_place else None


def state_at(place: Place) -> ClusterState:
    """Return the last state of the job at a place.

    Raises `JobError` if there is none or a later version wrote it, `StorageError` if it cannot be read or is damaged.
    """
    found = States(place.at("states")).latest()
    if found is None:
        raise JobError(f"there is no job at {place.shown}: name the place of a crawl, as its --job was")
    return decode(found[1])
