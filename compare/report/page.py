"""What a page is, and the few pieces of Markdown that all of them are made of: results in, text out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabulate import tabulate

from compare.report.results import Results, Value, all_passed, leaves

Tree = Mapping[str, Any]


@dataclass(frozen=True)
class Figure:
    """A picture beside a page.

    Args:
        file: its name.
        draw: writes it, from all results, to a path.
        long: the long runs without which there is nothing to draw.
    """

    file: str
    draw: Callable[[Tree, Path], None]
    long: tuple[str, ...] = ()

    def covers(self, results: Tree) -> bool:
        """Tell whether the long runs that it shows have been made."""
        return all(name in results.get("long", {}) for name in self.long)


@dataclass(frozen=True)
class Page:
    """One question and its answer.

    Args:
        name: what `--only` takes.
        title: of the page.
        question: that it answers, in a sentence.
        experiments: the (Keras backend, experiment) pairs whose results it is rendered from.
        verdict: gives the answer in a line.
        body: gives the tables and the code.
        figures: pictures beside it.
        long: the parts of `gatewise report --full` whose results it shows where they have been run.
        studies: whose data it needs, which an installed package does not have.
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
        """The file's name."""
        return f"{self.name}.md"

    def covers(self, results: Tree) -> bool:
        """Tell whether all that the page needs has been run."""
        return all(backend in results.get(name, {}) for backend, name in self.experiments)

    def passed(self, results: Tree) -> bool:
        """Tell whether every measured error is within what is allowed, and every exact yes is a yes."""
        trees: list[Results] = [results[name][backend] for backend, name in self.experiments]
        trees += [results["long"][name] for name in self.long if name in results.get("long", {})]
        return all(all_passed(tree) and all(value.value is not False for _, value in leaves(tree)) for tree in trees)

    def render(self, results: Tree) -> str:
        """Render the whole page."""
        state = "" if self.passed(results) else "FAILED: an error below is larger than what is allowed. "
        parts = [
            f"# {self.title}",
            self.question,
            f"**Verdict.** {state}{self.verdict(results)}",
            self.body(results).strip(),
            "## How to reproduce",
            code("sh", "\n".join(self._commands())),
            f"Run with {versions(results['environment'])}, on the CPU. Errors are largest absolute differences.",
            *self._long_runs(results),
        ]
        return "\n\n".join(parts) + "\n"

    def _commands(self) -> Iterator[str]:
        yield "make report                        # all pages"
        yield f".venv/bin/gatewise report --only {self.name}"
        if self.long:
            yield f".venv/bin/gatewise report --only {self.name} --full     # the long runs; may be interrupted"

    def _long_runs(self, results: Tree) -> Iterator[str]:
        made = {versions(results["long"][name]["environment"]) for name in self.long if name in results.get("long", {})}
        if made:
            yield f"The long runs were made by `gatewise report --full` with {'; and with '.join(sorted(made))}."
        if self.long and any(name not in results.get("long", {}) for name in self.long):
            yield "Not all long runs of this page have been made: `gatewise report --full` makes them."


def versions(environment: Tree) -> str:
    """Name the versions that results were made with."""
    found = {name: value.value for name, value in environment.items()}
    return ", ".join(f"{name} {found[name]}" for name in ("keras", "tensorflow", "torch", "numpy", "python") if name in found)


def code(language: str, text: str) -> str:
    """Fence a piece of code."""
    return f"```{language}\n{text.rstrip()}\n```"


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Make a Markdown table, every cell as it is given."""
    return tabulate([[cell(each) for each in row] for row in rows], headers=headers, tablefmt="github", disable_numparse=True)


def cell(item: object) -> str:
    """Write a value for a table: an error with two digits, anything else as text, with no pipe that would end the cell."""
    return number(item) if isinstance(item, Value) else str(item).replace("|", "\\|")


def number(value: Value) -> str:
    """Write an error: exactly nothing as 0, otherwise two digits; what holds NaN says so."""
    if value.value is None:
        return "NaN or infinite"
    return "0" if value.value == 0 else f"{value.value:.2g}" if value.value >= 1e-3 else f"{value.value:.1e}"


def worst(values: Iterable[Value]) -> str:
    """Write the largest of some errors."""
    found = list(values)
    return (
        "NaN or infinite" if any(value.value is None for value in found) else number(max(found, key=lambda value: value.value))
    )
