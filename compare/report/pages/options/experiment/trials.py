"""The outcome of trying an argument on `convert` and on `emulate`, and whether it agrees with the table."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from compare.groundwork.tolerance import TOLERANCES
from compare.parity.difference import measure
from compare.report.arrays import Arrays, distance
from compare.report.results import Value, exact, measured
from frameworks.counterparts import FateName
from frameworks.errors import GatewiseError

REFUSED = "refused"
_HALF = 5e-3
"""The limit in half precision: five ulps of float16 between 1 and 2."""
_HOLDS: Mapping[FateName, tuple[bool, bool]] = {
    "native": (True, True),
    "no effect": (True, True),
    "emulated": (False, True),
    "refused": (False, False),
}
"""For each fate, whether `convert` and `emulate` accept the argument."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of trying one argument.

    Args:
        ways: an error, or "refused", for "convert" and "emulate".
        effect: the change of the results in the source framework; None if they cannot be compared.
    """

    ways: Mapping[str, Value]
    effect: float | None = None


class Trials(Protocol):
    """Trials of the arguments of one framework."""

    def kind(self, name: str) -> type:
        """Return a class by name."""

    def run(self, name: str, argument: str, index: int) -> Outcome:
        """Try the example of an argument's fate, given by its index, on one class."""

    def can_be_written(self, name: str, argument: str, index: int) -> bool | None:
        """Return whether the emulated layer, constructed directly, accepts the argument; None if that cannot be tried."""


def as_said(fate: FateName, outcome: Outcome) -> bool:
    """Return whether the outcome agrees with the table."""
    held = tuple(outcome.ways[way].kind == "measured" and outcome.ways[way].passed for way in ("convert", "emulate"))
    silent = outcome.effect is None or outcome.effect <= TOLERANCES["float32"]
    return held == _HOLDS[fate] and (silent or fate != "no effect")


def try_out(work: Callable[[], Arrays], expected: Arrays) -> Value:
    """Measure the largest error of some arrays; "refused" if making them is refused.

    Args:
        work: a function that makes the arrays.
        expected: the expected arrays.
    """
    try:
        with warnings.catch_warnings():
            # emulate warns about arguments that it leaves to the training loop; the table lists them too
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
