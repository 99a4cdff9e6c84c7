"""A whole model as a graph of layer calls: one form for all sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeAlias

from frameworks.files.other_layers import OtherLayer
from frameworks.files.stored import StoredLayer

Shape: TypeAlias = tuple["int | None", ...]
"""The sizes of a tensor's axes, the batch axis included; None for a size that the model does not fix."""


@dataclass(frozen=True)
class Tensor:
    """One output of one call of a layer.

    Args:
        layer: the layer's name in its graph.
        call: which of the layer's calls, from 0.
        output: which of the call's results, from 0.
    """

    layer: str
    call: int = 0
    output: int = 0


@dataclass(frozen=True)
class MadeMask:
    """The mask that an Embedding or a Masking layer makes of its input.

    Args:
        layer: the layer that makes it; its option says which steps are masked.
        read: the tensor that the layer reads.
    """

    layer: str
    read: Tensor


@dataclass(frozen=True)
class GivenMask:
    """A boolean tensor of the graph, given to a call as its mask."""

    tensor: Tensor


@dataclass(frozen=True)
class ArrivingMask:
    """The mask that arrives with an input of a nested model, which may be None: the calls of the model say so.

    Args:
        read: the input of the nested model.
    """

    read: Tensor


@dataclass(frozen=True)
class ReturnedMask:
    """The mask that a nested model computes for one of its outputs: inside it, the mask of that output in `Graph.masks`.

    Args:
        tensor: the output, as a result of the nested model's call.
    """

    tensor: Tensor


@dataclass(frozen=True)
class MergedMask:
    """Several masks as one.

    Args:
        how: "and", "or", or "joined": one after the other along an axis, where a tensor without a mask counts as unmasked; or
            "any": true where the one mask is true anywhere along its axes from `axis` on, and the mask itself if it has none.
        masks: the masks of the merged tensors; None for a tensor without one (only for "joined").
        tensors: the tensors that they belong to, whose sizes count for "joined".
        axis: the axis for "joined" and "any".
    """

    how: str
    masks: tuple[Mask | None, ...]
    tensors: tuple[Tensor, ...] = ()
    axis: int = 1


Mask: TypeAlias = "MadeMask | GivenMask | ArrivingMask | ReturnedMask | MergedMask"

Value: TypeAlias = Any
"""An argument of a call: a Tensor, a constant (number, text, None, slice, NumPy array), or a list, tuple or dict of these."""


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer of a graph, which may be called several times.

    Args:
        name: its name in the source, unique in its graph.
        kind: its class without the package, as in `frameworks.kinds.KERAS`: "Dense", "LSTM", "Functional"; for an operation
            between layers "ops." and the name of today's function in `keras.ops`: "ops.multiply", "ops.get_item".
        config: the arguments of its constructor as the file states them. What it does not state has the default of the
            version that wrote it (`frameworks.kinds`).
        stored: its weights and, if it is recurrent, its spec and options; None for operations, wrappers and nested models.
        inner: the layer that a wrapper such as TimeDistributed applies.
        graph: the graph of a nested model.
        trainable: whether it and everything around it are trainable.
        gap: why the layer cannot be known from the file, as for Lambda and custom layers; "" for any other layer.
    """

    name: str
    kind: str
    config: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    stored: StoredLayer | OtherLayer | None = None
    inner: Layer | None = None
    graph: Graph | None = None
    trainable: bool = True
    gap: str = ""

    @property
    def is_operation(self) -> bool:
        """Whether it is an operation between layers, without a class of its own."""
        return self.kind.startswith("ops.")

    @property
    def keeps_states(self) -> bool:
        """Whether it, or a layer in it, starts from the states of its last call."""
        if self.graph is not None:
            return any(each.keeps_states for each in self.graph.layers.values())
        if self.inner is not None:
            return self.inner.keeps_states
        options = getattr(self.stored, "options", None)
        return self.config.get("stateful") is True or getattr(options, "stateful", False) is True

    @property
    def core(self) -> Layer:
        """The layer inside all wrappers; the layer itself if it wraps none."""
        return self if self.inner is None else self.inner.core


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a layer.

    Args:
        layer: the layer's name.
        number: which of its calls, from 0.
        args: the positional arguments; of a merging layer one list of tensors. States of a recurrent layer are in `kwargs`
            under "initial_state" (a list of tensors), whatever the version that wrote the file passes them as.
        kwargs: the keyword arguments that the file states, without "mask"; `training=True` is real.
        masks: the mask that the layer sees with each tensor of `args`, in the order of `tensors_in(args)`, after the rules of
            the version that wrote the file; None where there is none.
        outputs: the number of results.
        is_list: whether several results, or one, come as a list or tuple.
    """

    layer: str
    number: int = 0
    args: tuple[Value, ...] = ()
    kwargs: Mapping[str, Value] = field(default_factory=lambda: MappingProxyType({}))
    masks: tuple[Mask | None, ...] = ()
    outputs: int = 1
    is_list: bool = False

    @property
    def results(self) -> tuple[Tensor, ...]:
        """The tensors that the call returns."""
        return tuple(Tensor(self.layer, self.number, at) for at in range(self.outputs))

    @property
    def reads(self) -> tuple[Tensor, ...]:
        """All tensors that the call reads, in the order of its arguments."""
        return tuple(tensors_in((*self.args, dict(self.kwargs))))

    @property
    def mask(self) -> Mask | None:
        """The mask of the first tensor that it reads."""
        return self.masks[0] if self.masks else None


