"""Records as columns of Arrow: what CSV, Parquet, SQLite and data frames are made from.

Owns: no state.
Runs: wherever it is called.
For others: every file.
"""
