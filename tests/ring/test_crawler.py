"""The ring as a whole, against real servers on loopback: what a crawl promises to the one who runs it."""

import asyncio
import json
import time
from pathlib import Path

import pytest

import crawler.fetcher.retry
from crawler.core.config import CrawlConfig
from crawler.core.errors import JobError, SeedError, StorageError
from crawler.ring.crawler import Crawler
from tests.support.ports import closed_port
from tests.support.servers import HANG, RESET, Answer, LocalServer, html
from tests.support.thorough import first_quickly

NO_ROBOTS = Answer(status=404)


def config(job: Path, **settings) -> CrawlConfig:
    return CrawlConfig(job=job, **{"allow_private": True, "delay_s": 0.0, "parsers": 1, "retries": 0, **settings})


async def crawl(job: Path, *seeds: str, fresh: bool = False, **settings):
    return await Crawler(config(job, **settings), seeds, fresh=fresh).run()


def records(job: Path) -> list[dict]:
    return [json.loads(line) for line in (job / "pages.jsonl").read_bytes().splitlines()]


def urls(job: Path) -> list[str]:
    return sorted(record["url"] for record in records(job))


def pages(site: dict[str, object]):
    """Respond with `site` (path -> Answer or list of links)."""

    def respond(host: str, path: str):
        found = site.get(path, Answer("nothing here", status=404))
        return Answer(html(*found)) if isinstance(found, list) else found

    return respond


@pytest.fixture
def job(tmp_path) -> Path:
    return tmp_path / "job"


async def test_every_reachable_page_has_one_record(job):
    """Each page once, whatever links repeat; the record says where it was found."""
    site = {"/": ["/a", "/b", "/a#x", "a"], "/a": ["/", "/b?q=1"], "/b": ["c/d"], "/b?q=1": [], "/c/d": ["../a", "/no"]}
    with LocalServer(pages(site)) as server:
        stats = await crawl(job, server.url())
        assert urls(job) == sorted(server.url(path) for path in [*site, "/no"])
        assert set(server.requests.values()) == {1}
    assert (stats.ended, stats.pages, stats.outcomes) == ("done", 6, {"fetched": 6})
    assert stats.statuses == {200: 5, 404: 1}
    by_path = {record["url"].partition("//")[2].partition("/")[2]: record for record in records(job)}
    assert by_path[""]["parent"] is None
    assert by_path["c/d"]["parent"].endswith("/b")
    assert by_path["c/d"]["depth"] == 2
    assert by_path["no"]["status"] == 404
    assert by_path[""]["links"] == [server.url("/a"), server.url("/b")]


async def test_redirects_are_followed_and_recorded_at_their_target(job):
    """A chain has one record, at its end, with the chain in it; loops and dead ends are failures with a name."""
    long = {f"/n{n}": Answer(status=302, headers={"location": f"/n{n + 1}"}) for n in range(20)}
    site = {
        "/": ["/one", "/loop", "/n0", "/bad"],
        "/one": Answer(status=301, headers={"location": "/two"}),
        "/two": Answer(status=307, headers={"location": "three?x"}),
        "/three?x": [],
        "/loop": Answer(status=302, headers={"location": "/loop2"}),
        "/loop2": Answer(status=302, headers={"location": "/loop"}),
        "/bad": Answer(status=302, headers={"location": "ftp://x/"}),
        **long,
    }
    with LocalServer(pages(site)) as server:
        stats = await crawl(job, server.url())
        assert urls(job) == [server.url("/"), server.url("/three?x")]
        (target,) = [record for record in records(job) if record["depth"] == 1]
        assert target["redirected_from"] == [server.url("/one"), server.url("/two")]
        assert target["parent"] == server.url("/")
    assert stats.outcomes["fetched"] == 2
    assert stats.outcomes["failed: redirects"] == 3


async def test_robots_txt_is_obeyed_and_asked_for_once_per_origin(job):
    """Denied pages are never asked for; the file is fetched once although many pages wait for it."""
    site = {
        "/": [f"/p{n}" for n in range(20)] + ["/private/x"],
        **{f"/p{n}": [] for n in range(20)},
        "/private/x": [],
        "/robots.txt": Answer("User-agent: *\nDisallow: /private/", headers={"content-type": "text/plain"}),
    }
    with LocalServer(pages(site)) as server:
        stats = await crawl(job, server.url(), per_host=8)
        assert server.requests[f"127.0.0.1:{server.port}", "/robots.txt"] == 1
        assert server.requests[f"127.0.0.1:{server.port}", "/private/x"] == 0
        assert stats.outcomes == {"fetched": 21, "skipped: robots": 1}
        stats = await crawl(job, server.url(), fresh=True, robots="ignore")
        assert stats.outcomes == {"fetched": 22}
        assert server.requests[f"127.0.0.1:{server.port}", "/robots.txt"] == 1


