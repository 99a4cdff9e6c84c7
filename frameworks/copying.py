"""Carrying weights over: the copy between two layers, and the conversion that builds the counterpart first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from frameworks import registry
from frameworks.adapter import Adapter
from frameworks.counterparts import require_counterpart
from frameworks.errors import InvalidValueError
from frameworks.layouts import Layout
from frameworks.rows import FrameworkName
from frameworks.spec import RecurrentSpec
from frameworks.transpose import copy_arrays
from frameworks.weights import BIASES, DirectionWeights, RecurrentWeights, check_weights

Array = npt.NDArray[np.floating]


def copy_weights(source: Any, target: Any) -> None:
    """Copy all recurrent weights of one layer into another, of the same framework or the other.

    Gates are paired by name. A GRU comes back bit for bit, and so does whatever has as many biases on both sides. An LSTM or
    simple RNN has one bias in Keras and two in PyTorch: towards PyTorch `bias_hh` becomes 0; towards Keras the two are added,
    so that a round trip from PyTorch keeps the function exactly up to that one rounding, and one from Keras every bit.
    NaN and infinities are copied as they are. Everything is checked before the first write; afterwards neither side sees the
    other's changes.

    Args:
        source: a layer that `adapt` takes, or an adapter.
        target: likewise; every one of its recurrent weights is replaced.

    Raises:
        GatewiseError: if the two do not compute the same recurrence in the same sizes and dtype; nothing is written then.
    """
    giver, taker = registry.adapt(source), registry.adapt(target)
    _require_same(giver.spec, taker)
    for layer in range(taker.spec.num_layers):
        for direction in range(taker.spec.num_directions):
            taker.write(layer, direction, giver.read(layer, direction))


def convert(native: Any, to: FrameworkName = "pytorch") -> Any:
    """Build the other framework's own layer and copy the weights into it.

    To "pytorch": nn.RNN, nn.LSTM or nn.GRU with batch_first=True (a Cell for a cell), in eval mode, as a Keras layer that is
    called without `training` is; a module's own mode is kept. To "keras": the layer with return_sequences and return_state on
    for one layer, a functional Model returning (output, *states) for several, layer by layer, direction by direction, h before
    c; a Cell for a Cell. Dropout between layers is carried over. Weights are exact as `copy_weights` says.

    Args:
        native: a layer that `adapt` takes, or an adapter.
        to: "keras" or "pytorch" ("torch" is the same); may be the framework that the layer is of.

    Raises:
        NoCounterpartError: for what the other framework's layer cannot hold, or would silently do otherwise.
    """
    source = registry.adapt(native)
    module = registry.load(to)
    require_counterpart(source.spec, to, source.options, source.dropout)
    counterpart = module.build_like(source)
    copy_weights(source, counterpart)
    return counterpart


def set_weights(adapter: Adapter, weights: RecurrentWeights) -> None:
    """Check canonical weights whole, then write them into the adapter's layer."""
    check_weights(weights, adapter.spec)
    for layer, direction, one in weights:
        adapter.write(layer, direction, one)


def get_weights(adapter: Adapter) -> RecurrentWeights:
    """Give the adapter's weights in canonical form, as read-only copies."""
    spec = adapter.spec
    views = (
        tuple(adapter.read(layer, direction) for direction in range(spec.num_directions)) for layer in range(spec.num_layers)
    )
    return RecurrentWeights(tuple(views)).owned()


def fill(stored: Mapping[str, Array], layout: Layout, spec: RecurrentSpec, layer: int, source: DirectionWeights) -> None:
    """Write the part of one direction's weights that lives in the given stored arrays, in place.

    Every number is stored exactly, but for the rounding of a sum: where two biases become one, and where the framework adds
    something to what it stores.

    Args:
        stored: some or all of the framework's arrays of that direction, by their names there.
        layout: the framework's table.
        spec: what they are the weights of.
        layer: which layer of it.
        source: weights of the same sizes, in any gate order and with as many biases as they like.
    """
    blocks = list(layout.blocks(stored, spec, layer))
    if any(block.part in BIASES for block in blocks):
        source = match_biases(source, two=layout.has_two_biases(spec))
        source = source.with_one_bias_for(layout.gates_with_one_bias(spec))
    copy_arrays((block.array, getattr(source, block.part)[source.gates.index(block.gate)]) for block in blocks)
    for block in blocks:
        block.encode()


def match_biases(source: DirectionWeights, *, two: bool) -> DirectionWeights:
    """Give the same weights with one bias, the sum, or with two, the second of which is zero."""
    if source.bias is None or two == (source.recurrent_bias is not None):
        return source
    if two:
        return replace(source, recurrent_bias=np.zeros_like(source.bias))
    return replace(source, bias=source.summed_bias(), recurrent_bias=None)


def _require_same(spec: RecurrentSpec, target: Adapter) -> None:
    for field in fields(RecurrentSpec):
        wanted, found = getattr(spec, field.name), getattr(target.spec, field.name)
        if wanted != found:
            require_counterpart(spec, target.framework)
            raise InvalidValueError.because(
                f"{field.name} of the target",
                must=f"be the source's, {wanted!r}",
                but=f"is {found!r}",
                remedy="Build the target with the same sizes and options, or let convert build it.",
            )
