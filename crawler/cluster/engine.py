"""Ray as a crawl uses it: started on this machine for one command, or joined where it runs."""

import logging
import os
import shutil
import socket
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from crawler.core.errors import ConfigError, CrawlerError
from crawler.core.extras import needed
from crawler.core.printable import printable

__all__ = ["Engine", "is_answering"]

_log = logging.getLogger(__name__)

_QUIET: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
}
"""Nobody outside is told of a crawl, and Ray does not write about things that it may change one day."""
_THIS_MACHINE_ALONE: Final = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""Set to 0, Ray listens on 127.0.0.1 and nowhere else, on each system; by itself on all addresses of the machine."""
_ADDRESS: Final = "RAY_ADDRESS"
"""Where Ray is, for programs that `ray job submit` runs."""
_OWN: Final = "local"
_STORE_BYTES: Final = 128 << 20
"""Memory for messages of more than 100 kB on their way: of one machine's actors, a few parcels each."""
_ANSWER_S: Final = 10.0
_SOCKET_CHARS: Final = 40
"""Longest temporary folder below which the names of Ray's sockets are not too long for the system."""


class Engine:
    """The Ray that a command uses; `begin` and `end` it in one thread, best the main one.

    `cluster` is the setting: True for a Ray of this machine's own, which ends with this process, or where
    `RAY_ADDRESS` says; an address for one that runs. A program that has called `ray.init` keeps what it has.

    State: the module, its folder if it was started here, and whether it was joined here.
    """

    def __init__(self, cluster: bool | str) -> None:
        self._address = cluster if isinstance(cluster, str) else os.environ.get(_ADDRESS) or _OWN
        self._folder: Path | None = None
        self._joined = False
        self.gcs = ""

    def load(self) -> ModuleType:
        """Import Ray and return it. Raises `ConfigError` if it is not installed."""
        for name, value in _QUIET.items():
            os.environ.setdefault(name, value)
        if self._address == _OWN:
            os.environ.setdefault(_THIS_MACHINE_ALONE, "0")
        elif _has_token():
            os.environ.setdefault("RAY_AUTH_MODE", "token")
        return needed("ray", "cluster", "--cluster")

    def begin(self) -> ModuleType:
        """Start or join Ray and return its module. It takes 3 to 10 seconds.

        Raises `ConfigError` if Ray is not installed, or no Ray answers at the address.
        """
        ray = self.load()
        address = self._address
        if not ray.is_initialized():
            how: dict[str, Any] = {"log_to_driver": False, "logging_level": "error", "configure_logging": False}
            # Its warnings tell of what is set here, and of what ends as it is meant to.
            logging.getLogger("ray").setLevel(logging.ERROR)
            if address == _OWN:
                self._start(ray, how)
            else:
                self._join(ray, address, how)
            self._joined = True
        self.gcs = ray.get_runtime_context().gcs_address
        return ray

    def end(self) -> None:
        """Let go of Ray; one that was started here ends. Safe to call twice, and without `begin`."""
        if self._joined:
            self._joined = False
            needed("ray", "cluster", "--cluster").shutdown()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _start(self, ray: ModuleType, how: dict[str, Any]) -> None:
        parent = tempfile.gettempdir()
        self._folder = Path(tempfile.mkdtemp(prefix="crawl-", dir=parent if len(parent) <= _SOCKET_CHARS else "/tmp"))  # noqa: S108 - see _SOCKET_CHARS
        try:
            ray.init(
                address=_OWN,
                include_dashboard=False,
                object_store_memory=_STORE_BYTES,
                _temp_dir=str(self._folder),
                **how,
            )
        except Exception as error:  # Ray raises that of a start that takes too long
            raise CrawlerError(f"Ray did not start on this machine: {_line(error)}") from error

    def _join(self, ray: ModuleType, address: str, how: dict[str, Any]) -> None:
        shown = printable(address)
        if address != "auto" and not is_answering(address, _ANSWER_S):
            raise ConfigError(
                f"cluster: nothing answers at {shown}: is `ray start --head` run there, and is that its port? Leave "
                "the address out to start Ray on this machine"
            )
        try:
            ray.init(address=address, **how)
        except Exception as error:  # as above
            raise ConfigError(f"cluster: {shown} cannot be joined: {_line(error)}") from error


def is_answering(address: str, seconds: float) -> bool:
    """Whether something takes connections at HOST:PORT."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=seconds):
            return True
    except (OSError, ValueError, OverflowError):
        return False


def _has_token() -> bool:
    """Whether there is a token to show to a Ray that asks for one: Ray itself would not show it to an address."""
    named = any(os.environ.get(name) for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"))
    return named or (Path.home() / ".ray" / "auth_token").exists()


def _line(error: BaseException) -> str:
    return printable(" ".join(str(error).split()), 400)
