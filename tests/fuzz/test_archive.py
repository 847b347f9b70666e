"""WARC files: whatever became of their bytes, reading one gives pages and messages on one line, and never raises."""

import gzip
import os
import re
import tempfile
import zlib
from pathlib import Path
from unittest.mock import patch

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from crawler.core.dates import rfc3339
from crawler.core.errors import UsageError
from crawler.core.model import Duplicate, Exchange, Finished
from crawler.ring.archive import Archive
from crawler.web.plain_record import PlainMembers
from crawler.web.urls import normalise
from crawler.web.warc import built, captured, metadata, revisit, warcinfo
from tests.fuzz.damage import fragments
from tests.fuzz.profile import fuzz

LIMIT = 5_000
FRAGMENTS = fragments("warc")
SEED = b'{"team":"blue","n":1}'


def _records():
    """What a crawl stores of four URLs, record by record: two pages, one with the body of the first, a failure."""
    head = ((b"Content-Type", b"text/html"), (b"Content-Encoding", b"gzip"), (b"Content-Length", b"9"))
    exchange = Exchange("1.1", b"OK", ((b"Accept", b"*/*"),), head)
    members = [warcinfo("agent", "obey", 1.0)]
    captures = []
    for number, body in enumerate((b"<title>x</title>" * 20, b"<p>other", b"<title>x</title>" * 20)):
        finished = Finished(
            url=f"http://a.test/{number}",
            outcome="fetched",
            at=1e9,
            depth=2,
            parent="http://a.test/",
            redirected_from=("http://a.test/r",),
            seed=SEED,
        )
        capture = built(captured(finished.url, 200, 1e9, exchange, body, truncated=number == 1))
        captures.append(capture)
        same = Duplicate(captures[0].url, 1e9)
        answer = revisit(capture, same) if number == 2 else capture.response
        members += [metadata(finished, capture), capture.request, answer]
    gone = Finished(url="http://a.test/gone", outcome="failed", reason="timeout", at=1e9, depth=1, seed=SEED)
    members.append(metadata(gone, None))
    # Record ids are drawn anew each time, but a failure is to come again.
    numbers: dict[bytes, bytes] = {}
    return [
        re.sub(rb"(?<=urn:uuid:)[0-9a-f-]{36}", lambda at: numbers.setdefault(at[0], b"%036d" % len(numbers)), record)
        for record in map(gzip.decompress, members)
    ]


RECORDS = _records()
ENDS = [0, 1, 7, 40, 100, 300]


@st.composite
def files(draw):
    """The file with some bytes changed, before or after it was compressed; now and then its records mixed up."""
    order = draw(st.none() | st.lists(st.integers(0, len(RECORDS) - 1), min_size=1, max_size=12))
    records = [RECORDS[at] for at in order] if order else list(RECORDS)
    form = draw(st.sampled_from(["records", "records", "plain", "packed", "whole"]))
    if form == "plain":
        return _struck(draw, b"".join(records))
    if form == "whole":
        return gzip.compress(_struck(draw, b"".join(records)), 1, mtime=0)
    if form == "packed":
        return _struck(draw, b"".join(gzip.compress(record, 1, mtime=0) for record in records))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(records) - 1))
        records[at] = _struck(draw, records[at])
    packed = draw(st.booleans())
    return b"".join(gzip.compress(record, 1, mtime=0) if packed else record for record in records)


def _struck(draw, data):
    """Up to four blows: a piece is replaced by syntax, by noise or by nothing, or all behind it is cut off.

    Half of them hit the value of a header, where a random place would seldom be.
    """
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        if draw(st.booleans()):
            at = data.find(b": ", at) + 2 if b": " in data[at:] else at
            line = data.find(b"\r\n", at)
            to = max(at, line) if draw(st.booleans()) else at
        else:
            to = at + draw(st.sampled_from(ENDS))
        piece = draw(st.sampled_from(FRAGMENTS) | st.binary(max_size=6))
        data = data[:at] + piece if draw(st.integers(0, 15)) == 15 else data[:at] + piece + data[to:]
    return data


@fuzz(400)
@given(files(), files() | st.just(b"".join(RECORDS)))
def test_any_bytes_are_pages_or_a_damaged_file(first, second):
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, "1.warc.gz"), Path(folder, "2.warc.gz")]
        for path, content in zip(paths, (first, second), strict=True):
            path.write_bytes(content)
        try:
            archive = Archive(paths, LIMIT)
        except UsageError as caught:
            refused = str(caught)
            assert refused.isprintable()
            return
        try:
            pages = list(archive)
        finally:
            archive.close()
        assert archive.read_bytes == sum(map(os.path.getsize, paths))
    assert len(archive.damaged) <= 2 * 101
    assert all(message.isprintable() for message in archive.damaged)
    assert len(pages) == archive.pages
    for download in pages:
        assert normalise(download.task.url) == download.task.url
        assert 200 <= download.answer.status <= 999
        assert len(download.answer.body) <= LIMIT
        assert rfc3339(download.fetched_at)
        assert b"\n" not in download.task.seed.extra
        extra = msgspec.json.decode(download.task.seed.extra)
        assert extra is None or isinstance(extra, dict)
        told = {"parent": download.task.parent, "at": download.task.depth}
        line = msgspec.json.encode({"seed": msgspec.Raw(download.task.seed.extra), **told})
        assert msgspec.json.decode(line) == {"seed": extra, **told}


def _read(path):
    """All that reading a file comes to, up to the first damage; what it takes for no archive is a message.

    Where reading goes on behind a damage depends on the blocks in which the file was read. So do the words on it, since
    warcio may meet one fault or another first.
    """
    try:
        archive = Archive([path], LIMIT)
    except UsageError as caught:
        return str(caught)
    pages = []
    try:
        for page in archive:
            if archive.damaged:
                break
            pages.append(page)
        if archive.damaged:
            return pages, re.match(r".*: damaged at [a-z]+ [0-9,]+", archive.damaged[0])[0]
        return pages, archive.left_out, archive.read_bytes
    finally:
        archive.close()


@fuzz(400)
@given(files())
def test_a_record_that_is_read_at_once_is_what_warcio_makes_of_it(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "1.warc.gz")
        path.write_bytes(content)
        at_once = _read(path)
        with patch.object(PlainMembers, "begins", return_value=False):
            assert _read(path) == at_once


def test_the_file_is_sound_before_it_is_damaged(tmp_path):
    """Else nothing behind its first record would be tried."""
    for name, content in (
        ("plain.warc", b"".join(RECORDS)),
        ("packed.warc.gz", b"".join(zlib.compress(record, 1, wbits=31) for record in RECORDS)),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        archive = Archive([path], LIMIT)
        assert [(download.task.url[-1], download.task.depth, download.task.seed.extra) for download in archive] == [
            (number, 2, SEED) for number in "012"
        ]
        assert (archive.damaged, archive.left_out) == ([], {})
        archive.close()
