"""Starting processes that do not run the user's main file.

`multiprocessing` lets each new process import the file that the program was started with, in case what the process
is to do stands there. A script without `if __name__ == "__main__":` would start its crawl again in each parser. Our
processes need nothing of it: what they do stands in this package, and functions of the main file come to them as
values (`spiders.spider`).
"""

import os
import sys
from multiprocessing import popen_spawn_posix, spawn
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import FunctionType, SimpleNamespace
from typing import Any

__all__ = ["Process", "same_imports"]


def same_imports() -> dict[str, str]:
    """Return the environment in which another interpreter finds the same packages, however this one found them."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)}


def _data_without_main(name: str) -> dict[str, Any]:
    """What a new process is told about this one, but for the file or module that it would import as its main one."""
    data = spawn.get_preparation_data(name)
    return {key: value for key, value in data.items() if not key.startswith("init_main_from")}


def _with_own_spawn(launch: Any) -> Any:
    """Return the method that starts a process as a function of its own, for which `spawn` is another module.

    There is no argument or hook for that, and replacing `spawn.get_preparation_data` itself would change it for all
    that other threads of the program start.
    """
    own = SimpleNamespace(**{**vars(spawn), "get_preparation_data": _data_without_main})
    function = FunctionType(launch.__code__, {**launch.__globals__, "spawn": own}, launch.__name__)
    function.__kwdefaults__ = launch.__kwdefaults__
    return function


class _Popen(popen_spawn_posix.Popen):
    """What starts the process. Python 3.11 to 3.14 ask `spawn.get_preparation_data` in this method alone."""

    _launch = _with_own_spawn(popen_spawn_posix.Popen._launch)  # type: ignore[attr-defined]  # noqa: SLF001 - see above


class Process(SpawnProcess):
    """A `multiprocessing` process of start method `spawn` that leaves the main file of the program alone.

    `target` and its arguments must be picklable and importable by their names.
    """

    @staticmethod
    def _Popen(process_obj: Any) -> popen_spawn_posix.Popen:  # noqa: N802 - overrides multiprocessing's method
        return _Popen(process_obj)
