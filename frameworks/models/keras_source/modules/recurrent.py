"""Recurrent layers and cells, padded or packed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from frameworks.copying import fill
from frameworks.layouts import KERAS
from frameworks.models.keras_source.functions.reducing import input_of
from frameworks.models.keras_source.held import Held, plain_order
from frameworks.models.keras_source.layer import Array, KerasLayer
from frameworks.models.keras_source.modules.plain import Writer, trained
from frameworks.models.keras_source.literals import literal
from frameworks.models.keras_source.scope import Scope, refused
from frameworks.models.tracing.steps import Function, ModuleCall, Value
from frameworks.registry import adapt

_NAMES = {"LSTM": "LSTM", "GRU": "GRU", "RNN": "SimpleRNN"}
_BATCH_FIRST, _TIME_FIRST = (0, 1, 2), (1, 0, 2)


@dataclass(frozen=True)
class Packed:
    """A packed sequence, which Keras has as a padded one with a mask.

    Args:
        held: the padded sequence, (batch, time, features).
        mask: the name of its mask, (batch, time).
        lengths: the expression for its lengths.
    """

    held: Held
    mask: str
    lengths: str


def arrays_of(module: Any) -> list[list[tuple[Array, ...]]]:
    """Return the arrays of a recurrent module in Keras's layout: by layer, then by direction."""
    adapter = adapt(module)
    spec = adapter.spec
    made: list[list[tuple[Array, ...]]] = []
    for layer in range(spec.num_layers):
        made.append([])
        for direction in range(spec.num_directions):
            arrays = {name: np.empty(shape, spec.dtype) for name, shape in KERAS.shapes(spec, layer).items()}
            fill(arrays, KERAS, spec, layer, adapter.read(layer, direction))
            made[-1].append(tuple(arrays.values()))
    return made


def _constructor(module: Any, suffix: str, *options: str) -> str:
    kind = type(module).__name__.removesuffix("Cell")
    more = [] if module.bias else ["use_bias=False"]
    if getattr(module, "nonlinearity", "tanh") == "relu":
        more.insert(0, 'activation="relu"')
    arguments = ", ".join([str(module.hidden_size), *more, *options])
    return f"keras.layers.{_NAMES[kind]}{suffix}({arguments}{trained(module)})"


def recurrent(scope: Scope, step: ModuleCall, module: Any) -> None:
    """Write a recurrent module: a layer of Keras for each of its layers."""
    source = step.args[0]
    output, states = step.result
    states = states if isinstance(states, tuple) else (states,)
    if len(source.shape) != 3 - source.packed:
        raise refused(step, "the input", "have a batch axis", f"has {len(source.shape)} axes", "Add a batch axis.")
    if getattr(module, "proj_size", 0):
        raise refused(step, "proj_size", "be 0", f"is {module.proj_size}", "No layer of Keras projects its state.")
    order = _BATCH_FIRST if module.batch_first or source.packed else _TIME_FIRST
    packed = scope.packed.get(source)
    held = packed.held if packed else input_of(scope, source).ordered(order)
    text = held.text
    initial = step.kwargs.get("hx", step.args[1] if len(step.args) > 1 else None)
    starts = _starts(scope, initial, module)
    wanted = [scope.items_read(state, module.num_layers * _directions(module)) for state in states]
    finals: list[list[Held | None]] = [[] for _ in states]
    for layer in range(module.num_layers):
        text = _one_layer(scope, step, module, layer, text, packed, starts, wanted, finals)
    if packed and scope.uses[output]:
        scope.packed[output] = Packed(Held(text, _BATCH_FIRST), packed.mask, packed.lengths)
    elif scope.uses[output]:
        scope.hold(output, Held(text, order))
    for state, items in zip(states, finals, strict=True):
        if scope.uses[state]:
            absent = Held("None", (0, 1))
            scope.hold(state, Held("", plain_order(3), items=tuple(item or absent for item in items)))


def _directions(module: Any) -> int:
    return 2 if module.bidirectional else 1


