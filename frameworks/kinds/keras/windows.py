"""Keras's convolutions, pooling, padding, cropping and upsampling."""

from __future__ import annotations

from frameworks.kinds.keras.options import ACTIVATION, LOW_RANK, USE_BIAS, of_arrays, unused
from frameworks.kinds.records import GROUP_INPUT, Array, Dated, Kind, Option

_BIAS = Array("bias", ("output",), option="use_bias")
_AXES = {1: ("steps",), 2: ("rows", "columns"), 3: ("depth", "rows", "columns")}
_STATED_SINCE_3 = Dated("channels_last", (((3,), None),))
_CONV_OP = Option("conv_op", only=(None,), why="it is a convolution of your own")
_PADDING, _DATA_FORMAT = Option("padding", "valid"), Option("data_format")


def _format(rank: int) -> Option:
    """Return the option for the place of the channels, which the Keras 2 layers of one axis state as a default."""
    return Option("data_format", _STATED_SINCE_3) if rank == 1 else _DATA_FORMAT


def _convolution(rank: int, *, arrays: bool) -> Kind:
    """Return the kind of a convolution with a kernel over this many axes."""
    axes = tuple(f"kernel {axis}" for axis in _AXES[rank])
    return Kind(
        f"Conv{rank}D",
        options=(
            Option("filters", sizes=("output",), required=True),
            Option("kernel_size", sizes=axes, required=True),
            Option("strides", 1),
            _PADDING,
            _format(rank),
            Option("dilation_rate", 1),
            Option("groups", 1),
            ACTIVATION,
            USE_BIAS,
        ),
        arrays=(Array("kernel", (*axes, GROUP_INPUT, "output")), _BIAS) if arrays else None,
        reads=((*_AXES[rank], "input"),) if arrays else (),
        further=(*of_arrays("kernel", "bias"), *LOW_RANK, _CONV_OP),
        shape="convolution",
        window=rank,
    )


def _transposed(rank: int) -> Kind:
    """Return the kind of a transposed convolution."""
    axes = tuple(f"kernel {axis}" for axis in _AXES[rank])
    return Kind(
        f"Conv{rank}DTranspose",
        options=(
            Option("filters", sizes=("output",), required=True),
            Option("kernel_size", sizes=axes, required=True),
            Option("strides", 1),
            _PADDING,
            Option("output_padding"),
            _DATA_FORMAT,
            Option("dilation_rate", 1),
            ACTIVATION,
            USE_BIAS,
        ),
        arrays=(Array("kernel", (*axes, "output", "input")), _BIAS),
        reads=((*_AXES[rank], "input"),),
        further=(
            *of_arrays("kernel", "bias"),
            _CONV_OP,
            Option("groups", 1, only=(1,), why="Keras computes a transposed convolution in one group"),
        ),
        shape="transposed convolution",
        window=rank,
    )


_OF_THE_BASE_CLASS = (*of_arrays("kernel"), *unused("groups"), _CONV_OP)
"""What tf_keras also writes into the config of a depthwise or separable convolution, and does not use."""


def _depthwise(rank: int) -> Kind:
    """Return the kind of a depthwise convolution."""
    axes = tuple(f"kernel {axis}" for axis in _AXES[rank])
    return Kind(
        f"DepthwiseConv{rank}D",
        options=(
            Option("kernel_size", sizes=axes, required=True),
            Option("strides", 1),
            _PADDING,
            Option("depth_multiplier", 1, sizes=("multiplier",)),
            _DATA_FORMAT,
            Option("dilation_rate", 1),
            ACTIVATION,
            USE_BIAS,
        ),
        arrays=(
            Array("depthwise_kernel", (*axes, "input", "multiplier"), also="kernel"),
            Array("bias", ("product",), option="use_bias"),
        ),
        reads=((*_AXES[rank], "input"),),
        further=(*of_arrays("depthwise", "bias"), *_OF_THE_BASE_CLASS, *unused("filters")),
        shape="depthwise convolution",
        window=rank,
    )


def _separable(rank: int) -> Kind:
    """Return the kind of a depthwise convolution with a product over the channels after it."""
    axes = tuple(f"kernel {axis}" for axis in _AXES[rank])
    return Kind(
        f"SeparableConv{rank}D",
        options=(
            Option("filters", sizes=("output",), required=True),
            Option("kernel_size", sizes=axes, required=True),
            Option("strides", 1),
            _PADDING,
            _DATA_FORMAT,
            Option("dilation_rate", 1),
            Option("depth_multiplier", 1, sizes=("multiplier",)),
            ACTIVATION,
            USE_BIAS,
        ),
        arrays=(
            Array("depthwise_kernel", (*axes, "input", "multiplier")),
            Array("pointwise_kernel", (*(f"one {axis}" for axis in _AXES[rank]), "product", "output")),
            _BIAS,
        ),
        reads=((*_AXES[rank], "input"),),
        further=(*of_arrays("depthwise", "pointwise", "bias"), *_OF_THE_BASE_CLASS),
        shape="convolution",
        window=rank,
    )


CONVOLVING = (
    *(_convolution(rank, arrays=rank < 3) for rank in (1, 2, 3)),
    *(_transposed(rank) for rank in (1, 2, 3)),
    *(_depthwise(rank) for rank in (1, 2)),
    *(_separable(rank) for rank in (1, 2)),
)

POOLING = (
    *(
        Kind(
            f"{name}Pooling{rank}D",
            options=(Option("pool_size", 2), Option("strides"), _PADDING, _format(rank)),
            arrays=(),
            shape="pooling",
            window=rank,
        )
        for name in ("Max", "Average")
        for rank in (1, 2, 3)
    ),
    *(
        Kind(
            f"Global{name}Pooling{rank}D",
            options=(_format(rank), Option("keepdims", default=False)),
            arrays=(),
            shape="global pooling",
            window=rank,
        )
        for name in ("Max", "Average")
        for rank in (1, 2, 3)
    ),
    *(
        Kind(
            f"Adaptive{name}Pooling{rank}D",
            options=(Option("output_size", required=True), _DATA_FORMAT),
            arrays=(),
            shape="adaptive pooling",
            window=rank,
        )
        for name in ("Max", "Average")
        for rank in (1, 2, 3)
    ),
)

RESIZING = (
    *(
        Kind(
            f"ZeroPadding{rank}D",
            options=(Option("padding", 1), _DATA_FORMAT),
            arrays=(),
            shape="padding",
            window=rank,
        )
        for rank in (1, 2, 3)
    ),
    *(
        Kind(
            f"Cropping{rank}D",
            options=(
                Option("cropping", ((0, 0), (0, 0)) if rank == 2 else 1),
                *((_DATA_FORMAT,) if rank > 1 else ()),
            ),
            arrays=(),
            shape="cropping",
            window=rank,
        )
        for rank in (1, 2, 3)
    ),
    *(
        Kind(
            f"UpSampling{rank}D",
            options=(
                Option("size", 2),
                *((_DATA_FORMAT,) if rank > 1 else ()),
                *((Option("interpolation", "nearest"),) if rank == 2 else ()),
            ),
            arrays=(),
            shape="upsampling",
            window=rank,
        )
        for rank in (1, 2, 3)
    ),
)
