"""What a crawl on a cluster is told, before anything of it runs."""

import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest
from click.testing import CliRunner

from crawler.cli.commands.crawl import crawl
from crawler.cli.settings import from_environment, from_options, load_settings
from crawler.cli.terminal import Terminal
from crawler.core.config import CrawlConfig
from crawler.core.errors import ConfigError, JobError
from crawler.core.job_place import url_of
from crawler.frontier.seeds import read_seeds
from crawler.ledger.job import JobFolder
from crawler.web.shards import owner

LINES = b"""\
{"url": "https://a.example.com/x", "shop": "7"}
{"url": "https://b.example.com/"}
{"url": "sitemap:https://example.org/map.xml", "shop": "8"}
{"url": "https://example.net/"}
"""


def test_a_job_may_be_a_url_of_which_a_path_makes_one_again():
    for url in ("s3://bucket/a/job", "file:///shared/job", "gs://bucket/job"):
        assert url_of(Path(url)) == url
        assert CrawlConfig(job=Path(url), cluster=True).job is not None
    assert url_of(Path("output/job")) is None
    assert url_of(Path("/c:/job")) is None


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"shards": 4}, "shards: only a crawl on a cluster has several"),
        ({"job": Path("s3://bucket/job")}, "job: s3://bucket/job is a URL"),
        ({"cluster": "ray://head:10001"}, "cluster: 'ray://head:10001' is an address of Ray's client"),
        ({"cluster": "https://example.com/"}, "cluster: expected HOST:PORT"),
        ({"cluster": True, "shards": 0}, "shards must be at least 1"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_named(settings: dict, words: str):
    with pytest.raises(ConfigError, match=f"^{words}".replace("(", r"\(")):
        CrawlConfig(**settings)


def test_the_option_takes_an_address_and_no_seed(tmp_path: Path):
    def parsed(*words: str) -> dict:
        return crawl.make_context("crawl", list(words)).params

    assert parsed("--cluster", "https://example.com/")["seeds"] == ("https://example.com/",)
    assert from_options(parsed("--cluster", "https://example.com/"))["cluster"] is True
    assert from_options(parsed("--cluster", "head:6379", "https://example.com/"))["cluster"] == "head:6379"
    assert from_options(parsed("--cluster", "[fd00::1]:6379"))["cluster"] == "[fd00::1]:6379"
    for word, meant in {"head:6379": "head:6379", "1": True, "yes": True, "0": False, "Off": False}.items():
        assert from_environment({"CRAWLER_CLUSTER": word})["cluster"] == meant
    file = tmp_path / "a.toml"
    file.write_text('cluster = true\njob = "s3://bucket/job"\nshards = 3\n')
    layer = load_settings(file)
    assert (layer["cluster"], url_of(layer["job"]), layer["shards"]) == (True, "s3://bucket/job", 3)


@pytest.mark.parametrize(
    "option", ["--follow=-", "--dashboard", "--metrics", "--expect=pages>=1", "--retry-failed", "--record-per-seed"]
)
def test_what_a_crawl_on_a_cluster_cannot_have_is_refused_by_its_name(option: str, tmp_path: Path):
    words = ["https://example.com/", "--cluster", "--job", str(tmp_path / "job"), option]
    error = CliRunner().invoke(crawl, words, obj=Terminal(), standalone_mode=False).exception
    assert isinstance(error, ConfigError)
    assert str(error).startswith(f"{option.partition('=')[0]}: a crawl on a cluster ")
    assert not (tmp_path / "job").exists()


def test_seeds_are_dealt_out_by_domain_and_more_of_them_are_added(tmp_path: Path):
    pytest.importorskip("crawler.shards.safe")
    from crawler.cluster.seeds import deal_out
    from crawler.shards.place import Place

    place, bad = Place(tmp_path), []
    assert deal_out(["-"], BytesIO(LINES), place, 3, bad.append) == 4
    dealt = {number: list(read_seeds([str(tmp_path / f"seeds/{number:03}.jsonl")], bad.append)) for number in range(3)
             if (tmp_path / f"seeds/{number:03}.jsonl").stat().st_size}  # fmt: skip
    assert all(owner(seed.url, 3) == number for number, seeds in dealt.items() for seed in seeds)
    assert sorted((seed.url, seed.kind, seed.extra.get("shop")) for seeds in dealt.values() for seed in seeds) == [
        ("https://a.example.com/x", "page", "7"),
        ("https://b.example.com/", "page", None),
        ("https://example.net/", "page", None),
        ("https://example.org/map.xml", "sitemap", "8"),
    ]
    assert deal_out(["-"], BytesIO(LINES), place, 3, bad.append) == 0
    assert deal_out(["-"], BytesIO(LINES + b'{"url": "https://www.iana.org/"}\n'), place, 3, bad.append) == 1
    with pytest.raises(JobError, match="knows none of these"):
        deal_out(["https://else.example/"], None, place, 3, bad.append)
    assert not bad


def test_without_ray_the_extra_is_named(tmp_path: Path):
    code = "import sys; sys.modules['ray'] = None; from crawler.cli.entry import main; sys.exit(main())"
    words = ["crawl", "https://example.com/", "--cluster", "--job", str(tmp_path / "job")]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 2, done.stderr
    assert "--cluster needs ray: pip install ray" in done.stderr


def test_nothing_else_imports_ray():
    code = (
        "import sys, crawler.cli.commands.crawl as _, crawler; crawler.crawl; crawler.Job; print('ray' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_crawl_of_one_ring_refuses_the_job_of_several(tmp_path: Path):
    (tmp_path / "states").mkdir()
    (tmp_path / "states" / "0000000007.json").write_text("{}")
    with pytest.raises(JobError, match="was begun with --cluster"):
        JobFolder(CrawlConfig(job=tmp_path))
    assert not (tmp_path / "lock").exists()
