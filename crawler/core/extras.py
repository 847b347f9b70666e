"""Packages that come with an extra of this one, imported where they are used: pure."""

from importlib import import_module
from types import ModuleType

from crawler.core.errors import ConfigError

__all__ = ["needed"]


def needed(package: str, extra: str, purpose: str) -> ModuleType:
    """Return the module `package` (`pyarrow.parquet`), imported now.

    Raises `ConfigError` if it is not installed: `<purpose> needs pyarrow: pip install 'crawler[<extra>]'`.
    """
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        name = package.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != name:
            raise  # it is there, and misses something itself
        raise ConfigError(f"{purpose} needs {name}: pip install 'crawler[{extra}]'") from None
