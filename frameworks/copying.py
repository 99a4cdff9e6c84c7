"""Copying weights from one layer to another, and converting a layer, which builds its counterpart and copies the weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from frameworks import registry, whole_models
from frameworks.adapter import Adapter
from frameworks.counterparts import require_counterpart
from frameworks.errors import InvalidValueError
from frameworks.layouts import Layout
from frameworks.rows import FrameworkName
from frameworks.showing import Shown, markdown_blocks, markdown_table
from frameworks.shown_layers import described
from frameworks.spec import RecurrentSpec
from frameworks.transpose import copy_arrays
from frameworks.weights import BIASES, DirectionWeights, RecurrentWeights, check_weights

Array = npt.NDArray[np.floating]


@dataclass(frozen=True, repr=False)
class CopySummary(Shown):
    """What `copy_weights` copied. Its text, in a REPL or a notebook, says it in a line.

    Args:
        source: the layer that was read: its framework, class, name and sizes.
        target: the layer that was written.
        layers: the number of recurrent layers.
        arrays: the number of arrays of the target that were written.
        biases: what became of the biases if the two store different numbers of them; otherwise "".

    Example:
        >>> import torch
        >>> from gatewise import copy_weights
        >>> summary = copy_weights(torch.nn.LSTM(3, 4, num_layers=2), torch.nn.LSTM(3, 4, num_layers=2))
        >>> summary.layers, summary.arrays
        (2, 8)
    """

    source: str
    target: str
    layers: int
    arrays: int
    biases: str = ""

    _longest: ClassVar[int] = 240

    def to_markdown(self) -> str:
        """Return the copy as a table."""
        row = (self.source, self.target, self.layers, self.arrays, self.biases)
        return markdown_blocks(markdown_table(("source", "target", "layers", "arrays", "biases"), [row]))

    def _in_a_line(self) -> str:
        layers, arrays = (f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in self._counts())
        biases = f"; {self.biases}" if self.biases else ""
        return f"copied {self.source} into {self.target}: {layers}, {arrays}{biases}"

    def _counts(self) -> tuple[tuple[int, str], ...]:
        return (self.layers, "layer"), (self.arrays, "array")


def copy_weights(source: Any, target: Any) -> CopySummary:
    """Copy all recurrent weights of `source`, the first argument, into `target`, the second.

    Both are layers, of the same framework or of two.

    Gates are paired by name. The copy is exact if both sides have the same number of biases, as GRUs do. An LSTM or simple RNN
    has one bias in Keras and two in PyTorch: a copy to PyTorch sets `bias_hh` to 0, and a copy to Keras adds the two. So a
    round trip that starts in Keras keeps every bit, and one that starts in PyTorch computes the same function up to the
    rounding of that sum. NaN and infinities are copied as they are. Everything is checked before the first write. The two
    layers share no memory afterwards.

    Args:
        source: a layer that `adapt` accepts, or an adapter.
        target: likewise; all of its recurrent weights are replaced.

    Returns:
        What was copied.

    Raises:
        GatewiseError: if the two do not compute the same recurrence with the same sizes and dtype; nothing is written then.

    Example:
        >>> import torch
        >>> from gatewise import copy_weights
        >>> source, target = torch.nn.GRU(3, 4), torch.nn.GRU(3, 4, batch_first=True)
        >>> copy_weights(source, target)
        <copied PyTorch nn.GRU (3 -> 4) into PyTorch nn.GRU (3 -> 4): 1 layer, 4 arrays>
        >>> torch.equal(source.weight_ih_l0, target.weight_ih_l0)
        True
    """
    try:
        giver, taker = registry.adapt(source), registry.adapt(target)
    except whole_models.WholeModelError:
        raise whole_models.pair_up("copy_weights", source, target) from None
    _require_same(giver.spec, taker)
    biases = _fate_of_biases(giver.read(0, 0), taker.read(0, 0))
    arrays = sum(
        taker.write(layer, direction, giver.read(layer, direction))
        for layer in range(taker.spec.num_layers)
        for direction in range(taker.spec.num_directions)
    )
    return CopySummary(described(giver), described(taker), taker.spec.num_layers, arrays, biases)


def convert(native: Any, to: FrameworkName = "pytorch") -> Any:
    """Build the other framework's own layer and copy the weights into it.

    Args:
        native: a layer that `adapt` accepts, or an adapter.
        to: "keras" or "pytorch" ("torch" is the same); may also be the layer's own framework.

    Returns:
        For "pytorch": nn.RNN, nn.LSTM or nn.GRU with batch_first=True; for a bare cell, torch's cell. A Keras layer becomes a
        module in eval mode; a torch module keeps its mode.
        For "keras": one layer with return_sequences and return_state; for several layers, a functional Model that returns
        (output, *states), layer by layer, direction by direction, h before c; for a bare cell, Keras's cell.
        Dropout between layers is carried over. Weights are as exact as those of `copy_weights`.

    Raises:
        NoCounterpartError: for anything that the other framework's layer cannot represent or would silently do differently.

    Example:
        >>> import keras
        >>> from gatewise import convert
        >>> layer = keras.layers.Bidirectional(keras.layers.LSTM(4, return_sequences=True))
        >>> layer.build((None, None, 3))
        >>> convert(layer, to="pytorch")
        LSTM(3, 4, batch_first=True, bidirectional=True)
    """
    try:
        source = registry.adapt(native)
    except whole_models.WholeModelError as error:
        raise whole_models.unported(error, "convert", to) from None
    module = registry.load(to)
    require_counterpart(source.spec, to, source.options, source.dropout)
    counterpart = module.build_like(source)
    copy_weights(source, counterpart)
    return counterpart


def set_weights(adapter: Adapter, weights: RecurrentWeights) -> None:
    """Check all canonical weights, then write them into the adapter's layer."""
    check_weights(weights, adapter.spec)
    for layer, direction, one in weights:
        adapter.write(layer, direction, one)


