"""Pages that kill or hang a parser: a spider that goes wrong at /bad, among twenty good pages of one host."""

from tests.hostile import spiders
from tests.hostile.registry import behaviour

LIMITS = {"parser_timeout_s": 2.0, "parser_memory_bytes": 256 << 20, "parsers": 2, "per_host": 16}
DIED = "failed: parser-died"


def spider(parse, does: str, outcome: str):
    return behaviour(
        row=43,
        does=does,
        must="that page fails alone after one retry by itself; pool refilled; nothing else lost",
        settings=LIMITS,
        expects={"/": "fetched", "/bad": outcome, "/*": "fetched"},
        records={f"/{n}": {"title": f"/{n}"} for n in range(20)},
        check=_refilled,
        parse=parse,
    )


def _refilled(seen):
    assert seen.stats.parsers_replaced >= (0 if seen.rows["/bad"].reason.startswith("parser-error") else 1)
    seen.assert_times("/bad", 1)


async def _site(ask):
    await ask.page(*(f"/{n}" for n in range(10)), "/bad", *(f"/{n}" for n in range(10, 20)))


@spider(spiders.sleeps, "page at which the parser sleeps", "failed: parser-timeout")
async def sleeping_spider(ask):
    await _site(ask)


@spider(spiders.spins, "page at which the parser spins with the GIL held", "failed: parser-timeout")
async def spinning_spider(ask):
    await _site(ask)


@spider(spiders.allocates, "page at which the parser allocates without end", DIED)
async def allocating_spider(ask):
    await _site(ask)


@spider(spiders.hogs, "page at which the parser wants 16 GB at once", DIED)
async def hogging_spider(ask):
    await _site(ask)


@spider(spiders.hoards, "page at which the parser allocates and catches MemoryError", "failed: parser-timeout")
async def hoarding_spider(ask):
    await _site(ask)


@spider(spiders.aborts, "page at which the parser calls os.abort()", DIED)
async def aborting_spider(ask):
    await _site(ask)


@spider(spiders.segfaults, "page at which the parser reads address 0", DIED)
async def faulting_spider(ask):
    await _site(ask)


@spider(spiders.exits, "page at which the parser exits with code 0", DIED)
async def exiting_spider(ask):
    await _site(ask)


@spider(spiders.raises, "page at which the parser raises SystemExit", "failed: parser-error: SystemExit")
async def raising_spider(ask):
    await _site(ask)
