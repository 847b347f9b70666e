"""Which stage limits a crawl, from two snapshots."""

import msgspec

from crawler.core.stats import CrawlStats, Holder
from crawler.ring.bottleneck import bottleneck
from tests.support.table import table

BEFORE = CrawlStats(elapsed_s=10, run_pages=1_000, known=9_000, queued=5_000, parser_busy_s=(5.0, 5.0), body_waits=4)
EASY = CrawlStats(
    elapsed_s=15,
    run_pages=2_000,
    known=10_000,
    queued=5_000,
    fetching=100,
    concurrency=256,
    parsing=3,
    parse_capacity=64,
    committing=50,
    body_waits=4,
    parser_busy_s=(7.0, 7.0),
)
"""A crawl in which no stage is full."""
FULL_PARSERS = {"parser_busy_s": (9.9, 9.8), "parsing": 64}
FULL_NETWORK = {"fetching": 256}
FULL_MEMORY = {"body_bytes_held": 60_000_000, "body_bytes_most": 64_000_000}

HOGS = {
    "active_hosts": 9,
    "holders": (Holder("a.test", 2, 30_000_000, 0.1), Holder("b.test", 2, 1_000, 1.3), Holder("c.test", 30, 0, 0.0)),
}
"""Three hosts, each of which holds most of something."""

