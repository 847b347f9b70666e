"""One look at a job, or at all jobs in a folder: as a picture, as lines of text, as JSON."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from crawler.cli.report.job_view import as_data, job_line, job_view, table, unreadable_line
from crawler.cli.report.progress import log_line
from crawler.cli.report.screen import Frame, frame
from crawler.cli.report.shard_table import shard_table
from crawler.core.errors import CrawlerError
from crawler.core.json_line import json_line
from crawler.core.printable import printable
from crawler.jobs.job import Job
from crawler.jobs.status import JobStatus

__all__ = ["Look"]

_NO_TERMINAL = (80, 100)
_LEAST_SHARDS = 3
"""Lines that shards have, however low the terminal is."""


class Look:
    """How one job stands that was named, or each of several. Has no state but what it has found.

    Raises `JobError` and `StorageError` if the one that was named cannot be read; of several, such ones are told of.
    """

    def __init__(self, job: Path | None, among: Sequence[Path] = ()) -> None:
        self._is_of_one = job is not None
        self._found: list[JobStatus] = []
        self._unreadable: list[tuple[str, str]] = []
        for folder in among if job is None else (job,):
            try:
                with Job(folder) as opened:
                    self._found.append(opened.status())
            except CrawlerError as error:
                if self._is_of_one:
                    raise
                self._unreadable.append((str(folder), str(error)))
        self._at = time.time()

    @property
    def sees_a_crawl(self) -> bool:
        """Whether any of the jobs is being crawled."""
        return any(one.is_running for one in self._found)

    def as_json(self) -> Iterator[bytes]:
        """Give a line of JSON for each job."""
        yield from (json_line(as_data(one, self._at)) for one in self._found)
        for folder, error in self._unreadable:
            yield json_line({"folder": printable(folder), "state": "unreadable", "error": error})

    def as_text(self, *, watched: bool) -> Iterator[bytes]:
        """Give the lines for a file or a pipe: a row for each job; of one job its picture, or one line if `watched`."""
        if not self._is_of_one:
            lines: Sequence[str] = self._table(None)
        elif watched:
            lines = [self._line()]
        else:
            lines = self.picture(*_NO_TERMINAL).text()
        yield from (f"{line}\n".encode() for line in lines)

    def picture(self, width: int, height: int, *, ascii_only: bool = False) -> Frame:
        """Return what a terminal of this size is to show."""
        if self._is_of_one:
            (found,) = self._found
            shards = shard_table(found.shards, self._at, max(_LEAST_SHARDS, height // 2))
            rest = max(1, height - len(shards) - 1) if shards else height
            drawn = frame(job_view(found, self._at), width, rest, ascii_only=ascii_only)
            lines = [[(f" {line}"[:width], "label" if number == 0 else "")] for number, line in enumerate(shards)]
            return Frame([*drawn.lines, [], *lines]) if shards else drawn
        rows = self._table(width)[: max(1, height)]
        return Frame([[(row, "label" if number == 0 else "")] for number, row in enumerate(rows)])

    def _line(self) -> str:
        view = job_view(self._found[0], self._at)
        return f"{view.state}: {log_line(view)}" if view.state else log_line(view)

    def _table(self, width: int | None) -> list[str]:
        lines = [job_line(one, self._at) for one in self._found]
        lines += [unreadable_line(folder) for folder, _ in self._unreadable]
        why = [printable(f"{folder}: {error}") for folder, error in self._unreadable]
        return [*table(sorted(lines, key=lambda line: line.folder), width), *why]
