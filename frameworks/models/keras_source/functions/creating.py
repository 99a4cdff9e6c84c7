"""New tensors of given shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from frameworks.models.keras_source.functions.binding import bound
from frameworks.models.keras_source.functions.reducing import input_of
from frameworks.models.keras_source.scope import Scope, uncarried
from frameworks.models.tracing.steps import Function

_FILLS = {"zeros": "0", "ones": "1", "empty": "0"}


def _dtype(step: Function) -> str:
    dtype = step.result.dtype
    return "" if dtype == "float32" else f', dtype="{dtype}"'


def filled(scope: Scope, step: Function) -> None:
    """Write zeros or ones of a shape."""
    name = step.name.removeprefix("new_")
    signature = "input *size dtype=None" if step.name.startswith("new_") else "*size dtype=None"
    values = bound(step, signature)
    name = "zeros" if name == "empty" else name
    scope.put(step.result, f"ops.{name}({_shape(scope, values['size'])}{_dtype(step)})")


def _shape(scope: Scope, size: Any) -> str:
    return scope.number(tuple(size) if isinstance(size, (list, tuple)) else (size,))


def full(scope: Scope, step: Function) -> None:
    """Write a tensor of one number."""
    values = bound(step, "input size fill_value dtype=None" if step.name == "new_full" else "size fill_value dtype=None")
    scope.put(step.result, f"ops.full({_shape(scope, values['size'])}, {scope.arg(values['fill_value'])}{_dtype(step)})")


def like(scope: Scope, step: Function) -> None:
    """Write zeros, ones or a number in the shape of another tensor."""
    values = bound(step, "input fill_value dtype=None" if step.name == "full_like" else "input dtype=None")
    held = input_of(scope, values["input"])
    name = {"zeros_like": "zeros_like", "ones_like": "ones_like", "empty_like": "zeros_like", "full_like": "full_like"}[
        step.name
    ]
    number = f", {scope.arg(values['fill_value'])}" if name == "full_like" else ""
    dtype = "" if step.result.dtype == values["input"].dtype else f', dtype="{step.result.dtype}"'
    scope.put(step.result, f"ops.{name}({held.text}{number}{dtype})", held.order)


def arange(scope: Scope, step: Function) -> None:
    """Write a range of numbers."""
    bounds = [scope.arg(each) for each in step.args]
    bound(
        Function(
            (),
            {name: each for name, each in step.kwargs.items() if name not in ("start", "end", "step")},
            name="arange",
            line=step.line,
        ),
        "dtype=None",
    )
    bounds += [scope.arg(step.kwargs[name]) for name in ("start", "end", "step") if name in step.kwargs]
    dtype = f', dtype="{step.result.dtype}"' if step.result.dtype not in ("int64", "float32") else ""
    scope.put(step.result, f"ops.arange({', '.join(bounds)}{dtype})")


def triangle(scope: Scope, step: Function) -> None:
    """Write the part of a matrix below or above a diagonal."""
    values = bound(step, "input diagonal=0")
    text = scope.arg(values["input"])
    name = f"ops.{step.name}"
    k = f", k={scope.number(values['diagonal'])}" if values["diagonal"] else ""
    if values["input"].dtype == "bool":
        return scope.put(step.result, f'ops.cast({name}(ops.cast({text}, "int32"){k}), "bool")')
    return scope.put(step.result, f"{name}({text}{k})")


def eye(scope: Scope, step: Function) -> None:
    """Write an identity matrix."""
    values = bound(step, "n m=None dtype=None")
    columns = f", {scope.number(values['m'])}" if values["m"] is not None else ""
    scope.put(step.result, f"ops.eye({scope.number(values['n'])}{columns}{_dtype(step)})")


def one_hot(scope: Scope, step: Function) -> None:
    """Write one-hot vectors."""
    values = bound(step, "input num_classes=-1")
    if int(values["num_classes"]) < 0:
        raise uncarried(step, "num_classes of F.one_hot", "be given", "is left to the data", "Pass num_classes.")
    scope.put(step.result, f'ops.one_hot({scope.arg(values["input"])}, {scope.number(values["num_classes"])}, dtype="int64")')


def tensor(scope: Scope, step: Function) -> None:
    """Write a tensor of numbers that the code lists."""
    values = bound(step, "data dtype=None")
    scope.put(step.result, f'ops.convert_to_tensor({scope.arg(values["data"])}, dtype="{step.result.dtype}")')


def linspace(scope: Scope, step: Function) -> None:
    """Write evenly spaced numbers."""
    values = bound(step, "start end steps dtype=None")
    start, end, steps = (scope.number(values[name]) for name in ("start", "end", "steps"))
    scope.put(step.result, f"ops.linspace({start}, {end}, {steps})")


WRITERS: dict[str, Callable[[Scope, Function], None]] = {
    **dict.fromkeys((*_FILLS, *(f"new_{name}" for name in _FILLS)), filled),
    **dict.fromkeys(("full", "new_full"), full),
    **dict.fromkeys(("zeros_like", "ones_like", "empty_like", "full_like"), like),
    "arange": arange,
    **dict.fromkeys(("tril", "triu"), triangle),
    "eye": eye,
    "one_hot": one_hot,
    **dict.fromkeys(("tensor", "as_tensor", "scalar_tensor"), tensor),
    "linspace": linspace,
}
