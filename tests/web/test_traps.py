"""Traps: what is one, what is not, and that no URL takes long to judge."""

import re
import uuid
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from crawler.web.traps import alike, is_dated, is_fixed, pattern, repeats, shape
from crawler.web.urls import MAX_URL_CHARS, resolve
from tests.support.table import table
from tests.support.yardstick import takes_linear_time

# --- repeats


@table(
    "url",
    [
        "http://h/a/a/a/a",
        "http://h/a/a/a/a/",
        "http://h/a/b/a/b/a/b/a/b",
        "http://h/x/y/a/b/a/b/a/b/a/b/z",
        "http://h/en/a/b/c/a/b/c/a/b/c/a/b/c",
        "http://h/x/b/a/b/a/b/a/b/a/y",  # the block is a/b or b/a, wherever one begins to count
        "http://h/a/a/b/a/a/b/a/a/b/a/a/b",
        "http://h/1/1/1/1",
        "http://h/x/////y",
        "http://h/images/images/images/images/logo.png?v=2",
        "http://h/a/a/a/a?b",
        "http://h/?a=1&a=1&a=1&a=1",
        "http://h/?a=1&b=2&a=1&b=3&a=1&b=4&a=1",
        "http://h/x?lang=en&lang=en&lang=en&lang=en&q=1",
        "http://h/?a&a&a&a",
        "http://h/" + "/".join(["a", *"bcdefghijklmnopqrstuvwxyz"] * 4),
        "http://h/" + "/".join(f"s{number}" for number in range(200)) + "/a/a/a/a",
    ],
)
def test_more_than_three_times_the_same_is_a_repetition(url):
    assert repeats(url)


# One line a shape: what honest sites have, some of it up to the very limit.
HONEST = [
    "http://h/",
    "http://h/a/a/a",
    "http://h/a/b/a/b/a/b",
    "http://h/a/b/a/b/a/b/a",
    "http://h/1/1/1",
    "http://h/a/a/a/b/a/a/a",
    "http://h/a/b/b/a/a/b/b/a/b/a/a/b",
    "http://h/x////y",
    "http://h/?a=1&a=1&a=1",
    "http://h/?a=1&a=2&a=3&a=4&a=5",
    "http://h/?a&&&&&&&b",
    "http://h/?a/a/a/a/a",
    "http://h/a/a/a?a/a/a",
    "https://docs.example.org/3.11/library/asyncio/asyncio-task.html",
    "https://docs.example.org/en/latest/en/latest/index.html",
    "https://docs.example.org/javadoc/org/example/example/example/package-summary.html",
    "https://api.example.org/v1/v1/reference/rest/v1/projects",
    "https://code.example.org/group/group/project/-/tree/main/src/main/java/com/example/main/src/test",
    "https://code.example.org/src/test/resources/test/resources/test/data.json",
    "https://forum.example.org/viewtopic.php?f=12&t=48213&start=40&sid=0",
    "https://forum.example.org/t/how-to-do-it/48213/17",
    "https://forum.example.org/index.php?topic=1.0;wap2",
    "https://shop.example.org/women/shoes/boots/c/1234?color=red&color=blue&color=black&color=red&size=38&size=39",
    "https://shop.example.org/s?k=shoes&rh=n%3A1%2Cp%3A2&f[]=1&f[]=2&f[]=3&f[]=4&page=3",
    "https://shop.example.org/c/f/color:red/size:42/brand:x/material:y/sort:price/page:3",
    "https://blog.example.org/2024/05/17/some-article/",
    "https://blog.example.org/2022/02/22/22/",
    "https://blog.example.org/02/02/2022/02-02/",
    "https://www.example.org/en/en-us/en/en-us/support",
    "https://www.example.org/de/de/de/home.html",
    "https://wiki.example.org/w/index.php?title=A&action=edit&section=1&oldid=123",
    "https://wiki.example.org/wiki/Talk:Talk:Talk:Talk",
    "https://archive.example.org/web/20240517/https://www.example.org/web/20240517/https://www.example.org/",
    "https://maps.example.org/tiles/0/0/0.png",
    "https://maps.example.org/tiles/1/1/1.png",
    "https://www.example.org/search?q=a+a+a+a+a&type=1&start=1&num=1&safe=1",
    "https://www.example.org/a-a-a-a-a/aaaa/b_b_b_b",
    "https://www.example.org/x?a=1&b=1&c=1&d=1&e=1",
]


