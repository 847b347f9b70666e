"""Two crawls on one machine, each with a job of its own: they share nothing that either could wait for, or break."""

import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.support.servers import Answer, LocalServer, html

PAGES = 12
ADDRESSES = ("127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4")
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at open files by /proc")


def respond(host: str, path: str) -> Answer:
    if path == "/robots.txt":
        return Answer(status=404)
    return Answer(html(*(f"/page-{word}" for word in "abcdefghijk")), delay_s=0.05)


def writable(process: psutil.Process) -> set[tuple[int, int]]:
    """Regular files that a process and its children have open to write, by device and number, and their ports."""
    found = set()
    for one in (process, *process.children(recursive=True)):
        for link in Path(f"/proc/{one.pid}/fd").iterdir():
            try:
                told, info = link.stat(), Path(f"/proc/{one.pid}/fdinfo/{link.name}").read_text()
            except FileNotFoundError:
                continue
            flags = int(next(line.split()[1] for line in info.splitlines() if line.startswith("flags:")), 8)
            if stat.S_ISREG(told.st_mode) and flags & os.O_ACCMODE != os.O_RDONLY:
                found.add((told.st_dev, told.st_ino))
        found |= {("port", at.laddr.port) for at in one.net_connections() if at.status == psutil.CONN_LISTEN}
    return found


def crawl(folder: Path, name: str, seeds: list[str]) -> psutil.Popen:
    (folder / f"{name}.txt").write_text("\n".join(seeds))
    options = f"--job {name} --allow-private --delay 0.05 --parsers 1 --quiet"
    command = [sys.executable, "-m", "crawler", "crawl", f"{name}.txt", *options.split()]
    return psutil.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def fetched(job: Path) -> list[str]:
    return [json.loads(line)["url"] for line in (job / "pages.jsonl").read_bytes().splitlines()]


@pytest.mark.thorough
def test_two_jobs_share_no_file_that_is_written_and_no_port_and_each_is_whole(tmp_path):
    with LocalServer(respond, addresses=ADDRESSES) as server:
        homes = [server.url(address=address) for address in ADDRESSES]
        jobs = {"one": homes[:2], "two": homes[2:]}
        running = [crawl(tmp_path, name, seeds) for name, seeds in jobs.items()]
        try:
            while not all(sum(f"{host}:" in asked for asked, _ in server.pages()) for host in ADDRESSES):
                assert all(one.poll() is None for one in running), running[0].stderr.read() + running[1].stderr.read()
                time.sleep(0.02)
            first, second = map(writable, running)
            for one in running:
                _, errors = one.communicate(timeout=120)
                assert one.returncode == 0, errors
        finally:
            for one in running:
                if one.poll() is None:
                    one.kill()
    assert len(first) > 2, "its store and its records are open"
    assert len(second) > 2
    assert not first & second
    assert set(server.pages().values()) == {1}
    for name, seeds in jobs.items():
        urls = fetched(tmp_path / name)
        assert len(urls) == len(set(urls)) == 2 * PAGES
        assert all(url.startswith(tuple(seeds)) for url in urls)
