"""The command line as people use it: processes in a folder of their own, without settings from outside."""

import os
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE
from typing import NamedTuple

from tests.support.patience import PATIENCE_S

__all__ = ["POLITE_ENOUGH", "CommandLine", "Ended"]

ROOT = Path(__file__).parents[2]
POLITE_ENOUGH = ("--allow-private", "--delay", "0", "--strategy", "async")


class Ended(NamedTuple):
    """What a command left."""

    code: int
    out: str
    err: str


class CommandLine:
    """Runs `python -m crawler` in `folder`; `temporary` is the folder for its temporary files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CRAWLER_")}
        self._environment = kept | {"PYTHONPATH": str(ROOT), "TMPDIR": str(self.temporary)}
        self._processes: list[subprocess.Popen[str]] = []

    def start(self, *arguments: object, env: dict[str, str] | None = None, **options: object) -> subprocess.Popen[str]:
        """Start a command. `options` are those of Popen; all three streams are pipes, as a rule."""
        process = subprocess.Popen(
            [sys.executable, "-m", "crawler", *map(str, arguments)],
            env=self._environment | (env or {}),
            text=True,
            **{"cwd": self.folder, "stdin": PIPE, "stdout": PIPE, "stderr": PIPE} | options,
        )
        self._processes.append(process)
        return process

    def run(self, *arguments: object, given: str = "", **options: object) -> Ended:
        """Run a command to its end, with `given` on its standard input."""
        process = self.start(*arguments, **options)
        out, err = process.communicate(given, timeout=PATIENCE_S)
        assert "Traceback" not in (err or "")
        return Ended(process.returncode, out, err)

    def close(self) -> None:
        """End what still runs."""
        for process in self._processes:
            process.kill()
            process.communicate()
