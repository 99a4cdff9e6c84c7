"""Layers of every kind that is called on tensors alone, with the shapes of their inputs."""

from __future__ import annotations

import warnings
from typing import Any

FIRST = {"data_format": "channels_first"}
SEQ, IMAGE, VOLUME, VECTOR = (None, 11, 4), (None, 9, 13, 4), (None, 7, 9, 8, 4), (None, 6)
OPEN, FILM, CLIP = (None, None, 4), (None, 5, 9, 3), (None, 5, 9, 7, 3)

Case = tuple[str, dict[str, Any], list[tuple[Any, ...]]]

CASES: list[Case] = [
    ("Dense", {"units": 5}, [VECTOR]),
    ("Dense", {"units": 5}, [OPEN]),
    ("Embedding", {"input_dim": 9, "output_dim": 5}, [(None, 6)]),
    ("Embedding", {"input_dim": 9, "output_dim": 5}, [(2, None, 3)]),
    *((name, {}, [SEQ]) for name in ("Softmax", "ReLU", "ELU", "LeakyReLU", "ThresholdedReLU", "PReLU", "Masking")),
    *((name, {}, [SEQ]) for name in ("LayerNormalization", "BatchNormalization", "UnitNormalization", "Identity")),
    ("GroupNormalization", {"groups": 2}, [IMAGE]),
    ("Normalization", {"mean": 1.0, "variance": 2.0}, [SEQ]),
    ("Activation", {"activation": "tanh"}, [OPEN]),
    ("ActivityRegularization", {"l1": 0.5}, [OPEN]),
    ("Rescaling", {"scale": 2.0}, [OPEN]),
    *((name, {"rate": 0.5}, [SEQ]) for name in ("Dropout", "AlphaDropout", "GaussianDropout", "SpatialDropout1D")),
    ("SpatialDropout2D", {"rate": 0.5}, [IMAGE]),
    ("SpatialDropout3D", {"rate": 0.5}, [VOLUME]),
    ("GaussianNoise", {"stddev": 0.5}, [SEQ]),
    *((name, {}, [SEQ, (3, 1, 4), SEQ][:2]) for name in ("Add", "Multiply", "Average", "Maximum", "Minimum", "Subtract")),
    ("Add", {}, [OPEN, (None, 1, 4)]),
    ("Add", {}, [SEQ, (None, 4)]),
    ("Concatenate", {}, [SEQ, (None, 11, 3)]),
    ("Concatenate", {"axis": 1}, [SEQ, (None, 2, 4), OPEN]),
    ("Concatenate", {"axis": 1}, [SEQ, (None, 2, 4)]),
    ("Dot", {"axes": 1}, [VECTOR, VECTOR]),
    ("Dot", {"axes": (2, 1)}, [SEQ, (None, 4, 7)]),
    ("Dot", {"axes": -1}, [SEQ, (None, 3, 4)]),
    ("Reshape", {"target_shape": (2, -1)}, [SEQ]),
    ("Reshape", {"target_shape": (44,)}, [SEQ]),
    ("Reshape", {"target_shape": (-1, 2)}, [OPEN]),
    ("Flatten", {}, [SEQ]),
    ("Flatten", {}, [OPEN]),
    ("Flatten", {}, [(None,)]),
    ("Flatten", FIRST, [IMAGE]),
    ("Permute", {"dims": (2, 1)}, [OPEN]),
    ("Permute", {"dims": (3, 1, 2)}, [IMAGE]),
    ("RepeatVector", {"n": 3}, [VECTOR]),
    *(("Conv1D", {"filters": 6, "kernel_size": 3, **more}, [SEQ]) for more in ({}, {"padding": "causal", "dilation_rate": 2})),
    *(("Conv1D", {"filters": 6, "kernel_size": 3, "strides": 2, "padding": padding}, [SEQ]) for padding in ("same", "valid")),
    ("Conv1D", {"filters": 6, "kernel_size": 3, "strides": 2}, [OPEN]),
    ("Conv1D", {"filters": 6, "kernel_size": 3, "groups": 2, **FIRST}, [(None, 4, 11)]),
    ("Conv2D", {"filters": 6, "kernel_size": (2, 3), "strides": (2, 1)}, [IMAGE]),
    ("Conv2D", {"filters": 6, "kernel_size": (2, 3), "dilation_rate": (1, 2), **FIRST}, [(None, 4, 9, 13)]),
    ("Conv3D", {"filters": 6, "kernel_size": 2, "strides": 2}, [VOLUME]),
    ("DepthwiseConv1D", {"kernel_size": 3, "depth_multiplier": 2}, [SEQ]),
    ("DepthwiseConv2D", {"kernel_size": 3, "strides": 2, "padding": "same"}, [IMAGE]),
    ("SeparableConv1D", {"filters": 6, "kernel_size": 3, "depth_multiplier": 2, "padding": "same"}, [SEQ]),
    ("SeparableConv2D", {"filters": 6, "kernel_size": 3}, [IMAGE]),
    *(
        ("Conv1DTranspose", {"filters": 6, "kernel_size": size, "strides": 3, "padding": padding, **more}, [SEQ])
        for size in (2, 3, 5)
        for padding in ("same", "valid")
        for more in ({}, {"output_padding": 1})
    ),
    ("Conv1DTranspose", {"filters": 6, "kernel_size": 3, "dilation_rate": 2}, [OPEN]),
    ("Conv1DTranspose", {"filters": 6, "kernel_size": 3, "dilation_rate": 2}, [SEQ]),
    ("Conv2DTranspose", {"filters": 6, "kernel_size": (3, 2), "strides": 2, **FIRST}, [(None, 4, 9, 13)]),
    ("Conv3DTranspose", {"filters": 6, "kernel_size": 2, "strides": 2}, [VOLUME]),
    *(
        (f"{name}Pooling{rank}D", {"pool_size": 3, **more}, [shape])
        for name in ("Max", "Average")
        for rank, shape in ((1, SEQ), (2, IMAGE), (3, VOLUME))
        for more in ({}, {"strides": 2, "padding": "same"}, FIRST)
    ),
    *(
        (f"Global{name}Pooling{rank}D", more, [shape])
        for name in ("Max", "Average")
        for rank, shape in ((1, SEQ), (2, IMAGE), (3, VOLUME))
        for more in ({}, {"keepdims": True}, FIRST)
    ),
    *(
        (f"Adaptive{name}Pooling{rank}D", {"output_size": 3}, [shape])
        for name in ("Max", "Average")
        for rank, shape in ((1, SEQ), (2, IMAGE), (3, VOLUME))
    ),
    ("ZeroPadding1D", {"padding": (2, 1)}, [SEQ]),
    ("ZeroPadding1D", {"padding": 2}, [OPEN]),
    ("ZeroPadding2D", {"padding": ((1, 0), (2, 3))}, [IMAGE]),
    ("ZeroPadding2D", {"padding": (1, 2), **FIRST}, [IMAGE]),
    ("ZeroPadding3D", {"padding": 2}, [VOLUME]),
    ("Cropping1D", {"cropping": (2, 1)}, [SEQ]),
    ("Cropping1D", {}, [OPEN]),
    ("Cropping2D", {"cropping": ((1, 0), (2, 3))}, [IMAGE]),
    ("Cropping2D", {"cropping": 1, **FIRST}, [IMAGE]),
    ("Cropping3D", {"cropping": 1}, [VOLUME]),
    ("UpSampling1D", {"size": 3}, [SEQ]),
    ("UpSampling2D", {"size": (2, 3)}, [IMAGE]),
    ("UpSampling2D", {"size": 2, **FIRST}, [IMAGE]),
    ("UpSampling3D", {"size": 2}, [VOLUME]),
    *(
        (name, {"units": 5, **flags}, [shape])
        for name in ("SimpleRNN", "LSTM", "GRU")
        for shape in (SEQ, OPEN)
        for flags in ({}, {"return_sequences": True}, {"return_state": True, "return_sequences": True}, {"return_state": True})
    ),
    *(
        (f"ConvLSTM{rank}D", {"filters": 6, "kernel_size": 3, **flags}, [shape])
        for rank, shape in ((1, FILM), (2, CLIP), (3, (None, 5, 9, 7, 5, 3)))
        for flags in ({}, {"return_sequences": True, "padding": "same", "strides": 2}, {"return_state": True}, FIRST)
    ),
]


def made(library: Any, name: str, options: dict[str, Any]) -> Any:
    """Return a layer, or None if this generation lacks its class or an option."""
    constructor = getattr(library.layers, name, None)
    if constructor is None:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return constructor(**options)
        except TypeError:
            return None