def _one_layer(
    scope: Scope,
    step: ModuleCall,
    module: Any,
    layer: int,
    text: str,
    packed: Packed | None,
    starts: list[list[str]],
    wanted: list[set[int]],
    finals: list[list[Held | None]],
) -> str:
    """Write one layer, and return the expression for its output."""
    output, states = step.result
    states = states if isinstance(states, tuple) else (states,)
    count, last = _directions(module), layer == module.num_layers - 1
    places = range(layer * count, (layer + 1) * count)
    everywhere = scope.trace.calls_of(step.path) > 1  # each may take other results
    returned = everywhere or any(place in each for each in wanted for place in places)
    sequences = everywhere or not last or bool(scope.uses[output])
    alone = last and not sequences and count == 1 and wanted[0] >= {places[0]} and not any(layer in each for each in wanted[1:])
    options = ["return_sequences=True"] * sequences + ["return_state=True"] * (returned and not alone)
    if packed and sequences and count == 1:
        options.append("zero_output_for_mask=True")  # as a packed sequence is padded
    inner = _constructor(module, "", *options)
    width = module.input_size if layer == 0 else module.hidden_size * count
    arrays = arrays_of(module)[layer]
    ways = ("",) if count == 1 else ("forward_layer/", "backward_layer/")
    name = scope.layer(
        step,
        KerasLayer(
            inner if count == 1 else f"keras.layers.Bidirectional({inner})",
            f"(None, None, {width})",
            {f"{way}cell": held for way, held in zip(ways, arrays, strict=True)},
        ),
        part=layer if module.num_layers > 1 else None,
    )
    arguments = [text]
    if starts:
        arguments.append(f"initial_state=[{', '.join(starts[layer])}]")
    if packed:
        arguments.append(f"mask={packed.mask}")
    call = f"{name}({', '.join(arguments)})"
    if module.dropout and not last:
        dropping = KerasLayer(f"keras.layers.Dropout({literal(module.dropout)})")
        call_after = scope.layer(step, dropping, wish=f"{step.path.rsplit('.', 1)[-1]}_dropout")
    else:
        call_after = ""
    targets, outcome = _targets(
        scope, step, states, places, wanted, finals, sequences=sequences, returned=returned, alone=alone
    )
    scope.write(
        f"{', '.join(targets)} = {call}",
        ""
        if len(targets) > 1
        else scope.shape_comment(output, plain_order(3))
        if sequences and not packed and module.batch_first
        else "",
    )
    if call_after:
        scope.write(f"{targets[0]} = {call_after}({targets[0]})")
    return outcome


def _targets(
    scope: Scope,
    step: ModuleCall,
    states: tuple[Value, ...],
    places: range,
    wanted: list[set[int]],
    finals: list[list[Held | None]],
    *,
    sequences: bool,
    returned: bool,
    alone: bool,
) -> tuple[list[str], str]:
    """Return the names that the results of a layer get, and the one of its output."""
    output = step.result[0]
    if alone:
        name = scope.name(_wish(scope, states[0], "h", places[0]), states[0], result=True)
        finals[0].append(Held(name, (0, 1)))
        for each in finals[1:]:
            each.append(None)
        return [name], name
    name = scope.name(output.name or "output", output, result=True) if sequences else "_"
    names = [name]
    for place in places:
        for state, items, read, wish in zip(states, finals, wanted, ("h", "c"), strict=False):
            if not returned:
                items.append(None)
                continue
            way = "" if len(places) == 1 else ("forward_", "backward_")[place % 2]
            used = place in read
            target = scope.name(f"{way}{_wish(scope, state, wish, place)}", object(), result=True) if used else "_"
            items.append(Held(target, (0, 1)) if used else None)
            names.append(target)
    return names, name


def _wish(scope: Scope, state: Value, otherwise: str, place: int) -> str:
    return scope.item_name(state, place) or state.name.removesuffix("_n") or otherwise


def _starts(scope: Scope, initial: Any, module: Any) -> list[list[str]]:
    """Return the expressions of the initial states by layer, in Keras's order; [] for zeros."""
    if initial is None:
        return []
    states = list(initial) if isinstance(initial, tuple) else [initial]
    made = [scope.made_by(state) for state in states]
    if all(isinstance(step, Function) and step.name in ("zeros", "new_zeros", "zeros_like") for step in made):
        return []
    count = _directions(module)
    listed: list[list[str]] = []
    for layer in range(module.num_layers):
        row: list[str] = []
        for way in range(count):
            for state in states:
                place = layer * count + way
                held = scope.held(state)
                if held.items:
                    row.append(held.items[place].ordered((0, 1)).text)
                else:
                    row.append(_item(scope, state, place))
        listed.append(row)
    return listed


