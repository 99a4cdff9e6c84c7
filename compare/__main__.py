"""`python -m compare`: the same as the command `gatewise`."""

import sys

from compare.cli import main

sys.exit(main())
