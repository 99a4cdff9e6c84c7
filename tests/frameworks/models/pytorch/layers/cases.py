"""The cases: options of each kind of layer that change what it computes, by the input that they read."""

from __future__ import annotations

from typing import Any

from tests.frameworks.models.pytorch.layers.comparing import Case

ACTIVATIONS = {
    "keras": "linear tanh sigmoid hard_sigmoid relu relu6 leaky_relu elu celu selu softplus softsign silu swish hard_silu"
    " hard_swish hard_tanh tanh_shrink gelu glu mish exponential log_sigmoid softmax log_softmax hard_shrink soft_shrink"
    " sparse_plus sparse_sigmoid sparsemax squareplus",
    "tf_keras": "linear tanh sigmoid hard_sigmoid relu elu selu softplus softsign swish gelu mish exponential softmax",
}


def activations(package: str) -> dict[str, Case]:
    """Return each activation by its name, in a Dense and as a layer."""
    names = ACTIVATIONS[package].split()
    inside = {f"Dense {name}": lambda l, x, name=name: l.Dense(6, activation=name)(x) for name in names}
    return inside | {f"Activation {name}": lambda l, x, name=name: l.Activation(name)(x) for name in names}


VECTOR: dict[str, Case] = {
    "Dense": lambda l, x: l.Dense(3)(x),
    "Dense without bias": lambda l, x: l.Dense(3, use_bias=False)(x),
    "Dense with a layer as activation": lambda l, x: l.Dense(3, activation=l.LeakyReLU(0.15))(x),
    "ReLU": lambda l, x: l.ReLU()(x),
    "ReLU 6": lambda l, x: l.ReLU(6.0)(x),
    "ReLU max_value": lambda l, x: l.ReLU(1.5)(x),
    "ReLU negative_slope": lambda l, x: l.ReLU(None, 0.2)(x),
    "ReLU threshold": lambda l, x: l.ReLU(threshold=0.7)(x),
    "ReLU all": lambda l, x: l.ReLU(2.0, 0.1, 0.5)(x),
    "ReLU without max_value": lambda l, x: l.ReLU(None, 0.1, 0.5)(x),
    "LeakyReLU": lambda l, x: l.LeakyReLU()(x),
    "LeakyReLU 0.1": lambda l, x: l.LeakyReLU(0.1)(x),
    "ELU": lambda l, x: l.ELU()(x),
    "ELU 0.7": lambda l, x: l.ELU(0.7)(x),
    "PReLU": lambda l, x: l.PReLU()(x),
    "Softmax": lambda l, x: l.Softmax()(x),
    "Dropout": lambda l, x: l.Dropout(0.5)(x),
    "Dropout 0": lambda l, x: l.Dropout(0.0)(x),
    "Dropout off": lambda l, x: l.Dropout(0.5)(x, training=False),
    "AlphaDropout": lambda l, x: l.AlphaDropout(0.3)(x),
    "GaussianDropout": lambda l, x: l.GaussianDropout(0.3)(x),
    "GaussianNoise": lambda l, x: l.GaussianNoise(0.3)(x),
    "BatchNormalization": lambda l, x: l.BatchNormalization()(x),
    "BatchNormalization without center": lambda l, x: l.BatchNormalization(center=False)(x),
    "BatchNormalization without scale": lambda l, x: l.BatchNormalization(scale=False, momentum=0.9, epsilon=1e-2)(x),
    "LayerNormalization": lambda l, x: l.LayerNormalization()(x),
    "LayerNormalization epsilon": lambda l, x: l.LayerNormalization(epsilon=1e-5)(x),
    "LayerNormalization without center": lambda l, x: l.LayerNormalization(center=False)(x),
    "LayerNormalization without scale": lambda l, x: l.LayerNormalization(scale=False)(x),
    "LayerNormalization without both": lambda l, x: l.LayerNormalization(scale=False, center=False)(x),
    "UnitNormalization": lambda l, x: l.UnitNormalization()(x),
    "GroupNormalization": lambda l, x: l.GroupNormalization(2)(x),
    "RepeatVector": lambda l, x: l.RepeatVector(3)(x),
    "Reshape": lambda l, x: l.Reshape((2, 3))(x),
    "Reshape -1": lambda l, x: l.Reshape((-1, 2))(x),
    "Flatten": lambda l, x: l.Flatten()(x),
    "Rescaling": lambda l, x: l.Rescaling(1 / 255, 1)(x),
    "Rescaling each": lambda l, x: l.Rescaling([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, 0, 1, 0, 1, 0])(x),
    "Identity": lambda l, x: l.Identity()(x),
    "ActivityRegularization": lambda l, x: l.ActivityRegularization(0.1)(x),
    "Add": lambda l, x: l.Add()([x, l.Dense(6)(x), x]),
    "Multiply": lambda l, x: l.Multiply()([x, l.Dense(6)(x)]),
    "Subtract": lambda l, x: l.Subtract()([x, l.Dense(6)(x)]),
    "Average": lambda l, x: l.Average()([x, l.Dense(6)(x), x]),
    "Maximum": lambda l, x: l.Maximum()([x, l.Dense(6)(x), l.Dense(6)(x)]),
    "Minimum": lambda l, x: l.Minimum()([x, l.Dense(6)(x)]),
    "Concatenate": lambda l, x: l.Concatenate()([x, l.Dense(5)(x)]),
    "Dot": lambda l, x: l.Dot(1)([x, l.Dense(6)(x)]),
    "Dot normalize": lambda l, x: l.Dot(-1, normalize=True)([x, l.Dense(6)(x)]),
}