def _item(scope: Scope, state: Any, place: int) -> str:
    held = scope.plain(state)
    if not held.text.replace(".", "").isidentifier():
        name = scope.assign_text(state, held)
        return f"{name}[{place}]"
    return f"{held.text}[{place}]"


def cell(scope: Scope, step: ModuleCall, module: Any) -> None:
    """Write one time step."""
    source = step.args[0]
    initial = step.kwargs.get("hx", step.args[1] if len(step.args) > 1 else None)
    results = step.result if isinstance(step.result, tuple) else (step.result,)
    states = list(initial) if isinstance(initial, tuple) else [initial] * len(results)
    name = scope.layer(
        step,
        KerasLayer(_constructor(module, "Cell"), f"(None, {module.input_size})", {"": arrays_of(module)[0][0]}),
    )
    texts = []
    for state in states:
        if state is None:
            size = scope.number(scope.size_of(source, 0))
            texts.append(f"ops.zeros(({size}, {module.hidden_size}))")
        else:
            texts.append(scope.arg(state))
    arg = scope.arg(source)
    names = [
        scope.name(value.name or wish, value, result=True) if scope.uses[value] else "_"
        for value, wish in zip(results, ("h", "c"), strict=False)
    ]
    inner = f"({', '.join(names)})" if len(names) > 1 else f"({names[0]},)"
    scope.write(f"_, {inner} = {name}({arg}, [{', '.join(texts)}])")
    for value, target in zip(results, names, strict=True):
        scope.hold(value, Held(target, (0, 1)))


def pack(scope: Scope, step: Function) -> None:
    """Write the mask of a sequence that torch packs."""
    arguments = step.kwargs
    source, lengths = arguments["input"], arguments["lengths"]
    held = input_of(scope, source).ordered(_BATCH_FIRST if arguments["batch_first"] else _TIME_FIRST)
    if isinstance(lengths, (list, tuple)):
        lengths = _listed(step, lengths)
    text = scope.arg(lengths)
    if not text.isidentifier():
        text = scope.assign_new("lengths", text)
    if not held.text.isidentifier():
        held = Held(scope.assign_text(source, held), held.order)
    time = (
        scope.size(source, 1 if arguments["batch_first"] else 0)
        if scope.any_varies(source, [1 if arguments["batch_first"] else 0])
        else str(source.shape[1 if arguments["batch_first"] else 0])
    )
    mask = scope.assign_new("mask", f"ops.less(ops.arange({time}), {text}[:, None])")
    scope.packed[step.result] = Packed(held, mask, text)


def _listed(step: Function, lengths: Any) -> Value:
    values = {each.of.parts[0] for each in lengths if hasattr(each, "of") and each.of.what == "item"}
    if len(values) != 1:
        raise refused(step, "lengths", "be a tensor that the module is given or computes", "are numbers", "Pass a tensor.")
    value: Value = values.pop()
    return value


def unpack(scope: Scope, step: Function) -> None:
    """Write the padded sequence, as long as its longest row, as torch makes it."""
    arguments = step.kwargs
    packed = scope.packed[arguments["sequence"]]
    padded, lengths = step.result
    scope.hold(lengths, Held(packed.lengths, (0,)))
    text = packed.held.text
    total = arguments["total_length"]
    if total is None:
        text = f"{text}[:, : ops.max({packed.lengths})]"
    elif not scope.varies(total):
        raise refused(step, "total_length", "be the size of the padded sequence", f"is {int(total)}", "Pass x.size(1).")
    if arguments["padding_value"]:
        text = (
            f"ops.where({packed.mask}[..., None], {packed.held.text}, {literal(arguments['padding_value'])})"
            + text[len(packed.held.text) :]
        )
    scope.put(padded, text, _BATCH_FIRST if arguments["batch_first"] else _TIME_FIRST)


WRITERS: dict[str, Writer] = {
    **dict.fromkeys(("LSTM", "GRU", "RNN"), recurrent),
    **dict.fromkeys(("LSTMCell", "GRUCell", "RNNCell"), cell),
}
