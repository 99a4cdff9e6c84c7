"""Update rules, written once: the same lines are run in float64 NumPy and printed as equations, so both always agree.

A line assigns to a name: `m = beta_1 * m + (1 - beta_1) * g`. A name that is read before a line assigns it is kept from step to
step. `g` is the gradient, `theta` the parameter, and `t` the number of the step, from 1. All other names are settings.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from compare.report.arrays import Array
from compare.report.pages.optimizers.experiment.tex import print_expression, print_line, symbol


def _orthogonal(matrix: Array) -> Array:
    """Bring the singular values of a matrix close to one, by five Newton-Schulz steps."""
    x: Array = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    x = x / (np.linalg.norm(x) + 1e-7)
    for _ in range(5):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x.T if matrix.shape[0] > matrix.shape[1] else x


FUNCTIONS: Mapping[str, Any] = {
    "sqrt": np.sqrt,
    "abs": np.abs,
    "sign": np.sign,
    "max": np.maximum,
    "min": np.minimum,
    "clip": lambda value, limit: np.clip(value, -limit, limit),
    "norm": np.linalg.norm,
    "rms": lambda value: np.sqrt(np.mean(np.square(value))),
    "rowmeans": lambda value: value.mean(axis=-1, keepdims=True),
    "columnmeans": lambda value: value.mean(axis=-2, keepdims=True),
    "mean": np.mean,
    "longest": lambda value: max(value.shape),
    "orthogonal": _orthogonal,
}
"""The functions that a line may call."""
EXPLAINED: Mapping[str, str] = {
    "rowmeans": "the mean of each row",
    "columnmeans": "the mean of each column",
    "mean": "the mean of all elements",
    "rms": "the root of the mean square",
    "clip": "each element, limited to the second argument and its negative",
    "longest": "the length of the longer axis",
    "orthogonal": "$X$ divided by its norm plus 1e-7, and then five times $X \\leftarrow 3.4445\\, X + (-4.775\\, X X^T + 2.0315\\, "
    "(X X^T)^2)\\, X$",
}
"""Definitions of the functions whose names do not explain them."""


@dataclass(frozen=True)
class Rule:
    """The update rule of one framework.

    Args:
        lines: the assignments, in the order of computation.
        start: initial values of kept names, other than zero, as expressions over the settings and `theta`.
    """

    lines: tuple[str, ...]
    start: Mapping[str, str] = field(default_factory=dict)

    def run(self, theta: Array, gradients: Sequence[Array], settings: Mapping[str, Any]) -> Array:
        """Apply the rule to one parameter, in float64.

        Args:
            theta: the initial value of the parameter.
            gradients: one per step.
            settings: the settings by name, at least those in the lines.

        Returns:
            The parameter after the last step.
        """
        names = {**FUNCTIONS, **settings, "theta": theta, **dict.fromkeys(self.kept, np.zeros(()))}
        names |= {name: eval(first, names) for name, first in self.start.items()}  # noqa: S307  likewise
        code = compile("\n".join(self.lines), "<rule>", "exec")
        for step, gradient in enumerate(gradients, start=1):
            names |= {"g": gradient, "t": step}
            exec(code, names)  # noqa: S102  the lines are this project's own
        result: Array = names["theta"]
        return result

    @cached_property
    def kept(self) -> tuple[str, ...]:
        """The names that are kept from step to step, except theta."""
        return tuple(name for name in self._first_read if name in self._assigned and name != "theta")

    @cached_property
    def settings(self) -> tuple[str, ...]:
        """The names of the settings, in the order in which the lines read them."""
        known = {"g", "t", "theta", *self._assigned, *FUNCTIONS}
        read = (*self._first_read, *(name for first in self.start.values() for name in _names(first)))
        return tuple(name for name in dict.fromkeys(read) if name not in known)

    def tex(self) -> str:
        """Print the lines as one aligned equation, with arrows for kept names and equals signs for abbreviations."""
        rows = [print_line(line, changes={"theta", *self.kept}) for line in self.lines]
        return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"

    def remarks(self) -> list[str]:
        """Explain the equation: the initial values of kept names, and its functions."""
        starts = [f"${symbol(name)}$ starts at ${print_expression(first)}$" for name, first in self.start.items()]
        return starts + [f"$\\mathrm{{{name}}}$ is {says}" for name, says in EXPLAINED.items() if name in self._first_read]

    @cached_property
    def _assigned(self) -> frozenset[str]:
        return frozenset(line.partition(" = ")[0] for line in self.lines)

    @cached_property
    def _first_read(self) -> tuple[str, ...]:
        """Every name that is read before it is assigned."""
        written: set[str] = set()
        read: dict[str, None] = {}
        for line in self.lines:
            read |= dict.fromkeys(name for name in _names(line.partition(" = ")[2]) if name not in written)
            written.add(line.partition(" = ")[0])
        return tuple(read)


def _names(expression: str) -> Iterator[str]:
    yield from (node.id for node in ast.walk(ast.parse(expression)) if isinstance(node, ast.Name))
