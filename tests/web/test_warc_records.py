"""What `web.warc_records` leans on in warcio, though it does not promise it.

Each test fails with a sentence that says what a new version has changed, and which file to look at.
"""

import gzip
import io
import re
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from warcio.archiveiterator import ArchiveIterator

from crawler.web.warc_records import HEAD_BYTES, HEAD_LINES, LINE_BYTES, DamagedError, WarcRecords, written
from tests.support.private_parts import Part, check, importers
from tests.support.table import table
from tests.support.yardstick import takes_linear_time

FILE = "crawler/web/warc_records.py"
PARTS = (
    Part("warcio.statusandheaders.StatusAndHeaders.compute_headers_buffer", "self header_filter"),
    Part("warcio.warcwriter.WARCWriter.__init__", "self filebuf args kwargs"),
    Part(
        "warcio.warcwriter.WARCWriter.create_warc_record",
        given="uri record_type payload length http_headers warc_headers_dict",
    ),
    Part("warcio.warcwriter.WARCWriter.write_record", given="record"),
    Part("warcio.recordloader.ArcWarcRecordLoader.__init__", "self verify_http arc2warc"),
    Part("warcio.recordloader.ArcWarcRecordLoader.parse_record_stream", given="stream statusline known_format"),
    Part("warcio.recordloader.ArcWarcRecordLoader._detect_type_load_headers", "self stream statusline known_format"),
    Part("warcio.recordloader.ArcWarcRecordLoader.load_http_headers", "self rec_type uri stream length"),
    Part("warcio.bufferedreaders.DecompressingBufferedReader.read", "self length"),
    Part("warcio.bufferedreaders.DecompressingBufferedReader._fillbuff", "self block_size"),
    Part("warcio.bufferedreaders.DecompressingBufferedReader.empty", "self"),
    Part("warcio.bufferedreaders.DecompressingBufferedReader.read_next_member", "self"),
    Part("warcio.bufferedreaders.DecompressingBufferedReader.rem_length", "self"),
    Part("warcio.bufferedreaders.DecompressingBufferedReader._decompress", "self data"),
)
HEAD = "HTTP/1.1 200 OK\r\nX: ä".encode() + b"\r\n\r\n"


def changed(what: str) -> str:
    return f"{what}: see {FILE}, which leans on it"


def record(body=b"body") -> bytes:
    return written("response", "http://a.test/", {"WARC-Date": "2026-01-01T00:00:00Z"}, HEAD, body)[0]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_each_part_that_is_leant_on_is_there_and_called_as_ever(part):
    check(part, FILE)


def test_one_file_knows_warcio():
    assert importers("warcio", set()) == {FILE}


def test_warcio_writes_the_head_that_it_is_given():
    ours, digest = written("response", "http://a.test/", {"WARC-Date": "2026-01-01T00:00:00Z"}, HEAD, b"body")
    assert HEAD + b"body\r\n\r\n" in ours, changed("warcio writes another head than StatusAndHeaders.headers_buff")
    assert digest.startswith("sha1:"), changed("a record has no WARC-Payload-Digest after WARCWriter.write_record")


@pytest.mark.parametrize("packed", [False, True])
def test_warcio_reads_with_the_reader_and_the_loader_that_it_is_given(packed):
    calls = []
    data = record()
    records = WarcRecords(io.BytesIO(gzip.compress(data) if packed else data))
    records._member = None  # warcio is to read it, whatever it is
    loader, reader = records._loader, records._reader
    load, detect, decompress = loader.load_http_headers, loader._detect_type_load_headers, reader._decompress
    loader.load_http_headers = lambda *args: calls.append("load_http_headers") or load(*args)
    loader._detect_type_load_headers = lambda *args: calls.append("_detect_type_load_headers") or detect(*args)
    reader._decompress = lambda data: calls.append("_decompress") or decompress(data)
    assert [(records.offset, one.raw_stream.read()) for one in records] == [(0, b"body")]
    for name in ("_detect_type_load_headers", "load_http_headers", "_decompress"):
        assert name in calls, changed(f"warcio does not call {name} of what it is given")


