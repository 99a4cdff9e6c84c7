"""Functions along axes: reductions, and those that keep the shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from frameworks.models.keras_source.functions.binding import axes_of, bound, is_tensor
from frameworks.models.keras_source.functions.operators import two
from frameworks.models.keras_source.held import Held, without
from frameworks.models.keras_source.literals import literal
from frameworks.models.keras_source.scope import Scope, uncarried
from frameworks.models.tracing.steps import Function

_REDUCING = {
    **{name: name for name in ("sum", "mean", "prod", "any", "all", "amax", "amin", "logsumexp", "argmax", "argmin", "nansum")},
    "count_nonzero": "count_nonzero",
}
_KEEPING = {
    "softmax": "ops.softmax({input}, axis={axis})",
    "log_softmax": "ops.log_softmax({input}, axis={axis})",
    "softmin": "ops.softmax(-{input!}, axis={axis})",
    "cumsum": "ops.cumsum({input}, axis={axis})",
    "cumprod": "ops.cumprod({input}, axis={axis})",
    "flip": "ops.flip({input}, axis={axis})",
    "sort": "ops.sort({input}, axis={axis})",
    "argsort": "ops.argsort({input}, axis={axis})",
}


def input_of(scope: Scope, tensor: Any) -> Held:
    """Return how a tensor is held, as one expression."""
    return scope.whole(tensor)


def reduced(held: Held, axes: tuple[int, ...], *, keep: bool) -> tuple[str, tuple[int, ...]]:
    """Return the arguments of a reduction, and the order of what it returns."""
    places = sorted(held.order.index(axis) for axis in axes)
    axis = "" if len(places) == len(held.order) else f", axis={places[0] if len(places) == 1 else tuple(places)}"
    order = held.order if keep else without(held.order, set(axes))
    return f"{held.text}{axis}{', keepdims=True' if keep else ''}", order


def reduction(scope: Scope, step: Function) -> None:
    """Write a reduction."""
    values = bound(step, "input dim=None keepdim=False")
    held = input_of(scope, values["input"])
    arguments, order = reduced(held, axes_of(values["dim"], len(held.order)), keep=values["keepdim"])
    name = _REDUCING[step.name]
    text = f"ops.{name}({arguments})"
    if step.name == "sum" and values["input"].dtype == "bool":
        text = f'ops.sum(ops.cast({held.text}, "int64"){arguments[len(held.text) :]})'
    scope.put(step.result, text, order)


def variance(scope: Scope, step: Function) -> None:
    """Write a variance or standard deviation; torch divides by one less than the count unless it is told otherwise."""
    values = bound(step, "input dim=None unbiased=None keepdim=False correction=None")
    if isinstance(values["dim"], bool):
        values["dim"], values["unbiased"] = None, values["dim"]
    held = input_of(scope, values["input"])
    axes = axes_of(values["dim"], len(held.order))
    arguments, order = reduced(held, axes, keep=values["keepdim"])
    correction = values["correction"] if values["correction"] is not None else int(values["unbiased"] is not False)
    text = f"ops.var({arguments})"
    if correction:
        count = " * ".join(scope.number(scope.size_of(values["input"], axis)) for axis in axes)
        if scope.any_varies(values["input"], axes):
            count = f'ops.cast({count}, "{step.result.dtype}")'
        text = f"{text} * ({count} / ({count} - {literal(correction)}))"
    if step.name == "std":
        text = f"ops.sqrt({text})"
    scope.put(step.result, text, order, loose=text.startswith("ops.var") and bool(correction))


def extreme(scope: Scope, step: Function) -> None:
    """Write a maximum or minimum: of all numbers, of two tensors, or along an axis, with where it is."""
    if len(step.args) > 1 and is_tensor(step.args[1]):
        return two(scope, Function(step.args, {}, step.result, step.line, name=f"{step.name}imum"))
    values = bound(step, "input dim=None keepdim=False")
    held = input_of(scope, values["input"])
    axes = axes_of(values["dim"], len(held.order))
    arguments, order = reduced(held, axes, keep=values["keepdim"])
    if values["dim"] is None:
        return scope.put(step.result, f"ops.{step.name}({arguments})", order)
    largest, where = step.result
    scope.put(largest, f"ops.{step.name}({arguments})", order)
    return scope.put(where, f"ops.arg{step.name}({arguments})", order)


def keeping(scope: Scope, step: Function) -> None:
    """Write a function along an axis that keeps the shape."""
    if step.name in ("sort", "argsort") and (step.kwargs.get("descending") or len(step.args) > 2):
        raise uncarried(step, step.name, "sort upwards", "sorts downwards", "Sort the negative numbers.")
    values = bound(step, "input dim=-1 _stacklevel=3 stable=False descending=False")
    held = input_of(scope, values["input"])
    if values["dim"] is None:
        values["dim"] = 0 if len(held.order) in (0, 1, 3) else 1
    places = tuple(held.axis(int(axis)) for axis in axes_of(values["dim"], len(held.order)))
    axis = places[0] if len(places) == 1 else places
    axis = -1 if axis == len(held.order) - 1 else axis
    results = step.made
    for name, result in zip((step.name, "argsort"), results, strict=False):
        text = _KEEPING[name].replace("{input!}", held.tight).format(input=held.text, axis=axis)
        scope.put(result, text, held.order)


def norm(scope: Scope, step: Function) -> None:
    """Write a vector norm."""
    values = bound(step, "input p=2 dim=None keepdim=False")
    held = input_of(scope, values["input"])
    arguments, order = reduced(held, axes_of(values["dim"], len(held.order)), keep=values["keepdim"])
    rest = arguments[len(held.text) :]
    p = 2 if values["p"] in ("fro", None) else values["p"]
    if p == 2:
        text = f"ops.sqrt(ops.sum(ops.square({held.text}){rest}))"
    elif p == 1:
        text = f"ops.sum(ops.abs({held.text}){rest})"
    else:
        text = f"ops.sum(ops.abs({held.text}) ** {literal(p)}{rest}) ** {literal(1 / p)}"
    scope.put(step.result, text, order, loose=p not in (1, 2))


def normalize(scope: Scope, step: Function) -> None:
    """Write a division by the norm, which is taken to be at least eps."""
    values = bound(step, "input p=2.0 dim=1 eps=1e-12")
    if values["p"] != 2:
        raise uncarried(step, "p of F.normalize", "be 2", f"is {values['p']}", "Divide by the norm yourself.")
    held = input_of(scope, values["input"])
    axis = held.axis(values["dim"])
    name = held.text if held.text.isidentifier() else scope.variable(values["input"], held)
    norm_text = f"ops.sqrt(ops.sum(ops.square({name}), axis={axis}, keepdims=True))"
    scope.put(step.result, f"{name} / ops.maximum({norm_text}, {literal(values['eps'])})", held.order, loose=True)


def topk(scope: Scope, step: Function) -> None:
    """Write the largest numbers along the last axis."""
    values = bound(step, "input k dim=-1 largest=True sorted=True")
    rank = len(values["input"].shape)
    if values["dim"] % rank != rank - 1 or not values["largest"]:
        raise uncarried(step, "topk", "take the largest along the last axis", "does not", "Move the axis to the end first.")
    largest, where = step.result
    names = [scope.name(value.name or wish, value) for value, wish in ((largest, "largest"), (where, "places"))]
    scope.write(f"{', '.join(names)} = ops.top_k({scope.arg(values['input'])}, {scope.number(values['k'])})")
    for value, name in zip((largest, where), names, strict=True):
        scope.hold(value, Held(name, tuple(range(rank))))


WRITERS: dict[str, Callable[[Scope, Function], None]] = {
    **dict.fromkeys(_REDUCING, reduction),
    **dict.fromkeys(("std", "var"), variance),
    **dict.fromkeys(("max", "min"), extreme),
    **dict.fromkeys(_KEEPING, keeping),
    **dict.fromkeys(("norm", "vector_norm", "linalg_vector_norm"), norm),
    "normalize": normalize,
    "topk": topk,
}
