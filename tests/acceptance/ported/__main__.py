"""Draw whole models in Keras 3 and tf_keras, port them, and count the ports that compute something else.

    python -m tests.acceptance.ported                      a draw for each step, library and form
    python -m tests.acceptance.ported --share 0.1          a tenth of them
    python -m tests.acceptance.ported --only 17            one draw, with what was refused or raised
    python -m tests.acceptance.ported --out FILE           the outcomes as JSON

What draws the models knows nothing of what ports them. The exit status is 1 if a promise is not kept.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from tests.acceptance.ported.promises import broken, coverage, table
from tests.acceptance.ported.running import run


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the draws and print their tables; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.acceptance.ported", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only", type=int, metavar="NUMBER")
    given = parser.parse_args(arguments)
    outcomes = []
    for outcome in run(given.seed, given.share, given.only):
        outcomes.append(outcome)
        if outcome.verdict != "right" or given.only is not None:
            print(f"{outcome.verdict}: {outcome.number} {outcome.library} {outcome.form} -> {outcome.to}", end=" ")
            print(f"{outcome.error:.1e} {', '.join(outcome.steps)}\n    {outcome.text}", flush=True)
    print(coverage(outcomes), table(outcomes), sep="\n\n")
    failures = broken(outcomes)
    print(*(failures or ["All promises are kept."]), sep="\n")
    if given.out:
        each = ",\n".join(json.dumps(asdict(outcome)) for outcome in outcomes)  # a line for each, so that a change can be read
        given.out.write_text(f'{{"seed": {given.seed}, "share": {given.share}, "outcomes": [\n{each}\n]}}\n')
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
