"""Which URLs are known, and which are due.

Owns: the store (RocksDB) and, in memory, the window of hosts and URLs that are handed out; the reading of seeds.
Runs: in the ledger's thread, which alone drives it.
For others: `frontier`, `store`, `storing`, `samples`, `store_files`, `seeds`, `seed_lines`, `reopening` and `outbox`;
`row`, which says what the store keeps of a URL, `attempt_log` and `known`; `keyed_rows`, which gives all URLs, and
`gate`, which says what is held back. The other files serve those.
"""
