"""The Public Suffix List, as it came with tldextract: nothing is downloaded, and nothing is cached on disk."""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tldextract import TLDExtract

__all__ = ["suffix_list"]


@cache
def suffix_list(*, private: bool) -> "TLDExtract":
    """Return what splits host names by the list; `private`: with the suffixes of companies, such as `github.io`.

    Takes 0.2 s, the first time.
    """
    from tldextract import TLDExtract  # noqa: PLC0415 - slow to import, and few crawls need it

    # Without the first two arguments it goes online and writes a cache.
    return TLDExtract(
        suffix_list_urls=(), cache_dir=None, fallback_to_snapshot=True, include_psl_private_domains=private
    )
