"""The non-recurrent modules of torch that have arrays, with the Keras names of their options and arrays.

A state dict does not name the classes of its modules, so the table lists every module of torch.nn that has arrays of its own:
a kind that is missing here would be taken for another. Source: the constructors and parameters in torch/nn/modules.
"""

from __future__ import annotations

from dataclasses import replace

from frameworks.kinds.records import ANY_AXES, GROUP_INPUT, GROUP_OUTPUT, Array, Kind, Option
from frameworks.kinds.table import Table

_BIAS = Array("bias", ("output",), option="bias", means="bias")
_WITH_BIAS = Option("bias", default=True, means="use_bias")
_EPSILON = Option("eps", 1e-5, means="epsilon", types=(int, float))

_AVERAGE = "momentum=None averages all batches so far, which Keras cannot: it trains with its own default momentum."

_WEIGHTED = ("weight", "weight bias")
_RUNNING = ("running_mean running_var", "running_mean running_var num_batches_tracked")
_NORMALISED = (*_WEIGHTED, *_RUNNING, *(f"{one} {other}" for one in _WEIGHTED for other in _RUNNING))


def _affine(*axes: str) -> tuple[Array, Array]:
    """Return weight and bias. No option is listed: which one leaves them out depends on the module and the version of torch."""
    return Array("weight", axes, means="gamma"), Array("bias", axes, means="beta")


def _window(*axes: str) -> tuple[str, ...]:
    return tuple(f"kernel {axis}" for axis in axes)


def _convolution(name: str, means: str, *window: str) -> Kind:
    kernel = _window(*window)
    return Kind(
        name,
        options=(
            Option("in_channels", sizes=("input",)),
            Option("out_channels", sizes=("output",)),
            Option("kernel_size", sizes=kernel),
            Option("stride", 1, means="strides", types=(int, tuple)),
            Option("padding", 0, means="padding", words=("same",), harmless=("valid", 0)),
            Option("dilation", 1, means="dilation_rate", types=(int, tuple)),
            Option("groups", 1, means="groups", types=(int,)),
            _WITH_BIAS,
            Option("padding_mode", "zeros", harmless=("zeros",)),
        ),
        arrays=(Array("weight", ("output", GROUP_INPUT, *kernel), means="kernel"), _BIAS),
        means=means,
        having=_WEIGHTED,
    )


def _transposed_convolution(name: str, *window: str) -> Kind:
    kernel = _window(*window)
    return Kind(
        name,
        options=(
            Option("in_channels", sizes=("input",)),
            Option("out_channels", sizes=("output",)),
            Option("kernel_size", sizes=kernel),
            Option("stride", 1),
            Option("padding", 0),
            Option("output_padding", 0),
            Option("groups", 1),
            _WITH_BIAS,
            Option("dilation", 1),
            Option("padding_mode", "zeros"),
        ),
        arrays=(Array("weight", ("input", GROUP_OUTPUT, *kernel)), Array("bias", ("output",), option="bias")),
        having=_WEIGHTED,
    )


def _running_norm(name: str, means: str = "", *, options: tuple[Option, ...] = (), normalises: str = "") -> Kind:
    """Return the kind of a normalisation that may keep running statistics."""
    return Kind(
        name,
        options=(Option("num_features", sizes=("features",)), *options),
        arrays=(
            *_affine("features"),
            Array("running_mean", ("features",), means="moving_mean", trained=False),
            Array("running_var", ("features",), means="moving_variance", trained=False),
            Array("num_batches_tracked", (), trained=False),
        ),
        means=means,
        having=_NORMALISED,
        normalises=normalises,
    )


def _batch_norm(name: str) -> Kind:
    momentum = Option(
        "momentum",
        0.1,
        means="momentum",
        complement=True,
        types=(int, float),
        harmless=(None,),
        remarks=((None, _AVERAGE),),
    )
    return _running_norm(name, "BatchNormalization", options=(_EPSILON, momentum), normalises="axis 1 of three")


def _instance_norm(name: str) -> Kind:
    return _running_norm(name, options=(Option("eps", 1e-5),))


