"""What came of an argument that was tried on `convert` and on `emulate`, and whether that is what the table says."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from compare.parity.difference import measure
from compare.parity.tolerance import TOLERANCES
from compare.report.arrays import Arrays, distance
from compare.report.results import Value, exact, measured
from frameworks.counterparts import FateName
from frameworks.errors import GatewiseError

REFUSED = "refused"
_HALF = 5e-3
"""Allowed in half precision: five of float16's steps from 1 to 2."""
_HOLDS: Mapping[FateName, tuple[bool, bool]] = {
    "native": (True, True),
    "no effect": (True, True),
    "emulated": (False, True),
    "refused": (False, False),
}
"""Whether `convert` and `emulate` take an argument of that fate."""


@dataclass(frozen=True)
class Outcome:
    """What came of one argument.

    Args:
        ways: "convert" and "emulate", each an error or "refused".
        effect: how much it changes in its own framework; None where that cannot be compared.
    """

    ways: Mapping[str, Value]
    effect: float | None = None


class Trials(Protocol):
    """Trials of one framework's arguments."""

    def kind(self, name: str) -> type:
        """Give the class of that name."""

    def run(self, name: str, argument: str, index: int) -> Outcome:
        """Try the example of an argument's fate, by its index, on one class."""

    def can_be_written(self, name: str, argument: str, index: int) -> bool | None:
        """Tell whether the layer that is written by hand in the other framework takes it; None where there is none to try."""


def as_said(fate: FateName, outcome: Outcome) -> bool:
    """Tell whether an argument came out as the table says."""
    held = tuple(outcome.ways[way].kind == "measured" and outcome.ways[way].passed for way in ("convert", "emulate"))
    silent = outcome.effect is None or outcome.effect <= TOLERANCES["float32"]
    return held == _HOLDS[fate] and (silent or fate != "no effect")


def try_out(work: Callable[[], Arrays], expected: Arrays) -> Value:
    """Give the largest error of some arrays, or that they were refused.

    Args:
        work: makes the arrays.
        expected: what they should be.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", UserWarning
            )  # emulate says what it leaves to the training loop, and so does the table
            found = work()
    except GatewiseError:
        return exact(REFUSED)
    tolerance = max(TOLERANCES.get(array.dtype.name, _HALF) for array in expected)
    return measured(distance(expected, found), tolerance * max(measure(array, array).scale for array in expected))


def effect_of(without: Arrays, expected: Arrays) -> float | None:
    """Give how much an argument changes; None where the results have other shapes or dtypes for it."""
    kinds = [[(array.shape, array.dtype) for array in arrays] for arrays in (without, expected)]
    return distance(without, expected) if kinds[0] == kinds[1] else None
