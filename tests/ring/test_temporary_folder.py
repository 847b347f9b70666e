"""What a killed crawl leaves in the folder for temporary files is removed by the next one, and nothing else."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from crawler import crawl
from crawler.fetcher.transport.fake import FakeTransport, answer
from crawler.frontier.store_files import prepare_store
from crawler.ring.temporary_folder import sweep, temporary_folder
from tests.support.servers import Answer, LocalServer, html

CONSUMER = """
import sys
from crawler import crawl
for page in crawl(sys.argv[1], allow_private=True, delay_s=0.0, strategy="async"):
    print(page.url, flush=True)
    input()
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def grown_old(folder: Path) -> None:
    os.utime(folder / "lock", (time.time() - 3_600,) * 2)


def of_a_crawl(folder: Path, name: str) -> Path:
    made = folder / name
    made.mkdir(mode=0o700)
    (made / "lock").write_text("4711")
    prepare_store(made / "state")
    grown_old(made)
    return made


def test_the_folder_of_a_killed_crawl_goes_and_that_of_a_running_one_stays(temporary):
    """As the programs of users make them: a loop over records."""
    with LocalServer(lambda _h, path: Answer(status=404) if "robots" in path else Answer(html("/a"))) as server:
        running, killed = (
            subprocess.Popen(
                [sys.executable, "-c", CONSUMER, server.url("/")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, "TMPDIR": str(temporary)},
            )
            for _ in range(2)
        )
        for one in (running, killed):
            assert one.stdout.readline().startswith(b"http://")
        folders = set(temporary.glob("crawler-*"))
        assert len(folders) == 2
        killed.kill()
        assert killed.wait() == -signal.SIGKILL
        for folder in folders:
            grown_old(folder)
        site = FakeTransport(lambda request: answer(request, "words"))
        assert len(list(crawl("http://a.example/", transport=site, strategy="async"))) == 1
        (left,) = temporary.glob("crawler-*")
        assert (left / "lock").read_text() == str(running.pid)
        running.kill()
        running.wait()
        for one in (running, killed):
            one.stdin.close()
            one.stdout.close()


def test_what_is_young_or_not_a_crawls_stays(temporary):
    """A folder that another program has named so, one that begins, a link, one of another user, one in use."""
    gone = [of_a_crawl(temporary, "crawler-abcdefgh"), of_a_crawl(temporary, "crawler-abcdefg1-ended")]
    young = of_a_crawl(temporary, "crawler-young__1")
    (young / "lock").write_text("4711")
    for name, make in {
        "crawler-another1": lambda made: (made / "thesis.txt").write_text("mine"),
        "crawler-another2": lambda made: (made / "lock").write_text("mine"),
        "crawler-another3": lambda made: (made / "state/CRAWLER").unlink(),
        "crawler-another4": lambda made: (made / "lock").unlink(),
    }.items():
        made = of_a_crawl(temporary, name)
        make(made)
        if (made / "lock").exists():
            grown_old(made)
    elsewhere = of_a_crawl(temporary, "elsewhere")
    (temporary / "crawler-alink_12").symlink_to(elsewhere)
    of_a_crawl(temporary, "crawler-name_too_long")
    if os.geteuid() == 0:
        others = of_a_crawl(temporary, "crawler-others_1")
        os.chown(others, 65534, 65534)
    before = set(temporary.iterdir())
    with temporary_folder() as used:
        grown_old(used)
        sweep()
        assert set(temporary.iterdir()) == {*before, used} - set(gone)
    assert set(temporary.iterdir()) == before - set(gone)
    shutil.rmtree(elsewhere)
