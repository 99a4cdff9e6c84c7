"""The corpus: wrong ports with labels, one Python file each in the folder `entries`."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from compare.diagnosis.mistakes import MISTAKES
from compare.report.studies.data import data_folder

Direction = Literal["keras-to-pytorch", "pytorch-to-keras"]
Framework = Literal["keras", "pytorch"]


@dataclass(frozen=True, eq=False)
class Entry:
    """A port of a recurrent layer, once with its mistakes and once without.

    Args:
        name: the name of its file.
        symptom: a sentence, in the words of somebody who has the wrong port.
        mistakes: the identifiers of its mistakes; () if it has none, or one that has no identifier.
        is_right: whether `wrong` is right after all: such an entry shows who raises a false alarm.
        places: each mistake with the place that it is confined to, as in `Finding.where`.
        direction: from which framework to which.
        text: the text of its file.
        path: its file.
    """

    name: str
    symptom: str
    mistakes: tuple[str, ...]
    is_right: bool
    places: Mapping[str, Mapping[str, int | str]]
    direction: Direction
    text: str
    path: Path

    def right(self, seed: int = 0) -> Any:
        """Return the right layer, with weights drawn from a seed; a list of layers is a stack."""
        return self.module.right(seed)

    def call(self, seed: int = 0) -> dict[str, Any]:
        """Return the arguments of a call as NumPy arrays: `inputs`, and in some entries `mask` and `initial_state`."""
        arguments: dict[str, Any] = self.module.call(seed)
        return arguments

    def wrong(self, layer: Any) -> Any:
        """Return the wrong port of a right layer."""
        return self.module.wrong(layer)

    def correct(self, layer: Any) -> Any:
        """Return the same port without its mistakes."""
        return self.module.correct(layer)

    @property
    def target(self) -> Framework:
        """The framework of the port."""
        return "pytorch" if self.direction == "keras-to-pytorch" else "keras"

    @property
    def where(self) -> Mapping[str, int | str]:
        """The place of the only mistake; {} if there are more, or none."""
        return next(iter(self.places.values())) if len(self.places) == 1 else {}

    @property
    def wrong_lines(self) -> tuple[str, ...]:
        """The lines that only the wrong port has."""
        return self._lines_of("- ")

    @property
    def right_lines(self) -> tuple[str, ...]:
        """The lines that only the correct port has."""
        return self._lines_of("+ ")

    def source_of(self, function: str) -> str:
        """Return the source of one of the functions of the entry's file."""
        return self._sources[function]

    @cached_property
    def _sources(self) -> Mapping[str, str]:
        lines = self.text.splitlines()
        return {node.name: "\n".join(lines[node.lineno - 1 : node.end_lineno]) for node in _functions(self.text)}

    @cached_property
    def module(self) -> ModuleType:
        """The entry's file as a module, which imports the frameworks."""
        module = ModuleType(f"wrong_port_{self.name}")
        exec(compile(self.text, self.path, "exec"), module.__dict__)  # noqa: S102 - the corpus is code
        return module

    def _lines_of(self, side: str) -> tuple[str, ...]:
        wrong, correct = (self.source_of(function).splitlines()[1:] for function in ("wrong", "correct"))
        return tuple(line.removeprefix(side).strip() for line in difflib.ndiff(wrong, correct) if line.startswith(side))


def load() -> tuple[Entry, ...]:
    """Return the entries: those with one mistake in the order of MISTAKES, then those with more and with none.

    Raises:
        GatewiseError: if the entries are missing, as in an installed package.
    """
    entries = [read(path) for path in data_folder("wrong_ports").glob("*.py")]
    return tuple(sorted(entries, key=_place))


def read(path: Path) -> Entry:
    """Return the entry of a file, which is not run."""
    text = path.read_text()
    tree = ast.parse(text)
    labels = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    (right,) = [node for node in _functions(text) if node.name == "right"]
    uses_keras = any(isinstance(node, ast.Name) and node.id == "keras" for node in ast.walk(right))
    return Entry(
        path.stem,
        ast.get_docstring(tree) or "",
        labels["MISTAKES"],
        labels.get("RIGHT", False),
        _places(labels["MISTAKES"], labels["WHERE"]),
        "keras-to-pytorch" if uses_keras else "pytorch-to-keras",
        text,
        path,
    )


def _places(mistakes: tuple[str, ...], where: Mapping[str, Any]) -> Mapping[str, Mapping[str, int | str]]:
    """Return the place of each mistake; WHERE has those of several mistakes by their names."""
    return {mistakes[0]: where} if len(mistakes) == 1 else {mistake: where.get(mistake, {}) for mistake in mistakes}


def _place(entry: Entry) -> tuple[int, int, str]:
    numbers = [list(MISTAKES).index(mistake) for mistake in entry.mistakes]
    return {1: 0, 0: 2 + entry.is_right}.get(len(numbers), 1), min(numbers, default=0), entry.name


def _functions(text: str) -> list[ast.FunctionDef]:
    return [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