@dataclass(frozen=True, eq=False)
class Graph:
    """A model, or a nested model.

    Args:
        name: the model's name.
        kind: "Sequential" or "Functional".
        layers: the layers by name, in the order of the source; `InputLayer` among them.
        calls: the calls in an order in which each one's inputs are computed before it; those of `InputLayer` are left out.
        inputs: the tensors that the model is called with, in the order of its arguments.
        outputs: the tensors that it returns, in their order.
        single: whether it returns one tensor rather than a list of one.
        shapes: the shape of every tensor; a tensor whose shape cannot be inferred is missing.
        dtypes: the dtype of each input: "float32", "int32", ...
        masks: the mask that each tensor carries; a tensor without one is missing.
        version: the version of Keras that wrote it, as numbers: (2, 2, 4).
        source: the name of the file, or of the live model, for messages and docstrings.
        takes: the inputs as the source nests them: a list, a mapping by name, or lists and mappings in these.
        returns: the outputs as the source nests them: a tensor, a list, a mapping by name, or lists and mappings in these.
    """

    name: str
    kind: str
    layers: Mapping[str, Layer]
    calls: tuple[Call, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    single: bool = True
    shapes: Mapping[Tensor, Shape] = field(default_factory=lambda: MappingProxyType({}))
    dtypes: Mapping[Tensor, str] = field(default_factory=lambda: MappingProxyType({}))
    masks: Mapping[Tensor, Mask] = field(default_factory=lambda: MappingProxyType({}))
    version: tuple[int, ...] = (3,)
    source: str = ""
    takes: Value = None
    returns: Value = None

    @property
    def gaps(self) -> tuple[Layer, ...]:
        """The layers, also of nested models and wrappers, that cannot be known from the source."""
        return tuple(layer for layer in self.all_layers() if layer.gap)

    def all_layers(self) -> Iterator[Layer]:
        """Yield every layer, with those in nested models and wrappers after the layer that holds them."""
        for layer in self.layers.values():
            each: Layer | None = layer
            while each is not None:
                yield each
                if each.graph is not None:
                    yield from each.graph.all_layers()
                each = each.inner

    def calls_of(self, layer: str) -> list[Call]:
        """Return the calls of a layer in their order."""
        return [call for call in self.calls if call.layer == layer]


def tensors_in(value: Value) -> Iterator[Tensor]:
    """Yield the tensors in an argument, in order; those of a mapping in the order of their names, as in Keras."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for name in sorted(value):
            yield from tensors_in(value[name])
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from tensors_in(each)


def replaced(value: Value, by: Mapping[Tensor, Any]) -> Any:
    """Return an argument with each of its tensors replaced."""
    if isinstance(value, Tensor):
        return by[value]
    if isinstance(value, Mapping):
        return {name: replaced(each, by) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(replaced(each, by) for each in value)
    return value
