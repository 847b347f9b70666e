"""What a page of a watched site has to itself."""

from crawler.core.model import SeedContext, Task
from crawler.parsers.reading.gist import HASH_BYTES, KEY_BYTES, MOST_LINKS, MOST_PIECES, Gist, Gists
from crawler.web.urls import task_key

MENU = "<nav><a href=/>Home</a><a href=/about>About us</a></nav>"
MENU_LINKS = [("http://a.test/", False), ("http://a.test/about", False)]


def task(url: str, watched: str = "a.test") -> Task:
    return Task(b"k" * 16, url, 1, None, (), 0, SeedContext(1, (url,), b"null"), watched=watched)


def taken(gists: Gists, url: str, html: str, *links: str, watched: str = "a.test") -> Gist:
    hrefs = MENU_LINKS + [(link, False) for link in links]
    return gists.take(task(url, watched), f"{MENU}{html}".encode(), hrefs)


def read(*pages: tuple[str, str]) -> list[int]:
    """How many pieces each of several pages of one host has to itself."""
    gists = Gists(0)
    return [len(taken(gists, url, html).pieces) // HASH_BYTES for url, html in pages]


def test_what_the_pages_before_had_is_not_its_own():
    shown = read(
        ("http://a.test/1", "<p>First of all</p>"),
        ("http://a.test/2", "<p>Second thoughts</p>"),
        ("http://a.test/3", "<p>Second thoughts</p><p>Third party</p>"),
        ("http://a.test/4", ""),
    )
    assert shown == [3, 1, 1, 0]


def test_a_page_that_repeats_its_address_says_nothing_by_it():
    """Two pages for two paths have the same piece, since the words of the path are left out."""
    gists = Gists(0)
    one, other = (
        taken(gists, f"http://a.test/{path}", f"<p>There is no page {path} here</p>") for path in ("green/tea", "red")
    )
    assert other.pieces in one.pieces


def marks(*pages: tuple[str, str]) -> list[int]:
    """How many marks each of several pages of one host has to itself."""
    gists = Gists(0)
    return [len(taken(gists, url, html).marks) // HASH_BYTES for url, html in pages]


def test_a_number_is_a_mark_and_no_text_unless_it_is_that_of_the_address():
    """The text of two products is the same piece; their prices differ, and their numbers do not count."""
    gists = Gists(0)
    one, same, other = (
        taken(gists, f"http://a.test/{n}", f"<p>Item {n} costs {price} euro</p>")
        for n, price in ((1, 20), (2, 20), (3, 45))
    )
    assert same.pieces == other.pieces
    assert one.marks == same.marks != other.marks
    pages = [(f"http://a.test/{number}", f"<b>{said}</b>") for number, said in ((1, 1), (2, 2), (3, 7))]
    assert marks(*pages) == [0, 0, 1]


def test_a_picture_is_a_mark_whatever_it_is_called_and_what_attributes_say_too():
    assert marks(
        ("http://a.test/1", "<img src=/1.jpg>"),
        ("http://a.test/2", '<img src="/2.jpg">'),
        ("http://a.test/3", '<img src="/2.jpg" alt="A goat">'),
        ("http://a.test/4", '<source srcset="/4.webp 2x"><meta content="About goats">'),
    ) == [1, 1, 1, 2]


def test_a_link_to_another_site_is_a_mark():
    gists = Gists(0)
    assert [
        len(taken(gists, f"http://a.test/{word}", "", link).marks) // HASH_BYTES
        for word, link in (("x", "http://b.test/1"), ("y", "http://b.test/1"), ("z", "http://a.test/1"))
    ] == [1, 0, 0]


def test_a_link_to_a_file_leads_nowhere_but_from_the_day_of_a_calendar():
    gists = Gists(0)
    taken(gists, "http://a.test/0", "")
    files = [f"http://a.test/files/{name}" for name in ("1.pdf", "2.PDF?v=2", "3.tar.gz")]
    pages = ["http://a.test/1.pdf/view", "http://a.test/view?of=1.pdf"]
    links = taken(gists, "http://a.test/x", "", *files, *pages).links
    assert links == b"".join([task_key(page, "page", 0) for page in pages])
    assert len(taken(gists, "http://a.test/2026-11-30", "", "http://a.test/30.ics").links) == KEY_BYTES


def test_pieces_and_links_are_few_however_large_the_page():
    html = "".join(f"<p>this is {'abcdefghij'[number % 10] * (number // 10 + 1)}</p>" for number in range(500))
    links = [f"http://a.test/page/{number}" for number in range(5_000)]
    gist = taken(Gists(0), "http://a.test/", html, *links)
    assert len(gist.pieces) == MOST_PIECES * HASH_BYTES
    assert len(gist.links) <= MOST_LINKS * KEY_BYTES


def test_links_of_the_site_count_alone_by_the_keys_of_the_job():
    gists = Gists(7)
    taken(gists, "http://a.test/0", "")
    links = ("http://a.test/1", "http://b.test/1", "http://c.a.test/1")
    assert taken(gists, "http://a.test/9", "", *links).links == b"".join(
        task_key(url, "page", 7) for url in (links[0], links[2])
    )
    of_host = taken(gists, "http://c.a.test/9", "", *links, watched="c.a.test").links
    assert of_host == task_key(links[2], "page", 7)


def test_any_bytes_have_a_gist():
    hrefs = [("http://a.test/x", True)]
    for body in (b"", b"<", b">", b">\xff\xfe<", b"<<<>>>" * 1_000, bytes(range(256)) * 100):
        assert Gists(0).take(task("http://a.test/"), body, hrefs).links == b""
