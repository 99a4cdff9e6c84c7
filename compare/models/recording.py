"""Recording what every layer of a model gets and returns during one call; the model stays as it is."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from frameworks.adapter import Adapter
from frameworks.errors import GatewiseError, InvalidTypeError
from frameworks.registry import adapt
from frameworks.rows import owner_of

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Recorded:
    """One call of one layer.

    Args:
        name: the layer's name in the model.
        native: the layer.
        inputs: the arrays that it got by position, in order.
        given: the arrays that it got by name, such as "mask", and those that Keras's mask propagation passed.
        outputs: the arrays that it returned, in order.
        number: which of the layer's calls it is, from 0.
        adapter: the layer's adapter if it is recurrent, or None.
    """

    name: str
    native: Any
    inputs: tuple[Array, ...]
    given: Mapping[str, Any]
    outputs: tuple[Array, ...]
    number: int = 0
    adapter: Adapter | None = None

    @property
    def kind(self) -> str:
        """The name of the layer's class."""
        return type(self.native).__name__


@dataclass(eq=False)
class Recording:
    """The calls of a model's layers in order, and what the model returned."""

    calls: list[Recorded] = field(default_factory=list)
    outputs: list[Array] = field(default_factory=list)


def framework_of(model: Any) -> str:
    """Return "keras" or "pytorch".

    Raises:
        InvalidTypeError: for anything but a model or layer of either.
    """
    owner = owner_of(model)
    if owner is None or isinstance(model, type):
        raise InvalidTypeError.because(
            "the model",
            must="be a keras.Model or a torch.nn.Module",
            but=f"is {'the class ' + model.__qualname__ if isinstance(model, type) else f'a {type(model).__name__}'}",
            remedy="Pass the model itself, with its weights.",
        )
    return owner.name


def record(model: Any, inputs: Sequence[Array], named: Mapping[str, Array]) -> Recording:
    """Call a model in inference mode on NumPy arrays, and record the calls of its layers.

    Args:
        model: a Keras model or a torch module.
        inputs: the positional arguments.
        named: the arguments by name.
    """
    return _record_torch(model, inputs, named) if framework_of(model) == "pytorch" else _record_keras(model, inputs, named)


def arrays_in(nested: Any) -> tuple[Array, ...]:
    """Return the tensors of a nest of tuples, lists and mappings as arrays, in order."""
    if nested is None or isinstance(nested, (bool, int, float, str)):
        return ()
    if isinstance(nested, Mapping):
        return tuple(leaf for each in nested.values() for leaf in arrays_in(each))
    if hasattr(nested, "batch_sizes"):  # a PackedSequence
        pad = import_module("torch").nn.utils.rnn.pad_packed_sequence
        return arrays_in(pad(nested, batch_first=True)[0])
    if isinstance(nested, (tuple, list)):
        return tuple(leaf for each in nested for leaf in arrays_in(each))
    if hasattr(nested, "detach"):
        return (nested.detach().cpu().numpy().copy(),)
    if hasattr(nested, "numpy"):
        return (np.array(nested.numpy()),)
    return (np.array(nested),) if isinstance(nested, np.ndarray) else ()


def _adapter(native: Any) -> Adapter | None:
    try:
        return adapt(native)
    except GatewiseError:
        return None


# PyTorch


def _record_torch(model: Any, inputs: Sequence[Array], named: Mapping[str, Array]) -> Recording:
    torch = sys.modules["torch"]
    recording, counts = Recording(), dict[int, int]()
    device = next((each.device for each in (*model.parameters(), *model.buffers())), torch.device("cpu"))

    def tensor(array: Array) -> Any:
        return torch.from_numpy(np.array(array)).to(device)

    with ExitStack() as stack:
        stack.enter_context(_evaluating(model))
        stack.enter_context(torch.no_grad())
        for name, module, adapter in list(_torch_leaves(model, "")):
            hook = _hook(name, adapter, recording, counts)
            handle = module.register_forward_hook(hook, with_kwargs=True)
            stack.callback(handle.remove)
        returned = model(*map(tensor, inputs), **{name: tensor(each) for name, each in named.items()})
    recording.outputs = list(arrays_in(returned))
    return recording


def _hook(name: str, adapter: Adapter | None, recording: Recording, counts: dict[int, int]) -> Any:
    def hook(module: Any, positional: Any, given: Mapping[str, Any], returned: Any) -> None:
        number = counts.get(id(module), 0)
        counts[id(module)] = number + 1
        kept = {each: arrays_in(value) for each, value in given.items()}
        first = (arrays_in(positional[0]) if positional else ()) + tuple(
            leaf for each in positional[1:] for leaf in arrays_in(each)
        )
        recording.calls.append(Recorded(name, module, first, kept, arrays_in(returned), number, adapter))

    return hook


def _torch_leaves(module: Any, name: str) -> Iterator[tuple[str, Any, Adapter | None]]:
    adapter = _adapter(module)
    children = list(module.named_children())
    if adapter is not None or not children:
        yield name, module, adapter
        return
    for child_name, child in children:
        yield from _torch_leaves(child, f"{name}.{child_name}".lstrip("."))


@contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    training = [module for module in model.modules() if module.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True


# Keras


def _record_keras(model: Any, inputs: Sequence[Array], named: Mapping[str, Array]) -> Recording:
    library = sys.modules[
        "tf_keras" if "tf_keras" in {base.__module__.partition(".")[0] for base in type(model).__mro__} else "keras"
    ]
    recording, counts = Recording(), dict[int, int]()
    with _recording_calls(library, recording, counts):
        passed = list(inputs) if len(inputs) != 1 else inputs[0]
        returned = model(dict(named) if named else passed, training=False)
    recording.outputs = list(arrays_in(returned))
    return recording


@contextmanager
def _recording_calls(library: Any, recording: Recording, counts: dict[int, int]) -> Iterator[None]:
    """Wrap the call of Keras's base layer; calls inside the call of a recorded layer are not recorded."""
    base = library.layers.Layer
    original = base.__call__
    inside: list[Any] = []

    def call(layer: Any, *positional: Any, **given: Any) -> Any:
        if inside or not _is_keras_leaf(layer, library):
            return original(layer, *positional, **given)
        inside.append(layer)
        try:
            returned = original(layer, *positional, **given)
        finally:
            inside.pop()
        number = counts.get(id(layer), 0)
        counts[id(layer)] = number + 1
        kept = {each: arrays_in(value) for each, value in given.items()}
        mask = _mask_of(positional)
        if mask is not None and "mask" not in kept:
            kept["mask"] = arrays_in(mask)
        recording.calls.append(
            Recorded(layer.name, layer, arrays_in(positional), kept, arrays_in(returned), number, _adapter(layer))
        )
        return returned

    base.__call__ = call
    try:
        yield
    finally:
        base.__call__ = original


def _mask_of(positional: Any) -> Any:
    first = positional[0] if positional else None
    first = first[0] if isinstance(first, (list, tuple)) and first else first
    return getattr(first, "_keras_mask", None)


def _is_keras_leaf(layer: Any, library: Any) -> bool:
    kinds = (library.layers.RNN, library.layers.Bidirectional, library.layers.Wrapper)
    if isinstance(layer, (library.Model, library.layers.InputLayer)):
        return False
    if isinstance(layer, kinds):
        return True
    return not [each for each in getattr(layer, "_layers", ()) if isinstance(each, library.layers.Layer)]
