"""The expressions by which a port may hand on results: of one array, of two, and of a recurrent layer's whole results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.diagnosis.call.expressions import expressions
from compare.diagnosis.call.simulation import Simulated
from frameworks.activations import ACTIVATIONS
from frameworks.output import RecurrentOutput
from frameworks.spec import RecurrentSpec

Array = npt.NDArray[Any]
_ACTIVATIONS = ("relu", "tanh", "sigmoid", "elu", "silu", "gelu", "softplus", "selu", "exponential", "log_softmax", "relu6")


@dataclass(frozen=True, eq=False)
class Source:
    """A result of the port that later modules may get.

    Args:
        name: the module that returned it, or the input.
        value: what it returned; None for a recurrent layer, whose results are in `whole`.
        whole: the whole results of a recurrent layer.
        spec: its spec.
        mask: (batch, time) bool: the mask that belongs to its time steps, or None.
        zero_masked: whether a recurrent layer returns zeros at masked steps.
    """

    name: str
    value: Array | None = None
    whole: RecurrentOutput | None = None
    spec: RecurrentSpec | None = None
    mask: Array | None = None
    zero_masked: bool = True


@dataclass(frozen=True, eq=False)
class Form:
    """An expression with its value.

    Args:
        text: the expression; a module's name stands for what it returns.
        value: its value.
    """

    text: str
    value: Array


def plain_forms(sources: Sequence[Source]) -> Iterator[Form]:
    """Yield the results themselves, and the expressions over the whole results of recurrent layers."""
    for source in sources:
        if source.whole is not None and source.spec is not None:
            for each in expressions(Simulated(source.whole, _steps_of(source)), source.spec, zero_masked=source.zero_masked):
                yield Form(f"{each.text} of {source.name}", np.asarray(each.value))
            yield from _last_valid_step(source)
        if source.value is not None:
            yield Form(source.name, source.value)


def unary_forms(source: Source) -> Iterator[Form]:
    """Yield the expressions over a single array."""
    x, name = source.value, source.name
    if x is None and source.whole is not None:
        x, name = source.whole.output, f"output of {source.name}"
    if x is None or x.dtype.kind != "f":
        yield from () if x is None else _of_integers(name, x)
        return
    yield from _elementwise(name, x)
    yield from _over_axes(name, x)
    if source.mask is not None and x.ndim == 3 and source.mask.shape == x.shape[:2]:
        yield from _with_mask(name, x, source.mask.astype(bool))
    yield from _reshaped(name, x)


def binary_forms(sources: Sequence[Source]) -> Iterator[Form]:
    """Yield the expressions over two arrays: sums, products, and both orders of a concatenation."""
    for one, other in permutations(sources, 2):
        for first, second in ((a, b) for a in _values(one) for b in _values(other)):
            yield from _joined(first, second)


def attention_forms(sources: Sequence[Source]) -> Iterator[Form]:
    """Yield what attention makes of two sequences, alone and joined with the queries."""
    sequences = [(source, form) for source in sources for form in _values(source) if form.value.ndim == 3]
    for (_, q), (source, k) in permutations(sequences, 2):
        if q.value.shape[::2] != k.value.shape[::2]:
            continue
        scores = q.value @ k.value.swapaxes(1, 2)
        for text, product in (
            ("q @ k.mT", scores),
            (f"q @ k.mT / {q.value.shape[2]} ** 0.5", scores / np.sqrt(q.value.shape[2])),
        ):
            for axis in (2, 1):
                for masked in (False, True):
                    if masked and (source.mask is None or source.mask.shape != k.value.shape[:2]):
                        continue
                    shown = f"({text}).masked_fill(~mask[:, None], -inf)" if masked else text
                    left = np.where(source.mask[:, None], product, -1e9) if masked and source.mask is not None else product
                    context = softmax(left, axis) @ k.value
                    form = Form(f"softmax({shown}, dim={axis}) @ k [q: {q.text}, k: {k.text}]", context)
                    yield form
                    yield from _joined(q, form)
                    yield from _joined(form, q)


def relations(wanted: Array, found: Array) -> str:
    """Name what makes one of two arrays of the other, "" if nothing known does."""
    if wanted.size != found.size:
        return f"the shape must be {wanted.shape}, but is {found.shape}" if wanted.ndim == found.ndim else ""
    for form in unary_forms(Source("x", found)):
        if same(form.value, wanted):
            return f"apply `{form.text}` to what is passed (x)"
    for form in unary_forms(Source("x", wanted)):
        if same(form.value, found):
            return f"leave out `{form.text}`: x itself must be passed"
    if wanted.shape != found.shape:
        return ""
    return _scaled(wanted, found) or _exchanged(wanted, found)


def same(one: Array, two: Array) -> bool:
    """Return whether two arrays have one shape and, but for rounding, the same numbers."""
    if one.shape != two.shape or one.dtype.kind not in "fiub":
        return False
    return bool(np.abs(one.astype(float) - two).max(initial=0) <= 3e-5 * max(1e-3, float(np.abs(two).max(initial=0))))


def _values(source: Source) -> Iterator[Form]:
    if source.value is not None and source.value.dtype.kind == "f":
        yield Form(source.name, source.value)
    if source.whole is not None:
        whole = source.whole
        output, h_n = np.asarray(whole.output), np.asarray(whole.h_n)
        yield Form(f"output of {source.name}", output)
        yield Form(f"h_n[-1] of {source.name}", h_n[-1])
        if whole.c_n is not None:
            yield Form(f"c_n[-1] of {source.name}", whole.c_n[-1])
        yield Form(f"output[:, -1] of {source.name}", output[:, -1])


def _steps_of(source: Source) -> Array:
    shape = np.asarray(source.whole.output if source.whole is not None else source.value).shape[:2]
    return np.ones(shape, bool) if source.mask is None or source.mask.shape != shape else source.mask.astype(bool)


def _last_valid_step(source: Source) -> Iterator[Form]:
    if source.whole is None or source.mask is None:
        return
    output, steps = np.asarray(source.whole.output), _steps_of(source)
    last = steps.shape[1] - 1 - np.argmax(steps[:, ::-1], axis=1)
    yield Form(f"output[torch.arange(batch), lengths - 1] of {source.name}", output[np.arange(len(output)), last])


def _of_integers(name: str, x: Array) -> Iterator[Form]:
    for axis in range(1, x.ndim):
        yield Form(f"{name}.flip({axis})", np.flip(x, axis))
    for by in (1, -1):
        yield Form(f"{name} {'+' if by > 0 else '-'} 1", x + by)
        if x.ndim > 1:
            yield Form(f"{name}.roll({by}, 1)", np.roll(x, by, 1))
    if x.ndim == 2:
        yield Form(f"{name}.T", x.T)


def _elementwise(name: str, x: Array) -> Iterator[Form]:
    with np.errstate(all="ignore"):
        for activation in _ACTIVATIONS:
            yield Form(f"{activation}({name})", ACTIVATIONS[activation](x))
        for slope in (0.01, 0.2, 0.3):
            yield Form(f"leaky_relu({name}, {slope})", np.where(x > 0, x, slope * x))
        tanh = np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))
        yield Form(f"gelu({name}, approximate='tanh')", 0.5 * x * (1 + tanh))
        yield Form(f"-{name}", -x)
        yield Form(f"1 - {name}", 1 - x)
        yield Form(f"{name} / {name}.norm(dim=-1)", x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12))
        for size in sorted({x.shape[-1], *([x.shape[1]] if x.ndim > 2 else [])}):
            yield Form(f"{name} * {size} ** 0.5", x * np.sqrt(size))
            yield Form(f"{name} / {size} ** 0.5", x / np.sqrt(size))


def _over_axes(name: str, x: Array) -> Iterator[Form]:
    for axis in range(x.ndim):
        yield Form(f"softmax({name}, dim={axis})", softmax(x, axis))
    for axis in range(1, x.ndim):
        yield Form(f"{name}.flip({axis})", np.flip(x, axis))
        yield Form(f"{name}.mean({axis})", x.mean(axis))
        yield Form(f"{name}.sum({axis})", x.sum(axis))
        yield Form(f"{name}.amax({axis})", x.max(axis))
        for at in (-1, 0):
            index = ", ".join([":"] * axis)
            yield Form(f"{name}[{index}, {at}]", np.take(x, at, axis))
    if x.ndim == 4:
        for text, axes in (("1, 2", (1, 2)), ("2, 3", (2, 3))):
            yield Form(f"{name}.mean(({text}))", x.mean(axes))
            yield Form(f"{name}.amax(({text}))", x.max(axes))
    if x.ndim > 1 and x.shape[-1] % 2 == 0:
        half = x.shape[-1] // 2
        yield Form(
            f"torch.cat(({name}[..., {half}:], {name}[..., :{half}]), dim=-1)",
            np.concatenate((x[..., half:], x[..., :half]), -1),
        )
        for text, value in ((f":{half}", x[..., :half]), (f"{half}:", x[..., half:])):
            yield Form(f"{name}[..., {text}]", value)
        yield Form(f"{name}[..., :{half}] + {name}[..., {half}:]", x[..., :half] + x[..., half:])


def _with_mask(name: str, x: Array, mask: Array) -> Iterator[Form]:
    counted = mask[..., None]
    yield Form(f"{name} * mask[..., None]", x * counted)
    yield Form(f"({name} * mask[..., None]).sum(1)", (x * counted).sum(1))
    yield Form(f"({name} * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)", (x * counted).sum(1) / counted.sum(1))
    yield Form(f"{name}.masked_fill(~mask[..., None], -inf).amax(1)", np.where(counted, x, -np.inf).max(1))
    last = mask.shape[1] - 1 - np.argmax(mask[:, ::-1], axis=1)
    yield Form(f"{name}[torch.arange(batch), lengths - 1]", x[np.arange(len(x)), last])


def _reshaped(name: str, x: Array) -> Iterator[Form]:
    for order in permutations(range(x.ndim)):
        moved = x.transpose(order)
        text = name if order == tuple(range(x.ndim)) else f"{name}.permute{order}"
        if text != name:
            yield Form(text, moved)
        if x.ndim > 2 and order[0] == 0:
            yield Form(f"{text}.flatten(1)", moved.reshape(len(x), -1))
        if x.ndim > 2 and order[-1] == x.ndim - 1:
            yield Form(f"{text}.flatten(0, -2)", moved.reshape(-1, x.shape[-1]))
        if text != name and x.ndim > 2:
            yield Form(f"{text}.reshape({name}.shape)", moved.reshape(x.shape))
    if x.ndim == 3:
        yield Form(f"{name}.reshape(batch, features, time)", x.reshape(len(x), x.shape[2], x.shape[1]))


def _joined(one: Form, other: Form) -> Iterator[Form]:
    a, b = one.value, other.value
    if a.ndim != b.ndim:
        return
    for axis in range(1, a.ndim):
        if a.shape[:axis] + a.shape[axis + 1 :] == b.shape[:axis] + b.shape[axis + 1 :]:
            yield Form(f"torch.cat(({one.text}, {other.text}), dim={axis})", np.concatenate((a, b), axis))
    if a.shape != b.shape:
        return
    yield Form(f"{one.text} - {other.text}", a - b)
    if one.text <= other.text:
        yield Form(f"{one.text} + {other.text}", a + b)
        yield Form(f"{one.text} * {other.text}", a * b)
        yield Form(f"({one.text} + {other.text}) / 2", (a + b) / 2)
        yield Form(f"torch.maximum({one.text}, {other.text})", np.maximum(a, b))
        yield Form(f"torch.abs({one.text} - {other.text})", np.abs(a - b))


def _scaled(wanted: Array, found: Array) -> str:
    norm = float(np.vdot(found, found).real)
    scale = float(np.vdot(wanted, found).real) / norm if norm else 0.0
    if abs(scale) > 1e-6 and same(found * scale, wanted):
        square = round(scale**2)
        root = f" (the root of {square})" if square > 1 and abs(scale**2 - square) < 1e-3 else ""
        return f"multiply what is passed by {scale:.6g}{root}"
    shift = float((wanted - found).mean()) if wanted.size else 0.0
    return f"add {shift:.6g} to what is passed" if shift and same(found + shift, wanted) else ""


def _exchanged(wanted: Array, found: Array) -> str:
    """Name an exchange of equal blocks along the last axis: a concatenation in another order."""
    size = wanted.shape[-1] if wanted.ndim else 0
    for cut in range(1, size):
        if same(np.concatenate((found[..., cut:], found[..., :cut]), -1), wanted):
            return f"concatenate in the other order: the part of {cut} features that comes first must come last"
    return ""


def softmax(x: Array, axis: int) -> Array:
    """Return the softmax over an axis."""
    shifted = np.exp(x - x.max(axis=axis, keepdims=True))
    result: Array = shifted / shifted.sum(axis=axis, keepdims=True)
    return result
