"""What a URL's row keeps of the requests for it and of its records, wherever the row goes meanwhile."""

import msgspec
import pytest

from crawler.core.ip_address import packed_address
from crawler.core.model import Again, Attempt, Done
from crawler.frontier.attempt_log import MOST_ATTEMPTS, attempts_in, with_attempt
from crawler.frontier.reopening import Retried
from crawler.frontier.row import UrlRow
from tests.frontier.test_frontier import World, link, world

__all__ = ["world"]

IPV4, IPV6 = packed_address("192.0.2.7"), packed_address("2001:db8::1")
TAKEN = Attempt(1_790_000_000.125, 87, "", IPV4)
ATTEMPTS = (
    TAKEN,
    Attempt(1_790_000_001.0, 0, "dns"),
    Attempt(1_790_000_002.5, 4_194_303, "tls: unknown issuer", IPV6),
    Attempt(0.0, 30_000, "status 503", IPV4),
)


def log_of(*attempts: Attempt) -> bytes:
    log = b""
    for attempt in attempts:
        log = with_attempt(log, attempt)
    return log


def test_a_log_gives_back_what_was_put_into_it():
    assert attempts_in(b"") == ()
    assert attempts_in(log_of(*ATTEMPTS)) == ATTEMPTS
    odd = Attempt(-5.0, 1 << 40, "tls: " + "ü" * 100, IPV4)
    assert attempts_in(log_of(odd)) == (Attempt(0.0, 4_194_303, "tls: " + "ü" * 29, IPV4),)


def test_a_log_keeps_the_last_attempts():
    many = [Attempt(float(number), number, "reset" * (number % 3), IPV4) for number in range(MOST_ATTEMPTS * 3)]
    for number in range(len(many)):
        assert attempts_in(log_of(*many[:number])) == tuple(many[:number][-MOST_ATTEMPTS:])


def test_a_page_that_was_taken_at_once_grows_by_twenty_bytes():
    """13 of its attempt, and 5 of its record in a job of millions; one byte tells how many there are."""
    plain = UrlRow("http://a/", 0, b"", 1, (), 1, 1, 4.0)
    kept = msgspec.structs.replace(plain, asked=log_of(TAKEN), record=3_000_000, records=1)
    assert len(msgspec.msgpack.encode(kept)) == len(msgspec.msgpack.encode(plain)) + 13 + 4


def rows_of(one: World) -> dict[str, UrlRow]:
    return {row.url: row for _, row in one.store.all_urls()}


def test_attempts_stay_with_a_url_while_it_waits_and_when_it_has_ended(world):
    """In the store after each step, through kill -9; a request that does not count is none."""
    one = world()
    one.seed("http://a/")
    (task,) = one.due()
    one.frontier.finish([Again(task.key, one.now, None)], one.now)
    one.commit()
    one.reopen()
    for number, attempt in enumerate(ATTEMPTS[1:], start=1):
        (task,) = one.due()
        assert task.attempts == number - 1
        one.frontier.finish([Again(task.key, one.now + 5, attempt.what, attempt)], one.now)
        one.commit()
        assert rows_of(one)["http://a/"].log == ATTEMPTS[1 : number + 1]
        one.reopen()
        one.now += 10
        one.due()
        one.commit()
    (task,) = one.due()
    one.frontier.finish([Done(task.key, "failed", "reset", detail="peer " * 99, attempt=TAKEN)], one.now)
    one.commit()
    one.reopen()
    row = rows_of(one)["http://a/"]
    assert (row.log, row.attempts, row.record, row.records) == ((*ATTEMPTS[1:], TAKEN), 4, -1, 0)
    assert row.detail == ("peer " * 99)[:200]


def test_attempts_stay_with_a_url_that_is_put_back(world):
    one = world()
    one.seed("http://a/")
    (task,) = one.due()
    one.frontier.finish([Done(task.key, "failed", "reset", detail="broken off", attempt=ATTEMPTS[1])], one.now)
    one.commit()
    assert one.frontier.reopen(Retried(kinds=("reset",))) == (1, None)
    one.commit()
    due = rows_of(one)["http://a/"]
    assert (due.log, due.detail) == (ATTEMPTS[1:2], "")
    (task,) = one.due()
    one.frontier.finish([Done(task.key, "fetched", "", 200, b"{}\n", attempt=TAKEN)], one.now)
    one.commit()
    row = rows_of(one)["http://a/"]
    assert (row.log, row.attempts, row.record) == ((ATTEMPTS[1], TAKEN), 1, 0)


