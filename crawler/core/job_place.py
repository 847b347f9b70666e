"""Where a job is: a folder of this machine, or a URL of a place that all machines of a cluster reach. Pure."""

import re
from pathlib import PurePath
from typing import Final

__all__ = ["is_url", "url_of"]

_COLLAPSED: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+(.*)", re.DOTALL)
"""A URL as a path has it, which knows no empty folders: `s3:/bucket/job`. One letter would be a drive of Windows."""


def url_of(job: PurePath) -> str | None:
    """Return the URL that a job was given by, such as `s3://bucket/job`, or None if it is a folder."""
    match = _COLLAPSED.fullmatch(job.as_posix())
    if match is None:
        return None
    scheme, rest = match.groups()
    return f"{scheme}:///{rest}" if scheme.lower() == "file" else f"{scheme}://{rest}"


def is_url(job: PurePath) -> bool:
    """Whether a job was given by a URL."""
    return url_of(job) is not None
