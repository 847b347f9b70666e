"""Nobody who knows the hash can make one page count as another: each job hashes with a number of its own."""

from collections.abc import Callable

from xxhash import xxh3_128_digest

from crawler import CrawlConfig, Crawler, FakeTransport
from crawler.fetcher.transport.fake import answer
from crawler.frontier.store import Store

SECRET = bytes.fromhex("b8fe6c3923a44bbe7c01812cf721ad1c")
"""The beginning of the secret that xxh3 has without a seed (kSecret in xxhash.h)."""


def colliding(one: int, other: int) -> bytes:
    """A page whose hash without a seed depends on the sum of two numbers in it.

    Of each 8 bytes that xxh3 reads of a long input, it multiplies both halves, each xor-ed with the secret, and adds
    the whole to the lane beside. Where one half equals the secret, the product is 0, and the sums alone count.
    """
    words = b"<p>words" * 7
    lanes = (SECRET[0:4] + one.to_bytes(4, "little"), SECRET[8:12] + other.to_bytes(4, "little"))
    return b"".join(lane + words for lane in lanes) + b"words " * 40


def site(bodies: dict[str, bytes]) -> Callable[..., object]:
    def respond(request):
        body = bodies.get(request.url.rpartition("/")[2])
        return answer(request, status=404) if body is None else answer(request, body)

    return FakeTransport(respond)


async def test_a_page_made_to_collide_with_another_is_no_duplicate_of_it(tmp_path):
    bodies = {"victim": colliding(1, 2), "attacker": colliding(2, 1), "copy": colliding(1, 2)}
    assert bodies["victim"] != bodies["attacker"]
    assert xxh3_128_digest(bodies["victim"]) == xxh3_128_digest(bodies["attacker"])
    config = CrawlConfig(job=tmp_path / "job", delay_s=0.0, strategy="async", skip_duplicates="exact", per_host=1)
    seeds = [f"http://a.example/{name}" for name in ("attacker", "victim", "copy")]
    stats = await Crawler(config, seeds, transport=site(bodies)).run()
    assert stats.duplicates == 1
    written = (tmp_path / "job/pages.jsonl").read_text()
    assert written.count("\n") == 2
    assert '"http://a.example/victim"' in written


async def test_each_job_has_a_number_of_its_own_and_keeps_it(tmp_path):
    numbers, keys = [], []
    for name in ("one", "two"):
        config = CrawlConfig(job=tmp_path / name, delay_s=0.0, strategy="async")
        for _ in range(2):
            await Crawler(config, ["http://a.example/victim"], transport=site({"victim": b"words"})).run()
            with Store(tmp_path / name / "state", read_only=True) as store:
                numbers.append(store.keys.seed)
                keys.append(store.keys.url("http://a.example/victim", "page"))
                assert store.urls.values([keys[-1]]) != [None]
    assert 0 not in numbers
    assert numbers[0] == numbers[1]
    assert numbers[2] == numbers[3] != numbers[0]
    assert len(set(keys)) == 2
