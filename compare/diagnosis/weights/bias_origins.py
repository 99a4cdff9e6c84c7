"""From which right biases the biases of a port were made, and by which mistakes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from compare.diagnosis.weights.fitting import EXACT, Fit, fit, fit_reordered
from compare.diagnosis.weights.origins import Place, Right
from compare.diagnosis.weights.rounding import ROUNDINGS, round_like
from frameworks.spec import RecurrentSpec
from frameworks.weights import DirectionWeights

Array = npt.NDArray[np.floating]
Pair = tuple[Array, Array]
"""The bias and the recurrent bias, each (gate, hidden); the second is zero where there is only one."""


@dataclass(frozen=True)
class Change:
    """What becomes of two biases.

    Args:
        mistake: its identifier.
        make: the function that makes the port's biases of the right ones.
        found: what the port has then, in words.
    """

    mistake: str
    make: Callable[[Array, Array], Pair]
    found: str


CHANGES: tuple[Change, ...] = (
    Change("bias-doubled", lambda bias, second: (bias * 2, second * 2), "twice the bias acts"),
    Change("bias-doubled", lambda bias, second: (bias + second, bias + second), "the sum of both biases, in both"),
    Change("bias-doubled", lambda bias, second: (bias * 2, second), "twice the first bias"),
    Change("bias-doubled", lambda bias, _: (bias, bias), "the first bias, in both"),
    Change("bias-doubled", lambda _, second: (second, second), "the second bias, in both"),
    Change("bias-halved", lambda bias, second: (bias / 2, second / 2), "half of the bias acts"),
    Change("bias-halved", lambda bias, second: (bias / 2, second), "half of the first bias"),
    Change("bias-halved", lambda bias, second: ((bias + second) / 2, np.zeros_like(second)), "the mean of both biases"),
    Change("recurrent-bias-dropped", lambda bias, second: (bias, np.zeros_like(second)), "the first bias alone"),
    Change("bias-dropped", lambda bias, second: (np.zeros_like(bias), np.zeros_like(second)), "zeros"),
    Change("bias-dropped", lambda bias, second: (np.zeros_like(bias), second), "the second bias alone"),
    Change("biases-swapped", lambda bias, second: (second, bias), "the second bias, then the first"),
    Change(
        "biases-summed",
        lambda bias, second: (bias + second, np.zeros_like(second)),
        "their sum, then zeros",
    ),
    Change(
        "biases-summed",
        lambda bias, second: (np.zeros_like(bias), bias + second),
        "zeros, then their sum",
    ),
)
"""What becomes of the two biases, the likeliest first."""

OFFSETS: Mapping[str, float] = MappingProxyType({"forget-bias-missing": -1.0, "forget-bias-twice": 1.0})
"""What is added to the bias of the forget gate, by identifier."""


def offset_in_words(mistake: str) -> str:
    """Return what the forget gate has, in words."""
    return f"the right bias {'-' if OFFSETS[mistake] < 0 else '+'} 1"


@dataclass(frozen=True)
class BiasOrigin:
    """How the biases of the port were made of right ones. Without a mistake, they are those of the same place.

    Args:
        source: the layer and direction of the right biases.
        change: the number in CHANGES of what became of the two, or None.
        offset: the identifier of what was added to the forget gate; "" if nothing.
        gates: for each gate, the number of the gate whose biases it has.
        fit: how the numbers were changed.
    """

    source: Place
    change: int | None = None
    offset: str = ""
    gates: tuple[int, ...] = ()
    fit: Fit = EXACT

    @property
    def mistakes(self) -> tuple[str, ...]:
        """The identifiers of the mistakes; another place is left to the caller."""
        named = ["" if self.change is None else CHANGES[self.change].mistake, self.offset]
        named += ["gates-permuted"] * (self.gates != tuple(range(len(self.gates))))
        named += ["scaled"] * (self.fit.scale != 1) + ["rounded"] * bool(self.fit.rounded)
        named += ["units-permuted"] * bool(self.fit.columns)
        return tuple(each for each in named if each)

    def cost(self, place: Place) -> int:
        """The number of mistakes."""
        return (self.source != place) + len(self.mistakes)


def pair_of(weights: DirectionWeights) -> Pair:
    """Return both biases of a direction, zeros for those that it lacks."""
    shape = weights.kernel.shape[0], weights.kernel.shape[2]
    zeros: Array = np.zeros(shape, weights.kernel.dtype)
    bias, second = (zeros if each is None else each for each in (weights.bias, weights.recurrent_bias))
    return bias, second


def effective(pair: Pair, spec: RecurrentSpec) -> Array:
    """Return the numbers that act: each gate's sum, and both biases of a candidate whose second one the reset gate scales."""
    rows: list[Array] = [pair[0] + pair[1]]
    if spec.has_two_biases:
        candidate = spec.gates.index("candidate")
        rows += [pair[0][candidate : candidate + 1], pair[1][candidate : candidate + 1]]
    return np.concatenate(rows)