STEPS: dict[str, Case] = {
    "Dense": lambda l, x: l.Dense(3, activation="relu")(x),
    "PReLU": lambda l, x: l.PReLU()(x),
    "PReLU shared": lambda l, x: l.PReLU(shared_axes=[1])(x),
    "PReLU all shared": lambda l, x: l.PReLU(shared_axes=[1, 2])(x),
    "Softmax axis": lambda l, x: l.Softmax(axis=1)(x),
    "Softmax axes": lambda l, x: l.Softmax(axis=[1, 2])(x),
    "SpatialDropout1D": lambda l, x: l.SpatialDropout1D(0.3)(x),
    "Dropout noise_shape": lambda l, x: l.Dropout(0.3, noise_shape=(None, 1, 4))(x),
    "BatchNormalization": lambda l, x: l.BatchNormalization()(x),
    "BatchNormalization axis": lambda l, x: l.BatchNormalization(axis=1)(x),
    "LayerNormalization": lambda l, x: l.LayerNormalization()(x),
    "LayerNormalization axis": lambda l, x: l.LayerNormalization(axis=1)(x),
    "LayerNormalization axes": lambda l, x: l.LayerNormalization(axis=[1, 2])(x),
    "GroupNormalization": lambda l, x: l.GroupNormalization(4, center=False, epsilon=0.1)(x),
    "GroupNormalization without scale": lambda l, x: l.GroupNormalization(2, scale=False)(x),
    "GroupNormalization of each": lambda l, x: l.GroupNormalization(-1, center=False, scale=False)(x),
    "GroupNormalization axis": lambda l, x: l.GroupNormalization(3, axis=1)(x),
    "UnitNormalization axes": lambda l, x: l.UnitNormalization(axis=[1, 2])(x),
    "Flatten": lambda l, x: l.Flatten()(x),
    "Flatten channels_first": lambda l, x: l.Flatten(data_format="channels_first")(x),
    "Permute": lambda l, x: l.Permute((2, 1))(x),
    "Reshape": lambda l, x: l.Reshape((3, 2, 4))(x),
    "Concatenate axis": lambda l, x: l.Concatenate(axis=1)([x, x]),
    "Dot last axes": lambda l, x: l.Dot(axes=(2, 2))([x, l.Dense(4)(x)]),
    "Dot normalize": lambda l, x: l.Dot(axes=1, normalize=True)([x, l.Dense(4)(x)]),
    "Dot two and three axes": lambda l, x: l.Dot(axes=(1, 2))([l.Dense(4)(l.Flatten()(x)), x]),
    "Dot three and two axes": lambda l, x: l.Dot(axes=(1, 1))([x, l.Dense(6)(l.Flatten()(x))]),
    "Dot four and three axes": lambda l, x: l.Dot(axes=(3, 2))([l.Reshape((2, 3, 4))(x), x]),
    "ZeroPadding1D": lambda l, x: l.ZeroPadding1D((1, 3))(x),
    "Cropping1D": lambda l, x: l.Cropping1D((2, 0))(x),
    "Cropping1D end": lambda l, x: l.Cropping1D((0, 2))(x),
    "UpSampling1D": lambda l, x: l.UpSampling1D(3)(x),
    "Attention": lambda l, x: l.Attention()([x, l.Dense(5)(x), l.Dense(4)(x)]),
    "Attention use_scale": lambda l, x: l.Attention(use_scale=True, dropout=0.2)([x, x]),
    "Attention concat": lambda l, x: l.Attention(score_mode="concat")([x, x]),
    "Attention concat use_scale": lambda l, x: l.Attention(score_mode="concat", use_scale=True)([x, x]),
    "Attention causal": lambda l, x: l.Attention()([x, x], use_causal_mask=True),
    "Attention scores": lambda l, x: l.Attention()([x, x], return_attention_scores=True),
    "AdditiveAttention": lambda l, x: l.AdditiveAttention()([x, l.Dense(4)(x)]),
    "AdditiveAttention plain": lambda l, x: l.AdditiveAttention(use_scale=False)([x, x], use_causal_mask=True),
    "MultiHeadAttention native": lambda l, x: l.MultiHeadAttention(2, 2)(x, x),
    "MultiHeadAttention native, other sizes": lambda l, x: l.MultiHeadAttention(2, 2)(x, l.Dense(5)(x), l.Dense(3)(x)),
    "MultiHeadAttention native causal": lambda l, x: l.MultiHeadAttention(2, 2, use_bias=False)(x, x, use_causal_mask=True),
    "MultiHeadAttention": lambda l, x: l.MultiHeadAttention(3, 5)(x, x),
    "MultiHeadAttention sizes": lambda l, x: l.MultiHeadAttention(3, 5, 2, use_bias=False, output_shape=7)(
        x, l.Dense(6)(x), l.Dense(4)(x)
    ),
    "MultiHeadAttention scores": lambda l, x: l.MultiHeadAttention(3, 5, dropout=0.3)(
        x, x, return_attention_scores=True, use_causal_mask=True
    ),
}

