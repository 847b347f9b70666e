"""How many pages a site has, estimated from a sample: made-up sites of known size, read as a sample reads them."""

import heapq
import random
from collections import Counter, defaultdict
from collections.abc import Callable

import pytest

from crawler.planning.host_sample import HostSample, Level
from crawler.planning.pages import Number, number_of_urls

Site = dict[int, list[int]]
"""For each page, the first one is 0, those that it links to."""


def flat(pages: int) -> Site:
    return {0: list(range(1, pages)), **{page: [0] for page in range(1, pages)}}


def tree(branches: int, depth: int) -> Site:
    """Each page links to those below it, to the one above it, and home."""
    pages = sum(branches**level for level in range(depth + 1))
    below = {page: list(range(page * branches + 1, page * branches + branches + 1)) for page in range(pages)}
    return {page: [*(n for n in below[page] if n < pages), (page - 1) // branches if page else 0, 0] for page in below}


def folders(number: int, pages: int) -> Site:
    """Folders with lists of their pages, each of which links to the next one."""
    site: Site = {0: [1 + n * (pages + 1) for n in range(number)]}
    for first in site[0]:
        own = list(range(first + 1, first + pages + 1))
        site[first] = own
        site |= {page: [first, own[(at + 1) % pages], 0] for at, page in enumerate(own)}
    return site


def at_random(pages: int, links: int) -> Site:
    rng = random.Random(7)
    return {page: [rng.randrange(pages) for _ in range(links)] + [0] for page in range(pages)}


def shop(categories: int, lists: int, products: int) -> Site:
    """Numbered lists of products, each of which links to all categories and to some others of its kind."""
    rng = random.Random(9)
    first = [1 + n * lists for n in range(categories)]
    start = 1 + categories * lists
    wares = list(range(start, start + categories * lists * products))
    site: Site = {0: first}
    for n in range(categories * lists):
        beside = [m for m in (n - 1, n + 1) if 0 <= m < categories * lists and m // lists == n // lists]
        own = wares[n * products : (n + 1) * products]
        site[1 + n] = [*own, *(1 + m for m in beside), *first, 0]
    return site | {ware: [*rng.sample(wares, 4), *first, 0] for ware in wares}


def chain(pages: int) -> Site:
    return {page: [page + 1, 0] if page + 1 < pages else [0] for page in range(pages)}


def sampled(site: Site, pages: int, seed: int = 1) -> HostSample:
    """Read so many pages of a site in the order of `frontier.sampling`: depths take turns."""
    rng = random.Random(seed)
    depth, parent, placed = {0: 0}, {0: -1}, Counter[int]()
    waiting, read = [(0, 0.0, 0)], []
    while waiting and len(read) < pages:
        page = heapq.heappop(waiting)[2]
        read.append(page)
        for link in dict.fromkeys(site[page]):
            if link not in depth:
                depth[link], parent[link] = depth[page] + 1, page
                heapq.heappush(waiting, (1 + rng.randrange(placed[depth[link]] + 1), rng.random(), link))
                placed[depth[link]] += 1
    known, was_read, led_to, seen = Counter(depth.values()), Counter[int](), defaultdict[int, int](int), Counter[int]()
    for page in read:
        was_read[depth[page]] += 1
    for link, above in parent.items():
        if above in read:
            led_to[depth[above]] += link > 0
    for page in read[1:]:
        above, at = {page}, page
        while at:
            above.add(at := parent[at])
        seen.update(link for link in set(site[page]) if link not in above)
    times = Counter(seen.values())
    return HostSample(
        host="a.test",
        levels=tuple(Level(known[at], was_read[at], led_to[at]) for at in range(max(known) + 1)),
        read=len(read),
        pages=len(read),
        waiting=len(waiting),
        sightings=(times[1], times[2], times[3], times[4]),
        lists=len(read) - 1,
    )


@pytest.mark.parametrize(
    ("make", "most_wrong"),
    [
        (lambda: flat(800), 0.0),
        (lambda: tree(3, 5), 0.01),
        (lambda: tree(7, 3), 0.01),
        (lambda: tree(2, 8), 0.01),
        (lambda: folders(20, 20), 0.01),
        (lambda: folders(8, 100), 0.01),
        (lambda: at_random(800, 8), 0.25),
        (lambda: at_random(400, 20), 0.25),
        (lambda: shop(10, 4, 12), 0.25),
    ],
    ids=["flat", "tree of 3", "tree of 7", "tree of 2", "20 folders", "8 folders", "random", "dense", "shop"],
)
def test_a_sample_of_a_site_tells_its_size(make: Callable[[], Site], most_wrong: float):
    """Within a quarter, for most of the samples that there may be; what it says is certain is so for all."""
    site = make()
    found = [number_of_urls(sampled(site, 100, seed)) for seed in range(9)]
    right = [one for one in found if abs(one.likely - len(site)) <= most_wrong * len(site) + 1]
    assert len(right) >= 7, (len(site), [one.likely for one in found])
    assert all(one.least <= len(site) for one in found)


def test_a_sample_that_met_all_there_is_counts():
    assert number_of_urls(sampled(tree(3, 4), 200)) == Number(121, 121, 121, "counted")
    assert number_of_urls(sampled(chain(50), 50)) == Number(50, 50, 50, "counted")


def test_nothing_is_said_of_the_end_of_what_goes_on_and_on():
    number = number_of_urls(sampled(chain(900), 100))
    assert number.most is None
    assert number.least == 101


def test_a_sitemap_tells_more_than_links_do():
    """900 URLs are listed. Of 400 that links lead to, 240 are among them: so are 60 % of all, which makes 1,500."""
    levels = (Level(1, 1, 99), Level(400, 99, 10))
    sample = HostSample(host="a.test", levels=levels, read=100, waiting=301, listed=900, known_listed=240)
    number = number_of_urls(sample)
    assert (number.likely, number.least, number.basis) == (1_500, 401, "sitemap")
    assert number.most is not None
    assert 1_500 < number.most < 1_700


def test_a_host_that_was_not_read_is_known_by_what_leads_to_it():
    assert number_of_urls(HostSample(host="a.test", levels=(Level(3),), waiting=3)) == Number(3, 3, None, "unknown")


def test_a_limit_bounds_all_of_a_number():
    assert Number(50, 10, None, "levels").at_most(20) == Number(20, 10, 20, "levels")
    assert Number(50, 30, 90, "levels").at_most(20) == Number(20, 20, 20, "levels")
    assert Number(50, 30, 90, "levels").at_most(None) == Number(50, 30, 90, "levels")
