"""`crawler crawl --cluster`: the same pages and records as one ring brings, from several, each domain asked by one."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from crawler import CrawlConfig, Crawler
from tests.support.many_domains import ManyDomains

pytest.importorskip("ray", reason="needs ray: pip install '.[cluster]'")

SETTINGS = {"scope": "any", "allow_private": True, "delay_s": 0.0, "parsers": 1}
SAME = ("status", "content_type", "body_bytes", "body_hash", "title", "text", "links")
"""Of several ways to a page one was the first, in each crawl another: so other fields tell of another one."""
OPTIONS = ["--scope", "any", "--allow-private", "--delay", "0", "--parsers", "1"]


def command(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    program = [sys.executable, "-m", "crawler", "crawl", *words]
    return subprocess.run(program, cwd=folder, capture_output=True, text=True, check=False, timeout=500)


def plain(path: Path) -> dict[str, dict]:
    """Records by URL, as far as they are the same in each crawl; each must be there once."""
    found = {}
    for part in sorted(path.glob("part-*.jsonl")) if path.is_dir() else [path]:
        for line in part.read_text("utf-8").splitlines():
            record = json.loads(line)
            assert record["url"] not in found
            found[record["url"]] = {name: record[name] for name in SAME}
    return found


def test_two_shards_bring_what_one_ring_brings(tmp_path: Path):
    with ManyDomains() as site:
        (tmp_path / "seeds.txt").write_text("\n".join(site.seeds()))
        asyncio.run(Crawler(CrawlConfig(job=tmp_path / "lone", **SETTINGS), site.seeds()).run())
        lone = site.pages()
        site.requests.clear()
        done = command(tmp_path, "seeds.txt", "--cluster", "--shards", "2", "--job", "job", *OPTIONS)
        assert done.returncode == 0, done.stderr
        assert done.stdout == ""
        assert plain(tmp_path / "job" / "records") == plain(tmp_path / "lone" / "pages.jsonl")
        assert set(plain(tmp_path / "job" / "records")) == site.pages_there()
        assert site.pages() == lone  # nobody was asked twice, so each domain was asked by one shard alone
    assert "done: every URL that was found has ended" in done.stderr
    summary = json.loads((tmp_path / "job" / "summary.json").read_text())
    assert summary["pages"] == len(site.pages_there())
    manifest = json.loads((tmp_path / "job" / "manifest.json").read_text())
    assert (manifest["ended"], manifest["outputs"][0]["records"]) == ("done", len(site.pages_there()))