def make(origin: BiasOrigin, right: Right) -> Pair:
    """Make the biases of the port again from the right ones. A rounding is not repeated."""
    pair = pair_of(right.weights.layers[origin.source[0]][origin.source[1]])
    bias, second = (origin.fit.apply(each[list(origin.gates)]) for each in _changed(pair, origin, right.spec))
    return bias, second


def _changed(pair: Pair, origin: BiasOrigin, spec: RecurrentSpec) -> Pair:
    if origin.change is not None:
        pair = CHANGES[origin.change].make(*pair)
    if origin.offset:
        added = np.zeros_like(pair[0])
        added[spec.gates.index("forget")] = OFFSETS[origin.offset]
        pair = pair[0] + added, pair[1]
    return pair


def bias_origins(actual: Pair, right: Right, place: Place) -> list[BiasOrigin]:
    """Return the origins of two biases with the fewest mistakes; several if they make the same numbers, none if unrelated.

    Args:
        actual: the biases of the port.
        right: the right layer.
        place: the layer and direction of the biases.
    """
    found = _fewest(actual, right, place)
    if found or right.spec.has_two_biases or not pair_of(right.weights.layers[place[0]][place[1]])[1].any():
        return found
    for rounding in ROUNDINGS:
        found = _fewest(actual, right, place, rounding)
        if found:
            return [replace(each, fit=replace(each.fit, rounded=rounding)) for each in found]
    return []


def _fewest(actual: Pair, right: Right, place: Place, rounding: str = "") -> list[BiasOrigin]:
    """Return the origins with the fewest mistakes; `rounding` is that of each right bias before the two were added."""
    found: list[BiasOrigin] = []
    tried: set[tuple[tuple[str, ...], bytes]] = set()
    for origin in sorted(_candidates(right, place), key=lambda each: each.cost(place)):
        fewest = found[0].cost(place) if found else 1 << 30
        if origin.cost(place) > fewest:
            break
        bias, second = pair_of(right.weights.layers[origin.source[0]][origin.source[1]])
        if rounding:
            bias, second = round_like(bias, rounding), round_like(second, rounding)
        changed = _changed((bias, second), origin, right.spec)
        numbers = origin.mistakes, effective(changed, right.spec).tobytes()
        without = changed[0].any() or changed[1].any() or "bias-dropped" in origin.mistakes or not (bias.any() or second.any())
        whole = None if numbers in tried or not without else _fitted(origin, actual, changed, right.spec)
        tried.add(numbers)
        if whole is None:
            continue
        if whole.cost(place) < fewest:
            found = [whole]
        elif whole.cost(place) == fewest and whole.fit.scale == 1:
            found = [each for each in found if each.fit.scale == 1] + [whole]
    return found


