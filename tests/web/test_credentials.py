"""A configured header goes to every server only if it is known to hold no secret."""

from crawler.web.credentials import anywhere, confidential
from tests.support.table import table

FIT = [
    "User-Agent",
    "Accept",
    "ACCEPT-LANGUAGE",
    "accept-encoding",
    "Cache-Control",
    "Pragma",
    "DNT",
    "From",
    "Referer",
    "Sec-GPC",
    "Sec-Fetch-Mode",
    "Upgrade-Insecure-Requests",
    " Accept ",
]
SECRET = [
    "Authorization",
    "authorization",
    "Proxy-Authorization",
    "Cookie",
    "X-Api-Key",
    "X-Auth-Token",
    "Api-Key",
    "Host",
    "Accept-Token",
    "User-Agent-Key",
    "X-Forwarded-For",
    "",
]


@table("name", FIT)
def test_what_says_who_asks_and_what_is_preferred_may_go_anywhere(name):
    assert anywhere(((name, "v"),)) == ((name, "v"),)
    assert confidential(((name, "v"),)) == ()


@table("name", SECRET)
def test_every_other_header_may_be_a_secret(name):
    assert anywhere(((name, "v"),)) == ()
    assert confidential(((name, "v"),)) == ((name, "v"),)


def test_every_pair_is_on_one_side_and_the_order_stays():
    headers = (("Cookie", "a=b"), ("Accept", "1"), ("X-Key", "k"), ("accept", "2"), ("cookie", "c=d"))
    assert anywhere(headers) == (("Accept", "1"), ("accept", "2"))
    assert confidential(headers) == (("Cookie", "a=b"), ("X-Key", "k"), ("cookie", "c=d"))
    assert anywhere(()) == confidential(()) == ()
