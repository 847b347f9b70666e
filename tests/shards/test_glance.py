"""What a shard shows of itself at the place of its job."""

from crawler.core.stats import CrawlStats
from crawler.shards.glance import Glance, Glances
from crawler.shards.place import Place


def test_each_shard_has_one_glance_and_what_nobody_can_read_is_left_out(tmp_path):
    glances = Glances(Place(tmp_path))
    assert glances.all() == {}
    for pages in (1, 2):
        glances.put(Glance(shard=7, epoch=3, at=99.5, stats=CrawlStats(pages=pages)))
    glances.put(Glance(shard=8, epoch=1, at=1.0, stats=CrawlStats()))
    (tmp_path / "glances" / "009.json").write_bytes(b'{"shard": "of a later version"}')
    (tmp_path / "glances" / "notes.txt").write_bytes(b"")
    assert {shard: one.stats.pages for shard, one in glances.all().items()} == {7: 2, 8: 0}
