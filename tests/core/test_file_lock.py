"""File systems without locks: a job is refused in plain words, an output is written with a warning."""

import errno
import fcntl
import logging
import os

import pytest

from crawler import CrawlConfig, Crawler, FakeTransport
from crawler.core.errors import StorageError
from crawler.fetcher.transport.fake import answer


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP], ids=errno.errorcode.get)
async def test_without_locks_a_job_is_refused_and_an_output_is_warned_of(tmp_path, monkeypatch, caplog, number):
    """The calls of a network file system are played: here there is none."""
    flock = fcntl.flock
    without: list[str] = []

    def refusing(fd: int, operation: int) -> None:
        if any(part in os.readlink(f"/proc/self/fd/{fd}") for part in without):
            raise OSError(number, os.strerror(number))
        flock(fd, operation)

    monkeypatch.setattr(fcntl, "flock", refusing)

    def crawler() -> Crawler:
        config = CrawlConfig(job=tmp_path / "job", output=str(tmp_path / "far/a.jsonl"), delay_s=0.0, strategy="async")
        return Crawler(config, ["http://a.example/"], transport=FakeTransport(lambda asked: answer(asked, "words")))

    without.append("/job")
    with pytest.raises(StorageError, match=r"cannot lock the job folder .* has no locks .* on a local disk"):
        await crawler().run()
    assert list(tmp_path.iterdir()) == []
    without[:] = ["/far/"]
    with caplog.at_level(logging.WARNING):
        await crawler().run()
    assert "far/a.jsonl cannot be locked, since its file system has no locks" in caplog.text
    assert (tmp_path / "far/a.jsonl").read_bytes().count(b"\n") == 1