@table("url", HONEST)
def test_what_honest_sites_have_is_no_repetition(url):
    assert resolve(url, url, strip_session=False) == url
    assert not repeats(url)


def has_four_in_a_row(segments):
    """The definition, written down as it is said."""
    return any(
        segments[start : start + size] * 4 == segments[start : start + 4 * size]
        for size in range(1, len(segments) // 4 + 1)
        for start in range(len(segments) - 4 * size + 1)
    )


@given(st.lists(st.sampled_from("ab"), max_size=40) | st.lists(st.sampled_from("abc"), max_size=60))
def test_any_path_repeats_itself_exactly_if_a_block_stands_four_times_in_a_row(segments):
    assert repeats("http://h/" + "/".join(segments)) == has_four_in_a_row(segments)


@given(
    st.lists(st.sampled_from(["a", "b", "c", "x y"]), min_size=1, max_size=50),
    st.integers(1, 4),
    st.lists(st.sampled_from("abc"), max_size=20),
    st.lists(st.sampled_from("abc"), max_size=20),
)
def test_a_long_block_between_others_counts_as_often_as_it_stands(block, times, before, after):
    segments = [*before, *block * times, *after]
    assert repeats("https://h.example/" + "/".join(segments)) == has_four_in_a_row(segments)


@given(st.lists(st.sampled_from(["a=1", "a=2", "b", "a", "", "b=1"]), max_size=24))
def test_any_query_repeats_itself_exactly_if_a_parameter_stands_four_times(parameters):
    expected = any(parameters.count(parameter) > 3 for parameter in parameters if parameter)
    assert repeats("http://h/?" + "&".join(parameters)) == expected


# --- pattern


@table(
    ("url", "expected"),
    [
        ("http://h/calendar/2026/11", "http://h/calendar/#/#"),
        ("http://h/cal?month=2026-11", "http://h/cal?month=#-#"),
        ("http://h/events/november-2026", "http://h/events/#-#"),
        ("http://h/events/Nov-2026", "http://h/events/#-#"),
        ("http://h/events/2026/NOVEMBER/", "http://h/events/#/#/"),
        ("http://h/events/nov2026", "http://h/events/#"),
        ("http://h/events/dezember-2026", "http://h/events/#-#"),
        ("http://h/agenda/lundi-23-novembre-2026", "http://h/agenda/#-#-#-#"),
        ("http://h/?date=20261122&view=day", "http://h/?date=#&view=day"),
        ("http://h/2026-W47", "http://h/#-W#"),
        ("http://h/2026-11-22T16:20:00Z", "http://h/#-#-#T#:#:#Z"),
        ("http://h/page/2", "http://h/page/#"),
        ("http://h/page2.html", "http://h/page#.html"),
        ("http://h/list?start=40&sort=up", "http://h/list?start=#&sort=up"),
        ("http://h/item/550e8400-e29b-41d4-a716-446655440000/x", "http://h/item/#/x"),
        ("http://h/item/550E8400-E29B-41D4-A716-446655440000", "http://h/item/#"),
        ("http://h/o/9f86d081884c7d65", "http://h/o/#"),
        ("http://h/o/5f4dcc3b", "http://h/o/#"),
        ("http://h/o/a1b2", "http://h/o/a#b#"),
        ("http://h/t/q83vASNFZ4mrze-_EjRWeJq83v8", "http://h/t/#"),
        ("http://h/watch?v=dQw4w9WgXcQ", "http://h/watch?v=#"),
        ("http://h/x/zk3j9q0xw7p2mmv8", "http://h/x/#"),
        ("http://h/x/kqzjxwvbnmplkjh7", "http://h/x/#"),
        ("http://h/x/kqzjxwvbnmplkj7", "http://h/x/kqzjxwvbnmplkj#"),
        ("http://h/a-title-in-words-kqzjxwvbnmplkjh7", "http://h/a-title-in-words-#"),
        ("http://h/a-title-in-words-3f2a9b8c7d6e", "http://h/a-title-in-words-#"),
        ("http://h/top10-list-of-4k-tvs-in-2024", "http://h/top#-list-of-#k-tvs-in-#"),
        ("http://h/wiki/Battle_of_Britain_1940", "http://h/wiki/Battle_of_Britain_#"),
        ("http://h/x?d=2026%2F11%2F02", "http://h/x?d=#%2F#%2F#"),
        ("http://h/%C3%A92026", "http://h/%C3%A9#"),
        ("http://h/%C3%A9a1b2c3d4e5", "http://h/%C3%A9#"),
        ("http://h/%D0%9C%D0%BE", "http://h/%D0%9C%D0%BE"),
        ("http://h/%4x12", "http://h/%#x#"),
        ("http://h/%12%1", "http://h/%12%#"),
        ("http://h/may/the-mon-common", "http://h/may/the-mon-common"),
        ("http://h/may/the-mon-common/2", "http://h/#/the-#-common/#"),
        ("http://h/march-of-time?year=2026", "http://h/#-of-time?year=#"),
        ("http://h/a/b.html?c=d", "http://h/a/b.html?c=d"),
        ("http://s17.example:8080/a", "http://s#.example:#/a"),
        ("http://9f86d081884c7d65.example/a", "http://#.example/a"),
        ("http://127.0.0.1/may", "http://#.#.#.#/may"),
    ],
)
def test_the_pattern_of_a_url(url, expected):
    assert pattern(url) == expected


SPELLINGS = [
    "/calendar/{year}/{month}",
    "/calendar/{year}/{month:02}/{day:02}/",
    "/calendar/{year}-{month:02}-{day:02}",
    "/cal?month={year}-{month:02}",
    "/cal?y={year}&m={month}&d={day}",
    "/cal?date={year}{month:02}{day:02}&view=day",
    "/cal?date={day:02}.{month:02}.{year}",
    "/cal?d={month}%2F{day}%2F{year}",
    "/cal/{year}{month:02}",
    "/cal/{year}-W{week:02}",
    "/cal/{year}W{week}-{weekday}",
    "/cal/{year}-{month:02}-{day:02}T00:00:00Z",
    "/cal/{year}-{month:02}-{day:02}T00%3A00%3A00%2B01%3A00",
    "/cal?t={stamp}",
    "/events/{name}-{year}",
    "/events/{name}{year}",
    "/events/{year}/{name}/{day}",
    "/events/{short}-{day}-{year}",
    "/events/{weekday}-{day}-{name}-{year}",
    "/events/{day}{short}{year}/{weekday}",
]
MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
WEEKDAYS = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
]


