"""Packages that come with an extra of this one, imported where they are used: pure."""

from importlib import import_module
from types import ModuleType

from crawler.core.errors import ConfigError

__all__ = ["install", "needed"]


def needed(package: str, extra: str, purpose: str) -> ModuleType:
    """Return the module `package` (`pyarrow.parquet`), imported now.

    Raises `ConfigError` if it is not installed: `<purpose> needs pyarrow: <install("pyarrow", extra)>`.
    """
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        name = package.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != name:
            raise  # it is there, and misses something itself
        raise ConfigError(f"{purpose} needs {name}: {install(name, extra)}") from None


def install(package: str, extra: str) -> str:
    """Say how to install a package that comes with an extra.

    The package itself, since that works wherever this one came from: a checkout, a wheel. By no name of ours: what the
    package index has under the name `crawler` is somebody else's.
    """
    return f"pip install {package}, or in a checkout of the crawler pip install '.[{extra}]'"