def get_weights(adapter: Adapter) -> RecurrentWeights:
    """Return the adapter's weights in canonical form, as read-only copies."""
    spec = adapter.spec
    views = (
        tuple(adapter.read(layer, direction) for direction in range(spec.num_directions)) for layer in range(spec.num_layers)
    )
    return RecurrentWeights(tuple(views)).owned()


def fill(stored: Mapping[str, Array], layout: Layout, spec: RecurrentSpec, layer: int, source: DirectionWeights) -> None:
    """Write one direction's weights into a framework's stored arrays, in place; parts stored in other arrays are left out.

    Every number is stored exactly, except where a sum is rounded: if two biases become one, or if the framework adds a
    constant to the stored numbers.

    Args:
        stored: some or all of the framework's arrays of that direction, by name in the framework.
        layout: the framework's table.
        spec: the spec of the whole stack.
        layer: the index of the layer.
        source: weights of the same sizes, in any gate order and with one or two biases.
    """
    blocks = list(layout.blocks(stored, spec, layer))
    if any(block.part in BIASES for block in blocks):
        source = match_biases(source, two=layout.has_two_biases(spec))
        source = source.with_one_bias_for(layout.gates_with_one_bias(spec))
    copy_arrays((block.array, getattr(source, block.part)[source.gates.index(block.gate)]) for block in blocks)
    for block in blocks:
        block.encode()


def match_biases(source: DirectionWeights, *, two: bool) -> DirectionWeights:
    """Return the same weights with one bias, the sum of two, or with two biases, the second of which is zero."""
    if source.bias is None or two == (source.recurrent_bias is not None):
        return source
    if two:
        return replace(source, recurrent_bias=np.zeros_like(source.bias))
    return replace(source, bias=source.summed_bias(), recurrent_bias=None)


def _fate_of_biases(source: DirectionWeights, target: DirectionWeights) -> str:
    if (source.recurrent_bias is None) == (target.recurrent_bias is None):
        return ""
    if source.recurrent_bias is None:
        return "each second bias is 0, see freeze_second_bias before training"
    return "each two biases are added into one"


def _require_same(spec: RecurrentSpec, target: Adapter) -> None:
    for field in fields(RecurrentSpec):
        wanted, actual = getattr(spec, field.name), getattr(target.spec, field.name)
        if wanted != actual:
            require_counterpart(spec, target.framework)
            raise InvalidValueError.because(
                f"{field.name} of the target",
                must=f"be {wanted!r} like the source's",
                but=f"is {actual!r}",
                remedy="Build the target with the same sizes and options, or let convert build it.",
            )
