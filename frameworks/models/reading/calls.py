"""Calls in one form, whatever the version of Keras that wrote them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from frameworks.cells import CELLS
from frameworks.files.keras.cells import CLASSES
from frameworks.files.keras.config import RECURRENT
from frameworks.kinds import KERAS
from frameworks.models.graph import Call, Layer, Tensor, tensors_in
from frameworks.models.reading.operations import operation_called

_POSITIONAL: Mapping[str, tuple[str, ...]] = {
    "MultiHeadAttention": (
        *("query", "value", "key", "query_mask", "value_mask", "key_mask", "attention_mask"),
        *("return_attention_scores", "training", "use_causal_mask"),
    ),
    "Attention": ("inputs", "mask", "training", "return_attention_scores", "use_causal_mask"),
    "AdditiveAttention": ("inputs", "mask", "training", "return_attention_scores", "use_causal_mask"),
}
_RECURRENT = ("sequences", "initial_state", "mask", "training")
_TENSORS = ("query", "value", "key")


def as_called(layer: Layer, number: int, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Call:
    """Return a call in one form."""
    if layer.is_operation:
        args, kwargs = operation_called(layer, args, kwargs)
        return Call(layer.name, number, args, kwargs, (None,) * len(list(tensors_in(args))))
    args, named = list(args), {name: value for name, value in kwargs.items() if value is not None}
    is_recurrent = layer.kind in RECURRENT or layer.kind.startswith("ConvLSTM")
    positional = _RECURRENT if is_recurrent else _POSITIONAL.get(layer.kind, ())
    for name, value in zip(positional[1:], args[1:], strict=False):
        named.setdefault(name, value)
    if positional:
        args = args[:1]
    if is_recurrent:
        args, named = _with_states(layer, args, named)
    if layer.kind == "MultiHeadAttention":
        args = [*args, *(named.pop(name) for name in _TENSORS[1:] if name in named)]
    if not args:
        first = next((name for name, value in named.items() if name != "mask" and any(tensors_in(value))), None)
        args = [named.pop(first)] if first is not None else []
    return Call(layer.name, number, tuple(args), named, (None,) * len(list(tensors_in(args))))


def _with_states(layer: Layer, args: list[Any], named: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments of a recurrent layer with its states by name; Keras 2 lists them after the input."""
    if args and isinstance(args[0], (list, tuple)):
        first, *states = args[0]
        count = layer.config.get("num_constants")
        constants = count if type(count) is int and 0 < count <= len(states) else 0
        args = [first]
        if states[len(states) - constants :] and constants:
            named["constants"] = states[len(states) - constants :]
        if states[: len(states) - constants]:
            named["initial_state"] = states[: len(states) - constants]
    if isinstance(named.get("initial_state"), Tensor):
        named["initial_state"] = [named["initial_state"]]
    return args, named


def count_results(calls: Sequence[Call], layers: Mapping[str, Layer], outputs: Sequence[Tensor]) -> list[Call]:
    """Return calls with the numbers of their results."""
    used: dict[tuple[str, int], int] = {}
    for each in [*outputs, *(each for call in calls for each in call.reads)]:
        used[each.layer, each.call] = max(used.get((each.layer, each.call), 0), each.output + 1)
    return [_counted(call, layers[call.layer], used.get((call.layer, call.number), 1)) for call in calls]


def _counted(call: Call, layer: Layer, used: int) -> Call:
    known = _results(call, layer)
    if known is None:
        return replace(call, outputs=used, is_list=used > 1)
    return replace(call, outputs=known[0], is_list=known[1])


def _results(call: Call, layer: Layer) -> tuple[int, bool] | None:
    """Return the number of results of a call, and whether they come as a list; None if the layer does not show it."""
    if layer.graph is not None:
        return len(layer.graph.outputs), not layer.graph.single
    if layer.kind in RECURRENT or layer.kind.startswith("ConvLSTM"):
        return _recurrent_results(layer.kind, layer.config)
    if layer.kind in ("MultiHeadAttention", "Attention", "AdditiveAttention"):
        return (2, True) if call.kwargs.get("return_attention_scores") is True else (1, False)
    if layer.kind in KERAS.kinds and not layer.is_operation:
        return (1, False)
    parts = _parts(call, layer.kind)
    return None if parts is None else (parts, True)


def _parts(call: Call, kind: str) -> int | None:
    """Return the number of parts that an operation makes of a tensor, whether or not they are used; None if none is stated."""
    if kind == "ops.top_k":
        return 2
    option = {"ops.split": "indices_or_sections", "ops.unstack": "num"}.get(kind)
    if option is None:
        return None
    stated = call.kwargs.get(option, call.args[1] if len(call.args) > 1 else None)
    if isinstance(stated, np.ndarray):
        stated = stated.tolist()
    return len(stated) + 1 if isinstance(stated, (list, tuple)) else stated if type(stated) is int and stated > 0 else None


def _recurrent_results(kind: str, config: Mapping[str, Any]) -> tuple[int, bool] | None:
    inner = config.get("layer") if kind == "Bidirectional" else None
    flags = config
    if inner is not None:
        kind, flags = _entry(inner)
    halves = 2 if inner is not None else 1
    outputs = halves if config.get("merge_mode", "concat") is None else 1
    if flags.get("return_state") is not True:
        return outputs, outputs > 1
    states = _states(kind, flags)
    if inner is not None and config.get("backward_layer") is not None:
        states = [*states, *_states(*_entry(config["backward_layer"]))]
        halves = 1
    return (outputs + halves * sum(states), True) if None not in states else None


def _states(kind: str, config: Mapping[str, Any]) -> list[Any]:
    """Return the number of states of each cell of a recurrent layer; None for a cell that is not one of Keras's."""
    if kind in CLASSES:
        return [len(CELLS[CLASSES[kind]].states)]
    if kind.startswith("ConvLSTM"):
        return [2]
    if kind == "RNN":
        return _states(*_entry(config.get("cell")))
    if kind == "StackedRNNCells" and isinstance(config.get("cells"), list):
        return [count for each in config["cells"] for count in _states(*_entry(each))]
    return [None]


def _entry(entry: Any) -> tuple[str, Mapping[str, Any]]:
    """Return the class and the config of what a recurrent layer runs; ("", {}) if the file does not state them."""
    if not isinstance(entry, Mapping) or not isinstance(entry.get("config"), Mapping):
        return "", {}
    return str(entry.get("class_name")).rpartition(">")[2], entry["config"]
