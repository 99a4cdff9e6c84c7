"""Recurrent layers in torch: the modules of each, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType

from frameworks.errors import NoCounterpartError
from frameworks.files.other_layers import OtherLayer
from frameworks.files.stored import StoredCell, StoredLayer
from frameworks.files.writing.blocks import Tensor as Blocks
from frameworks.models.graph import Graph, Layer, Mask, Tensor
from frameworks.models.pytorch.masks import reads_of, with_parts
from frameworks.models.pytorch.pieces import Helper, Piece, Target, Writer
from frameworks.models.pytorch.recurrent import convolutional
from frameworks.models.pytorch.recurrent.calls import Plan, write_call
from frameworks.models.pytorch.recurrent.elements import Element, Use, generated, is_native, native, rates_of
from frameworks.models.pytorch.recurrent.imported import imported, is_imported
from frameworks.models.pytorch.recurrent.running import DROPPED, run_of
from frameworks.models.pytorch.recurrent.stateful import keeps_own_states
from frameworks.options import KerasOptions

_DROP = Helper(
    DROPPED,
    f'''\
def {DROPPED}(x, rate, training):
    """Drop features of each row at all of its time steps alike."""
    return x * F.dropout(torch.ones_like(x[:, :1]), rate, training)''',
)


def recurrent(layer: Layer, graph: Graph, target: Target) -> Piece:
    """Return torch's own module where it holds the layer, and otherwise modules for each direction and cell."""
    stored = layer.stored
    if not isinstance(stored, StoredLayer) or stored.options is None:
        why = next(iter(stored.warnings), "it has no weights") if isinstance(stored, OtherLayer) else "it has no weights"
        raise NoCounterpartError.because(
            layer.kind,
            must="be read as a recurrent layer",
            but=f"is not: {why.removesuffix('.')}",
            remedy="gatewise inspect shows what the file states of it.",
        )
    use = _use(layer, stored.options, graph)
    plan = _plan(layer, stored, stored.options, graph, target, use)
    if target.imports_gatewise and is_imported(stored, plan, use):
        return imported(stored, plan, use, list(_how_it_reads(layer, plan, graph)), _suffixes(plan))
    arrays: dict[str, Blocks] = {}
    helpers: list[Helper] = []
    for place, element in plan.elements():
        prefix = place.replace('["', "").replace('"]', ".").replace("[", "").replace("]", ".")
        arrays |= {f"{prefix}{name}": blocks for name, blocks in element.arrays.items()}
        helpers += [*([element.class_helper] if element.class_helper else []), *([_DROP] * bool(element.dropout))]
    helpers += _runs(plan, layer, graph)
    return Piece(
        lambda site: write_call(site, plan),
        _constructor(plan),
        arrays,
        "; ".join(_how(layer, stored, plan, graph)) or "as it is",
        tuple(dict.fromkeys(helpers)),
        results=_suffixes(plan),
    )


def _use(layer: Layer, options: KerasOptions, graph: Graph) -> Use:
    calls = graph.calls_of(layer.name)
    # False is what Keras 3 writes for every recurrent layer, and means the mode of the model.
    trains = {call.kwargs.get("training") is True for call in calls}
    return Use(
        masked=any(call.mask is not None for call in calls),
        continues=any(call.kwargs.get("initial_state") is not None for call in calls),
        training="self.training" if trains <= {False} else "True" if trains == {True} else "training",
        stateful=options.stateful,
        keeps_own=keeps_own_states(graph.version),
        per_gate=_implementation(layer) == 1,
    )


def _plan(layer: Layer, stored: StoredLayer, options: KerasOptions, graph: Graph, target: Target, use: Use) -> Plan:
    two = len(stored.cells[0]) == 2
    unreversed: tuple[bool, ...] = (False, False)
    # Read from its end, padding is at the beginning.
    holes = [target.padding == "any" or options.go_backwards != backward for backward in (False, True)]
    zeroes = options.return_sequences if two else options.zero_output_for_mask
    if use.masked and zeroes and options.return_sequences:
        reads_back = (options.go_backwards, not options.go_backwards)
        unreversed = tuple(map(all, zip(reads_back, _unrolls(layer), strict=True)))[: 1 + two]
    if two and _repeats_apart(graph.version) and use.masked and options.return_sequences:
        zeroes = False
    elif two and options.nesting != "cells" and not any(unreversed) and is_native(stored.cells, use):
        whole = native(stored.cells, use, holes=holes[0])
        return Plan(options, ((whole,),), two, zeroes)
    columns = tuple(
        tuple(_column([row[direction] for row in stored.cells], use, holes=holes[direction]))
        for direction in range(len(stored.cells[0]))
    )
    return Plan(options, columns, two, zeroes, unreversed)


def _runs(plan: Plan, layer: Layer, graph: Graph) -> Iterator[Helper]:
    """Yield the functions that the calls use to run modules of torch over their masks."""
    read = _read_tensors(graph)
    for call in graph.calls_of(layer.name):
        if call.mask is None or read.isdisjoint(call.results):
            continue
        continues = call.kwargs.get("initial_state") is not None
        wanted = plan.wanted([tensor in read for tensor in call.results])
        for column, wishes in zip(plan.columns, wanted, strict=True):
            for element, wish in zip(column, wishes, strict=True):
                if element.skips:
                    yield run_of(element, wish, continues=continues)