def part_origins(actual: Array, right: Right, place: Place, number: int) -> list[BiasOrigin]:
    """Return the origins of one of two biases, from the same one of right biases, with the fewest mistakes.

    Args:
        actual: the bias of the port, (gate, hidden).
        right: the right layer.
        place: the layer and direction of the bias.
        number: 0 for the bias, 1 for the recurrent bias.
    """
    found = []
    for source in right.places:
        expected = pair_of(right.weights.layers[source[0]][source[1]])[number]
        order = _order_of_gates(actual, expected)
        fitted = _fit(actual, expected[list(order)]) if order else None
        moved = fit_reordered(actual, expected) if fitted is None and actual.any() and expected.any() else None
        if fitted is not None:
            found.append(BiasOrigin(source, gates=order, fit=fitted))
        elif moved is not None and moved.columns:
            found.append(BiasOrigin(source, gates=moved.rows or tuple(range(len(actual))), fit=replace(moved, rows=())))
        elif not actual.any() and expected.any():
            dropped = ("bias-dropped", "recurrent-bias-dropped")[number]
            change = next(index for index, each in enumerate(CHANGES) if each.mistake == dropped)
            found.append(BiasOrigin(source, change, gates=tuple(range(len(actual)))))
    fewest = min((each.cost(place) for each in found), default=0)
    return [each for each in found if each.cost(place) == fewest]


def _fitted(origin: BiasOrigin, actual: Pair, made: Pair, spec: RecurrentSpec) -> BiasOrigin | None:
    acting, total, wanted = effective(actual, spec), actual[0] + actual[1], made[0] + made[1]
    in_order = tuple(range(len(total)))
    if origin.offset and _is_near(acting, effective(made, spec)):
        return replace(origin, gates=in_order)
    orders = dict.fromkeys((in_order, _order_of_gates(total, wanted), _order_of_gates(actual[0], made[0])))
    for order in orders:
        if order:
            taken = made[0][list(order)], made[1][list(order)]
            fitted = _fit(acting, effective(taken, spec)) or _fit_both(actual, taken)
            if fitted is not None:
                return replace(origin, gates=order, fit=fitted)
    for one, other in ((total, wanted), (actual[0], made[0])):
        moved = fit_reordered(one, other) if one.any() and other.any() else None
        if moved is not None and moved.columns:
            order, columns = moved.rows or in_order, list(moved.columns)
            taken = made[0][list(order)][:, columns], made[1][list(order)][:, columns]
            fitted = _fit(acting, effective(taken, spec)) or _fit_both(actual, taken)
            if fitted is not None:
                return replace(origin, gates=order, fit=replace(fitted, columns=moved.columns))
    return None


def _is_near(actual: Array, expected: Array) -> bool:
    """Return whether two arrays differ by what the rounding of a constant as large as 1 leaves."""
    return bool((np.abs(actual - expected) <= 8 * np.finfo(actual.dtype).eps * max(1.0, float(np.abs(expected).max()))).all())


def _order_of_gates(actual: Array, expected: Array) -> tuple[int, ...]:
    """Return, for each gate, the number of the gate whose numbers it has; () if one has those of none."""
    order: list[int] = []
    for number, row in enumerate(actual):
        own_first = sorted(set(range(len(expected))) - set(order), key=lambda gate: gate != number)
        gate = next((gate for gate in own_first if _fit(row, expected[gate]) is not None), None)
        if gate is None:
            return ()
        order.append(gate)
    return tuple(order)


def _fit(actual: Array, expected: Array) -> Fit | None:
    if not actual.any() or not expected.any():
        return None if actual.any() or expected.any() else EXACT
    return fit(actual.ravel(), expected.ravel())


def _fit_both(actual: Pair, made: Pair) -> Fit | None:
    """Fit each of the two biases, of which each may have been rounded before they are added."""
    fits = [_fit(one, other) for one, other in zip(actual, made, strict=True) if one.any() or other.any()]
    return fits[0] if len(fits) == 2 and fits[0] == fits[1] else None


def _candidates(right: Right, place: Place) -> Iterator[BiasOrigin]:
    offsets = ["", *OFFSETS] if "forget" in right.spec.gates else [""]
    apart = ("biases-summed", "biases-swapped")  # no mistakes where only the sum acts
    changes = [number for number, each in enumerate(CHANGES) if right.spec.has_two_biases or each.mistake not in apart]
    for source in sorted(right.places, key=lambda each: each != place):
        for change in (None, *changes):
            for offset in offsets:
                yield BiasOrigin(source, change, offset)
