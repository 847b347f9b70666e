"""A fingerprint by which texts that are nearly the same are noticed: 64 bits that differ in few places then. Pure.

SimHash (Charikar, "Similarity Estimation Techniques from Rounding Algorithms", 2002): each feature of a text has a
hash, and each bit of the fingerprint is what most hashes have there. Features are pairs of neighbouring words. Numbers
are taken out of the words (all read as `0`) and count a third as much, one by one: they are what differs between two
visits to one page, as dates and counters do. A page of nothing but other numbers is another page all the same.
"""

import re

from xxhash import xxh3_64_digest

__all__ = ["BITS", "NEAR", "distance", "simhash"]

BITS = 64
NEAR = 3
"""Most bits in which two texts differ that count as nearly the same."""

_LEAST_WORDS = 16
"""A shorter text has too few features: two pages `Part 1` and `Part 2` would be the same."""
_MOST_CHARS = 1_000_000
"""What is read of a text: more would take a parser's time, and tell no more."""
_WORD_WEIGHT = 3
"""How much a pair of words counts beside one number."""
_NUMBERS = re.compile(rb"([0-9][0-9.,:/-]*)")
# Thai, Lao, Burmese, Khmer, Japanese and Chinese are written without spaces: each character is a word.
_SPACELESS = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)


def simhash(text: str) -> int | None:
    """Return the fingerprint of a text, from 0 to 2**64 - 1; None if it has fewer than 16 words, too few to tell.

    Words are what stands between white space; a character of a script without spaces is one by itself. Of a text of
    more than 1,000,000 characters the rest is not read. Takes about 0.2 µs a word.
    """
    text = text[:_MOST_CHARS]
    if not text.isascii() and _SPACELESS.search(text):
        text = _SPACELESS.sub(r" \g<0> ", text)
    parts = _NUMBERS.split(text.encode("utf-8", "replace"))
    words = b"0".join(parts[::2]).split()
    if len(words) < _LEAST_WORDS:
        return None
    pairs, numbers = _pairs(_columns(words)), _columns(parts[1::2])
    votes = zip(_votes(pairs, len(words) - 1), _votes(numbers, len(parts) // 2), strict=True)
    half = _WORD_WEIGHT * (len(words) - 1) + len(parts) // 2
    return sum(1 << bit for bit, (word, number) in enumerate(votes) if 2 * (_WORD_WEIGHT * word + number) > half)


def distance(one: int, other: int) -> int:
    """Return in how many of their 64 bits two fingerprints differ; texts that have nothing in common in about 32."""
    return (one ^ other).bit_count()


def _columns(features: list[bytes]) -> list[int]:
    """Return the hashes of features as eight numbers: the first one holds the first byte of each hash, and so on.

    All of them are worked on at once, one operation on a long number instead of a loop.
    """
    hashes = b"".join(map(xxh3_64_digest, features))
    return [int.from_bytes(hashes[byte::8], "little") for byte in range(8)]


def _pairs(columns: list[int]) -> list[int]:
    """Return the hashes of neighbours: of each feature's and the next one's, turned by a byte so that order counts."""
    return [column ^ (columns[byte - 7] >> 8) for byte, column in enumerate(columns)]


def _votes(columns: list[int], hashes: int) -> list[int]:
    """Return for each of the 64 bits how many of the first so many hashes have it."""
    masks = [int.from_bytes(bytes([1 << bit]) * hashes, "little") for bit in range(8)]
    return [(column & mask).bit_count() for column in columns for mask in masks]
