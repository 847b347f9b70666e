"""A crawl of many shards on Ray, which starts processes and carries messages; all else is ours.

Owns: the actors of a job, what they say to each other, and the command that starts them. Ray is imported here alone,
when the first crawl on a cluster begins.
Runs: a shard in an actor, in a thread with an event loop of its own; the coordinator in an actor; the driver in the
process of the command.
For others: `library`; `driver`, `job_at` and `watching`, for the command line.
"""
