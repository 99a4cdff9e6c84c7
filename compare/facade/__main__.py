"""The command `gatewise`, which is also `python -m gatewise`."""

from __future__ import annotations

import sys

from .ownership import find_hidden, find_hiding


def main() -> int:
    """Run this process's command line and return its exit status, which is 2 if another package hides one of gatewise's."""
    if hiding := find_hiding():
        print(f"gatewise: {hiding}", file=sys.stderr)
        return 2
    for hidden in find_hidden():
        print(f"gatewise: {hidden}", file=sys.stderr)
    from compare.commands import starting

    starting.guard()
    from compare.cli import main as run

    return starting.finish(run())


if __name__ == "__main__":
    sys.exit(main())
