"""Keras's dense, embedding, normalising and attending layers, and PReLU."""

from __future__ import annotations

from frameworks.kinds.keras.options import ACTIVATION, LOW_RANK, QUANTISED, SEED, USE_BIAS, of_arrays, unused
from frameworks.kinds.records import ANY_AXES, Array, Dated, Kind, Masks, Option

_GAMMA = Array("gamma", (ANY_AXES, "features"), option="scale")
_BETA = Array("beta", (ANY_AXES, "features"), option="center")
_CENTER_AND_SCALE = (Option("center", default=True), Option("scale", default=True))
_MASK_ZERO = Option("mask_zero", default=False)
_EMBEDDING = (
    Option("input_dim", sizes=("index",), required=True),
    Option("output_dim", sizes=("output",), required=True),
    _MASK_ZERO,
)
_RENORM = "batch renormalisation has three further arrays"

DENSE = (
    Kind(
        "Embedding",
        options=_EMBEDDING,
        arrays=(Array("embeddings", ("index", "output")),),
        reads=((ANY_AXES,),),
        indices=True,
        masks=Masks.MAKE,
        mask_option="mask_zero",
        shown_by=("embeddings",),
        further=(
            *of_arrays("embeddings"),
            Option("dropout", 0.0, use="training"),
            *unused("input_length", "sparse", "weights", "use_one_hot_matmul"),
            *LOW_RANK,
            QUANTISED,
        ),
        shape="embedding",
    ),
    Kind(
        "Dense",
        options=(Option("units", sizes=("output",), required=True, formerly="output_dim"), ACTIVATION, USE_BIAS),
        arrays=(Array("kernel", ("input", "output")), Array("bias", ("output",), option="use_bias")),
        reads=((ANY_AXES, "input"),),
        masks=Masks.KEEP,
        shown_by=("kernel",),
        further=(*of_arrays("kernel", "bias"), *LOW_RANK, QUANTISED),
        shape="dense",
    ),
)

NORMALISING = (
    Kind(
        "LayerNormalization",
        options=(Option("axis", -1), Option("epsilon", 1e-3), *_CENTER_AND_SCALE),
        arrays=(_GAMMA, _BETA),
        masks=Masks.KEEP,
        further=(
            *of_arrays("beta", "gamma"),
            Option("rms_scaling", default=False, only=(False,), why="it divides by the variance, not by its root"),
        ),
        shape="normalising",
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
        further=(
            *of_arrays("beta", "gamma"),
            *unused("moving_mean_initializer", "moving_variance_initializer", "fused"),
            Option("renorm", default=False, only=(False,), why=_RENORM),
            *(Option(name, use="training") for name in ("renorm_clipping", "virtual_batch_size", "adjustment")),
            Option("renorm_momentum", 0.99, use="training"),
            Option("synchronized", default=False, use="training"),
            Option("mode", 0, only=(0,), why="the other modes of Keras 1 normalise each sample, or by the batch"),
        ),
        shape="normalising",
    ),
    Kind(
        "GroupNormalization",
        options=(Option("groups", 32), Option("axis", -1), Option("epsilon", 1e-3), *_CENTER_AND_SCALE),
        arrays=(Array("gamma", ("features",), option="scale"), Array("beta", ("features",), option="center")),
        reads=(("steps", "features"),),
        masks=Masks.KEEP,
        further=of_arrays("beta", "gamma"),
        shape="normalising",
    ),
    Kind("UnitNormalization", options=(Option("axis", -1),), arrays=(), masks=Masks.KEEP, shape="same"),
    Kind(
        "Normalization",
        options=(Option("axis", -1), Option("mean"), Option("variance"), Option("invert", default=False)),
        masks=Dated(Masks.DROP, (((3,), Masks.KEEP),)),
        shape="same",
    ),
    Kind(
        "PReLU",
        options=(Option("shared_axes"),),
        arrays=(Array("alpha", (ANY_AXES, "features"), shared="shared_axes"),),
        masks=Masks.KEEP,
        shown_by=("alpha",),
        further=of_arrays("alpha"),
        shape="same",
    ),
)

_CAUSAL = Option("causal", default=False)
_RATE = Option("dropout", 0.0)


def _of_head(name: str, path: str, *axes: str, gate: bool = False) -> tuple[Array, ...]:
    """Return the kernel and the bias of one of the layers within a MultiHeadAttention, of which the first axis is read."""
    needs = "use_gate" if gate else ""
    return (
        Array(f"{name}_kernel", axes, path=f"{path}/vars/0", option=needs),
        Array(f"{name}_bias", axes[1:], option="use_bias", path=f"{path}/vars/1", needs=needs),
    )


_ALL_HEADS = (
    *of_arrays("kernel", "bias"),
    *SEED,
    *unused("flash_attention", "softmax_robust_masking", "query_shape", "value_shape", "key_shape"),
)

ATTENDING = (
    Kind(
        "Attention",
        options=(Option("use_scale", default=False), Option("score_mode", "dot"), _RATE, _CAUSAL),
        arrays=(
            Array("scale", (), option="use_scale"),
            Array("concat_score_weight", (), option="score_mode", given="concat"),
        ),
        reads=(("steps", 1), ("steps", 1)),
        masks=Masks.KEEP,
        further=SEED,
        shape="attention",
    ),
    Kind(
        "AdditiveAttention",
        options=(Option("use_scale", default=True), _RATE, _CAUSAL),
        arrays=(Array("scale", ("features",), option="use_scale"),),
        reads=(("steps", "features"), ("steps", "features")),
        masks=Masks.KEEP,
        further=(*SEED, *unused("score_mode")),
        shape="attention",
    ),
    Kind(
        "MultiHeadAttention",
        options=(
            Option("num_heads", sizes=("heads",), required=True),
            Option("key_dim", sizes=("key size",), required=True),
            Option("value_dim", sizes=("value size",)),
            _RATE,
            Option("use_bias", default=True),
            Option("output_shape"),
            Option("attention_axes"),
            Option("sliding_window"),
            Option("use_gate", default=False),
        ),
        arrays=(
            *_of_head("query", "query_dense", "query features", "heads", "key size"),
            *_of_head("key", "key_dense", "key features", "heads", "key size"),
            *_of_head("gate", "gate_dense", "query features", "heads", "value size", gate=True),
            *_of_head("value", "value_dense", "value features", "heads", "value size"),
            Array("attention_output_kernel", ("heads", "value size", "output"), path="output_dense/vars/0"),
            Array("attention_output_bias", ("output",), option="use_bias", path="output_dense/vars/1"),
        ),
        reads=(("steps", "query features"), ("other steps", "value features"), ("other steps", "key features")),
        masks=Masks.KEEP,
        further=_ALL_HEADS,
        shape="heads",
    ),
    Kind(
        "GroupedQueryAttention",
        options=(
            Option("head_dim", required=True),
            Option("num_query_heads", required=True),
            Option("num_key_value_heads", required=True),
            _RATE,
            Option("use_bias", default=True),
            Option("sliding_window"),
            Option("use_gate", default=False),
        ),
        masks=Dated(Masks.DROP, (((3,), Masks.KEEP),)),
        further=_ALL_HEADS,
        shape="first",
    ),
    Kind(
        "ReversibleEmbedding",
        options=(*_EMBEDDING, Option("tie_weights", default=True), Option("reverse_dtype"), Option("logit_soft_cap")),
        masks=Masks.MAKE,
        mask_option="mask_zero",
        further=(*of_arrays("embeddings"), *unused("weights"), *LOW_RANK, QUANTISED),
    ),
)
