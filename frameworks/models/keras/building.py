"""A graph as a live, connected model of today's Keras."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import keras

from frameworks.errors import GatewiseError, InvalidValueError, NoCounterpartError
from frameworks.files.writing.outcome import Written
from frameworks.keras.building import untouched_random
from frameworks.models.graph import (
    ArrivingMask,
    Call,
    GivenMask,
    Graph,
    Layer,
    MadeMask,
    Mask,
    MergedMask,
    ReturnedMask,
    Tensor,
    replaced,
    tensors_in,
)
from frameworks.models.keras.layers import Made, make
from frameworks.models.keras.masks import Plan, plan_masks
from frameworks.models.keras.options import WAY_ON
from frameworks.models.keras.remarks import NOT_COMPILED, of_call, of_model
from frameworks.models.keras.weights import FACTOR, lay_in
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


class _Names:
    """The names of one model's layers in today's Keras, which are unique and hold no slash."""

    def __init__(self, names: Iterable[str]) -> None:
        self._kept = {name for name in names if "/" not in name}
        self._given: set[str] = set()

    def of(self, name: str) -> str:
        """Return a layer's name: its own, unless Keras 3 refuses it."""
        plain, number = name.replace("/", "_"), 1
        chosen = plain
        while chosen in self._given or (chosen in self._kept and chosen != name):
            number += 1
            chosen = f"{plain}_{number}"
        self._given.add(chosen)
        return chosen


@dataclass
class _Tensors:
    """The tensors and masks of one model, made so far."""

    values: dict[Tensor, Any] = field(default_factory=dict)
    masks: dict[Mask, Any] = field(default_factory=dict)


