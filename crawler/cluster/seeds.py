"""The seeds of a job, dealt out to its shards by registrable domain: a file of JSON lines for each."""

import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import msgspec
from xxhash import xxh3_128_digest

from crawler.cluster.workplace import seeds_name
from crawler.core.errors import JobError
from crawler.core.model import Seed
from crawler.frontier.seed_lines import BadSeed
from crawler.frontier.seeds import read_seeds
from crawler.shards.place import Place
from crawler.web.shards import Owners

__all__ = ["deal_out"]


def deal_out(
    sources: Sequence[str], stdin: BinaryIO | None, place: Place, of: int, on_bad: Callable[[BadSeed], None]
) -> int:
    """Write the seeds of `sources` to the files of their shards, behind those that are there; return how many are new.

    A seed that a file has already is not written again, so memory holds 16 bytes and a few more for each. Raises
    `SeedError` as `read_seeds`, and `JobError` if the job has seeds and none of these is among them: another list.
    """
    owners = Owners(of)
    known: set[bytes] = set()
    with tempfile.TemporaryDirectory(prefix="crawler-seeds-") as folder, ExitStack() as files:
        paths = [Path(folder) / f"{number:03}" for number in range(of)]
        for number, path in enumerate(paths):
            name = seeds_name(number)
            if place.size(name) is not None:
                place.fetch(name, path)
                with path.open("rb") as lines:
                    known.update(map(xxh3_128_digest, lines))
        had = len(known)
        written = [files.enter_context(path.open("ab")) for path in paths]
        met = False
        for seed in read_seeds(sources, on_bad, stdin):
            line = _line(seed)
            digest = xxh3_128_digest(line)
            if digest in known:
                met = True
                continue
            known.add(digest)
            written[owners.owner(seed.url)].write(line)
        if had and not met:
            raise JobError(
                f"job {place.shown} was begun with other seeds, and knows none of these: repeat the earlier command to "
                "resume it, choose another --job for a new crawl, or add these to it with crawler add"
            )
        for number, (file, path) in enumerate(zip(written, paths, strict=True)):
            file.close()
            place.put(path, seeds_name(number))
        return len(known) - had


def _line(seed: Seed) -> bytes:
    """Write a seed as a line that is read again as it was."""
    url = f"sitemap:{seed.url}" if seed.kind == "sitemap" else seed.url
    return msgspec.json.encode({**seed.extra, "url": url}) + b"\n"
