"""Where the job of a crawl lies when nobody has said it: a folder named after the seeds, or none."""

import re
from collections.abc import Sequence
from pathlib import Path

from xxhash import xxh3_64_hexdigest

from crawler.core.errors import UrlError
from crawler.frontier.seed_lines import sitemap_url
from crawler.frontier.seeds import STDIN, is_seed, is_url, looks_like_file
from crawler.ledger.sinks.outputs import STDOUT
from crawler.web.urls import normalise

__all__ = ["OUTPUT", "default_job", "job_name"]

OUTPUT = Path("output")
"""Where jobs lie that nobody has given a place."""
_NAME_CHARS = 80
_MARK_CHARS = 6


def default_job(seeds: Sequence[str], output: Sequence[str] | None) -> Path | None:
    """Return the folder of the job of these seeds: `output/` and `job_name`.

    None stands for a job that ends with its crawl: from standard input to standard output nothing could go on, since
    neither can be had again.

    Where an earlier version has named a job otherwise, and with these seeds, it is that one.
    """
    if STDIN in seeds and output and all(one == STDOUT for one in output):
        return None
    folder, older = (OUTPUT / name for name in (job_name(seeds), _older_name(seeds)))
    return older if older != folder and not folder.exists() and _is_of(older, seeds) else folder


def job_name(seeds: Sequence[str]) -> str:
    """Return the folder name that a job gets from its seeds: the same for the same seeds.

    Host and path of a URL or a sitemap (`docs.python.org-3`, `127.0.0.1-8080`), the stem of a file, `stdin` for
    standard input; with how many more there are (`example.com-and-2-more`). A query, and what is cut from a long name,
    leave a mark of six digits. Letters, digits, `.`, `_` and `-` only, and no leading dot.
    """
    first = _first(seeds[0])
    path, _, query = first.partition("?")
    name = _plain(path)
    if query or len(name) > _NAME_CHARS:
        name = f"{name[: _NAME_CHARS - _MARK_CHARS - 1]}-{xxh3_64_hexdigest(first.encode())[:_MARK_CHARS]}"
    return _numbered(name, seeds)


def _older_name(seeds: Sequence[str]) -> str:
    """Return the name that earlier versions gave: of a URL the host alone."""
    first = _first(seeds[0])
    name = _plain(first.partition("/")[0] if is_seed(seeds[0]) else first)
    return _numbered(name[:_NAME_CHARS].strip("-."), seeds)


def _first(seed: str) -> str:
    """Return what names a seed, as it is written there: of a URL host, path and query."""
    sitemap = sitemap_url(seed)
    name = seed if sitemap is None else sitemap
    if name == STDIN:
        return "stdin"
    if is_url(name):
        try:
            return normalise(name).partition("://")[2]
        except UrlError:
            return ""
    path = Path(name)
    if path.suffix.lower() == ".gz":
        return Path(path.stem).stem
    return path.stem if looks_like_file(name) else name


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")


def _numbered(name: str, seeds: Sequence[str]) -> str:
    return (name or "job") + ("" if len(seeds) == 1 else f"-and-{len(seeds) - 1}-more")


def _is_of(job: Path, seeds: Sequence[str]) -> bool:
    """Whether a folder is the job of a crawl that was begun with these seeds."""
    if not (job / "state" / "CURRENT").exists() or STDIN in seeds:
        return False
    from crawler.frontier.seeds import fingerprint  # noqa: PLC0415 - with the store, for jobs of earlier versions alone
    from crawler.ledger.kept import begun_with  # noqa: PLC0415 - as above

    return begun_with(job) == fingerprint(seeds)
