"""Places for records, each of which takes part in the commit protocol.

Owns: what is written, and up to where it is committed. Knows nothing of the ledger that calls it.
Runs: in the ledger's thread.
For others: `base` (what a sink promises), `outputs` (which sink an output means), `successor` (a local one), `locks`
(that nobody else writes it), `consumer` (a program's own loop),
`coverage` (how many records have a field), `parts` (files of one shard of many).
"""
