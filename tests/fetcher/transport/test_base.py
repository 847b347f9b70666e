"""What the network seam itself says about an answer."""

import pytest

from crawler.fetcher.transport.base import is_redirect


@pytest.mark.parametrize(
    ("status", "headers", "is_it"),
    [
        (301, [("location", "/")], True),
        (308, [("location", "")], True),
        (300, [("content-type", "text/html")], False),
        (304, [], False),
        (200, [("location", "/")], False),
        (201, [("location", "/")], False),
    ],
)
def test_a_redirect_is_a_3xx_with_a_location(status, headers, is_it):
    assert is_redirect(status, headers) is is_it