CASES = [
    ("no seed read yet", {"known": 0, "queued": 0, "fetching": 0, "parsing": 0, "committing": 0}, "starting", "no URL"),
    ("no time passed", {"elapsed_s": 10.1}, "starting", "too early"),
    ("all ended", {"queued": 0, "fetching": 0, "parsing": 0, "committing": 0}, "nothing left", "every known URL"),
    ("last one in a parser", {"queued": 0, "fetching": 0, "parsing": 1, "committing": 0}, "few URLs", "only 0"),
    ("results pile up", {"committing": 8_000}, "ledger", "8,000 results"),
    ("a fast ledger holds a second's worth", {"committing": 2_500, "run_pages": 16_000}, "frontier", "too slowly"),
    ("a slow ledger fills the parsers too", {"committing": 8_000, **FULL_PARSERS}, "ledger", "8,000 results"),
    ("parsers busy, backlog full", FULL_PARSERS, "parsers", "97 % of the time and 64 of 64"),
    ("parsers and network full", {**FULL_PARSERS, **FULL_NETWORK}, "parsers", "97 %"),
    ("parsers busy, no backlog", {"parser_busy_s": (10.0, 10.0), **FULL_NETWORK}, "concurrency", "256 of 256"),
    ("backlog full, parsers idle", {"parsing": 64, **FULL_NETWORK}, "concurrency", "256 of 256"),
    (
        "bodies fill the memory",
        {**FULL_MEMORY, **FULL_NETWORK, "body_bytes_held": 65_000_000},
        "memory",
        "bodies fill the memory that they may have (64.0 MB): more --bytes-in-flight, or more --parsers",
    ),
    ("nearly, and some had to wait", {"body_waits": 9, **FULL_MEMORY, **FULL_NETWORK}, "memory", "64.0 MB"),
    ("nearly, but none had to wait", {"body_waits": 4, **FULL_MEMORY, **FULL_NETWORK}, "concurrency", "256 of 256"),
    ("some had to wait, but there is room now", {"body_waits": 9, **FULL_NETWORK}, "concurrency", "256 of 256"),
    ("parsers and memory full", {"body_waits": 9, **FULL_MEMORY, **FULL_PARSERS}, "parsers", "busy"),
    ("one host has the parsers", {**FULL_PARSERS, **HOGS}, "parsers", "are taken; most: b.test (1.3 of 2 parsers)"),
    (
        "one host has the memory",
        {**FULL_MEMORY, **HOGS, "body_waits": 9},
        "memory",
        "; most: a.test (30.0 MB of bodies)",
    ),
    ("one host has the requests", {**FULL_NETWORK, **HOGS}, "concurrency", "; most: c.test (30 requests)"),
    (
        "hosts that say nothing have the requests",
        {**FULL_NETWORK, "unanswered": 200, "late_s": 4.0},
        "concurrency",
        "(--concurrency), 200 of them at hosts that have not answered yet, or do not",
    ),
    (
        "main process busy, parsers idle",
        {"main_busy_s": 4.8, **FULL_NETWORK},
        "main process",
        "it takes 96 % of a core, and parsers are busy 40 % of the time: more hosts a second take a second job",
    ),
    ("main process and parsers busy", {"main_busy_s": 4.8, **FULL_PARSERS}, "parsers", "97 %"),
    ("main process not quite busy", {"main_busy_s": 4.4, **FULL_NETWORK}, "concurrency", "256 of 256"),
    ("event loop late", {"late_s": 2.6, **FULL_NETWORK}, "main process", "late 52 % of the time"),
    ("all requests under way", FULL_NETWORK, "concurrency", "256 of 256 requests"),
    ("hosts wait", {"fetching": 2, "waiting_hosts": 20}, "delay", "20 hosts wait"),
    (
        "hosts are held by options",
        {"fetching": 2, "waiting_hosts": 1, "held_by": {"--per-host 2": 20, "Crawl-delay": 1, "--delay auto": 1}},
        "per-host",
        "URLs are queued, and 20 hosts have all requests at once that --per-host 2 allows",
    ),
    ("one host waits", {"fetching": 2, "waiting_hosts": 1}, "delay", "1 host waits"),
    (
        "what held hosts longest counts, not what holds them now",
        {"fetching": 2, "held_s": {"--per-host 2": 3.0, "nothing": 2.0, "--delay 1": 0.4}, "held_by": {"--delay 1": 1}},
        "per-host",
        "hosts have all requests at once that --per-host 2 allows",
    ),
    (
        "what held hosts by chance does not count",
        {"fetching": 2, "queued": 200, "held_s": {"--per-host 2": 0.5, "nothing": 4.5}},
        "few URLs",
        "only 200",
    ),
    (
        "what held hosts now and then counts if nothing else is to be found",
        {"fetching": 2, "held_s": {"--per-host 2": 0.5, "nothing": 4.5}},
        "per-host",
        "--per-host 2",
    ),
    (
        "a loop that is late holds what nothing else does",
        {"fetching": 2, "held_s": {"--per-host 2": 0.5, "nothing": 4.5}, "late_s": 1.5},
        "main process",
        "late 30 % of the time",
    ),
    (
        "back-off",
        {"fetching": 2, "held_s": {"Retry-After or back-off": 5.0}, "held_by": {"Retry-After or back-off": 1}},
        "back-off",
        "1 host has asked for a pause",
    ),
    (
        "a delay is no matter of processor time",
        {"fetching": 2, "late_s": 4.0, "held_s": {"--delay 1": 5.0}},
        "delay",
        "not asked again before --delay 1 is over",
    ),
    ("a consumer takes all time", {"ledger_s": {"consumer": 4.8, "work": 0.1}}, "consumer", "at them 96 % of the time"),
    ("the job's disk does", {"ledger_s": {"store": 4.9}}, "disk", "a quicker one for --job"),
    (
        "an output does",
        {"ledger_s": {"a.csv": 4.0, "work": 0.9}},
        "output",
        "output a.csv takes 80 % of the time",
    ),
    (
        "a consumer that leaves the ledger time is no limit",
        {"fetching": 2, "ledger_s": {"consumer": 2.4, "idle": 2.6}, "held_s": {"--per-host 2": 5.0}},
        "per-host",
        "--per-host 2",
    ),
    ("a person has paused it", {"paused": True}, "paused", "a person has paused"),
    (
        "only retries are left",
        {"queued": 12, "retrying": 12, "fetching": 0, "parsing": 0, "committing": 0},
        "retries",
        "12",
    ),
    (
        "only one retry is left",
        {"queued": 1, "retrying": 1, "fetching": 0, "parsing": 0, "committing": 0},
        "retries",
        "the URL that is left waits for its next attempt",
    ),
    (
        "one URL is queued on a silent host",
        {"queued": 1, "fetching": 0, "parsing": 0, "committing": 0, "active_hosts": 1, "silent_hosts": 1},
        "silent hosts",
        "1 URL is queued, but",
    ),
    ("one URL known", {"queued": 1, "fetching": 1, "waiting_hosts": 0}, "few URLs", "only 1 known URL has not ended"),
    ("few URLs known", {"queued": 120, "fetching": 100, "waiting_hosts": 0}, "few URLs", "only 120"),
    ("URLs queued, nobody waits", {"fetching": 2}, "frontier", "too slowly"),
]


@table(("change", "stage", "why"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_the_stage_that_limits_is_named_with_its_reason(change: dict, stage: str, why: str):
    found = bottleneck(BEFORE, msgspec.structs.replace(EASY, **change))
    assert found.stage == stage
    assert why in found.why
    assert "\n" not in found.why


def test_a_crawl_without_any_counters_is_starting():
    assert bottleneck(CrawlStats(), CrawlStats()).stage == "starting"


def test_a_parser_that_was_replaced_does_not_break_the_judgement():
    """Its busy time starts again at 0, and there may be one more of them than before."""
    now = msgspec.structs.replace(EASY, parser_busy_s=(0.1, 9.9, 2.0), **FULL_NETWORK)
    assert bottleneck(BEFORE, now).stage == "concurrency"
