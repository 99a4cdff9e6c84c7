"""A page, and the pieces of Markdown that all pages use: results in, text out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabulate import tabulate

from compare.report.results import Results, Value, all_passed, leaves
from frameworks.escaping import printable

Tree = Mapping[str, Any]


@dataclass(frozen=True)
class Figure:
    """A picture beside a page.

    Args:
        file: name of the PNG file.
        draw: a function that draws the picture from all results and writes it to a path.
        long: the long runs that the picture shows.
    """

    file: str
    draw: Callable[[Tree, Path], None]
    long: tuple[str, ...] = ()

    def covers(self, results: Tree) -> bool:
        """Return whether the long runs that the picture shows have been made."""
        return all(name in results.get("long", {}) for name in self.long)


@dataclass(frozen=True)
class Page:
    """One question and its answer.

    Args:
        name: the name for `--only`.
        title: the heading.
        question: the question that the page answers.
        experiments: the (Keras backend, experiment) pairs whose results the page renders.
        verdict: a function that writes the answer.
        body: a function that writes the tables and the code.
        figures: the pictures on it.
        long: the parts of `gatewise report --full` whose results the page shows once they have been run.
        studies: the studies whose data the page needs; an installed package does not have them.
    """

    name: str
    title: str
    question: str
    experiments: tuple[tuple[str, str], ...]
    verdict: Callable[[Tree], str]
    body: Callable[[Tree], str]
    figures: tuple[Figure, ...] = ()
    long: tuple[str, ...] = ()
    studies: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """The name of the file."""
        return f"{self.name}.md"

    def covers(self, results: Tree) -> bool:
        """Return whether every experiment that the page needs has been run."""
        return all(backend in results.get(name, {}) for backend, name in self.experiments)

    def passed(self, results: Tree) -> bool:
        """Return whether every measured error is within its limit and no exact value is False."""
        trees: list[Results] = [results[name][backend] for backend, name in self.experiments]
        trees += [results["long"][name] for name in self.long if name in results.get("long", {})]
        return all(all_passed(tree) and all(value.value is not False for _, value in leaves(tree)) for tree in trees)

    def render(self, results: Tree) -> str:
        """Render the whole page."""
        state = "" if self.passed(results) else "FAILED: an error below exceeds its limit. "
        parts = [
            f"# {self.title}",
            self.question,
            f"**Verdict.** {state}{self.verdict(results)}",
            self.body(results).strip(),
            "## How to reproduce",
            code("sh", "\n".join(self._commands())),
            f"Run with {versions(results['environment'])}, on the CPU. Errors are the largest absolute differences unless stated otherwise.",
            *self._long_runs(results),
        ]
        return "\n\n".join(parts) + "\n"

    def _commands(self) -> Iterator[str]:
        yield "make report                        # all pages"
        yield f".venv/bin/gatewise report --only {self.name}"
        if self.long:
            yield f".venv/bin/gatewise report --only {self.name} --full     # the long runs too; can be interrupted and resumed"

    def _long_runs(self, results: Tree) -> Iterator[str]:
        made = {versions(results["long"][name]["environment"]) for name in self.long if name in results.get("long", {})}
        if made:
            yield f"The long runs were made by `gatewise report --full` with {'; and with '.join(sorted(made))}."
        if self.long and any(name not in results.get("long", {}) for name in self.long):
            yield "Not all long runs of this page have been made. `gatewise report --full` makes them."


def versions(environment: Tree) -> str:
    """Name the versions that results were made with."""
    names = ("keras", "tensorflow", "torch", "numpy", "python")
    return ", ".join(f"{name} {environment[name].value}" for name in names if name in environment)


def code(language: str, text: str) -> str:
    """Fence a piece of code."""
    return f"```{language}\n{text.rstrip()}\n```"


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Make a Markdown table."""
    return tabulate([[cell(each) for each in row] for row in rows], headers=headers, tablefmt="github", disable_numparse=True)


def cell(item: object) -> str:
    """Format a cell of a table: an error with two digits, anything else as Markdown with escaped pipes, on one line."""
    return number(item) if isinstance(item, Value) else printable(str(item)).replace("|", "\\|")


def number(value: Value) -> str:
    """Format an error with two digits; exactly zero as 0, anything that is not finite in words."""
    if value.value is None:
        return "NaN or infinite"
    return "0" if value.value == 0 else f"{value.value:.2g}" if value.value >= 1e-3 else f"{value.value:.1e}"


def worst(values: Iterable[Value]) -> str:
    """Format the largest of some errors."""
    return number(max(values, key=lambda value: math.inf if value.value is None else value.value))
