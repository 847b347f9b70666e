"""Streams that compress: gzip (RFC 1952) and Zstandard (RFC 8878). Files of them may be read by any tool for them."""

import gzip
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

from crawler.core.errors import ConfigError
from crawler.ledger.sinks.files.file import Compressor

try:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
except ImportError:  # comes with aiohttp on the platforms that have it
    zstd = None  # type: ignore[assignment]

__all__ = ["compressor_for", "gzip_member", "opened", "zstd_frame"]

_GZIP_LEVEL = 6
_GZIP_WINDOW = zlib.MAX_WBITS | 16


def compressor_for(path: Path) -> Callable[[], Compressor] | None:
    """Return what begins a compressed stream in a file of this name; None for a name that ends neither .gz nor .zst.

    Raises `ConfigError` if this Python cannot compress so.
    """
    match path.suffix.lower():
        case ".gz":
            return gzip_member
        case ".zst":
            _needs_zstd()
            return zstd_frame
    return None


def opened(path: Path) -> BinaryIO:
    """Open a file for reading, decompressed if its name ends .gz or .zst. Raises `ConfigError` and OSError."""
    match path.suffix.lower():
        case ".gz":
            return cast("BinaryIO", gzip.open(path))
        case ".zst":
            _needs_zstd()
            return cast("BinaryIO", zstd.open(path))
    return path.open("rb")


def gzip_member() -> Compressor:
    """Begin a gzip member, without a name and a time: the same records make the same bytes."""
    return zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)


def zstd_frame() -> Compressor:
    """Begin a Zstandard frame, with a checksum."""
    _needs_zstd()
    return zstd.ZstdCompressor(options={zstd.CompressionParameter.checksum_flag: 1})


def _needs_zstd() -> None:
    """Raise `ConfigError` if this Python cannot compress so."""
    if zstd is None:
        raise ConfigError("output .jsonl.zst needs Zstandard: pip install backports.zstd, or name it .jsonl.gz")
