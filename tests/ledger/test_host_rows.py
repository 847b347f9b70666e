"""What the ledger gives the fetcher of a host that comes into the window."""

from crawler.core.host_rows import CLOCK, HEAD, WHOLE
from crawler.frontier.store import Store
from crawler.ledger.host_rows import HostRows


def test_a_job_of_an_earlier_version_gives_the_rows_that_it_has(tmp_path):
    with Store(tmp_path / "store") as store:
        store.put_meta("hosts_in_parts", None)
        old, both, new = (store.keys.authority(host) for host in ("old.test", "both.test", "new.test"))
        store.put_host(old + WHOLE, b"whole")
        store.put_host(old + CLOCK, b"clock")
        store.put_host(both + WHOLE, b"whole")
        store.put_host(both + HEAD, b"head")
        store.commit()
    with Store(tmp_path / "store") as store:
        rows = HostRows(store, lambda: None)
        entered = [(key, f"http://{name}.test/") for key, name in ((old, "old"), (both, "both"), (new, "new"))]
        found = {one.host: one.rows for one in rows.of_hosts(entered)}
    assert found == {"old.test": (b"whole", b"clock"), "both.test": (b"head",), "new.test": ()}


def test_a_new_host_is_looked_up_once(tmp_path):
    with Store(tmp_path / "store") as store:
        asked: list[bytes] = []

        def host_rows(keys):
            asked.extend(keys)
            return Store.host_rows(store, keys)

        store.host_rows = host_rows
        key = store.keys.authority("new.test")
        assert HostRows(store, lambda: None).of_hosts([(key, "http://new.test/")])[0].rows == ()
        assert asked == [key + HEAD]
