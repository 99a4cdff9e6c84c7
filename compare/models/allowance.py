"""How far the arrays of two models may be apart: as a share of their size, and what rounding makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.models.pairing.pair import Pair

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Allowance:
    """How far arrays may be apart.

    Args:
        tolerance: the share of the largest number that is expected.
        least: the size that small arrays count as: 1 with a tolerance of the user's, which is then an absolute one for them.
        noise: by the index of a call of the expected model, what one rounding of inputs and weights makes of its inputs and of
            its results.
        results_noise: what it makes of each result of the model.
    """

    tolerance: float
    least: float = 0.0
    noise: Mapping[int, tuple[float, float]] = field(default_factory=dict)
    results_noise: tuple[float, ...] = ()

    def of_inputs(self, pair: Pair, wanted: Array) -> float:
        """Return the allowed difference of an input that must be this."""
        return self._of([wanted], self.noise.get(pair.expected[0].index, (0.0, 0.0))[0])

    def of_outputs(self, pair: Pair, wanted: Iterable[Array]) -> float:
        """Return the allowed difference of results that must be these."""
        return self._of(wanted, self.noise.get(pair.expected[-1].index, (0.0, 0.0))[1])

    def of_result(self, at: int, wanted: Array) -> float:
        """Return the allowed difference of the model's result at a place."""
        return self._of([wanted], self.results_noise[at] if at < len(self.results_noise) else 0.0)

    def _of(self, wanted: Iterable[Array], noise: float) -> float:
        return max(self.tolerance * max(self.least, size_of(wanted)), noise)


def size_of(arrays: Iterable[Array]) -> float:
    """Return the largest finite number in arrays of floats."""
    sizes = [float(np.abs(each[np.isfinite(each)]).max(initial=0)) for each in arrays if each.dtype.kind == "f"]
    return max(sizes, default=0.0)
