"""From a folder's name to the store of the job in it, for reading alone; and whether a crawl runs it now."""

import os
from pathlib import Path

from crawler.core.errors import JobError
from crawler.core.file_lock import is_held
from crawler.core.printable import printable
from crawler.core.refusal import refusal
from crawler.frontier.store import Store
from crawler.frontier.store_files import is_marked

__all__ = ["find_job", "is_running", "opened_store"]

_ADVICE = "see that you may read it"


def find_job(folder: str | os.PathLike[str]) -> Path:
    """Return the path of a job's folder. Raises `JobError` if no job is there, `StorageError` if it cannot be read."""
    path = Path(folder)
    shown = printable(str(path))
    try:
        if not path.exists():
            raise JobError(f"there is no job {shown}: name the folder of a crawl, such as output/example.com")
        if not path.is_dir():
            raise JobError(f"{shown} is a file, and a job is a folder: name the folder of a crawl")
        if not (_state(path) / "CURRENT").exists():
            if (path / "states").is_dir():
                raise JobError(
                    f"{shown} is a job of many shards, which this cannot be asked of: it may be asked of one shard, "
                    f"{printable(str(path / 'shards' / '000'))}"
                )
            os.listdir(path)  # noqa: PTH208 - whether that may be read at all
            raise JobError(f"{shown} is no job, since no crawl has left its state there: name the folder of a crawl")
    except OSError as error:
        raise refusal(f"read the job {shown}", error, _ADVICE) from error
    return path


def opened_store(folder: Path) -> Store:
    """Open the store of a job as it is now, for reading alone: beside a crawl that runs, too, which notices nothing.

    Raises `JobError` for a job of a version that this one cannot read, `StorageError` for a store that is damaged.
    """
    return Store(_state(find_job(folder)), read_only=True)


def is_running(folder: Path) -> bool:
    """Whether a crawl runs the job now, in this process or another one of this machine. Takes no lock."""
    return is_held(folder / "lock")


def _state(folder: Path) -> Path:
    """Return the folder of the store: that which was put aside as long as the one in its place has not begun."""
    earlier = folder / "state.earlier"
    return earlier if is_marked(earlier) else folder / "state"
