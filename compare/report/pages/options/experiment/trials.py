"""The outcome of trying an argument on `convert` and on `emulate`, and whether it is what the table says."""

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
"""The limit in half precision: five of float16's steps between 1 and 2."""
_HOLDS: Mapping[FateName, tuple[bool, bool]] = {
    "native": (True, True),
    "no effect": (True, True),
    "emulated": (False, True),
    "refused": (False, False),
}
"""Whether `convert` and `emulate` accept an argument of that fate."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of trying one argument.

    Args:
        ways: for "convert" and "emulate" an error, or "refused".
        effect: how much the argument changes in its own framework; None if that cannot be compared.
    """

    ways: Mapping[str, Value]
    effect: float | None = None


class Trials(Protocol):
    """Trials of one framework's arguments."""

    def kind(self, name: str) -> type:
        """Return the class of that name."""

    def run(self, name: str, argument: str, index: int) -> Outcome:
        """Try the example of an argument's fate, given by its index, on one class."""

    def can_be_written(self, name: str, argument: str, index: int) -> bool | None:
        """Return whether the other framework's emulated layer, constructed directly, accepts it; None if that cannot be tried."""


def as_said(fate: FateName, outcome: Outcome) -> bool:
    """Return whether the outcome is what the table says."""
    held = tuple(outcome.ways[way].kind == "measured" and outcome.ways[way].passed for way in ("convert", "emulate"))
    silent = outcome.effect is None or outcome.effect <= TOLERANCES["float32"]
    return held == _HOLDS[fate] and (silent or fate != "no effect")


def try_out(work: Callable[[], Arrays], expected: Arrays) -> Value:
    """Measure the largest error of some arrays; "refused" if making them is refused.

    Args:
        work: makes the arrays.
        expected: what they should be.
    """
    try:
        with warnings.catch_warnings():
            # emulate warns of what it leaves to the training loop; the table says so too
            warnings.simplefilter("ignore", UserWarning)
            actual = work()
    except GatewiseError:
        return exact(REFUSED)
    tolerance = max(TOLERANCES.get(array.dtype.name, _HALF) for array in expected)
    return measured(distance(expected, actual), tolerance * max(measure(array, array).scale for array in expected))


def effect_of(without: Arrays, expected: Arrays) -> float | None:
    """Return how much an argument changes the results; None if it changes their shapes or dtypes."""
    kinds = [[(array.shape, array.dtype) for array in arrays] for arrays in (without, expected)]
    return distance(without, expected) if kinds[0] == kinds[1] else None
