"""The cases: options of each kind of layer that change what it computes, by the input that they read."""

from __future__ import annotations

from typing import Any

from tests.frameworks.models.pytorch.layers.comparing import Case, layer

ACTIVATIONS = {
    "keras": "linear tanh sigmoid hard_sigmoid relu relu6 leaky_relu elu celu selu softplus softsign silu swish hard_silu"
    " hard_swish hard_tanh tanh_shrink gelu glu mish exponential log_sigmoid softmax log_softmax hard_shrink soft_shrink"
    " sparse_plus sparse_sigmoid sparsemax squareplus",
    "tf_keras": "linear tanh sigmoid hard_sigmoid relu elu selu softplus softsign swish gelu mish exponential softmax",
}


def activations(package: str) -> dict[str, Case]:
    """Return each activation by its name, in a Dense and as a layer."""
    names = ACTIVATIONS[package].split()
    inside = {f"Dense {name}": layer("Dense", 6, activation=name) for name in names}
    return inside | {f"Activation {name}": layer("Activation", name) for name in names}


VECTOR: dict[str, Case] = {
    "Dense": lambda k, x: k.Dense(3)(x),
    "Dense without bias": lambda k, x: k.Dense(3, use_bias=False)(x),
    "Dense with a layer as activation": lambda k, x: k.Dense(3, activation=k.LeakyReLU(0.15))(x),
    "ReLU": lambda k, x: k.ReLU()(x),
    "ReLU 6": lambda k, x: k.ReLU(6.0)(x),
    "ReLU max_value": lambda k, x: k.ReLU(1.5)(x),
    "ReLU negative_slope": lambda k, x: k.ReLU(None, 0.2)(x),
    "ReLU threshold": lambda k, x: k.ReLU(threshold=0.7)(x),
    "ReLU all": lambda k, x: k.ReLU(2.0, 0.1, 0.5)(x),
    "ReLU without max_value": lambda k, x: k.ReLU(None, 0.1, 0.5)(x),
    "LeakyReLU": lambda k, x: k.LeakyReLU()(x),
    "LeakyReLU 0.1": lambda k, x: k.LeakyReLU(0.1)(x),
    "ELU": lambda k, x: k.ELU()(x),
    "ELU 0.7": lambda k, x: k.ELU(0.7)(x),
    "PReLU": lambda k, x: k.PReLU()(x),
    "Softmax": lambda k, x: k.Softmax()(x),
    "Dropout": lambda k, x: k.Dropout(0.5)(x),
    "Dropout 0": lambda k, x: k.Dropout(0.0)(x),
    "Dropout off": lambda k, x: k.Dropout(0.5)(x, training=False),
    "AlphaDropout": lambda k, x: k.AlphaDropout(0.3)(x),
    "GaussianDropout": lambda k, x: k.GaussianDropout(0.3)(x),
    "GaussianNoise": lambda k, x: k.GaussianNoise(0.3)(x),
    "BatchNormalization": lambda k, x: k.BatchNormalization()(x),
    "BatchNormalization without center": lambda k, x: k.BatchNormalization(center=False)(x),
    "BatchNormalization without scale": lambda k, x: k.BatchNormalization(scale=False, momentum=0.9, epsilon=1e-2)(x),
    "LayerNormalization": lambda k, x: k.LayerNormalization()(x),
    "LayerNormalization epsilon": lambda k, x: k.LayerNormalization(epsilon=1e-5)(x),
    "LayerNormalization without center": lambda k, x: k.LayerNormalization(center=False)(x),
    "LayerNormalization without scale": lambda k, x: k.LayerNormalization(scale=False)(x),
    "LayerNormalization without both": lambda k, x: k.LayerNormalization(scale=False, center=False)(x),
    "UnitNormalization": lambda k, x: k.UnitNormalization()(x),
    "GroupNormalization": lambda k, x: k.GroupNormalization(2)(x),
    "RepeatVector": lambda k, x: k.RepeatVector(3)(x),
    "Reshape": lambda k, x: k.Reshape((2, 3))(x),
    "Reshape -1": lambda k, x: k.Reshape((-1, 2))(x),
    "Flatten": lambda k, x: k.Flatten()(x),
    "Rescaling": lambda k, x: k.Rescaling(1 / 255, 1)(x),
    "Rescaling each": lambda k, x: k.Rescaling([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, 0, 1, 0, 1, 0])(x),
    "Identity": lambda k, x: k.Identity()(x),
    "ActivityRegularization": lambda k, x: k.ActivityRegularization(0.1)(x),
    "Add": lambda k, x: k.Add()([x, k.Dense(6)(x), x]),
    "Multiply": lambda k, x: k.Multiply()([x, k.Dense(6)(x)]),
    "Subtract": lambda k, x: k.Subtract()([x, k.Dense(6)(x)]),
    "Average": lambda k, x: k.Average()([x, k.Dense(6)(x), x]),
    "Maximum": lambda k, x: k.Maximum()([x, k.Dense(6)(x), k.Dense(6)(x)]),
    "Minimum": lambda k, x: k.Minimum()([x, k.Dense(6)(x)]),
    "Concatenate": lambda k, x: k.Concatenate()([x, k.Dense(5)(x)]),
    "Dot": lambda k, x: k.Dot(1)([x, k.Dense(6)(x)]),
    "Dot normalize": lambda k, x: k.Dot(-1, normalize=True)([x, k.Dense(6)(x)]),
}

