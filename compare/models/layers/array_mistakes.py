"""Naming how an array of a layer was made of the right one."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.models.recording.recorded import innermost, to_array
from frameworks.kinds import KERAS, PYTORCH, keras_kind, permutation
from frameworks.registry import owner_name

Array = npt.NDArray[Any]
_PLAIN = {"weight": "gamma", "bias": "beta"}
"""The Keras names of torch's arrays of a normalisation without a Keras kind that has listed arrays."""


def arrays_by_meaning(native: Any) -> dict[str, Array]:
    """Return the arrays of a layer by their Keras names, with their axes in torch's order where torch has such a module."""
    layer = innermost(native)
    name = type(layer).__name__
    if owner_name(layer) == "pytorch":
        kind = PYTORCH.get(name)
        found = {}
        for array in kind.arrays or ():
            value = getattr(layer, array.name, None)
            value = value() if callable(value) else value  # of a quantized module
            if value is not None and value.ndim:
                found[array.means or _PLAIN.get(array.name, array.name)] = to_array(value)
        return found
    target = PYTORCH.meaning(keras_kind(name))
    found = {}
    for array in KERAS.get(name).arrays or ():
        value = getattr(layer, array.name, None)
        if value is not None:
            own = target.meaning(array.name) if target is not None else None
            order = permutation(array, own) if own is not None else ()
            found[array.name] = to_array(value).transpose(order) if order else to_array(value)
    if not found:
        found = {name: to_array(getattr(layer, name)) for name in _PLAIN.values() if getattr(layer, name, None) is not None}
    return found


def in_keras_order(native: Any, name: str, value: Array) -> Array:
    """Return an array of `arrays_by_meaning` with its axes as a Keras layer stores it."""
    kind = type(native).__name__
    target, array = PYTORCH.meaning(keras_kind(kind)), KERAS.get(kind).array(name)
    own = target.meaning(name) if target is not None else None
    order = permutation(own, array) if own is not None and array is not None else ()
    return value.transpose(order) if order else value


def torch_name(native: Any, meaning: str) -> str:
    """Return the name under which a layer has the array of this Keras name."""
    layer = innermost(native)
    if owner_name(layer) != "pytorch":
        return meaning
    array = PYTORCH.get(type(layer).__name__).meaning(meaning)
    return array.name if array is not None else next((own for own, means in _PLAIN.items() if means == meaning), meaning)


def describe(name: str, wanted: dict[str, Array], found: dict[str, Array]) -> str:
    """Return how an array was made of the right one, in words; "" if the two are the same.

    Args:
        name: the Keras name of the array.
        wanted: the arrays of the expected layer.
        found: those of the actual one.
    """
    right, own = wanted.get(name), found.get(name)
    if own is None and right is not None:
        return f"has no {name}" if right.any() else ""
    if right is None or own is None:
        return f"has a {name}, which must not be there" if own is not None and _says_something(name, own) else ""
    if _same(right, own):
        return ""
    return (
        _another(name, wanted, own)
        or _moved(right, own)
        or _filled(own)
        or _rows(right, own)
        or _scaled(right, own)
        or f"is another array (the correlation is {_correlation(right, own)})"
    )


def _same(one: Array, two: Array) -> bool:
    return one.shape == two.shape and bool(
        np.abs(one - two).max(initial=0) <= 1e-6 * max(float(np.abs(one).max(initial=0)), 1e-9)
    )


def _says_something(name: str, own: Array) -> bool:
    neutral = 1.0 if name in ("gamma", "moving_variance") else 0.0
    return bool((own != neutral).any())


def _another(name: str, wanted: dict[str, Array], own: Array) -> str:
    return next(
        (f"holds the {other}" for other, each in wanted.items() if other != name and each.any() and _same(each, own)), ""
    )


