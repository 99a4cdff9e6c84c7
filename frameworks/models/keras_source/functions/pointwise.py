"""Functions of each number by itself, which keep the order of the axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from frameworks.models.keras_source.functions.binding import bound, is_tensor
from frameworks.models.keras_source.held import Held, plain_order
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
    "float": "float32",
    "double": "float64",
    "half": "float16",
    "bfloat16": "bfloat16",
    "long": "int64",
    "int": "int32",
    "bool": "bool",
}

SYMBOLS = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "true_divide": "/",
    "div": "/",
    "divide": "/",
    "multiply": "*",
    "subtract": "-",
    "floor_divide": "//",
    "pow": "**",
    "float_power": "**",
}
_NAMES = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "true_divide": "true_divide",
    "div": "true_divide",
    "divide": "true_divide",
    "multiply": "multiply",
    "subtract": "subtract",
    "floor_divide": "floor_divide",
    "pow": "power",
    "float_power": "power",
}
COMPARISONS = {
    **{"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="},
    **{"equal_": "==", "not_equal": "!=", "less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">="},
}
_COMPARING = {"==": "equal", "!=": "not_equal", "<": "less", "<=": "less_equal", ">": "greater", ">=": "greater_equal"}
TWO = {
    **{name: name for name in ("maximum", "minimum", "logical_and", "logical_or", "logical_xor", "arctan2", "logaddexp")},
    **{"atan2": "arctan2", "bitwise_and": "logical_and", "bitwise_or": "logical_or", "bitwise_xor": "logical_xor"},
    **{
        "__and__": "logical_and",
        "__or__": "logical_or",
        "__xor__": "logical_xor",
        "remainder": "mod",
        "fmin": "minimum",
        "fmax": "maximum",
    },
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


def arithmetic(scope: Scope, step: Function) -> None:
    """Write an operator."""
    name, backwards = step.name.strip("_"), False
    if name.startswith("r") and name[1:] in (*SYMBOLS, "truediv", "floordiv"):
        name, backwards = name[1:], True
    name = {"truediv": "true_divide", "floordiv": "floor_divide", "iadd": "add", "isub": "sub", "imul": "mul"}.get(name, name)
    values = bound(step, "one other alpha=1 rounding_mode=None")
    one, other = values["one"], values["other"]
    if name in ("rsub",):
        name, backwards = "sub", True
    if values["rounding_mode"] == "floor":
        name = "floor_divide"
    if backwards:
        one, other = other, one
    operands = _operands(scope, step, one, other)
    if values["alpha"] != 1:
        operands[1] = (f"{scope.arg(values['alpha'], tight=True)} * {operands[1][0]}", True)
    _write_operator(scope, step, SYMBOLS[name], _NAMES[name], (one, other), operands)


def compare(scope: Scope, step: Function) -> None:
    """Write a comparison."""
    symbol = COMPARISONS[step.name.strip("_")]
    values = bound(step, "one other")
    things = (values["one"], values["other"])
    flags = [each for each in things if is_tensor(each) and each.dtype == "bool"]
    numbers = [each for each in things if not is_tensor(each)]
    if flags and numbers and symbol in ("==", "!=") and numbers[0] in (0, 1):
        held = scope.held(flags[0])
        if (symbol == "==") == bool(numbers[0]):
            return scope.hold(step.result, held)
        return scope.put(step.result, f"ops.logical_not({held.text})", held.order)
    return _write_operator(scope, step, symbol, _COMPARING[symbol], things, _operands(scope, step, *things))


def two(scope: Scope, step: Function) -> None:
    """Write a function of two tensors."""
    name = TWO[step.name]
    values = bound(step, "one other")
    (first, _), (second, _) = _operands(scope, step, values["one"], values["other"])
    scope.put(step.result, f"ops.{name}({first}, {second})", _order(scope, step, values["one"], values["other"]))


def _order(scope: Scope, step: Function, *things: Any) -> tuple[int, ...]:
    return aligned(scope, [each for each in things if is_tensor(each)], len(step.made[0].shape))[1]


def _operands(scope: Scope, step: Function, *things: Any) -> list[tuple[str, bool]]:
    """Return the expressions of operands, and whether each is loose."""
    tensors = [each for each in things if is_tensor(each)]
    helds = iter(aligned(scope, tensors, len(step.made[0].shape))[0])
    found = []
    for each in things:
        if is_tensor(each):
            held = next(helds)
            found.append((held.text, held.loose))
        else:
            text = scope.number(each)
            if scope.varies(each) and "float" in step.made[0].dtype:
                text = f'ops.cast({text}, "{step.made[0].dtype}")'
            found.append((text, " " in text and not text.startswith("ops.")))
    return found


def _write_operator(
    scope: Scope, step: Function, symbol: str, name: str, things: tuple[Any, Any], operands: list[tuple[str, bool]]
) -> None:
    """Write an operator where both frameworks agree on the dtype, else the function of keras.ops, which promotes."""
    order = _order(scope, step, *things)
    floats = all(not is_tensor(each) or "float" in each.dtype for each in things)
    number = not all(is_tensor(each) for each in things)
    comparing = symbol in _COMPARING
    kinds = {each.dtype for each in things if is_tensor(each)}
    if (floats and len(kinds) == 1) or (
        number and comparing and not any(scope.varies(each) for each in things if not is_tensor(each))
    ):
        texts = [f"({text})" if loose else text for text, loose in operands]
        scope.put(step.result, f"{texts[0]} {symbol} {texts[1]}", order, loose=True)
    else:
        scope.put(step.result, f"ops.{name}({operands[0][0]}, {operands[1][0]})", order)


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


def where(scope: Scope, step: Function) -> None:
    """Write a choice."""
    values = bound(step, "condition input other")
    _choice(scope, step, values["condition"], values["input"], values["other"])


def masked_fill(scope: Scope, step: Function) -> None:
    """Write a tensor with a value where a mask is true."""
    values = bound(step, "input mask value")
    _choice(scope, step, values["mask"], values["value"], values["input"])


def _choice(scope: Scope, step: Function, *things: Any) -> None:
    texts = [text for text, _ in _operands(scope, step, *things)]
    scope.put(step.result, f"ops.where({', '.join(texts)})", _order(scope, step, *things))


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
    """Write dropout, a layer in Keras; what is never active stands for its input."""
    signature = "input p=0.5 training=True _inplace=False"
    values = bound(step, signature)
    if values["training"] is False:
        return scope.hold(step.result, scope.held(values["input"]))
    return scope.layer_call(
        step, "dropout", f"keras.layers.Dropout({literal(values['p'])})", values["input"], training=values["training"]
    )


WRITERS: dict[str, Callable[[Scope, Function], None]] = {
    **dict.fromkeys(UNARY, unary),
    **dict.fromkeys(SAME, same),
    **dict.fromkeys((*CASTS, "to", "type", "type_as"), cast),
    **dict.fromkeys(
        (
            *SYMBOLS,
            "rsub",
            "__rsub__",
            "__rpow__",
            "__rdiv__",
            "__rtruediv__",
            "__rfloordiv__",
            "__radd__",
            "__rmul__",
            "__floordiv__",
            "__truediv__",
        ),
        arithmetic,
    ),
    **dict.fromkeys((*COMPARISONS, *(f"__{name}__" for name in ("eq", "ne", "lt", "le", "gt", "ge"))), compare),
    **dict.fromkeys(TWO, two),
    **dict.fromkeys(("clamp", "clip"), clamp),
    "clamp_min": lambda scope, step: clamp(scope, Function(step.args, step.kwargs, step.result, step.line, name="clamp")),
    "where": where,
    "masked_fill": masked_fill,
    "gelu": gelu,
    "softplus": softplus,
    "dropout": dropout,
}
