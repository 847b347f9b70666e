"""A built-in site on loopback, and what is needed to crawl it: `crawler demo`.

`site` is the model of the site, `server` serves it, `process` runs the server as a child, `run` is the command.
Nothing is imported here, so that `python -m crawler.demo.server` runs its module once.
"""
