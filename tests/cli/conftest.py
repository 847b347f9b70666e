"""What tests of the command line share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import CommandLine


@pytest.fixture
def commands(tmp_path: Path) -> Iterator[CommandLine]:
    """Commands in a folder of their own."""
    line = CommandLine(tmp_path)
    yield line
    line.close()
