"""`python -m autochrome.cli`: the same as the console script `autochrome`."""

import sys

from autochrome.cli import main

if __name__ == "__main__":
    sys.exit(main())
