"""What keeps the parser of HTML within bounds: bytes in, bytes out. Pure."""

__all__ = ["cut_at_tag", "most_tags", "with_breaks"]

_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_RUN_BYTES = 262_144
_BLANK_BYTES = 1_144  # at the end of a run, among which white space is looked for
_REFERENCE_BYTES = 40  # the longest character reference has 33


def most_tags(max_body_bytes: int) -> int:
    """How many tags of a page are read, by the size that a page may have: one for 20 bytes, and at least 500,000.

    Ordinary pages have no more than that at any size. It is what bounds the memory for a page of nothing but tags,
    whose tree takes 150 bytes and more for each.
    """
    return max(500_000, max_body_bytes // 20)


def cut_at_tag(body: bytes, most: int) -> bytes:
    """Return `body` up to its tag number `most`; all of it if it has no more. Each `<` counts as a tag.

    So does each NUL, which takes 50 bytes to be passed over; in UTF-16, where half of all bytes are NUL, two in a row.
    """
    nul = b"\0\0" if body.startswith(_UTF_16_MARKS) else b"\0"

    def tags(start: int, end: int) -> int:
        return body.count(b"<", start, end) + body.count(nul, start, end)

    if len(body) <= most or tags(0, len(body)) <= most:
        return body
    low, high, before = 0, len(body), 0  # `before` tags stand before `low`, tag number `most` between `low` and `high`
    while high - low > 1:
        middle = (low + high) // 2
        count = tags(low, middle)
        if before + count <= most:
            low, before = middle, before + count
        else:
            high = middle
    return body[:low]


def with_breaks(body: bytes) -> bytes:
    """Return a page with a `<wbr>` wherever `_RUN_BYTES` stand without a tag, at white space if there is any.

    No reader sees it, and it ends neither a comment nor a quoted attribute, nor a script; it parts neither a character
    of UTF-8 nor a character reference. turbohtml takes 20 bytes of memory for each of a long text without one, and a
    tenth of that for several shorter ones. Not for UTF-16, where it would not be a tag.
    """
    if len(body) <= _RUN_BYTES or body.startswith(_UTF_16_MARKS):
        return body
    pieces = []
    start = at = 0  # `start` of the piece, and where the stretch without a tag begins that is looked at
    while len(body) - at > _RUN_BYTES:
        # From the last tag of a run to that of the next one: nothing is looked at more than twice.
        tag = body.rfind(b"<", at, at + _RUN_BYTES)
        if tag >= 0:
            at = tag + 1
        else:
            at = _break_before(body, at + _RUN_BYTES)
            pieces.append(body[start:at])
            start = at
    pieces.append(body[start:])
    return b"<wbr>".join(pieces)


def _break_before(body: bytes, end: int) -> int:
    """Return where a stretch without a tag that ends at `end` can be parted."""
    blank = max(body.rfind(one, end - _BLANK_BYTES, end) for one in (b"\n", b" ", b"\t", b"\r"))
    if blank >= 0:
        return blank + 1
    reference = body.rfind(b"&", end - _REFERENCE_BYTES, end)
    if reference >= 0:
        return reference
    # A character of UTF-8 has up to three bytes after its first one, and they are of this form.
    for before in range(3):
        if body[end - before] & 0xC0 != 0x80:
            return end - before
    return end - 3
