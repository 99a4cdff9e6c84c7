"""The operators of ONNX that compute a module of torch, with torch's names of their arrays and attributes.

Source: https://onnx.ai/onnx/operators/.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

ANY_RANK = 0
"""As a key of `Operator.modules`: a weight with any number of axes that has no other entry."""


@dataclass(frozen=True)
class Operator:
    """An operator whose inputs hold the arrays of a module.

    Args:
        name: the operator's name.
        modules: the module in torch, by the number of axes of its first array.
        inputs: torch's name of the array at each input; "" for an input that holds data.
        options: for each attribute that is an option of the module, torch's name of the option, and ONNX's default.
        required: attributes that must have a certain value for the operator to compute the module.
        complement: options that are 1 minus the attribute.
        padded: whether it pads its input, by attributes that stand for several options.
        turned: whether its first array has the axes of torch's in the other order, unless the attribute `kept` is set.
        kept: see `turned`.
        factors: by torch's name of an array, the attribute by which it is multiplied.
        bias_apart: whether an addition after it is the module's bias.
        flattened: whether torch's array has a single axis, and ONNX's further axes of size 1.
        serves_others: whether exporters also use it, with arrays of their own, to compute other modules.
    """

    name: str
    modules: Mapping[int, str]
    inputs: tuple[str, ...]
    options: Mapping[str, tuple[str, Any]] = field(default_factory=dict)
    required: Mapping[str, Any] = field(default_factory=dict)
    complement: tuple[str, ...] = ()
    padded: bool = False
    turned: bool = False
    kept: str = ""
    factors: Mapping[str, str] = field(default_factory=dict)
    bias_apart: bool = False
    flattened: bool = False
    serves_others: bool = False

    def module(self, rank: int) -> str:
        """Return the module whose first array has this number of axes, or ""."""
        return self.modules.get(rank) or self.modules.get(ANY_RANK, "")

    def is_turned(self, attributes: Mapping[str, Any]) -> bool:
        """Return whether the first array has the axes of torch's in the other order."""
        return self.turned and not attributes.get(self.kept)

    def computes_module(self, attributes: Mapping[str, Any]) -> bool:
        """Return whether an operator with these attributes computes the module."""
        return all(attributes.get(name, value) == value for name, value in self.required.items())


_EPSILON = {"epsilon": ("eps", 1e-5)}
_WINDOW = {"strides": ("stride", 1), "dilations": ("dilation", 1), "group": ("groups", 1)}
_AFFINE = ("", "weight", "bias")

OPERATORS: Mapping[str, Operator] = MappingProxyType(
    {
        operator.name: operator
        for operator in (
            Operator("Gather", {2: "Embedding"}, ("weight", ""), required={"axis": 0}),
            Operator("MatMul", {2: "Linear"}, ("", "weight"), turned=True, bias_apart=True),
            Operator(
                "Gemm",
                {2: "Linear"},
                _AFFINE,
                required={"transA": 0},
                turned=True,
                kept="transB",
                factors={"weight": "alpha", "bias": "beta"},
                bias_apart=True,
            ),
            Operator("Conv", {3: "Conv1d", 4: "Conv2d", 5: "Conv3d"}, _AFFINE, _WINDOW, padded=True),
            Operator(
                "ConvTranspose",
                {rank + 2: f"ConvTranspose{rank}d" for rank in (1, 2, 3)},
                _AFFINE,
                {**_WINDOW, "output_padding": ("output_padding", 0)},
                padded=True,
            ),
            Operator(
                "BatchNormalization",
                {1: "BatchNorm"},
                (*_AFFINE, "running_mean", "running_var"),
                {**_EPSILON, "momentum": ("momentum", 0.9)},
                required={"training_mode": 0, "spatial": 1},
                complement=("momentum",),
            ),
            Operator("LayerNormalization", {ANY_RANK: "LayerNorm"}, _AFFINE, _EPSILON),
            Operator("GroupNormalization", {1: "GroupNorm"}, _AFFINE, {**_EPSILON, "num_groups": ("num_groups", None)}),
            Operator("InstanceNormalization", {1: "InstanceNorm"}, _AFFINE, _EPSILON, serves_others=True),
            Operator("RMSNormalization", {1: "RMSNorm"}, ("", "weight"), _EPSILON),
            Operator("PRelu", {ANY_RANK: "PReLU"}, ("", "weight"), flattened=True),
        )
    }
)
"""By name: the operators of ONNX itself that have a counterpart among torch's modules."""