STEPS: dict[str, Case] = {
    "Dense": lambda k, x: k.Dense(3, activation="relu")(x),
    "PReLU": lambda k, x: k.PReLU()(x),
    "PReLU shared": lambda k, x: k.PReLU(shared_axes=[1])(x),
    "PReLU all shared": lambda k, x: k.PReLU(shared_axes=[1, 2])(x),
    "Softmax axis": lambda k, x: k.Softmax(axis=1)(x),
    "Softmax axes": lambda k, x: k.Softmax(axis=[1, 2])(x),
    "SpatialDropout1D": lambda k, x: k.SpatialDropout1D(0.3)(x),
    "Dropout noise_shape": lambda k, x: k.Dropout(0.3, noise_shape=(None, 1, 4))(x),
    "BatchNormalization": lambda k, x: k.BatchNormalization()(x),
    "BatchNormalization axis": lambda k, x: k.BatchNormalization(axis=1)(x),
    "LayerNormalization": lambda k, x: k.LayerNormalization()(x),
    "LayerNormalization axis": lambda k, x: k.LayerNormalization(axis=1)(x),
    "LayerNormalization axes": lambda k, x: k.LayerNormalization(axis=[1, 2])(x),
    "GroupNormalization": lambda k, x: k.GroupNormalization(4, center=False, epsilon=0.1)(x),
    "GroupNormalization without scale": lambda k, x: k.GroupNormalization(2, scale=False)(x),
    "GroupNormalization of each": lambda k, x: k.GroupNormalization(-1, center=False, scale=False)(x),
    "GroupNormalization axis": lambda k, x: k.GroupNormalization(3, axis=1)(x),
    "UnitNormalization axes": lambda k, x: k.UnitNormalization(axis=[1, 2])(x),
    "Flatten": lambda k, x: k.Flatten()(x),
    "Flatten channels_first": lambda k, x: k.Flatten(data_format="channels_first")(x),
    "Permute": lambda k, x: k.Permute((2, 1))(x),
    "Reshape": lambda k, x: k.Reshape((3, 2, 4))(x),
    "Concatenate axis": lambda k, x: k.Concatenate(axis=1)([x, x]),
    "Dot last axes": lambda k, x: k.Dot(axes=(2, 2))([x, k.Dense(4)(x)]),
    "Dot normalize": lambda k, x: k.Dot(axes=1, normalize=True)([x, k.Dense(4)(x)]),
    "Dot two and three axes": lambda k, x: k.Dot(axes=(1, 2))([k.Dense(4)(k.Flatten()(x)), x]),
    "Dot three and two axes": lambda k, x: k.Dot(axes=(1, 1))([x, k.Dense(6)(k.Flatten()(x))]),
    "Dot four and three axes": lambda k, x: k.Dot(axes=(3, 2))([k.Reshape((2, 3, 4))(x), x]),
    "ZeroPadding1D": lambda k, x: k.ZeroPadding1D((1, 3))(x),
    "Cropping1D": lambda k, x: k.Cropping1D((2, 0))(x),
    "Cropping1D end": lambda k, x: k.Cropping1D((0, 2))(x),
    "UpSampling1D": lambda k, x: k.UpSampling1D(3)(x),
    "Attention": lambda k, x: k.Attention()([x, k.Dense(5)(x), k.Dense(4)(x)]),
    "Attention use_scale": lambda k, x: k.Attention(use_scale=True, dropout=0.2)([x, x]),
    "Attention concat": lambda k, x: k.Attention(score_mode="concat")([x, x]),
    "Attention concat use_scale": lambda k, x: k.Attention(score_mode="concat", use_scale=True)([x, x]),
    "Attention causal": lambda k, x: k.Attention()([x, x], use_causal_mask=True),
    "Attention scores": lambda k, x: k.Attention()([x, x], return_attention_scores=True),
    "AdditiveAttention": lambda k, x: k.AdditiveAttention()([x, k.Dense(4)(x)]),
    "AdditiveAttention plain": lambda k, x: k.AdditiveAttention(use_scale=False)([x, x], use_causal_mask=True),
    "MultiHeadAttention native": lambda k, x: k.MultiHeadAttention(2, 2)(x, x),
    "MultiHeadAttention native, other sizes": lambda k, x: k.MultiHeadAttention(2, 2)(x, k.Dense(5)(x), k.Dense(3)(x)),
    "MultiHeadAttention native causal": lambda k, x: k.MultiHeadAttention(2, 2, use_bias=False)(x, x, use_causal_mask=True),
    "MultiHeadAttention": lambda k, x: k.MultiHeadAttention(3, 5)(x, x),
    "MultiHeadAttention sizes": lambda k, x: k.MultiHeadAttention(3, 5, 2, use_bias=False, output_shape=7)(
        x, k.Dense(6)(x), k.Dense(4)(x)
    ),
    "MultiHeadAttention scores": lambda k, x: k.MultiHeadAttention(3, 5, dropout=0.3)(
        x, x, return_attention_scores=True, use_causal_mask=True
    ),
}

