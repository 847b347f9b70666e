"""Whether a page costs more CPU time than it did: ends with exit code 1 if it is 15 % more.

    python -m bench.quick             (make bench-quick; about a minute)
    python -m bench.quick --record    makes what is measured now the baseline, bench/baseline.json

Seconds say little on a shared machine, and less on another one. So each crawl is followed by a *yardstick*, a piece of
work that uses nothing of this project (the standard library reads the same pages and passes them through a socket), and
what counts is how many times its time a page takes. Of some rounds the smallest values are compared: what else the
machine does can only add to them. A page is what a crawl of many pages takes more than one of few, divided by the
difference; a start is what is left of the one of few.
"""

import argparse
import hashlib
import json
import re
import socket
import sys
import threading
import time
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

from bench.docs_site import docs_site, page
from bench.ring import LEAN, crawl
from bench.target import AtMost, print_targets

BASELINE = Path(__file__).with_name("baseline.json")
MOST_WORSE = 1.15
MANY, FEW = 4_000, 200
YARDSTICK_PAGES = 60
_WORD = re.compile(rb"[a-z]+")


class _Links(HTMLParser):
    """Collects the links of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - HTMLParser's
        self.links += [urljoin("http://localhost/a/b.html", value or "") for name, value in attrs if name == "href"]


def yardstick_s() -> float:
    """CPU time that the standard library takes to receive a page through a socket, hash it, read it and encode it."""
    pages = [page(number, 10_000) for number in range(YARDSTICK_PAGES)]
    ours, theirs = socket.socketpair()
    with ours, theirs:
        started_at = time.process_time()
        sender = threading.Thread(target=lambda: [theirs.sendall(body) for body in pages])
        sender.start()
        for body in pages:
            received = bytearray()
            while len(received) < len(body):
                received += ours.recv(min(65_536, len(body) - len(received)))
            reader = _Links()
            reader.feed(received.decode())
            line = json.dumps({"hash": hashlib.sha256(received).hexdigest(), "links": reader.links})
            json.loads(line)
            len(_WORD.findall(received))
        sender.join()
        return (time.process_time() - started_at) / YARDSTICK_PAGES


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--record", action="store_true", help="make what is measured now the baseline")
    arguments = parser.parse_args()
    yardsticks, many, few, main_many, main_few = [], [], [], [], []
    with docs_site(MANY) as url:
        for number in range(1, arguments.rounds + 1):
            yardsticks.append(yardstick_s())
            run = crawl(url, *LEAN)
            start = crawl(url, *LEAN, "--max-pages", str(FEW))
            many.append(run.cost.cpu_s)
            few.append(start.cost.cpu_s)
            main_many.append(run.cost.main_cpu_s)
            main_few.append(start.cost.main_cpu_s)
            print(
                f"round {number}: {run.pages:,} pages {run.cost.cpu_s:.2f} s of CPU time, {start.pages:,} pages"
                f" {start.cost.cpu_s:.2f} s, yardstick {1000 * yardsticks[-1]:.2f} ms a page",
                flush=True,
            )
    yardstick = min(yardsticks)
    page_s = (min(many) - min(few)) / (MANY - FEW)
    main_s = (min(main_many) - min(main_few)) / (MANY - FEW)
    now = {
        "page, all processes": page_s / yardstick,
        "page, main process": main_s / yardstick,
        "start and end": (min(few) - FEW * page_s) / yardstick,
    }
    print(f"a page takes {1e3 * page_s:.2f} ms of CPU time, {1e3 * main_s:.2f} of it in the main process")
    if arguments.record:
        BASELINE.write_text(json.dumps({name: round(value, 4) for name, value in now.items()}, indent=2) + "\n")
        print(f"recorded in {BASELINE.name}")
        return 0
    before = json.loads(BASELINE.read_text())
    times = {name: value / before[name] for name, value in now.items()}
    # A start is half a second of reading files and libraries: the yardstick does not say how long that takes.
    start = times.pop("start and end")
    judged = [AtMost(name, value, MOST_WORSE) for name, value in times.items()]
    return print_targets("CPU time, in times of the baseline", [*judged, AtMost("start and end (not judged)", start)])


if __name__ == "__main__":
    sys.exit(main())
