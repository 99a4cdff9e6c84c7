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
                self._makers.setdefault(next(tensors_in(call.args)), []).append(call.layer)

    def mask_of(self, tensor: Tensor) -> Mask | None:
        """Return the mask that a tensor is, or None for any other tensor."""
        known = self._known.get(tensor)
        if isinstance(known, _Compared) and known.value == 0:
            return self._made("Embedding", known)
        return known if isinstance(known, (MadeMask, MergedMask)) else None

    def follow(self, call: Call, kwargs: Mapping[str, Any]) -> None:
        """Note what an operation makes of masks."""
        made = self._of(self.graph.layers[call.layer].kind.removeprefix("ops."), call.args, kwargs)
        if made is not None:
            self._known[call.results[0]] = made

    def _of(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        first = args[0] if args else None
        known = self._known.get(first) if isinstance(first, Tensor) else None
        if name == "not_equal" and isinstance(first, Tensor) and len(args) > 1 and isinstance(args[1], (int, float)):
            return _Compared(first, args[1])
        if name in ("zeros_like", "ones_like") and isinstance(first, Tensor):
            return _Zeros(first) if name == "zeros_like" else _Expanded(None, first)
        if name in ("logical_or", "logical_and"):
            return self._joined(name, args)
        if name == "expand_dims" and isinstance(first, Tensor) and kwargs.get("axis", args[-1]) == -1:
            mask = self.mask_of(first)
            return None if mask is None else _Expanded(mask)
        if name == "concatenate" and isinstance(first, (list, tuple)):
            parts = [self._known.get(each) if isinstance(each, Tensor) else None for each in first]
            if all(isinstance(each, _Expanded) and each.tensor for each in parts):
                return _Row(tuple(parts), tuple(each.tensor for each in parts), kwargs.get("axis", -1))
        if name == "any" and kwargs.get("axis") in (-1, [-1], (-1,)) and not kwargs.get("keepdims"):
            if isinstance(known, _Compared):
                return self._made("Masking", known)
            if isinstance(known, _Row):
                masks = [each.mask for each in known.parts]
                return concatenated("or", masks, known.tensors, known.axis, self.graph.shapes)
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
            if (stated is True if isinstance(default, bool) else stated == compared.value and kind == "Masking"):
                return MadeMask(name, compared.read)
        return None