class _Builder:
    """Builds one model; a nested one has a builder of its own."""

    def __init__(self, graph: Graph, around: tuple[str, ...]) -> None:
        self.graph, self.around = graph, around
        self.written: list[Written] = []
        self._plan: Plan = plan_masks(graph)
        self._names = _Names(graph.layers)
        self._made: dict[str, Made] = {}
        self._own_names: dict[str, str] = {}
        self._rescaled: dict[str, Any] = {}
        self._named_operations: set[int] = set()
        self._tensors = _Tensors()

    def model(self, name: str | None = None) -> Any:
        """Build the model with its weights."""
        inputs = [self._input(each) for each in self.graph.inputs]
        for layer in self.graph.layers.values():
            self._add(layer)
        name = (name or self.graph.name).replace("/", "_")
        if (
            self.graph.kind == "Sequential"
            and self._plan.is_empty
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
            raise InvalidValueError.because(
                f"the input of {self.graph.source}",
                must="have a shape in the architecture",
                but="has none",
                remedy=WAY_ON,
            )
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
                raise NoCounterpartError.because(
                    self._where(layer), must="be an operation of keras.ops", but=layer.gap, remedy=WAY_ON
                )
            return
        nested = None
        of = layer.inner if _is_model(layer.inner) else layer
        if of is not None and of.graph is not None:
            builder = _Builder(of.graph, (*self.around, layer.name))
            inner_name = name if of is layer else of.graph.name
            nested = builder.model(inner_name)
            self.written += builder.written
        self._made[layer.name] = (
            Made(nested, nested) if of is layer and nested is not None else make(layer, name, self.graph, nested)
        )
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
                raise NoCounterpartError.because(
                    self._where(self.graph.layers[call.layer]),
                    must="be callable in Keras 3 as in the file",
                    but=f"Keras raises {type(error).__name__}: {str(error).strip().splitlines()[0][:300]}",
                    remedy=WAY_ON,
                ) from error
            self._tensors.values.update(zip(call.results, results, strict=False))
        takes = self.graph.takes if self.graph.takes is not None else list(self.graph.inputs)
        returns = self.graph.returns if self.graph.returns is not None else list(self.graph.outputs)
        values = self._tensors.values
        for operation in _operations_before([values[each] for each in self.graph.outputs]):
            if id(operation) not in self._named_operations:  # made by Keras, for masks: its name may be that of a layer
                operation.name = self._names.of(operation.name)
        return keras.Model(replaced(_single(takes), values), replaced(_single(returns), values), name=name)

    def _call(self, call: Call, layer: Layer) -> list[Any]:
        key = (call.layer, call.number)
        values = dict(self._tensors.values)
        for at, tensor in enumerate(tensors_in(call.args)):
            if at in self._plan.dropped.get(key, ()):
                values[tensor] = self._named(keras.ops.multiply(values[tensor], 1), f"{tensor.layer}_unmasked")
        if layer.name in self._rescaled:
            values = {each: self._rescaled[layer.name](values[each]) for each in tensors_in(call.args)} | {
                each: value for each, value in values.items() if each not in set(tensors_in(call.args))
            }
        args, kwargs = replaced(call.args, values), replaced(dict(call.kwargs), values)
        if layer.is_operation:
            results = getattr(keras.ops, layer.kind.removeprefix("ops."))(*args, **kwargs)
            flat = keras.tree.flatten(results)
            self._named(flat[0], layer.name)
            return flat
        given = self._plan.given.get(key)
        if given is not None:
            masks = [self._mask(each) if each is not None else None for each in given]
            kwargs |= _masks_by_name(self._made[layer.name].native, args, masks)
        results = self._made[layer.name].native(*args, **kwargs)
        flat = keras.tree.flatten(results)
        self._keep_masks(call, layer, flat)
        return flat

    def _keep_masks(self, call: Call, layer: Layer, results: list[Any]) -> None:
        """Remember the masks that today's Keras made itself."""
        for tensor, value in zip(call.results, results, strict=False):
            mask, own = self._plan.live.get(tensor), getattr(value, "_keras_mask", None)
            if mask is not None and own is not None:
                self._tensors.masks.setdefault(mask, own)

    def _named(self, value: Any, name: str) -> Any:
        """Give the operation that makes a tensor a name of its own."""
        operation = value._keras_history.operation  # noqa: SLF001  a function of keras.ops takes no name
        operation.name = self._names.of(name)
        self._named_operations.add(id(operation))
        return value

    def _mask(self, mask: Mask) -> Any:
        """Return a mask as a tensor of the model."""
        if mask not in self._tensors.masks:
            self._tensors.masks[mask] = self._compute(mask)
        return self._tensors.masks[mask]

    def _compute(self, mask: Mask) -> Any:
        match mask:
            case GivenMask():
                return self._tensors.values[mask.tensor]
            case MadeMask():
                native = self._made[mask.layer].native
                return native.compute_mask(self._tensors.values[mask.read])
            case MergedMask(how="any"):
                (one,) = mask.masks
                value = self._mask(one) if one is not None else None
                axes = () if value is None else tuple(range(mask.axis, len(value.shape)))
                return keras.ops.any(value, axis=axes) if axes else value
            case MergedMask(how="joined"):
                parts = [
                    self._mask(each) if each is not None else keras.ops.ones_like(self._values_of(tensor)[..., 0], dtype="bool")
                    for each, tensor in zip(mask.masks, mask.tensors, strict=True)
                ]
                return keras.ops.concatenate(parts, axis=mask.axis)
            case MergedMask():
                merge = {"and": keras.ops.logical_and, "or": keras.ops.logical_or}[mask.how]
                return reduce(merge, [self._mask(each) for each in mask.masks if each is not None])
        raise self._unknown(mask)

    def _values_of(self, tensor: Tensor) -> Any:
        return self._tensors.values[tensor]

    def _unknown(self, mask: Mask) -> NoCounterpartError:
        what = {ArrivingMask: "arrives with an input of a nested model", ReturnedMask: "a nested model returns"}
        return NoCounterpartError.because(
            f"the masks in {'/'.join((*self.around, self.graph.name))} of {self.graph.source}",
            must="be those that Keras 3 passes on",
            but=f"are others: Keras 3 does not pass on a mask that {what.get(type(mask), 'the file states')}",
            remedy=WAY_ON,
        )

    def _tell(self) -> None:
        """Say what became of each layer."""
        told: list[Written] = []
        for layer in self.graph.layers.values():
            path, name = "/".join((*self.around, layer.name)), self._own_names.get(layer.name, layer.name)
            made = self._made.get(layer.name)
            caveats = list(made.remarks) if made else []
            for call in self.graph.calls_of(layer.name):
                caveats += [each for each in of_call(layer, call, self._plan, self.graph) if each not in caveats]
            if name != layer.name:
                caveats.insert(0, f"Keras 3 refuses its name: here it is {name}")
            becomes = _shown(layer, made)
            told.append(Written(path, layer.kind, becomes, "/".join((*self.around, name)), tuple(caveats)))
        self.written = told + self.written


def _masks_by_name(native: Any, args: Sequence[Any], masks: Sequence[Any]) -> dict[str, Any]:
    """Return masks as a layer's call takes them: one, a list, or one for each of its arguments."""
    names = list(inspect.signature(native.call).parameters)
    if "mask" in names:
        return {"mask": list(masks) if isinstance(args[0], (list, tuple)) else masks[0]}
    named = {f"{name}_mask": mask for name, mask in zip(names, masks, strict=False) if mask is not None}
    return {name: mask for name, mask in named.items() if name in names}


def _operations_before(tensors: Iterable[Any]) -> list[Any]:
    """Return the operations, but not the layers, that tensors are computed by."""
    found: dict[int, Any] = {}
    waiting, seen = list(tensors), set()
    while waiting:
        history = getattr(waiting.pop(), "_keras_history", None)
        if history is None or (id(history.operation), history.node_index) in seen:
            continue
        seen.add((id(history.operation), history.node_index))
        if not isinstance(history.operation, keras.Layer):
            found[id(history.operation)] = history.operation
        waiting += history.operation._inbound_nodes[history.node_index].input_tensors  # noqa: SLF001  Keras's only record
    return list(found.values())


def _is_model(layer: Layer | None) -> bool:
    return layer is not None and layer.graph is not None


def _single(value: Any) -> Any:
    return value[0] if isinstance(value, (list, tuple)) and len(value) == 1 else value


def _shown(layer: Layer, made: Made | None) -> str:
    """Return what a layer is in today's Keras: a class, with the class that it wraps, or an operation."""
    if made is None:
        return layer.kind.replace("ops.", "keras.ops.")
    own = type(made.native).__name__
    return own if made.core is made.native else f"{own} of {type(made.core).__name__}"