STEPS_OF = {
    "keras": {
        "MultiHeadAttention use_gate": lambda l, x: l.MultiHeadAttention(3, 5, use_gate=True)(x, x),
        "MultiHeadAttention sliding_window": lambda l, x: l.MultiHeadAttention(3, 5, sliding_window=2)(x, x),
    },
    "tf_keras": {
        "Add of unequal ranks": lambda l, x: l.Add()([x, l.Dense(4)(l.Flatten()(x))]),
        "ThresholdedReLU": lambda l, x: l.ThresholdedReLU(0.4)(x),
        "SeparableConv1D causal": lambda l, x: l.SeparableConv1D(5, 3, padding="causal")(x),
    },
}
"""What only one version has."""


def windows() -> dict[str, Case]:
    """Return convolutions and pooling over steps."""
    cases: dict[str, Case] = {
        "Conv1D causal": lambda l, x: l.Conv1D(5, 3, padding="causal", dilation_rate=4, activation="relu")(x),
        "Conv1D causal strides": lambda l, x: l.Conv1D(5, 3, padding="causal", strides=2)(x),
        "MaxPooling1D": lambda l, x: l.MaxPooling1D()(x),
        "GlobalMaxPooling1D": lambda l, x: l.GlobalMaxPooling1D()(x),
        "GlobalAveragePooling1D": lambda l, x: l.GlobalAveragePooling1D(keepdims=True)(x),
    }
    for padding in ("valid", "same"):
        for size, stride in ((3, 1), (2, 1), (3, 2), (2, 2), (5, 3)):
            at: dict[str, Any] = {"strides": stride, "padding": padding}
            cases |= {
                f"{name} {size} {stride} {padding}": case
                for name, case in {
                    "Conv1D": lambda l, x, n=size, o=at: l.Conv1D(5, n, **o)(x),
                    "MaxPooling1D": lambda l, x, n=size, o=at: l.MaxPooling1D(n, **o)(x),
                    "AveragePooling1D": lambda l, x, n=size, o=at: l.AveragePooling1D(n, **o)(x),
                    "SeparableConv1D": lambda l, x, n=size, o=at: l.SeparableConv1D(5, n, depth_multiplier=2, **o)(x),
                    "DepthwiseConv1D": lambda l, x, n=size, o=at: l.DepthwiseConv1D(n, depth_multiplier=2, **o)(x),
                    "Conv1DTranspose": lambda l, x, n=size, o=at: l.Conv1DTranspose(5, n, activation="tanh", **o)(x),
                }.items()
            }
        with_padding: dict[str, Any] = {"padding": padding}
        cases |= {
            f"Conv1D groups {padding}": lambda l, x, o=with_padding: l.Conv1D(6, 3, dilation_rate=2, groups=2, **o)(x),
            f"Conv1D even dilated {padding}": lambda l, x, o=with_padding: l.Conv1D(6, 2, dilation_rate=3, use_bias=False, **o)(x),
            f"SeparableConv1D dilated {padding}": lambda l, x, o=with_padding: l.SeparableConv1D(
                6, 3, dilation_rate=2, use_bias=False, **o
            )(x),
            f"Conv1DTranspose output_padding {padding}": lambda l, x, o=with_padding: l.Conv1DTranspose(
                5, 3, strides=2, output_padding=1, **o
            )(x),
        }
    return cases


