"""From which right biases the biases of a port were made, and by which mistakes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from compare.diagnosis.fitting import Fit, fit
from compare.diagnosis.origins import Place, Right
from frameworks.spec import RecurrentSpec
from frameworks.weights import DirectionWeights

Array = npt.NDArray[np.floating]
Pair = tuple[Array, Array]
"""The bias and the recurrent bias, each (gate, hidden); the second is zero where there is only one."""


def _only_first(bias: Array, second: Array) -> Pair:
    return bias, np.zeros_like(second)


def _only_second(bias: Array, second: Array) -> Pair:
    return np.zeros_like(bias), second


def _none(bias: Array, second: Array) -> Pair:
    return np.zeros_like(bias), np.zeros_like(second)


CHANGES: Mapping[str, tuple[Callable[[Array, Array], Pair], ...]] = MappingProxyType(
    {
        "bias-doubled": (
            lambda bias, second: (bias * 2, second * 2),
            lambda bias, second: (bias + second, bias + second),
            lambda bias, second: (bias * 2, second),
        ),
        "bias-halved": (lambda bias, second: (bias / 2, second / 2), lambda bias, second: (bias / 2, second)),
        "recurrent-bias-dropped": (_only_first,),
        "bias-dropped": (_only_second, _none),
        "biases-swapped": (lambda bias, second: (second, bias),),
        "biases-summed": (
            lambda bias, second: (bias + second, np.zeros_like(second)),
            lambda bias, second: (np.zeros_like(bias), bias + second),
        ),
    }
)
"""What becomes of the two biases, by identifier."""

OFFSETS: Mapping[str, float] = MappingProxyType({"forget-bias-missing": -1.0, "forget-bias-twice": 1.0})
"""What is added to the bias of the forget gate, by identifier."""


@dataclass(frozen=True)
class BiasOrigin:
    """How the biases of the port were made of right ones. Without a mistake, they are those of the same place.

    Args:
        source: the layer and direction of the right biases.
        change: the identifier of what became of the two biases, and the number of the variant; ("", 0) if nothing.
        offset: the identifier of what was added to the forget gate; "" if nothing.
        gates: for each gate, the number of the gate whose biases it has.
        fit: how the numbers were changed.
        gate: the number of the only gate that is changed by `change`; None for all.
    """

    source: Place
    change: tuple[str, int] = ("", 0)
    offset: str = ""
    gates: tuple[int, ...] = ()
    fit: Fit = Fit()

    def mistakes(self, place: Place) -> tuple[str, ...]:
        """Return the identifiers of the mistakes; another place is left to the caller."""
        named = [self.change[0], self.offset]
        named += ["gates-permuted"] if self.gates != tuple(range(len(self.gates))) else []
        named += ["scaled"] * (self.fit.scale != 1) + ["rounded"] * bool(self.fit.rounded)
        named += ["units-permuted"] * bool(self.fit.columns)
        return tuple(each for each in named if each)

    def cost(self, place: Place) -> int:
        """The number of mistakes."""
        return (self.source != place) + len(self.mistakes(place))


def pair_of(weights: DirectionWeights) -> Pair:
    """Return both biases of a direction, zeros for those that it lacks."""
    shape = weights.kernel.shape[0], weights.kernel.shape[2]
    zeros = np.zeros(shape, weights.kernel.dtype)
    return tuple(zeros if each is None else each for each in (weights.bias, weights.recurrent_bias))  # type: ignore[return-value]


def effective(pair: Pair, spec: RecurrentSpec) -> Array:
    """Return the numbers that act: the sum of each gate's biases; both of a candidate whose second bias the reset gate scales."""
    rows = [pair[0] + pair[1]]
    if spec.has_two_biases:
        candidate = spec.gates.index("candidate")
        rows += [pair[0][candidate : candidate + 1], pair[1][candidate : candidate + 1]]
    return np.concatenate(rows)


def make(origin: BiasOrigin, right: Right) -> Pair:
    """Make the biases of the port again from the right ones. A rounding is not repeated."""
    pair = pair_of(right.weights.layers[origin.source[0]][origin.source[1]])
    pair = _changed(pair, origin, right.spec)
    bias, second = (origin.fit.apply(each) for each in pair)
    return bias, second


def _changed(pair: Pair, origin: BiasOrigin, spec: RecurrentSpec) -> Pair:
    if origin.change[0]:
        pair = CHANGES[origin.change[0]][origin.change[1]](*pair)
    if origin.offset:
        added = np.zeros_like(pair[0])
        added[spec.gates.index("forget")] = OFFSETS[origin.offset]
        pair = pair[0] + added, pair[1]
    order = list(origin.gates)
    return pair[0][order], pair[1][order]


def bias_origins(actual: Pair, right: Right, place: Place, likely: Sequence[tuple[int, ...]] = ()) -> list[BiasOrigin]:
    """Return the origins of two biases with the fewest mistakes; several if they make the same numbers, none if unrelated.

    Args:
        actual: the biases of the port.
        right: the right layer.
        place: the layer and direction of the biases.
        likely: the orders of gates that the matrices of this place have.
    """
    acting = effective(actual, right.spec)
    found: list[BiasOrigin] = []
    for origin in sorted(_candidates(right, place, likely), key=lambda each: each.cost(place)):
        fewest = found[0].cost(place) if found else 1 << 30
        if origin.cost(place) > fewest:
            break
        changed = _changed(pair_of(right.weights.layers[origin.source[0]][origin.source[1]]), origin, right.spec)
        fitted = _fit(acting, effective(changed, right.spec)) or _fit_both(actual, changed)
        if fitted is None and not origin.change[0] and not origin.offset:
            fitted = _in_other_order(acting, effective(changed, right.spec))
        if fitted is None:
            continue
        whole = replace(origin, fit=fitted)
        if whole.cost(place) < fewest:
            found = [whole]
        elif whole.cost(place) == fewest and fitted.scale == 1:
            found = [each for each in found if each.fit.scale == 1] + [whole]
    return found


def _fit(acting: Array, made: Array) -> Fit | None:
    if not made.any() or not acting.any():
        return None if made.any() or acting.any() else Fit()
    return fit(acting.ravel(), made.ravel(), orders=False)


def _fit_both(actual: Pair, made: Pair) -> Fit | None:
    """Fit each of the two biases, of which each may have been rounded before they are added."""
    if not all(each.any() for each in (*actual, *made)):
        return None
    fits = [_fit(one, other) for one, other in zip(actual, made, strict=True)]
    return fits[0] if fits[0] == fits[1] else None


def _in_other_order(acting: Array, made: Array) -> Fit | None:
    whole = fit(acting, made, orders=True)
    return whole if whole is not None and whole.columns and not whole.rows else None


def _candidates(right: Right, place: Place, likely: Sequence[tuple[int, ...]]) -> Iterator[BiasOrigin]:
    count = len(right.spec.gates)
    orders = dict.fromkeys([tuple(range(count)), *likely, *permutations(range(count))])
    changes = [("", 0), *((name, number) for name, variants in CHANGES.items() for number in range(len(variants)))]
    offsets = ["", *OFFSETS] if "forget" in right.spec.gates else [""]
    for source in sorted(right.places, key=lambda each: each != place):
        for change in changes:
            for offset in offsets:
                for order in orders:
                    yield BiasOrigin(source, change, offset, order)
