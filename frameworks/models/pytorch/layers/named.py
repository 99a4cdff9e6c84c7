"""The Keras names of a layer's arrays, also of kinds whose arrays a file names in its own way or only numbers."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from frameworks.files.other_layers import OtherLayer
from frameworks.files.untrusted.source import StoredArray

_IN_ORDER: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType(
    {
        **{f"Conv{rank}DTranspose": (("kernel", ""), ("bias", "use_bias")) for rank in (1, 2)},
        **{f"DepthwiseConv{rank}D": (("depthwise_kernel", ""), ("bias", "use_bias")) for rank in (1, 2)},
        **{
            f"SeparableConv{rank}D": (("depthwise_kernel", ""), ("pointwise_kernel", ""), ("bias", "use_bias"))
            for rank in (1, 2)
        },
        "GroupNormalization": (("gamma", "scale"), ("beta", "center")),
        "Attention": (("scale", "use_scale"), ("concat_score_weight", "")),
    }
)
"""The arrays of these kinds in Keras's order, each with the option without which it is missing."""

_PARTS, _NUMBERED = {"output": "attention_output"}, {"0": "kernel", "1": "bias"}


def named_arrays(layer: OtherLayer, options: Mapping[str, Any]) -> Mapping[str, StoredArray]:
    """Return the arrays of a layer by their Keras names; those of the parts of a layer as "query_kernel"."""
    if layer.kind == "MultiHeadAttention":
        return dict(_of_part(name, array) for name, array in layer.stored.items())
    if layer.known or layer.kind not in _IN_ORDER:
        return layer.stored
    names = [name for name, option in _IN_ORDER[layer.kind] if not option or options.get(option)]
    return dict(zip(names, layer.stored.values(), strict=False))


def _of_part(name: str, array: StoredArray) -> tuple[str, StoredArray]:
    """Return the name of an array in a part: "_key_dense/vars/0" and "attend/key/kernel:0" are both "key_kernel"."""
    *path, last = name.split("/")
    part = (path[:-1] if path[-1:] == ["vars"] else path)[-1].strip("_").removesuffix("_dense")
    own = last.partition(":")[0]
    return f"{_PARTS.get(part, part)}_{_NUMBERED.get(own, own)}", array