STEPS_OF = {
    "keras": {
        "MultiHeadAttention use_gate": lambda k, x: k.MultiHeadAttention(3, 5, use_gate=True)(x, x),
        "MultiHeadAttention sliding_window": lambda k, x: k.MultiHeadAttention(3, 5, sliding_window=2)(x, x),
    },
    "tf_keras": {
        "Add of unequal ranks": lambda k, x: k.Add()([x, k.Dense(4)(k.Flatten()(x))]),
        "ThresholdedReLU": lambda k, x: k.ThresholdedReLU(0.4)(x),
        "SeparableConv1D causal": lambda k, x: k.SeparableConv1D(5, 3, padding="causal")(x),
    },
}
"""What only one version has."""


SIZES = ((3, 1), (2, 1), (3, 2), (2, 2), (5, 3))
"""Windows and their strides."""


def windows(sizes: tuple[tuple[int, int], ...] = SIZES) -> dict[str, Case]:
    """Return convolutions and pooling over steps, of the given windows and strides."""
    cases: dict[str, Case] = {
        "Conv1D causal": lambda k, x: k.Conv1D(5, 3, padding="causal", dilation_rate=4, activation="relu")(x),
        "Conv1D causal strides": lambda k, x: k.Conv1D(5, 3, padding="causal", strides=2)(x),
        "MaxPooling1D": lambda k, x: k.MaxPooling1D()(x),
        "GlobalMaxPooling1D": lambda k, x: k.GlobalMaxPooling1D()(x),
        "GlobalAveragePooling1D": lambda k, x: k.GlobalAveragePooling1D(keepdims=True)(x),
    }
    for padding in ("valid", "same"):
        for size, stride in sizes:
            at: dict[str, Any] = {"strides": stride, "padding": padding}
            named = {
                "Conv1D": layer("Conv1D", 5, size, **at),
                "MaxPooling1D": layer("MaxPooling1D", size, **at),
                "AveragePooling1D": layer("AveragePooling1D", size, **at),
                "SeparableConv1D": layer("SeparableConv1D", 5, size, depth_multiplier=2, **at),
                "DepthwiseConv1D": layer("DepthwiseConv1D", size, depth_multiplier=2, **at),
                "Conv1DTranspose": layer("Conv1DTranspose", 5, size, activation="tanh", **at),
            }
            cases |= {f"{name} {size} {stride} {padding}": case for name, case in named.items()}
        cases |= {
            f"Conv1D groups {padding}": layer("Conv1D", 6, 3, dilation_rate=2, groups=2, padding=padding),
            f"Conv1D even dilated {padding}": layer("Conv1D", 6, 2, dilation_rate=3, padding=padding),
            f"SeparableConv1D dilated {padding}": layer(
                "SeparableConv1D", 6, 3, dilation_rate=2, use_bias=False, padding=padding
            ),
            f"Conv1DTranspose more {padding}": layer("Conv1DTranspose", 5, 3, strides=2, output_padding=1, padding=padding),
        }
    return cases


