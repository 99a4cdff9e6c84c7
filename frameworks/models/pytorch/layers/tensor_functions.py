"""Functions of `keras.ops` with arguments of their own, as expressions in torch. Each has the signature that Keras gives it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from frameworks.models.pytorch.layers.written import operand
from frameworks.models.pytorch.pieces import Name, literal

_CASTS = {
    "float32": "float()",
    "float64": "double()",
    "float16": "half()",
    "int32": "int()",
    "int64": "long()",
    "bool": "bool()",
}


def _refuse(what: str) -> TypeError:
    return TypeError(what)


def _along(axis: Any, *, keepdims: bool = False) -> str:
    """Return the arguments of a reduction."""
    axis = tuple(axis) if isinstance(axis, (list, tuple)) else axis
    axis = axis[0] if isinstance(axis, tuple) and len(axis) == 1 else axis
    stated = [*([f"dim={axis}"] if axis is not None else []), *(["keepdim=True"] if keepdims else [])]
    if keepdims and axis is None:
        raise _refuse("keepdims=True without an axis")
    return ", ".join(stated)


def _reduction(method: str, further: str = "") -> Callable[..., str]:
    def write(x: Any, axis: Any = None, keepdims: Any = False) -> str:  # noqa: FBT002  Keras's signature
        return f"{x}.{method}({', '.join(filter(None, (_along(axis, keepdims=keepdims), further)))})"

    return write


def _extreme(method: str) -> Callable[..., str]:
    def write(x: Any, axis: Any = None, keepdims: Any = False, initial: Any = None) -> str:  # noqa: FBT002
        if initial is not None:
            raise _refuse(f"initial={initial}")
        return f"{x}.{method}({_along(axis, keepdims=keepdims)})"

    return write


def _product(x: Any, axis: Any = None, keepdims: Any = False, dtype: Any = None) -> str:  # noqa: FBT002
    if isinstance(axis, (list, tuple)) and len(axis) > 1:
        raise _refuse(f"axis={axis}, of which torch multiplies along one at a time")
    product = f"{x}.prod({_along(axis, keepdims=keepdims)})"
    return _cast(product, dtype) if dtype else product


def _log_sum_exp(x: Any, axis: Any = None, keepdims: Any = False) -> str:  # noqa: FBT002
    if axis is None and not keepdims:
        return f"{x}.flatten().logsumexp(dim=0)"
    return f"{x}.logsumexp({_along(axis, keepdims=keepdims)})"


def _last_axis(function: str) -> Callable[..., str]:
    def write(x: Any, axis: Any = -1) -> str:
        if axis != -1:
            raise _refuse(f"axis={axis}")
        return f"{function}({x})"

    return write


def _squareplus(x: Any, b: Any = 4) -> str:
    if b != 4:
        raise _refuse(f"b={b}")
    return f"squareplus({x})"


def _sorted(x: Any, axis: Any = -1) -> str:
    return f"{x}.sort(dim={axis}).values"


def _order(x: Any, axis: Any = -1) -> str:
    return f"{x}.argsort(dim={axis}, stable=True)"


def _position(method: str) -> Callable[..., str]:
    def write(x: Any, axis: Any = None, keepdims: Any = False) -> str:  # noqa: FBT002
        return f"{x}.{method}({_along(axis, keepdims=keepdims)})"

    return write


def _limit(function: str, bound: str) -> Callable[..., str]:
    def write(x1: Any, x2: Any) -> str:
        for one, other in ((x1, x2), (x2, x1)):
            if isinstance(one, (int, float)):
                return f"torch.clamp({other}, {bound}={literal(one)})"
        return f"torch.{function}({operand(x1, x2)}, {operand(x2, x1)})"

    return write


def _clip(x: Any, x_min: Any, x_max: Any) -> str:
    return f"torch.clamp({x}, {literal(x_min)}, {literal(x_max)})"


def _get_item(x: Any, key: Any) -> str:
    keys = list(key) if isinstance(key, (tuple, list)) else [key]
    flipped, axis = [], 0
    for at, each in enumerate(keys):
        if isinstance(each, slice) and each.step is not None and each.step < 0:
            if each != slice(None, None, -1) or Ellipsis in keys[:at]:
                raise _refuse(f"the slice {each}, which torch lacks")
            flipped.append(axis)
            keys[at] = slice(None)
        axis += each is not None
    x = f"{x}.flip({', '.join(map(str, flipped))})" if flipped else x
    while keys and keys[-1] in (slice(None), Ellipsis):
        keys.pop()
    return f"{x}[{', '.join(map(_index, keys))}]" if keys else str(x)


def _index(key: Any) -> str:
    if isinstance(key, slice):
        start, stop, step = ("" if each is None else literal(each) for each in (key.start, key.stop, key.step))
        return f"{start}:{stop}{f':{step}' if step and step != '1' else ''}"
    return "..." if key is Ellipsis else literal(key)


def _reshape(x: Any, newshape: Any) -> str:
    sizes = newshape if isinstance(newshape, (list, tuple)) else [newshape]
    if isinstance(newshape, Name):
        return f"{x}.reshape({newshape})"
    return f"{x}.reshape({', '.join('-1' if each is None else literal(each) for each in sizes)})"


def _transpose(x: Any, axes: Any = None) -> str:
    if axes is None:
        return f"{x}.permute(*reversed(range({x}.ndim)))"
    return f"{x}.permute({', '.join(map(str, axes))})"


def _expand_dims(x: Any, axis: Any) -> str:
    for each in sorted(axis if isinstance(axis, (list, tuple)) else [axis]):
        x = f"{x}.unsqueeze({each})"
    return str(x)


def _squeeze(x: Any, axis: Any = None) -> str:
    if axis is None:
        return f"{x}.squeeze()"
    return f"{x}.squeeze({tuple(axis) if isinstance(axis, (list, tuple)) else axis})"


def _joined(function: str) -> Callable[..., str]:
    def write(x: Any, axis: Any = 0) -> str:
        return f"torch.{function}([{', '.join(map(str, x))}], dim={axis})"

    return write


def _concatenate(xs: Any, axis: Any = 0) -> str:
    return _joined("cat")(xs, axis)


def _split(x: Any, indices_or_sections: Any, axis: Any = 0) -> str:
    into = indices_or_sections
    return f"{x}.tensor_split({into if isinstance(into, int) else tuple(into)}, dim={axis})"


def _unstack(x: Any, num: Any = None, axis: Any = 0) -> str:  # noqa: ARG001  Keras's signature
    return f"{x}.unbind({axis})"


def _pad(x: Any, pad_width: Any, mode: Any = "constant", constant_values: Any = None) -> str:
    if mode != "constant":
        raise _refuse(f"mode={mode!r}")
    sides = [side for pair in reversed(list(pad_width)) for side in pair]
    value = f", value={constant_values}" if constant_values else ""
    return f"F.pad({x}, {tuple(sides)}{value})"


def _cast(x: Any, dtype: Any) -> str:
    return f"{x}.{_CASTS[dtype]}" if dtype in _CASTS else f"{x}.to(torch.{dtype})"


def _like(function: str) -> Callable[..., str]:
    def write(x: Any, dtype: Any = None) -> str:
        return f"torch.{function}({x}{f', dtype=torch.{dtype}' if dtype else ''})"

    return write


def _full_like(x: Any, fill_value: Any, dtype: Any = None) -> str:
    return f"torch.full_like({x}, {literal(fill_value)}{f', dtype=torch.{dtype}' if dtype else ''})"


def _where(condition: Any, x1: Any = None, x2: Any = None) -> str:
    return f"torch.where({condition}, {operand(x1, condition)}, {operand(x2, condition)})"


def _einsum(*operands: Any, subscripts: Any = None) -> str:
    subscripts, operands = (operands[0], operands[1:]) if subscripts is None else (subscripts, operands)
    return f'torch.einsum("{subscripts}", {", ".join(map(str, operands))})'


def _tensordot(x1: Any, x2: Any, axes: Any = 2) -> str:
    dims = axes if isinstance(axes, int) else tuple([each] if isinstance(each, int) else list(each) for each in axes)
    return f"torch.tensordot({x1}, {x2}, dims={dims})"


def _softmax(function: str) -> Callable[..., str]:
    def write(x: Any, axis: Any = -1) -> str:
        return f"torch.{function}({x}, dim={axis})"

    return write


def _slope(function: str, default: float, name: str) -> Callable[..., str]:
    def write(x: Any, **options: Any) -> str:
        number = options.pop(name, default)
        if options:
            raise _refuse(", ".join(options))
        return f"F.{function}({x}, {number})"

    return write


def _gelu(x: Any, approximate: Any = True) -> str:  # noqa: FBT002  Keras's signature
    return f'F.gelu({x}, approximate="tanh")' if approximate else f"F.gelu({x})"


def _normalize(x: Any, axis: Any = -1, order: Any = 2, epsilon: Any = None) -> str:  # noqa: ARG001
    return f"F.normalize({x}, {'' if order == 2 else f'p={order}, '}dim={axis})"


def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: Any = False) -> str:  # noqa: A002, FBT002
    if ord not in (None, 1, 2) or axis is None:
        raise _refuse(f"ord={ord!r} and axis={axis!r}")
    return f"torch.linalg.vector_norm({x}, {ord or 2}, {_along(axis, keepdims=keepdims)})"


def _one_hot(x: Any, num_classes: Any, axis: Any = -1, dtype: Any = None, sparse: Any = False) -> str:  # noqa: FBT002
    if axis != -1 or sparse:
        raise _refuse(f"axis={axis} and sparse={sparse}")
    return _cast(f"F.one_hot({x}.long(), {num_classes})", dtype or "float32")


def _take(x: Any, indices: Any, axis: Any = None) -> str:
    if axis is None or axis < 0:
        raise _refuse(f"axis={axis}")
    index = f"{indices}.long()" if isinstance(indices, Name) else literal(indices)
    return f"{x}[{', '.join([':'] * axis + [index])}]"


def _take_along_axis(x: Any, indices: Any, axis: Any = None) -> str:
    return f"torch.take_along_dim({x}, {indices}.long(), dim={axis})"


def _swapped(x: Any, axis1: Any, axis2: Any) -> str:
    return f"{x}.transpose({axis1}, {axis2})"


def _moved(x: Any, source: Any, destination: Any) -> str:
    return f"{x}.movedim({literal(source)}, {literal(destination)})"


def _repeat(x: Any, repeats: Any, axis: Any = None) -> str:
    if not isinstance(repeats, int):
        raise _refuse(f"repeats={repeats}")
    return f"{x}.repeat_interleave({repeats}{'' if axis is None else f', dim={axis}'})"


def _tile(x: Any, repeats: Any) -> str:
    return f"{x}.tile({repeats if isinstance(repeats, int) else tuple(repeats)})"


def _flip(x: Any, axis: Any = None) -> str:
    if axis is None:
        return f"{x}.flip(*range({x}.ndim))"
    return f"{x}.flip({', '.join(map(str, axis)) if isinstance(axis, (list, tuple)) else axis})"


def _roll(x: Any, shift: Any, axis: Any = None) -> str:
    return f"{x}.roll({literal(shift)}{'' if axis is None else f', {literal(axis)}'})"


def _cumulative(method: str) -> Callable[..., str]:
    def write(x: Any, axis: Any = None, dtype: Any = None) -> str:
        if axis is None:
            raise _refuse("axis=None")
        summed = f"{x}.{method}({axis})"
        return _cast(summed, dtype) if dtype else summed

    return write


def _broadcast_to(x: Any, shape: Any) -> str:
    return f"torch.broadcast_to({x}, {literal(shape)})"


def _top_k(x: Any, k: Any, sorted: Any = True) -> str:  # noqa: A002, ARG001, FBT002  Keras's signature
    return f"torch.topk({x}, {k})"


def _round(x: Any, decimals: Any = 0) -> str:
    return f"torch.round({x}{f', decimals={decimals}' if decimals else ''})"


def _stop_gradient(variable: Any) -> str:
    return f"{variable}.detach()"


def _triangle(function: str) -> Callable[..., str]:
    def write(x: Any, k: Any = 0) -> str:
        return f"{x}.{function}({k or ''})"

    return write


WRITTEN: Mapping[str, Callable[..., str]] = MappingProxyType(
    {
        **{name: _reduction(name) for name in ("sum", "mean", "any", "all")},
        **{name: _reduction(name, "unbiased=False") for name in ("var", "std")},
        **{"max": _extreme("amax"), "min": _extreme("amin"), "amax": _extreme("amax"), "amin": _extreme("amin")},
        **{"prod": _product, "logsumexp": _log_sum_exp, "sort": _sorted, "argsort": _order},
        **{"sparsemax": _last_axis("sparsemax"), "glu": _last_axis("F.glu"), "squareplus": _squareplus},
        **{name: _position(name) for name in ("argmax", "argmin")},
        **{"maximum": _limit("maximum", "min"), "minimum": _limit("minimum", "max"), "clip": _clip},
        **{"get_item": _get_item, "reshape": _reshape, "transpose": _transpose, "swapaxes": _swapped, "moveaxis": _moved},
        **{"expand_dims": _expand_dims, "squeeze": _squeeze, "concatenate": _concatenate, "stack": _joined("stack")},
        **{"split": _split, "unstack": _unstack, "repeat": _repeat, "tile": _tile, "flip": _flip, "roll": _roll, "pad": _pad},
        **{"broadcast_to": _broadcast_to, "cast": _cast, "zeros_like": _like("zeros_like"), "ones_like": _like("ones_like")},
        **{"full_like": _full_like, "where": _where, "einsum": _einsum, "tensordot": _tensordot},
        **{"softmax": _softmax("softmax"), "log_softmax": _softmax("log_softmax"), "gelu": _gelu, "normalize": _normalize},
        **{"leaky_relu": _slope("leaky_relu", 0.2, "negative_slope"), "elu": _slope("elu", 1.0, "alpha")},
        **{"celu": _slope("celu", 1.0, "alpha"), "hard_shrink": _slope("hardshrink", 0.5, "threshold")},
        **{"soft_shrink": _slope("softshrink", 0.5, "threshold"), "norm": _norm, "one_hot": _one_hot, "take": _take},
        **{"take_along_axis": _take_along_axis, "cumsum": _cumulative("cumsum"), "cumprod": _cumulative("cumprod")},
        **{
            "top_k": _top_k,
            "round": _round,
            "stop_gradient": _stop_gradient,
            "tril": _triangle("tril"),
            "triu": _triangle("triu"),
        },
    }
)
