"""The precision of a model, from the dtype policies of its layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from frameworks.errors import NoCounterpartError
from frameworks.files.writing.blocks import Tensor as Blocks
from frameworks.models.graph import Graph

CARRIED = ("float16", "float32", "float64")


@lru_cache(maxsize=32)
def precision_of(graph: Graph) -> str:
    """Return the dtype that all layers of a model compute in; "" if none of them states it.

    Raises:
        NoCounterpartError: for policies that differ from layer to layer, or that compute and store in two dtypes.
    """
    first: tuple[str, str] | None = None
    for layer in graph.all_layers():
        policy = _policy(layer.config.get("dtype"))
        if layer.kind == "InputLayer" or layer.is_operation or layer.graph is not None or not policy:
            continue
        if policy not in CARRIED:
            raise NoCounterpartError.because(
                f"dtype of {layer.kind} {layer.name!r}",
                must=f"be one of {', '.join(CARRIED)}",
                but=f"is {policy!r}",
                remedy="Build the model with the policy float32, give it these weights with set_weights, and port that.",
            )
        first = first or (layer.name, policy)
        if policy != first[1]:
            raise NoCounterpartError.because(
                f"dtype of {layer.kind} {layer.name!r}",
                must=f"be that of {first[0]!r}, {first[1]!r}",
                but=f"is {policy!r}",
                remedy="Build the model with one policy, give it these weights with set_weights, and port that.",
            )
    return first[1] if first else ""


def cast(blocks: Blocks, precision: str) -> Blocks:
    """Return an array in a precision, as Keras casts what it loads; integers, and without a precision all, as they are."""
    if not precision or blocks.dtype.kind != "f" or blocks.dtype.name == precision:
        return blocks
    dtype = np.dtype(precision).newbyteorder("<")
    return replace(blocks, dtype=dtype, blocks=lambda: (each.astype(dtype) for each in blocks.blocks()))


def _policy(dtype: Any) -> str:
    """Return the name of a policy; "" for integers and for what is not stated."""
    if isinstance(dtype, Mapping):
        config = dtype.get("config")
        dtype = config.get("name") if isinstance(config, Mapping) else None
    return dtype if isinstance(dtype, str) and "float" in dtype else ""
