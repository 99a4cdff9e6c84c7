"""TensorFlow's operations in files of Keras 2, as today's functions in `keras.ops`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from types import MappingProxyType
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Operation:
    """A function of TensorFlow.

    Args:
        function: the name of the function in `keras.ops`.
        tensors: the names of its tensors, in the order of today's function.
        options: today's name of each option.
        defaults: options that today's function has by other defaults.
        ignored: options that do not change the result.
        harmless: the values of further options with which they do not change the result.
        transposed: for each tensor the options that transpose its last two axes, with which it is today's einsum.
        convert: changes the options where a name is not enough.
    """

    function: str
    tensors: tuple[str, ...] = ("x",)
    options: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    ignored: tuple[str, ...] = ("name",)
    harmless: Mapping[str, Any] = field(default_factory=dict)
    transposed: tuple[tuple[str, ...], ...] = ()
    convert: Callable[[dict[str, Any]], dict[str, Any]] | None = None

    def subscripts(self, kwargs: Mapping[str, Any]) -> str:
        """Return those of the einsum that a call with transposed tensors is; "" for any other."""
        return product_of(kwargs) if any(kwargs.get(name) is True for names in self.transposed for name in names) else ""

    def unknown(self, kwargs: Mapping[str, Any]) -> str:
        """Return the name of an option that today's function lacks, or "" if there is none."""
        known = {*self.tensors, *self.options, *self.ignored}
        flags = {name for names in self.transposed for name in names}
        unknown = ((name, value) for name, value in kwargs.items() if name not in known)
        return next(
            (
                name
                for name, value in unknown
                if not (isinstance(value, bool) if name in flags else value in (None, self.harmless.get(name)))
            ),
            "",
        )

    def lacks(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        """Return the name of a tensor that a call does not state, or "" if it states all of them."""
        return next((name for name in self.tensors[len(args) :] if name not in kwargs), "")


def _split(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of today's split, which states where the parts end and not their sizes."""
    sizes = options.get("indices_or_sections")
    sizes = sizes.tolist() if isinstance(sizes, np.ndarray) else sizes
    if isinstance(sizes, list) and all(type(size) is int for size in sizes):
        rest = -1 in sizes[:-1]  # the part of the rest ends where only the length of the axis would tell
        options["indices_or_sections"] = "sizes with -1 before the last" if rest else list(accumulate(sizes[:-1]))
    return options


def _pad(options: dict[str, Any]) -> dict[str, Any]:
    return {**options, "mode": str(options.get("mode", "constant")).lower()}


def _l2(options: dict[str, Any]) -> dict[str, Any]:
    return {**options, "order": 2, "epsilon": options.get("epsilon", 1e-12) ** 0.5}


_BINARY = {
    "add": ("add",),
    "subtract": ("subtract", "sub"),
    "multiply": ("multiply", "mul"),
    "divide": ("truediv", "divide", "div", "realdiv"),
    "floor_divide": ("floordiv", "floor_div"),
    "mod": ("floormod", "mod"),
    "power": ("pow",),
    "maximum": ("maximum",),
    "minimum": ("minimum",),
    **{name: (name,) for name in ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal")},
    **{name: (name,) for name in ("logical_and", "logical_or")},
    "equal ": ("eq",),
    "not_equal ": ("ne",),
}
_UNARY = {
    "x": (
        *(
            "negative",
            "abs",
            "tanh",
            "sigmoid",
            "exp",
            "log",
            "log1p",
            "expm1",
            "sqrt",
            "rsqrt",
            "square",
            "sin",
            "cos",
            "sign",
        ),
        *("floor", "ceil", "round", "logical_not", "erf", "reciprocal", "is_nan"),
    ),
    "features": ("relu", "relu6", "elu", "selu", "softplus", "softsign"),
    "input": ("zeros_like", "ones_like", "identity", "stop_gradient"),
}
_RENAMED = {"is_nan": "isnan", "identity": "copy"}
_REDUCTIONS = {
    **{name: name for name in ("mean", "sum", "max", "min", "prod", "any", "all", "logsumexp", "std")},
    "variance": "var",
}
_REDUCED = {"axis": "axis", "keepdims": "keepdims", "keep_dims": "keepdims"}
_AXIS = {"axis": "axis"}

TRANSPOSED = (("transpose_a", "adjoint_a", "adj_x"), ("transpose_b", "adjoint_b", "adj_y"))
"""Real numbers alone are carried, of which the adjoint is the transpose."""


def product_of(flags: Mapping[str, Any]) -> str:
    """Return the subscripts of a product of matrices, given which of them are transposed."""
    flips = [any(flags.get(name) is True for name in names) for names in TRANSPOSED]
    one, other = (axes[::-1] if flip else axes for axes, flip in zip(("ij", "jk"), flips, strict=True))
    return f"...{one},...{other}->...ik"


TENSORFLOW: Mapping[str, Operation] = MappingProxyType(
    {
        **{old: Operation(name.strip(), ("x", "y")) for name, olds in _BINARY.items() for old in olds},
        **{name: Operation(_RENAMED.get(name, name), (first,)) for first, names in _UNARY.items() for name in names},
        "neg": Operation("negative"),
        **{f"reduce_{name}": Operation(new, ("input_tensor",), _REDUCED) for name, new in _REDUCTIONS.items()},
        **{name: Operation(new, ("x",), _REDUCED) for name, new in _REDUCTIONS.items()},
        "matmul": Operation("matmul", ("a", "b"), transposed=TRANSPOSED),
        "gelu": Operation("gelu", ("features",), {"approximate": "approximate"}, {"approximate": False}),
        "leaky_relu": Operation("leaky_relu", ("features",), {"alpha": "negative_slope"}),
        "softmax": Operation("softmax", ("logits",), _AXIS),
        "log_softmax": Operation("log_softmax", ("logits",), _AXIS),
        "concat": Operation("concatenate", ("values",), _AXIS),
        "concatenate": Operation("concatenate", ("tensors",), _AXIS),
        "stack": Operation("stack", ("values",), _AXIS),
        "unstack": Operation("unstack", ("value",), {"num": "num", "axis": "axis"}),
        "split": Operation(
            "split", ("value",), {"num_or_size_splits": "indices_or_sections", "axis": "axis"}, {"axis": 0}, convert=_split
        ),
        "expand_dims": Operation("expand_dims", ("input",), _AXIS),
        "squeeze": Operation("squeeze", ("input",), _AXIS),
        "reshape": Operation("reshape", ("tensor",), {"shape": "newshape"}),
        "transpose": Operation("transpose", ("a",), {"perm": "axes"}, harmless={"conjugate": False}),
        "permute_dimensions": Operation("transpose", ("x",), {"pattern": "axes"}),
        "tile": Operation("tile", ("input",), {"multiples": "repeats"}),
        "cast": Operation("cast", ("x",), {"dtype": "dtype"}),
        "where": Operation("where", ("condition", "x", "y")),
        "gather": Operation(
            "take", ("params", "indices"), _AXIS, {"axis": 0}, ("name", "validate_indices"), harmless={"batch_dims": 0}
        ),
        "one_hot": Operation("one_hot", ("indices",), {"depth": "num_classes", "axis": "axis", "dtype": "dtype"}),
        "reverse": Operation("flip", ("tensor",), _AXIS),
        "clip_by_value": Operation("clip", ("t",), {"clip_value_min": "x_min", "clip_value_max": "x_max"}),
        "l2_normalize": Operation("normalize", ("x",), {"axis": "axis", "epsilon": "epsilon"}, convert=_l2),
        "pad": Operation(
            "pad",
            ("tensor",),
            {"paddings": "pad_width", "mode": "mode", "constant_values": "constant_values"},
            convert=_pad,
        ),
        "argmax": Operation("argmax", ("input",), _AXIS, {"axis": 0}, ("name", "output_type")),
        "argmin": Operation("argmin", ("input",), _AXIS, {"axis": 0}, ("name", "output_type")),
        "cumsum": Operation("cumsum", ("x",), _AXIS, {"axis": 0}, harmless={"exclusive": False, "reverse": False}),
        "shape": Operation("shape", ("input",), ignored=("name", "out_type")),
        "broadcast_to": Operation("broadcast_to", ("input",), {"shape": "shape"}),
        "getitem": Operation("get_item", ("tensor", "slice_spec")),
    }
)
"""By the name of TensorFlow's function, without the module."""

NODES: Mapping[str, str] = MappingProxyType(
    {
        "AddV2": "add",
        "RealDiv": "divide",
        "Sub": "subtract",
        "Mul": "multiply",
        "Pow": "power",
        "Neg": "negative",
        "FloorDiv": "floor_divide",
        "FloorMod": "mod",
        "NotEqual": "not_equal",
        "LogicalAnd": "logical_and",
        "LogicalOr": "logical_or",
        "LogicalNot": "logical_not",
        "Identity": "copy",
        "StopGradient": "stop_gradient",
        "BatchMatMulV2": "matmul",
        "MatMul": "matmul",
        **{
            name.capitalize(): name
            for name in ("add", "maximum", "minimum", "less", "greater", "equal", "abs", "tanh", "sigmoid")
        },
        **{name.capitalize(): name for name in ("exp", "log", "sqrt", "square", "relu", "softplus", "elu")},
    }
)
"""Nodes of TensorFlow's graphs that take tensors alone, as today's functions; Keras 2.0 to 2.3 of TensorFlow state them."""
