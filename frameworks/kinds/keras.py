"""The non-recurrent layers of Keras, and the wrappers and models around layers.

Source: the constructors in keras/src/layers (Keras 3) and tf_keras/src/layers (Keras 2); for masks, each layer's `compute_mask`
and `supports_masking`.
"""

from __future__ import annotations

from frameworks.kinds.records import ANY_AXES, GROUP_INPUT, Array, Dated, Kind, Masks, Option
from frameworks.kinds.table import Table

_BIAS = Array("bias", ("output",), option="use_bias")
_USE_BIAS, _ACTIVATION = Option("use_bias", default=True, formerly="bias"), Option("activation")
_GAMMA = Array("gamma", (ANY_AXES, "features"), option="scale")
_BETA = Array("beta", (ANY_AXES, "features"), option="center")
_CENTER_AND_SCALE = (Option("center", default=True), Option("scale", default=True))
_KEEP_SINCE_3 = Dated(Masks.DROP, (((3,), Masks.KEEP),))
_ALL_SINCE_3 = Dated(Masks.ANY, (((3,), Masks.ALL),))


def _convolution(name: str, *window: str, data_format: str | Dated | None = None) -> Kind:
    """Return the kind of a convolution with a kernel over these axes."""
    return Kind(
        name,
        options=(
            Option("filters", sizes=("output",)),
            Option("kernel_size", sizes=tuple(f"kernel {axis}" for axis in window)),
            Option("strides", 1),
            Option("padding", "valid"),
            Option("data_format", data_format),
            Option("dilation_rate", 1),
            Option("groups", 1),
            _ACTIVATION,
            _USE_BIAS,
        ),
        arrays=(Array("kernel", (*(f"kernel {axis}" for axis in window), GROUP_INPUT, "output")), _BIAS),
        reads=((*window, "input"),),
    )


_WITH_ARRAYS = (
    Kind(
        "Embedding",
        options=(
            Option("input_dim", sizes=("index",)),
            Option("output_dim", sizes=("output",)),
            Option("mask_zero", default=False),
        ),
        arrays=(Array("embeddings", ("index", "output")),),
        reads=((ANY_AXES,),),
        indices=True,
        masks=Masks.MAKE,
        mask_option="mask_zero",
        shown_by=("embeddings",),
    ),
    Kind(
        "Dense",
        options=(Option("units", sizes=("output",), formerly="output_dim"), _ACTIVATION, _USE_BIAS),
        arrays=(Array("kernel", ("input", "output")), _BIAS),
        reads=((ANY_AXES, "input"),),
        masks=Masks.KEEP,
        shown_by=("kernel",),
    ),
    _convolution("Conv1D", "steps", data_format=Dated("channels_last", (((3,), None),))),
    _convolution("Conv2D", "rows", "columns"),
    Kind(
        "LayerNormalization",
        options=(Option("axis", -1), Option("epsilon", 1e-3), *_CENTER_AND_SCALE),
        arrays=(_GAMMA, _BETA),
        masks=Masks.KEEP,
    ),
    Kind(
        "BatchNormalization",
        options=(Option("axis", -1), Option("momentum", 0.99), Option("epsilon", 1e-3), *_CENTER_AND_SCALE),
        arrays=(
            _GAMMA,
            _BETA,
            Array("moving_mean", (ANY_AXES, "features"), trained=False),
            Array("moving_variance", (ANY_AXES, "features"), trained=False),
        ),
        masks=Masks.KEEP,
        shown_by=("gamma", "beta", "moving_mean", "moving_variance"),
    ),
    Kind(
        "PReLU",
        options=(Option("shared_axes"),),
        arrays=(Array("alpha", (ANY_AXES, "features"), shared="shared_axes"),),
        masks=Masks.KEEP,
        shown_by=("alpha",),
    ),
    Kind(
        "Attention",
        options=(Option("use_scale", default=False), Option("score_mode", "dot"), Option("dropout", 0.0)),
        arrays=(Array("scale", (), option="use_scale"),),
        reads=(("steps", 1), ("steps", 1)),
        masks=Masks.KEEP,
    ),
    Kind(
        "AdditiveAttention",
        options=(Option("use_scale", default=True), Option("dropout", 0.0)),
        arrays=(Array("scale", ("features",), option="use_scale"),),
        reads=(("steps", "features"), ("steps", "features")),
        masks=Masks.KEEP,
    ),
)

_WITHOUT_ARRAYS = (
    *(
        Kind(name, arrays=(), masks=Masks.KEEP)
        for name in ("Activation", "ActivityRegularization", "Softmax", "UnitNormalization")
    ),
    Kind(
        "ReLU",
        options=(Option("max_value"), Option("negative_slope", 0.0), Option("threshold", 0.0)),
        arrays=(),
        masks=Masks.KEEP,
        activation="relu",
    ),
    *(
        Kind(name, options=(number,), arrays=(), masks=Masks.KEEP, activation=family, activation_number=number.name)
        for name, family, number in (
            ("ELU", "elu", Option("alpha", 1.0)),
            ("LeakyReLU", "leaky_relu", Option("negative_slope", 0.3, formerly="alpha")),
            ("ThresholdedReLU", "thresholded_relu", Option("theta", 1.0)),
        )
    ),
    *(Kind(name, arrays=(), masks=_KEEP_SINCE_3) for name in ("Identity", "Rescaling")),
    *(Kind(name, arrays=(), masks=_ALL_SINCE_3) for name in ("Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract")),
    Kind("Concatenate", arrays=(), masks=Masks.ANY),
    Kind("Masking", options=(Option("mask_value", 0.0),), arrays=(), masks=Masks.MAKE, mask_option="mask_value"),
)

_WITH_UNKNOWN_ARRAYS = (
    *(
        Kind(name, masks=Masks.KEEP)
        for name in (
            *("AlphaDropout", "Dropout", "GaussianDropout", "GaussianNoise", "SpatialDropout1D", "SpatialDropout2D"),
            *("SpatialDropout3D", "GroupNormalization", "MultiHeadAttention"),
        )
    ),
    *(Kind(name, masks=_KEEP_SINCE_3) for name in ("GroupedQueryAttention", "Normalization")),
    Kind("ReversibleEmbedding", options=(Option("mask_zero", default=False),), masks=Masks.MAKE, mask_option="mask_zero"),
)
"""Their arrays are not listed. In files of Keras 3, dropout and noise layers store the state of a random generator."""

_NOT_READ = tuple(
    Kind(
        name,
        masks=Masks.SEQUENCES,
        unread="its kernels are convolutions, and neither torch.nn nor gatewise has such a recurrent layer; its arrays are"
        " listed as Keras stores them, for a module of your own",
    )
    for name in ("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D")
)

_AROUND_OTHERS = (
    Kind("InputLayer", arrays=(), masks=Masks.KEEP, role="input"),
    Kind("Sequential", role="model"),
    Kind("Model", role="model"),
    Kind("Functional", role="model"),
    Kind("TimeDistributed", masks=Masks.KEEP, role="wrapper", inner="layer"),
    Kind(
        "Bidirectional",
        options=(Option("merge_mode", "concat"),),
        masks=Masks.SEQUENCES,
        role="recurrent",
        inner="layer",
    ),
)

KERAS = Table((*_WITH_ARRAYS, *_WITHOUT_ARRAYS, *_WITH_UNKNOWN_ARRAYS, *_NOT_READ, *_AROUND_OTHERS))