def images(**place: str) -> dict[str, Case]:
    """Return layers of images, with their channels in the given place."""
    cases: dict[str, Case] = {
        "MaxPooling2D": lambda k, x: k.MaxPooling2D(**place)(x),
        "GlobalMaxPooling2D": lambda k, x: k.GlobalMaxPooling2D(**place)(x),
        "GlobalAveragePooling2D": lambda k, x: k.GlobalAveragePooling2D(keepdims=True, **place)(x),
        "ZeroPadding2D": lambda k, x: k.ZeroPadding2D(((1, 2), (0, 3)), **place)(x),
        "Cropping2D": lambda k, x: k.Cropping2D(((1, 0), (0, 2)), **place)(x),
        "UpSampling2D": lambda k, x: k.UpSampling2D((3, 1), **place)(x),
        "UpSampling2D bilinear": lambda k, x: k.UpSampling2D((2, 3), interpolation="bilinear", **place)(x),
        "SpatialDropout2D": lambda k, x: k.SpatialDropout2D(0.2, **place)(x),
    }
    for padding in ("valid", "same"):
        for size, stride in (((3, 2), 1), ((3, 3), 2), ((2, 3), (3, 2))):
            at: dict[str, Any] = {"strides": stride, "padding": padding, **place}
            named = {
                "Conv2D": layer("Conv2D", 5, size, **at),
                "MaxPooling2D": layer("MaxPooling2D", size, **at),
                "AveragePooling2D": layer("AveragePooling2D", size, **at),
                "Conv2DTranspose": layer("Conv2DTranspose", 5, size, **at),
            }
            cases |= {f"{name} {size} {stride} {padding}": case for name, case in named.items()}
        both: dict[str, Any] = {"strides": 2, "padding": padding, "depth_multiplier": 2, **place}
        cases[f"SeparableConv2D {padding}"] = layer("SeparableConv2D", 5, (3, 2), **both)
        cases[f"DepthwiseConv2D {padding}"] = layer("DepthwiseConv2D", (3, 2), **both)
    return cases


IMAGES: dict[str, Case] = {
    "BatchNormalization": lambda k, x: k.BatchNormalization()(x),
    "BatchNormalization axis": lambda k, x: k.BatchNormalization(axis=1)(x),
    "LayerNormalization axes": lambda k, x: k.LayerNormalization(axis=[1, 3])(x),
    "GroupNormalization": lambda k, x: k.GroupNormalization(2)(x),
    "PReLU": lambda k, x: k.PReLU(shared_axes=[1, 2])(x),
    "Permute": lambda k, x: k.Permute((3, 1, 2))(x),
    "TimeDistributed Conv1D": lambda k, x: k.TimeDistributed(k.Conv1D(3, 2, padding="same"))(x),
    "TimeDistributed BatchNormalization": lambda k, x: k.TimeDistributed(k.BatchNormalization())(x),
}


