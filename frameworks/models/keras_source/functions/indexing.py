"""Parts of tensors: slices, and rows that other tensors choose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from frameworks.models.keras_source.functions.binding import axes_of, bound, is_tensor
from frameworks.models.keras_source.functions.reducing import input_of
from frameworks.models.keras_source.held import without
from frameworks.models.keras_source.scope import Scope, uncarried
from frameworks.models.tracing.sizes import origin
from frameworks.models.tracing.steps import Function, Value

_WHOLE = slice(None)


def get_item(scope: Scope, step: Function) -> None:
    """Write what stands in brackets behind a tensor."""
    source, index = step.args
    parts = list(index) if isinstance(index, tuple) else [index]
    rank = len(source.shape)
    taken = sum(1 for part in parts if part is not None and part is not Ellipsis)
    if Ellipsis in [part for part in parts if not is_tensor(part)]:
        at = next(at for at, part in enumerate(parts) if part is Ellipsis)
        parts[at : at + 1] = [_WHOLE] * (rank - taken)
    parts += [_WHOLE] * (rank - sum(1 for part in parts if part is not None))
    if any(is_tensor(part) for part in parts):
        return _choose(scope, step, source, parts)
    held = scope.held(source)
    if held.items and origin(parts[0]) is None and isinstance(parts[0], int) and all(part == _WHOLE for part in parts[1:]):
        return scope.hold(step.result, held.items[parts[0]])
    held = input_of(scope, source)
    if None in parts:
        return scope.put(step.result, f"{scope.plain(source).tight}[{_slices(scope, parts)}]")
    shown = [parts[axis] for axis in held.order]
    order = without(held.order, {axis for axis, part in enumerate(parts) if not isinstance(part, slice)})
    if all(part == _WHOLE for part in parts):
        return scope.hold(step.result, held)
    return scope.put(step.result, f"{held.tight}[{_slices(scope, shown)}]", order)


def _slices(scope: Scope, parts: list[Any]) -> str:
    while parts and isinstance(parts[-1], slice) and parts[-1] == _WHOLE and len(parts) > 1:
        parts = parts[:-1]
    return ", ".join(_slice(scope, part) for part in parts)


def _slice(scope: Scope, part: Any) -> str:
    if part is None:
        return "None"
    if not isinstance(part, slice):
        return scope.number(part)
    start, stop, step = (("" if each is None else scope.number(each)) for each in (part.start, part.stop, part.step))
    start = "" if start == "0" else start
    gap = " " if not (stop or start).isalnum() and stop and not stop.lstrip("-").isalnum() else ""
    return f"{start}:{gap}{stop}{f':{step}' if step and step != '1' else ''}"


def select(scope: Scope, step: Function) -> None:
    """Write one entry along an axis."""
    values = bound(step, "input dim index")
    source = values["input"]
    parts: list[Any] = [_WHOLE] * len(source.shape)
    parts[int(values["dim"])] = values["index"]
    get_item(scope, Function((source, tuple(parts)), {}, step.result, step.line, name="__getitem__"))


def narrow(scope: Scope, step: Function) -> None:
    """Write a range along an axis."""
    values = bound(step, "input dim start length")
    parts: list[Any] = [_WHOLE] * len(values["input"].shape)
    parts[int(values["dim"])] = slice(values["start"], values["start"] + values["length"])
    get_item(scope, Function((values["input"], tuple(parts)), {}, step.result, step.line, name="__getitem__"))


def _choose(scope: Scope, step: Function, source: Any, parts: list[Any]) -> None:
    """Write the choice of rows by tensors of whole numbers."""
    tensors = [(at, part) for at, part in enumerate(parts) if is_tensor(part)]
    if any(part.dtype in ("bool", "uint8") for _, part in tensors):
        raise uncarried(
            step,
            "a mask in brackets",
            "choose a number of entries that no data decides",
            "chooses as many as the mask has",
            "Keep all entries: multiply by the mask, or use torch.where.",
        )
    others = [part for at, part in enumerate(parts) if not is_tensor(part)]
    if any(part != _WHOLE for part in others):
        raise uncarried(step, "an index of tensors and slices", "take whole axes beside them", "does not", "Slice first.")
    if len(tensors) == 1:
        ((axis, places),) = tensors
        held = scope.plain(source)
        return scope.put(step.result, f"ops.take({held.text}, {scope.arg(places)}, axis={axis})")
    if [at for at, _ in tensors] != [0, 1] or any(len(part.shape) != 1 for _, part in tensors):
        raise uncarried(
            step, "an index of several tensors", "choose along the first two axes", "chooses along others", "Use gather."
        )
    rows, columns = (part for _, part in tensors)
    if _counts_rows(scope, rows, source):
        return _one_of_each_row(scope, step, source, columns)
    held, width = scope.plain(source), scope.number(scope.size_of(source, 1))
    sizes = ", ".join(["-1", *(scope.number(scope.size_of(source, axis)) for axis in range(2, len(source.shape)))])
    flat = f"ops.reshape({held.text}, ({sizes}{',' * (len(source.shape) == 2)}))"
    return scope.put(step.result, f"ops.take({flat}, {scope.arg(rows)} * {width} + {scope.arg(columns)}, axis=0)")


def _counts_rows(scope: Scope, rows: Value, source: Value) -> bool:
    made = scope.made_by(rows)
    if not isinstance(made, Function) or made.name != "arange" or len(made.args) != 1:
        return False
    same = made.args[0] == source.shape[0]
    return bool(same) and scope.axes(rows)[0] == scope.axes(source)[0]


def _one_of_each_row(scope: Scope, step: Function, source: Value, columns: Value) -> None:
    held, rank = scope.plain(source), len(source.shape)
    places = f"{scope.arg(columns, tight=True)}[:, None{', None' * (rank - 2)}]"
    scope.put(step.result, f"ops.squeeze(ops.take_along_axis({held.text}, {places}, axis=1), axis=1)")


def index_select(scope: Scope, step: Function) -> None:
    """Write a choice along an axis."""
    values = bound(step, "input dim index")
    axis = axes_of(values["dim"], len(values["input"].shape))[0]
    scope.put(step.result, f"ops.take({scope.arg(values['input'])}, {scope.arg(values['index'])}, axis={axis})")


def gather(scope: Scope, step: Function) -> None:
    """Write a choice along an axis for each place; torch takes as many as the index has along the other axes."""
    values = bound(step, "input dim index _sparse_grad=False")
    source, index = values["input"], values["index"]
    rank = len(source.shape)
    axis = axes_of(values["dim"], rank)[0]
    text = scope.arg(source)
    same = [
        source.shape[at] == index.shape[at] and scope.axes(source)[at] == scope.axes(index)[at]
        for at in range(rank)
        if at != axis
    ]
    if not all(same):
        slices = [_WHOLE if at == axis else slice(None, scope.size_of(index, at)) for at in range(rank)]
        text = f"{scope.arg(source, tight=True)}[{_slices(scope, list(slices))}]"
    scope.put(step.result, f"ops.take_along_axis({text}, {scope.arg(index)}, axis={axis})")


def set_item(scope: Scope, step: Function) -> None:
    """Write a tensor of which a part has other numbers."""
    source, index, new = step.args
    parts = list(index) if isinstance(index, tuple) else [index]
    if len(parts) == 1 and is_tensor(parts[0]) and parts[0].dtype == "bool" and not (is_tensor(new) and new.shape):
        mask = parts[0]
        text = scope.arg(mask)
        if len(mask.shape) < len(source.shape):
            text = f"{scope.arg(mask, tight=True)}[...{', None' * (len(source.shape) - len(mask.shape))}]"
        return scope.put(step.result, f"ops.where({text}, {scope.arg(new)}, {scope.arg(source)})")
    rank = len(source.shape)
    parts += [_WHOLE] * (rank - len(parts))
    if any(
        is_tensor(part) or part is None or part is Ellipsis or (isinstance(part, slice) and part.step not in (None, 1))
        for part in parts
    ):
        raise uncarried(step, "an assignment to a part", "be to a slice or by a mask", "is to another part", "Use torch.where.")
    starts = ", ".join(scope.number(_start(scope, source, at, part)) for at, part in enumerate(parts))
    shape = ", ".join(_length(scope, source, at, part) for at, part in enumerate(parts))
    if is_tensor(new):
        text = scope.arg(new, tight=True)
        kept = [at for at, part in enumerate(parts) if isinstance(part, slice)]
        missing = ", ".join("None" if at not in kept else ":" for at in range(rank))
        text = f"{text}[{missing}]" if "None" in missing and len(new.shape) == len(kept) else text
        text = f"ops.broadcast_to({text}, ({shape}{',' * (rank == 1)}))"
    else:
        text = f'ops.full(({shape}{"," * (rank == 1)}), {scope.number(new)}, dtype="{source.dtype}")'
    return scope.put(step.result, f"ops.slice_update({scope.arg(source)}, ({starts}{',' * (rank == 1)}), {text})")


def _start(scope: Scope, source: Any, axis: int, part: Any) -> Any:
    start = part.start if isinstance(part, slice) else part
    if start is None:
        return 0
    return start if int(start) >= 0 else scope.size_of(source, axis) + start


def _length(scope: Scope, source: Any, axis: int, part: Any) -> str:
    if not isinstance(part, slice):
        return "1"
    stop = scope.size_of(source, axis) if part.stop is None else part.stop
    stop = stop if int(stop) >= 0 else scope.size_of(source, axis) + stop
    return scope.number(stop - _start(scope, source, axis, part))


WRITERS: dict[str, Callable[[Scope, Function], None]] = {
    "__getitem__": get_item,
    "__setitem__": set_item,
    "select": select,
    "narrow": narrow,
    "index_select": index_select,
    **dict.fromkeys(("gather", "take_along_dim"), gather),
}
