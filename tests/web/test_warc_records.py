"""What `web.warc_records` leans on in warcio, though it does not promise it.

Each test fails with a sentence that says what a new version has changed, and which file to look at.
"""

import gzip
import io

import pytest
from warcio.archiveiterator import ArchiveIterator
from warcio.bufferedreaders import DecompressingBufferedReader

from crawler.web.warc_records import DamagedError, WarcRecords, unread_bytes, written
from tests.support.private_parts import Part, check, importers

FILE = "crawler/web/warc_records.py"
PARTS = (
    Part("warcio.statusandheaders.StatusAndHeaders.compute_headers_buffer", "self header_filter"),
    Part("warcio.warcwriter.WARCWriter.__init__", "self filebuf args kwargs"),
    Part(
        "warcio.warcwriter.WARCWriter.create_warc_record",
        given="uri record_type payload length http_headers warc_headers_dict",
    ),
    Part("warcio.warcwriter.WARCWriter.write_record", given="record"),
    Part("warcio.archiveiterator.ArchiveIterator._consume_blanklines", "self"),
    Part("warcio.archiveiterator.ArchiveIterator.close", "self"),
    Part("warcio.recordloader.ArcWarcRecordLoader.__init__", "self verify_http arc2warc"),
    Part("warcio.recordloader.ArcWarcRecordLoader.load_http_headers", "self rec_type uri stream length"),
    Part("warcio.bufferedreaders.DecompressingBufferedReader.readline", "self length"),
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

    class Watched(WarcRecords):
        def _consume_blanklines(self):
            calls.append("_consume_blanklines")
            return super()._consume_blanklines()

    data = record()
    records = Watched(io.BytesIO(gzip.compress(data) if packed else data))
    assert isinstance(records.reader, DecompressingBufferedReader), changed("ArchiveIterator has no reader")
    reader, loader = records.reader, records.loader
    load, decompress = loader.load_http_headers, reader._decompress
    loader.load_http_headers = lambda *args: calls.append("load_http_headers") or load(*args)
    reader._decompress = lambda data: calls.append("_decompress") or decompress(data)
    found = [(one is records.record, records.offset, one.raw_stream.read()) for one in records]
    assert found == [(True, 0, b"body")], changed("ArchiveIterator gives another record or offset")
    for name in ("_consume_blanklines", "load_http_headers", "_decompress"):
        assert name in calls, changed(f"warcio does not call {name} of what it is given")


def test_a_record_knows_how_many_of_its_bytes_are_left():
    one = next(iter(WarcRecords(io.BytesIO(record(b"0123456789")))))
    assert hasattr(one.raw_stream, "limit"), changed("raw_stream of a record has no limit")
    assert unread_bytes(one) == 10, changed("raw_stream.limit is not what is left of the record")
    one.raw_stream.read(4)
    assert unread_bytes(one) == 6, changed("raw_stream.limit is not what is left of the record")


def test_a_file_that_is_compressed_as_a_whole_is_told_by_warcios_words():
    assert "non-chunked gzip" in ArchiveIterator.GZIP_ERR_MSG, changed("warcio has other words for such a file")
    with pytest.raises(DamagedError, match="compressed as a whole"):
        list(WarcRecords(io.BytesIO(gzip.compress(record() + record()))))


def test_a_file_that_ends_within_a_record_is_damaged():
    with pytest.raises(DamagedError, match="the file ends within a record"):
        list(WarcRecords(io.BytesIO(record(b"0123456789")[:-9])))
