"""Sinks that write files on this machine: JSON lines, CSV, Parquet, SQLite, WARC, plain or compressed.

Owns: the files of an output.
Runs: in the ledger's thread.
For others: `file`, on which the others build, and `compressed`, to read what was written. What an output means
is for `outputs` to say.
"""