async def test_a_site_whose_robots_txt_is_broken_is_left_alone(job):
    """RFC 9309 §2.3.1.4: an unreachable robots.txt disallows everything; nothing but it is asked for."""
    with LocalServer(pages({"/": [], "/robots.txt": Answer(status=500)})) as server:
        stats = await crawl(job, server.url(), give_up_after_s=0.5)
        assert {path for _, path in server.requests} == {"/robots.txt"}
    assert (stats.ended, stats.outcomes, stats.queued, stats.unreachable_hosts) == ("unreachable", {}, 1, 1)


async def test_a_site_whose_robots_txt_was_broken_for_a_while_is_crawled_after_all(job, monkeypatch):
    """Its URLs wait while robots.txt is asked for again; none is lost, none is asked for before."""
    monkeypatch.setattr(crawler.fetcher.retry, "_BACKOFF_BASE_S", 0.02)
    asked = []

    def respond(host: str, path: str):
        asked.append(path)
        if path == "/robots.txt":
            return Answer(status=500) if len(asked) <= 3 else NO_ROBOTS
        return Answer(html(*(f"/p{n}" for n in range(5))))

    with LocalServer(respond) as server:
        stats = await crawl(job, server.url(), retries=1)
    assert asked[:4] == ["/robots.txt"] * 4
    assert stats.outcomes == {"fetched": 6}


async def test_robots_txt_on_another_host_holds_for_the_one_that_was_asked(job):
    """RFC 9309 §2.3.1.2: five redirects, to other hosts too; the other host is not judged by it."""
    rules = Answer("User-agent: *\nDisallow: /denied")
    elsewhere = {"/rules": rules, "/denied": [], "/robots.txt": NO_ROBOTS}
    with LocalServer(pages(elsewhere), ("127.0.0.2",)) as other:
        to_other = Answer(status=301, headers={"location": other.url("/rules", "127.0.0.2")})
        hops = {f"/r{n}": Answer(status=301, headers={"location": f"/r{n + 1}"}) for n in range(1, 4)}
        first = Answer(status=301, headers={"location": "/r1"})
        away = other.url("/denied", "127.0.0.2")
        site = {"/": ["/denied", "/free", away], "/free": [], "/robots.txt": first, **hops, "/r4": to_other}
        with LocalServer(pages(site)) as server:
            stats = await crawl(job, server.url(), scope="any")
            assert urls(job) == sorted([server.url("/"), server.url("/free"), away])
    assert stats.outcomes == {"fetched": 3, "skipped: robots": 1}


async def test_a_meta_refresh_counts_as_a_redirect(job):
    """Its target has the record, its loop ends, and its chain is as long as any."""
    refresh = '<meta http-equiv="refresh" content="0; url={}">'.format
    site = {
        "/": ["/once", "/loop1", "/n0"],
        "/once": Answer(refresh("/there")),
        "/there": [],
        "/loop1": Answer(refresh("/loop2")),
        "/loop2": Answer(refresh("/loop1")),
        **{f"/n{n}": Answer(refresh(f"/n{n + 1}")) for n in range(20)},
    }
    with LocalServer(pages(site)) as server:
        stats = await crawl(job, server.url())
        assert urls(job) == [server.url("/"), server.url("/there")]
        (there,) = [record for record in records(job) if record["depth"] == 1]
        assert there["redirected_from"] == [server.url("/once")]
        assert server.requests[f"127.0.0.1:{server.port}", "/n11"] == 0
    assert stats.outcomes == {"fetched": 2, "redirected": 12, "failed: redirects": 2}


