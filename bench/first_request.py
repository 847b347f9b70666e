"""How long a crawl takes from the start of the command to its first request, and what that costs in all processes.

python -m bench.first_request        (a part of make bench-ring)
"""

import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import psutil

SEEDS = 3
ROUNDS = 10


class FirstRequest(msgspec.Struct, frozen=True):
    """Seconds until the first request came, and seconds of CPU that all processes of the crawl had used by then."""

    wall_s: float
    cpu_s: float


def first_request() -> FirstRequest:
    """Start a crawl of three seeds with two parsers, note its first request, and let it end."""
    found: list[FirstRequest] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not found:
                found.append(FirstRequest(time.perf_counter() - started_at, _cpu_s(crawl.pid)))
            body = b"<title>T</title>"
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with (
        tempfile.TemporaryDirectory(prefix="crawler-bench-") as folder,
        ThreadingHTTPServer(("", 0), Handler) as server,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        seeds = [f"http://127.0.0.{number + 1}:{server.server_port}/" for number in range(SEEDS)]
        command = [sys.executable, "-m", "crawler", "crawl", *seeds, "--depth", "0", "--parsers", "2"]
        command += ["--job", "job", "--allow-private", "--quiet"]
        started_at = time.perf_counter()
        crawl = subprocess.Popen(command, cwd=folder)
        if crawl.wait() or not found:
            raise SystemExit(f"exit code {crawl.returncode}: no request")
        server.shutdown()
    return found[0]


def _cpu_s(pid: int) -> float:
    """CPU time of a process and of those that it has started, as the scheduler counts it, in nanoseconds."""
    crawl = psutil.Process(pid)
    threads = [
        thread
        for process in (crawl, *crawl.children(recursive=True))
        for thread in Path(f"/proc/{process.pid}/task").iterdir()
    ]
    return sum(int((thread / "schedstat").read_text(encoding="ascii").split()[0]) for thread in threads) / 1e9


if __name__ == "__main__":
    for _ in range(ROUNDS):
        print(first_request())