def _embedded(k: Any, x: Any, *, masked: bool = True) -> Any:
    return k.Embedding(6, 4, mask_zero=masked)(x)


def _attending(heads: Any, x: Any, **call: bool) -> Any:
    return heads(x, x, **call)


TOKENS: dict[str, Case] = {
    "Embedding": _embedded,
    "Attention of masked queries": lambda k, x: k.Attention()([_embedded(k, x), _embedded(k, x, masked=False)]),
    "Attention causal": lambda k, x: k.Attention(use_scale=True)([_embedded(k, x), _embedded(k, x)], use_causal_mask=True),
    "Attention of masked values": lambda k, x: k.Attention()(
        [_embedded(k, x, masked=False), _embedded(k, x)], return_attention_scores=True
    ),
    "AdditiveAttention": lambda k, x: k.AdditiveAttention()([_embedded(k, x), _embedded(k, x)]),
    "MultiHeadAttention": lambda k, x: _attending(k.MultiHeadAttention(2, 2), _embedded(k, x)),
    "MultiHeadAttention causal": lambda k, x: _attending(k.MultiHeadAttention(2, 3), _embedded(k, x), use_causal_mask=True),
    "MultiHeadAttention dropout": lambda k, x: _attending(k.MultiHeadAttention(2, 3, dropout=0.1), _embedded(k, x)),
    "MultiHeadAttention of three": lambda k, x: k.MultiHeadAttention(2, 3)(
        _embedded(k, x, masked=False), _embedded(k, x), _embedded(k, x)
    ),
    "MultiHeadAttention scores": lambda k, x: _attending(
        k.MultiHeadAttention(2, 3), _embedded(k, x), return_attention_scores=True
    ),
    "Multiply with one mask": lambda k, x: k.Multiply()([_embedded(k, x), _embedded(k, x, masked=False)]),
    "Multiply with masks": lambda k, x: k.Multiply()([_embedded(k, x), _embedded(k, x)]),
    "Maximum with one mask": lambda k, x: k.Maximum()([_embedded(k, x), _embedded(k, x, masked=False)]),
    "Maximum with masks": lambda k, x: k.Maximum()(
        [_embedded(k, x), k.Masking()(_embedded(k, x, masked=False)), _embedded(k, x)]
    ),
    "Minimum with one mask": lambda k, x: k.Minimum()([_embedded(k, x, masked=False), _embedded(k, x)]),
    "BatchNormalization": lambda k, x: k.BatchNormalization()(_embedded(k, x)),
    "GRU after Multiply": lambda k, x: k.GRU(3)(k.Multiply()([_embedded(k, x), _embedded(k, x)])),
}

MASKED: dict[str, Case] = {
    "Masking": lambda k, x: k.Masking(0.5)(x),
    "Masking 0": lambda k, x: k.Masking()(x),
    "GRU after Masking": lambda k, x: k.GRU(3)(k.Masking(0.5)(x)),
    "LSTM with a class of its own": lambda k, x: k.LSTM(3, activation="softsign", return_sequences=True)(k.Masking(0.5)(x)),
    "Bidirectional LSTM": lambda k, x: k.Bidirectional(k.LSTM(3, return_sequences=True))(k.Masking(0.5)(x)),
    "states of a GRU": lambda k, x: k.GRU(3, return_state=True)(k.Masking(0.5)(x)),
    "GlobalAveragePooling1D": lambda k, x: k.GlobalAveragePooling1D()(k.Masking(0.5)(x)),
    "GlobalAveragePooling1D keepdims": lambda k, x: k.GlobalAveragePooling1D(keepdims=True)(k.Masking(0.5)(x)),
    "BatchNormalization in training": lambda k, x: k.BatchNormalization()(x, training=True),
    "BatchNormalization in training with a mask": lambda k, x: k.BatchNormalization()(k.Masking(0.5)(x), training=True),
    "BatchNormalization in training, frozen": lambda k, x: k.BatchNormalization(trainable=False)(x, training=True),
    "BatchNormalization in training without scale": lambda k, x: k.BatchNormalization(scale=False)(x, training=True),
}
