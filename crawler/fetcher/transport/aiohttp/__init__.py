"""The default transport: aiohttp's connections and parser, without the session above them.

Owns: a pool of connections. Leans on private parts of aiohttp, all of them in `connections`.
Runs: in the event loop.
For others: `transport`.
"""
