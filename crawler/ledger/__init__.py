"""The only writer: records to the sinks, then one commit to the store.

Owns: everything durable: the job's folder, the sinks, the moment of each commit.
Runs: in one thread, "ledger".
For others: `ledger`, `job`, `kept`, `changes`, `added`, `inbox`, `incoming`, `queue_folder`, `seed_stream`,
`coverage`; of a shard `exchange`, which is the face of the ledger for a cluster, `standing`, `account`, `begun` and
`cut`.
"""