def images(**place: str) -> dict[str, Case]:
    """Return layers of images, with their channels in the given place."""
    cases: dict[str, Case] = {
        "MaxPooling2D": lambda l, x: l.MaxPooling2D(**place)(x),
        "GlobalMaxPooling2D": lambda l, x: l.GlobalMaxPooling2D(**place)(x),
        "GlobalAveragePooling2D": lambda l, x: l.GlobalAveragePooling2D(keepdims=True, **place)(x),
        "ZeroPadding2D": lambda l, x: l.ZeroPadding2D(((1, 2), (0, 3)), **place)(x),
        "Cropping2D": lambda l, x: l.Cropping2D(((1, 0), (0, 2)), **place)(x),
        "UpSampling2D": lambda l, x: l.UpSampling2D((3, 1), **place)(x),
        "UpSampling2D bilinear": lambda l, x: l.UpSampling2D((2, 3), interpolation="bilinear", **place)(x),
        "SpatialDropout2D": lambda l, x: l.SpatialDropout2D(0.2, **place)(x),
    }
    for padding in ("valid", "same"):
        for size, stride in (((3, 2), 1), ((3, 3), 2), ((2, 3), (3, 2))):
            at: dict[str, Any] = {"strides": stride, "padding": padding, **place}
            cases |= {
                f"{name} {size} {stride} {padding}": case
                for name, case in {
                    "Conv2D": lambda l, x, n=size, o=at: l.Conv2D(5, n, **o)(x),
                    "MaxPooling2D": lambda l, x, n=size, o=at: l.MaxPooling2D(n, **o)(x),
                    "AveragePooling2D": lambda l, x, n=size, o=at: l.AveragePooling2D(n, **o)(x),
                    "Conv2DTranspose": lambda l, x, n=size, o=at: l.Conv2DTranspose(5, n, **o)(x),
                }.items()
            }
        both: dict[str, Any] = {"strides": 2, "padding": padding, "depth_multiplier": 2, **place}
        cases[f"SeparableConv2D {padding}"] = lambda l, x, o=both: l.SeparableConv2D(5, (3, 2), **o)(x)
        cases[f"DepthwiseConv2D {padding}"] = lambda l, x, o=both: l.DepthwiseConv2D((3, 2), **o)(x)
    return cases


