"""Functions of each number by itself, which keep the order of the axes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from frameworks.models.keras_source.functions.binding import bound
from frameworks.models.keras_source.held import Held, plain_order
from frameworks.models.keras_source.layer import KerasLayer
from frameworks.models.keras_source.literals import literal
from frameworks.models.keras_source.scope import Scope
from frameworks.models.tracing.steps import Function

UNARY: dict[str, tuple[str, str]] = {
    **{
        name: ("input", f"ops.{name}({{input}})")
        for name in (
            *("relu", "relu6", "tanh", "sigmoid", "exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "rsqrt", "square"),
            *("sin", "cos", "tan", "sinh", "cosh", "erf", "floor", "ceil", "sign", "reciprocal", "isnan", "isfinite", "isinf"),
            *("logical_not", "selu", "trunc", "arctan", "arcsin", "arccos", "arctanh", "arcsinh", "arccosh", "erfinv"),
        )
    },
    "abs": ("input", "ops.abs({input})"),
    "absolute": ("input", "ops.abs({input})"),
    "neg": ("input", "-{input!}"),
    "negative": ("input", "-{input!}"),
    "round": ("input decimals=0", "ops.round({input}, decimals={decimals})"),
    "atan": ("input", "ops.arctan({input})"),
    "asin": ("input", "ops.arcsin({input})"),
    "acos": ("input", "ops.arccos({input})"),
    "special_erf": ("input", "ops.erf({input})"),
    "bitwise_not": ("input", "ops.logical_not({input})"),
    "__invert__": ("input", "ops.logical_not({input})"),
    "silu": ("input", "ops.silu({input})"),
    "hardswish": ("input", "ops.hard_silu({input})"),
    "hardsigmoid": ("input", "ops.hard_sigmoid({input})"),
    "mish": ("input", "{input!} * ops.tanh(ops.softplus({input}))"),
    "softsign": ("input", "ops.softsign({input})"),
    "tanhshrink": ("input", "{input!} - ops.tanh({input})"),
    "logsigmoid": ("input", "ops.log_sigmoid({input})"),
    "leaky_relu": ("input negative_slope=0.01", "ops.leaky_relu({input}, negative_slope={negative_slope})"),
    "elu": ("input alpha=1.0", "ops.elu({input}, alpha={alpha})"),
    "celu": ("input alpha=1.0", "ops.celu({input}, alpha={alpha})"),
    "hardtanh": ("input min_val=-1.0 max_val=1.0", "ops.clip({input}, {min_val}, {max_val})"),
    "hardshrink": ("input lambd=0.5", "ops.hard_shrink({input}, threshold={lambd})"),
    "softshrink": ("input lambd=0.5", "ops.soft_shrink({input}, threshold={lambd})"),
    "threshold": ("input threshold value", "ops.where({input!} > {threshold}, {input}, {value})"),
    "logit": ("input eps=None", "ops.log({input!} / (1.0 - {input!}))"),
    "nan_to_num": (
        "input nan=0.0 posinf=None neginf=None",
        "ops.nan_to_num({input}, nan={nan}, posinf={posinf}, neginf={neginf})",
    ),
}
"""By name: the arguments, and the expression; "!" after a name asks for parentheses where they are needed."""

SAME = ("clone", "contiguous", "detach", "alias", "cpu", "cuda", "positive", "requires_grad_", "view_as_real")
"""Functions that return what they are given."""

CASTS = {
    "byte": "uint8",
    "short": "int16",
    "float": "float32",
    "double": "float64",
    "half": "float16",
    "bfloat16": "bfloat16",
    "long": "int64",
    "int": "int32",
    "bool": "bool",
}


def aligned(scope: Scope, things: list[Any], rank: int) -> tuple[list[Held], tuple[int, ...]]:
    """Return how several tensors are held, all in one order of axes, and the order."""
    helds = [scope.held(thing) for thing in things]
    orders = {held.order for held in helds}
    if len(orders) == 1 and len(next(iter(orders))) == rank and not any(held.items and not held.text for held in helds):
        return helds, helds[0].order
    return [scope.plain(thing) for thing in things], plain_order(rank)


def filled(template: str, scope: Scope, values: dict[str, Any], held: Held) -> str:
    """Return an expression with its arguments."""
    texts = {"input": held.text} | {name: scope.arg(value) for name, value in values.items() if name != "input"}
    return template.replace("{input!}", held.tight).format(**texts)


def unary(scope: Scope, step: Function) -> None:
    """Write a function of one tensor."""
    signature, template = UNARY[step.name]
    values = bound(step, f"{signature} _inplace=False")
    (helds, order) = aligned(scope, [values["input"]], len(step.made[0].shape))
    text = filled(template, scope, values, helds[0])
    scope.put(step.result, text, order, loose=" " in template.split("(")[0] or template.startswith(("{", "-")))


def same(scope: Scope, step: Function) -> None:
    """Let a result stand for what it was made of."""
    scope.hold(step.result, scope.held(step.args[0]))


def cast(scope: Scope, step: Function) -> None:
    """Write a change of dtype."""
    wanted = step.result.dtype
    held = scope.held(step.args[0])
    if step.args[0].dtype == wanted:
        return scope.hold(step.result, held)
    if held.items and not held.text:
        held = scope.plain(step.args[0])
    return scope.put(step.result, f'ops.cast({held.text}, "{wanted}")', held.order)


def clamp(scope: Scope, step: Function) -> None:
    """Write a clamp, with one bound or two."""
    values = bound(step, "input min=None max=None")
    helds, order = aligned(scope, [values["input"]], len(step.result.shape))
    low, high = values["min"], values["max"]
    if low is not None and high is not None:
        text = f"ops.clip({helds[0].text}, {scope.arg(low)}, {scope.arg(high)})"
    else:
        name, limit = ("maximum", low) if high is None else ("minimum", high)
        text = f"ops.{name}({helds[0].text}, {scope.arg(limit)})"
    scope.put(step.result, text, order)


def gelu(scope: Scope, step: Function) -> None:
    """Write GELU, exact by default in torch, approximate by default in Keras."""
    values = bound(step, "input approximate='none'")
    helds, order = aligned(scope, [values["input"]], len(step.result.shape))
    scope.put(step.result, f"ops.gelu({helds[0].text}, approximate={values['approximate'] == 'tanh'})", order)


def softplus(scope: Scope, step: Function) -> None:
    """Write softplus; above a threshold torch takes the number itself, which is the same in its precision."""
    values = bound(step, "input beta=1.0 threshold=20.0")
    helds, order = aligned(scope, [values["input"]], len(step.result.shape))
    beta = values["beta"]
    text = (
        f"ops.softplus({helds[0].text})" if beta == 1 else f"ops.softplus({literal(beta)} * {helds[0].tight}) / {literal(beta)}"
    )
    scope.put(step.result, text, order, loose=beta != 1)


def dropout(scope: Scope, step: Function) -> None:
    """Write dropout, a layer in Keras; it is recorded in evaluation, where `training=self.training` is False."""
    values = bound(step, "input p=0.5 training=True _inplace=False")
    held = scope.whole(values["input"])
    name = scope.unit.new_layer("dropout", KerasLayer(f"keras.layers.Dropout({literal(values['p'])})"))
    scope.put(step.result, f"{name}({held.text})", held.order)


WRITERS: dict[str, Callable[[Scope, Function], None]] = {
    **dict.fromkeys(UNARY, unary),
    **dict.fromkeys(SAME, same),
    **dict.fromkeys((*CASTS, "to", "type", "type_as"), cast),
    **dict.fromkeys(("clamp", "clip"), clamp),
    "clamp_min": lambda scope, step: clamp(scope, replace(step, name="clamp")),
    "gelu": gelu,
    "softplus": softplus,
    "dropout": dropout,
}
