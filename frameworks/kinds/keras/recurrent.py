"""Keras's recurrent layers and cells, and the wrappers and models around layers."""

from __future__ import annotations

from frameworks.kinds.keras.options import SEED, USE_BIAS, of_arrays, unused
from frameworks.kinds.records import Array, Dated, Kind, Masks, Option

_ARRAYS = of_arrays("kernel", "recurrent", "bias")
_FLAGS = tuple(Option(name, default=False) for name in ("return_sequences", "return_state", "go_backwards", "stateful"))
_ZERO_OUTPUT = Option("zero_output_for_mask", default=False)
_TIME_MAJOR = Option("time_major", default=False)
_UNUSED = unused("unroll", "consume_less", "enable_caching_device", "use_cudnn", "return_runtime", "caching_device")
_RATES = (Option("dropout", 0.0, formerly="dropout_W"), Option("recurrent_dropout", 0.0, formerly="dropout_U"))
_UNITS = Option("units", required=True, formerly="output_dim")
_RECURRENT_ACTIVATION = Option(
    "recurrent_activation", Dated("hard_sigmoid", (((2, 3), "sigmoid"),)), formerly="inner_activation"
)
_FORGET_BIAS = Option("unit_forget_bias", use="nothing", formerly="forget_bias_init")
_RESET_AFTER = Option("reset_after", Dated(False, (((2, 4), True),)))  # noqa: FBT003  a value
_OF_CELLS = {
    "SimpleRNN": (),
    "LSTM": (_RECURRENT_ACTIVATION,),
    "GRU": (_RECURRENT_ACTIVATION, _RESET_AFTER),
}
"""By layer: its options besides those of all cells."""


def _of_cell(name: str) -> tuple[Option, ...]:
    return (_UNITS, Option("activation", "tanh"), *_OF_CELLS[name], USE_BIAS, *_RATES)


def _in_training(name: str) -> tuple[Option, ...]:
    return (*_ARRAYS, *((_FORGET_BIAS,) if name == "LSTM" else ()), *SEED, *_UNUSED)


CELLS = (
    *(
        Kind(
            name,
            options=(*_of_cell(name), *_FLAGS, _ZERO_OUTPUT, _TIME_MAJOR),
            masks=Masks.SEQUENCES,
            role="recurrent",
            further=_in_training(name),
            shape="recurrent",
        )
        for name in _OF_CELLS
    ),
    *(Kind(f"{name}Cell", options=_of_cell(name), further=_in_training(name), shape="cell") for name in _OF_CELLS),
    *(
        Kind(
            f"CuDNN{name}",
            options=(_UNITS, *_FLAGS, _TIME_MAJOR),
            masks=Masks.SEQUENCES,
            role="recurrent",
            further=_in_training(name),
            shape="recurrent",
        )
        for name in ("LSTM", "GRU")
    ),
    Kind(
        "RNN",
        options=(Option("cell", required=True), *_FLAGS, _ZERO_OUTPUT, _TIME_MAJOR),
        masks=Masks.SEQUENCES,
        role="recurrent",
        inner="cell",
        further=_UNUSED,
        shape="recurrent",
    ),
    Kind(
        "StackedRNNCells",
        options=(Option("cells", required=True),),
        further=(
            Option(
                "reverse_state_order", default=False, only=(False,), why="its states come in the order of the last cell first"
            ),
        ),
        shape="cell",
    ),
)

_WINDOWS = (
    ("kernel steps",),
    ("kernel rows", "kernel columns"),
    ("kernel depth", "kernel rows", "kernel columns"),
)

CONVOLVING = tuple(
    Kind(
        f"ConvLSTM{rank}D",
        options=(
            Option("filters", sizes=("output",), required=True),
            Option("kernel_size", sizes=axes, required=True),
            Option("strides", 1),
            Option("padding", "valid"),
            Option("data_format"),
            Option("dilation_rate", 1),
            Option("activation", "tanh"),
            Option("recurrent_activation", Dated("hard_sigmoid", (((3,), "sigmoid"),))),
            USE_BIAS,
            Option("dropout", 0.0),
            Option("recurrent_dropout", 0.0),
            *_FLAGS,
            _ZERO_OUTPUT,
        ),
        masks=Masks.SEQUENCES,
        arrays=(
            Array("kernel", (*axes, "input", "four times output")),
            Array("recurrent_kernel", (*axes, "output", "four times output")),
            Array("bias", ("four times output",), option="use_bias"),
        ),
        reads=(("time", *(axis.removeprefix("kernel ") for axis in axes), "input"),),
        unread="its kernels are convolutions, and neither torch.nn nor gatewise has such a recurrent layer; its arrays are"
        " listed as Keras stores them, for a module of your own",
        further=(*_ARRAYS, _FORGET_BIAS, *SEED, *_UNUSED, *unused("time_major")),
        shape="recurrent",
        window=rank,
    )
    for rank, axes in enumerate(_WINDOWS, 1)
)

AROUND_OTHERS = (
    Kind(
        "InputLayer",
        arrays=(),
        masks=Masks.KEEP,
        role="input",
        further=(
            *unused("shape", "batch_shape", "batch_input_shape", "input_tensor", "type_spec", "optional"),
            Option("sparse", only=(None, False), why="sparse tensors have no counterpart"),
            Option("ragged", only=(None, False), why="ragged tensors have no counterpart"),
        ),
        shape="same",
    ),
    Kind("Sequential", role="model", shape="model"),
    Kind("Model", role="model", shape="model"),
    Kind("Functional", role="model", shape="model"),
    Kind(
        "TimeDistributed",
        options=(Option("layer", required=True),),
        masks=Masks.KEEP,
        role="wrapper",
        inner="layer",
        shape="time distributed",
    ),
    Kind(
        "Bidirectional",
        options=(Option("merge_mode", "concat"), Option("backward_layer"), Option("layer", required=True)),
        masks=Masks.SEQUENCES,
        role="recurrent",
        inner="layer",
        further=unused("num_constants", "weights"),
        shape="bidirectional",
    ),
)
