"""`python -m crawler`."""

import os
import sys

# Python looks for modules in the working directory first. Here it comes last: whoever has put a `signal.py` there, it
# is no part of the crawl. (A `types.py` Python itself would take, before it comes here; not so with `-P`.)
if __name__ == "__main__" and sys.path[0] == os.getcwd():  # noqa: PTH109 - `pathlib` is not loaded yet
    sys.path.append(sys.path.pop(0))

from crawler.cli.entry import main

# Parser processes import this file under another name.
if __name__ == "__main__":
    sys.exit(main())
