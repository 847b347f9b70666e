"""Pages that kill or hang a parser: a spider that goes wrong at /bad, among twenty good pages of one host."""

from tests.hostile import spiders
from tests.hostile.registry import behaviour

LIMITS = {"parser_memory_bytes": 256 << 20, "parsers": 2, "per_host": 16}
DIED = "failed: parser-died"
TIMED_OUT = "failed: parser-timeout"


def _refilled(seen):
    assert seen.stats.parsers_replaced >= (0 if seen.rows["/bad"].reason.startswith("parser-error") else 1)
    seen.assert_times("/bad", 1)


def spider(name: str, parse, does: str, outcome: str) -> None:
    async def site(ask):
        await ask.page(*(f"/{n}" for n in range(10)), "/bad", *(f"/{n}" for n in range(10, 20)))

    site.__name__ = name
    behaviour(
        row=43,
        does=f"page at which the parser {does}",
        must="that page fails alone after one retry by itself; pool refilled; nothing else lost",
        # What takes long must be let alone until it has gone wrong in its own way.
        settings={**LIMITS, "parser_timeout_s": 2.0 if outcome == TIMED_OUT else 60.0},
        expects={"/": "fetched", "/bad": outcome, "/*": "fetched"},
        records={f"/{n}": {"title": f"/{n}"} for n in range(20)},
        check=_refilled,
        parse=parse,
    )(site)


spider("sleeping_spider", spiders.sleeps, "sleeps", TIMED_OUT)
spider("spinning_spider", spiders.spins, "spins with the GIL held", TIMED_OUT)
spider("allocating_spider", spiders.allocates, "allocates without end", DIED)
spider("hogging_spider", spiders.hogs, "wants 16 GB at once", DIED)
spider("hoarding_spider", spiders.hoards, "allocates and catches MemoryError", TIMED_OUT)
spider("aborting_spider", spiders.aborts, "calls os.abort()", DIED)
spider("faulting_spider", spiders.segfaults, "reads address 0", DIED)
spider("exiting_spider", spiders.exits, "exits with code 0", DIED)
spider("raising_spider", spiders.raises, "raises SystemExit", "failed: parser-error: SystemExit")
