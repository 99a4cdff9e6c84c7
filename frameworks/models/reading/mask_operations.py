"""Masks that a file of Keras 3 states as operations: `not_equal(tokens, 0)` is the mask that an Embedding makes of tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from frameworks.kinds import KERAS, Masks
from frameworks.models.graph import Call, Graph, MadeMask, Mask, MergedMask, Tensor, tensors_in
from frameworks.models.reading.merged_masks import concatenated, merged


@dataclass(frozen=True)
class _Compared:
    """A tensor compared with a number."""

    read: Tensor
    value: Any


@dataclass(frozen=True)
class _Expanded:
    """A mask with an axis more; None for ones."""

    mask: Mask | None
    tensor: Tensor | None = None


@dataclass(frozen=True)
class _Zeros:
    """Zeros in the shape of a tensor."""

    tensor: Tensor


@dataclass(frozen=True)
class _Row:
    """Masks with an axis more, one after the other along an axis."""

    parts: tuple[_Expanded, ...]
    tensors: tuple[Tensor, ...]
    axis: Any


_TRUE = object()


class MaskOperations:
    """What the operations of a graph make of masks.

    Args:
        graph: the graph.
    """

    def __init__(self, graph: Graph) -> None:
        """Note which layers make masks of which tensors."""
        self.graph = graph
        self._known: dict[Tensor, Any] = {}
        self._makers: dict[Tensor, list[str]] = {}
        for call in graph.calls:
            if KERAS.get(graph.layers[call.layer].kind).masks is Masks.MAKE:
                for read in [*tensors_in(call.args)][:1]:
                    self._makers.setdefault(read, []).append(call.layer)

    def mask_of(self, tensor: Tensor) -> Mask | None:
        """Return the mask that a tensor is, or None for any other tensor."""
        known = self._known.get(tensor)
        if isinstance(known, _Compared) and known.value == 0:
            return self._made("Embedding", known)
        return known if isinstance(known, (MadeMask, MergedMask)) else None

    def is_true(self, tensor: Tensor) -> bool:
        """Return whether a tensor is a mask that is true everywhere, as Concatenate makes it if one tensor has none."""
        return self._known.get(tensor) is _TRUE

    def follow(self, call: Call, kwargs: Mapping[str, Any]) -> None:
        """Note what an operation makes of masks."""
        made = self._of(self.graph.layers[call.layer].kind.removeprefix("ops."), call.args, kwargs)
        if made is not None:
            self._known[call.results[0]] = made

    def _of(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        first = args[0] if args else None
        if name == "concatenate" and isinstance(first, (list, tuple)):
            return self._row(first, kwargs.get("axis", -1))
        if not isinstance(first, Tensor):
            return None
        known = self._known.get(first)
        rules: Mapping[str, Any] = {
            "convert_to_tensor": lambda: known,
            "cast": lambda: known,
            "stop_gradient": lambda: known,
            "not_equal": lambda: _Compared(first, args[1]) if _is_number(args[1:]) else None,
            "zeros_like": lambda: _Zeros(first),
            "ones_like": lambda: _Expanded(None, first),
            "logical_or": lambda: self._joined(name, args),
            "logical_and": lambda: self._joined(name, args),
            "expand_dims": lambda: self._expanded(first, kwargs.get("axis", args[-1])),
            "any": lambda: self._any(known, kwargs),
        }
        return rules[name]() if name in rules else None

    def _expanded(self, tensor: Tensor, axis: Any) -> Any:
        mask = self.mask_of(tensor)
        return None if mask is None or axis != -1 else _Expanded(mask)

    def _row(self, tensors: Sequence[Any], axis: Any) -> Any:
        known = (self._known.get(each) for each in tensors if isinstance(each, Tensor))
        parts = tuple(each for each in known if isinstance(each, _Expanded) and each.tensor)
        return _Row(parts, tuple(each.tensor for each in parts if each.tensor), axis) if len(parts) == len(tensors) else None

    def _any(self, known: Any, kwargs: Mapping[str, Any]) -> Any:
        if kwargs.get("axis") not in (-1, [-1], (-1,)) or kwargs.get("keepdims"):
            return None
        if isinstance(known, _Compared):
            return self._made("Masking", known)
        if isinstance(known, _Row):
            masks = [each.mask for each in known.parts]
            return concatenated("or", masks, known.tensors, known.axis, self.graph.shapes) or _TRUE
        return None

    def _joined(self, name: str, args: Sequence[Any]) -> Any:
        known = [self._known.get(each) if isinstance(each, Tensor) else None for each in args]
        for one, other in (known, known[::-1]) if len(known) == 2 else ():
            if name == "logical_or" and isinstance(one, _Expanded) and isinstance(other, _Zeros):
                return _Expanded(one.mask, other.tensor)
        masks = [self.mask_of(each) if isinstance(each, Tensor) else None for each in args]
        return merged(name.removeprefix("logical_"), masks) if all(masks) else None

    def _made(self, kind: str, compared: _Compared) -> Mask | None:
        """Return the mask as that of the layer that makes it, or None."""
        for name in self._makers.get(compared.read, ()):
            layer = self.graph.layers[name]
            if layer.kind != kind and kind == "Masking":
                continue
            option = KERAS.get(layer.kind).mask_option
            default = KERAS.get(layer.kind).default(option)
            stated = layer.config.get(option, default)
            if stated is True if isinstance(default, bool) else stated == compared.value and kind == "Masking":
                return MadeMask(name, compared.read)
        return None


def _is_number(values: Sequence[Any]) -> bool:
    return len(values) == 1 and isinstance(values[0], (int, float))
