"""Every HTML page of documentation packages, crawled from nginx: what is found, what fails, what takes long.

    make bench-docs
    .venv/bin/python -m bench.documentation /usr/share/doc/python3.11/html

Each package is crawled as a user would, with every field of a record, and the set of pages is compared with those that
`wget2 -r` fetches and that a walk over the files with lxml alone finds. The exit code is 1 if a page fails or a set
differs. Without arguments it takes those of `PACKAGES` that are installed.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin

import lxml.html
import msgspec

from crawler.core.config import CrawlConfig
from crawler.core.model import Answer, Download, SeedContext, Task
from crawler.parsers.reading.reader import PageReader, parse_page
from crawler.parsers.reading.settings import ParserSettings
from crawler.web.urls import normalise, url_key
from tests.support import nginx

PACKAGES = {
    "postgresql-doc": "/usr/share/doc/postgresql-doc-*/html",
    "python3-doc": "/usr/share/doc/python3.*/html",
    "libboost-doc": "/usr/share/doc/libboost1.*-doc/doc/html",
    "openjdk-doc": "/usr/share/doc/openjdk-*-jre-headless/api",
}
"""Debian's packages, and where each keeps its HTML."""
_HTML = (".html", ".htm")
_BARE_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")
"""A link may have one, and browsers send it as it is. A server answers 400; wget2 makes %25 of it, and has the file."""
_FOLLOWED = {"a", "area"}
_FOLLOWED_RELS = {"next", "prev", "canonical", "alternate"}


class Found(msgspec.Struct, frozen=True):
    """What a crawl of one package came to."""

    name: str
    files: int
    """HTML files in its folder, linked or not."""
    largest_bytes: int
    ours: frozenset[str]
    """Pages that were fetched."""
    twice: int
    failed: int
    walk: frozenset[str]
    wget2: frozenset[str] | None
    seconds: float
    slowest: str
    slowest_s: float
    typical_s: float

    @property
    def differences(self) -> list[str]:
        """In what the crawl and the others differ, in words."""
        said = [f"{self.failed} failed"] if self.failed else []
        said += [f"{self.twice} records twice"] if self.twice else []
        for name, other in (("the walk", self.walk), ("wget2", self.wget2)):
            if other is not None and (less := sorted(other - self.ours)):
                said.append(f"{len(less)} less than {name}: {less[0]}")
            if other is not None and (more := sorted(self.ours - other)):
                said.append(f"{len(more)} more than {name}: {more[0]}")
        return said


