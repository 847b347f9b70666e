"""The 47 rows of the hostile web: each behaviour of the registry, crawled beside healthy hosts.

One crawl for the behaviours of a theme that want the same settings. `-k row04` runs a row and what shares its crawls,
`-k gzip_bomb` the crawl that begins with that behaviour. `make test` leaves out the second transport, and the crawls of
`LONG`, which are slow by their nature: what they show of a part of the crawler is tested there.
"""

import traceback
from collections import defaultdict

import pytest

from tests.hostile.registry import ROWS, Behaviour, behaviours
from tests.hostile.run import MEMORY_BYTES, Crawl, Evidence, matches, run_crawl
from tests.hostile.server import HostileProcess

HEALTHY_FACTOR = 40
"""How many times as long as by themselves: far less than the healthy hosts would wait for a hostile one."""
MOST_SHOWN = 12
ATTEMPTS = 3
LONG = frozenset(
    {
        *("slow_headers", "large_bodies", "one_byte_chunks", "million_links", "million_urls", "nested_tags"),
        *("robots_500", "robots_silence", "retry_for_ever"),
        *("robots_drip", "slow_robots_redirects", "large_robots", "retry_digits", "retry_seconds"),
        *("endless_continue", "chunk_extensions", "sitemap_bomb", "many_gzip_bombs", "same_link", "many_names"),
        *("spinning_spider", "sleeping_spider", "hoarding_spider", "allocating_spider"),
        "costly_selector",
    }
)
"""Behaviours whose crawls wait for time limits, or are large."""
COUNTED = frozenset({"same_page"})
"""Behaviours that count in all of a crawl."""


def crawls() -> list:
    """Behaviours that share a crawl, with the transport: parameters for pytest."""
    groups: dict[tuple, list[Behaviour]] = defaultdict(list)
    for one in behaviours():
        apart = one.name if one.parse or one.names or one.name in COUNTED else ""
        for transport in ("aiohttp", "requests") if one.both else ("aiohttp",):
            quick = transport == "aiohttp" and one.name not in LONG
            groups[quick, one.theme, transport, repr(sorted(one.settings.items())), apart].append(one)
    return [_crawl_of(tuple(group), key[2], quick=key[0]) for key, group in groups.items()]


def _crawl_of(group: tuple[Behaviour, ...], transport: str, *, quick: bool):
    rows = "-".join(f"row{row:02}" for row in sorted({one.row for one in group}))
    marks = () if quick else pytest.mark.thorough
    return pytest.param(group, transport, id=f"{rows}-{group[0].name}-{transport}", marks=marks)


def test_every_row_is_there():
    assert {one.row for one in behaviours()} == set(range(1, ROWS + 1))


def test_what_is_treated_apart_is_there():
    assert {one.name for one in behaviours()} >= LONG | COUNTED


@pytest.mark.parametrize(("group", "transport"), crawls())
def test_a_hostile_host_gets_what_it_deserves_and_others_do_not_notice(
    tmp_path, hostile, healthy, alone, group, transport
):
    """A crawl that is found wanting after its process stood still is made again: it had to ask again for some."""
    settings = {name: _filled(value, hostile) for name, value in group[0].settings.items()}
    for attempt in range(ATTEMPTS):
        job = tmp_path / f"job{attempt}"
        crawl = run_crawl(hostile, healthy, group, job, alone=alone, transport=transport, **settings)
        faults = _faults_of(crawl, group, alone, hostile)
        if not (faults and crawl.stood_still):
            break
    assert not faults, "\n".join(("", *faults[:MOST_SHOWN], f"{len(faults)} faults"))


def _faults_of(crawl: Crawl, group: tuple[Behaviour, ...], alone: Crawl, hostile: HostileProcess) -> list[str]:
    faults = [*crawl.wrong, *crawl.left]
    if crawl.healthy_s > HEALTHY_FACTOR * alone.healthy_s:
        faults.append(f"the healthy hosts took {crawl.healthy_s:.1f} s, {alone.healthy_s:.1f} s alone")
    if crawl.memory_bytes > MEMORY_BYTES:
        faults.append(f"memory grew by {crawl.memory_bytes:,} bytes")
    for one in group:
        faults += [f"{one.name}: {fault}" for fault in _faults(one, crawl.evidence[one.name], hostile)]
    return faults


def _filled(value, hostile: HostileProcess):
    """Settings with the places of the server in them."""
    if isinstance(value, str):
        for name, place in hostile.places.items():
            value = value.replace("{" + name + "}", place)
    if isinstance(value, tuple):
        return tuple(_filled(one, hostile) for one in value)
    return value


def _faults(one: Behaviour, seen: Evidence, hostile: HostileProcess) -> list[str]:
    """In which ways a crawl was not what the behaviour expects."""
    faults = []
    expects = {_filled(url, hostile): end for url, end in one.expects.items()}
    unseen = dict(expects)
    for url, ended in seen.ended:
        pattern = next((pattern for pattern in expects if matches(pattern, url)), None)
        if pattern is None:
            faults.append(f"{url[:200]} was not expected at all and ended as {ended!r}")
            continue
        unseen.pop(pattern, None)
        if not matches(expects[pattern], ended):
            faults.append(f"{url[:200]} ended as {ended!r}, not as {expects[pattern]!r}")
    faults += [f"{pattern} did not come to be known" for pattern in unseen if pattern != "*"]
    for pattern, fields in one.records.items():
        found = [record for url, record in seen.records.items() if matches(_filled(pattern, hostile), url)]
        if not found:
            faults.append(f"{pattern} has no record")
        for record in found:
            faults += [
                f"{record['url'][:200]}: {name} is {str(record[name])[:200]!r}, not {value!r}"
                for name, value in fields.items()
                if record[name] != value
            ]
    if one.check is not None:
        try:
            one.check(seen)
        except AssertionError as error:
            line = traceback.extract_tb(error.__traceback__)[-1].line
            faults.append(f"{line}: {str(error)[:500]}")
    return faults
