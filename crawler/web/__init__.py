"""The web's rules and formats: URLs, robots.txt, scope, redirects, secrets, traps, sitemaps, codings, WARC, digests.

Owns: no state. Values go in, decisions and values come out; nothing is fetched, no clock is read.
Runs: in every process and thread.
For others: every file but `sitemap_text`, which belongs to `sitemap`.
"""