def dated(spelling, rng):
    month = rng.randint(1, 12)
    return "http://h" + spelling.format(
        year=rng.randint(1970, 2999),
        month=month,
        day=rng.randint(1, 28),
        week=rng.randint(1, 53),
        stamp=rng.randint(10**9, 10**10),
        name=rng.choice([str.lower, str])(MONTHS[month - 1]),
        short=rng.choice([str.lower, str.upper])(MONTHS[month - 1][:3]),
        weekday=rng.choice(WEEKDAYS),
    )


@table("spelling", SPELLINGS)
def test_all_days_of_a_calendar_share_a_pattern(spelling):
    rng = Random(1)
    urls = {dated(spelling, rng) for _ in range(300)}
    assert len(urls) > 100
    assert len({pattern(url) for url in urls}) == 1
    assert not any(map(is_fixed, urls))


HEX = "0123456789abcdef"
BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"
BASE62 = BASE36 + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@table(("alphabet", "length"), [(HEX, 16), (HEX, 32), (HEX, 64), (BASE36, 26), (BASE62, 32), (BASE62 + "-_", 43)])
@table("url", ["http://h/o/{}/edit", "http://h/o?token={}", "http://h/%C3%A9{}.html"])
def test_nearly_all_random_identifiers_share_a_pattern(alphabet, length, url):
    rng = Random(2)
    patterns = [pattern(url.format("".join(rng.choices(alphabet, k=length)))) for _ in range(1_000)]
    assert patterns.count(url.format("#")) > 980


