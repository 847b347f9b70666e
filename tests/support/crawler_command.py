"""The command `crawler`, as an installation makes it."""

import sys

from crawler.cli.entry import main

if __name__ == "__main__":
    sys.exit(main())