@lru_cache(maxsize=8)
def _read_tensors(graph: Graph) -> frozenset[Tensor]:
    """Return the tensors that the outputs of a graph, or masks, depend on."""
    read = {*graph.outputs, *(tensor for call in graph.calls for mask in call.masks if mask for tensor in _read_by(mask))}
    for call in reversed(graph.calls):
        if not read.isdisjoint(call.results):
            read.update(call.reads)
    return frozenset(read)


def _read_by(mask: Mask) -> Iterator[Tensor]:
    for each in with_parts(mask):
        yield from reads_of(each)


def _column(cells: list[StoredCell], use: Use, *, holes: bool) -> Iterator[Element]:
    """Yield the modules of one direction: one for all of its cells, or one for each."""
    stack = [(cell,) for cell in cells]
    if is_native(stack, use):
        yield native(stack, use, holes=holes)
        return
    for cell in cells:
        yield native([(cell,)], use, holes=holes) if is_native([(cell,)], use) else generated(cell, use)


def _repeats_apart(version: tuple[int, ...]) -> bool:
    """Return whether Bidirectional repeated the last output of each direction at masked steps, as before Keras 2.3."""
    return version < (2, 3)


def _unrolls(layer: Layer) -> tuple[bool, bool]:
    """Return whether a layer, or the forward and the backward layer of a Bidirectional, is unrolled."""
    forward = layer.config.get("layer")
    backward = layer.config.get("backward_layer") or forward
    configs = [each.get("config", {}) if isinstance(each, Mapping) else layer.config for each in (forward, backward)]
    return bool(configs[0].get("unroll")), bool(configs[1].get("unroll"))


def _implementation(layer: Layer) -> int | None:
    config = layer.config
    for key in ("layer", "cell"):
        inner = config.get(key)
        config = inner.get("config", {}) if isinstance(inner, Mapping) else config
    value = config.get("implementation")
    return value if isinstance(value, int) else None


def _constructor(plan: Plan) -> str:
    halves = [
        column[0].constructor if len(column) == 1 else f"nn.ModuleList([{', '.join(each.constructor for each in column)}])"
        for column in plan.columns
    ]
    if len(halves) == 1:
        return halves[0]
    return f'nn.ModuleDict({{"forward_layer": {halves[0]}, "backward_layer": {halves[1]}}})'


def _suffixes(plan: Plan) -> tuple[str, ...]:
    outputs = ("forward", "backward") if plan.bidirectional and plan.options.merge_mode is None else ("",)
    if not plan.options.return_state:
        return outputs if len(outputs) > 1 else ()
    places = plan.states()
    half = len(places) // 2
    names = []
    for at, (_, _, state, _) in enumerate(places):
        direction = ("_forward" if at < half else "_backward") if plan.bidirectional else ""
        names.append(f"{state}{direction}")
    counts = {name: names.count(name) for name in names}
    seen: dict[str, int] = {}
    for at, name in enumerate(names):
        if counts[name] > 1:
            seen[name] = seen.get(name, -1) + 1
            names[at] = f"{name}{seen[name]}"
    return (*outputs, *names)


def _how(layer: Layer, stored: StoredLayer, plan: Plan, graph: Graph) -> Iterator[str]:
    elements = [element for _, element in plan.elements()]
    if len(plan.columns) == 2:
        yield "a module for each direction"
    if any(len(column) > 1 for column in plan.columns):
        yield "a module for each cell"
    special = dict.fromkeys(element.cells[0][0].spec for element in elements if not element.is_native)
    if special:
        yield "a class of its own, as torch has no such cell"
    if any(element.is_native and element.cells[0][0].spec.bias and len(element.cell.gates) != 3 for element in elements):
        yield "bias_hh is zero: freeze it to train as Keras does"
    yield from _how_it_reads(layer, plan, graph)
    yield from _dropout(stored, elements)


def _how_it_reads(layer: Layer, plan: Plan, graph: Graph) -> Iterator[str]:
    if plan.options.go_backwards:
        yield "reads its input from the end"
    if any(call.mask is not None for call in graph.calls_of(layer.name)):
        yield "skips masked steps"
    if any(plan.unreversed):
        yield "zeroes outputs by the mask that Keras on TensorFlow, unrolled, forgets to reverse"
    if plan.options.stateful:
        yield "keeps its states from call to call until reset_states()"


def _dropout(stored: StoredLayer, elements: list[Element]) -> Iterator[str]:
    """Yield what of a layer's dropout acts in training."""
    rates = [rates_of(cell) for row in stored.cells for cell in row]
    if not any(map(any, rates)):
        return
    if any(any(rates_of(cell)) for e in elements if e.is_native and not e.dropout for row in e.cells for cell in row):
        names = [
            name for name, each in zip(("dropout", "recurrent_dropout"), zip(*rates, strict=True), strict=True) if any(each)
        ]
        yield f"without its {' and '.join(names)}, which {'act' if len(names) > 1 else 'acts'} in training alone"
    else:
        yield "dropout in training as in Keras, one mask for all time steps"


KINDS = ("SimpleRNN", "LSTM", "GRU", "RNN", "Bidirectional", "CuDNNLSTM", "CuDNNGRU")

WRITERS: Mapping[str, Writer] = MappingProxyType({**dict.fromkeys(KINDS, recurrent), **convolutional.WRITERS})
