"""The non-recurrent modules of torch, with the Keras names of their options and arrays.

Source: the constructors and parameters in torch/nn/modules.
"""

from __future__ import annotations

from frameworks.kinds.records import ANY_AXES, GROUP_INPUT, Array, Kind, Option
from frameworks.kinds.table import Table

_BIAS = Array("bias", ("output",), option="bias", means="bias")
_WITH_BIAS = Option("bias", default=True, means="use_bias")
_EPSILON = Option("eps", 1e-5, means="epsilon", types=(int, float))
_AFFINE = (Array("weight", (ANY_AXES, "features"), means="gamma"), Array("bias", (ANY_AXES, "features"), means="beta"))
"""No option is listed: the argument that leaves one out depends on the module and the version of torch."""

_AVERAGE = "momentum=None averages all batches so far, which Keras cannot: it trains with its own default momentum."


def _convolution(name: str, means: str, *window: str) -> Kind:
    kernel = tuple(f"kernel {axis}" for axis in window)
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
        shown_by=("weight",),
    )


def _transposed_convolution(name: str, *window: str) -> Kind:
    kernel = (GROUP_INPUT, "output", *(f"kernel {axis}" for axis in window))
    return Kind(name, arrays=(Array("weight", kernel), _BIAS), shown_by=("weight",), rare=True)


def _batch_norm(name: str, *, shown_by: tuple[str, ...] = ()) -> Kind:
    return Kind(
        name,
        options=(
            Option("num_features", sizes=("features",)),
            _EPSILON,
            Option(
                "momentum",
                0.1,
                means="momentum",
                complement=True,
                types=(int, float),
                harmless=(None,),
                remarks=((None, _AVERAGE),),
            ),
        ),
        arrays=(
            *_AFFINE,
            Array("running_mean", (ANY_AXES, "features"), means="moving_mean", trained=False),
            Array("running_var", (ANY_AXES, "features"), means="moving_variance", trained=False),
            Array("num_batches_tracked", (), trained=False),
        ),
        means="BatchNormalization",
        shown_by=shown_by,
        normalises="axis 1 of three",
    )


PYTORCH = Table(
    (
        Kind(
            "Linear",
            options=(Option("in_features", sizes=("input",)), Option("out_features", sizes=("output",)), _WITH_BIAS),
            arrays=(Array("weight", ("output", "input"), means="kernel"), _BIAS),
            means="Dense",
            shown_by=("weight",),
        ),
        Kind(
            "Embedding",
            options=(Option("num_embeddings", sizes=("index",)), Option("embedding_dim", sizes=("output",))),
            arrays=(Array("weight", ("index", "output"), means="embeddings"),),
            means="Embedding",
            shown_by=("weight",),
            hint="emb",
        ),
        _convolution("Conv1d", "Conv1D", "steps"),
        _convolution("Conv2d", "Conv2D", "rows", "columns"),
        Kind(
            "LayerNorm",
            options=(Option("normalized_shape", sizes=("features",)), _EPSILON),
            arrays=_AFFINE,
            means="LayerNormalization",
            shown_by=("weight", "bias"),
            normalises="the last axis",
        ),
        _batch_norm("BatchNorm1d"),
        _batch_norm("BatchNorm2d"),
        _batch_norm("BatchNorm3d"),
        _batch_norm("BatchNorm", shown_by=("running_mean", "running_var")),  # any of the three: the arrays are the same
        Kind(
            "PReLU",
            options=(Option("num_parameters", 1, sizes=("features",)),),
            arrays=(Array("weight", ("features",), means="alpha"),),
            means="PReLU",
            shown_by=("weight",),
        ),
        Kind("RMSNorm", arrays=(Array("weight", ("features",)),), shown_by=("weight",)),
        Kind("GroupNorm", arrays=_AFFINE, shown_by=("weight", "bias"), rare=True),
        Kind("InstanceNorm", arrays=_AFFINE, shown_by=("weight", "bias"), rare=True),
        _transposed_convolution("ConvTranspose1d", "steps"),
        _transposed_convolution("ConvTranspose2d", "rows", "columns"),
    )
)
