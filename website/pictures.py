"""Make the pictures in docs/img of what a person sees: `make pictures`.

Crawls the demo site, and looks at it while it runs and when it has ended: at the display of the terminal, and at the
pages of dashboard and report as chromium shows them, on a wide screen and on a phone in the dark.
"""

import contextlib
import io
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from crawler.cli.report.look import Look
from crawler.jobs.job import Job
from tests.support.chromium import Browser

IMAGES = Path(__file__).resolve().parent.parent / "docs/img"
JOB = Path("output/demo")
COLUMNS, LINES = 100, 40
SHOWN_FROM_PAGES = 400
WIDE, NARROW = (1200, 1300), (390, 1400)
PROGRAM = (sys.executable, "-m", "crawler")
_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def display() -> str:
    """Return the live display of a crawl, as an SVG without fonts from elsewhere."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, legacy_windows=False)
    console.print(Look(JOB, []).picture(COLUMNS, LINES, ascii_only=False))
    return _FONTS.sub("", console.export_svg(title=f"crawler status {JOB}"))


def wait_for_pages(crawl: "subprocess.Popen[bytes]") -> None:
    """Wait until the crawl has come so far that there is something to see."""
    while crawl.poll() is None:
        time.sleep(1)
        if not (JOB / "state/CURRENT").exists():
            continue
        with Job(JOB) as job:
            status = job.status()
        if status.is_running and status.stats.pages >= SHOWN_FROM_PAGES:
            return
    raise SystemExit(f"the demo ended with exit code {crawl.returncode} before it was seen")


def photograph(browser: Browser, name: str, url: str, *, after_s: float = 0.0) -> None:
    """Take a page as a wide screen shows it, and a phone does in the dark, after a while in which it has filled."""
    tab = browser.open(url)
    time.sleep(after_s)
    for (width, height), dark, ending in ((WIDE, False, ""), (NARROW, True, "-dark")):
        tab.look(width=width, height=height, dark=dark)
        time.sleep(1)  # charts and figures come to rest
        tab.screenshot(IMAGES / f"{name}{ending}.png", whole=False)
    if tab.errors:
        raise SystemExit(f"{url}: {tab.errors}")


def main() -> int:
    """Make them all."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), Browser(Path(folder)) as browser:
        log = Path("log")
        with log.open("wb") as said:
            crawl = subprocess.Popen([*PROGRAM, "demo", "--job", str(JOB), "--dashboard", "0"], stderr=said)
        with crawl:
            wait_for_pages(crawl)
            (IMAGES / "display.svg").write_text(display())
            photograph(browser, "dashboard", re.search(r"dashboard: (\S+)", log.read_text())[1], after_s=5)
        subprocess.run([*PROGRAM, "report", str(JOB)], check=True)
        photograph(browser, "report", (Path(folder) / JOB / "report.html").as_uri())
    return 0


if __name__ == "__main__":
    sys.exit(main())
