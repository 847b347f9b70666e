"""Snapshots of counters, of a crawl and of an extraction: what displays, logs and summaries are made from."""

from typing import Literal

from msgspec import Struct

from crawler.core.lesson import Lesson

__all__ = ["CrawlStats", "Ended", "ExtractStats", "Holder", "SilentHost"]

Ended = Literal["running", "done", "unreachable", "max-pages", "max-time", "interrupted"]
"""Why a crawl stopped: nothing left, nothing left but URLs of hosts that do not answer (which stay due in the job), a
budget used up, or asked to stop.
"""


class SilentHost(Struct, frozen=True):
    """A host that does not answer: its name, why in a few words, and in how many seconds it is asked again.

    `next_s` is None for one that is not asked again in this run.
    """

    name: str
    why: str
    next_s: float | None


class Holder(Struct, frozen=True):
    """What one host (name and port) holds of what all of them share.

    `requests` are under way, `body_bytes` are bytes of its bodies between the network and the parsers, and `parsers`
    are those that it keeps busy, on the average of the last seconds (0.5: half of one).
    """

    name: str
    requests: int = 0
    body_bytes: int = 0
    parsers: float = 0.0


class CrawlStats(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Counters at one instant. Counts are of the whole job, over all its runs, unless they say "run".

    `outcomes` maps an outcome with its reason (`fetched`, `redirected`, `failed: timeout`, `skipped: robots`) to a
    number of URLs; `statuses` maps an HTTP status to a number of records. `known` counts all URLs ever seen,
    `queued` those not ended. Depths of the stages: `fetching` requests under way (of `concurrency`), `parsing` pages
    given to parsers and not back (of `parse_capacity`), `committing` results that the ledger has not taken yet.
    `commits` counts the commits of this run, `commit_s` the seconds that they took.
    `parser_busy_s` holds, for each parser, seconds spent on pages in this run; `main_busy_s` are seconds of processor
    time that this process took in it, all of its threads and whatever else the program does.
    `duplicates` counts pages whose body is the same, byte for byte, as that of an earlier one, `near_duplicates` others
    whose text is nearly the same, if the crawl looks for them; with `skip_duplicates` they are no records. `reread`
    counts pages that were asked for once more for their links, because a shorter way to them was found. `repeats`
    counts URLs that ended as `skipped: repeats`, by host. `parameters` are those that were found not to change a page,
    each by host, paths and name (`shop.example/item/#?ref`), with what tells so and what it saved.
    `body_bytes_held` are bytes of bodies between the network and the parsers, of at most `body_bytes_most`;
    `body_waits` counts how often a download of this run had to wait for room there.
    `records` counts what was written: one for a page, unless a spider gives none or several. When a program has left
    its crawl, `pages` and `records` are what it took.
    `unanswered` are the requests under way at hosts of which nobody knows whether they answer, or that do not.
    `under_way` holds up to three URLs that are under way, each with its seconds, the oldest first. `held_by` counts
    hosts that have more to do than they may be asked, by the option (`--per-host 2`) or the word that holds them.
    `holders` are the few hosts that hold most, each by its largest share.
    `silent_hosts` counts hosts that do not answer now, `silent` names a few of them; `offline` says that none answers.
    `unreachable_hosts` counts those that are given up in this run while URLs of theirs are due.
    `following` says that the crawl waits for more seeds (`follow`).
    `paused` says that a person has paused the crawl; `steered` names what else a person has changed while it ran, or in
    an earlier run: `blocked shop.example`, `delay 5 s for slow.example`, of many the first ten.
    `ledger_s` are the seconds of this run that the ledger's thread spent: `idle`, at `work`, on commits to the `store`,
    and on each output by its name (`consumer` is the program that takes the records). `held_s` are seconds by what held
    hosts, as in `held_by` (`nothing`: none was held), shared out where several things did at once; `late_s` those for
    which the event loop was late. `limited_s` are the seconds for which each stage limited the crawl; `limit` is the
    one of the last seconds, `why` says so in a sentence, and `lift` names the option that would lift it, if one does.
    `loop_lag_p99_s` is the event loop's 99th percentile of lateness in this run.
    """

    ended: Ended = "running"
    elapsed_s: float = 0.0
    pages: int = 0
    run_pages: int = 0
    records: int = 0
    bytes: int = 0
    run_bytes: int = 0
    outcomes: dict[str, int] = {}
    statuses: dict[int, int] = {}
    known: int = 0
    queued: int = 0
    retrying: int = 0
    active_hosts: int = 0
    waiting_hosts: int = 0
    silent_hosts: int = 0
    silent: tuple[SilentHost, ...] = ()
    offline: bool = False
    unreachable_hosts: int = 0
    fetching: int = 0
    unanswered: int = 0
    concurrency: int = 0
    under_way: tuple[tuple[str, float], ...] = ()
    held_by: dict[str, int] = {}
    holders: tuple[Holder, ...] = ()
    parsing: int = 0
    parse_capacity: int = 0
    committing: int = 0
    duplicates: int = 0
    near_duplicates: int = 0
    reread: int = 0
    repeats: dict[str, int] = {}
    parameters: dict[str, Lesson] = {}
    body_bytes_held: int = 0
    body_bytes_most: int = 0
    body_waits: int = 0
    commits: int = 0
    commit_s: float = 0.0
    parser_busy_s: tuple[float, ...] = ()
    parsers_replaced: int = 0
    main_busy_s: float = 0.0
    loop_lag_p99_s: float = 0.0
    ledger_s: dict[str, float] = {}
    held_s: dict[str, float] = {}
    late_s: float = 0.0
    limited_s: dict[str, float] = {}
    limit: str = ""
    why: str = ""
    lift: str = ""
    bad_seeds: int = 0
    paused: bool = False
    following: bool = False
    steered: tuple[str, ...] = ()
    max_pages: int | None = None
    max_time_s: float | None = None


class ExtractStats(Struct, frozen=True):
    """What came of an extraction, so far or at its end.

    `pages` were parsed and `records` written; `outcomes` counts pages as a crawl's summary does. `left_out` counts
    records of the files that are no page, by reason; `damaged` has a message for each place at which a file could not
    be read, for the first hundred of each file. `parser_busy_s` are the seconds that each parser was at pages.
    `interrupted`: it was stopped before its end.
    """

    files: int
    pages: int
    records: int
    read_bytes: int
    total_bytes: int
    elapsed_s: float
    outcomes: dict[str, int]
    left_out: dict[str, int]
    damaged: tuple[str, ...]
    parser_busy_s: tuple[float, ...] = ()
    interrupted: bool = False
