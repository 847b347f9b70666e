"""The kind of a setting that names a cluster: a switch, or the address of the head of one that runs. Pure."""

import re
from pathlib import Path
from typing import Any, Final

from crawler.core.errors import ConfigError
from crawler.core.job_place import url_of
from crawler.core.printable import printable
from crawler.core.setting_kinds import SWITCH, Kind, MistakeError, switch_or_text

__all__ = ["CLUSTER", "check_alone"]

_ADDRESS: Final = re.compile(r"auto|(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}")
_CLIENT: Final = "ray://"


def _cluster(value: Any) -> bool | str:
    if not isinstance(value, bool | str) or value == "":
        raise TypeError
    return value


def _check(value: bool | str) -> None:
    if isinstance(value, bool):
        return
    if value.startswith(_CLIENT):
        raise MistakeError(
            f"{value!r} is an address of Ray's client, through which no crawl is run: name HOST:PORT of the head (its "
            "port is 6379 unless it was started with another), or give the command to ray job submit"
        )
    if _ADDRESS.fullmatch(value) is None:
        raise MistakeError(f"expected HOST:PORT of the head of a Ray cluster, or auto, not {value!r}")


def _is_address(text: str) -> bool:
    """Whether what follows the option is its value, rather than a seed: a seed is a URL or a file."""
    return text.startswith(_CLIENT) or _ADDRESS.fullmatch(text) is not None


CLUSTER: Final = Kind(
    expects="true, false, or HOST:PORT of the head of a Ray cluster",
    metavar="[ADDRESS]",
    value=_cluster,
    text=switch_or_text,
    shown=SWITCH.shown,
    check=_check,
    bare="yes",
    is_value=_is_address,
)


def check_alone(job: Path | None, shards: int | None) -> None:
    """Refuse what only a crawl on a cluster has. Raises `ConfigError`."""
    if shards is not None:
        raise ConfigError("shards: only a crawl on a cluster has several: give --cluster, too, or leave it out")
    if job is not None and (url := url_of(job)) is not None:
        raise ConfigError(
            f"job: {printable(url)} is a URL, and the job of one machine is a folder: name one, or give --cluster, too"
        )
