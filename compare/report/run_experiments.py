"""Run experiments in a separate process, since a process has one Keras backend. Progress goes to stdout."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from importlib import import_module
from pathlib import Path

from compare.report.results import write_results


def module_of(name: str) -> str:
    """Return the module of an experiment: `PAGE` names a page's own, `PAGE.MODULE` one in the page's experiment folder."""
    page, *module = name.split(".")
    return ".".join(("compare.report.pages", page, "experiment", *module))


def main() -> None:
    """Run the named experiments in turn and write their results to one file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    parser.add_argument("names", nargs="+", help="PAGE, or PAGE.MODULE")
    arguments = parser.parse_args()
    gc.disable()  # the process lives for seconds, and collecting garbage would be a fifth of its imports
    if os.environ.get("KERAS_BACKEND", "tensorflow") != "tensorflow":
        # Keras imports an installed TensorFlow to copy a layer, which takes seconds and is not needed here.
        sys.modules["tensorflow"] = None  # type: ignore[assignment]
    results = {}
    for name in arguments.names:
        experiment = import_module(module_of(name))
        results[name] = experiment.run(lambda text, name=name: print(f"{name}: {text}", flush=True))
    write_results(results, arguments.out)
    sys.stdout.flush()
    sys.stderr.flush()
    # Everything is written, and an orderly shutdown of TensorFlow and torch would take two seconds.
    os._exit(0)


if __name__ == "__main__":
    main()
