"""How many URLs of pages a host has, estimated from a sample of it. Pure.

Two estimates are made, each of which is right for one kind of site and too large for the other; the smaller counts.

- *By levels*: a site as a tree. Of the pages at one depth some were read; what these lead to on average, all of them
  lead to (D. E. Knuth, Estimating the efficiency of backtrack programs, 1975; P. C. Chen, Heterogeneous sampling,
  1992). Right if each page is linked from few others. If pages link to each other at random, most of what a few of them
  lead to would be known if all had been read.
- *By sightings*: a site as a population, each page read as a catch, each link as a sighting (A. Chao, Estimating the
  population size for capture-recapture data with unequal catchability, 1987; A. Chao and C.-W. Lin, Nonparametric
  lower bounds for species richness under sampling without replacement, 2012; C.-H. Chiu and others, 2014, for the
  third and fourth sightings). What was linked from only one of the pages read, beside what was linked from two, tells
  how much was linked from none. If each page is linked from one place, it says nothing and is very large.

A sitemap tells more than both: if of the URLs that links lead to a share stands in it, so do as many of all (the index
of Lincoln and Petersen).
"""

import math
from typing import Final, Literal

from msgspec import Struct

from crawler.planning.host_sample import HostSample

__all__ = ["Basis", "Number", "number_of_urls"]

Basis = Literal["counted", "sitemap", "levels", "sightings", "others", "unknown"]
"""What a number comes from: the sample met all there is; a sitemap; the two estimates; the other hosts; nothing."""

_LEAST_LINKED: Final = 5
_LEAST_LISTED: Final = 0.3
_ENDLESS_YIELD: Final = 0.5
"""A page of the deepest level that was read leads to so many new ones: nothing tells where that ends."""
_LEAST_COVERED: Final = 0.25
_ROUNDS: Final = 60
_DEVIATIONS: Final = 1.96
_MOST: Final = 1e12


class Number(Struct, frozen=True):
    """An estimate with its range: `least` is known to be there, `most` None if nothing tells an upper end."""

    likely: int
    least: int
    most: int | None
    basis: Basis

    def at_most(self, limit: int | None) -> "Number":
        """Return the same under a limit."""
        if limit is None:
            return self
        most = limit if self.most is None else min(limit, self.most)
        return Number(min(limit, self.likely), min(limit, self.least), most, self.basis)


def number_of_urls(sample: HostSample) -> Number:
    """Estimate how many URLs of pages a crawl of the host asks for."""
    known = sample.known
    if not sample.waiting:
        return Number(known, known, known, "counted")
    if not sample.read:
        return Number(known, known, None, "unknown")
    linked = known - sample.levels[0].known
    is_chain = 2 * sample.chained >= sample.waiting  # which a crawl follows only so far, whatever is listed
    if linked >= _LEAST_LINKED and sample.known_listed >= _LEAST_LISTED * linked and not is_chain:
        share = min(1.0, sample.known_listed / linked)
        all_of_them = max(known, round(sample.listed / share))
        spread = _DEVIATIONS * math.sqrt((1 - share) / sample.known_listed) * all_of_them
        return Number(all_of_them, known, round(all_of_them + spread), "sitemap")
    by_levels, by_sightings = _by_levels(sample), _by_sightings(sample)
    likely = round(min(_MOST, max(known, min(by_levels, by_sightings))))
    basis: Basis = "levels" if by_levels <= by_sightings else "sightings"
    endless = known < _LEAST_COVERED * likely
    if basis == "levels":
        endless = endless or _last_yield(sample) >= _ENDLESS_YIELD
        most = min(max(by_sightings, 1.25 * likely), 2 * likely)
    else:
        most = max(_upper_end(sample, likely), min(by_levels, 1.25 * likely))
    return Number(likely, known, None if endless else max(likely, round(most)), basis)


def _by_levels(sample: HostSample) -> float:
    """Return the number of URLs of a tree of which each level was read in part."""
    total = number = 0.0
    led_to = 0.0  # what the whole level before leads to
    missed = 0  # what the pages read of it led to
    for level in sample.levels:
        # Known are also those to which other hosts, or other levels, have led.
        number = max(level.known, level.known - missed + led_to)
        total += number
        led_to = number * level.led_to / level.read if level.read else 0.0
        missed = level.led_to
    return min(total + max(0.0, led_to - missed), _MOST)


def _by_sightings(sample: HostSample) -> float:
    """Return the number of URLs of a population of which some pages were read, for all that they link to."""
    once, twice, thrice, four = sample.sightings
    lists, known = sample.lists, sample.known
    if lists < 2:
        return math.inf
    weight = (lists - 1) / lists
    number = known + weight * once * max(once - 1, 0) / (2 * (twice + 1))
    for _ in range(_ROUNDS):  # what share of the pages was read depends on their number
        share = min(0.999, lists / number) if number else 0.999
        unseen = 2 * twice / weight + once * share / (1 - share)
        number = (number + known + (once * once / unseen if unseen else 0.0)) / 2
    four = max(four, 1)
    if lists > 3:
        rest = once - (lists - 3) / (2 * (lists - 1)) * twice * thrice / four
        number += (lists - 3) / (4 * lists) * thrice / four * max(rest, 0.0)
    return min(number, _MOST)


def _upper_end(sample: HostSample, likely: float) -> float:
    """Return the upper end of what is likely, by Chao's log-normal range."""
    once, twice, *_ = sample.sightings
    unseen = likely - sample.known
    if unseen <= 0:
        return 1.1 * likely
    ratio = once / max(twice, 1)
    variance = max(twice, 1) * (ratio**4 / 4 + ratio**3 + ratio**2 / 2)
    return sample.known + unseen * math.exp(_DEVIATIONS * math.sqrt(math.log1p(variance / unseen**2)))


def _last_yield(sample: HostSample) -> float:
    """Return to how many new URLs a page of the deepest level led that was read."""
    read = [level for level in sample.levels if level.read]
    return read[-1].led_to / read[-1].read if read else 0.0
