"""The line of a robots.txt that is named is the one that decides: without the others it says the same."""

from hypothesis import given
from hypothesis import strategies as st

from crawler.web.robots import RobotsRules
from crawler.web.robots_line import RobotsLine, deciding_line
from tests.support.table import table

FILE = b"""# a file\r\nUser-agent: *\r\nDisallow: /private\r\n\r\nUser-agent: crawler\rUser-agent: other\r
Disallow: /shop   # all of it
Allow: /shop/open
Disallow: *.pdf$
Disallow: /shop
Allow: /docs/index.html
Disallow: /docs
"""

PATTERNS = st.text(alphabet="/ab*$%2f.", min_size=1, max_size=6) | st.sampled_from(["/a/index.html", "/%61", "/ä"])
LINES = st.lists(
    st.tuples(st.sampled_from(["Disallow: ", "Allow: ", "disallow:", "allow : "]), PATTERNS).map("".join)
    | st.sampled_from(["User-agent: crawler", "User-agent: *", "User-agent: other", "Crawl-delay: 1", "", "# nothing"]),
    max_size=12,
)
PATHS = st.text(alphabet="/ab%2f.?", max_size=6).map("/".__add__) | st.sampled_from(["/a/", "/a/index.html", "/ä"])


@table(
    ("path", "agent", "line"),
    [
        ("/private", "crawler", None),
        ("/private", "another", RobotsLine(3, "Disallow: /private", allows=False, agent="*")),
        ("/shop/a", "crawler/1.0", RobotsLine(7, "Disallow: /shop   # all of it", allows=False, agent="crawler")),
        ("/shop/open/a", "crawler", RobotsLine(8, "Allow: /shop/open", allows=True, agent="crawler")),
        ("/x/a.pdf", "crawler", RobotsLine(9, "Disallow: *.pdf$", allows=False, agent="crawler")),
        ("/x/a.pdf", "Other", RobotsLine(9, "Disallow: *.pdf$", allows=False, agent="other")),
        ("/docs/", "crawler", RobotsLine(11, "Allow: /docs/index.html", allows=True, agent="crawler")),
        ("/docs/a", "crawler", RobotsLine(12, "Disallow: /docs", allows=False, agent="crawler")),
        ("/robots.txt", "crawler", None),
        ("/", "crawler", None),
    ],
)
def test_the_line_that_decides_is_named_as_it_is_written_with_its_number_and_group(path, agent, line):
    assert deciding_line(FILE, f"http://a.example{path}", agent) == line


def test_a_file_with_too_many_wildcards_has_no_line_that_decides():
    body = b"User-agent: *\n" + b"".join(b"Disallow: /*%d$\n" % number for number in range(1_001))
    line = deciding_line(body, "http://a.example/x", "crawler")
    assert line == RobotsLine(0, "more than 1,000 patterns with * or $", allows=False, agent="*")


@given(LINES, PATHS)
def test_the_line_says_what_was_decided_and_decides_alone(lines, path):
    body, url = "\n".join(lines).encode(), f"http://a.example{path}"
    allowed = RobotsRules.parse(body).allows(url, "crawler")
    line = deciding_line(body, url, "crawler")
    assert allowed == (line is None or line.allows)
    if line is not None:
        assert lines[line.number - 1].strip() == line.text
        alone = RobotsRules.parse(f"User-agent: crawler\n{line.text}".encode())
        assert alone.allows(url, "crawler") == line.allows
