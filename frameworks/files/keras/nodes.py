"""The calls of a serialised layer, from a file of any version of Keras.

Sources: keras/src/models/functional.py and keras/src/saving/serialization_lib.py; of Keras 2,
tf_keras/src/engine/node.py and functional.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from frameworks.files.untrusted.source import damaged

_CONSTANT = "_CONSTANT_VALUE"


class Reference(NamedTuple):
    """One output of one call of a layer, as a file refers to it.

    Args:
        layer: the layer's name.
        node: the number of the call as the file counts it.
        output: which of the call's results, from 0.
    """

    layer: str
    node: int
    output: int


@dataclass(frozen=True)
class Node:
    """The arguments of one call; tensors are `Reference`s, and constants are plain values or NumPy arrays.

    Args:
        args: the positional arguments.
        kwargs: the keyword arguments.
    """

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


def nodes_of(entry: Mapping[str, Any], file: str, *, nested: bool = False) -> Iterator[Node]:
    """Yield the calls of a serialised layer.

    Args:
        entry: the serialised layer.
        file: the file's name in messages.
        nested: whether a list of one tensor remains a list, as for the operations of Keras 2.

    Raises:
        GatewiseError: for calls of an unknown form.
    """
    nodes = entry.get("inbound_nodes", [])
    if not isinstance(nodes, list):
        raise _malformed(file, entry)
    for node in nodes:
        if isinstance(node, Mapping) and "args" in node:
            args, kwargs = _decoded(node["args"]), _decoded(node.get("kwargs", {}))
            if not isinstance(args, (list, tuple)) or not isinstance(kwargs, Mapping):
                raise _malformed(file, entry)
            yield Node(tuple(args), kwargs)
        else:
            named: dict[str, Any] = {}
            first = _first_argument(node, named)
            if not isinstance(first, (list, tuple, dict, Reference)) and not nested:
                raise _malformed(file, entry)
            if isinstance(first, list) and len(first) == 1 and not nested:
                first = first[0]
            yield Node((first,), named)


def references_in(value: Any) -> Iterator[Reference]:
    """Yield the tensors in an argument, in order; those of a mapping are in the order of their names, as in Keras."""
    if isinstance(value, Reference):
        yield value
    elif isinstance(value, Mapping):
        for name in sorted(value):
            yield from references_in(value[name])
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from references_in(each)


def tensors_of(value: Any) -> Any:
    """Return the inputs or outputs of a model with a `Reference` for each tensor; one in a list stays in the list."""
    return _decoded(value)


def replaced_references(value: Any, by: Callable[[Reference], Any]) -> Any:
    """Return an argument with each of its references replaced."""
    if isinstance(value, Reference):
        return by(value)
    if isinstance(value, Mapping):
        return {name: replaced_references(each, by) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(replaced_references(each, by) for each in value)
    return value


def _first_argument(value: Any, kwargs: dict[str, Any]) -> Any:
    """Return the first argument of a call in Keras 2, in which each tensor carries all further arguments."""
    if isinstance(value, Mapping):
        return {name: _first_argument(each, kwargs) for name, each in value.items()}
    if not isinstance(value, (list, tuple)):
        return value
    if len(value) in (3, 4) and isinstance(value[0], str):
        if len(value) == 4 and isinstance(value[3], Mapping) and not kwargs:
            kwargs.update(_decoded(value[3]))
        return _decoded(value[2]) if value[0] == _CONSTANT else _decoded(list(value[:3]))
    return [_first_argument(each, kwargs) for each in value]


def _decoded(value: Any) -> Any:
    """Return a value of a call, decoded from the JSON of any version of Keras."""
    if isinstance(value, Mapping):
        kind = value.get("class_name")
        if isinstance(kind, str) and kind in _DECODERS:
            return _DECODERS[kind](value)
        if value.keys() == {"start", "stop", "step"}:
            return slice(*(_decoded(value[part]) for part in ("start", "stop", "step")))
        return {str(name): _decoded(each) for name, each in value.items()}
    if _is_reference(value):
        return Reference(*value)
    if isinstance(value, (list, tuple)):
        return [_decoded(each) for each in value]
    return value


def _is_reference(value: Any) -> bool:
    return (
        isinstance(value, (list, tuple))
        and len(value) == 3
        and isinstance(value[0], str)
        and type(value[1]) is type(value[2]) is int
    )


def _config(value: Mapping[str, Any]) -> Mapping[str, Any]:
    config = value.get("config")
    return config if isinstance(config, Mapping) else {}


def _tensor(value: Mapping[str, Any]) -> Any:
    history = _config(value).get("keras_history")
    return _decoded(history) if _is_reference(history) else Reference("", 0, 0)


def _array(value: Mapping[str, Any]) -> Any:
    config = _config(value)
    try:
        return np.asarray(config.get("value"), config.get("dtype"))
    except (TypeError, ValueError):
        return np.asarray(None)


def _slice(value: Mapping[str, Any]) -> slice:
    config = _config(value)
    return slice(*(_decoded(config.get(part)) for part in ("start", "stop", "step")))


def _tuple(value: Mapping[str, Any]) -> tuple[Any, ...]:
    items = value.get("items")
    return tuple(_decoded(each) for each in items) if isinstance(items, list) else ()


_DECODERS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "__keras_tensor__": _tensor,
    "__slice__": _slice,
    "__ellipsis__": lambda _: Ellipsis,
    "__tensor__": _array,
    "__numpy__": _array,
    "__tuple__": _tuple,
    "TensorShape": _tuple,
}


def _malformed(file: str, entry: Mapping[str, Any]) -> Exception:
    return damaged(f"the architecture in {file}", f"has calls of an unknown form, of {str(entry.get('name'))[:100]!r}")
