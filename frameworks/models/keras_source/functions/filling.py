"""Functions that repeat, shift or pad a tensor."""

from __future__ import annotations

from collections.abc import Callable

from frameworks.models.keras_source.functions.binding import axes_of, bound
from frameworks.models.keras_source.functions.reducing import input_of
from frameworks.models.keras_source.scope import Scope, uncarried
from frameworks.models.tracing.sizes import origin
from frameworks.models.tracing.steps import Function, Value


def expand(scope: Scope, step: Function) -> None:
    """Write a broadcast."""
    values = bound(step, "input *sizes _implicit=False")
    source, sizes = values["input"], values["sizes"]
    if isinstance(sizes, Value):
        sizes = [scope.size_of(sizes, axis) for axis in range(len(sizes.shape))]
    ahead = len(sizes) - len(source.shape)
    texts = []
    for at, size in enumerate(sizes):
        kept = origin(size) is None and int(size) == -1
        texts.append(scope.number(scope.size_of(source, at - ahead) if kept else size))
    scope.put(step.result, f"ops.broadcast_to({scope.arg(source)}, ({', '.join(texts)}{',' * (len(texts) == 1)}))")


def repeat(scope: Scope, step: Function) -> None:
    """Write a tiling."""
    values = bound(step, "input *repeats")
    counts = ", ".join(scope.number(each) for each in values["repeats"])
    source = scope.arg(values["input"])
    ahead = len(values["repeats"]) - len(values["input"].shape)
    if ahead:
        source = f"ops.expand_dims({source}, axis={tuple(range(ahead)) if ahead > 1 else 0})"
    scope.put(
        step.result, f"ops.tile({source}, ({counts},))" if len(values["repeats"]) == 1 else f"ops.tile({source}, ({counts}))"
    )


def repeat_interleave(scope: Scope, step: Function) -> None:
    """Write the repetition of each entry."""
    values = bound(step, "input repeats dim=None output_size=None")
    axis = "" if values["dim"] is None else f", axis={axes_of(values['dim'], len(values['input'].shape))[0]}"
    scope.put(step.result, f"ops.repeat({scope.arg(values['input'])}, {scope.arg(values['repeats'])}{axis})")


def roll(scope: Scope, step: Function) -> None:
    """Write a roll."""
    values = bound(step, "input shifts dims=None")
    axis = "" if values["dims"] is None else f", axis={values['dims']}"
    scope.put(step.result, f"ops.roll({scope.arg(values['input'])}, {scope.number(values['shifts'])}{axis})")


def pad(scope: Scope, step: Function) -> None:
    """Write padding, whose pairs torch lists from the last axis on."""
    values = bound(step, "input pad mode='constant' value=None")
    held = input_of(scope, values["input"])
    rank, pairs = len(held.order), list(values["pad"])
    widths = {rank - 1 - at: (pairs[2 * at], pairs[2 * at + 1]) for at in range(len(pairs) // 2)}
    if any(int(width) < 0 for pair in widths.values() for width in pair) or values["mode"] not in ("constant", "reflect"):
        raise uncarried(
            step,
            "F.pad",
            "pad with a constant or by reflection",
            f"has mode {values['mode']!r} and {pairs}",
            "Slice and concatenate.",
        )
    listed = ", ".join("({}, {})".format(*(scope.number(width) for width in widths.get(axis, (0, 0)))) for axis in held.order)
    options = (
        ', mode="reflect"'
        if values["mode"] == "reflect"
        else f", constant_values={scope.number(values['value'])}"
        if values["value"]
        else ""
    )
    scope.put(step.result, f"ops.pad({held.text}, ({listed}){options})", held.order)


WRITERS: dict[str, Callable[[Scope, Function], None]] = {
    **dict.fromkeys(("expand", "broadcast_to", "expand_as"), expand),
    **dict.fromkeys(("repeat", "tile"), repeat),
    "repeat_interleave": repeat_interleave,
    "roll": roll,
    "pad": pad,
}
