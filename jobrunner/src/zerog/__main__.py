"""`python -m zerog` is the `zerog` command."""

import sys

from zerog.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
