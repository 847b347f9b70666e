"""A value that is computed once."""

import pytest

from crawler.page.once import once


class Counted:
    def __init__(self):
        self.asked = 0

    @once
    def value(self):
        """What it is."""
        self.asked += 1
        if self.asked == 1:
            raise LookupError
        return [self.asked]


def test_a_value_is_computed_when_it_is_first_asked_for_and_kept_for_its_object():
    one, other = Counted(), Counted()
    with pytest.raises(LookupError):  # a failure is not kept
        _ = one.value
    assert one.value is one.value
    assert (one.value, one.asked, other.asked) == ([2], 2, 0)


def test_a_value_that_is_let_go_of_is_computed_again():
    one = Counted()
    with pytest.raises(LookupError):
        _ = one.value
    first = one.value
    del one.value
    assert one.value == [3]
    assert first == [2]


def test_the_class_says_what_the_value_is():
    assert Counted.value.__doc__ == "What it is."
