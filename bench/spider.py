"""What a second parser process gives a spider that is heavy on CPU, and whether the event loop stays awake meanwhile.

    python -m bench.spider --pages 1500 --rounds 3      (make bench-spider)

Crawls pages like those of documentation with a BeautifulSoup spider, on one parser process and on two, in turns.
Prints pages/s of each round, the ratio of the medians, and the event loop's p99 lag as the program measures it itself.
Ends with exit code 1 if two are less than 1.7 times as fast as one, or the lag with both cores busy is over 50 ms.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.docs_site import docs_site

LEAST_SPEEDUP = 1.7
MOST_LAG_S = 0.05


def beautiful(page: Any) -> Iterator[Any]:
    """The spider: what people write with BeautifulSoup, about 20 ms a page."""
    soup = page.soup
    yield {
        "url": page.url,
        "title": soup.title.get_text(),
        "headings": [heading.get_text(" ", strip=True) for heading in soup.find_all(["h1", "h2"])],
        "links": [link["href"] for link in soup.find_all("a", href=True)],
        "text": soup.main.get_text(" ", strip=True),
    }
    yield page.follow()


def crawl(url: str, parsers: int, pages: int, folder: Path) -> dict[str, Any]:
    """Crawl so many pages; return what the program says about it."""
    job = folder / f"{parsers}-parsers"
    command = [sys.executable, "-m", "crawler", "crawl", url, "--spider", f"{__file__}:beautiful", "--job", str(job)]
    command += ["--fresh", "--quiet", "--allow-private", "--delay", "0", "--per-host", "32"]
    command += ["--parsers", str(parsers), "--max-pages", str(pages)]
    subprocess.run(command, check=True)
    summary: dict[str, Any] = json.loads((job / "summary.json").read_text())
    return summary


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=1_500)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    rates: dict[int, list[float]] = {1: [], 2: []}
    lags: dict[int, list[float]] = {1: [], 2: []}
    with docs_site(2 * arguments.pages) as url, tempfile.TemporaryDirectory() as folder:
        for number in range(1, arguments.rounds + 1):
            for parsers in (1, 2):
                done = crawl(url, parsers, arguments.pages, Path(folder))
                rates[parsers].append(done["run_pages"] / done["elapsed_s"])
                lags[parsers].append(done["loop_lag_p99_s"])
                print(
                    f"round {number}: {parsers} parser{'s' * (parsers > 1)}: {rates[parsers][-1]:6.1f} pages/s, "
                    f"event loop p99 lag {1000 * lags[parsers][-1]:.1f} ms",
                    flush=True,
                )
    speedup = statistics.median(rates[2]) / statistics.median(rates[1])
    lag_s = statistics.median(lags[2])
    print(f"two parsers: {speedup:.2f} times as fast as one (at least {LEAST_SPEEDUP})")
    print(f"event loop p99 lag with two: {1000 * lag_s:.1f} ms (at most {1000 * MOST_LAG_S:.0f})")
    return 0 if speedup >= LEAST_SPEEDUP and lag_s <= MOST_LAG_S else 1


if __name__ == "__main__":
    sys.exit(main())
