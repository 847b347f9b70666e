"""`crawler compare`: the same crawl with every strategy, measured, checked and drawn."""
