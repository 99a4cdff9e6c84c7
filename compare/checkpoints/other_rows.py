"""The verdict on a pair of layers that are not recurrent: their arrays and options, by their meaning in Keras."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from compare.checkpoints.array_differences import measure_constant, measure_stored, size_of_error
from compare.checkpoints.other_options import compare_options, is_class
from compare.checkpoints.shown_differences import shown_difference
from compare.checkpoints.verified import PairedBy, Row, Unstated, Verdict
from compare.groundwork.tolerance import TOLERANCES
from compare.parity.difference import Difference, measure
from compare.parity.verdict import Against, Comparison
from frameworks import kinds
from frameworks.files import OtherLayer
from frameworks.files.building.hard_sigmoids import COMPARED_AS_SUCH, FACTOR, OLD, TODAY, linear_arrays, other_with_todays
from frameworks.files.writing.blocks import BLOCK, Tensor, unchanged
from frameworks.files.writing.keras.layout import keras_arrays

_NEUTRAL = {"bias": 0.0, "beta": 0.0, "gamma": 1.0}
"""What an array that a layer may lack does not change a result with."""


@dataclass(frozen=True)
class Meaning:
    """The arrays of two layers by common names, with common axes.

    Args:
        kind: the kind in Keras; an empty record if the kind is not known, so that the arrays are compared as they are.
        expected: the arrays of the one layer.
        actual: the arrays of the other.
    """

    kind: kinds.Kind
    expected: Mapping[str, Tensor]
    actual: Mapping[str, Tensor]

    @property
    def has_same_sizes(self) -> bool:
        """Whether the layers have the same arrays with the same shapes."""
        return {name: each.shape for name, each in self.expected.items()} == {
            name: each.shape for name, each in self.actual.items()
        }

    @property
    def is_reordered(self) -> bool:
        """Whether each array is equal to one of the other layer, but not always to that of the same name."""
        left = list(self.actual.values())
        if all(_is_equal(one, other) for one, other in zip(self.expected.values(), left, strict=True)):
            return False
        for one in self.expected.values():
            partner = next((other for other in left if _is_equal(one, other)), None)
            if partner is None:
                return False
            left.remove(partner)
        return True

    def compare(self, tolerance: float | None) -> Iterator[Comparison]:
        """Compare the arrays; one that only one of the layers has is compared with the numbers that change nothing."""
        for name in dict.fromkeys((*self.expected, *self.actual)):
            one, other = self.expected.get(name), self.actual.get(name)
            difference = _measure(name, one, other)
            dtypes = {"float64" if each.dtype.name == "float64" else "float32" for each in (one, other) if each is not None}
            allowed = tolerance or max(TOLERANCES[dtype] for dtype in dtypes)
            where = self._place(name, difference)
            yield Comparison.of(name, difference, where, allowed, Against.EXPECTED, kind="weights", array=name)

    def _place(self, name: str, difference: Difference) -> dict[str, int | str] | None:
        if difference.index is None or not difference.max_abs:
            return None
        array = self.kind.array(name)
        named = [axis for axis in array.axes if axis != kinds.ANY_AXES] if array else []
        lacking = len(difference.index) - len(named)
        axes = [*(f"axis {axis}" for axis in range(lacking)), *named][-len(difference.index) :] if difference.index else []
        return dict(zip(axes, difference.index, strict=True))


def compare_other(
    expected: OtherLayer, actual: OtherLayer, *, paired_by: PairedBy = "name", tolerance: float | None = None
) -> Row:
    """Compare the arrays and the options of two layers.

    Args:
        expected: the layer of the first file.
        actual: the layer of the second file.
        paired_by: what the pairing relies on.
        tolerance: the allowed error as a share of max(1, max |expected|); None for the default of the dtype.
    """
    expected, actual, notes = _with_one_hard_sigmoid(expected, actual)
    meaning = meaning_of(expected, actual)
    causes: list[str] = []
    unclear: list[str] = []
    unstated: list[Unstated] = []
    comparisons: list[Comparison] = []
    if isinstance(meaning, str):
        (unclear if _is_unclear(expected, actual) else causes).append(meaning)
    else:
        comparisons = list(meaning.compare(tolerance))
        lacking = list(_lacking(meaning, expected, actual))
        comparisons = [each for each in comparisons if each.name not in lacking]
        unclear += (f"one of the files does not state which array is its {name}" for name in lacking)
        causes += _describe(comparisons, meaning)
        differences, unstated = compare_options(meaning.kind, expected, actual)
        causes += differences
        unclear += _open_questions(expected, actual)
    failed = [each for each in comparisons if not each.within]
    verdict: Verdict = "differs" if causes else "not compared" if unclear else "same"
    worst = max(failed, key=lambda each: size_of_error(each.max_abs), default=None)
    return Row(
        expected=(expected.name,),
        actual=(actual.name,),
        verdict=verdict,
        kind=expected.kind or actual.kind or "arrays",
        largest_error=max((each.max_abs for each in comparisons), key=size_of_error, default=None),
        where=None if worst is None else worst.where,
        cause="; ".join(causes or unclear),
        unstated=tuple(unstated),
        paired_by=paired_by,
        comparisons=tuple(comparisons),
        notes=notes,
    )


def _with_one_hard_sigmoid(expected: OtherLayer, actual: OtherLayer) -> tuple[OtherLayer, OtherLayer, tuple[str, ...]]:
    """Return both with Keras 3's hard_sigmoid if one has it where the other has that of Keras 2, and a note of it."""
    both = (expected, actual)
    if {str(each.config.get("activation")) for each in both} != {OLD, TODAY} or any(each.is_recurrent for each in both):
        return expected, actual, ()
    if not all(each.known and linear_arrays(each.stored) for each in both):
        return expected, actual, ()
    one, other = (other_with_todays(each) if each.config["activation"] == OLD else each for each in both)
    return one, other, (COMPARED_AS_SUCH.format("activation"),)


