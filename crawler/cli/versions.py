"""Versions of what a crawl stands on: for `crawler --version`, `crawler doctor` and whoever gets a bug report."""

import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from msgspec import Struct

from crawler.core.version import __version__

__all__ = ["EXTRAS", "Extra", "extras", "versions"]

PACKAGES: Final = (
    *("aiohttp", "requests", "turbohtml", "lxml", "rocksdict", "msgspec"),
    *("uvloop", "click", "rich", "tldextract", "certifi"),
)
"""Packages that a bug report needs to name."""

EXTRAS: Final = {
    "arrow": ("pyarrow",),
    "cluster": ("ray",),
    "otel": ("opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http"),
    "pandas": ("pandas", "pyarrow"),
    "polars": ("polars",),
    "remote": ("fsspec",),
    "report": ("jinja2", "matplotlib", "psutil"),
    "s3": ("s3fs",),
    "warc": ("warcio",),
}
"""Extras and their packages, as pyproject.toml has them."""


class Extra(Struct, frozen=True):
    """An extra: the versions of its packages that are installed, and the names of those that are not."""

    name: str
    installed: dict[str, str]
    missing: tuple[str, ...]


def versions() -> Iterator[str]:
    """Give lines: the first is `crawler 1.2.3` alone, so that a program may read it."""
    yield f"crawler {__version__}"
    yield f"python {platform.python_version()} ({platform.python_implementation()}, {platform.machine()})"
    libc = " ".join(platform.libc_ver()).strip()
    yield f"system {platform.system()} {platform.release()}" + (f", {libc}" if libc else "")
    yield f"packages {', '.join(f'{name} {found}' for name in PACKAGES if (found := _version(name)))}"
    for extra in extras():
        there = ", ".join(f"{name} {found}" for name, found in extra.installed.items())
        lacks = f"lacks {', '.join(extra.missing)}" if extra.missing else ""
        yield f"extra {extra.name}: {', '.join(filter(None, (there, lacks)))}"


def extras() -> list[Extra]:
    """Return all extras with what is installed of them."""
    return [
        Extra(
            name,
            {package: found for package in packages if (found := _version(package))},
            tuple(package for package in packages if not _version(package)),
        )
        for name, packages in EXTRAS.items()
    ]


def _version(package: str) -> str:
    """Return the version of a package, empty if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
