"""A job of many shards as others see it: all of them together, read where they are, or from their checkpoints.

Owns: what `Job` asks where a job has shards: which of them to ask, where its store is, how answers are put together.
Runs: in whatever thread asks, as all of `jobs/`.
For others: `opening`, `sharded_job`.
"""