def rescaled_note(one: OtherLayer, other: OtherLayer, left: list[OtherLayer]) -> str:
    """Return the note of an activation with Keras 2's hard_sigmoid whose partner has Keras 3's behind a Rescaling.

    Args:
        one: the layer that may have Keras 2's.
        other: its partner.
        left: the layers of the partner's file without a partner; the Rescaling is taken out of them.

    Returns:
        The note, or "" for any other pair.
    """
    if (one.kind, other.kind, one.config.get("activation"), other.config.get("activation")) != (
        *("Activation",) * 2,
        OLD,
        TODAY,
    ):
        return ""
    for each in left:
        stated = (each.kind, each.config.get("scale"), each.config.get("offset", 0.0))
        if each.name == f"{other.name}_rescaled" and stated == ("Rescaling", FACTOR, 0.0):
            left.remove(each)
            return f"activation: Keras 2's hard_sigmoid is that of Keras 3 behind {each.name}, a Rescaling({FACTOR})"
    return ""


def meaning_of(expected: OtherLayer, actual: OtherLayer) -> Meaning | str:
    """Return the arrays of two layers with their common meaning, or the reason why there is none.

    If only one of the files states the kind, the arrays of the other are read as those of that kind.
    """
    stated = [kinds.keras_kind(layer.kind) if _is_known(layer) else "" for layer in (expected, actual)]
    if all(stated) and stated[0] != stated[1]:
        return f"is {_named(actual)}, not {_named(expected)}"
    if any(stated) and expected.stored and actual.stored:
        name = stated[0] or stated[1]
        both = _as_kind(expected, name, actual), _as_kind(actual, name, expected)
        if both[0] is not None and both[1] is not None:
            return Meaning(kinds.KERAS.get(name), both[0], both[1])
        return f"it is {_article(name)} in one file; the other does not state what its arrays mean"
    both_unread = expected.is_recurrent and actual.is_recurrent  # one of the files may name only the cell
    if is_class(expected) and is_class(actual) and expected.kind != actual.kind and not both_unread:
        return f"is {_named(actual)}, not {_named(expected)}"
    return _as_they_are(expected, actual)


def why_unread(layer: OtherLayer) -> str:
    """Return why a recurrent layer could not be read as one, without a full stop."""
    return layer.warnings[0].removesuffix(".")


def _is_known(layer: OtherLayer) -> bool:
    return is_class(layer) and (layer.known or layer.kind in kinds.PYTORCH.kinds) and bool(layer.stored)


def _as_kind(layer: OtherLayer, name: str, partner: OtherLayer) -> dict[str, Tensor] | None:
    """Return the arrays of a layer by the names of a Keras kind, or None if they cannot be those of the kind."""
    module = kinds.PYTORCH.meaning(name)
    if is_class(layer) and kinds.keras_kind(layer.kind) != name:
        return None
    if not is_class(layer) and module is not None:
        layer = replace(layer, kind=module.name)
    own = keras_arrays(replace(layer, known=True))
    if own is None and all(each.isdecimal() for each in layer.stored) and len(layer.stored) == len(partner.stored):
        own = keras_arrays(replace(layer, kind=name, known=True, stored=_numbered(layer, name)))
    return own


