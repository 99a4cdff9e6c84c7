"""Running one part of the long runs in a process of its own. The progress goes to stdout, a line `done steps` at a time."""

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
    """Run a part from where its checkpoint left it, and write its results, whole or not at all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="of the checkpoint and the results")
    parser.add_argument("--settings", required=True, help="what the results depend on")
    parser.add_argument("--arguments", type=json.loads, required=True, help="of the experiment, as JSON")
    parser.add_argument("name", help="of the part")
    parser.add_argument("module", help="of the experiment")
    given = parser.parse_args()
    checkpoint = TrainingCheckpoint(given.folder / f"{given.name}.npz", {"settings": given.settings})
    try:
        found = import_module(given.module).run(_Progress(), checkpoint, **given.arguments)
    except KeyboardInterrupt:
        return _INTERRUPTED
    fresh = given.folder / f"{given.name}.json.new"
    write_results({"settings": exact(given.settings), "found": found}, fresh)
    fresh.replace(given.folder / f"{given.name}.json")
    return 0


class _Progress:
    """Tells of finished steps, a few times a second at most."""

    _told = 0.0

    def __call__(self, done: int, steps: int) -> None:
        now = time.monotonic()
        if done == steps or now - self._told > 0.2:
            print(done, steps, flush=True)
            self._told = now


if __name__ == "__main__":
    sys.exit(main())
