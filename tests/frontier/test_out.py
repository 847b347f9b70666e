"""Tasks that are handed out: each counts for its keys until it is back, and once."""

from crawler.frontier.out import Out


def test_a_task_counts_for_each_of_its_keys_until_it_is_back():
    out = Out()
    out.add(b"one", b"host", b"domain")
    out.add(b"two", b"host")
    assert [out.count(key) for key in (b"host", b"domain", b"other")] == [2, 1, 0]
    assert out.remove(b"one") == (b"host", b"domain")
    assert out.remove(b"one") == ()
    assert out.remove(b"never") == ()
    assert [out.count(key) for key in (b"host", b"domain")] == [1, 0]


def test_what_is_back_leaves_nothing_in_memory():
    out = Out()
    for task in (b"one", b"two"):
        out.add(task, b"host", task)
    for task in (b"one", b"two"):
        out.remove(task)
    assert not any(vars(out).values())
