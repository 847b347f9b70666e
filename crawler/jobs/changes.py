"""What is changed in a job: seeds are added, URLs retried, a crawl is steered. One way for a job that runs, and others.

What is wanted is put into the job's inbox. If a crawl runs the job, that takes it. Else it is taken here, under the
lock of the job, by the same code. So nothing is lost and nothing done twice, whenever a process is killed, and however
many change a job at once: what one of them leaves, the next one takes, or the next crawl.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from crawler.core.config import CrawlConfig
from crawler.core.errors import JobError, JobRunningError, UrlError, UsageError
from crawler.core.model import Seed
from crawler.core.printable import SHOWN_CHARS, printable
from crawler.core.refusal import refusal
from crawler.core.steered import Change
from crawler.frontier.frontier import Frontier
from crawler.frontier.reopening import Retried
from crawler.frontier.seed_lines import BadSeed, OnBad, parse_seed
from crawler.frontier.seeds import read_seeds
from crawler.frontier.store import Store
from crawler.frontier.storing import DAMAGED, storing
from crawler.jobs.opening import is_running, opened_store
from crawler.ledger.changes import Changes, kept_steering
from crawler.ledger.inbox import Answer, Inbox, Order
from crawler.ledger.incoming import Incoming
from crawler.ledger.job import JobFolder
from crawler.ledger.kept import as_begun, kept_settings
from crawler.web.urls import named_authority, normalise

__all__ = ["Answer", "Patience", "add", "retried", "retry", "seed_line", "steer"]

_FIRST_PAUSE_S: Final = 0.02
_LONGEST_PAUSE_S: Final = 0.25
_ADVICE: Final = "see that you may write there"

Patience = Callable[[float], bool]
"""Asked again and again, with the seconds that were waited, whether to go on waiting for the crawl to take a file."""


def add(
    folder: Path, sources: Sequence[str], *, stdin: BinaryIO | None, on_bad: OnBad, patience: Patience
) -> Answer | None:
    """Add seeds; return what came of them, None if that was not waited for. See `Job.add`."""
    _check(folder)
    return _asked(folder, lambda inbox: inbox.put_seeds(_lines(sources, stdin, on_bad)), patience)


def retry(folder: Path, which: Retried, *, patience: Patience) -> int | None:
    """Make URLs due again; return how many, None if that was not waited for. See `Job.retry`."""
    which.check()
    _check(folder)
    answer = _asked(folder, lambda inbox: inbox.put_order(Order(retried=which)), patience)
    return None if answer is None else answer.due


def retried(
    outcome: str | None, kinds: Sequence[str], host: str | None, urls: Sequence[str]
) -> Retried:  # fmt: skip
    """Take what a person has named. Raises `UsageError` for what cannot be meant."""
    which = Retried(
        outcome or "",
        tuple(kinds),
        "" if host is None else named_authority(host),
        tuple(normalise(url) for url in urls),
    )
    which.check()
    return which


def steer(folder: Path, change: Change, *, patience: Patience) -> bool:
    """Make one change; say whether it is in force, False if that was not waited for. See `Job.steer`."""
    _check(folder)
    if change.do in {"pause", "resume", "stop"} and not is_running(folder):
        raise JobError(f"no crawl runs job {printable(str(folder))}: there is nothing to {change.do}")
    return _asked(folder, lambda inbox: inbox.put_order(Order(change=change)), patience) is not None


def _check(folder: Path) -> None:
    """Raise `JobError` for a job that cannot be changed, `StorageError` for one that cannot be read."""
    with opened_store(folder) as store:
        if not store.meta("seeded") and not is_running(folder):
            raise JobError(
                f"job {printable(str(folder))} has not read all of its seeds yet: run its crawl again, which goes on "
                "with that, and change it then"
            )


def _asked(folder: Path, put: Callable[[Inbox], str], patience: Patience) -> Answer | None:
    """Put something into the inbox, and see to it that it is taken."""
    inbox = Inbox(folder)
    try:
        name = put(inbox)
    except OSError as error:
        raise refusal(f"write to {printable(str(inbox.path))}", error, _ADVICE) from error
    began, pause_s = time.monotonic(), _FIRST_PAUSE_S
    while inbox.is_there(name):
        if is_running(folder) or not _took(folder):
            if not patience(time.monotonic() - began):
                return None
            time.sleep(pause_s)
            pause_s = min(1.5 * pause_s, _LONGEST_PAUSE_S)
    answer = inbox.answered(name) or Answer()
    if answer.refused:
        raise UsageError(answer.refused)
    return answer


def _took(folder: Path) -> bool:
    """Take all that is in the inbox of a job that nothing runs; False if something runs it all the same."""
    try:
        # The job's outputs are not touched: whatever they are, they are none of this process's.
        job = JobFolder(CrawlConfig(job=folder, output="-"))
    except JobRunningError:
        return False
    try:
        storing(DAMAGED, _take_in, job)
    finally:
        job.close()
    return True


def _take_in(job: JobFolder) -> None:
    kept = kept_settings(job.path)
    settings = {} if kept is None else kept.settings
    with Store(job.state_path) as store:
        _take_all(store, as_begun(store, CrawlConfig(**{**settings, "job": job.path})), job)


def _take_all(store: Store, config: CrawlConfig, job: JobFolder) -> None:
    frontier = Frontier(store, config)
    changes = Changes(store, frontier, lambda: None)
    in_force = kept_steering(store)

    def put_in_force(change: Change) -> None:
        nonlocal in_force
        if change.do in {"pause", "resume", "stop"}:
            raise UsageError(f"no crawl runs job {printable(str(job.path))}: there is nothing to {change.do}")
        in_force = in_force.after(change)
        changes.steer(in_force)

    changes.incoming = Incoming(
        store,
        frontier,
        config,
        [Inbox(job.path)],
        steer=put_in_force,
        on_bad=lambda _: None,
        since_ns=job.locked_at_ns,
    )
    while changes.has_more() or changes.are_waiting:
        changes.apply()
        frontier.save()
        store.commit()
        frontier.committed()
        changes.committed()
    store.commit()


def _lines(sources: Sequence[str], stdin: BinaryIO | None, on_bad: OnBad) -> Iterator[bytes]:
    """Give seeds as lines of JSON; where each row has a record, one that is no seed has a record as well."""
    bad: list[BadSeed] = []

    def told(one: BadSeed) -> None:
        on_bad(one)
        if one.is_line:
            bad.append(one)

    for seed in read_seeds(sources, told, stdin):
        yield from map(_bad_line, bad)
        bad.clear()
        yield seed_line(seed)
    yield from map(_bad_line, bad)


def seed_line(seed: Seed) -> bytes:
    """Return a seed as a line of JSON, as files of seeds have them."""
    url = seed.url if seed.kind == "page" else f"{seed.kind}:{seed.url}"
    return msgspec.json.encode({"url": url, **seed.extra}) + b"\n"


def _bad_line(bad: BadSeed) -> bytes:
    """Return a line that is as bad: what is shown of a bad one may be a URL."""
    try:
        parse_seed(bad.text, {})
    except UrlError:
        return msgspec.json.encode({"url": bad.text, **bad.extra}) + b"\n"
    return msgspec.json.encode({"url": f"not a URL: {printable(bad.text, SHOWN_CHARS)}", **bad.extra}) + b"\n"
