"""Modules of torch that are not recurrent, by the names and shapes of their arrays; unlike Keras's, no file names the class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from frameworks.files.other_layers import OtherLayer
from frameworks.files.untrusted.source import StoredArray

_RUNNING = frozenset({"running_mean", "running_var"})
_NORMALISED = _RUNNING | {"weight", "bias", "num_batches_tracked"}

_MATRIX = "Linear or Embedding"

_PLAIN = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "padding_mode": "zeros"}
_ASSUMED: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "LayerNorm": {"eps": 1e-5},
        **{f"BatchNorm{end}": {"eps": 1e-5, "momentum": 0.1} for end in ("", "1d", "2d", "3d")},
        "Conv1d": _PLAIN,
        "Conv2d": _PLAIN,
    }
)
"""torch's defaults of what arrays do not show and Keras has other defaults or other words for."""

_WORDS = {each: each for each in ("momentum", "padding", "groups")} | {
    "eps": "epsilon",
    "stride": "strides",
    "dilation": "dilation_rate",
}


def read_other(name: str, arrays: Mapping[str, StoredArray], said: Mapping[str, Any] | None = None) -> Iterator[OtherLayer]:
    """List a module with its arrays under torch's names, and its class as far as they tell; nothing where it has none.

    Args:
        name: of the module.
        arrays: by their names in it.
        said: what the file says of it beside, see `Named`.
    """
    if not arrays:
        return
    said = said or {}
    kind, *warnings = _kind({leaf: array.shape for leaf, array in arrays.items()})
    if said.get("torch"):
        kind, warnings = said["class"], []
    elif kind == _MATRIX and "emb" in name.lower():
        kind, warnings = "Embedding", ["a matrix alone, and taken for an Embedding's by its name."]
    certain = bool(kind) and " or " not in kind
    arguments = {argument: said.get(argument, value) for argument, value in _ASSUMED.get(kind, {}).items()}
    assumed = [f"{argument}={value!r}" for argument, value in arguments.items() if argument not in said]
    if assumed:
        warnings.append(f"{', '.join(assumed)} assumed, as torch does where nothing is said: the file does not say it.")
    config, unlike = _in_keras(arguments)
    if arguments.get("momentum", 0) is None:
        warnings.append(
            "momentum=None is the average of all batches so far, which Keras has not: it trains with its own momentum."
        )
    if unlike:
        warnings.append(f"{unlike}, which Keras's layer of these arrays has not.")
    yield OtherLayer(
        name, kind, MappingProxyType(dict(arrays)), config, known=certain and not unlike, warnings=tuple(filter(None, warnings))
    )


def _in_keras(arguments: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Give the arguments in Keras's words, and those that Keras has none for."""
    config: dict[str, Any] = {}
    unlike = []
    for name, value in arguments.items():
        if _fits(name, value):
            config[_WORDS[name]] = 1 - value if name == "momentum" else value
        elif not _is_usual(name, value):
            unlike.append(f"{name}={value!r}")
    return config, ", ".join(unlike)


def _fits(name: str, value: Any) -> bool:
    """Tell whether Keras has an argument for it, and takes the value there."""
    if name in ("eps", "momentum"):
        return type(value) in (int, float)
    if name in ("stride", "dilation", "groups"):
        return type(value) is int or (isinstance(value, tuple) and name != "groups")
    return name == "padding" and value == "same"


def _is_usual(name: str, value: Any) -> bool:
    """Tell whether it is what Keras's layer does unasked, or at least when it only predicts."""
    if name == "padding":
        return value in ("valid", 0) or (isinstance(value, tuple) and not any(value))
    return (name, value) in (("padding_mode", "zeros"), ("momentum", None))


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
