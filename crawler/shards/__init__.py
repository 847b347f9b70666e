"""What a job of many shards is: its state, its place, and every decision about who holds which shard.

Owns: the coordinator's decisions, the messages that it takes and gives, the checkpoints of shards and where they are.
Runs: wherever it is called. Deciding is pure: no thread, no network, no clock of its own; `now` is an argument.
For others: every file.
"""
