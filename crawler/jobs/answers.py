"""What `Job` asks: one folder, or all shards of a cluster job. Both answer the same questions."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

from crawler.core.expectation import Verdict
from crawler.core.sample import Sample
from crawler.core.steered import Change
from crawler.frontier.reopening import Retried
from crawler.frontier.seed_lines import OnBad
from crawler.frontier.store import Store
from crawler.jobs.changes import Answer, Patience
from crawler.jobs.explanation import Explanation
from crawler.jobs.hosts import HostFacts
from crawler.jobs.inlinks import Inlinks, Rows
from crawler.jobs.parts import OutputPart
from crawler.jobs.status import JobStatus
from crawler.jobs.urls import UrlFacts, Wanted

__all__ = ["Answers"]


class Answers(Protocol):
    """Answers what is asked of a job; `Job` says of each question what it means.

    `shown` is the job as people named it, without passwords. `folder` is where it lies on this machine, None if it does
    not.
    """

    shown: str
    folder: Path | None
    is_of_shards: bool

    @property
    def stores(self) -> Sequence[Store]:
        """The store of each part of the job, as it was when first asked."""

    @property
    def folders(self) -> Sequence[Path]:
        """The folder of each store."""

    @property
    def said(self) -> Sequence[str]:
        """Sentences about how much of the job was seen: none where all of it was."""

    @property
    def is_running(self) -> bool:
        """Whether a crawl runs the job now."""

    def close(self) -> None:
        """Let go of what is open; the next question opens it again."""

    def status(self) -> JobStatus:
        """Say how the job stands."""

    def samples(self) -> Iterator[Sample]:
        """Give the time series."""

    def urls(self, wanted: Wanted, *, parents: bool) -> Iterator[UrlFacts]:
        """Give the URLs that are wanted."""

    def inlinks(self, wanted: Iterable[UrlFacts]) -> Inlinks:
        """Give the links to some URLs."""

    def records(self) -> Iterator[tuple[str, Rows | None]]:
        """Give the outputs by name, each with its records read back, or None where that cannot be."""

    def check(self, texts: Sequence[str]) -> list[Verdict]:
        """Judge what is expected."""

    def explain(self, url: str) -> Explanation:
        """Tell the story of a URL."""

    def hosts(self) -> Iterator[HostFacts]:
        """Give every host."""

    def parts(self) -> Iterator[OutputPart]:
        """Give the files of the outputs."""

    def add(
        self, sources: Sequence[str], *, stdin: BinaryIO | None, on_bad: OnBad, patience: Patience
    ) -> Answer | None:
        """Add seeds."""

    def retry(self, which: Retried, *, patience: Patience) -> int | None:
        """Make URLs due again."""

    def steer(self, change: Change, *, patience: Patience) -> bool:
        """Make one change."""
