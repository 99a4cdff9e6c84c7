"""Functions that change the shape or the order of axes, or that join and part tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from frameworks.models.keras_source.functions.binding import axes_of, bound
from frameworks.models.keras_source.functions.reducing import input_of
from frameworks.models.keras_source.held import Held, plain_order
from frameworks.models.keras_source.scope import Scope, uncarried
from frameworks.models.tracing.sizes import origin
from frameworks.models.tracing.steps import Each, Function, Value


def reshape(scope: Scope, step: Function) -> None:
    """Write a reshape."""
    values = bound(step, "input *shape")
    held = scope.plain(values["input"])
    sizes = list(values["shape"]) if isinstance(values["shape"], (list, tuple)) else [values["shape"]]
    scope.put(step.result, f"ops.reshape({held.text}, {sizes_text(scope, step.result, sizes)})")


def sizes_text(scope: Scope, result: Value, sizes: list[Any]) -> str:
    """Return a shape as code: -1 for the only size that varies, fixed sizes as numbers."""
    fixed = [None if name else size for name, size in zip(scope.axes(result), result.shape, strict=True)]
    if fixed.count(None) <= 1:
        return str(tuple(-1 if size is None else size for size in fixed))
    texts = []
    for wanted, size in zip(sizes, fixed, strict=True):
        texts.append(str(size) if size is not None else "-1" if origin(wanted) is None else scope.number(wanted))
    if texts.count("-1") > 1:
        raise KeyError("a shape with two sizes that vary")
    return f"({', '.join(texts)}{',' * (len(texts) == 1)})"


def flatten(scope: Scope, step: Function) -> None:
    """Write the joining of axes."""
    values = bound(step, "input start_dim=0 end_dim=-1")
    held = scope.plain(values["input"])
    _reshape_as(scope, step, held, values["input"], axes_of(values["start_dim"], len(held.order))[0])


def _reshape_as(scope: Scope, step: Function, held: Held, source: Value, changed: int) -> None:
    """Write a reshape to the result's shape, whose axes before the changed one are the source's."""
    axes = scope.axes(step.result)
    texts: list[str] = []
    for at, (name, size) in enumerate(zip(axes, step.result.shape, strict=True)):
        if name is None:
            texts.append(str(size))
        elif at < changed and sum(1 for each in axes if each) > 1:
            texts.append(scope.size(source, at))
        else:
            texts.append("-1")
    if texts.count("-1") > 1:
        last = len(source.shape) - (len(texts) - 1 - max(i for i, t in enumerate(texts) if t == "-1"))
        where = max(i for i, t in enumerate(texts) if t == "-1")
        texts[where] = scope.size(source, last - 1)
    scope.put(step.result, f"ops.reshape({held.text}, ({', '.join(texts)}{',' * (len(texts) == 1)}))")


def permuted(scope: Scope, step: Function) -> None:
    """Let the result be what it is made of, with its axes in another order: nothing is written until it matters."""
    rank = len(step.result.shape)
    if step.name in ("t", "T", "mT", "adjoint", "H", "mH"):
        axes = list(range(rank))
        axes[-2:] = reversed(axes[-2:])
        source = step.args[0]
    elif step.name == "permute":
        values = bound(step, "input *dims")
        source, axes = values["input"], [int(axis) % rank for axis in values["dims"]]
    elif step.name in ("movedim", "moveaxis"):
        values = bound(step, "input source destination")
        source = values["input"]
        (one,), (other,) = axes_of(values["source"], rank), axes_of(values["destination"], rank)
        axes = [axis for axis in range(rank) if axis != one]
        axes.insert(other, one)
    else:
        values = bound(step, "input dim0 dim1")
        source, axes = values["input"], list(range(rank))
        one, other = (int(values[name]) % rank for name in ("dim0", "dim1"))
        axes[one], axes[other] = axes[other], axes[one]
    held = input_of(scope, source)
    if scope.uses[step.result] and not held.text.replace("_", "a").isalnum() and scope.uses[source] > 1:
        held = input_of(scope, source)
    scope.hold(step.result, Held(held.text, tuple(axes.index(axis) for axis in held.order), held.loose))


def unsqueeze(scope: Scope, step: Function) -> None:
    """Write a new axis."""
    values = bound(step, "input dim")
    held = input_of(scope, values["input"])
    rank = len(held.order) + 1
    axis = int(values["dim"]) % rank
    place = axis if held.plain else 0
    order = [each + (each >= axis) for each in held.order]
    order.insert(place, axis)
    if place == rank - 1:
        text = f"{held.tight}[..., None]"
    elif place <= 1:
        text = f"{held.tight}[{':, ' * place}None]"
    else:
        text = f"ops.expand_dims({held.text}, axis={place})"
    scope.put(step.result, text, tuple(order))


def squeeze(scope: Scope, step: Function) -> None:
    """Write the removal of axes of size 1."""
    values = bound(step, "input dim=None")
    source = values["input"]
    fixed = [size if name is None else None for name, size in zip(scope.axes(source), source.shape, strict=True)]
    axes = [axis for axis in axes_of(values["dim"], len(fixed)) if fixed[axis] == 1]
    held = scope.held(source)
    if held.items and not held.text and axes == [0] and len(held.items) == 1:
        return scope.hold(step.result, held.items[0])
    held = input_of(scope, source)
    if not axes:
        return scope.hold(step.result, held)
    places = sorted(held.order.index(axis) for axis in axes)
    left = [axis for axis in held.order if axis not in axes]
    order = tuple(sorted(left).index(axis) for axis in left)
    axis = places[0] if len(places) == 1 else tuple(places)
    return scope.put(step.result, f"ops.squeeze({held.text}, axis={axis})", order)


def concatenate(scope: Scope, step: Function) -> None:
    """Write a concatenation."""
    values = bound(step, "tensors dim=0")
    things = list(values["tensors"])
    rank = len(step.result.shape)
    axis = int(values["dim"]) % rank
    if any(isinstance(each, Each) for each in things):
        return _joined_turns(scope, step, things, axis)
    helds = [input_of(scope, each) for each in things]
    orders = {held.order for held in helds}
    if len(orders) > 1:
        helds = [scope.plain(each) for each in things]
    order = helds[0].order
    place = order.index(axis)
    place = -1 if place == rank - 1 else place
    return scope.put(step.result, f"ops.concatenate([{', '.join(held.text for held in helds)}], axis={place})", order)


def _turns(scope: Scope, each: Each) -> Held:
    held = scope.held(each.value)
    return Held(f"ops.flip({held.text}, axis=0)", held.order) if each.backwards else held


def _joined_turns(scope: Scope, step: Function, things: list[Any], axis: int) -> None:
    """Write the concatenation of the values of all turns of a loop, which the loop returns along a new first axis."""
    if len(things) > 1:
        parts = []
        for each in things:
            if isinstance(each, Each):
                turned = _unstacked(scope, each, axis, each.value.shape[1:])
                parts.append(turned.ordered(plain_order(len(turned.order))).text)
            else:
                parts.append(scope.arg(each))
        return scope.put(step.result, f"ops.concatenate([{', '.join(parts)}], axis={axis})")
    (each,) = things
    held = _unstacked(scope, each, axis, each.value.shape[1:])
    return scope.put(step.result, held.text, held.order)


def _unstacked(scope: Scope, each: Each, axis: int, shape: tuple[int, ...]) -> Held:
    held = _turns(scope, each)
    if shape[axis] == 1 and scope.axes(each.value)[axis + 1] is None:
        left = [at for at in range(len(shape)) if at != axis]
        return Held(f"ops.squeeze({held.text}, axis={axis + 1})", (axis, *left))
    order = [*range(1, axis + 1), 0, *range(axis + 1, len(shape) + 1)]
    moved = held.text if axis == 0 else f"ops.transpose({held.text}, {tuple(order)})"
    texts = [
        str(size) if scope.axes(each.value)[at + 1] is None else scope.size(each.value, at + 1) for at, size in enumerate(shape)
    ]
    texts[axis] = "-1"
    return Held(f"ops.reshape({moved}, ({', '.join(texts)}))", plain_order(len(shape)))


def stack(scope: Scope, step: Function) -> None:
    """Write a stack; the values of all turns of a loop are one already, with the turns first."""
    values = bound(step, "tensors dim=0")
    things = list(values["tensors"])
    rank = len(step.result.shape)
    axis = int(values["dim"]) % rank
    if len(things) == 1 and isinstance(things[0], Each):
        held = _turns(scope, things[0])
        order = (axis, *(at for at in range(rank) if at != axis))
        if held.text.isidentifier():
            return scope.hold(step.result, Held(held.text, order))
        return scope.put(step.result, held.text, order)
    if any(isinstance(each, Each) for each in things):
        parts = []
        for each in things:
            if isinstance(each, Each):
                parts.append(_turns(scope, each).text)
            else:
                parts.append(f"{scope.arg(each, tight=True)}[None]")
        order = (axis, *(at for at in range(rank) if at != axis))
        return scope.put(step.result, f"ops.concatenate([{', '.join(parts)}], axis=0)", order)
    texts = ", ".join(scope.arg(each) for each in things)
    return scope.put(step.result, f"ops.stack([{texts}], axis={-1 if axis == rank - 1 else axis})")


def split(scope: Scope, step: Function) -> None:
    """Write the parts of a tensor as slices."""
    source = step.args[0]
    signature = {"chunk": "input chunks dim=0", "unbind": "input dim=0"}.get(step.name, "input sizes dim=0")
    values = bound(step, signature)
    held = input_of(scope, source)
    axis = int(values["dim"]) % len(source.shape)
    if scope.axes(source)[axis] is not None:
        raise uncarried(step, step.name, "part an axis of a fixed size", "parts one whose size varies", "Take slices of it.")
    text = held.text if held.text.isidentifier() else scope.variable(source, held)
    place, start = held.order.index(axis), 0
    for part in step.result:
        if step.name == "unbind":
            order = [at for at in held.order if at != axis]
            scope.put(part, f"{text}[{':, ' * place}{start}]", tuple(sorted(order).index(at) for at in order))
            start += 1
            continue
        size = part.shape[axis]
        scope.put(
            part,
            f"{text}[{':, ' * place}{start or ''}:{'' if start + size == source.shape[axis] else start + size}]",
            held.order,
        )
        start += size


WRITERS: dict[str, Callable[[Scope, Function], None]] = {
    **dict.fromkeys(("view", "reshape"), reshape),
    **dict.fromkeys(("flatten",), flatten),
    **dict.fromkeys(("transpose", "permute", "t", "swapaxes", "swapdims", "movedim", "moveaxis", "T", "mT"), permuted),
    "unsqueeze": unsqueeze,
    "squeeze": squeeze,
    **dict.fromkeys(("cat", "concat", "concatenate"), concatenate),
    "stack": stack,
    **dict.fromkeys(("split", "chunk", "unbind", "split_with_sizes"), split),
}
