"""robots.txt: any bytes are rules, any question has an answer, and neither takes long."""

from hypothesis import given
from hypothesis import strategies as st

from crawler.web.robots import MAX_CRAWL_DELAY_S, RobotsRules, directives, product_token
from crawler.web.urls import normalise
from tests.fuzz.damage import ANY_TEXT, damaged, damaged_text, fragments
from tests.fuzz.profile import fuzz
from tests.support.yardstick import takes_linear_time

FRAGMENTS = fragments("robots")
LINES = st.lists(st.sampled_from(FRAGMENTS), max_size=8).map(b"\n".join)
FILES = (
    LINES.map(b"User-agent: *\nDisallow: /x\n".__add__)
    | damaged([*FRAGMENTS, b"\n", b"\n", b"\n", b"\r\n", b"\r", b"\n\n"], 40)
    | st.binary(max_size=200)
)
PATHS = damaged_text(fragments("urls"), 8)
AGENTS = ANY_TEXT | damaged_text(fragments("agents"), 5)


@fuzz(120)
@given(FILES, PATHS, AGENTS)
def test_any_file_answers_any_question(body, path, agent):
    rules = RobotsRules.parse(body)
    url = normalise("http://h.example/" + path[:1_000])
    assert rules.allows(url, agent) in {True, False}
    assert rules.allows(url, agent) == rules.allows(url, agent) == RobotsRules.parse(body).allows(url, agent)
    for authority in ("[::1", "[v1.x]:80", "a]", "h:x"):  # authorities that are none
        assert rules.allows(url.replace("h.example", authority, 1), agent) in {True, False}
    delay_s = rules.crawl_delay_s(agent)
    assert delay_s is None or 0 <= delay_s <= MAX_CRAWL_DELAY_S
    assert all(isinstance(sitemap, str) and "\n" not in sitemap for sitemap in rules.sitemaps)


@fuzz(120)
@given(FILES.map(lambda body: body.decode("latin-1")), st.lists(AGENTS, max_size=3), AGENTS)
def test_any_meta_and_any_header_are_directives(meta, header, agent):
    assert directives(header, meta, agent) <= {"noindex", "nofollow"}
    assert product_token(agent).isascii()


@fuzz(12, cost=10)
@given(st.sampled_from(FRAGMENTS), st.sampled_from(FRAGMENTS), st.sampled_from([b"", b"\n", b"\r", b" "]))
def test_a_file_of_the_same_again_and_again_takes_linear_time(start, unit, end):
    def work(count):
        RobotsRules.parse(b"User-agent: *\n" + start + b"\n" + (unit + end) * count).allows("http://h/a/b", "crawler")

    assert takes_linear_time(work, 1_500)


@fuzz(12, cost=10)
@given(
    st.lists(st.sampled_from(["/", "*", "a", "b", "%61", "$", ".js", "?"]), min_size=1, max_size=12).map("".join),
    st.lists(st.sampled_from(["/", "a", "b", "%61", "c", ".js", "?"]), min_size=1, max_size=4).map("".join),
)
def test_a_long_url_is_matched_in_linear_time(pattern, unit):
    rules = RobotsRules.parse(f"User-agent: *\nDisallow: /{pattern}\n".encode())
    assert takes_linear_time(lambda count: rules.allows("http://h/" + unit * count, "crawler"), 500)


@fuzz(12, cost=10)
@given(st.lists(st.sampled_from(["/", "*", "a", "b", "%61", "$", ".js"]), min_size=1, max_size=4).map("".join))
def test_a_long_pattern_is_matched_in_linear_time(unit):
    def work(count):
        RobotsRules.parse(f"User-agent: *\nDisallow: /{unit * count}\n".encode()).allows(
            "http://h/aabbab.js", "crawler"
        )

    assert takes_linear_time(work, 500)