def test_a_record_knows_how_many_of_its_bytes_are_left():
    one = next(WarcRecords(io.BytesIO(record(b"0123456789"))))
    assert hasattr(one.raw_stream, "limit"), changed("raw_stream of a record has no limit")
    assert one.raw_stream.limit == 10, changed("raw_stream.limit is not what is left of the record")
    one.raw_stream.read(4)
    assert one.raw_stream.limit == 6, changed("raw_stream.limit is not what is left of the record")


def test_a_file_that_is_compressed_as_a_whole_is_told():
    with pytest.raises(DamagedError, match="compressed as a whole"):
        list(WarcRecords(io.BytesIO(gzip.compress(record() + record()))))


def test_a_file_that_ends_within_a_record_is_damaged():
    with pytest.raises(DamagedError, match="the file ends within a record"):
        list(WarcRecords(io.BytesIO(record(b"0123456789")[:-9])))


# What is wrong, where, and what stands behind it


LAST = record(b"last")


def member(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def plain(data: bytes) -> bytes:
    return data


def read(data: bytes) -> tuple[list[bytes], list[tuple[int, str]]]:
    """The bodies that can be read, and what was told of the rest."""
    records = WarcRecords(io.BytesIO(data))
    bodies: list[bytes] = []
    told: list[tuple[int, str]] = []
    while True:
        try:
            one = next(records, None)
            if one is None:
                return bodies, told
            bodies.append(one.raw_stream.read(100))
        except DamagedError as error:
            told.append((records.offset, str(error)))
            if not records.read_on():
                return bodies, told


def with_length(length: str) -> bytes:
    return re.sub(rb"Content-Length: \d+", f"Content-Length: {length}".encode(), record(b"0123456789"))


LONG_LINE = f"a head with a line of {LINE_BYTES:,} bytes or more"
MANY_LINES = f"a head of more than {HEAD_LINES:,} lines"
LONG_HEAD = f"a head of more than {HEAD_BYTES:,} bytes"
FILLED = b"A: " + b"b" * 1_000 + b"\r\n"
WRONG = {
    "endless line": (b"WARC/1.0\r\nX: " + b"a" * 3 * LINE_BYTES, LONG_LINE),
    "endless lines": (b"WARC/1.0\r\n" + b"A: b\r\n" * 2 * HEAD_LINES, MANY_LINES),
    "endless folded lines": (b"WARC/1.0\r\nA: b\r\n" + b" a\r\n" * 2 * HEAD_LINES, MANY_LINES),
    "endless head": (b"WARC/1.0\r\n" + FILLED * (HEAD_BYTES // 1_000), LONG_HEAD),
    "endless HTTP lines": (record(b"A: b\r\n" * 2 * HEAD_LINES).replace(HEAD, HEAD[:-2]), "HTTP: " + MANY_LINES),
    "endless HTTP line": (record(b"A: " + b"b" * 3 * LINE_BYTES).replace(HEAD, HEAD[:-2]), "HTTP: " + LONG_LINE),
    "blank lines": (record(b"") + b"\r\n" * 2_000, "more than 1,000 blank lines"),
    "no length": (with_length("").replace(b"Content-Length: \r\n", b""), "a record without Content-Length"),
    "negative length": (with_length("-5"), "Content-Length is '-5'"),
    "no number": (with_length("3x"), "Content-Length is '3x'"),
    "too many digits": (with_length("9" * 5_000), f"Content-Length is {'9' * 512!r}"),
    "too short": (with_length(str(len(HEAD) + 3)) + b"x\r\ny\r\n", "a record that is longer than its Content-Length"),
}
BODY = {"blank lines": [b""], "too short": [b"012"]}


@pytest.mark.parametrize("packed", [member, plain])
@table("name", WRONG)
def test_a_record_that_is_refused_is_told_with_its_place_and_the_next_one_is_read(packed, name):
    wrong, words = WRONG[name]
    first = packed(record(b"first"))
    bodies, told = read(first + packed(wrong + b"\r\n\r\n") + packed(LAST))
    assert bodies == [b"first", *BODY.get(name, []), b"last"]
    assert told[0][0] == len(first)
    assert told[0][1] == words or (packed is plain and name == "too short" and "first line: 3456789" in told[0][1])


def test_a_length_that_is_too_large_ends_with_its_member_and_without_one_with_the_file():
    """How much of what follows belongs to it, nobody can say then."""
    wrong = with_length("999999999999999")
    first = member(record(b"first"))
    bodies, told = read(first + member(wrong) + member(LAST))
    assert (bodies[0], bodies[-1]) == (b"first", b"last")
    assert told == [(len(first), "a record that is shorter than its Content-Length")]
    assert read(record(b"first") + wrong + LAST)[1] == [(len(record(b"first")), "the file ends within a record")]


def test_the_end_of_a_broken_member_is_looked_for_and_of_one_that_is_whole_it_is_known():
    """A page may be an archive itself: what stands in it is no record of this one."""
    page = member(record(b"inside"))
    whole = zlib.compressobj(0, zlib.DEFLATED, 31)
    refused = whole.compress(with_length("x") + page) + whole.flush()
    assert page in refused
    assert read(member(record(b"first")) + refused + member(LAST))[0] == [b"first", b"last"]
    broken = bytearray(member(record(bytes(range(256)) * 50)))
    broken[200:300] = b"\xff" * 100
    assert read(member(record(b"first")) + broken + member(LAST))[0][-1] == b"last"


@pytest.mark.parametrize("packed", [member, plain])
def test_a_file_that_is_cut_anywhere_gives_what_is_whole_and_says_that_it_is_cut(packed):
    parts = [packed(record(body)) for body in (b"first", b"second")]
    data = b"".join(parts)
    for end in range(1, len(data)):
        bodies, told = read(data[:end])
        missing = 0 if packed is member else len(b"\r\n\r\n")  # behind the record
        whole = (end >= len(parts[0]) - missing) + (end >= len(data) - missing)
        assert [body for body in bodies if body in (b"first", b"second")][:whole] == [b"first", b"second"][:whole]
        assert told or end in {len(parts[0]), len(data)} or packed is plain, end


def test_members_of_nothing_are_passed_over():
    nothing = member(b"")
    assert read(nothing * 3_000 + member(record(b"first")) + nothing * 3_000 + member(LAST)) == (
        [b"first", b"last"],
        [],
    )


def heads(packed: Callable[[bytes], bytes], times: int) -> bytes:
    return packed(record(b"first")) + packed(b"WARC/1.0\r\n" + b"A: b\r\n" * 100_000 * times + b"\r\n") + packed(LAST)


@pytest.mark.parametrize("packed", [member, plain])
def test_memory_is_flat_whatever_the_size_of_a_head(packed):
    def peak(times: int) -> int:
        data = heads(packed, times)
        tracemalloc.start()
        try:
            assert read(data)[0] == [b"first", b"last"]
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(24) < peak(3) + (6 << 20)


MANY: dict[str, Callable[[int], bytes]] = {
    "blank lines": lambda n: member(record() + b"\r\n" * 50_000 * n),
    "members of nothing": lambda n: member(b"") * 300 * n,
    "refused heads": lambda n: member(with_length("-5")) * 100 * n,
    "refused heads, plain": lambda n: with_length("-5") * 100 * n,
    "lengths beyond the end": lambda n: with_length("9" * 15) * 100 * n,
    "lengths into the next": lambda n: with_length("150") * 100 * n,
    "broken members": lambda n: (member(b"WARC/1.0\r\n" * 3)[:-9] + b"\xff" * 8) * 100 * n,
}


@table("name", MANY)
def test_it_takes_linear_time(name):
    assert takes_linear_time(lambda size: read(member(LAST) * (name[-5:] != "plain") + MANY[name](size)), 2)


def test_warcios_own_iterator_finds_the_same_records():
    for packed in (member, plain):
        data = b"".join(packed(record(body * size)) for size, body in enumerate((b"a", b"b\r\n", b"\r\n", b"d")))
        theirs = [(one.rec_headers.headers, one.raw_stream.read()) for one in ArchiveIterator(io.BytesIO(data))]
        assert [(one.rec_headers.headers, one.raw_stream.read()) for one in WarcRecords(io.BytesIO(data))] == theirs
        assert len(theirs) == 4
