"""What a layer that is not recurrent was built with, in terms that both frameworks share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.models.recording.recorded import Recorded, innermost
from frameworks.registry import owner_name

Array = npt.NDArray[Any]

_NAMES: tuple[tuple[str, str, str], ...] = (
    ("epsilon", "epsilon", "eps"),
    ("stride", "strides", "stride"),
    ("dilation", "dilation_rate", "dilation"),
    ("window", "pool_size", "kernel_size"),
    ("groups", "groups", "groups"),
    ("number of groups", "groups", "num_groups"),
    ("slope", "negative_slope", "negative_slope"),
    ("alpha", "alpha", "alpha"),
    ("axis", "axis", "dim"),
    ("padded values counted", "", "count_include_pad"),
    ("padding_mode", "", "padding_mode"),
)
"""What an option is called here, in Keras and in torch."""

_SPATIAL = ("stride", "dilation", "window")


@dataclass(frozen=True)
class Options:
    """The options of one layer.

    Args:
        values: numbers or tuples by name.
        padding: (before, after) for each spatial axis; () if the layer has none.
        padding_name: the word by which it was given, or "".
    """

    values: dict[str, Any]
    padding: tuple[tuple[int, int], ...] = ()
    padding_name: str = ""

    def within(self, margin: tuple[tuple[int, int], ...]) -> Options:
        """Return the options of a layer whose input has this margin already, as if the layer padded it."""
        if len(margin) != len(self.padding):
            return self
        sums = zip(self.padding, margin, strict=True)
        return replace(self, padding=tuple((one[0] + two[0], one[1] + two[1]) for one, two in sums), padding_name="")


def options_of(call: Recorded) -> Options:
    """Return the options of a layer in one call, on whose input a padding "same" depends."""
    native = innermost(call.native)
    torch = owner_name(native) == "pytorch"
    rank = _rank(call)
    values: dict[str, Any] = {}
    for name, keras_name, torch_name in _NAMES:
        attribute = torch_name if torch else keras_name
        value = getattr(native, attribute, None) if attribute else None
        if name == "padding_mode" and "convolution" in call.family.name:
            value = value or "zeros"  # Keras pads with nothing else
        if value is None or (isinstance(value, str) and name != "padding_mode") or callable(value):
            continue
        if name == "window" and "convolution" in call.family.name:
            continue
        if name in ("number of groups", "groups") and ("norm" in call.family.name) is (name == "groups"):
            continue
        if name == "axis" and call.family.name not in ("softmax", "log softmax"):
            continue
        values[name] = _each(value, rank) if name in _SPATIAL else value
    if "axis" in values and isinstance(values["axis"], int) and call.inputs:
        values["axis"] %= call.inputs[0].ndim
    if not hasattr(native, "padding") or not rank or "global" in call.family.name:
        return Options(values)
    return Options(values, _padding(native, call, rank, torch=torch), native.padding if isinstance(native.padding, str) else "")


def _rank(call: Recorded) -> int:
    return int(call.family.name[-2]) if call.family.axes == "channels" and call.family.name.endswith("d") else 0


def _each(value: Any, rank: int) -> tuple[int, ...]:
    return tuple(int(each) for each in value) if isinstance(value, (tuple, list)) else (int(value),) * max(rank, 1)


def _padding(native: Any, call: Recorded, rank: int, *, torch: bool) -> tuple[tuple[int, int], ...]:
    window = _each(getattr(native, "kernel_size", None) or native.pool_size, rank)
    strides = _each(getattr(native, "stride" if torch else "strides"), rank)
    dilation = _each(getattr(native, "dilation" if torch else "dilation_rate", 1), rank)
    given = native.padding
    if not isinstance(given, str):
        return tuple((each, each) for each in _each(given, rank))
    reach = [(size - 1) * step for size, step in zip(window, dilation, strict=True)]
    if given == "causal":
        return tuple((each, 0) for each in reach)
    if given != "same":
        return ((0, 0),) * rank
    last = torch or getattr(native, "data_format", "") == "channels_first"
    shape = call.inputs[0].shape
    sizes = shape[-rank:] if last else shape[-rank - 1 : -1]
    found = []
    for size, far, stride in zip(sizes, reach, strides, strict=True):
        total = max((-(-size // stride) - 1) * stride + far + 1 - size, 0)
        found.append((total // 2, total - total // 2))
    return tuple(found)


def differing(expected: Options, actual: Options) -> list[tuple[str, Any, Any]]:
    """Return the options in which two layers differ: name, what it must be, what it is."""
    found = [
        (name, expected.values[name], actual.values[name])
        for name in expected.values
        if name in actual.values and not _equal(expected.values[name], actual.values[name])
    ]
    if expected.padding and actual.padding and expected.padding != actual.padding:
        found.append(("padding", expected.padding, actual.padding))
    return found


def _equal(one: Any, two: Any) -> bool:
    if isinstance(one, (int, float)) and isinstance(two, (int, float)):
        return bool(np.isclose(float(one), float(two), rtol=1e-6, atol=0))
    return bool(one == two)
