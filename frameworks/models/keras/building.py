"""A graph as a live, connected model of today's Keras."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import keras

from frameworks.errors import GatewiseError
from frameworks.files.building.hard_sigmoids import FACTOR
from frameworks.files.writing.outcome import Written
from frameworks.keras.building import untouched_random
from frameworks.models.graph import Call, Graph, Layer, ReturnedMask, Tensor, replaced, tensors_in
from frameworks.models.keras.layers import Made, make
from frameworks.models.keras.masks import Plan, plan_masks
from frameworks.models.keras.options import refused
from frameworks.models.keras.remarks import NOT_COMPILED, of_call, of_model
from frameworks.models.keras.tensors import Names, Tensors, masks_by_name, masks_returned
from frameworks.models.keras.weights import lay_in
from frameworks.registry import quiet_stderr


@dataclass(frozen=True, eq=False)
class Built:
    """A model of today's Keras.

    Args:
        model: the model.
        written: what became of each layer, also of those in nested models, in the order of the source.
    """

    model: Any
    written: tuple[Written, ...]


def build_keras(graph: Graph) -> Any:
    """Return a graph as a live, connected `keras.Model` with its weights.

    Args:
        graph: the graph of a whole model, from a file of any version of Keras.

    Raises:
        NoCounterpartError: for a layer, an option or a mask that Keras 3 cannot have.
    """
    return build(graph).model


def build(graph: Graph) -> Built:
    """Return a graph as a model of today's Keras, and what became of each layer.

    Args:
        graph: the graph of a whole model.

    Raises:
        NoCounterpartError: for a layer, an option or a mask that Keras 3 cannot have.
    """
    with untouched_random(), quiet_stderr(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras's own, of masks that a model loses: those are given in the calls
        builder = _Builder(graph, ())
        return Built(builder.model(), tuple(builder.written))


class _Builder:
    """Builds one model; a nested one has a builder of its own."""

    def __init__(self, graph: Graph, around: tuple[str, ...], returned: Collection[int] = ()) -> None:
        self.graph, self.around = graph, around
        self.returned = sorted(at for at in returned if graph.outputs[at] in graph.masks)
        self._nested: dict[str, _Builder] = {}
        self.written: list[Written] = []
        self._plan: Plan = plan_masks(graph)
        self._names = Names(graph.layers)
        self._natives: dict[str, Any] = {}
        self._made: dict[str, Made] = {}
        self._own_names: dict[str, str] = {}
        self._rescaled: dict[str, Any] = {}
        where = f"{'/'.join((*around, graph.name))} of {graph.source}"
        self._tensors = Tensors(self._names, self._natives, where)
        own = [graph.masks[graph.outputs[at]] for at in self.returned]
        self._asked = masks_returned([*own, *(mask for masks in self._plan.given.values() for mask in masks)])

    def model(self, name: str | None = None) -> Any:
        """Build the model with its weights."""
        inputs = [self._input(each) for each in self.graph.inputs]
        for layer in self.graph.layers.values():
            self._add(layer)
        name = (name or self.graph.name).replace("/", "_")
        if (
            self.graph.kind == "Sequential"
            and self._plan.is_empty
            and not self.returned
            and not any(each.is_operation for each in self.graph.layers.values())
        ):
            model = self._chained(inputs[0], name)
        else:
            model = self._connected(name)
        for layer in self.graph.layers.values():
            made = self._made.get(layer.name)
            if made is not None and layer.graph is None and not _is_model(layer.inner):
                own = layer.inner or layer
                while own.inner is not None:
                    own = own.inner
                hard = () if made.rescaled else made.hard_sigmoids
                lay_in(made.core, own.stored or layer.stored, self._where(layer), hard)
        self._tell()
        if not self.around:
            caveats = (NOT_COMPILED, *of_model(self._plan, self.graph))
            self.written.insert(0, Written(self.graph.name, self.graph.kind, type(model).__name__, model.name, caveats))
        return model

    def _where(self, layer: Layer) -> str:
        return f"the layer {'/'.join((*self.around, layer.name))} of {self.graph.source}"

    def _input(self, tensor: Tensor) -> Any:
        layer = self.graph.layers[tensor.layer]
        stated = layer.config.get("batch_shape") or layer.config.get("batch_input_shape") or self.graph.shapes.get(tensor)
        if not stated:
            raise refused(f"the input of {self.graph.source}", must="have a shape in the architecture", but="has none")
        name = self._own_names[layer.name] = self._names.of(layer.name)
        value = keras.Input(batch_shape=tuple(stated), dtype=self.graph.dtypes.get(tensor, "float32"), name=name)
        self._tensors.values[tensor] = value
        return value

    def _add(self, layer: Layer) -> None:
        """Make a layer, or a nested model."""
        if layer.kind == "InputLayer":
            return
        name = self._own_names[layer.name] = self._names.of(layer.name)
        if layer.is_operation:
            if layer.gap:
                raise refused(self._where(layer), must="be an operation of keras.ops", but=layer.gap)
            return
        nested = None
        of = layer.inner if _is_model(layer.inner) else layer
        if of is not None and of.graph is not None:
            asked = {each.tensor.output for each in self._asked if each.tensor.layer == layer.name}
            builder = _Builder(of.graph, (*self.around, layer.name), asked if of is layer else ())
            inner_name = name if of is layer else of.graph.name
            nested = builder.model(inner_name)
            self._nested[layer.name] = builder
            self.written += builder.written
        self._made[layer.name] = (
            Made(nested, nested) if of is layer and nested is not None else make(layer, name, self.graph, nested)
        )
        self._natives[layer.name] = self._made[layer.name].core
        if self._made[layer.name].rescaled:
            self._rescaled[layer.name] = keras.layers.Rescaling(FACTOR, name=self._names.of(f"{layer.name}_rescaled"))

    def _chained(self, first: Any, name: str) -> Any:
        layers = [first]
        for call in self.graph.calls:
            layers += [each for each in (self._rescaled.get(call.layer), self._made[call.layer].native) if each is not None]
        return keras.Sequential(layers, name=name)

    def _connected(self, name: str) -> Any:
        for call in self.graph.calls:
            try:
                results = self._call(call, self.graph.layers[call.layer])
            except (ValueError, TypeError, IndexError, AttributeError) as error:
                if isinstance(error, GatewiseError):
                    raise
                raise refused(
                    self._where(self.graph.layers[call.layer]),
                    must="be callable in Keras 3 as in the file",
                    but=f"Keras raises {type(error).__name__}: {str(error).strip().splitlines()[0][:300]}",
                ) from error
            self._tensors.values.update(zip(call.results, results, strict=False))
        takes = self.graph.takes if self.graph.takes is not None else list(self.graph.inputs)
        returns = self.graph.returns if self.graph.returns is not None else list(self.graph.outputs)
        values = self._tensors.values
        masks = [self._tensors.mask(self.graph.masks[self.graph.outputs[at]]) for at in self.returned]
        self._tensors.name_operations([*(values[each] for each in self.graph.outputs), *masks])
        inputs = _joined(replaced(_single(takes), values), list(self._tensors.mask_inputs.values()))
        return keras.Model(inputs, _joined(replaced(_single(returns), values), masks), name=name)

    def _call(self, call: Call, layer: Layer) -> list[Any]:
        key = (call.layer, call.number)
        values = dict(self._tensors.values)
        for at, tensor in enumerate(tensors_in(call.args)):
            if at in self._plan.dropped.get(key, ()):
                values[tensor] = self._tensors.named(keras.ops.multiply(values[tensor], 1), f"{tensor.layer}_unmasked")
        if layer.name in self._rescaled:
            values |= {each: self._rescaled[layer.name](values[each]) for each in tensors_in(call.args)}
        args, kwargs = replaced(call.args, values), replaced(dict(call.kwargs), values)
        if layer.is_operation:
            results = getattr(keras.ops, layer.kind.removeprefix("ops."))(*args, **kwargs)
            flat: list[Any] = keras.tree.flatten(results)
            self._tensors.named(flat[0], layer.name)
            return flat
        given = self._plan.given.get(key)
        if given is not None:
            masks = [self._tensors.mask(each) if each is not None else None for each in given]
            kwargs |= masks_by_name(self._made[layer.name].native, args, masks)
        nested = self._nested.get(layer.name)
        if nested is not None:
            args = (_joined(args[0], self._masks_for(nested, layer, call)), *args[1:])
        results = self._made[layer.name].native(*args, **kwargs)
        flat = keras.tree.flatten(results)
        for at, value in zip(nested.returned if nested is not None else (), flat[len(call.results) :], strict=False):
            self._tensors.know_mask(ReturnedMask(call.results[at]), value)
        for tensor, value in zip(call.results, flat, strict=False):
            self._tensors.keep_mask(self._plan.live.get(tensor), value)
        return flat

    def crossing(self) -> Iterator[str]:
        """Yield remarks about masks that enter and leave a nested model as tensors."""
        for each in self._tensors.mask_inputs.values():
            yield f"it has one more input, {each.name}: the mask, which Keras 3 by itself would merge otherwise in it"
        if self.returned:
            yield "it returns masks, too, which are passed in later calls: by itself, Keras 3 would give these other ones"

    def _masks_for(self, nested: _Builder, layer: Layer, call: Call) -> list[Any]:
        """Return the masks that a nested model takes as inputs of their own."""
        asked = nested._tensors.mask_inputs
        if asked and layer.graph is None:
            raise refused(
                self._where(layer),
                must="wrap a model that Keras 3 gives the same masks",
                but="wraps one that must be given merged masks, of which a wrapper passes on none",
            )
        seen = dict(zip(nested.graph.inputs, zip(tensors_in(call.args), call.masks, strict=True), strict=False))
        return [self._tensors.mask_of(*seen[each]) for each in asked]

    def _tell(self) -> None:
        """Say what became of each layer."""
        told: list[Written] = []
        for layer in self.graph.layers.values():
            path, name = "/".join((*self.around, layer.name)), self._own_names.get(layer.name, layer.name)
            made = self._made.get(layer.name)
            caveats = list(made.remarks) if made else []
            for call in self.graph.calls_of(layer.name):
                caveats += [each for each in of_call(layer, call, self._plan, self.graph) if each not in caveats]
            nested = self._nested.get(layer.name)
            if nested is not None:
                caveats += nested.crossing()
            if name != layer.name:
                caveats.insert(0, f"Keras 3 refuses its name: here it is {name}")
            becomes = _shown(layer, made)
            told.append(Written(path, layer.kind, becomes, "/".join((*self.around, name)), tuple(caveats)))
        self.written = told + self.written


def _is_model(layer: Layer | None) -> bool:
    return layer is not None and layer.graph is not None


def _joined(value: Any, further: list[Any]) -> Any:
    """Return the inputs or outputs of a model with further ones after them."""
    if not further:
        return value
    return [*value, *further] if isinstance(value, (list, tuple)) else [value, *further]


def _single(value: Any) -> Any:
    return value[0] if isinstance(value, (list, tuple)) and len(value) == 1 else value


def _shown(layer: Layer, made: Made | None) -> str:
    """Return what a layer is in today's Keras: a class, with the class that it wraps, or an operation."""
    if made is None:
        return layer.kind.replace("ops.", "keras.ops.")
    own = type(made.native).__name__
    return own if made.core is made.native else f"{own} of {type(made.core).__name__}"
