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


COSTLY = {
    "spans": "<table><tr>" + "<td colspan=1000 rowspan=100>x" * 2_000 + "<tr>" * 99,
    "rows": "<table>" + "<tr><td rowspan=65534>x" * 3_000,
    "missing": "<table><tr>" + "<td>x" * 8_000 + "<tr><td>y" * 5_000,
    "references": "<b id=r itemprop=p>x</b>" + ("<p itemscope itemref='" + "r " * 400 + "'>") * 50,
    "chain": "".join(f"<p id=r{n} itemscope itemprop=p itemref='r{n + 1} r{n + 2}'></p>" for n in range(60))
    + "<p itemscope itemref=r0>",
    "names": "<p itemscope itemprop='" + " ".join(f"p{n}" for n in range(14_000)) + "'>",
}


def _none_replaced(seen):
    assert seen.stats.parsers_replaced == 0
    assert all(record["places"] <= 2_000_000 for record in seen.records.values())


@behaviour(
    row=43,
    does="pages of 100 KB whose tables and items mean millions of cells and properties",
    must="bounded before the HTML parser; nothing killed",
    settings={**LIMITS, "parser_timeout_s": 60.0},
    expects={"/": "fetched", "/costly/*": "fetched", "/after": "fetched"},
    records={"/costly/chain": {"items": 1}, "/costly/names": {"items": 0}},
    check=_none_replaced,
    parse=spiders.reads_all,
)
async def costly_values(ask):
    if ask.path.startswith("/costly/"):
        await ask.answer(COSTLY[ask.path.rpartition("/")[2]])
    await ask.page(*(f"/costly/{name}" for name in COSTLY), "/after")


@behaviour(
    row=43,
    does="page on which a spider's selector takes minutes",
    must="that page fails alone after one retry by itself; pool refilled; nothing else lost",
    settings={**LIMITS, "parser_timeout_s": 2.0},
    expects={"/": "fetched", "/bad": TIMED_OUT, "/*": "fetched"},
    records={f"/{n}": {"title": f"/{n}"} for n in range(20)},
    check=_refilled,
    parse=spiders.selects,
)
async def costly_selector(ask):
    if ask.path == "/bad":
        await ask.answer("<p>x<i>y</i></p>" * 2_000)
    await ask.page(*(f"/{n}" for n in range(10)), "/bad", *(f"/{n}" for n in range(10, 20)))
