"""What feeds what in an architecture of any version of Keras."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from frameworks.errors import InvalidValueError
from frameworks.files.keras.config import MAX_DEPTH, RECURRENT, Config, class_of, config_of, snake
from frameworks.files.keras.nodes import Node, Reference, nodes_of, references_in, replaced_references, tensors_of
from frameworks.files.keras.version import Version
from frameworks.files.other_layers import OtherLayer
from frameworks.files.stored import StoredLayer
from frameworks.files.untrusted.source import damaged, unsupported
from frameworks.kinds import KERAS
from frameworks.models.graph import Call, Graph, Layer, Tensor, tensors_in
from frameworks.models.reading.calls import as_called, count_results
from frameworks.models.reading.operations import OF_KERAS_2, is_operation, operation_of
from frameworks.models.reading.order import in_order, in_order_of_keras

_MOST_RESULTS = 1 << 12
"""The most results of a call."""
_CHECK = "Check that the architecture belongs to a model that Keras built."


@dataclass(frozen=True, eq=False)
class Reading:
    """The context in which an architecture is read.

    Args:
        file: the file's name in messages.
        version: the version of Keras that wrote it.
        stored: the layers with their weights, by the names of the models around each and its own, joined by slashes.
        prefix: the names of the models around, each with a slash.
        trainable: whether the models around are trainable.
        depth: the number of models and wrappers around.
    """

    file: str
    version: Version
    stored: Mapping[str, StoredLayer | OtherLayer]
    prefix: str = ""
    trainable: bool = True
    depth: int = 0

    @property
    def subject(self) -> str:
        """The subject of messages about the architecture."""
        return f"the architecture in {self.file}"

    def within(self, name: str, *, trainable: bool = True) -> Reading:
        """Return the context of what a layer contains."""
        if self.depth >= MAX_DEPTH:
            raise unsupported(self.subject, f"nests layers more than {MAX_DEPTH} deep")
        prefix = f"{self.prefix}{name}/"
        return replace(self, prefix=prefix, trainable=self.trainable and trainable, depth=self.depth + 1)


def read_model(entry: Config, reading: Reading) -> Graph:
    """Return the graph of a serialised model: class_name and config."""
    config = config_of(entry, reading.file)
    entries = config.get("layers")
    if not isinstance(entries, list) or not entries:
        raise damaged(reading.subject, "has a model without a list of layers")
    wiring = _Wiring(reading)
    for one in entries:
        wiring.add(one)
    name = str(config.get("name", snake(class_of(entry, reading.file))))
    if "input_layers" in config or "output_layers" in config:
        return wiring.functional(name, config)
    return wiring.sequential(name, config)


@dataclass(eq=False)
class _Wiring:
    """The layers of one model, and the calls that the file states."""

    reading: Reading
    layers: dict[str, Layer] = field(default_factory=dict)
    nodes: dict[str, list[Node]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def add(self, entry: Any) -> None:
        """Read a serialised layer and its calls."""
        old = isinstance(entry, Mapping) and entry.get("class_name") in OF_KERAS_2
        nodes = list(nodes_of(entry, self.reading.file, nested=old)) if isinstance(entry, Mapping) else []
        layer = _layer(entry, nodes, self.reading, len(self.layers))
        if layer.name in self.layers:
            raise InvalidValueError.because(
                self.reading.subject,
                must="have layers of different names",
                but=f"has two layers named {layer.name[:100]!r}",
                remedy="Keras refuses such a model too: rename one of them in the JSON.",
            )
        self.layers[layer.name] = layer
        self.names[str(entry.get("name", layer.name))] = layer.name
        self.nodes[layer.name] = nodes

    def functional(self, name: str, config: Config) -> Graph:
        """Return the graph of a model whose file states what each layer is called with."""
        takes, returns = (tensors_of(config.get(each)) for each in ("input_layers", "output_layers"))
        takes = [takes] if isinstance(takes, Reference) else takes
        if isinstance(returns, list) and len(returns) == 1:
            returns = returns[0]  # Keras returns the only tensor of a list by itself
        inputs, outputs = list(references_in(takes)), list(references_in(returns))
        if not inputs or not outputs:
            raise damaged(self.reading.subject, "has a model without inputs or outputs")
        within = [each for nodes in self.nodes.values() for node in nodes for each in references_in([node.args, node.kwargs])]
        is_keras2 = self.reading.version.is_keras2
        offsets = self._offsets([*within, *outputs] if is_keras2 else within)
        ends = offsets if is_keras2 else self._ends()
        read = {each: self._tensor(each, offsets) for each in within}
        calls = [
            as_called(
                self.layers[layer],
                number,
                replaced_references(node.args, read.__getitem__),
                replaced_references(node.kwargs, read.__getitem__),
            )
            for layer, nodes in self.nodes.items()
            for number, node in enumerate(nodes)
            if self.layers[layer].kind != "InputLayer"
        ]
        takes = replaced_references(takes, lambda each: self._tensor(each, {}))
        returns = replaced_references(returns, lambda each: self._tensor(each, ends))
        return self._graph(name, "Functional", calls, takes, returns)

    def sequential(self, name: str, config: Config) -> Graph:
        """Return the graph of a model in which each layer reads the result of the one before."""
        first = next(iter(self.layers.values()))
        if first.kind != "InputLayer":
            shape = next(
                (each for each in (first.config.get("batch_input_shape"), config.get("build_input_shape")) if each), None
            )
            own = {"batch_shape": shape, "dtype": _input_dtype(first)} if shape else {"dtype": _input_dtype(first)}
            taken = next(
                each for each in ("input", *(f"input_{n}" for n in range(len(self.layers) + 1))) if each not in self.layers
            )
            first = Layer(taken, "InputLayer", own)
            self.layers = {taken: first, **self.layers}
        last, calls = Tensor(first.name), []
        for layer in list(self.layers.values())[1:]:
            calls.append(as_called(layer, 0, (last,), {}))
            last = Tensor(layer.name)
        return self._graph(name, "Sequential", calls, [Tensor(first.name)], last)

    def _graph(self, name: str, kind: str, calls: Sequence[Call], takes: Any, returns: Any) -> Graph:
        calls = in_order(count_results(calls, self.layers, list(tensors_in(returns))), self.reading.subject)
        inputs, outputs = tuple(tensors_in(takes)), tuple(tensors_in(returns))
        if any(call.number and self.layers[call.layer].keeps_states for call in calls):
            calls = in_order_of_keras(calls, outputs)  # each call leaves its states to the next one
        self._check(calls, inputs, outputs)
        return Graph(
            name,
            kind,
            self.layers,
            tuple(calls),
            inputs,
            outputs,
            single=isinstance(returns, Tensor),
            dtypes={each: _input_dtype(self.layers[each.layer]) for each in inputs},
            version=self.reading.version.numbers,
            source=self.reading.file,
            takes=takes,
            returns=returns,
        )

    def _check(self, calls: Sequence[Call], inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> None:
        made = {result for call in calls for result in call.results}
        made |= set(inputs)
        reads = [(call.layer, each) for call in calls for each in call.reads]
        for reader, each in (*reads, *(("the model", each) for each in outputs)):
            if each not in made:
                what = f"result {each.output} of call {each.call} of {each.layer[:100]!r}"
                raise InvalidValueError.because(
                    self.reading.subject,
                    must="state where each tensor comes from",
                    but=f"{reader[:100]} reads {what}, which is not there",
                    remedy=_CHECK,
                )
        for each in inputs:
            if self.layers[each.layer].kind != "InputLayer":
                raise damaged(self.reading.subject, f"names {each.layer[:100]!r} as an input, which is no InputLayer")

    def _tensor(self, reference: Reference, offsets: Mapping[str, int]) -> Tensor:
        name = self.names.get(reference.layer, reference.layer)
        if name not in self.layers:
            raise InvalidValueError.because(
                self.reading.subject,
                must="contain each layer that another one reads",
                but=f"has no layer named {reference.layer[:100]!r}",
                remedy=_CHECK,
            )
        if not 0 <= reference.output < _MOST_RESULTS:
            raise damaged(self.reading.subject, f"reads result {str(reference.output)[:20]} of {name[:100]!r}")
        return Tensor(name, reference.node - offsets.get(name, 0), reference.output)

    def _offsets(self, seen: Sequence[Reference]) -> dict[str, int]:
        """Return the number of each nested model's first call: Keras 2 may count its building as a call."""
        least: dict[str, int] = {}
        for each in seen:
            name = self.names.get(each.layer, each.layer)
            if name in self.layers and self.layers[name].graph is not None:
                least[name] = min(least.get(name, each.node), each.node)
        return {name: 1 for name, number in least.items() if number == 1}

    def _ends(self) -> dict[str, int]:
        """Return the same for the outputs of a model of Keras 3, where only they count a nested functional model's building."""
        return {name: 1 for name, layer in self.layers.items() if layer.graph is not None and layer.graph.kind == "Functional"}


