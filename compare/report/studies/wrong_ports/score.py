"""`python -m compare.report.studies.wrong_ports.score`: the benchmark's three commands."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from tabulate import tabulate

from compare.report.studies.wrong_ports import naming, ports, tasks
from compare.report.studies.wrong_ports.corpus import Entry, load
from compare.report.studies.wrong_ports.functions import load_function

_COMMANDS = ("names", "tasks", "ports")
_DIAGNOSE = "compare:diagnose"
_NAME = "MODULE:FUNCTION"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, and return 0 if everything is as it must be, 1 if not, and 2 for a wrong call."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] not in (*_COMMANDS, "-h", "--help"):
        arguments.insert(0, "names")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    parser = _parser()
    given = parser.parse_args(arguments)
    entries = _chosen(given, parser)
    run: Callable[[argparse.Namespace, Sequence[Entry]], int] = given.run
    return run(given, entries)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m compare.report.studies.wrong_ports.score",
        description="Score on the corpus of wrong ports. Without a command: names, of gatewise's diagnose.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    names = commands.add_parser("names", help="score a function that names the mistake in a port, as diagnose does")
    names.add_argument(
        "function", nargs="?", default=_DIAGNOSE, metavar=_NAME, help="or FILE.py:FUNCTION (gatewise's diagnose)"
    )
    names.set_defaults(run=_names)
    write = commands.add_parser("tasks", help="write a task for each layer: a text, the layer, a sample call")
    write.add_argument("folder", type=Path, metavar="DIR")
    write.set_defaults(run=_write_tasks)
    judge = commands.add_parser("ports", help="judge the port.py in the folder of each task; their code is run")
    judge.add_argument("folder", type=Path, metavar="DIR")
    judge.add_argument("--function", default=_DIAGNOSE, metavar=_NAME, help="what names the mistakes (gatewise's diagnose)")
    judge.add_argument("--timeout", type=float, default=120, metavar="S", help="seconds that a port may take (%(default)s)")
    judge.add_argument("--jobs", type=int, default=1, metavar="N", help="processes at a time (%(default)s)")
    judge.set_defaults(run=_ports)
    for command in (names, judge):
        command.add_argument("--json", action="store_true", help="print one JSON object")
        command.add_argument("--seed", type=int, default=1000, metavar="N", help="draws weights and inputs (%(default)s)")
    for command in (names, write, judge):
        command.add_argument("--only", action="append", metavar="NAME", help="an entry or a task; repeatable")
    return parser


def _chosen(given: argparse.Namespace, parser: argparse.ArgumentParser) -> Sequence[Entry]:
    entries = load()
    known = {entry.name for entry in entries} if given.run is _names else {task.name for task in tasks.tasks(entries)}
    if unknown := sorted(set(given.only or ()) - known):
        parser.error(f"argument --only: {', '.join(unknown)}: there are {', '.join(sorted(known))}")
    return entries


def _names(given: argparse.Namespace, entries: Sequence[Entry]) -> int:
    function = load_function(given.function)
    chosen = [entry for entry in entries if not given.only or entry.name in given.only]
    scores = list(naming.score(function, chosen, given.seed))
    if given.json:
        _print({"function": given.function, "totals": totals(scores), "scores": [asdict(each) for each in scores]})
    else:
        headers = ("port", "", "outcome", "named", "s")
        rows = [
            (
                each.entry,
                each.which,
                each.outcome if each.good else f"{each.outcome} (!)",
                _cut(each.said),
                f"{each.seconds:.2f}",
            )
            for each in scores
        ]
        _print(tabulate(rows, headers, disable_numparse=True), tabulate(totals(scores).items(), disable_numparse=True))
    return 0 if all(each.good for each in scores) else 1


def totals(scores: Sequence[naming.Score]) -> dict[str, str]:
    """Return the counts of a function's scores, in words."""

    def count(kind: str, chosen: Sequence[naming.Score], outcomes: Sequence[str]) -> dict[str, str]:
        return {kind: f"{sum(each.outcome in outcomes for each in chosen)} of {len(chosen)}"}

    wrong = [each for each in scores if each.mistakes]
    others = [each for each in scores if not each.mistakes]
    right, faults = ([each for each in others if each.is_right is which] for which in (True, False))
    found: dict[str, str] = {}
    for number, kind in ((1, "one mistake"), (2, "two mistakes"), (3, "three mistakes")):
        found |= count(f"{kind} named", [each for each in wrong if len(each.mistakes) == number], naming.GOOD)
    for direction in ("keras-to-pytorch", "pytorch-to-keras"):
        found |= count(f"named, {direction}", [each for each in wrong if each.direction == direction], naming.GOOD)
    found |= count("wrong place", wrong, ("wrong place",)) | count("wrong, called right", [*wrong, *faults], ("called right",))
    found |= count("false name", [*wrong, *faults], ("false name",)) | count("false alarm", right, ("false name",))
    found |= count("error", scores, ("error",))
    times = [each.seconds for each in scores] or [0.0]
    return {**found, "seconds, median and most": f"{median(times):.2f}, {max(times):.2f}"}


def _write_tasks(given: argparse.Namespace, entries: Sequence[Entry]) -> int:
    for task in tasks.tasks(entries):
        if not given.only or task.name in given.only:
            tasks.write(task, given.folder / task.name)
            _print(f"{given.folder / task.name}: {task.title}")
    return 0


def _ports(given: argparse.Namespace, entries: Sequence[Entry]) -> int:
    chosen = [task for task in tasks.tasks(entries) if not given.only or task.name in given.only]
    options = {"timeout": given.timeout, "seed": given.seed, "jobs": given.jobs}
    scores = list(ports.judge_all(chosen, given.folder, given.function, **options))
    counts = Counter(each.outcome for each in scores)
    if given.json:
        _print({"totals": counts, "scores": [asdict(each) for each in scores]})
    else:
        headers = ("task", "layer", "outcome", "off by", "named, or error")
        rows = [(each.task, _cut(each.layer), each.outcome, _off(each), _cut(each.named)) for each in scores]
        _print(tabulate(rows, headers, disable_numparse=True), tabulate(counts.items(), disable_numparse=True))
    return 0 if counts["right"] == len(scores) else 1


def _off(score: ports.PortScore) -> str:
    return "" if score.distance is None else f"{score.distance:.2g}"


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 70 else f"{line[:67]}..."


def _print(*parts: Any) -> None:
    for part in parts:
        print(part if isinstance(part, str) else json.dumps(part, indent=1), end="\n\n" if len(parts) > 1 else "\n")


if __name__ == "__main__":
    sys.exit(main())
