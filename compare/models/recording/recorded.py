"""The calls of a model's layers, as arrays."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from frameworks.adapter import Adapter
from frameworks.errors import GatewiseError
from frameworks.kinds import Family, family_computing, family_of
from frameworks.registry import adapt

Array = npt.NDArray[Any]
RECURRENT = Family("recurrent", "recurrent")


@dataclass(frozen=True, eq=False)
class Recorded:
    """One call of one layer.

    Args:
        name: the layer's name in the model.
        native: the layer.
        inputs: the arrays that it got by position, in order; a packed sequence is unpacked, batch first.
        given: the arrays that it got by name, such as "mask".
        outputs: the arrays that it returned, in order.
        number: which of the layer's calls it is, from 0.
        index: which of the model's recorded calls it is, from 0.
        mask: (batch, time) bool: the mask that reached it, or the lengths of a packed sequence; None if there is none.
        packed: whether its input was a packed sequence.
        adapter: the layer's adapter if it is recurrent, or None.
        line: "file:line" of the user's code that called it, or "".
        inside: the index of the call of the layer that this one is a part of, or None.
    """

    name: str
    native: Any
    inputs: tuple[Array, ...]
    given: Mapping[str, tuple[Array, ...]]
    outputs: tuple[Array, ...]
    number: int = 0
    index: int = 0
    mask: Array | None = None
    packed: bool = False
    adapter: Adapter | None = None
    line: str = ""
    inside: int | None = None

    @property
    def kind(self) -> str:
        """The name of the class of the layer, or of the layer in a wrapper for each time step."""
        return type(innermost(self.native)).__name__

    @property
    def family(self) -> Family:
        """The family of the layer."""
        if self.adapter is not None or is_recurrent(self.native):
            return RECURRENT
        family, function = family_of(self.kind), getattr(innermost(self.native), "activation", None)
        if family.group == "activation" and not family.activation and function is not None:
            return family_computing(getattr(function, "__name__", ""), family)
        return family

    @property
    def sequence(self) -> Array:
        """The input of a recurrent layer: (batch, time, input); the rows of a layer in a wrapper are all of its sequences."""
        array = self.inputs[0]
        if self.adapter is not None and array.ndim == 2 and self.adapter.is_cell:
            return array[:, None]
        if array.ndim == 2:
            return array[None]
        if array.ndim > 3:
            return array.reshape(-1, *array.shape[-2:])
        first = self.adapter is not None and self.adapter.time_major and not self.packed
        return array.swapaxes(0, 1) if first else array

    @property
    def steps(self) -> Array | None:
        """The mask of `sequence`: (batch, time) bool, or None."""
        if self.mask is None:
            return None
        mask = self.mask.reshape(-1, self.mask.shape[-1]).astype(bool)
        return mask if mask.shape == self.sequence.shape[:2] else None


def sequences_of(one: Recorded, other: Recorded) -> tuple[tuple[Array, Array | None], tuple[Array, Array | None]]:
    """Return the sequences of two recurrent calls and their masks; a packed one, which ends with its longest row, is padded."""
    both = [(call.sequence, call.steps) for call in (one, other)]
    time = max(x.shape[1] for x, _ in both)
    for at, call in enumerate((one, other)):
        x, mask = both[at]
        if call.packed and x.shape[1] < time and mask is not None:
            missing = time - x.shape[1]
            both[at] = np.pad(x, ((0, 0), (0, missing), (0, 0))), np.pad(mask, ((0, 0), (0, missing)))
    return both[0], both[1]


@dataclass(eq=False)
class Recording:
    """The calls of a model's layers in order, and what the model returned.

    Args:
        calls: the calls, in order.
        outputs: the arrays that the model returned, by key if it returned a mapping, and otherwise by position.
        dtypes: the dtypes of what its layers and itself returned.
        uncalled: the names of layers that were not called.
        notes: what the call did beside returning results: it changed weights, or drew random numbers.
        draws: whether it drew random numbers.
    """

    calls: list[Recorded] = field(default_factory=list)
    outputs: dict[str | int, Array] = field(default_factory=dict)
    dtypes: set[str] = field(default_factory=set)
    uncalled: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    draws: bool = False

    def note_changes(self, names: Iterable[str]) -> None:
        """Note the names of the weights that the call changed."""
        changed = list(names)
        if changed:
            self.notes.append(f"changes its own {', '.join(changed[:4])} when it is called (they were put back)")


def in_code(name: str) -> str:
    """Return how code reaches a module of this name: "cnn.0" is `cnn[0]`, and "0" is `model[0]`."""
    return re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", f"model.{name}" if name[:1].isdigit() else name)


def innermost(native: Any) -> Any:
    """Return the layer that a wrapper applies to each time step, and anything else as it is."""
    while type(native).__name__ == "TimeDistributed":
        native = native.layer
    return native


def is_recurrent(native: Any) -> bool:
    """Return whether the class of a layer is a recurrent one, also if it cannot be adapted, as in half precision."""
    names = {base.__name__ for base in type(innermost(native)).__mro__}
    return bool(names & {"RNN", "RNNBase", "RNNCellBase", "Bidirectional", "SimpleRNN"})


def adapter_of(native: Any) -> Adapter | None:
    """Return the adapter of a recurrent layer; None for any other layer."""
    try:
        return adapt(native)
    except GatewiseError:
        return None


def arrays_in(nested: Any) -> tuple[Array, ...]:
    """Return the tensors of a nest of tuples, lists and mappings as arrays, in order."""
    if nested is None or isinstance(nested, (bool, int, float, str)):
        return ()
    if isinstance(nested, Mapping):
        return tuple(leaf for each in nested.values() for leaf in arrays_in(each))
    if hasattr(nested, "batch_sizes"):  # a PackedSequence
        return (unpacked(nested)[0],)
    if isinstance(nested, (tuple, list)):
        return tuple(leaf for each in nested for leaf in arrays_in(each))
    if hasattr(nested, "shape") and hasattr(nested, "dtype"):
        return (to_array(nested),)
    return ()


def to_array(tensor: Any) -> Array:
    """Return a copy of a tensor as an array; NumPy has neither bfloat16 nor quantized numbers, which become float32."""
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu()
        if tensor.is_quantized:
            tensor = tensor.dequantize()
        if str(tensor.dtype) == "torch.bfloat16":
            tensor = tensor.float()
        tensor = tensor.to_dense() if tensor.is_sparse else tensor
    array = np.array(tensor)
    return array.astype("float32") if array.dtype.name == "bfloat16" else array


def unpacked(packed: Any) -> tuple[Array, Array]:
    """Return a packed sequence as (batch, time, input), and its mask, (batch, time)."""
    pad = import_module("torch").nn.utils.rnn.pad_packed_sequence
    padded, lengths = pad(packed, batch_first=True)
    return to_array(padded), np.arange(padded.shape[1])[None] < np.asarray(lengths)[:, None]


def weights_of(native: Any) -> dict[str, Array]:
    """Return the weights of a layer as arrays, by name."""
    if hasattr(native, "get_weights"):
        return {each.path if hasattr(each, "path") else each.name: to_array(each) for each in native.weights}
    state = native.state_dict() if hasattr(native, "state_dict") else {}
    return {name: to_array(each) for name, each in state.items() if hasattr(each, "detach")}
