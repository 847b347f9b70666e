"""The column families of a store, and how RocksDB keeps each: small fixed memory, and little to merge.

Two families are large. `urls` has hashes for keys, so each new file touches all others: merged level by level, its rows
are written again and again. `queue` holds most bytes, and its front is deleted all the time. Both are merged when files
of about one size have gathered (universal compaction), which writes a row less often. Its price is room: as long as the
oldest files are merged, they are there twice.
"""

from typing import Final

import rocksdict

__all__ = ["CACHE_BYTES", "FAMILIES", "options_of"]

FAMILIES: Final = ("urls", "queue", "later", "bodies", "texts", "seeds", "hosts", "meta")

CACHE_BYTES = 64 << 20
"""Blocks, indexes and Bloom filters that stay in memory, for all families together."""
_MEMTABLE_BYTES = 16 << 20
"""Rows of one family that are gathered before they are written as a file; there are at most two such tables."""
_LEVEL_BYTES = 64 << 20
"""Files that are merged with each new one, in families that are merged level by level."""
_HASHES_MEMTABLE_BYTES = 2 << 20
_LIST_BYTES = 1 << 20
"""Of the list of files, to which each change is added, before it is written anew: a checkpoint carries it whole."""
_PART_BYTES = 128 << 10
"""Of a filter or index: an eighth of what a shard of the cache holds, since each part more makes a look-up dearer."""
_MOST_NEWER_PERCENT = 100
"""Newer files, compared with the oldest ones, from which on all are merged: what was deleted or replaced takes no more
room than what is there."""
_MERGED_BY_SIZE: Final = frozenset({"urls", "queue"})
_SCANNED: Final = frozenset({"queue", "later"})
"""Read in order only, never by key: no filters."""
_HASHES: Final = frozenset({"bodies", "texts"})
"""Hold nothing but hashes, which do not get smaller."""


def options_of(family: str, cache: rocksdict.Cache) -> rocksdict.Options:
    """Return the options of one family. Most keys that are asked for are new, so files have Bloom filters.

    The deletion collector: the queue is deleted from its front; without it a scan would walk tombstones.
    """
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(True)
    options.create_missing_column_families(True)
    options.set_write_buffer_size(_HASHES_MEMTABLE_BYTES if family in _HASHES else _MEMTABLE_BYTES)
    options.set_max_write_buffer_number(2)
    options.set_max_bytes_for_level_base(_LEVEL_BYTES)
    options.set_max_total_wal_size(64 << 20)
    options.set_max_open_files(128)
    options.set_max_manifest_file_size(_LIST_BYTES)
    options.set_keep_log_file_num(2)
    options.set_max_background_jobs(2)
    lz4, none = rocksdict.DBCompressionType.lz4(), rocksdict.DBCompressionType.none()
    options.set_compression_type(none if family in _HASHES else lz4)
    options.add_compact_on_deletion_collector_factory(4096, 2048, 0.5)
    if family in _MERGED_BY_SIZE:
        merging = rocksdict.UniversalCompactOptions()
        merging.max_size_amplification_percent = _MOST_NEWER_PERCENT
        options.set_compaction_style(rocksdict.DBCompactionStyle.universal())
        options.set_universal_compaction_options(merging)
    if family == "urls":  # most keys asked for are in no table: a filter for those in memory, too
        options.set_memtable_whole_key_filtering(True)
        options.set_memtable_prefix_bloom_ratio(0.1)
    options.set_block_based_table_factory(_table(cache, filters=family not in _SCANNED))
    return options


def _table(cache: rocksdict.Cache, *, filters: bool) -> rocksdict.BlockBasedOptions:
    """Return how a file is built.

    Index and filter are in parts: those of a file of a million keys are larger than a shard of the cache, and would be
    read anew, whole, for each key that is looked up.
    """
    table = rocksdict.BlockBasedOptions()
    table.set_cache_index_and_filter_blocks(True)
    table.set_index_type(rocksdict.BlockBasedIndexType.two_level_index_search())
    table.set_metadata_block_size(_PART_BYTES)
    if filters:
        table.set_bloom_filter(10, False)
        table.set_partition_filters(True)
    table.set_block_cache(cache)
    return table
