"""The fate of each constructor argument of one framework's recurrent layers in the other framework, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

FateName = Literal["native", "emulated", "no effect", "refused"]


@dataclass(frozen=True)
class Fate:
    """The fate of some values of an argument.

    Args:
        name: "native": the other framework's layers have an equivalent, and `convert` ports it; "emulated": `convert` refuses
            it, and `emulate` computes what the source computes; "no effect": it does not change what the layer computes in
            inference; "refused": both refuse it.
        there: the counterpart (an argument, an array or an expression), or why it is missing, in Markdown.
        values: the values with this fate, if an argument has several fates.

    Example:
        >>> from frameworks.counterparts import OPTIONS
        >>> for fate in OPTIONS["keras"]["merge_mode"]:
        ...     print(f"{fate.values}: {fate.name}, {fate.there}")
        `concat`: native, torch always concatenates the directions
        others: emulated, by hand, from the two halves of `output`
    """

    name: FateName
    there: str
    values: str = "any"


_DRAWN = "the weights are copied; the emulated layers draw theirs as Keras does"
_PENALTY = "a term of the training loss: add it to torch's loss; the emulated layers raise an error for it"
_CONSTRAINT = "acts after each step of the optimizer: apply it there; the emulated layers raise an error for it"

_KERAS: Mapping[str, tuple[Fate, ...]] = {
    "units": (Fate("native", "`hidden_size`"),),
    "activation": (
        Fate("native", "computed by nn.LSTM and nn.GRU; `nonlinearity` of nn.RNN", "`tanh`; in SimpleRNN also `relu`"),
        Fate("emulated", "torch has no argument for it", "others"),
    ),
    "recurrent_activation": (
        Fate("native", "computed by nn.LSTM and nn.GRU", "`sigmoid`"),
        Fate("emulated", "torch has no argument for it", "others"),
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
    "dropout": (Fate("emulated", "in training, one mask for all time steps; torch's `dropout` acts between layers"),),
    "recurrent_dropout": (
        Fate("emulated", "in training, one mask on the hidden state for all time steps; torch has no equivalent"),
    ),
    "seed": (Fate("no effect", "seeds dropout in training; the two frameworks draw different numbers from the same seed"),),
    "return_sequences": (Fate("native", "`output`, or `h_n[-1]` without it; see [return values](return-values.md)"),),
    "return_state": (Fate("native", "`h_n`, `c_n`; see [return values](return-values.md)"),),
    "go_backwards": (Fate("emulated", "by hand: `rnn(x.flip(1))`"),),
    "stateful": (Fate("emulated", "by hand: pass on the states of the last call, detached; see [porting](porting.md)"),),
    "unroll": (Fate("no effect", "torch has no such option"),),
    "use_cudnn": (Fate("no effect", "torch chooses the kernel automatically"),),
    "implementation": (Fate("no effect", "except on dropout in training: 1 draws one mask per gate, and so does `emulate`"),),
    "zero_output_for_mask": (Fate("native", "packing, which outputs zeros; see [masking](masking.md)"),),
    "reset_after": (
        Fate("native", "computed by nn.GRU", "`True`"),
        Fate("emulated", "nn.GRU always applies the reset gate after the recurrent product", "`False`"),
    ),
    "cell": (
        Fate("native", "nn.RNN, nn.LSTM or nn.GRU with one layer", "a built-in cell"),
        Fate("native", "`num_layers`", "a list of built-in cells that are alike"),
        Fate("emulated", "one layer after the other", "a list of built-in cells that differ"),
        Fate("refused", "write its step in torch", "a custom cell"),
    ),
    "cells": (
        Fate("native", "`num_layers`", "built-in cells that are alike"),
        Fate("emulated", "one layer after the other", "built-in cells that differ"),
        Fate("refused", "write its step in torch", "a custom cell among them"),
    ),
    "layer": (Fate("native", "`bidirectional=True`"),),
    "merge_mode": (
        Fate("native", "torch always concatenates the directions", "`concat`"),
        Fate("emulated", "by hand, from the two halves of `output`", "others"),
    ),
    "backward_layer": (
        Fate("native", "the weights with `_reverse`", "of the same kind and size"),
        Fate("emulated", "two modules", "of another kind or size"),
    ),
    "weights": (Fate("no effect", "Keras 3 accepts it and never reads it: use `set_weights` once the layer is built"),),
    "dtype": (
        Fate("native", "`dtype`", "`float32`, `float64`"),
        Fate("emulated", "`convert` and the adapters support only float32 and float64", "half precision, mixed policies"),
    ),
    "trainable": (Fate("no effect", "`requires_grad`: `emulate` copies it, `convert` leaves it True"),),
    "input_shape": (Fate("native", "`input_size`"),),
    "input_dim": (Fate("native", "`input_size`"),),
    "autocast": (Fate("no effect", "torch does not cast inputs"),),
    "name": (Fate("no effect", "torch's modules have no names"),),
}

_HALF = Fate("refused", "cast the module to float32 first", "half precision")

_PYTORCH: Mapping[str, tuple[Fate, ...]] = {
    "input_size": (Fate("native", "learnt from the first inputs, or set by `layer.build((None, None, input_size))`"),),
    "hidden_size": (Fate("native", "`units`"),),
    "num_layers": (Fate("native", "one Keras layer per layer, in a functional Model"),),
    "nonlinearity": (Fate("native", "`activation`"),),
    "bias": (Fate("native", "`use_bias`; an LSTM's or simple RNN's two biases are added up, `emulate` keeps both"),),
    "batch_first": (Fate("native", "Keras's layers are always batch-first: transpose inputs and outputs"),),
    "dropout": (Fate("native", "`Dropout` between layers, in training"),),
    "bidirectional": (Fate("native", "`Bidirectional`"),),
    "proj_size": (Fate("emulated", "Keras has no argument for it"),),
    "device": (Fate("no effect", "Keras places its layers automatically; see `keras.device`"),),
    "dtype": (Fate("native", "`dtype`", "`float32`, `float64`"), _HALF),
}

OPTIONS: Mapping[str, Mapping[str, tuple[Fate, ...]]] = MappingProxyType(
    {"keras": MappingProxyType(_KERAS), "pytorch": MappingProxyType(_PYTORCH)}
)
"""The fates of each argument, by framework. An argument means the same in all layers of a framework that have it."""

REFUSED_ACTIVATIONS: Mapping[str, str] = MappingProxyType(
    {
        "glu": "halves its input, so no recurrent layer of Keras runs with it",
        "threshold": "needs two more arguments, so no recurrent layer of Keras runs with it",
    }
)
"""The Keras activations that no recurrent layer can use, and the reasons."""
