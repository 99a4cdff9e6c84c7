"""Recording the calls of the layers of a Keras model, by a wrapper around the call of Keras's base class."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.models.recording.call_sites import user_line
from compare.models.recording.recorded import Recorded, Recording, adapter_of, arrays_in, is_recurrent, to_array
from frameworks.kinds import KERAS, family_of

Array = npt.NDArray[Any]
_GENERATED = ("TFOpLambda", "SlicingOpLambda", "ClassMethod", "InstanceMethod", "InstanceProperty")
"""Classes of layers that tf_keras makes of the operations between layers."""


@dataclass(eq=False)
class _Recorder:
    """What the calls of one recording share."""

    library: ModuleType
    recording: Recording
    counts: dict[int, int] = field(default_factory=dict)
    models: list[str] = field(default_factory=list)
    inside: list[int] = field(default_factory=list)
    closed: int = 0
    """How many calls of layers are running that are recorded as a whole."""

    def call(self, original: Any, layer: Any, positional: Any, given: dict[str, Any]) -> Any:
        if self.closed or isinstance(layer, self.library.layers.InputLayer) or type(layer).__name__ in _GENERATED:
            return original(layer, *positional, **given)
        if isinstance(layer, self.library.Model):
            self.models.append(layer.name)
            try:
                return original(layer, *positional, **given)
            finally:
                self.models.pop()
        closed = is_leaf(layer, self.library) and not family_of(type(layer).__name__).opaque
        return self._record(original, layer, positional, given, closed=closed)

    def _record(self, original: Any, layer: Any, positional: Any, given: dict[str, Any], *, closed: bool) -> Any:
        kept = {each: arrays for each, value in given.items() if (arrays := arrays_in(value))}
        inputs, mask, line = arrays_in(positional), self._mask(positional, kept), user_line()
        if not inputs and kept:
            inputs = next(iter(kept.values()))
        states = getattr(layer, "states", None) if getattr(layer, "stateful", False) else None
        if states is not None and "initial_state" not in kept:
            kept["initial_state"] = arrays_in(states)
        index = len(self.recording.calls)
        self.recording.calls.append(Recorded(layer.name, layer, inputs, kept, ()))  # its place; its parts come after it
        around = self.inside[-1] if self.inside else None
        self.closed += closed
        self.inside.append(index)
        try:
            returned = original(layer, *positional, **given)
        finally:
            self.inside.pop()
            self.closed -= closed
        number = self.counts.get(id(layer), 0)
        self.counts[id(layer)] = number + 1
        self.recording.dtypes |= _dtypes(returned)
        self.recording.calls[index] = Recorded(
            self._named(layer),
            layer,
            inputs,
            kept,
            arrays_in(returned),
            number,
            index,
            mask,
            adapter=None,  # a layer is adapted after the recording, when its call is its own again
            line=line,
            inside=around,
        )
        return returned

    def _named(self, layer: Any) -> str:
        return "/".join((*self.models[1:], layer.name))

    def _mask(self, positional: Any, kept: Mapping[str, tuple[Array, ...]]) -> Array | None:
        if "mask" in kept:
            return kept["mask"][0]
        if self.library.__name__ == "keras" and (len(positional) > 1 or "initial_state" in kept):
            return None  # Keras 3 passes a mask on to a layer with a single tensor only
        first = positional[0] if positional else None
        first = first[0] if isinstance(first, (list, tuple)) and first else first
        mask = getattr(first, "_keras_mask", None)
        return None if mask is None else to_array(mask)


def library_of(model: Any) -> ModuleType:
    """Return the library, keras or tf_keras, of a model or layer."""
    roots = {base.__module__.partition(".")[0] for base in type(model).__mro__}
    return sys.modules["tf_keras" if "tf_keras" in roots else "keras"]


def run_recorded(model: Any, inputs: Sequence[Array], named: Mapping[str, Array]) -> tuple[Recording, Any]:
    """Call a Keras model in inference mode; return the recorded calls of its layers, and what it returned."""
    library = library_of(model)
    recording = Recording()
    recorder = _Recorder(library, recording)
    positional, keywords = arguments_of(model, inputs, named)
    with _noting_changes(model, recording), _wrapped(library, recorder):
        returned = model(*positional, **keywords, **({"training": False} if _takes_training(model) else {}))
    names = [each.name for each in recording.calls]
    for index, each in enumerate(recording.calls):
        short = each.native.name
        same = {id(other.native) for other in recording.calls if other.native.name == short}
        name = short if len(same) == 1 else names[index]
        recording.calls[index] = _with(each, name)
    recording.dtypes |= _dtypes(returned)
    recording.uncalled = [layer.name for layer in _leaves(model, library) if id(layer) not in recorder.counts]
    return recording, returned


def call_layer(layer: Any, inputs: Sequence[Array]) -> tuple[Array, ...]:
    """Call a layer in inference on arrays, and return what it returns."""
    kwargs = {"training": False} if _takes_training(layer) else {}
    if len(inputs) == 1 or _counts_arguments(layer) < len(inputs):
        return arrays_in(layer(inputs[0] if len(inputs) == 1 else list(inputs), **kwargs))
    return arrays_in(layer(*inputs, **kwargs))


def arguments_of(model: Any, inputs: Sequence[Array], named: Mapping[str, Array]) -> tuple[list[Any], dict[str, Any]]:
    """Return the positional and the named arguments with which a model is called on these arrays."""
    names = input_names(model)
    if names:
        arrays = dict(zip(names, inputs, strict=False)) if not named else dict(named)
        structure = getattr(model, "_inputs_struct", getattr(model, "_nested_inputs", None))
        if isinstance(structure, Mapping):
            return [{key: arrays[name] for key, name in zip(sorted(structure), names, strict=True)}], {}  # as Keras sorts them
        ordered = [arrays[name] for name in names]
        return [ordered[0] if len(ordered) == 1 and not isinstance(structure, list) else ordered], {}
    if named and set(named) <= set(_parameters(model)):
        return [], dict(named)
    if named:
        return [dict(named)], {}
    if len(inputs) == 1:
        return [inputs[0]], {}
    return (list(inputs), {}) if _counts_arguments(model) >= len(inputs) else ([list(inputs)], {})


def input_names(model: Any) -> list[str]:
    """Return the names of the inputs of a functional model, in order; [] for any other."""
    return [each.name.partition(":")[0] for each in getattr(model, "inputs", None) or ()]


def is_leaf(layer: Any, library: ModuleType) -> bool:
    """Return whether a layer is one to its reader, rather than a container of layers."""
    if is_recurrent(layer) or isinstance(layer, (library.layers.RNN, library.layers.Wrapper)):
        return True
    return not [each for each in _inner(layer) if isinstance(each, library.layers.Layer)]


def _with(call: Recorded, name: str) -> Recorded:
    adapter = adapter_of(call.native) if is_recurrent(call.native) else None
    return Recorded(
        name,
        call.native,
        call.inputs,
        call.given,
        call.outputs,
        call.number,
        call.index,
        call.mask,
        adapter=adapter,
        line=call.line,
        inside=call.inside,
    )


def _leaves(model: Any, library: ModuleType) -> Iterator[Any]:
    if not isinstance(model, library.Model) and is_leaf(model, library):
        return
    for layer in _inner(model):
        if isinstance(layer, library.layers.InputLayer) or not isinstance(layer, library.layers.Layer):
            continue
        if not isinstance(layer, library.Model) and is_leaf(layer, library):
            if KERAS.get(type(layer).__name__).role == "layer" and family_of(type(layer).__name__).name != "dropout":
                yield layer
        elif not family_of(type(layer).__name__).opaque:
            yield from _leaves(layer, library)


def _inner(layer: Any) -> list[Any]:
    found = getattr(layer, "_layers", None) or getattr(layer, "_self_tracked_trackables", None) or []
    return list(found)


def _parameters(model: Any) -> list[str]:
    return [name for name in inspect.signature(model.call).parameters if name not in ("self", "training", "mask")]


def _counts_arguments(model: Any) -> int:
    return len([name for name in _parameters(model) if name not in ("args", "kwargs")])


def _takes_training(model: Any) -> bool:
    parameters = inspect.signature(model.call).parameters
    return "training" in parameters or any(each.kind is each.VAR_KEYWORD for each in parameters.values())


def _dtypes(returned: Any) -> set[str]:
    if isinstance(returned, Mapping):
        returned = list(returned.values())
    if isinstance(returned, (tuple, list)):
        return {name for each in returned for name in _dtypes(each)}
    dtype = getattr(returned, "dtype", None)
    return set() if dtype is None else {str(getattr(dtype, "name", dtype)).removeprefix("torch.")}


@contextmanager
def _wrapped(library: ModuleType, recorder: _Recorder) -> Iterator[None]:
    base = library.layers.Layer
    original = base.__call__

    def call(layer: Any, *positional: Any, **given: Any) -> Any:
        return recorder.call(original, layer, positional, given)

    base.__call__ = call
    try:
        yield
    finally:
        base.__call__ = original


@contextmanager
def _noting_changes(model: Any, recording: Recording) -> Iterator[None]:
    """Note which weights the call changes, and whether it draws random numbers."""
    kept = [(each, to_array(each)) for each in model.variables]
    try:
        yield
    finally:
        changed = [each for each, own in kept if not np.array_equal(to_array(each), own, equal_nan=own.dtype.kind == "f")]
        recording.draws = any("seed" in getattr(each, "path", each.name) for each in changed)
        weights = {id(each) for each in model.weights}
        recording.note_changes(getattr(each, "path", each.name) for each in changed if id(each) in weights)
