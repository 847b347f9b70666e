"""The fingerprint of a text: nearly the same texts are near, others far, quickly and always alike."""

import random
from pathlib import Path

import pytest

from crawler.page.html import extract
from crawler.web.simhash import NEAR, distance, simhash
from crawler.web.urls import LinkResolver
from tests.support.table import table
from tests.support.yardstick import processor_s

ROOTS = sorted(Path("/usr/share/doc").glob("postgresql-doc-*/html"))


def words(number: int, seed: int = 1) -> str:
    rng = random.Random(seed)
    return " ".join(
        f"word{rng.randrange(2_000)}".translate(str.maketrans("0123456789", "abcdefghij")) for _ in range(number)
    )


def apart(one: str, other: str) -> int:
    first, second = simhash(one), simhash(other)
    assert first is not None
    assert second is not None
    return distance(first, second)


def test_the_fingerprint_never_changes():
    """It stands in records and stores: another one for the same text would make them useless."""
    text = "The quick brown fox jumps over 13 lazy dogs, and then over 1,234 more; nobody knows why it does."
    assert f"{simhash(text):016x}" == "081386618a216685"
    assert f"{simhash('row 1 of 22 is 333 ' * 6):016x}" == "fb58b011cb315d15"
    assert f"{simhash('Größe übrigens öfter ändern ' * 5):016x}" == "58cd736ca3ca620b"


@table(
    ("text", "has_one"),
    [("", False), ("only a few words", False), (words(15), False), (words(16), True), ("a " * 16, True)],
    ids=["none", "few", "15", "16", "repeated"],
)
def test_a_text_needs_16_words(text, has_one):
    value = simhash(text)
    assert (value is not None) == has_one
    assert value is None or 0 <= value < 2**64


@table("length", [100, 300, 1_000])
@table(
    ("before", "after"),
    [
        ("You are visitor 1,234,567", "You are visitor 1,234,999"),
        ("made on 2024-03-01 12:33:05", "made on 2024-03-02 07:13:59"),
        ("made on 4 March 2024, 07:12", "made on 5 March 2024, 19:44"),
        ("page 9 of 10", "page 10 of 10"),
    ],
    ids=["counter", "date", "day", "longer"],
)
def test_texts_that_differ_in_a_date_or_a_counter_are_near(length, before, after):
    found = [apart(f"{before}\n{text}", f"{after}\n{text}") for text in (words(length, seed) for seed in range(40))]
    assert sum(far <= NEAR for far in found) >= 38, found
    assert max(found) <= 2 * NEAR


def test_texts_of_the_same_words_and_other_numbers_are_other_texts():
    """A table of figures is more than its headings."""
    rng = random.Random(5)
    one, other = (" ".join(f"{word} {rng.randrange(10_000)}" for word in words(200).split()) for _ in range(2))
    assert apart(one, other) > NEAR


def test_order_counts_and_space_does_not():
    text = words(300)
    backwards = " ".join(reversed(text.split()))
    assert apart(text, backwards) > 10
    assert apart(text, text.replace(" ", " \n\t ")) == 0


def test_other_texts_are_far():
    marks = [simhash(words(200, seed)) for seed in range(60)]
    found = [distance(one, other) for number, one in enumerate(marks) for other in marks[:number]]
    assert min(found) > 10
    assert 31 < sum(found) / len(found) < 33


@table(("start", "end"), [(0x4E00, 0x9FFF), (0x3041, 0x3096), (0x0E01, 0x0E2E)], ids=["chinese", "japanese", "thai"])
def test_a_script_without_spaces_has_words_too(start, end):
    rng = random.Random(2)
    text = "".join(chr(rng.randrange(start, end)) for _ in range(500))
    other = "".join(chr(rng.randrange(start, end)) for _ in range(500))
    assert apart(text, f"{text[:200]}2024{text[200:]}") <= NEAR
    assert apart(text, other) > 10


def test_a_character_of_no_encoding_does_no_harm():
    assert simhash("\ud800 " * 20) is not None


def test_a_huge_text_takes_no_longer_than_a_large_one():
    large = words(120_000)[:1_000_000]
    huge = large * 20
    assert simhash(huge) == simhash(huge[:1_000_000])
    assert processor_s(lambda: simhash(huge)) < 5 * processor_s(lambda: simhash(large))


@pytest.mark.thorough
@pytest.mark.skipif(not ROOTS, reason="no PostgreSQL documentation (Debian: apt-get install postgresql-doc)")
def test_on_real_pages_only_what_is_nearly_the_same_is_near():
    """Of 300,000 pairs of documentation pages, those that are near say the same but for a few words."""
    resolver = LinkResolver()
    texts = [
        extract(path.read_bytes(), "http://e.example/", "text/html", resolver, frozenset({"text"})).text or ""
        for path in sorted(ROOTS[-1].glob("*.html"))[::2]
    ]
    marks = [(simhash(text), text) for text in texts if len(text.split()) >= 16]
    near = [
        (one, other)
        for number, (first, one) in enumerate(marks)
        for second, other in marks[:number]
        if distance(first, second) <= NEAR
    ]
    for one, other in near:
        shared, both = set(one.split()) & set(other.split()), set(one.split()) | set(other.split())
        assert len(shared) > 0.7 * len(both)
    assert len(near) <= 3
    dated = [apart(f"{text}\nupdated 2024-03-01", f"{text}\nupdated 2024-11-12") <= NEAR for text in texts]
    assert sum(dated) >= 0.97 * len(dated)
