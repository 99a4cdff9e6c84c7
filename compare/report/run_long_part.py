"""Run one part of the long runs in a separate process. Progress goes to stdout, as lines of `done steps`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from importlib import import_module
from pathlib import Path

from compare.report.results import exact, write_results
from compare.training.checkpoint import TrainingCheckpoint

_INTERRUPTED = 130


def main() -> int:
    """Resume a part from its checkpoint, and write its results in one go."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="the folder of the checkpoint and the results")
    parser.add_argument("--settings", required=True, help="everything that the results depend on")
    parser.add_argument("--arguments", type=json.loads, required=True, help="the arguments of the experiment, as JSON")
    parser.add_argument("name", help="the name of the part")
    parser.add_argument("module", help="the module of the experiment")
    given = parser.parse_args()
    checkpoint = TrainingCheckpoint(given.folder / f"{given.name}.npz", {"settings": given.settings})
    try:
        results = import_module(given.module).run(_Progress(), checkpoint, **given.arguments)
    except KeyboardInterrupt:
        return _INTERRUPTED
    fresh = given.folder / f"{given.name}.json.new"
    write_results({"settings": exact(given.settings), "results": results}, fresh)
    fresh.replace(given.folder / f"{given.name}.json")
    return 0


class _Progress:
    """A printer of finished steps, a few times per second at most."""

    _printed_at = 0.0

    def __call__(self, done: int, steps: int) -> None:
        now = time.monotonic()
        if done == steps or now - self._printed_at > 0.2:
            print(done, steps, flush=True)
            self._printed_at = now


if __name__ == "__main__":
    sys.exit(main())