def test_all_uuids_share_a_pattern():
    rng = Random(3)
    urls = [f"http://h/{uuid.UUID(int=rng.getrandbits(128), version=4)}" for _ in range(1_000)]
    assert {pattern(url) for url in urls} == {"http://h/#"}


DIFFERENT = [
    "http://h/",
    "http://h/a",
    "http://h/b",
    "http://h/a/",
    "http://h/a?b",
    "http://h/articles/one-2024",
    "http://h/articles/two-2024",
    "http://h/articles/one",
    "http://h/wiki/Battle_of_Britain_1940",
    "http://h/wiki/Battle_of_Berlin_1945",
    "http://h/wiki/2024_Summer_Olympics",
    "http://h/wiki/2024_Winter_Sports",
    "http://h/docs/3.11/library/os.html",
    "http://h/docs/3.11/library/sys.html",
    "http://h/javadoc/8/java/util/ArrayList.html",
    "http://h/javadoc/8/java/util/LinkedHashMap.html",
    "http://h/iphone-15-case",
    "http://h/galaxy-24-case",
    "http://h/some-long-article-title-about-life-3f2a9b8c7d6e",
    "http://h/another-long-article-title-3f2a9b8c7d6e",
    "http://h/shop?color=red&page=2",
    "http://h/shop?color=blue&page=2",
    "http://h/%D0%9C",
    "http://h/%D0%9D",
    "http://k/a",
    "https://h/a",
    "http://h:81/a",
]


def test_pages_that_differ_in_more_than_a_number_have_patterns_of_their_own():
    assert len(DIFFERENT) == len({pattern(url) for url in DIFFERENT})


@table(
    ("url", "expected"),
    [
        ("http://h/", True),
        ("http://h/a/b.html?c=d", True),
        ("http://www2.h:8080/a", True),
        ("http://127.0.0.1:8000/may", True),
        ("http://[::1]/a", True),
        ("http://h/%D0%9C%D0%BE?q=%20", True),
        ("http://h/a1", False),
        ("http://h/?a=1", False),
        ("http://h/%D0%9C1", False),
        ("http://h/2026/may", False),
    ],
)
def test_a_url_is_fixed_if_no_digit_stands_in_path_or_query(url, expected):
    assert is_fixed(url) is expected


PIECES = ["a", "f", "W", "zz", "may", "Sunday", "0", "1", "42", "2026", "abcdef01", "x1y2z3", *"/-_.=&?;,%+:~"]
PIECES += ["%C3", "%A9", "%4", "%2F", "%31", "550e8400-e29b-41d4-a716-446655440000", "q83vASNFZ4mrze-_EjRWeJq83v8"]
TAILS = st.lists(st.sampled_from(PIECES), max_size=16).map("".join)
HOSTS = st.sampled_from(["h", "127.0.0.1:8080", "www2.example", "may.example", "[::1]"])
URLS = st.builds("http://{}/{}".format, HOSTS, TAILS)


@settings(max_examples=300)
@given(URLS)
@example("http://h/%4x12abc")
@example("http://h/aB1cD-eF2gH-iJ3kL-mN4oP/x1")
def test_a_pattern_is_its_own_pattern_and_leaves_fixed_urls_alone(url):
    collapsed = pattern(url)
    assert pattern(collapsed) == collapsed
    head = len("http://") + url[len("http://") :].index("/")
    assert is_fixed(url) == collapsed.endswith(url[head:])
    assert re.search(r"[0-9]", re.sub(r"%[0-9A-Fa-f]{2}", "", collapsed[len("http://") :])) is None


