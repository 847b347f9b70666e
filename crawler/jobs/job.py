"""`Job`: a job that answers. A thin face: each question has a file of its own."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from crawler.core.expectation import Verdict
from crawler.core.model import Outcome, TaskKind
from crawler.core.sample import Sample
from crawler.core.steered import Change, Verb
from crawler.frontier.seed_lines import BadSeed
from crawler.jobs import changes
from crawler.jobs.answers import Answers
from crawler.jobs.changes import Answer
from crawler.jobs.clustered.opening import place_of
from crawler.jobs.clustered.sharded_job import ShardedJob
from crawler.jobs.explanation import Explanation
from crawler.jobs.hosts import HostFacts
from crawler.jobs.inlinks import Inlinks
from crawler.jobs.linked_records import with_inlinks
from crawler.jobs.lone_job import LoneJob
from crawler.jobs.parts import OutputPart
from crawler.jobs.read_back import read_back
from crawler.jobs.status import JobStatus
from crawler.jobs.urls import UrlFacts, Wanted
from crawler.web.urls import named_authority

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Job"]


class Job:
    """The job in a folder: what became of its URLs, and why.

        with Job("output/example.com") as job:
            for url in job.urls(outcome="failed"):
                print(url.url, url.reason)

    It reads, whatever the job is at: a crawl runs it in this process or in another one, it was stopped or killed, or
    it has ended. It takes no lock and writes nothing into the folder, unless `add`, `retry` or `steer` is called. All
    answers are of one instant, that of the first question, until `refresh` or one of these three.

    A cluster job is named by its place, a folder or a URL (`s3://bucket/job`), and answers for all of its shards. In a
    folder of this machine they are read where they are, each as of an instant of its own. Of a URL the last checkpoints
    are read, about a minute old, which come into a temporary folder until `close`: `status` says how old they are.

    State: what answers, which keeps the view of each store from the first question on. Not thread-safe; each thread
    makes its own.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """Find the job. Raises `JobError` if none is there, `StorageError` if it cannot be read.

        A job of a version that this one cannot read, or a damaged one, is refused with the same errors when first
        asked.
        """
        self.answers: Answers = LoneJob(Path(folder)) if place_of(folder) is None else ShardedJob(folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Job({self.answers.shown!r})"

    @property
    def folder(self) -> Path | None:
        """The folder of the job; None for one that lies under a URL."""
        return self.answers.folder

    @property
    def is_running(self) -> bool:
        """Whether a crawl runs the job at this moment: of one under a URL, as its last state says."""
        return self.answers.is_running

    def refresh(self) -> None:
        """See the job as it is now, from the next question on. Iterators that are under way end with an error."""
        self.answers.close()

    def close(self) -> None:
        """Let go of what was opened and fetched. Safe to call twice; the next question opens it again."""
        self.answers.close()

    def status(self) -> JobStatus:
        """Say how the job stands: what the crawl that runs it does, or how the last one ended.

        Of a cluster job the figures are those of all shards together, and `shards` has each.
        """
        return self.answers.status()

    def samples(self) -> Iterator[Sample]:
        """Give the time series of the job: how each of its runs stood, about once a second, in the order of time.

        Of a run at most 2,000 are kept, evenly spread, and its last one always. A job that an earlier version ran alone
        has none. Those of a cluster job add up its shards, about once a second.
        """
        return self.answers.samples()

    def urls(
        self,
        *,
        outcome: Outcome | None = None,
        reason: str | None = None,
        kind: TaskKind | None = None,
        status: int | str | None = None,
        host: str | None = None,
        depth: int | None = None,
        due: bool | None = None,
        parents: bool = True,
    ) -> Iterator[UrlFacts]:
        """Give every URL that the job has ever met, each once, in no order: those that have ended, and those due.

        What is named leaves out all others: `outcome` as in `Outcome`; `reason`, up to its colon or whole
        (`timeout`, `tls: expired`); `kind` (`page` or `sitemap`); `status`, as a number or a class such as `"4xx"`;
        `host` as in the URL, with its port if that is not usual; `depth`; `due` True for those that have not ended,
        False for those that have. Rows of a list that are no URL come with outcome `skipped` and reason `malformed`.

        Takes the same memory for any number of URLs. Without `parents`, each of which is a look-up, `parent` is None
        for those that have ended, and a list of very many is made in a third of the time.

        Raises `UsageError` for a filter that makes no sense.
        """
        wanted = Wanted.of(outcome=outcome, reason=reason, kind=kind, status=status, host=host, depth=depth, due=due)
        return self.answers.urls(wanted, parents=parents)

    def to_arrow(self, **wanted: Any) -> "pa.RecordBatchReader":
        """Return what `urls` gives as a table of Arrow, read batch by batch: in the same memory for any number.

        Takes what `urls` takes. Raises `ConfigError` without pyarrow, which comes with the extra `arrow`.
        """
        import pyarrow as pa  # noqa: PLC0415 - an extra, for this alone

        from crawler.jobs.arrow import batches, schema  # noqa: PLC0415 - as above

        return pa.RecordBatchReader.from_batches(schema(), batches(self.urls(**wanted)))

    def inlinks(self, wanted: Iterable[UrlFacts]) -> Inlinks:
        """Give the links of the job's pages to some of its URLs, from the field `links` of its records.

        Links that redirects lead to them count as well. Memory grows with the number of URLs that are asked about.
        Where no output has that field, or can be read again, only the page that each URL was found at is known, and
        `why_parents` of what is returned says so, once it was read.
        """
        return self.answers.inlinks(wanted)

    def records(self, *, inlinks: bool = False) -> Iterator[dict[str, Any]]:
        """Give the records of the job, in their order, as a crawl gives them: read back from the first output that can.

        With `inlinks` each has two fields more, which nobody can know before all pages were read. `inlinks` are the
        URLs of the pages that link to it, also by redirects: each once, in the order of the alphabet, itself left out,
        and at most 1,000. `inlinks_total` is the number of all. The records are read twice then, and need the field
        `links`; about 60 bytes for each link lie in a temporary folder meanwhile.

        Raises `CrawlerError` if no output can be read again, or has no `links`.
        """
        records = read_back(self.answers.records())
        if not inlinks:
            return records
        return with_inlinks(self.answers.stores, records, read_back(self.answers.records()))

    def check(self, expect: str | Sequence[str] = ()) -> list[Verdict]:
        """Judge what is expected of the job, as in `pages>=1000` (`docs/expectations.md`): a verdict on each.

        Without `expect` it is what the job's last run was told to expect. Fields that no run has counted are counted in
        the local outputs, all of which are read then. Raises `ConfigError` for what cannot be expected.
        """
        texts = (expect,) if isinstance(expect, str) else tuple(expect)
        return self.answers.check(texts)

    def explain(self, url: str) -> Explanation:
        """Tell the whole story of a URL: what became of it and why, or why the job has never met it.

        It may be written in any form. Takes a few look-ups by key, whatever the size of the job. Of a cluster job the
        shard that owns the URL is asked, and the answer names it.
        """
        return self.answers.explain(url)

    def hosts(self) -> Iterator[HostFacts]:
        """Give every host of which the job has met a URL, those with most URLs first.

        Reads all URLs first, and its memory grows with the number of hosts.
        """
        return self.answers.hosts()

    def parts(self) -> Iterator[OutputPart]:
        """Give the files that hold the job's records: what a reader of tables is to read, each file whole.

        Of a cluster job they are those that are public, with the shard that wrote each.
        """
        return self.answers.parts()

    def add(
        self,
        seeds: str | Sequence[str],
        *,
        stdin: BinaryIO | None = None,
        on_bad_seed: Callable[[BadSeed], None] | None = None,
        wait: bool = True,
    ) -> Answer | None:
        """Add seeds: http(s) URLs, `sitemap:` URLs, paths of seed files, `-` for `stdin`. Return how many were new.

        A crawl that runs the job takes them within a second; if none does, they are due in the job, and the next crawl
        of it goes on with them. Each has a scope of its own, as the seeds of the job have; one whose URL the job knows
        already changes nothing, unless it was skipped. With a record for each row, each is one row more.

        `on_bad_seed` is told of each line that is no seed. Without `wait` nobody waits for a crawl that runs: None is
        returned, and the seeds are taken all the same. To wait in the event loop of that very crawl holds it up.

        Raises `SeedError` if there is no seed, `JobError` and `StorageError` as for any question.
        """
        sources = [seeds] if isinstance(seeds, str) else list(seeds)
        return self.answers.add(sources, stdin=stdin, on_bad=on_bad_seed or _untold, patience=_patience(wait=wait))

    def retry(
        self,
        *,
        outcome: str | None = None,
        kind: str | Sequence[str] = (),
        host: str | None = None,
        url: str | Sequence[str] = (),
        wait: bool = True,
    ) -> int | None:
        """Make URLs due again that failed, or were skipped for what may have changed; return how many.

        Without anything all that failed, and those whose robots.txt could not be had. `kind` names reasons, up to their
        colon (`timeout`, `dns`, `robots`, `blocked`); `outcome` is `failed` or `skipped`; `host` and `url` leave out
        all others. They begin anew, with all attempts. A URL that was fetched has a record, whatever its status, and is
        not asked for again. What was skipped for a setting (`scope`, `depth`, `filter`) waits for another setting.

        `wait` is as for `add`. Raises `UsageError` for what cannot be retried, `JobError` and `StorageError`.
        """
        kinds = [kind] if isinstance(kind, str) else list(kind)
        which = changes.retried(outcome, kinds, host, [url] if isinstance(url, str) else list(url))
        return self.answers.retry(which, patience=_patience(wait=wait))

    def steer(self, do: Verb, host: str = "", seconds: float | None = None, *, wait: bool = True) -> bool:
        """Steer the crawl that runs the job: `pause`, `resume` or `stop` it, or have it treat a host otherwise.

        `delay` with a host and seconds (None: as all others), `block` and `unblock` with a host hold for later runs as
        well, and may be said when nothing runs. Say whether it is in force; False without `wait`, where it will be.

        Raises `UsageError`, and `JobError` for a crawl that does not run.
        """
        change = Change(do, named_authority(host) if host or do in {"delay", "block", "unblock"} else "", seconds)
        return self.answers.steer(change, patience=_patience(wait=wait))


def _patience(*, wait: bool) -> changes.Patience:
    return lambda _: wait


def _untold(_: BadSeed) -> None:
    """Tell nobody."""