def _layer(entry: Any, nodes: Sequence[Node], reading: Reading, number: int) -> Layer:
    kind, config = class_of(entry, reading.file), config_of(entry, reading.file)
    name = str(config.get("name", entry.get("name", f"{snake(kind)}_{number}")))
    if is_operation(entry, config, is_keras2=reading.version.is_keras2):
        return operation_of(name, entry, config, nodes)
    return _described(name, kind, config, reading)


def _described(name: str, kind: str, config: Config, reading: Reading) -> Layer:
    """Return a layer, with what it contains."""
    trainable = config.get("trainable", True) is not False
    within = reading.within(name, trainable=trainable)
    stored, inner, graph, gap = reading.stored.get(f"{reading.prefix}{name}"), None, None, ""
    record = KERAS.get(kind)
    if record.role == "wrapper":
        entry = config.get(record.inner)
        own = config_of(entry, reading.file)
        inner = _described(name, class_of(entry, reading.file), own, replace(within, prefix=reading.prefix))
        stored = None
    elif record.role == "model" or isinstance(config.get("layers"), list):
        graph = read_model({"class_name": kind, "config": config}, within)
    elif kind not in KERAS.kinds and kind not in RECURRENT:
        gap = f"its class {kind} is not one of Keras's, and its code is not in the file"
    return Layer(name, kind, config, stored, inner, graph, reading.trainable and trainable, gap)


def _input_dtype(layer: Layer) -> str:
    if layer.graph is not None:
        return next(iter(layer.graph.dtypes.values()), "float32")
    if layer.kind == "Embedding":
        return "int32"
    dtype = layer.config.get("dtype")
    return dtype if isinstance(dtype, str) else "float32"
