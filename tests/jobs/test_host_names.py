"""Hosts of a job are found by a part of their names, whether they were asked or not."""

from crawler.jobs.host_names import host_names
from crawler.jobs.job import Job
from crawler.ring.library import crawl
from tests.support.servers import Answer, LocalServer, html


def test_hosts_that_were_asked_and_hosts_that_only_have_urls_are_found(tmp_path):
    seeds = tmp_path / "seeds.txt"
    with LocalServer(lambda _host, path: Answer(html(title=path))) as server:
        seeds.write_text("".join(f"http://host{n}.localhost:{server.port}/\n" for n in range(300)))
        list(crawl(seeds, job=tmp_path / "job", max_pages=20, delay_s=0.0, parsers=1, allow_private=True))
        asked = {host for host, _ in server.requests}
    port = server.port
    assert 20 <= len(asked) < 300
    with Job(tmp_path / "job") as job:
        store = job.answers.stores[0]
        every = host_names(store, "host", 1_000, 60.0)
        assert sorted(every) == sorted(f"host{n}.localhost:{port}" for n in range(300))
        assert len(host_names(store, "host", 7, 60.0)) == 7
        assert sorted(host_names(store, "host29", 50, 60.0)) == sorted(
            f"host{n}.localhost:{port}" for n in (29, *range(290, 300))
        )
        due = next(name for name in every if name not in asked)
        assert host_names(store, due, 1, 0.0) == [due]  # by its whole name at once, however many there are
        for nobody in ("nobody", "a b/c?", "[", "é", "%"):
            assert host_names(store, nobody, 50, 60.0) == []
