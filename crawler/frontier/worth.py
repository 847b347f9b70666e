"""What a page of a large site is worth: what it brings, or costs, by what it says and what it leads to.

    leads to                      says             the page
    unknown pages alone           anything         costs 1: it promises, and brings nothing yet
    one unknown page              something        costs a half: a list may begin; 0 within a list
    some that were found before   text             brings something: 3, and 1 for where it was found
    (pages refer to each other)   a mark, near     brings 1
                                  nothing          costs 1
    nothing unknown               text             brings 3, as above
    (the walk ends there)         a mark, near     brings 1
                                  nothing          brings 1 if few links lead to it, 0 if it is near, else costs 1

Text is what no page of the site had before. A mark is anything else that is new: a number, a picture, a link elsewhere,
what a file is. Links that turn out to be files, errors or forbidden count no more (`frontier.promises`).
A page is near if the way to it is short (`_NEAR`), without links along a list (`Reach.far`). For a site that ends is
not deep, but for lists; and one that does not end, and whose pages end, has to go further and further. So a page with
nothing on it but a counter cannot lead a crawl away without end, and one with a number is not lost.
"""

from crawler.core.model import Task

__all__ = ["BRINGS", "COST", "worth"]

BRINGS, COST = 6, 2
"""In halves, as all that is counted."""
_ENDS, _COST_OF_ONE = 2, 1
_NEAR = 8
"""Links from the start up to which a page counts that says no more than a number, or nothing."""
_REFERS_ONE_IN = 4
"""A page refers to others if it has one link to a page that was found elsewhere, and not read yet, to so many new."""


def worth(task: Task, says: str, new: int, waiting: int) -> int:
    """Return what a page is worth, in halves.

    `says` what is new on it: `text`, a `mark`, or nothing. Of the pages that it leads to, `new` are unknown, and
    `waiting` were found before and wait.
    """
    near = task.far <= _NEAR
    if says == "mark" and not near:
        says = ""
    if not new or (waiting and says and _REFERS_ONE_IN * waiting >= new):
        if says or task.depth <= _NEAR:
            return BRINGS if says == "text" else _ENDS
        return 0 if near else -COST
    if new == 1 and says:
        return 0 if task.chain else -_COST_OF_ONE
    return -COST