@settings(max_examples=300)
@given(st.lists(st.sampled_from(["a", "zz", "W", "page", "%C3", *"/-_.=&?;,+:~"]), max_size=12), st.data())
def test_a_url_keeps_its_pattern_when_only_its_numbers_change(pieces, data):
    """Numbers by themselves: those inside a word may make an identifier of it."""
    numbers = st.integers(0, 99_999_999)
    urls = ["http://h/" + "".join(f"{piece}/{data.draw(numbers)}/" for piece in pieces) for _ in range(2)]
    assert pattern(urls[0]) == pattern(urls[1])


@given(st.text(st.characters(exclude_categories=())))
def test_no_string_makes_any_of_them_raise(text):
    assert repeats(text) in {True, False}
    assert is_fixed(text) in {True, False}
    assert isinstance(pattern(text), str)


# --- cost


def fibonacci_word(length):
    """The densest repetitions without one that counts: many blocks stand three times, none four times."""
    before, word = "a", "ab"
    while len(word) < length:
        before, word = word, word + before
    return word[:length]


LONGEST = {
    "a": "a" * 16_000,
    "digits": "1" * 16_000,
    "dashes": "-" * 16_000,
    "two segments": "/".join(fibonacci_word(8_000)),
    "nearly four times": "/".join("aaab" * 2_000),
    "a long block three times": "/".join([*map(str, range(1_000))] * 3),
    "distinct segments": "/".join(map(str, range(3_300))),
    "hex segments": "a1b2c3d4e5/" * 1_450,
    "mixed words": "a1b2-" * 3_200,
    "letters then a digit": "a" * 16_000 + "1",
    "dashed hex": "abcdef01-" * 1_800,
    "half uuids": "550e8400-e29b-41d4-a716-44665544000/" * 450,
    "months": "may1" * 4_000,
    "escapes": "%C3%A9" * 2_700,
    "escapes and digits": "%C3%A91" * 2_300,
    "percents": "%" * 16_000,
    "percents and digits": "%1" * 8_000,
    "parameters": "?" + "&".join(f"a{number}=1" for number in range(2_000)),
    "one parameter": "?" + "a&a&a&b&" * 2_000,
    "separators": "?" + "&" * 16_000,
}


@pytest.mark.parametrize("name", LONGEST)
@pytest.mark.parametrize("judge", [repeats, pattern, is_fixed])
def test_a_long_url_is_judged_in_linear_time(judge, name):
    """The shorter one keeps both ends: a `?` at the first and a digit at the last decide what is looked at at all."""
    path = LONGEST[name]
    assert takes_linear_time(lambda size: judge("http://h/" + path[0] + path[1:][-size:]), MAX_URL_CHARS // 8)


def test_urls_are_alike_that_differ_in_what_counts_alone():
    assert alike("http://a/cal/2024/05", "http://a/cal/2024/06/")
    assert alike("http://a/", "http://a/?page=2") is False
    assert alike("http://a/page", "http://a/page") is False, "nothing in it counts"
    assert alike("http://a/week/3", "http://a/month/3") is False


def test_a_url_is_dated_that_ends_in_year_and_month():
    dated = ("/2024/05", "/2024/05/31/", "/e-2024-05-31", "/?month=2024-05", "/20240531", "/x/2024-05.html")
    assert [is_dated(f"http://a{path}") for path in dated] == [True] * len(dated)
    other = ("/2024/05/a-story", "/thread/12345", "/?page=2024", "/2024/13", "/t/120240")
    assert [is_dated(f"http://a{path}") for path in other] == [False] * len(other)


@table(
    "one, other, same",
    [
        ("/shop?color=red&size=m", "/shop?size=l&color=blue", True),
        ("/shop?color=red", "/shop?color=red&size=m", False),
        ("/shop?color=red&color=blue", "/shop?color=red", True),
        ("/docs/a.html", "/docs/b.html", True),
        ("/docs/a.html", "/docs/b.pdf", False),
        ("/docs/a.html", "/docs/part/a.html", False),
        ("/2024/one", "/2025/two", True),
        ("/one/two", "/three/two", False),
        ("/", "/one", True),
    ],
)
def test_urls_of_one_shape_differ_in_names_and_values_alone(one, other, same):
    assert (shape(f"http://a.test{one}") == shape(f"http://b.test{other}")) == same
