"""Draw wrong and right ports by the hundred, and check what `diagnose` says of them.

    python -m tests.acceptance.diagnose [--seed N] [--share 0.1] [--jobs 2] [--out FILE] [--failures FILE]
    python -m tests.acceptance.diagnose --only NUMBER

The exit status is 1 where a promise is not kept. A draw is repeated alone by its number and the seed.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from tests.acceptance.diagnose.drawing import draw, sample, tasks
from tests.acceptance.diagnose.promises import broken, summarise, to_text, write
from tests.acceptance.diagnose.running import Outcome, describe, diagnose_drawn, run_all


def main() -> int:
    """Run the suite, or one draw of it; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.acceptance.diagnose")
    parser.add_argument("--seed", type=int, default=14)
    parser.add_argument("--share", type=float, default=1.0, help="which share of the draws is run")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, help="where the summary is written, as JSON")
    parser.add_argument("--failures", type=Path, help="where the failing draws are written, a line or two each")
    parser.add_argument("--only", type=int, nargs="+", help="show these draws alone, by number")
    parser.add_argument("--about", nargs="+", help="run the draws about these mistakes alone")
    given = parser.parse_args()
    if given.only:
        for number in given.only:
            _show(number, given.seed)
        return 0
    chosen = [task for task in sample(given.share) if not given.about or task.about in given.about]
    outcomes = []
    for outcome in run_all(chosen, given.seed, given.jobs):
        outcomes.append(outcome)
        if not outcome.kept or outcome.undone is False:
            print(_line(outcome), flush=True)
    summary = summarise(outcomes, given.seed)
    print(to_text(summary))
    if given.out:
        write(summary, given.out)
    if given.failures:
        given.failures.write_text("\n".join(_line(each) for each in outcomes if not each.kept or each.undone is False) + "\n")
    complaints = broken(summary)
    print(*complaints, sep="\n")
    return int(bool(complaints))


def _line(outcome: Outcome) -> str:
    expected = ", ".join(outcome.expected) or outcome.kind
    return f"{outcome.number} {outcome.kind} {outcome.about}: expected {expected}, said {outcome.said}\n    {outcome.port}"


def _show(number: int, seed: int) -> None:
    """Print a draw and its diagnosis."""
    drawn = draw(next(task for task in tasks() if task.number == number), seed)
    print(f"{number}: {drawn.task.kind} {drawn.task.about}\n{describe(drawn)}")
    for name, where in drawn.expected.items():
        print(f"expected: {name} {where}")
    print(diagnose_drawn(drawn), "\n")


if __name__ == "__main__":
    sys.exit(main())
