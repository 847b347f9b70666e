"""A job of one ring, in a folder of this machine: what `Job` asks where there are no shards."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from msgspec.structs import replace

from crawler.core.expectation import Verdict
from crawler.core.sample import Sample
from crawler.core.steered import Change
from crawler.frontier.reopening import Retried
from crawler.frontier.seed_lines import OnBad
from crawler.frontier.store import Store
from crawler.jobs import changes
from crawler.jobs.changes import Answer, Patience
from crawler.jobs.check import check
from crawler.jobs.explain import explain
from crawler.jobs.explanation import Explanation
from crawler.jobs.hosts import HostFacts, hosts
from crawler.jobs.inlinks import Inlinks, Rows, sources_of
from crawler.jobs.opening import find_job, is_running, opened_store
from crawler.jobs.parts import OutputPart, parts_of
from crawler.jobs.rulings import Rulings
from crawler.jobs.status import JobStatus, status
from crawler.jobs.urls import UrlFacts, Wanted, urls

__all__ = ["LoneJob"]


class LoneJob:
    """Answers from one store. State: the view of it, open from the first question on, and whether a crawl ran then."""

    is_of_shards = False
    said: Sequence[str] = ()

    def __init__(self, folder: Path) -> None:
        """Find the job. Raises `JobError` if the folder holds none, `StorageError` if it cannot be read."""
        self.folder: Path | None = find_job(folder)
        self.shown = str(folder)
        self._path = self.folder
        self._store: Store | None = None
        self._was_running = False

    @property
    def store(self) -> Store:
        """The store as it was when first asked."""
        if self._store is None:
            # Before that: a crawl that has ended by the time it is opened is seen to have ended.
            self._was_running = self.is_running
            self._store = opened_store(self._path)
        return self._store

    @property
    def stores(self) -> Sequence[Store]:
        """The one store."""
        return (self.store,)

    @property
    def folders(self) -> Sequence[Path]:
        """The one folder."""
        return (self._path,)

    @property
    def is_running(self) -> bool:
        """Whether a crawl runs the job at this moment."""
        return is_running(self._path)

    def close(self) -> None:
        """Let go of the store. Safe to call twice; the next question opens it again."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def status(self) -> JobStatus:
        """Say how the job stands."""
        store = self.store
        return status(self._path, store, running=self._was_running)

    def samples(self) -> Iterator[Sample]:
        """Give the time series."""
        return self.store.samples.all()

    def urls(self, wanted: Wanted, *, parents: bool) -> Iterator[UrlFacts]:
        """Give the URLs that are wanted."""
        return urls(self.store, wanted, parents=parents)

    def inlinks(self, wanted: Iterable[UrlFacts]) -> Inlinks:
        """Give the links to some URLs."""
        sources = sources_of(replace(Rulings(self.store).config, job=self._path))
        return Inlinks((self.store,), sources, wanted)

    def records(self) -> Iterator[tuple[str, Rows | None]]:
        """Give the outputs with their records."""
        return sources_of(replace(Rulings(self.store).config, job=self._path), None)

    def check(self, texts: Sequence[str]) -> list[Verdict]:
        """Judge what is expected."""
        return check(self._path, self.store, self.status(), texts)

    def explain(self, url: str) -> Explanation:
        """Tell the story of a URL."""
        return explain(self._path, self.store, url)

    def hosts(self) -> Iterator[HostFacts]:
        """Give every host."""
        return hosts(self.store, Rulings(self.store).config.user_agent)

    def parts(self) -> Iterator[OutputPart]:
        """Give the files of the outputs."""
        return parts_of(replace(Rulings(self.store).config, job=self._path))

    def add(
        self, sources: Sequence[str], *, stdin: BinaryIO | None, on_bad: OnBad, patience: Patience
    ) -> Answer | None:
        """Add seeds."""
        self.close()
        return changes.add(self._path, sources, stdin=stdin, on_bad=on_bad, patience=patience)

    def retry(self, which: Retried, *, patience: Patience) -> int | None:
        """Make URLs due again."""
        self.close()
        return changes.retry(self._path, which, patience=patience)

    def steer(self, change: Change, *, patience: Patience) -> bool:
        """Make one change."""
        self.close()
        return changes.steer(self._path, change, patience=patience)
