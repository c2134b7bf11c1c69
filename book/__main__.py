"""Build driver: ``python3 -m book [command]``, standard library only.

The Makefile calls this, so every target also works where there is no make.
"""

import sys

if sys.version_info < (3, 11):
    sys.exit("[book] Python 3.11 or newer is needed; run with PYTHON=python3.12 or so.")

from book.driver.commands import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
