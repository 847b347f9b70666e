"""One crawl for `bench/neighbours.py`: the command line, with a name server of ours and figures in a file.

    PYTHONPATH=CHECKOUT CHECKOUT/.venv/bin/python bench/street_crawl.py FIGURES NAMES_PORT SPIDER -- crawl seeds.txt …

Runs with the code of whatever checkout it finds, this one or an older one; so it names what both have, and no more.
`FIGURES` gets a line of JSON a second: what the display says, and the lag of the event loop. `SPIDER` is what the
spider does to pages of bad hosts, `sleep` or `kill`; with `-` there is none.
"""

import importlib
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BAD = ("//127.2.", ".bad.test")


def sleep(page: Any) -> Iterator[Any]:
    """Read a page as a crawl without a spider does; take a second for one of a bad host."""
    if any(bad in page.url for bad in BAD):
        time.sleep(1.0)
    yield page.record()
    yield page.follow()


def kill(page: Any) -> Iterator[Any]:
    """Read a page as a crawl without a spider does; end the parser at one of a bad host."""
    if any(bad in page.url for bad in BAD) and page.url.count("/") > 2 and not page.url.endswith("/"):
        os._exit(9)
    yield page.record()
    yield page.follow()


def _first(*names: str) -> Any:
    """The first of these modules that this checkout has."""
    for name in names:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            continue
    raise SystemExit(f"none of {names} is there")


def main() -> int:
    """Crawl as the arguments say; return the exit code."""
    figures, names_port, spider, _, *arguments = sys.argv[1:]
    from aiohttp.resolver import AsyncResolver  # noqa: PLC0415 - parsers import this file too

    from crawler.cli.entry import main as command_line  # noqa: PLC0415 - as above

    resolver = _first("crawler.fetcher.transport.aiohttp.resolver", "crawler.transport.aiohttp_connections")
    resolver.DefaultResolver = lambda: AsyncResolver(nameservers=[f"127.0.0.1:{names_port}"])
    progress = _first("crawler.cli.report.progress", "crawler.report.progress")
    progress.LOG_INTERVAL_S = 1.0
    log_line = progress.log_line
    with Path(figures).open("a", encoding="utf-8") as file:

        def noted(view: Any) -> str:
            limit, stats = view.limit, view.stats
            told = {"stage": limit.stage, "why": limit.why, "lag_s": stats.loop_lag_p99_s, "line": log_line(view)}
            file.write(json.dumps(told) + "\n")
            file.flush()
            return str(told["line"])

        progress.log_line = noted
        if spider != "-":
            arguments += ["--spider", f"{__file__}:{spider}"]
        return int(command_line(arguments))


if __name__ == "__main__":
    sys.exit(main())
