"""Naming what a port does with a result before the next layer gets it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from compare.diagnosis.expressions import expressions
from frameworks.activations import ACTIVATIONS
from frameworks.output import RecurrentOutput
from frameworks.spec import RecurrentSpec

Array = npt.NDArray[np.floating]


class Form(NamedTuple):
    """An expression over the results of a layer, and its value."""

    text: str
    value: Array


def explain_between(
    before: Array | None, whole: RecurrentOutput | None, spec: RecurrentSpec | None, wanted: Array, found: Array
) -> str:
    """Return what the port hands on and what it must, "" if that is not known.

    Args:
        before: what the last layer that agrees returned, the expected model's.
        whole: its whole results, if it is recurrent.
        spec: its spec.
        wanted: what the next layer of the expected model gets.
        found: what that of the port gets.
    """
    forms = list(_forms(before, whole, spec))
    must_be = _text_of(wanted, forms)
    has = _text_of(found, forms)
    if has and must_be and has != must_be:
        return f"{must_be}, not {has}"
    direct = _relation(wanted, found)
    return direct or (f"it must be {must_be}" if must_be else f"it is {has}" if has else "")


def _text_of(array: Array, forms: list[Form]) -> str:
    return next((form.text for form in forms if form.value.shape == array.shape and _same(form.value, array)), "")


def _same(one: Array, two: Array) -> bool:
    return bool(np.abs(one - two).max(initial=0) <= 2e-5 * max(1.0, float(np.abs(one).max(initial=0))))


def _forms(before: Array | None, whole: RecurrentOutput | None, spec: RecurrentSpec | None) -> Iterator[Form]:
    if whole is not None and spec is not None:
        yield from (Form(each.text, np.asarray(each.value)) for each in expressions(whole, spec))
    if before is None:
        return
    yield Form("x", before)
    for axis in range(1, before.ndim):
        yield Form(f"x.flip({axis})", np.flip(before, axis))
        yield Form(f"x.mean({axis})", before.mean(axis))
        yield Form(f"x.amax({axis})", before.max(axis))
        yield Form(f"softmax(x, {axis})", _softmax(before, axis))
    for name in ("relu", "tanh", "sigmoid", "elu", "silu", "gelu", "softplus"):
        yield Form(f"{name}(x)", ACTIVATIONS[name](before))
    if before.ndim > 2:
        yield Form("x.flatten(1)", before.reshape(len(before), -1))
        moved = np.moveaxis(before, 1, -1)
        yield Form("x.movedim(1, -1).flatten(1)", moved.reshape(len(before), -1))
        back = np.moveaxis(before, -1, 1)
        yield Form("x.movedim(-1, 1).flatten(1)", back.reshape(len(before), -1))
        yield Form("x[:, -1]", before[:, -1])
        yield Form("x[:, 0]", before[:, 0])
        yield Form("x.transpose(1, 2)", before.swapaxes(1, 2))


def _relation(wanted: Array, found: Array) -> str:
    """Name what makes one of two arrays of the other."""
    if wanted.shape != found.shape:
        return f"shape {wanted.shape}, not {found.shape}" if wanted.size != found.size else ""
    for form in _forms(found, None, None):
        if form.text != "x" and form.value.shape == wanted.shape and _same(form.value, wanted):
            return f"{form.text} of what it gets"
    for form in _forms(wanted, None, None):
        if form.text != "x" and form.value.shape == found.shape and _same(form.value, found):
            return f"it gets {form.text} of what it must get"
    norm = float(np.vdot(found, found))
    scale = float(np.vdot(wanted, found)) / norm if norm else 0.0
    if scale and _same(found * scale, wanted):
        return f"times {scale:g}"
    half = wanted.shape[-1] // 2
    if wanted.shape[-1] % 2 == 0 and _same(np.concatenate((found[..., half:], found[..., :half]), -1), wanted):
        return "the halves are exchanged: concatenate in the other order"
    return ""


def _softmax(x: Array, axis: int) -> Array:
    shifted = np.exp(x - x.max(axis=axis, keepdims=True))
    result: Array = shifted / shifted.sum(axis=axis, keepdims=True)
    return result
