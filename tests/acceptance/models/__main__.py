"""Compare wrong and correct ports of whole models, and count what `compare_models` says of them.

    python -m tests.acceptance.models                      all, on the default seed
    python -m tests.acceptance.models --share 0.1          a tenth of them
    python -m tests.acceptance.models --only 17 --seed 3   one case, with what the comparison prints
    python -m tests.acceptance.models --out FILE           the outcomes as JSON

What makes the ports knows nothing of what compares them. The exit status is 1 if a promise is not kept.
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

from tests.acceptance.models.judging import Outcome
from tests.acceptance.models.promises import broken, table
from tests.acceptance.models.running import run


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cases and print their tables; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.acceptance.models", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only", type=int, metavar="NUMBER")
    given = parser.parse_args(arguments)
    outcomes = []
    for outcome in run(given.seed, given.share, given.only):
        outcomes.append(outcome)
        _tell(outcome, in_full=given.only is not None)
    for title, key in (("pair", lambda outcome: outcome.pair), ("kind", lambda outcome: outcome.wrong or "correct")):
        print(table(outcomes, key, title), end="\n\n")
    failures = broken(outcomes)
    print(*(failures or ["All promises are kept."]), sep="\n")
    if given.out:
        each = ",\n".join(json.dumps(asdict(outcome)) for outcome in outcomes)  # a line for each, so that a change can be read
        given.out.write_text(f'{{"seed": {given.seed}, "share": {given.share}, "outcomes": [\n{each}\n]}}\n')
    return int(bool(failures))


def _tell(outcome: Outcome, *, in_full: bool) -> None:
    missed = {
        "place": not outcome.right_place,
        "second": outcome.second_found is False,
        "words": outcome.said is False,
        "time": not outcome.in_time,
    }
    if in_full or any(missed.values()):
        marks = ", ".join(name for name, is_missed in missed.items() if is_missed)
        head = f"{outcome.number} ({outcome.expected} expected) {outcome.pair}: {outcome.label}"
        print(f"{marks or 'kept'}: {head} [{outcome.wrong}; {outcome.seconds} s]\n    {outcome.came}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
