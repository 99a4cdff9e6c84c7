"""`python -m compare`: the same as the command `gatewise`."""

import sys

from compare.commands import starting

if __name__ == "__main__":
    starting.guard()
    from compare.cli import main

    sys.exit(starting.finish(main()))
