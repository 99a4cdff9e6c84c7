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
from frameworks.models.keras_source.literals import literal, sequence
from frameworks.models.keras_source.modules.packing import BATCH_FIRST, TIME_FIRST, Packed
from frameworks.models.keras_source.modules.plain import Writer, trained
from frameworks.models.keras_source.scope import Scope, uncarried
from frameworks.models.tracing.steps import Function, ModuleCall, Value
from frameworks.registry import adapt

_NAMES = {"LSTM": "LSTM", "GRU": "GRU", "RNN": "SimpleRNN"}


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


@dataclass
class _Stack:
    """A call of a recurrent module while its layers are written.

    Args:
        scope: the method.
        step: the call.
        module: the module.
        packed: the packed sequence that it is given, or None.
        starts: the expressions of the initial states by layer; [] for zeros.
    """

    scope: Scope
    step: ModuleCall
    module: Any
    packed: Packed | None
    starts: list[list[str]]

    def __post_init__(self) -> None:
        """Find out which results are used."""
        output, states = self.step.result
        self.output: Value = output
        self.states: tuple[Value, ...] = states if isinstance(states, tuple) else (states,)
        self.ways = 2 if self.module.bidirectional else 1
        count = self.module.num_layers * self.ways
        self.wanted = [self.scope.uses.items_read(state, count) if self.scope.uses[state] else set() for state in self.states]
        self.finals: list[list[Held]] = [[] for _ in self.states]
        self.everything = self.scope.trace.calls_of(self.step.path) > 1  # each call may take other results

    def layer(self, at: int, text: str) -> str:
        """Write one layer, and return the expression for its output."""
        scope, last = self.scope, at == self.module.num_layers - 1
        places = range(at * self.ways, (at + 1) * self.ways)
        returned = self.everything or any(place in each for each in self.wanted for place in places)
        sequences = self.everything or not last or bool(scope.uses[self.output])
        alone = not sequences and self.ways == 1 and returned and not any(at in each for each in self.wanted[1:])
        name = self._layer(at, sequences=sequences, returned=returned and not alone)
        arguments = [text, *([f"initial_state={sequence(self.starts[at], '[]')}"] if self.starts else [])]
        arguments += [f"mask={self.packed.mask}"] if self.packed else []
        if alone:
            targets = [self._final(0, places[0], "h")]
        else:
            targets = [self._output(last=last) if sequences else "_"]
            names = [("", "forward_", "backward_")[(self.ways - 1) * (place % 2 + 1)] for place in places]
            for place, way in zip(places, names, strict=True):
                finals = [self._final(kind, place, f"{way}{'hc'[kind]}") for kind in range(len(self.states))]
                targets += finals if returned else []
        scope.write(f"{', '.join(targets)} = {name}({', '.join(arguments)})", self._comment(targets, last=last))
        return self._dropped(targets[0], last=last)

    def _comment(self, targets: list[str], *, last: bool) -> str:
        plain = len(targets) == 1 and last and not self.packed and self.module.batch_first and self.scope.uses[self.output]
        return self.scope.shape_comment(self.output, plain_order(3)) if plain else ""

    def _layer(self, at: int, *, sequences: bool, returned: bool) -> str:
        """Return the expression for a layer."""
        options = ["return_sequences=True"] * sequences + ["return_state=True"] * returned
        if self.packed and sequences and self.ways == 1:
            options.append("zero_output_for_mask=True")  # as a packed sequence is padded
        inner = _constructor(self.module, "", *options)
        width = self.module.hidden_size * self.ways if at else self.module.input_size
        parts = ("",) if self.ways == 1 else ("forward_layer/", "backward_layer/")
        layer = KerasLayer(
            inner if self.ways == 1 else f"keras.layers.Bidirectional({inner})",
            f"(None, None, {width})",
            {f"{part}cell": held for part, held in zip(parts, arrays_of(self.module)[at], strict=True)},
        )
        return self.scope.layer(self.step, layer, part=at if self.module.num_layers > 1 else None)

    def _output(self, *, last: bool) -> str:
        owner = self.output if last else Value(-1, (), "")  # nothing reads it but the next layer
        return self.scope.name(self.output.name or "output", owner, result=True)

    def _final(self, kind: int, place: int, wish: str) -> str:
        """Return the name of a final state, "_" for one that nothing uses."""
        state, count = self.states[kind], self.module.num_layers * self.ways
        if place not in self.wanted[kind]:
            self.finals[kind].append(Held("None", (0, 1)))
            return "_"
        wish = self.scope.uses.item_name(state, place, count) or wish
        name = self.scope.name(wish, object(), result=True)
        self.finals[kind].append(Held(name, (0, 1)))
        return name

    def _dropped(self, name: str, *, last: bool) -> str:
        """Write the dropout between layers."""
        if self.module.dropout and not last:
            dropping = KerasLayer(f"keras.layers.Dropout({literal(self.module.dropout)})")
            layer = self.scope.layer(self.step, dropping, wish=f"{self.step.path.rpartition('.')[2]}_dropout")
            self.scope.write(f"{name} = {layer}({name})")
        return name


def recurrent(scope: Scope, step: ModuleCall, module: Any) -> None:
    """Write a recurrent module: a layer of Keras for each of its layers."""
    source = step.args[0]
    if len(source.shape) != 3 - source.packed:
        raise uncarried(step, "the input", "have a batch axis", f"has {len(source.shape)} axes", "Add a batch axis.")
    if getattr(module, "proj_size", 0):
        raise uncarried(step, "proj_size", "be 0", f"is {module.proj_size}", "gatewise.emulate(rnn, 'keras') projects.")
    order = BATCH_FIRST if module.batch_first or source.packed else TIME_FIRST
    packed = scope.packed.get(source)
    text = (packed.held if packed else input_of(scope, source).ordered(order)).text
    initial = step.kwargs.get("hx", step.args[1] if len(step.args) > 1 else None)
    stack = _Stack(scope, step, module, packed, _starts(scope, initial, module))
    for at in range(module.num_layers):
        text = stack.layer(at, text)
    if packed and scope.uses[stack.output]:
        scope.packed[stack.output] = Packed(Held(text, BATCH_FIRST), packed.mask, packed.lengths)
    elif scope.uses[stack.output]:
        scope.hold(stack.output, Held(text, order))
    for state, items in zip(stack.states, stack.finals, strict=True):
        if scope.uses[state]:
            scope.hold(state, Held("", plain_order(3), items=tuple(items)))


def _starts(scope: Scope, initial: Any, module: Any) -> list[list[str]]:
    """Return the expressions of the initial states by layer, in Keras's order; [] for zeros."""
    if initial is None:
        return []
    states = list(initial) if isinstance(initial, tuple) else [initial]
    made = [scope.made_by(state) for state in states]
    if all(isinstance(step, Function) and step.name in ("zeros", "new_zeros", "zeros_like") for step in made):
        return []
    count = 2 if module.bidirectional else 1
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
        name = scope.variable(state, held)
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


WRITERS: dict[str, Writer] = {
    **dict.fromkeys(("LSTM", "GRU", "RNN"), recurrent),
    **dict.fromkeys(("LSTMCell", "GRUCell", "RNNCell"), cell),
}