async def test_sitemaps_lead_to_pages_that_nothing_links_to(job):
    """Each file once, pages at depth 0, no record for a sitemap; a broken one fails alone."""
    site = {"/": [], "/hidden": ["/from-hidden"], "/from-hidden": []}
    with LocalServer(pages(site)) as server:
        lines = "".join(f"Sitemap: {server.url(path)}\n" for path in ("/map.xml", "/moved.xml", "/gone.xml"))
        site["/robots.txt"] = Answer(f"User-agent: *\nDisallow: /denied\n{lines}")
        site["/moved.xml"] = Answer(status=301, headers={"location": "/map.xml"})
        names = "".join(f"<url><loc>{server.url(path)}</loc></url>" for path in ("/", "/hidden", "/denied"))
        site["/map.xml"] = Answer(f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{names}</urlset>')
        stats = await crawl(job, server.url(), sitemaps=True)
        assert urls(job) == sorted(server.url(path) for path in ("/", "/hidden", "/from-hidden"))
        assert server.requests[f"127.0.0.1:{server.port}", "/map.xml"] == 1
        assert [record["depth"] for record in records(job) if record["url"].endswith("/hidden")] == [0]
    assert stats.pages == 3
    assert stats.outcomes == {
        "fetched": 3, "fetched: sitemap": 2, "redirected": 1, "failed: sitemap: status 404": 1, "skipped: robots": 1,
    }  # fmt: skip


async def test_what_a_sitemap_says_of_a_page_stands_in_its_record(job):
    """Also behind a redirect; a page that something else led to has none."""
    site = {"/a": ["/c"], "/b": Answer(status=302, headers={"location": "/b2"}), "/b2": [], "/c": []}
    with LocalServer(pages(site)) as server:
        told = (("/a", "<lastmod>2026-11-22</lastmod>"), ("/b", "<lastmod>2025-01-31T10:00:00Z</lastmod>"))
        names = "".join(f"<url><loc>{server.url(path)}</loc>{lastmod}</url>" for path, lastmod in told)
        site["/map.xml"] = Answer(f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{names}</urlset>')
        await Crawler(config(job, fields=("url", "lastmod")), [f"sitemap:{server.url('/map.xml')}"]).run()
        assert {record["url"]: record["lastmod"] for record in records(job)} == {
            server.url("/a"): "2026-11-22",
            server.url("/b2"): "2025-01-31T10:00:00Z",
            server.url("/c"): None,
        }


def parse_slowly(page):
    """A spider that never ends with one page."""
    if page.url.endswith("/stuck"):
        time.sleep(3600)
    yield page.record()
    yield page.follow()


@pytest.mark.thorough
async def test_a_spider_of_ones_own_may_hang_on_one_page(job):
    """The page that takes too long fails alone."""
    with LocalServer(pages({"/": ["/stuck", "/a"], "/a": ["/b"], "/b": [], "/stuck": []})) as server:
        own = config(job, parser_timeout_s=1.0)
        stats = await Crawler(own, [server.url()], spider=parse_slowly).run()
        assert urls(job) == sorted(server.url(path) for path in ("/", "/a", "/b"))
    assert stats.outcomes == {"fetched": 3, "failed: parser-timeout": 1}


async def test_a_budget_for_bodies_slows_down_and_loses_nothing(job):
    """Bodies that together are a hundred times the budget all get through; when all is done, none is held."""
    body = html(text="x" * 100_000)
    site = {"/": [f"/p{n}" for n in range(30)], **{f"/p{n}": Answer(body) for n in range(30)}}
    with LocalServer(pages(site)) as server:
        stats = await crawl(job, server.url(), per_host=16, bytes_in_flight=30_000)
    assert stats.outcomes == {"fetched": 31}
    assert (stats.body_bytes_held, stats.body_bytes_most) == (0, 30_000)


async def test_nofollow_is_obeyed_and_can_be_ignored(job):
    nofollow = Answer('<a rel="x NoFollow" href="/a">a</a><a href="/b">b</a>')
    meta = Answer('<meta name=robots content="nofollow"><a href="/c">c</a>')
    site = {"/": nofollow, "/a": [], "/b": meta, "/c": []}
    with LocalServer(pages(site)) as server:
        stats = await crawl(job, server.url())
        assert urls(job) == [server.url("/"), server.url("/b")]
        assert stats.outcomes["skipped: nofollow"] == 2
        await crawl(job, server.url(), fresh=True, robots="ignore")
        assert len(urls(job)) == 4


async def test_scope_and_depth_decide_what_is_followed(job):
    """What lies outside is in the store with its reason, and counted."""
    site = {
        "/docs/": ["/docs/a", "/blog/", "http://127.0.0.2:1/x"],
        "/docs/a": ["/docs/b"],
        "/docs/b": [],
        "/blog/": [],
    }
    with LocalServer(pages(site)) as server:
        seed = server.url("/docs/")
        stats = await crawl(job, seed, scope="prefix", depth=1)
        assert urls(job) == [seed, server.url("/docs/a")]
        assert stats.outcomes == {"fetched": 2, "skipped: scope": 2, "skipped: depth": 1}
        await crawl(job, seed, fresh=True, scope="page")
        assert urls(job) == [seed]
        await crawl(job, seed, fresh=True, exclude=("/docs/b", "2:1"))
        assert urls(job) == [server.url("/blog/"), seed, server.url("/docs/a")]


async def test_a_seeds_redirect_target_counts_as_in_scope(job):
    """http://a/ that redirects to another host is crawled there."""
    other = {"/": ["/x"], "/x": ["/y"], "/y": []}
    with (
        LocalServer(pages(other), ("127.0.0.2",)) as second,
        LocalServer(pages({"/": Answer(status=301, headers={"location": second.url("/", "127.0.0.2")})})) as first,
    ):
        stats = await crawl(job, first.url())
        assert urls(job) == sorted(second.url(path, "127.0.0.2") for path in other)
    assert stats.outcomes == {"redirected": 1, "fetched": 3}


@pytest.mark.parametrize("max_pages", first_quickly([1, 17, 40]))
async def test_page_budget_stops_exactly_and_a_larger_one_goes_on(job, max_pages):
    site = {"/": [f"/p{n}" for n in range(60)], **{f"/p{n}": [f"/p{n}/x"] for n in range(60)}}
    with LocalServer(pages(site)) as server:
        stats = await crawl(job, server.url(), max_pages=max_pages, per_host=16)
        assert (stats.ended, stats.pages, len(records(job))) == ("max-pages", max_pages, max_pages)
        assert sum(server.pages().values()) == max_pages
        stats = await crawl(job, server.url())
        assert (stats.ended, stats.pages) == ("done", 121)
        assert len(set(urls(job))) == len(records(job)) == 121
        assert set(server.pages().values()) == {1}


async def test_time_budget_stops_drains_and_commits(job):
    """After --max-time every page that was asked for has its record, and a later run goes on."""
    site = {"/": [f"/p{n}" for n in range(200)], **{f"/p{n}": Answer(html(), delay_s=0.1) for n in range(200)}}
    with LocalServer(pages(site)) as server:
        stats = await crawl(job, server.url(), max_time_s=2.0)
        assert stats.ended == "max-time"
        assert 1 <= stats.pages < 201
        assert stats.pages == len(records(job)) == sum(server.pages().values())
        stats = await crawl(job, server.url(), per_host=32)
        assert (stats.ended, stats.pages) == ("done", 201)
        assert set(server.pages().values()) == {1}


async def test_stop_finishes_what_is_under_way_and_the_next_run_goes_on(job):
    site = {"/": [f"/p{n}" for n in range(100)], **{f"/p{n}": Answer(html(), delay_s=0.03) for n in range(100)}}
    with LocalServer(pages(site)) as server:
        crawler = Crawler(config(job), [server.url()])
        run = asyncio.create_task(crawler.run())
        while crawler.stats().pages < 5:
            await asyncio.sleep(0.01)
        crawler.stop()
        stats = await run
        assert stats.ended == "interrupted"
        assert stats.pages == len(records(job)) == sum(server.pages().values())
        stats = await crawl(job, server.url(), per_host=16)
        assert (stats.ended, stats.pages) == ("done", 101)
        assert set(server.pages().values()) == {1}


async def test_resuming_a_finished_job_asks_for_nothing(job):
    with LocalServer(pages({"/": ["/a"], "/a": []})) as server:
        await crawl(job, server.url())
        before = sum(server.requests.values())
        stats = await crawl(job, server.url())
        assert (stats.ended, stats.pages, stats.run_pages) == ("done", 2, 0)
        stats = await crawl(job)  # a job that exists needs no seeds
        assert stats.pages == 2
        assert sum(server.requests.values()) == before


async def test_a_job_made_with_other_settings_is_refused_with_the_choices(job):
    with LocalServer(pages({"/": ["/a"], "/a": []})) as server:
        await crawl(job, server.url())
        before = (job / "pages.jsonl").read_bytes()
        with pytest.raises(JobError, match=r"scope was 'host' and is now 'domain'.*--job.*--fresh"):
            await crawl(job, server.url(), scope="domain")
        with pytest.raises(JobError, match="seeds are others than before"):
            await crawl(job, server.url("/a"))
        assert (job / "pages.jsonl").read_bytes() == before
        stats = await crawl(job, server.url("/a"), fresh=True)
        assert stats.pages == 1


async def test_a_second_crawl_of_the_same_job_is_refused(job):
    """One clear line that names the process; the first crawl is not disturbed."""
    site = {"/": [f"/p{n}" for n in range(20)], **{f"/p{n}": Answer(html(), delay_s=0.05) for n in range(20)}}
    with LocalServer(pages(site)) as server:
        first = asyncio.create_task(crawl(job, server.url()))
        while not (job / "pages.jsonl").exists():
            await asyncio.sleep(0.01)
        with pytest.raises(JobError, match=r"is being run by process \d+"):
            await crawl(job, server.url())
        assert (await first).pages == 21


async def test_a_file_that_the_job_did_not_write_is_not_overwritten(job, tmp_path):
    output = tmp_path / "mine.jsonl"
    output.write_text("precious\n")
    with LocalServer(pages({"/": []})) as server:
        with pytest.raises(JobError, match="did not write it"):
            await crawl(job, server.url(), output=str(output))
        assert output.read_text() == "precious\n"
        await crawl(job, server.url(), output=str(output), fresh=True)
        assert json.loads(output.read_text())["status"] == 200


async def test_output_cut_behind_the_jobs_back_is_noticed(job):
    """Records that were committed and are missing now are an error, not a silent gap."""
    with LocalServer(pages({"/": ["/a"], "/a": []})) as server:
        await crawl(job, server.url(), max_pages=1)
        (job / "pages.jsonl").write_text("")
        with pytest.raises(StorageError, match="has 0 bytes, but the job has committed"):
            await crawl(job, server.url())


async def test_no_seed_is_an_error_that_says_so(job, tmp_path):
    empty = tmp_path / "empty.txt"
    empty.write_text("# nothing\n")
    with pytest.raises(SeedError, match="no seed"):
        await crawl(job, str(empty))
    with pytest.raises(SeedError, match="no crawl to resume"):
        await crawl(job)


async def test_seed_columns_travel_into_every_record_they_lead_to(job, tmp_path):
    with LocalServer(pages({"/": ["/a"], "/a": [], "/s": ["/s/x"], "/s/x": []})) as server:
        seeds = tmp_path / "seeds.csv"
        seeds.write_text(f"url,shop,rank\n{server.url()},one,1\n{server.url('/s')},two,2\n")
        await crawl(job, str(seeds))
        shops = {record["url"].rpartition(f":{server.port}")[2]: record["seed"]["shop"] for record in records(job)}
    assert shops == {"/": "one", "/a": "one", "/s": "two", "/s/x": "two"}


@pytest.mark.parametrize("behaviour", first_quickly(["hang", "reset", "503"]))
async def test_a_bad_host_does_not_slow_the_others_down(job, behaviour, tmp_path):
    """Good hosts take at most three times as long beside one that hangs, resets or refuses, as without it."""
    good = {"/": [f"/p{n}" for n in range(120)], **{f"/p{n}": Answer(html(), delay_s=0.02) for n in range(120)}}
    bad = {"hang": HANG, "reset": RESET, "503": Answer(status=503)}[behaviour]

    def bad_host(host: str, path: str):
        return (
            NO_ROBOTS if path == "/robots.txt" else Answer(html(*(f"/q{n}" for n in range(50)))) if path == "/" else bad
        )

    addresses = tuple(f"127.0.0.{n}" for n in range(2, 6))
    with LocalServer(pages(good), addresses) as server, LocalServer(bad_host, ("127.0.0.9",)) as hostile:
        seeds = [server.url("/", address) for address in addresses]

        async def good_pages_time(job: Path, *more: str) -> float:
            crawler = Crawler(config(job, concurrency=16, per_host=4, timeout_s=60, retries=2), [*seeds, *more])
            run = asyncio.create_task(crawler.run())
            while sum(server.pages().values()) < 121 * len(addresses):
                await asyncio.sleep(0.005)
            ended_at = time.monotonic()
            crawler.stop()
            started = min(min(times) for times in server.starts.values())
            taken = ended_at - started + time.monotonic() - asyncio.get_running_loop().time()
            run.cancel() if behaviour == "hang" else None
            await asyncio.gather(run, return_exceptions=True)
            server.requests.clear()
            server.starts.clear()
            return taken

        alone = await good_pages_time(tmp_path / "alone")
        beside = await good_pages_time(tmp_path / "beside", hostile.url("/", "127.0.0.9"))
    assert beside < 3 * alone, f"{beside:.2f} s beside a host that answers {behaviour}, {alone:.2f} s alone"


async def test_spellings_of_an_address_and_addresses_of_an_ipv6_network_count_as_one(job):
    """`::ffff:127.0.0.1` is 127.0.0.1, and ::1 has a network of its own."""
    peaks = {"v4": 0, "v6": 0}

    def respond(host, path):
        kind = "v6" if host.startswith("[::1]") else "v4"
        under_way = sum(count for one, count in server.under_way.items() if one.startswith("[::1]") == (kind == "v6"))
        peaks[kind] = max(peaks[kind], under_way)
        return NO_ROBOTS if path == "/robots.txt" else Answer(html(), delay_s=0.05)

    with LocalServer(respond, ("127.0.0.1", "::1")) as server:
        names = ("127.0.0.1", "[::ffff:127.0.0.1]", "[::1]")
        seeds = [f"http://{name}:{server.port}/{number}" for name in names for number in range(6)]
        stats = await crawl(job, *seeds, scope="page", per_host=2, per_address=2)
    assert stats.outcomes == {"fetched": 18}
    assert peaks == {"v4": 2, "v6": 2}


async def test_limits_per_host_and_per_address_hold(job):
    """Never more requests at once than --per-host and --per-address, though concurrency would allow them."""
    site = {"/": [f"/p{n}" for n in range(40)], **{f"/p{n}": Answer(html(), delay_s=0.03) for n in range(40)}}
    with LocalServer(pages(site)) as server:
        seeds = [f"http://{name}.localhost:{server.port}/" for name in ("a", "b", "c", "d")]
        peak = 0
        under_way = server.under_way

        async def watch():
            nonlocal peak
            while True:
                peak = max(peak, sum(under_way.values()))
                await asyncio.sleep(0.002)

        watcher = asyncio.create_task(watch())
        stats = await crawl(job, *seeds, per_host=3, per_address=5)
        watcher.cancel()
        assert stats.pages == 4 * 41
        assert max(server.peak.values()) <= 3
        assert 3 < peak <= 5


async def test_limits_hold_where_the_robots_txt_of_many_hosts_leads(job):
    """One request at once, and the delay between two, though forty hosts wait for it."""

    def respond(host, path):
        if path == "/robots.txt" and host.startswith("h"):
            return Answer(status=302, headers={"location": f"http://r.localhost:{server.port}/robots.txt"})
        return Answer("User-agent: *\nDisallow: /x" if path == "/robots.txt" else html(), delay_s=0.01)

    with LocalServer(respond) as server:
        seeds = [f"http://h{number}.localhost:{server.port}/" for number in range(40)]
        stats = await crawl(job, *seeds, scope="page", per_host=1, per_address=64, delay_s=0.02)
        there = f"r.localhost:{server.port}"
        assert stats.pages == 40
        assert server.requests[there, "/robots.txt"] == 40
        assert server.peak[there] == 1
        assert server.starts[there][-1] - server.starts[there][0] > 38 * 0.02


async def test_delay_is_kept_between_requests_to_a_host(job):
    """As many times --delay as there are gaps; robots.txt's larger Crawl-delay wins.

    A gap by itself says little: what comes late to a busy server makes the next one short.
    """
    site = {"/": [f"/p{n}" for n in range(6)], **{f"/p{n}": [] for n in range(6)}}
    with LocalServer(pages(site)) as server:
        await crawl(job, server.url(), delay_s=0.1)
        (starts,) = server.starts.values()
        assert len(starts) == 8
        assert starts[-1] - starts[0] > 6 * 0.1
    site["/robots.txt"] = Answer("User-agent: *\nCrawl-delay: 0.3\nDisallow: /p4")
    with LocalServer(pages(site)) as server:
        await crawl(job, server.url(), fresh=True, delay_s=0.05)
        (starts,) = server.starts.values()
        assert len(starts) == 7
        assert starts[-1] - starts[0] > 5 * 0.3


async def test_a_busy_host_is_retried_after_the_time_it_asks_for(job):
    """503 with Retry-After: one record, with the answer that came in the end."""
    calls = []

    def respond(host: str, path: str):
        if path == "/robots.txt":
            return NO_ROBOTS
        calls.append(time.monotonic())
        return Answer("later", status=503, headers={"retry-after": "1"}) if len(calls) == 1 else Answer(html())

    with LocalServer(respond) as server:
        stats = await crawl(job, server.url(), retries=2)
    assert (stats.pages, stats.statuses, len(calls)) == (1, {200: 1}, 2)
    assert calls[1] - calls[0] > 0.9


async def test_what_never_answers_is_a_failure_with_its_kind_if_its_host_does(job):
    """No answer for one page, no such name: no record, but a counted outcome. Where nothing listens, the URL stays due;
    the same command tries it again, and can end it.
    """
    with LocalServer(lambda _host, path: NO_ROBOTS if path == "/robots.txt" else HANG) as server, closed_port() as port:
        dead = f"http://127.0.0.1:{port}/"
        seeds = (server.url(), dead, "http://no-such-name.invalid/")
        stats = await crawl(job, *seeds, timeout_s=1.0, give_up_after_s=2.0)
        assert stats.outcomes == {"failed: timeout": 1, "failed: dns": 1}
        assert (stats.ended, stats.queued, stats.unreachable_hosts) == ("unreachable", 1, 1)
        stats = await crawl(job, *seeds, give_up_after_s=0.0, fail_unreachable=True)
        assert stats.ended == "done"
    assert stats.outcomes == {"failed: timeout": 1, "failed: dns": 1, "failed: host-down": 1}
    assert records(job) == []


async def test_private_addresses_are_refused_unless_allowed(job):
    with LocalServer(pages({"/": []})) as server:
        stats = await crawl(job, server.url(), f"http://localhost:{server.port}/", allow_private=False)
        assert stats.outcomes == {"skipped: private-address": 2}
        assert server.requests == {}


async def test_two_crawlers_in_one_process_share_nothing(tmp_path):
    site = {"/": [f"/p{n}" for n in range(30)], **{f"/p{n}": [] for n in range(30)}}
    with LocalServer(pages(site), ("127.0.0.1", "127.0.0.2")) as server:
        both = await asyncio.gather(
            crawl(tmp_path / "a", server.url("/", "127.0.0.1")), crawl(tmp_path / "b", server.url("/", "127.0.0.2"))
        )
    assert [stats.pages for stats in both] == [31, 31]
    assert all("127.0.0.1" in url for url in urls(tmp_path / "a"))


async def test_the_requests_transport_crawls_the_same(job):
    site = {"/": ["/a", "/r"], "/a": ["/b"], "/b": [], "/r": Answer(status=302, headers={"location": "/c"}), "/c": []}
    with LocalServer(pages(site)) as server:
        stats = await crawl(job, server.url(), transport="requests")
        assert urls(job) == sorted(server.url(path) for path in ("/", "/a", "/b", "/c"))
    assert stats.outcomes == {"fetched": 4, "redirected": 1}


@pytest.mark.thorough
async def test_a_host_of_large_pages_is_asked_less_often_and_leaves_the_parsers_to_others(job):
    large = Answer(html(text="word " * 1_000_000))
    with LocalServer(
        pages({f"/{number}": large for number in range(4)} | {"/robots.txt": Answer(status=404)})
    ) as server:
        await crawl(job, *(server.url(f"/{number}") for number in range(4)), scope="page", delay_s=None)
        starts = server.starts[f"127.0.0.1:{server.port}"][1:]
    assert len(starts) == 4
    # 5 MB each, a second apart, but for those that start before the first has come; else a tenth of that.
    assert starts[-1] - starts[0] > 0.8


async def test_what_a_killed_crawl_left_of_a_large_page_is_removed(job):
    """And what is somebody else's stays."""
    (job / "large").mkdir(parents=True)
    (job / "large/crawler-abcd_123.large").write_bytes(b"x" * 1000)
    (job / "mine.large").write_bytes(b"x")
    with LocalServer(pages({"/": Answer(html(text="word " * 500_000))})) as server:
        stats = await crawl(job, server.url("/"))
    assert stats.pages == 1
    assert records(job)[0]["text"].count("word") == 500_000
    assert [path.name for path in job.glob("**/*.large")] == ["mine.large"]
    assert not (job / "large").exists()