IMAGES: dict[str, Case] = {
    "BatchNormalization": lambda l, x: l.BatchNormalization()(x),
    "BatchNormalization axis": lambda l, x: l.BatchNormalization(axis=1)(x),
    "LayerNormalization axes": lambda l, x: l.LayerNormalization(axis=[1, 3])(x),
    "GroupNormalization": lambda l, x: l.GroupNormalization(2)(x),
    "PReLU": lambda l, x: l.PReLU(shared_axes=[1, 2])(x),
    "Permute": lambda l, x: l.Permute((3, 1, 2))(x),
    "TimeDistributed Conv1D": lambda l, x: l.TimeDistributed(l.Conv1D(3, 2, padding="same"))(x),
    "TimeDistributed BatchNormalization": lambda l, x: l.TimeDistributed(l.BatchNormalization())(x),
}


def _embedded(l: Any, x: Any, *, masked: bool = True) -> Any:
    return l.Embedding(6, 4, mask_zero=masked)(x)


TOKENS: dict[str, Case] = {
    "Embedding": lambda l, x: _embedded(l, x),
    "Attention of masked queries": lambda l, x: l.Attention()([_embedded(l, x), _embedded(l, x, masked=False)]),
    "Attention causal": lambda l, x: l.Attention(use_scale=True)([_embedded(l, x), _embedded(l, x)], use_causal_mask=True),
    "Attention of masked values": lambda l, x: l.Attention()(
        [_embedded(l, x, masked=False), _embedded(l, x)], return_attention_scores=True
    ),
    "AdditiveAttention": lambda l, x: l.AdditiveAttention()([_embedded(l, x), _embedded(l, x)]),
    "MultiHeadAttention": lambda l, x: (lambda e: l.MultiHeadAttention(2, 2)(e, e))(_embedded(l, x)),
    "MultiHeadAttention causal": lambda l, x: (lambda e: l.MultiHeadAttention(2, 3)(e, e, use_causal_mask=True))(_embedded(l, x)),
    "MultiHeadAttention dropout": lambda l, x: (lambda e: l.MultiHeadAttention(2, 3, dropout=0.1)(e, e))(_embedded(l, x)),
    "MultiHeadAttention of three": lambda l, x: l.MultiHeadAttention(2, 3)(
        _embedded(l, x, masked=False), _embedded(l, x), _embedded(l, x)
    ),
    "MultiHeadAttention scores": lambda l, x: (lambda e: l.MultiHeadAttention(2, 3)(e, e, return_attention_scores=True))(
        _embedded(l, x)
    ),
    "Multiply with one mask": lambda l, x: l.Multiply()([_embedded(l, x), _embedded(l, x, masked=False)]),
    "Multiply with masks": lambda l, x: l.Multiply()([_embedded(l, x), _embedded(l, x)]),
    "Maximum with one mask": lambda l, x: l.Maximum()([_embedded(l, x), _embedded(l, x, masked=False)]),
    "Maximum with masks": lambda l, x: l.Maximum()([_embedded(l, x), l.Masking()(_embedded(l, x, masked=False)), _embedded(l, x)]),
    "Minimum with one mask": lambda l, x: l.Minimum()([_embedded(l, x, masked=False), _embedded(l, x)]),
    "BatchNormalization": lambda l, x: l.BatchNormalization()(_embedded(l, x)),
    "GRU after Multiply": lambda l, x: l.GRU(3)(l.Multiply()([_embedded(l, x), _embedded(l, x)])),
}

MASKED: dict[str, Case] = {
    "Masking": lambda l, x: l.Masking(0.5)(x),
    "Masking 0": lambda l, x: l.Masking()(x),
    "GRU after Masking": lambda l, x: l.GRU(3)(l.Masking(0.5)(x)),
    "GlobalAveragePooling1D": lambda l, x: l.GlobalAveragePooling1D()(l.Masking(0.5)(x)),
    "GlobalAveragePooling1D keepdims": lambda l, x: l.GlobalAveragePooling1D(keepdims=True)(l.Masking(0.5)(x)),
    "BatchNormalization in training": lambda l, x: l.BatchNormalization()(x, training=True),
    "BatchNormalization in training with a mask": lambda l, x: l.BatchNormalization()(l.Masking(0.5)(x), training=True),
    "BatchNormalization in training, frozen": lambda l, x: l.BatchNormalization(trainable=False)(x, training=True),
    "BatchNormalization in training without scale": lambda l, x: l.BatchNormalization(scale=False)(x, training=True),
}
