"""What becomes of each constructor argument of one framework's recurrent layers in the other framework, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

FateName = Literal["native", "emulated", "no effect", "refused"]


@dataclass(frozen=True)
class Fate:
    """What becomes of certain values of an argument.

    Args:
        name: "native": `convert` returns the other framework's own layer, which holds it; "emulated": `convert` refuses it, and
            `emulate` returns a layer that does the same; "no effect": what the layer computes does not depend on it;
            "refused": both refuse it.
        there: the argument, array or expression that corresponds to it there, or why there is none, in Markdown.
        values: which values, for an argument with several fates.

    Example:
        >>> from frameworks.counterparts import OPTIONS
        >>> for fate in OPTIONS["keras"]["merge_mode"]:
        ...     print(f"{fate.values}: {fate.name}, {fate.there}")
        `concat`: native, how torch joins its directions
        others: emulated, by hand over the two halves of `output`
    """

    name: FateName
    there: str
    values: str = "any"


_DRAWN = "the weights are copied; the written module draws as Keras does"
_PENALTY = "a term of the loss in training: add it to torch's, the written module refuses it"
_CONSTRAINT = "acts after each step of the optimizer: write it there, the written module refuses it"

_KERAS: Mapping[str, tuple[Fate, ...]] = {
    "units": (Fate("native", "`hidden_size`"),),
    "activation": (
        Fate("native", "what nn.LSTM and nn.GRU compute, `nonlinearity` of nn.RNN", "`tanh`, of SimpleRNN `relu`"),
        Fate("emulated", "no argument for it in torch", "others"),
    ),
    "recurrent_activation": (
        Fate("native", "what nn.LSTM and nn.GRU compute", "`sigmoid`"),
        Fate("emulated", "no argument for it in torch", "others"),
    ),
    "use_bias": (Fate("native", "`bias`"),),
    "kernel_initializer": (Fate("native", _DRAWN),),
    "recurrent_initializer": (Fate("native", _DRAWN),),
    "bias_initializer": (Fate("native", _DRAWN),),
    "unit_forget_bias": (Fate("native", _DRAWN),),
    "kernel_regularizer": (Fate("no effect", _PENALTY),),
    "recurrent_regularizer": (Fate("no effect", _PENALTY),),
    "bias_regularizer": (Fate("no effect", _PENALTY),),
    "activity_regularizer": (Fate("no effect", _PENALTY),),
    "kernel_constraint": (Fate("no effect", _CONSTRAINT),),
    "recurrent_constraint": (Fate("no effect", _CONSTRAINT),),
    "bias_constraint": (Fate("no effect", _CONSTRAINT),),
    "dropout": (Fate("emulated", "in training one mask for all time steps; torch's `dropout` lies between layers"),),
    "recurrent_dropout": (Fate("emulated", "in training one mask for all time steps on the hidden state; torch has none"),),
    "seed": (Fate("no effect", "of dropout in training: each framework draws other numbers from any seed"),),
    "return_sequences": (Fate("native", "`output`; without it `h_n[-1]`, see [return values](return-values.md)"),),
    "return_state": (Fate("native", "`h_n`, `c_n`, see [return values](return-values.md)"),),
    "go_backwards": (Fate("emulated", "by hand `rnn(x.flip(1))`"),),
    "stateful": (Fate("emulated", "by hand the states of the last call, detached; see [porting](porting.md)"),),
    "unroll": (Fate("no effect", "a loop is a loop in torch"),),
    "use_cudnn": (Fate("no effect", "torch chooses its kernel by itself"),),
    "implementation": (Fate("no effect", "but on dropout in training: 1 draws a mask a gate, and so does `emulate`"),),
    "zero_output_for_mask": (Fate("native", "packing, which gives zeros; see [masking](masking.md)"),),
    "reset_after": (
        Fate("native", "what nn.GRU computes", "`True`"),
        Fate("emulated", "nn.GRU resets after the recurrent product, always", "`False`"),
    ),
    "cell": (
        Fate("native", "nn.RNN, nn.LSTM, nn.GRU of one layer", "a built-in cell"),
        Fate("native", "`num_layers`", "a list of built-in cells, all alike"),
        Fate("emulated", "one layer after the other", "a list of built-in cells, unlike"),
        Fate("refused", "write its step in torch", "a custom cell"),
    ),
    "cells": (
        Fate("native", "`num_layers`", "all alike"),
        Fate("emulated", "one layer after the other", "unlike"),
        Fate("refused", "write its step in torch", "a custom cell among them"),
    ),
    "layer": (Fate("native", "`bidirectional=True`"),),
    "merge_mode": (
        Fate("native", "how torch joins its directions", "`concat`"),
        Fate("emulated", "by hand over the two halves of `output`", "others"),
    ),
    "backward_layer": (
        Fate("native", "the weights with `_reverse`", "of the same kind and size"),
        Fate("emulated", "two modules", "of another kind or size"),
    ),
    "weights": (Fate("no effect", "Keras 3 takes it and never reads it: `set_weights` once the layer is built"),),
    "dtype": (
        Fate("native", "`dtype`", "`float32`, `float64`"),
        Fate("emulated", "`convert` and the adapters keep to float32 and float64", "half precision, mixed policies"),
    ),
    "trainable": (Fate("no effect", "`requires_grad`: `emulate` carries it over, `convert` leaves it True"),),
    "input_shape": (Fate("native", "`input_size`"),),
    "input_dim": (Fate("native", "`input_size`"),),
    "autocast": (Fate("no effect", "torch casts no inputs"),),
    "name": (Fate("no effect", "torch's modules have none"),),
}

_HALF = Fate("refused", "cast the module to float32 first", "half precision")

_PYTORCH: Mapping[str, tuple[Fate, ...]] = {
    "input_size": (Fate("native", "learnt from the first inputs, or `layer.build((None, None, input_size))`"),),
    "hidden_size": (Fate("native", "`units`"),),
    "num_layers": (Fate("native", "a layer each, in a functional Model"),),
    "nonlinearity": (Fate("native", "`activation`"),),
    "bias": (Fate("native", "`use_bias`; an LSTM's or simple RNN's two biases become their sum, `emulate` keeps both"),),
    "batch_first": (Fate("native", "Keras's layers are always batch first: transpose what goes in and comes out"),),
    "dropout": (Fate("native", "`Dropout` between layers, in training"),),
    "bidirectional": (Fate("native", "`Bidirectional`"),),
    "proj_size": (Fate("emulated", "no argument for it in Keras"),),
    "device": (Fate("no effect", "Keras places its layers itself, see `keras.device`"),),
    "dtype": (Fate("native", "`dtype`", "`float32`, `float64`"), _HALF),
}

OPTIONS: Mapping[str, Mapping[str, tuple[Fate, ...]]] = MappingProxyType(
    {"keras": MappingProxyType(_KERAS), "pytorch": MappingProxyType(_PYTORCH)}
)
"""What becomes of each argument, by framework and name. An argument means the same in all of a framework's layers."""

REFUSED_ACTIVATIONS: Mapping[str, str] = MappingProxyType(
    {
        "glu": "halves its input, so that no recurrent layer of Keras runs with it",
        "threshold": "takes two more arguments, so that no recurrent layer of Keras runs with it",
    }
)
"""Keras's activations that no recurrent layer can have, and why."""
