"""The machines of a cluster, as a crawl needs to know them: what they have, and whether they can work on a job."""

import getpass
import os
import secrets
import socket
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from msgspec import Struct

from crawler.core.errors import CrawlerError
from crawler.core.version import __version__
from crawler.shards.place import Place
from crawler.shards.placing import Node

__all__ = ["Found", "alive", "look_at", "scratch"]

_MARK: Final = ".disk"
_PATIENCE_S: Final = 60.0


class Found(Struct, frozen=True):
    """What a machine says of itself: its name, its disk by a number drawn for it, and, if it cannot work on the job,
    why not.
    """

    name: str
    disk: str = ""
    refused: str = ""


def alive(ray: ModuleType) -> dict[str, float]:
    """Return the machines that are there, by their identifiers, with their cores."""
    return {node["NodeID"]: float(node["Resources"].get("CPU", 0.0)) for node in ray.nodes() if node["Alive"]}


def look_at(ray: ModuleType, identifier: str, place: str, mark: str) -> Any:
    """Have a machine look whether it can work on the job at `place`; return what Ray gives its `Found` for.

    `mark` is the name of a file at the place that the job has written there.
    """
    strategy = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(identifier, soft=False)
    return (
        ray.remote(num_cpus=0, max_retries=0)(_found)
        .options(scheduling_strategy=strategy)
        .remote(place, mark, __version__)
    )


def node_of(identifier: str, cores: float, found: Found, *, is_local: bool) -> Node:
    """Return a machine as the coordinator knows it. The folders of a local job lie on one disk, whoever uses them."""
    return Node(id=identifier, name=found.name, cores=cores, disk="" if is_local else found.disk)


def scratch() -> Path:
    """Return the folder of this machine below which shards of jobs elsewhere work; `TMPDIR` moves it."""
    return Path(tempfile.gettempdir()) / f"crawler-{getpass.getuser()}"


def _found(place: str, mark: str, version: str) -> Found:
    """Say what this machine is. Runs on it."""
    name = socket.gethostname()
    if version != __version__:
        return Found(name, refused=f"it has version {__version__} of this program, and the command {version}")
    try:
        if Place(place).read(mark) is None:
            return Found(name, refused=f"it does not see what was written to {Place(place).shown}")
    except CrawlerError as error:
        return Found(name, refused=str(error))
    return Found(name, disk=_disk(scratch()))


def _disk(folder: Path) -> str:
    """Return the number of the disk that a folder lies on, drawn when the folder is made."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / _MARK
    while True:
        try:
            return path.read_text("ascii")
        except FileNotFoundError:
            drawn = folder / f"{_MARK}-{os.getpid()}-{secrets.token_hex(4)}"
            drawn.write_text(secrets.token_hex(8), "ascii")
            try:
                os.link(drawn, path)
            except FileExistsError:
                pass
            finally:
                drawn.unlink()
