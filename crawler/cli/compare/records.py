"""Whether two crawls gave the same: records URL by URL, whatever their order, and outcomes."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct
from xxhash import xxh3_128_digest

__all__ = ["Written", "difference", "written"]

_SHOWN = 3


class _Url(Struct):
    url: str


class Written(Struct, frozen=True):
    """What a crawl left: fingerprints of the records by their URL, and how many URLs ended how."""

    records: dict[str, tuple[bytes, ...]]
    outcomes: dict[str, int]


def written(path: Path, outcomes: Mapping[str, int]) -> Written:
    """Read the records of a crawl with one of the spiders to compare, whose records hold nothing that order changes."""
    decoder = msgspec.json.Decoder(_Url)
    found: dict[str, list[bytes]] = {}
    with path.open("rb") as lines:
        for line in lines:
            found.setdefault(decoder.decode(line).url, []).append(xxh3_128_digest(line))
    return Written({url: tuple(sorted(prints)) for url, prints in found.items()}, dict(outcomes))


def difference(first: Written, second: Written, *, whole: bool) -> str:
    """Say in which URLs two crawls differ; empty if in none.

    `whole`: both went to their end. Otherwise only what both have is compared: a budget of pages is used up by
    whichever come first.
    """
    one, other = first.records, second.records
    changed = sorted(url for url in one.keys() & other.keys() if one[url] != other[url])
    parts = [_listed("other records", changed)]
    if whole:
        parts.append(_listed("missing", sorted(one.keys() - other.keys())))
        parts.append(_listed("too many", sorted(other.keys() - one.keys())))
        if first.outcomes != second.outcomes:
            parts.append(f"outcomes {second.outcomes} instead of {first.outcomes}")
    return "; ".join(part for part in parts if part)


def _listed(what: str, urls: list[str]) -> str:
    if not urls:
        return ""
    more = f" and {len(urls) - _SHOWN} more" if len(urls) > _SHOWN else ""
    return f"{what}: {', '.join(urls[:_SHOWN])}{more}"
