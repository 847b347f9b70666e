"""Another interpreter of Python with the packages of this one, and with nothing else before them.

A new interpreter that is told what to do by `-c` or `-m` looks for modules in the working directory first: a
`signal.py` there, whoever has put it, would run as a part of this program. So each is started with `-P`, and told to
look into the standard library before all else.
"""

import os
import sys
from collections.abc import Iterable
from pathlib import Path

__all__ = ["python", "same_imports", "standard_first"]

_LIBRARY = Path(os.__file__).parent
_STANDARD = {
    str(_LIBRARY.with_name(f"python{sys.version_info.major}{sys.version_info.minor}.zip")),
    str(_LIBRARY),
    str(_LIBRARY / "lib-dynload"),
}
"""Where the standard library is, as Python has it in the path of imports."""


def python(*arguments: str) -> list[str]:
    """Return the command of another interpreter; in the environment of `same_imports` it finds the same modules."""
    return [sys.executable, "-P", *arguments]


def same_imports() -> dict[str, str]:
    """Return the environment in which another interpreter finds the same packages, however this one found them."""
    path = standard_first(entry or str(Path.cwd()) for entry in sys.path)
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path)}


def standard_first(path: Iterable[str]) -> list[str]:
    """Return a path of imports with the standard library before all else, and the rest in its order."""
    return sorted(path, key=lambda entry: entry not in _STANDARD)
