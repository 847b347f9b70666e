"""Inputs for parsers of anything: fragments of the real syntax, joined in any order, then damaged.

Random bytes alone never get past a parser's first line. Sound input alone never leaves the path that the tests know.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from hypothesis import strategies as st

__all__ = ["ANY_TEXT", "damaged", "damaged_text", "fragments"]

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=40)
"""Any string at all, lone surrogates included."""

_FOLDER = Path(__file__).parent / "fragments"


def fragments(*names: str) -> list[bytes]:
    r"""Read fragments of syntax from `fragments/<name>.txt`: one a line, in UTF-8, `\xNN` a byte, `\\` a backslash."""
    return [
        re.sub(rb"\\(?:x([0-9a-f]{2})|\\)", _escaped, line)
        for name in names
        for line in (_FOLDER / f"{name}.txt").read_bytes().splitlines()
    ]


def _escaped(match: re.Match[bytes]) -> bytes:
    return bytes([int(match[1], 16)]) if match[1] else b"\\"


_NOISE = fragments("noise")
_RANDOM = st.binary(max_size=6)


@st.composite
def damaged(draw: st.DrawFn, parts: Sequence[bytes], most: int = 20) -> bytes:
    """Up to `most` of `parts`, some noise between them, then up to three kinds of damage.

    Half of the time only a few of the parts are used, each more often, so that those that matter to each other meet.
    Drawn as a few strings of bytes that say what to take and where to strike: hundreds of small decisions would take
    most of the time.
    """
    parts = [*parts, *_NOISE, draw(_RANDOM)]
    assert len(parts) <= 256, "a byte cannot name so many fragments"
    few = draw(st.binary(max_size=8))
    if len(few) > 1:
        parts = [parts[pick % len(parts)] for pick in few]
    count = draw(st.integers(0, most))  # left to itself, a string has five characters
    picks = draw(st.binary(min_size=count, max_size=count))
    data = b"".join([parts[pick % len(parts)] for pick in picks])
    program = draw(st.binary(max_size=12))
    for step in range(0, len(program) - 3, 4):
        damage, high, low, length = program[step : step + 4]
        at = (high << 8 | low) % (len(data) + 1)
        data = _damaged(data, damage, at, length)
    return data


def _damaged(data: bytes, damage: int, at: int, length: int) -> bytes:
    to = at + length % 40 + 1
    match damage % 8:
        case 1:
            return data[:at]
        case 2:
            return data[at:]
        case 3:
            return data[:at] + data[to:]
        case 4:
            return data[:at] + _NOISE[length % len(_NOISE)] + data[at:]
        case 5:
            return data[:at] + data[at:to] * (length + 2) + data[to:]
        case 6:
            return data[to:] + data[:to]
        case 7:
            return data[:at] + bytes([byte ^ (length or 1) for byte in data[at : at + 1]]) + data[at + 1 :]
        case _:
            return data


def damaged_text(parts: Sequence[bytes], most: int = 20) -> st.SearchStrategy[str]:
    """The same as text: what is not UTF-8 becomes U+FFFD, lone surrogates or Latin-1."""
    decoded = st.sampled_from([("utf-8", "replace"), ("utf-8", "surrogateescape"), ("latin-1", "strict")])
    return st.builds(lambda data, how: data.decode(*how), damaged(parts, most), decoded)
