"""What parser processes give `crawler extract`: pages/s over a stored crawl with one, with two, and so on.

    python -m bench.extract --pages 500 --parsers 1 2 --rounds 3      (make bench-extract)

Stores pages like those of documentation in a WARC file, then runs `crawler extract` over it with the BeautifulSoup
spider of `bench/spider.py`, in turns with each number of parsers, and after that with the default record. Prints the
pages/s of each round, how much faster each number is than the first (medians), and the most memory of the main process.
"""

import argparse
import contextlib
import statistics
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import psutil

from bench import spider
from bench.docs_site import page
from crawler.core.config import CrawlConfig
from crawler.core.model import Exchange, Finished
from crawler.ledger.sinks.outputs import sinks_for
from crawler.web.warc import built, captured


def store(path: Path, pages: int) -> None:
    """Write a WARC file of so many pages, as a crawl would."""
    (sink,) = sinks_for(CrawlConfig(output=str(path)))
    sink.open(None)
    received = ((b"Content-Type", b"text/html; charset=utf-8"),)
    for number in range(pages):
        url = f"http://docs.example/{number}.html"
        exchange = Exchange("1.1", b"OK", ((b"Host", b"docs.example"),), received)
        archive = msgspec.msgpack.encode(built(captured(url, 200, 1.0, exchange, page(number, pages))))
        sink.write([Finished(url=url, outcome="fetched", at=1.0, status=200, depth=1, records=b"", archive=archive)])
    sink.flush(last=True)
    sink.close()


def extract(path: Path, output: Path, parsers: int, *options: str) -> tuple[float, int]:
    """Seconds that `crawler extract` takes, and the most memory of its main process that was seen, in bytes."""
    command = [sys.executable, "-m", "crawler", "extract", str(path), "--parsers", str(parsers), "--quiet", "--fresh"]
    command += ["-o", str(output), *options]
    started = time.monotonic()
    most = 0
    with psutil.Popen(command) as process:
        while process.poll() is None:
            with contextlib.suppress(psutil.Error):
                most = max(most, process.memory_info().rss)
            time.sleep(0.05)
    assert process.returncode == 0, command
    return time.monotonic() - started, most


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=500)
    parser.add_argument("--parsers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        stored, output = Path(folder) / "pages.warc.gz", Path(folder) / "pages.jsonl"
        store(stored, arguments.pages)
        print(f"{arguments.pages:,} pages in {stored.stat().st_size / 1e6:.1f} MB")
        for name, options in (("BeautifulSoup spider", ["--spider", f"{spider.__file__}:beautiful"]), ("record", [])):
            rates: dict[int, list[float]] = {parsers: [] for parsers in arguments.parsers}
            memory = 0
            for number in range(1, arguments.rounds + 1):
                for parsers in arguments.parsers:
                    elapsed_s, most = extract(stored, output, parsers, *options)
                    assert output.read_bytes().count(b"\n") == arguments.pages
                    rates[parsers].append(arguments.pages / elapsed_s)
                    memory = max(memory, most)
                    print(f"{name}: round {number}: {parsers} parsers: {rates[parsers][-1]:7.1f} pages/s", flush=True)
            first = statistics.median(rates[arguments.parsers[0]])
            for parsers in arguments.parsers[1:]:
                speedup = statistics.median(rates[parsers]) / first
                print(f"{name}: {parsers} parsers are {speedup:.2f} times as fast as {arguments.parsers[0]}")
            print(f"{name}: at most {memory / 1e6:.0f} MB in the main process")
    return 0


if __name__ == "__main__":
    sys.exit(main())
