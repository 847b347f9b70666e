"""The one network seam: a request in, an answer or a named failure out.

Owns: connections, the budget of bytes in flight, the guard of addresses, TLS. Knows nothing of the fetcher.
Runs: in the event loop; `requests/` in threads too.
For others: `base` (what a transport promises), `chosen` (which one), `address_block`, `body`, `budget`, `descriptors`,
`fake`, `headers`, `leased`, `tls`.
"""
