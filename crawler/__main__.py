"""`python -m crawler`."""

import sys

from crawler.cli.entry import main

# Parser processes import this file under another name.
if __name__ == "__main__":
    sys.exit(main())