def _numbered(layer: OtherLayer, name: str) -> dict[str, Any]:
    """Return arrays that a file lists by number by the names of a Keras kind."""
    arrays = kinds.KERAS.get(name).arrays or ()
    return dict(zip((array.name for array in arrays), layer.stored.values(), strict=False))


def _as_they_are(expected: OtherLayer, actual: OtherLayer) -> Meaning | str:
    one, other = ({name: unchanged(array) for name, array in layer.stored.items()} for layer in (expected, actual))
    in_order = [each.shape for each in one.values()] == [each.shape for each in other.values()]
    if one.keys() == other.keys():
        return Meaning(kinds.KERAS.get(expected.kind), one, other)
    numbered = any(all(name.isdecimal() for name in layer.stored) for layer in (expected, actual))
    if in_order and (numbered or (is_class(expected) and is_class(actual))):
        meaning = Meaning(kinds.KERAS.get(expected.kind), one, dict(zip(one, other.values(), strict=True)))
        if not meaning.is_reordered:
            return meaning
        return "its arrays are the same in another order, and neither file states which is which"
    return "its arrays have different names in the two files, and nothing states which are the same"


def _lacking(meaning: Meaning, expected: OtherLayer, actual: OtherLayer) -> Iterator[str]:
    """Yield the arrays that a layer must have, but lacks in a file that does not state its kind."""
    for layer, own, partner in (
        (expected, meaning.expected, meaning.actual),
        (actual, meaning.actual, meaning.expected),
    ):
        if not layer.known:
            yield from (name for name in partner if name not in own and name not in _NEUTRAL)


def _is_unclear(expected: OtherLayer, actual: OtherLayer) -> bool:
    """Return whether a missing common meaning is a gap in what is known, rather than a difference."""
    return not (is_class(expected) and is_class(actual)) or expected.kind == actual.kind


def _open_questions(expected: OtherLayer, actual: OtherLayer) -> Iterator[str]:
    for layer in (expected, actual):
        if layer.is_recurrent:
            yield f"its arrays are the same, but {why_unread(layer)}"
            return
    if not expected.known and not actual.known and expected.warnings != actual.warnings and not expected.stored:
        yield "neither file states what it is"
    for layer, partner in ((expected, actual), (actual, expected)):
        if layer.kind in kinds.PYTORCH.kinds and not layer.known and (partner.known or partner.kind != layer.kind):
            for unlike in (each.removesuffix(".") for each in layer.warnings if "lacks" in each):
                yield unlike if partner.kind else f"{unlike.rpartition(', which')[0]}, which the other file does not state"


def _is_equal(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and measure_stored(one, other).max_abs == 0


def _measure(name: str, one: Tensor | None, other: Tensor | None) -> Difference:
    if one is not None and other is not None:
        return measure_stored(one, other)
    there = one if one is not None else other
    if there is None or name not in _NEUTRAL:
        shape = () if there is None else there.shape
        return Difference(shape, math.inf, None, 1.0)
    return measure_constant(there, _NEUTRAL[name])


def _describe(comparisons: Sequence[Comparison], meaning: Meaning) -> Iterator[str]:
    for each in comparisons:
        if each.within:
            continue
        if math.isinf(each.max_abs) and each.other_shape is None and each.where is None:
            side = "first" if each.name in meaning.expected else "second"
            yield f"only the {side} file has its {each.name}"
            continue
        one, other = meaning.expected.get(each.name), meaning.actual.get(each.name)
        if one is None or other is None:
            yield f"{shown_difference(each)}, and only the {'second' if one is None else 'first'} file has it"
        elif _is_transposed(one, other, each.allowed):
            yield f"{each.name} is transposed"
        else:
            yield shown_difference(each)


def _is_transposed(expected: Tensor, actual: Tensor, allowed: float) -> bool:
    """Return whether a square matrix is the transpose of another, if it is small enough to be read as a whole."""
    if len(expected.shape) != 2 or expected.shape[::-1] != actual.shape or expected.nbytes > BLOCK:
        return False
    one, other = (np.concatenate([block.reshape(-1) for block in each.blocks()]) for each in (expected, actual))
    return bool(measure(one.reshape(expected.shape), other.reshape(actual.shape).T).max_abs <= allowed)


def _named(layer: OtherLayer) -> str:
    return _article(layer.kind) if is_class(layer) else "of an unknown kind"


def _article(name: str) -> str:
    return f"{'an' if name[:1] in 'AEIOU' else 'a'} {name}"
