"""The calls of a right layer and of its port, made with the frameworks alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.report.studies.wrong_ports.corpus import Framework

Array = npt.NDArray[Any]
CALLS = 2
"""Both sides are called so many times with the same data, because a port may keep states that it should not keep."""
TOLERANCE = 1e-5


def agree(layer: Any, port: Any, arguments: Mapping[str, Any], framework: Framework) -> float:
    """Return how far a port is from the right layer: the largest difference as a share of max(1, max |expected|).

    Args:
        layer: the right layer; if it is stateful, it must not have been called before.
        port: the port.
        arguments: inputs, and where there are any mask and initial_state, as NumPy arrays.
        framework: the framework of the port.

    Returns:
        The distance; infinity if the port returns other arrays, or NaN.
    """
    expected = [call_right(layer, arguments) for _ in range(CALLS)]
    return compare_results(port, results_of(port, arguments, framework), expected)


def results_of(port: Any, arguments: Mapping[str, Any], framework: Framework) -> list[list[Array]]:
    """Return the results of each call of a port."""
    return [call_port(port, arguments, framework) for _ in range(CALLS)]


def compare_results(port: Any, found: Sequence[Sequence[Array]], expected: Sequence[Sequence[Array]]) -> float:
    """Return the distance of the results of a port's calls, as `agree` does.

    A port that is itself a recurrent layer has no call like the right one's; only its output sequence is compared.
    """
    only_output = is_recurrent(port)
    return max(
        _distance(one[:1], other[:1]) if only_output else _distance(one, other)
        for one, other in zip(found, expected, strict=True)
    )


def call_right(layer: Any, arguments: Mapping[str, Any]) -> list[Array]:
    """Return the arrays that the right layer's own call returns; a list of layers is called one after the other."""
    import keras
    import torch

    if isinstance(layer, list):
        inputs = arguments["inputs"]
        for each in layer:
            (inputs,) = call_right(each, {**arguments, "inputs": inputs})
        return [inputs]
    if isinstance(layer, torch.nn.Module):
        return _call_torch(layer, arguments)
    return _call(layer, arguments, keras.ops.convert_to_tensor)


def call_port(port: Any, arguments: Mapping[str, Any], framework: Framework) -> list[Array]:
    """Return the arrays that a port returns, called as `port(inputs)` with `mask=` and `initial_state=` where there are any."""
    import keras
    import torch

    if isinstance(port, torch.nn.RNNBase):
        return _call_torch(port, arguments)
    if framework == "pytorch" and not isinstance(port, keras.Layer):
        with torch.no_grad():
            return _call(port, arguments, lambda array: torch.from_numpy(np.ascontiguousarray(array)))
    return _call(port, arguments, keras.ops.convert_to_tensor)


def is_recurrent(port: Any) -> bool:
    """Return whether a port is a recurrent layer, or a Keras stack of layers, and not a function or a model around one."""
    import keras
    import torch

    return isinstance(port, (torch.nn.RNNBase, keras.layers.RNN, keras.layers.Bidirectional, keras.Sequential))


def _call(native: Any, arguments: Mapping[str, Any], make: Callable[[Any], Any]) -> list[Array]:
    given = {name: _nested(make, value) for name, value in arguments.items() if name != "inputs"}
    return list(_leaves(native(make(arguments["inputs"]), **given)))


def _call_torch(module: Any, arguments: Mapping[str, Any]) -> list[Array]:
    """Call a module of torch.nn; what is masked is packed away, and the output has zeros there."""
    import torch
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    inputs, mask = torch.from_numpy(arguments["inputs"]), arguments.get("mask")
    states = _nested(torch.from_numpy, arguments.get("initial_state"))
    if isinstance(states, list):  # Keras's order of states: row by row, h before c
        count = 2 if isinstance(module, torch.nn.LSTM) else 1
        stacked = tuple(torch.stack(states[first::count]) for first in range(count))
        states = stacked if count == 2 else stacked[0]
    with torch.no_grad():
        if mask is None:
            return list(_leaves(module(inputs, states)))
        lengths = torch.from_numpy(mask.sum(axis=1))
        packed = pack_padded_sequence(inputs, lengths, batch_first=module.batch_first, enforce_sorted=False)
        output, finals = module(packed, states)
        output, _ = pad_packed_sequence(output, batch_first=module.batch_first, total_length=mask.shape[1])
        return list(_leaves((output, finals)))


def _nested(make: Callable[[Any], Any], value: Any) -> Any:
    return (
        type(value)(make(each) for each in value)
        if isinstance(value, (list, tuple))
        else value
        if value is None
        else make(value)
    )


def _leaves(returned: Any) -> Iterator[Array]:
    if isinstance(returned, Mapping):
        returned = list(returned.values())
    if isinstance(returned, (tuple, list)):
        for each in returned:
            yield from _leaves(each)
    elif returned is not None:
        yield np.asarray(returned.detach().cpu() if hasattr(returned, "detach") else returned)


def _distance(found: Sequence[Array], expected: Sequence[Array]) -> float:
    if [array.shape for array in found] != [array.shape for array in expected] or not all(np.isfinite(a).all() for a in found):
        return float("inf")
    return max(
        float(np.max(np.abs(one - other)) / max(1.0, np.max(np.abs(other)))) for one, other in zip(found, expected, strict=True)
    )