def _moved(right: Array, own: Array) -> str:
    if right.size != own.size:
        return f"has shape {own.shape}, and must have {right.shape}"
    for axis in range(right.ndim):
        if _same(np.flip(right, axis), own):
            return f"is flipped along axis {axis}"
    for order in permutations(range(right.ndim)):
        if order != tuple(range(right.ndim)) and _same(right.transpose(order), own):
            return "is not transposed" if right.ndim == 2 else f"has its axes in the wrong order: use .permute{_inverse(order)}"
    for order in permutations(range(right.ndim)):
        if _same(right.transpose(order).reshape(own.shape), own):
            return "is reshaped, not transposed"
        for axis in range(right.ndim):
            if _same(np.flip(right.transpose(order), axis).reshape(own.shape), own):
                return "is flipped and has its axes in the wrong order"
    return ""


def _inverse(order: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(at) for at in np.argsort(order))


def _filled(own: Array) -> str:
    if not own.any():
        return "is zero"
    return "is one everywhere, as if it had not been copied" if (own == 1).all() else ""


def _rows(right: Array, own: Array) -> str:
    """Name what became of the rows of a table, such as an embedding's."""
    if right.ndim != 2 or right.shape != own.shape:
        return ""
    for shift in (each for each in (1, -1, 2, -2) if abs(each) < len(right)):
        kept = slice(max(shift, 0), len(right) + min(shift, 0))
        if _same(np.roll(right, shift, 0)[kept], own[kept]):
            rows = f"{abs(shift)} row{'s' if abs(shift) > 1 else ''}"
            return f"is shifted by {rows}: row i holds what row i {'-' if shift > 0 else '+'} {abs(shift)} must"
    differ = np.flatnonzero(np.abs(right - own).max(axis=1) > 1e-6 * np.abs(right).max())
    if 0 < len(differ) <= max(1, len(right) // 4):
        rows = ", ".join(map(str, differ[:4]))
        return f"differs in row {rows} only" + (
            ", which is zero (padding_idx sets it to zero)" if not own[differ].any() else ""
        )
    order = [int(np.abs(own - row).sum(axis=1).argmin()) for row in right]
    return "has its rows in another order" if sorted(order) == list(range(len(right))) and _same(own[order], right) else ""


def _scaled(right: Array, own: Array) -> str:
    if right.shape != own.shape:
        return ""
    off = float(np.abs(right - own).max())
    if off <= 2**-6 * float(np.abs(right).max()):
        if _is_rounded(own):
            return f"is rounded (off by {off:.2g})"
        if _is_rounded(right):
            return f"is not rounded as the right one is (off by {off:.2g})"
    factor = float(np.vdot(right, own)) / max(float(np.vdot(right, right)), 1e-30)
    if factor and _same(right * factor, own):
        return f"is multiplied by {factor:.6g}"
    root = np.sqrt(np.abs(right))
    if _same(root, own):
        return "is the root of the right one: the variance must be stored, not the standard deviation"
    return "is the square of the right one" if _same(right**2, own) else ""


def _is_rounded(own: Array) -> bool:
    """Return whether the numbers need fewer bits than their dtype has: float16's, bfloat16's, or few equal steps."""
    half = own.astype("float16").astype(own.dtype)
    if np.array_equal(half, own) or not (own.astype("float32").view("uint32") & 0xFFFF).any():
        return True
    steps = np.diff(np.unique(own.astype(float)))
    steps = steps[steps > 1e-7 * np.abs(own).max()]
    return bool(
        len(steps) < 256 and len(steps) and np.allclose(steps / steps.min(), np.round(steps / steps.min()), atol=0.05)
    ) or (bool(np.array_equal(np.round(own, 4), own) or np.allclose(np.round(own.astype(float), 3), own, atol=1e-7)))


def _correlation(right: Array, own: Array) -> str:
    if right.shape != own.shape or right.size < 2 or not right.std() or not own.std():
        return "unknown"
    return f"{np.corrcoef(right.ravel(), own.ravel())[0, 1]:.3f}"
