"""Modules of torch that are not recurrent, by the names and shapes of their arrays; unlike Keras's, no file names the class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from frameworks.files.others import OtherLayer
from frameworks.files.source import StoredArray

_RUNNING = frozenset({"running_mean", "running_var"})
_NORMALISED = _RUNNING | {"weight", "bias", "num_batches_tracked"}

_MATRIX = "Linear or Embedding"


def read_other(name: str, arrays: Mapping[str, StoredArray]) -> Iterator[OtherLayer]:
    """List a module with its arrays under torch's names, and its class as far as they tell; nothing where it has none."""
    if arrays:
        kind, warning = _kind({leaf: array.shape for leaf, array in arrays.items()})
        if kind == _MATRIX and "emb" in name.lower():
            kind, warning = "Embedding", "a matrix alone, and taken for an Embedding's by its name."
        stored = MappingProxyType(dict(arrays))
        certain = bool(kind) and " or " not in kind
        yield OtherLayer(name, kind, stored, known=certain, warnings=(warning,) * bool(warning))


def _kind(shapes: Mapping[str, tuple[int, ...]]) -> tuple[str, str]:
    """Tell the class, and what is uncertain of it."""
    if shapes.keys() >= _RUNNING and shapes.keys() <= _NORMALISED:
        return "BatchNorm", ""
    if not {"weight"} <= shapes.keys() <= {"weight", "bias"}:
        return "", ""
    weight, bias = shapes["weight"], shapes.get("bias")
    if bias not in (None, weight[:1]):
        return "", ""
    transposed = "" if bias is not None and weight[:1] != weight[1:2] else "ConvTranspose{}d may have the same arrays."
    kinds = {
        (1, True): ("LayerNorm", "GroupNorm and InstanceNorm have the same arrays."),
        (1, False): ("PReLU", "") if weight == (1,) else ("PReLU or RMSNorm", "a vector alone may be either's."),
        (2, True): ("Linear", ""),
        (2, False): (_MATRIX, "a matrix alone may be either's."),
    } | {(rank + 2, biased): (f"Conv{rank}d", transposed.format(rank)) for rank in (1, 2) for biased in (True, False)}
    return kinds.get((len(weight), bias is not None), ("", ""))