def _family(kind: Kind) -> Kind:
    """Return a kind for a file, as one of ONNX, that states the class without the number of dimensions."""
    return replace(kind, having=())


_FOR_EACH_KEY = ("q_proj_weight", "k_proj_weight", "v_proj_weight")
_ATTENTION = tuple(
    " ".join((weights, *biases, *further))
    for weights in ("in_proj_weight", " ".join(_FOR_EACH_KEY))
    for biases in ((), ("in_proj_bias",))
    for further in ((), ("bias_k", "bias_v"))
)

PYTORCH = Table(
    (
        Kind(
            "Linear",
            options=(Option("in_features", sizes=("input",)), Option("out_features", sizes=("output",)), _WITH_BIAS),
            arrays=(Array("weight", ("output", "input"), means="kernel"), _BIAS),
            means="Dense",
            having=_WEIGHTED,
        ),
        Kind(
            "Embedding",
            options=(Option("num_embeddings", sizes=("index",)), Option("embedding_dim", sizes=("output",))),
            arrays=(Array("weight", ("index", "output"), means="embeddings"),),
            means="Embedding",
            having=("weight",),
        ),
        Kind(
            "EmbeddingBag",
            options=(
                Option("num_embeddings", sizes=("index",)),
                Option("embedding_dim", sizes=("output",)),
                Option("mode", "mean"),
            ),
            arrays=(Array("weight", ("index", "output")),),
            having=("weight",),
        ),
        Kind(
            "Bilinear",
            options=(
                Option("in1_features", sizes=("first input",)),
                Option("in2_features", sizes=("second input",)),
                Option("out_features", sizes=("output",)),
                _WITH_BIAS,
            ),
            arrays=(Array("weight", ("output", "first input", "second input")), Array("bias", ("output",), option="bias")),
            having=_WEIGHTED,
        ),
        _convolution("Conv1d", "Conv1D", "steps"),
        _convolution("Conv2d", "Conv2D", "rows", "columns"),
        _convolution("Conv3d", "", "depth", "rows", "columns"),
        _transposed_convolution("ConvTranspose1d", "steps"),
        _transposed_convolution("ConvTranspose2d", "rows", "columns"),
        _transposed_convolution("ConvTranspose3d", "depth", "rows", "columns"),
        Kind(
            "LayerNorm",
            options=(Option("normalized_shape", sizes=("features",)), _EPSILON),
            arrays=_affine(ANY_AXES, "features"),
            means="LayerNormalization",
            having=_WEIGHTED,
            normalises="the last axis",
        ),
        Kind(
            "RMSNorm",
            options=(Option("normalized_shape", sizes=("features",)), Option("eps")),
            arrays=(Array("weight", (ANY_AXES, "features")),),
            having=("weight",),
        ),
        _batch_norm("BatchNorm1d"),
        _batch_norm("BatchNorm2d"),
        _batch_norm("BatchNorm3d"),
        _batch_norm("SyncBatchNorm"),
        _family(_batch_norm("BatchNorm")),
        *(_instance_norm(f"InstanceNorm{number}d") for number in (1, 2, 3)),
        _family(_instance_norm("InstanceNorm")),
        Kind(
            "GroupNorm",
            options=(Option("num_groups", required=True), Option("num_channels", sizes=("features",)), Option("eps", 1e-5)),
            arrays=_affine("features"),
            having=_WEIGHTED,
        ),
        Kind(
            "PReLU",
            options=(Option("num_parameters", 1, sizes=("features",)),),
            arrays=(Array("weight", ("features",), means="alpha"),),
            means="PReLU",
            having=("weight",),
        ),
        Kind(
            "MultiheadAttention",
            options=(Option("embed_dim", sizes=("features",)), Option("num_heads", required=True)),
            arrays=(
                *(Array(name, ("features", f"{name} input")) for name in _FOR_EACH_KEY),
                Array("in_proj_weight", ("three times features", "features")),
                Array("in_proj_bias", ("three times features",), option="bias"),
                *(Array(name, ("one", "one", "features")) for name in ("bias_k", "bias_v")),
            ),
            having=_ATTENTION,
        ),
    )
)