def crawled(first: str, folder: Path) -> list[dict[str, object]]:
    """The records of a crawl by the command line."""
    options = "--scope prefix --delay 0 --per-host 32 --allow-private"
    done = subprocess.run(
        [sys.executable, "-m", "crawler", "crawl", first, *options.split(), "--job", str(folder / "job")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"the crawl of {first} ended with {done.returncode}: {done.stderr[-2000:]}")
    lines = (folder / "job" / "pages.jsonl").read_bytes().split(b"\n")
    return [json.loads(line) for line in lines if line]


def html_files(root: Path) -> list[Path]:
    """The HTML files below a folder."""
    return sorted(file for file in root.rglob("*") if file.name.endswith(_HTML) and file.is_file())


def walked(first: str, root: Path) -> frozenset[str]:
    """URLs of the HTML files that links lead to from the first page, found in the files by lxml alone."""
    base = first.rpartition("/")[0] + "/"
    found, todo, pages = {first}, [first], set()
    for url in todo:
        file = root / unquote(url[len(base) :])
        if file.is_dir():
            file /= "index.html"
        if not file.name.endswith(_HTML) or not file.exists() or _BARE_PERCENT.search(url):
            continue
        pages.add(_file_url(url))
        tree = lxml.html.parse(str(file))
        holders = tree.iterfind(".//base[@href]")
        within = urljoin(url, next((holder.get("href") for holder in holders), ""))
        for element in tree.iterfind(".//*[@href]"):
            followed = element.tag in _FOLLOWED or (
                element.tag == "link" and bool(_FOLLOWED_RELS & set(element.get("rel", "").split()))
            )
            target = _normal(within, element.get("href", "")) if followed else None
            if target is not None and target.startswith(base) and target not in found:
                found.add(target)
                todo.append(target)
    return frozenset(pages)


def _normal(base: str, href: str) -> str | None:
    """A link's URL as the records write it: only the spelling is ours, not which links there are."""
    try:
        return normalise(urldefrag(urljoin(base, href.strip()))[0])
    except ValueError:
        return None


def mirrored(first: str, folder: Path) -> frozenset[str] | None:
    """URLs of the HTML files that wget2 fetches below the first page's folder; None if it is not installed."""
    wget2 = shutil.which("wget2")
    if wget2 is None:
        return None
    options = "-r -l inf --no-parent --quiet --no-robots -P"
    subprocess.run([wget2, *options.split(), str(folder), first], check=False)
    base = first.rpartition("/")[0] + "/"
    depth = base.count("/") - 2
    files = (file.relative_to(folder).parts[depth:] for file in html_files(folder))
    urls = (_normal(base, "./" + "/".join(parts)) for parts in files)
    return frozenset(url for url in urls if url is not None and not _BARE_PERCENT.search(url))


def reading(files: Iterable[Path], first: str) -> dict[Path, float]:
    """Seconds that one parser takes for each file, with all fields."""
    seed = SeedContext(1, (first,), b"null")
    headers = (("content-type", "text/html"),)
    with tempfile.TemporaryDirectory() as job:
        reader = PageReader(ParserSettings.of(CrawlConfig(job=Path(job), scope="prefix")))
        took = {}
        for file in files:
            body, url = file.read_bytes(), urljoin(first, file.name)
            task = Task(url_key(url), url, depth=1, parent=None, redirected_from=(), attempts=0, seed=seed)
            started_at = time.process_time()
            parse_page(Download(task, Answer(200, headers, body, len(body)), fetched_at=0.0), reader)
            took[file] = time.process_time() - started_at
    return took


def compared(name: str, root: Path) -> Found:
    """Crawl a package, and look with the others."""
    files = html_files(root)
    with tempfile.TemporaryDirectory(prefix="bench-docs-") as temporary:
        folder = Path(temporary)
        (folder / "nginx").mkdir()
        with nginx.serving(root.parent, folder / "nginx") as server:
            first = f"{server}{root.name}/index.html"
            started_at = time.monotonic()
            records = crawled(first, folder)
            seconds = time.monotonic() - started_at
            theirs = mirrored(first, folder / "mirror")
        summary = json.loads((folder / "job" / "summary.json").read_bytes())
    urls = [_file_url(str(record["url"])) for record in records if record["status"] == 200]
    took = reading(files, first)
    slowest = max(took, key=lambda file: took[file])
    return Found(
        name=name,
        files=len(files),
        largest_bytes=max(file.stat().st_size for file in files),
        ours=frozenset(url for url in urls if url.endswith(_HTML)),
        twice=sum(count - 1 for count in Counter(record["url"] for record in records).values()),
        failed=sum(number for outcome, number in summary["outcomes"].items() if outcome.startswith("failed")),
        walk=walked(first, root),
        wget2=theirs,
        seconds=seconds,
        slowest=str(slowest.relative_to(root)),
        slowest_s=took[slowest],
        typical_s=sorted(took.values())[len(took) // 2],
    )


def _file_url(url: str) -> str:
    """The URL of the file that answers: a folder's is its index."""
    return url + "index.html" if url.endswith("/") else url


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("roots", type=Path, nargs="*", help="folders with an index.html; without one: those installed")
    roots = {root.parent.name: root for root in parser.parse_args().roots}
    if not roots:
        for name, places in PACKAGES.items():
            there = sorted(place for place in Path("/").glob(places[1:]) if (place / "index.html").is_file())
            if there:
                roots[name] = there[-1]
            else:
                print(f"{name}: not installed (Debian: apt-get install {name})")
    if nginx.NGINX is None or not roots:
        parser.error("it takes nginx and one of these packages: apt-get install nginx-light postgresql-doc")
    print("| package | HTML files | largest | fetched | failed | walk | wget2 | seconds | slowest page | median page |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    differing = []
    for name, root in roots.items():
        found = compared(name, root)
        cells = (
            name,
            f"{found.files:,}",
            f"{found.largest_bytes / 1e6:.1f} MB",
            f"{len(found.ours):,}",
            f"{found.failed}",
            f"{len(found.walk):,}",
            "" if found.wget2 is None else f"{len(found.wget2):,}",
            f"{found.seconds:.0f}",
            f"{found.slowest}, {found.slowest_s * 1000:.0f} ms",
            f"{found.typical_s * 1000:.1f} ms",
        )
        print(f"| {' | '.join(cells)} |", flush=True)
        differing += [f"{name}: {difference}" for difference in found.differences]
    print("\n".join(["", *differing] if differing else ["", "The sets are equal, and nothing failed."]))
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
