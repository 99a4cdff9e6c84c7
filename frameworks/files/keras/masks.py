"""The origin of each layer's mask: masks are followed through an architecture as Keras passes them on.

`frameworks.kinds` records how each kind of layer treats masks.

Source: keras/src/layers/layer.py (`_set_mask_metadata`); of Keras 2, tf_keras/src/engine/base_layer.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from frameworks.kinds import KERAS, Kind, Masks

_OWN = re.compile(r"(not_equal|any)(_\d+)?")
"""The operations that make the masks of Embedding and Masking. Keras 3 records such a mask as if the caller had passed it."""

Tensor = tuple[str, int]
"""A layer's name and the number of one of its outputs."""


@dataclass(frozen=True)
class Call:
    """One call of a layer.

    Args:
        reads: the tensors in its first argument.
        mask: the tensor passed as its mask, or None.
        only_states: whether states are passed to it, but no mask. In Keras 3, such a layer does not receive the mask of its
            input; the next layer does.
        states: the tensors passed as its initial states, if it is a recurrent layer.
    """

    reads: tuple[Tensor, ...]
    mask: Tensor | None = None
    only_states: bool = False
    states: tuple[Tensor, ...] = ()


def calls_of(entry: Mapping[str, Any]) -> Iterator[Call]:
    """Yield the calls of a layer, from a file of any version of Keras."""
    nodes = entry.get("inbound_nodes")
    for node in nodes if isinstance(nodes, list) else ():
        if isinstance(node, Mapping):  # Keras 3: args and kwargs that contain tensors
            args, named = node.get("args"), node.get("kwargs")
            kwargs = named if isinstance(named, Mapping) else {}
            mask, given = kwargs.get("mask"), args if isinstance(args, list) else []
            states = tuple(tensors_in([*given[1:2], kwargs.get("initial_state")]))
            with_states = any(tensors_in(kwargs.get("initial_state")))
            yield Call(tuple(tensors_in(given[:1])), _first(mask), only_states=with_states and mask is None, states=states)
        else:  # Keras 2: [name, call, output, kwargs] for each input tensor
            named = _kwargs(node)
            kwargs, reads = named if isinstance(named, Mapping) else {}, tuple(tensors_in(node))
            states = (*reads[1:], *tensors_in(kwargs.get("initial_state")))
            yield Call(reads, _first(kwargs.get("mask")), states=states)


def states_of(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the layers that pass initial states to a recurrent layer."""
    return tuple(dict.fromkeys(name for call in calls_of(entry) for name, _ in call.states))


def _first(value: Any) -> Tensor | None:
    return next(tensors_in(value), None)


def tensors_in(value: Any) -> Iterator[Tensor]:
    """Yield the tensors that a nested list refers to, from a file of any version of Keras."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Mapping):
            config = one.get("config")
            waiting.append(config.get("keras_history") if isinstance(config, Mapping) else list(one.values()))
        elif isinstance(one, (list, tuple)):
            if one and isinstance(one[0], str):
                yield one[0], one[2] if len(one) > 2 and isinstance(one[2], int) else 0
            else:
                waiting.extend(reversed(one))


def _kwargs(node: Any) -> Any:
    """Return the keyword arguments of a call in Keras 2, which follow its first tensor."""
    while isinstance(node, list) and node and isinstance(node[0], list):
        node = node[0]
    return node[3] if isinstance(node, list) and len(node) > 3 else None


@dataclass
class MaskFlow:
    """The masks within one model.

    Args:
        inputs: the mask of each input of the model, in order; "" for an input without one.
        keras2: whether Keras 2 wrote the model.
        after: the masks of each layer's outputs, by the layer's name.
    """

    inputs: Sequence[str]
    keras2: bool
    after: dict[str, Sequence[str]] = field(default_factory=dict)

    def before(self, entry: Mapping[str, Any], name: str, ports: Sequence[str]) -> list[str]:
        """Return the masks of a layer's first argument. If there are several calls, the first one with a mask counts.

        Args:
            entry: the serialised layer.
            name: the layer's name.
            ports: the names of the model's inputs, in order.
        """
        if name in ports:
            return [self._of(self.inputs, ports.index(name))]
        calls = [self._call(call) for call in calls_of(entry)]
        return [next(filter(None, each), "") for each in zip_longest(*calls, fillvalue="")]

    def given(self, entry: Mapping[str, Any]) -> bool:
        """Return whether a layer receives the mask of its input in all calls."""
        return not any(call.only_states for call in calls_of(entry))

    def _call(self, call: Call) -> list[str]:
        masks = [self._of(self.after.get(name, ()), index) for name, index in call.reads]
        if call.mask is not None and not (any(masks[:1]) and _OWN.fullmatch(call.mask[0])):
            return [f"{call.mask[0]} (passed as its mask)", *masks[1:]]
        return masks

    def outputs(self, config: Mapping[str, Any]) -> list[str]:
        """Return the masks of a model's outputs."""
        if "output_layers" not in config:
            return list(self.after[next(reversed(self.after))][:1]) if self.after else []
        return [self._of(self.after.get(name, ()), index) for name, index in tensors_in(config["output_layers"])]

    def pass_on(self, class_name: str, name: str, config: Mapping[str, Any], before: Sequence[str]) -> Sequence[str]:
        """Return the masks of the outputs of a layer that is not a model.

        Args:
            class_name: the layer's class.
            name: the layer's name, which appears in a mask that it makes.
            config: the layer's config.
            before: the masks of its first argument.
        """
        kind = KERAS.get(class_name)
        rule = kind.masks_at((2,) if self.keras2 else (3,))
        first = next(iter(before), "")
        if not self.keras2 and "trainable" not in config and (kind.operation or class_name not in KERAS.kinds):
            return ()  # an operation of Keras 3, which may share its name with a layer
        if rule is Masks.MAKE:
            return _made(kind, name, config)
        if rule in (Masks.ANY, Masks.ALL) and (rule is Masks.ANY or all(before)):
            return (next(filter(None, before), ""),)
        inner = config.get(kind.inner) if rule is Masks.SEQUENCES else None
        flags = inner.get("config", {}) if isinstance(inner, Mapping) else config
        if isinstance(flags, Mapping) and flags.get("return_sequences") is True:  # of any class, custom classes included
            return (first,) * (1 + (rule is Masks.SEQUENCES and config.get("merge_mode", kind.default("merge_mode")) is None))
        return (first,) if rule is Masks.KEEP else ()

    @staticmethod
    def _of(masks: Sequence[str], index: int) -> str:
        return masks[index] if 0 <= index < len(masks) else ""


def _made(kind: Kind, name: str, config: Mapping[str, Any]) -> Sequence[str]:
    """Return the mask that a layer makes, according to its option."""
    default = kind.default(kind.mask_option)
    value = config.get(kind.mask_option, default)
    if isinstance(default, bool):
        return (f"{name} ({kind.mask_option})",) if value is True else ()
    return (f"{name} ({kind.name} of {value!r})",)
