"""Operators, comparisons and functions of two tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from frameworks.models.keras_source.functions.binding import bound, is_tensor
from frameworks.models.keras_source.functions.pointwise import aligned
from frameworks.models.keras_source.literals import in_parentheses
from frameworks.models.keras_source.scope import Scope, uncarried
from frameworks.models.tracing.steps import Function

OPERATORS: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(("add", "radd"), ("+", "add")),
    **dict.fromkeys(("sub", "subtract", "rsub"), ("-", "subtract")),
    **dict.fromkeys(("mul", "multiply", "rmul"), ("*", "multiply")),
    **dict.fromkeys(("div", "divide", "true_divide", "truediv", "rdiv", "rtruediv"), ("/", "true_divide")),
    **dict.fromkeys(("floor_divide", "floordiv", "rfloordiv"), ("//", "floor_divide")),
    **dict.fromkeys(("pow", "float_power", "rpow"), ("**", "power")),
}
"""By name: the operator, and the function of keras.ops. A name with an "r" before it has its operands the other way round."""

COMPARISONS: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(("eq",), ("==", "equal")),
    **dict.fromkeys(("ne", "not_equal"), ("!=", "not_equal")),
    **dict.fromkeys(("lt", "less"), ("<", "less")),
    **dict.fromkeys(("le", "less_equal"), ("<=", "less_equal")),
    **dict.fromkeys(("gt", "greater"), (">", "greater")),
    **dict.fromkeys(("ge", "greater_equal"), (">=", "greater_equal")),
}
"""Likewise."""

TWO: Mapping[str, str] = {
    **{name: name for name in ("maximum", "minimum", "logical_and", "logical_or", "logical_xor", "arctan2", "logaddexp")},
    "atan2": "arctan2",
    "bitwise_and": "logical_and",
    "bitwise_or": "logical_or",
    "bitwise_xor": "logical_xor",
    "and": "logical_and",
    "or": "logical_or",
    "xor": "logical_xor",
    "remainder": "mod",
    "fmin": "minimum",
    "fmax": "maximum",
}
"""By name: the function of keras.ops."""

_LOGICAL = ("bitwise_and", "bitwise_or", "bitwise_xor", "and", "or", "xor")


def arithmetic(scope: Scope, step: Function) -> None:
    """Write an operator."""
    name = step.name.strip("_")
    values = bound(step, "one other alpha=1 rounding_mode=None")
    one, other = values["one"], values["other"]
    symbol, function = OPERATORS[name]
    if values["rounding_mode"] == "floor":
        symbol, function = "//", "floor_divide"
    elif values["rounding_mode"] is not None:
        raise uncarried(
            step, "rounding_mode", 'be None or "floor"', f"is {values['rounding_mode']!r}", "Divide, and round the quotient."
        )
    operands = [_operand(scope, step, each, (one, other)) for each in (one, other)]
    if values["alpha"] != 1:
        operands[1] = (f"{scope.arg(values['alpha'], tight=True)} * {in_parentheses(operands[1][0])}", True)
    if name.startswith("r") and name[1:] in OPERATORS:
        operands.reverse()
    _write(scope, step, symbol, function, (one, other), operands)


def compare(scope: Scope, step: Function) -> None:
    """Write a comparison; a mask that is compared with 0 or 1 is the mask itself, or its opposite."""
    symbol, function = COMPARISONS[step.name.strip("_")]
    values = bound(step, "one other")
    things = (values["one"], values["other"])
    flags = [each for each in things if is_tensor(each) and each.dtype == "bool"]
    numbers = [each for each in things if not is_tensor(each)]
    if flags and numbers and symbol in ("==", "!=") and numbers[0] in (0, 1):
        held = scope.whole(flags[0])
        if (symbol == "==") == bool(numbers[0]):
            scope.hold(step.result, held)
        else:
            scope.put(step.result, f"ops.logical_not({held.text})", held.order)
        return
    _write(scope, step, symbol, function, things, [_operand(scope, step, each, things) for each in things])


def two(scope: Scope, step: Function) -> None:
    """Write a function of two tensors."""
    name = step.name.strip("_")
    values = bound(step, "one other")
    things = (values["one"], values["other"])
    if name in _LOGICAL and any(is_tensor(each) and each.dtype != "bool" for each in things):
        raise uncarried(step, name, "be of masks", "is of whole numbers", "Use torch.logical_and and its kin on masks.")
    texts = [_operand(scope, step, each, things)[0] for each in things]
    scope.put(step.result, f"ops.{TWO[name]}({', '.join(texts)})", _order(scope, step, things))


def where(scope: Scope, step: Function) -> None:
    """Write a choice."""
    values = bound(step, "condition input other")
    _choice(scope, step, (values["condition"], values["input"], values["other"]))


def masked_fill(scope: Scope, step: Function) -> None:
    """Write a tensor with a value where a mask is true."""
    values = bound(step, "input mask value")
    _choice(scope, step, (values["mask"], values["value"], values["input"]))


def _choice(scope: Scope, step: Function, things: tuple[Any, ...]) -> None:
    texts = [_operand(scope, step, each, things)[0] for each in things]
    scope.put(step.result, f"ops.where({', '.join(texts)})", _order(scope, step, things))


def _order(scope: Scope, step: Function, things: tuple[Any, ...]) -> tuple[int, ...]:
    return aligned(scope, [each for each in things if is_tensor(each)], len(step.made[0].shape))[1]


def _operand(scope: Scope, step: Function, thing: Any, things: tuple[Any, ...]) -> tuple[str, bool]:
    """Return the expression of one of the operands, and whether it is loose."""
    if is_tensor(thing):
        tensors = [each for each in things if is_tensor(each)]
        helds = aligned(scope, tensors, len(step.made[0].shape))[0]
        held = helds[next(at for at, each in enumerate(tensors) if each is thing)]
        return held.text, held.loose
    text = scope.number(thing)
    if scope.varies(thing) and "float" in step.made[0].dtype:
        text = f'ops.cast({text}, "{step.made[0].dtype}")'
    return text, in_parentheses(text) != text


def _write(
    scope: Scope, step: Function, symbol: str, function: str, things: tuple[Any, Any], operands: list[tuple[str, bool]]
) -> None:
    """Write an operator where both frameworks agree on the dtype, else the function of keras.ops, which promotes."""
    numbers = [each for each in things if not is_tensor(each)]
    kinds = {each.dtype for each in things if is_tensor(each)}
    floats = len(kinds) == 1 and "float" in next(iter(kinds))
    compared = symbol in ("==", "!=", "<", "<=", ">", ">=") and bool(numbers) and not any(map(scope.varies, numbers))
    order = _order(scope, step, things)
    if floats or compared:
        one, other = (f"({text})" if loose else text for text, loose in operands)
        scope.put(step.result, f"{one} {symbol} {other}", order, loose=True)
    else:
        scope.put(step.result, f"ops.{function}({operands[0][0]}, {operands[1][0]})", order)


WRITERS: dict[str, Callable[[Scope, Function], None]] = {
    **dict.fromkeys((*OPERATORS, *(f"__{name}__" for name in OPERATORS)), arithmetic),
    **dict.fromkeys((*COMPARISONS, *(f"__{name}__" for name in COMPARISONS)), compare),
    **dict.fromkeys((*TWO, *(f"__{name}__" for name in ("and", "or", "xor"))), two),
    "where": where,
    "masked_fill": masked_fill,
}
