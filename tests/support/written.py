"""Files that are written from the code: CRAWLER_WRITE_DOCS=1 writes them, else they are compared."""

import os
from pathlib import Path


def check_or_write(path: Path, expected: str) -> None:
    """Compare a file with what it is to hold, or write that."""
    if os.environ.get("CRAWLER_WRITE_DOCS"):
        path.write_text(expected, encoding="utf-8")
    else:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        assert text == expected, f"{path.name} is out of date; it says how to write it again"
