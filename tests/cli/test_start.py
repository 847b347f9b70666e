"""How a crawl starts: what it has imported when it asks for its first page."""

import subprocess
import sys

from tests.support.commands import POLITE_ENOUGH
from tests.support.patience import PATIENCE_S
from tests.support.servers import Answer, LocalServer, html

SLOW = {
    "aiohttp.web": "metrics, a dashboard",
    "bs4": "a spider's tree, in parsers",
    "cloudpickle": "a spider that is no module",
    "crawler.page": "pages, which parsers read",
    "crawler.parsers.inline": "strategies without parser processes",
    "crawler.parsers.reading.reader": "pages, which parsers read",
    "crawler.parsers.worker": "parsers",
    "crawler.serve.metrics": "metrics",
    "crawler.serve.otlp": "metrics",
    "lxml": "a spider's tree, in parsers",
    "opentelemetry": "metrics",
    "pyarrow": "an output",
    "requests": "another transport",
    "rich": "a terminal, and the summary",
    "sqlite3": "an output",
    "tldextract": "a limit for each domain",
    "turbohtml": "pages, which parsers read",
    "warcio": "archives",
}
"""What takes long to import, and who needs it."""

PROGRAM = f"""
import socket, sys

def look(event, arguments):
    # The first connection: the event loop's own pair of sockets is of another family.
    if event == "socket.__new__" and arguments[1] == socket.AF_INET and not found:
        found.append([name for name in {sorted(SLOW)} if name in sys.modules])

found = []
sys.addaudithook(look)
from crawler.cli.entry import main
code = main(sys.argv[1:])
print(found)
sys.exit(code)
"""


def test_a_crawl_has_imported_nothing_that_it_may_not_need_when_it_connects_for_the_first_time(tmp_path):
    with LocalServer(lambda _host, path: Answer(html(title=path))) as server:
        command = [sys.executable, "-c", PROGRAM, "crawl", server.url("/"), "--job", "job", *POLITE_ENOUGH, "--quiet"]
        command += ["--strategy", "hybrid"]
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )  # fmt: skip
    assert (done.stdout, done.stderr, done.returncode) == ("[[]]\n", "", 0)
