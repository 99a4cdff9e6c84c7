"""Run in a process of its own: one port beside its right layer, on weights and inputs that its author has not seen.

Its arguments: the task's folder, the entry's file, the function that names mistakes, the seed, and the file for the result.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

from compare.report.studies.wrong_ports.calling import TOLERANCE, agree
from compare.report.studies.wrong_ports.corpus import Entry, read
from compare.report.studies.wrong_ports.functions import load_function
from compare.report.studies.wrong_ports.naming import said_by

_DRAWS = 2
"""So many drawn layers are ported and called."""


def main() -> None:
    """Run the port, and write what became of it."""
    folder, entry, function, seed, result = sys.argv[1:]
    found = run(Path(folder) / "port.py", read(Path(entry)), function, int(seed))
    Path(result).write_text(json.dumps(found))


def run(path: Path, entry: Entry, function: str, seed: int) -> dict[str, Any]:
    """Return the outcome of a port, its distance, and the mistakes that are named.

    Args:
        path: the file with the function `port`.
        entry: the entry that builds the right layer and draws calls.
        function: what names the mistakes of a wrong port.
        seed: draws weights and inputs.
    """
    sys.path.insert(0, str(path.parent))
    try:
        port = load_function(f"{path}:port")
        distances = [_distance(port, entry, seed + draw) for draw in range(_DRAWS)]
    except Exception as error:  # noqa: BLE001 - whatever the port raises
        return {"outcome": "raises", "distance": None, "named": f"{type(error).__name__}: {error}"}
    worst = max(distances)
    shown = worst if math.isfinite(worst) else None
    if worst <= TOLERANCE:
        return {"outcome": "right", "distance": shown, "named": ""}
    return {"outcome": "wrong", "distance": shown, "named": _name(port, entry, function, seed + distances.index(worst))}


def _distance(port: Any, entry: Entry, seed: int) -> float:
    return agree(entry.right(seed), port(entry.right(seed)), entry.call(seed), entry.target)


def _name(port: Any, entry: Entry, function: str, seed: int) -> str:
    diagnose = load_function(function)
    try:
        return said_by(diagnose(entry.right(seed), port(entry.right(seed)), **entry.call(seed)))
    except Exception as error:  # noqa: BLE001 - a port that runs may be none that can be diagnosed
        return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    main()
