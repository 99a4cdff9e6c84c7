"""The inputs of a comparison: checked, put in the order of each side, or drawn from a Keras model's inputs."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.models.recording.keras_calls import input_names
from compare.models.recording.recording import framework_of
from frameworks.errors import InvalidTypeError, InvalidValueError

Array = npt.NDArray[Any]
_BATCH, _SIZES = 3, (12, 14, 10, 9)
"""The sizes of the batch axis and of further axes of any size, by position: inputs of one model often share a time axis."""


@dataclass(frozen=True, eq=False)
class Arguments:
    """What one model is called with.

    Args:
        positional: arrays by position.
        named: arrays by name.
    """

    positional: tuple[Array, ...] = ()
    named: Mapping[str, Array] = field(default_factory=dict)

    def arrays(self) -> tuple[Array, ...]:
        """Return all arrays, in order."""
        return (*self.positional, *self.named.values())


def arguments_of(expected: Any, actual: Any, inputs: Any, actual_inputs: Any, seed: int) -> tuple[Arguments, Arguments]:
    """Return what each of the two models is called with.

    Raises:
        GatewiseError: for inputs that are not arrays, are empty or hold NaN, and if none are given and none can be drawn.
    """
    keras_model = next((each for each in (expected, actual) if framework_of(each) == "keras" and input_names(each)), None)
    if inputs is None:
        order = input_names(keras_model) if keras_model is not None else []
        given = Arguments(tuple(_drawn(keras_model, seed)))
    else:
        given = _given(inputs, "inputs")
        order = input_names(keras_model) if keras_model is not None else list(given.named)
        if not any(_takes_a_mapping(each, given) for each in (expected, actual)):
            _require_known(given, [parameters_of(each) for each in (expected, actual)])
    other = given if actual_inputs is None else _given(actual_inputs, "actual_inputs")
    return _in_its_names(expected, given, order), _in_its_names(actual, other, order)


def _given(inputs: Any, subject: str) -> Arguments:
    if isinstance(inputs, Mapping):
        return Arguments(named={str(name): _array(each, f"{subject}[{name!r}]") for name, each in inputs.items()})
    each = inputs if isinstance(inputs, (tuple, list)) else (inputs,)
    return Arguments(tuple(_array(one, subject if len(each) == 1 else f"{subject}[{at}]") for at, one in enumerate(each)))


def _require_known(given: Arguments, known: list[list[str]]) -> None:
    if given.named and not any(set(given.named) <= set(names) for names in known):
        either = [", ".join(names) or "no names" for names in known]
        raise InvalidValueError.because(
            "inputs by name",
            must="have the names of the Keras inputs, or of the parameters of a model's call",
            but=f"have {', '.join(given.named)}",
            remedy=f"Use {either[0]} (the expected model) or {either[1]} (the actual one), or pass a tuple.",
        )


def _array(given: Any, subject: str) -> Array:
    array = np.asarray(given.detach().cpu() if hasattr(given, "detach") else given)
    if array.dtype.kind not in "fiub":
        raise InvalidTypeError.because(
            subject, must="hold numbers", but=f"has dtype {array.dtype}", remedy="Pass a NumPy array, or a tuple of arrays."
        )
    if array.size == 0:
        raise InvalidValueError.because(
            subject, must="hold at least one row", but=f"has shape {array.shape}", remedy="Leave empty batches out."
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InvalidValueError.because(
            subject,
            must="be finite",
            but=f"holds {array[~np.isfinite(array)][0]} at {[int(at[0]) for at in np.nonzero(~np.isfinite(array))]}",
            remedy="Compare the models on numbers: nothing equals not-a-number.",
        )
    return array


def _in_its_names(model: Any, given: Arguments, order: list[str]) -> Arguments:
    """Return arguments by the names that a model knows them by; others by position, in the order of the Keras inputs."""
    if not given.named:
        return given
    if _takes_a_mapping(model, given):
        return given
    own = input_names(model) if framework_of(model) == "keras" else None
    known = set(own or parameters_of(model))
    if set(given.named) <= known and (own is None or set(own) == set(given.named)):
        return given
    names = order if set(order) == set(given.named) else list(given.named)
    return Arguments(tuple(given.named[name] for name in names))


def _takes_a_mapping(model: Any, given: Arguments) -> bool:
    """Return whether a model's call has one parameter for the several arrays that are given by name."""
    if len(given.named) < 2 or (framework_of(model) == "keras" and input_names(model)):
        return False
    return len([name for name in parameters_of(model) if name not in ("training", "mask")]) == 1


def parameters_of(model: Any) -> list[str]:
    """Return the names by which a model knows its inputs: those of a functional model's, or the parameters of its call."""
    if framework_of(model) == "keras" and input_names(model):
        return input_names(model)
    function = model.forward if framework_of(model) == "pytorch" else model.call
    try:
        parameters = inspect.signature(function).parameters.items()
    except ValueError:  # of a compiled module, whose call has no signature
        return []
    return [name for name, each in parameters if each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)]


def _drawn(model: Any, seed: int) -> Iterator[Array]:
    if model is None:
        raise InvalidTypeError.because(
            "inputs",
            must="be passed",
            but="are None, and neither model states its inputs",
            remedy="Pass an array, a tuple of arrays, or a mapping by name; on the command line, --inputs FILE.npz.",
        )
    rng = np.random.default_rng(seed)
    embeddings = list(_embeddings(model))
    matched = {id(each) for tensor in model.inputs for each in embeddings if _reads(each, tensor)}
    for tensor in model.inputs:
        dtype = np.dtype(getattr(tensor.dtype, "name", tensor.dtype))
        shape = [size or (_BATCH if at == 0 else _SIZES[min(at - 1, 3)]) for at, size in enumerate(tensor.shape)]
        mine = [each for each in embeddings if _reads(each, tensor)]
        loose = [each for each in embeddings if id(each) not in matched]
        if mine or dtype.kind in "iu":
            sizes = [each.input_dim for each in (*mine, *loose)] or [each.input_dim for each in embeddings] or [10]
            ids = rng.integers(min(1, min(sizes) - 1), min(sizes), shape)
            padded = any(getattr(each, "mask_zero", False) for each in (mine or embeddings))
            yield (np.where(_padding(shape), ids, 0) if padded else ids).astype(dtype if dtype.kind in "iu" else "int32")
        elif dtype.kind == "b":
            yield _padding(shape)
        else:
            yield rng.standard_normal(shape).astype(dtype)


def _padding(shape: list[int]) -> Array:
    """Return a mask whose rows end at different steps of the last axis, the first at the end."""
    rows = np.arange(int(np.prod(shape[:-1], dtype=int))).reshape(shape[:-1])
    lengths = np.maximum(1, shape[-1] - 2 * (rows % max(1, shape[-1] // 2)))
    mask: Array = np.arange(shape[-1]) < lengths[..., None]
    return mask


def _embeddings(model: Any) -> Iterator[Any]:
    flat = model._flatten_layers() if hasattr(model, "_flatten_layers") else model.submodules  # noqa: SLF001  no public walk
    yield from (each for each in flat if hasattr(each, "input_dim") and hasattr(each, "mask_zero"))


def _reads(embedding: Any, tensor: Any) -> bool:
    for node in getattr(embedding, "_inbound_nodes", ()):
        read = getattr(node, "input_tensors", ())
        if any(each is tensor for each in (read if isinstance(read, (tuple, list)) else (read,))):
            return True
    return False
