"""Modules that a spider's folder does not hide: those of the standard library, and those that this package needs.

A spider is found in its folder and in the working directory, which are looked into first for what it imports. A
`selectors.py` or `lxml.py` that stands there, whoever has put it, is nothing that the crawl was to run.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

__all__ = ["NEEDED", "KnownModules", "behind_known"]

NEEDED = frozenset(
    {"crawler", "ada_url", "aiohttp", "backports", "brotli", "bs4", "certifi", "click", "cloudpickle", "compression"}
    | {"fsspec", "jinja2", "lxml", "matplotlib", "msgspec", "pandas", "polars", "psutil", "pyarrow", "requests", "rich"}
    | {
        "opentelemetry",
        "rocksdict",
        "soupsieve",
        "tldextract",
        "turbohtml",
        "urllib3",
        "uvloop",
        "warcio",
        "xxhash",
        "yarl",
    }
)
"""Packages that this one imports, by the names under which it does."""


class KnownModules:
    """A finder of `sys.meta_path` that finds known modules on `path`, and no others. Immutable.

    `but` is the name of the spider's own module, which is found where the spider is.
    """

    def __init__(self, path: Iterable[str], but: str = "") -> None:
        self._path = list(path)
        self._names = (NEEDED | sys.stdlib_module_names) - {but}

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where a known module of this name is; None for any other, and for what is inside of a package."""
        return PathFinder.find_spec(name, self._path) if path is None and name in self._names else None


@contextmanager
def behind_known(folders: Sequence[str], but: str = "") -> Iterator[None]:
    """Let imports look into these folders first, for all but known modules."""
    added = [folder for folder in folders if folder not in sys.path]
    known = KnownModules(sys.path, but)
    sys.path[:0] = added
    sys.meta_path.insert(0, known)
    try:
        yield
    finally:
        sys.meta_path.remove(known)
        for folder in added:
            if folder in sys.path:
                sys.path.remove(folder)
