"""A loop whose turns are alike, as `ops.scan` over a function of one turn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from frameworks.models.keras_source.held import Held, plain_order
from frameworks.models.keras_source.scope import Scope
from frameworks.models.keras_source.uses import read_in
from frameworks.models.tracing.steps import Block, Fill, Loop, Value


def loop(scope: Scope, step: Loop, write_steps: Callable[[Scope], None]) -> None:
    """Write a loop.

    TensorFlow's scan wants a turn to return exactly what it carries, so what a turn makes beside that is carried too.
    """
    carried = [(read, made, start) for read, made, start in step.carried]
    extra = [made for made in (*step.last, *step.each) if made not in [made for _, made, _ in carried]]
    extra = list(dict.fromkeys(extra))
    starts = [_start(scope, read, start) for read, _, start in carried] + [_zeros(scope, value) for value in extra]
    for value in _outside(scope, step):
        _settle(scope, value)
    inside = Scope(
        scope.trace, Block(step.body.steps, tuple(2 * ([made for _, made, _ in carried] + extra))), scope.unit, scope
    )
    function = scope.name("step", object())
    index = inside.name("t", object())
    inside.bind(("index", step.index), index)
    for read, _, start in carried:
        inside.hold(read, Held(_carried_name(scope, inside, step, read, start), plain_order(len(read.shape))))
    names = [inside.held(read).text for read, _, _ in carried]
    write_steps(inside)
    results = [_result(inside, made) for made in [*(made for _, made, _ in carried), *extra]]
    taken = _joined([*names, *("_" for _ in extra)])
    scope.write("")
    if len(names) + len(extra) == 1:
        scope.write(f"def {function}({taken}, {index}):")
    else:
        scope.write(f"def {function}(carry, {index}):")
        if names:
            scope.write(f"    {taken} = carry")
    for line in inside.lines:
        scope.write(f"    {line}" if line else "")
    returned = _joined(results)
    returned = f"({returned})" if len(results) > 1 else returned
    scope.write(f"    return {returned}, {returned}")
    scope.write("")
    _call(scope, step, function, starts, carried, extra)


def _carried_name(scope: Scope, inside: Scope, step: Loop, read: Value, start: Any) -> str:
    """Return the name of what is carried: that of what it starts with, if no turn reads that otherwise."""
    if isinstance(start, Value) and start not in set(read_in(step.body)) and scope.held(start).text == read.name:
        inside.names.give(read.name, read)
        return read.name
    return inside.name(read.name or "state", read)


def _result(inside: Scope, made: Value) -> str:
    """Return what a turn returns: of the dtype with which it starts, since keras.ops has whole numbers of several."""
    text = inside.plain(made).text
    return f'ops.cast({text}, "{made.dtype}")' if made.dtype.startswith("int") else text


def _joined(names: list[str]) -> str:
    return ", ".join(names)


def _call(scope: Scope, step: Loop, function: str, outer: list[str], carried: list[Any], extra: list[Value]) -> None:
    """Write the call of scan, and hold what it returns."""
    begin = f"({_joined(outer)})" if len(outer) > 1 else outer[0]
    indices = f"ops.arange({_range(scope, step)})"
    made = [made for _, made, _ in carried] + extra
    lasts = [_target(scope, step.last.get(value)) for value in made]
    each = [_target(scope, step.each.get(value), many=True) for value in made]
    left = [f"({_joined(names)})" if len(names) > 1 else names[0] for names in (lasts, each)]
    left = ["_" if set(names) == {"_"} else text for names, text in zip((lasts, each), left, strict=True)]
    scope.write(f"{left[0]}, {left[1]} = ops.scan({function}, {begin}, {indices})")


def _target(scope: Scope, value: Value | None, *, many: bool = False) -> str:
    if value is None or not scope.uses[value]:
        return "_"
    wish = value.name or "outputs"
    name = scope.name(f"{wish}s" if many and value.name and not wish.endswith("s") else wish, value)
    scope.hold(value, Held(name, plain_order(len(value.shape))))
    return name


def _range(scope: Scope, step: Loop) -> str:
    start, turns, stride = step.start, step.turns, step.stride
    if (start, stride) == (0, 1) and not scope.varies(start):
        return scope.number(turns)
    if not scope.varies(stride) and int(stride) == 1:
        return f"{scope.number(start)}, {scope.number(start + turns)}"
    return f"{scope.number(start)}, {scope.number(start + turns * stride)}, {scope.number(stride)}"


def _start(scope: Scope, read: Value, start: Any) -> str:
    if isinstance(start, Fill):
        return f"ops.full({_shape(scope, read)}, {scope.number(float(start.number))})"
    text = scope.arg(start)
    return f'ops.cast({text}, "{read.dtype}")' if read.dtype.startswith("int") and not text.startswith("ops.zeros") else text


def _zeros(scope: Scope, value: Value) -> str:
    dtype = "" if value.dtype == "float32" else f', dtype="{value.dtype}"'
    return f"ops.zeros({_shape(scope, value)}{dtype})"


def _shape(scope: Scope, value: Value) -> str:
    """Return the shape of a value of a turn: a size that varies is that of an axis of the same name outside."""
    texts = [
        str(size) if name is None else scope.size_named(name) for name, size in zip(scope.axes(value), value.shape, strict=True)
    ]
    return f"({', '.join(texts)}{',' * (len(texts) == 1)})"


def _outside(scope: Scope, step: Loop) -> list[Value]:
    """Return the values from outside that the turns read."""
    made = {value for inner in step.body.all_steps() for value in inner.made} | {read for read, _, _ in step.carried}
    found: dict[Value, None] = {}
    for value in read_in(step.body):
        if value not in made and scope.knows(value):
            found[value] = None
    return list(found)


def _settle(scope: Scope, value: Value) -> None:
    """Give what the turns read a name before the loop, so that nothing is computed again in each turn."""
    held = scope.held(value)
    if held.items and not held.text:
        scope.plain(value)
    elif not held.text.replace(".", "").isidentifier():
        scope.assign(value, held)