def test_attempts_stay_with_a_url_that_moves_up_in_the_queue(world):
    """One that is put back at depth 2 and found at depth 1 then, before its turn."""
    one = world(depth=3)
    one.seed("http://a/", "http://b/")
    first, second = sorted(one.due(), key=lambda task: task.url)
    one.fetched(first, links=[link("http://a/1")])
    one.commit()
    (task,) = one.due()
    one.fetched(task, links=[link("http://a/2")])
    one.commit()
    (task,) = one.due()
    one.frontier.finish([Done(task.key, "failed", "reset", attempt=ATTEMPTS[1])], one.now)
    one.commit()
    one.frontier.reopen(Retried(kinds=("reset",)))
    one.fetched(second, links=[link("http://a/2")])
    one.commit()
    assert (rows_of(one)["http://a/2"].depth, rows_of(one)["http://a/2"].log) == (1, ATTEMPTS[1:2])


def test_a_url_that_was_left_out_after_an_attempt_keeps_it(world):
    """It was tried, had no room then, and is a seed of a later run."""
    one = world(max_pages_per_host=1)
    one.seed("http://a/", "http://a/2")
    first, *_ = one.due()
    one.frontier.finish([Again(first.key, one.now + 5, "reset", ATTEMPTS[1])], one.now)
    one.commit()
    (second,) = one.due()
    one.fetched(second)
    one.commit()
    one.now += 10
    one.due()
    one.commit()
    one.due()
    one.frontier.owed(one.now)
    one.commit()
    left = rows_of(one)[first.url]
    assert (left.reason, left.log) == ("host-limit", ATTEMPTS[1:2])
    one.reopen()
    one.seed(first.url)
    assert (rows_of(one)[first.url].outcome, rows_of(one)[first.url].log) == ("", ATTEMPTS[1:2])


def test_a_url_that_is_not_asked_for_has_no_attempt(world):
    one = world()
    one.seed("http://a/")
    (task,) = one.due()
    one.frontier.finish([Done(task.key, "skipped", "robots")], one.now)
    one.commit()
    assert (rows_of(one)["http://a/"].log, rows_of(one)["http://a/"].attempts) == ((), 0)


def test_a_row_names_the_page_that_it_repeats_and_the_target_of_a_redirect(world):
    one = world(skip_duplicates="exact")
    one.seed("http://a/1", "http://a/2", "http://a/3")
    first, second, third = one.due()
    for task in (first, second):
        page = Done(task.key, "fetched", "", 200, b"{}\n", body_hash=b"h" * 16)
        one.frontier.finish([page], one.now)
    one.moved(third, link("http://b/"))
    one.commit()
    found = rows_of(one)
    others = [found[f"http://a/{number}"].other for number in (1, 2, 3)]
    assert others == [b"", first.key, one.store.keys.url("http://b/", "page")]


@pytest.mark.parametrize("crashes", [False, True])
def test_a_record_is_known_by_its_place_among_those_that_were_committed(world, crashes):
    """A page has none, one or several; what was not committed is counted anew after kill -9."""
    one = world(skip_duplicates="exact")
    one.seed(*(f"http://a/{number}" for number in range(6)))
    tasks = one.due()
    records = (b"{}\n", b"", b"{}\n{}\n{}\n", None, b"{}\n", b"{}\n")
    hashes = (b"a" * 16, b"", b"c" * 16, b"", b"a" * 16, b"f" * 16)

    def end(part: slice) -> None:
        for task, lines, body_hash in zip(tasks[part], records[part], hashes[part], strict=True):
            outcome = "fetched" if lines is not None else "failed"
            one.frontier.finish(
                [Done(task.key, outcome, "", 200, lines, body_bytes=1, body_hash=body_hash, attempt=TAKEN)], one.now
            )

    end(slice(0, 3))
    one.frontier.counters.records += 4  # as the ledger does
    one.commit()
    end(slice(3, 6))
    if crashes:
        one.reopen()
        tasks = sorted(tasks[:3] + one.due(), key=lambda task: task.url)
        end(slice(3, 6))
    one.commit()
    found = {url[-1]: (row.record, row.records) for url, row in rows_of(one).items()}
    assert found == {"0": (0, 1), "1": (-1, 0), "2": (1, 3), "3": (-1, 0), "4": (-1, 0), "5": (4, 1)}


def test_a_row_of_an_earlier_version_is_read_and_written_again(world):
    one = world()
    one.seed("http://a/")
    (place, value), *_ = one.store.queue.scan(b"", b"\xff" * 16)
    fields = msgspec.msgpack.decode(value[16:])
    one.store.queue._table.put(
        place, value[:16] + msgspec.msgpack.encode(fields[: UrlRow.__struct_fields__.index("asked")])
    )
    one.store.commit()
    one.reopen()
    assert rows_of(one)["http://a/"].log == ()
    (task,) = one.due()
    one.frontier.finish([Done(task.key, "fetched", "", 200, b"{}\n", attempt=TAKEN)], one.now)
    one.commit()
    one.reopen()
    row = rows_of(one)["http://a/"]
    assert (row.log, row.record) == ((TAKEN,), 0)
