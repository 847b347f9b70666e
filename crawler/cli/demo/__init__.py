"""A built-in site on loopback, and what is needed to crawl it: `crawler demo`.

Owns: the demo's server, a process of its own.
Runs: `site` is the model of the site, `server` serves it, `process` runs the server as a child, `run` is the command.
For others: `run`, `process`, `site`, `hosts`, `server`.
"""
