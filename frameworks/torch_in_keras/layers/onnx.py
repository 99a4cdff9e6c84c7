"""ONNX's recurrent nodes as Keras layers, with the call of torch's modules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import keras

from frameworks.cells import CellName
from frameworks.errors import InvalidValueError
from frameworks.spec import RecurrentSpec
from frameworks.torch_in_keras.layers.module import TorchModule
from frameworks.torch_in_keras.layers.recurrent_layers import TorchRecurrent


@keras.saving.register_keras_serializable(package="gatewise")
class OnnxRecurrent(TorchRecurrent):
    """One layer of an ONNX LSTM, GRU or RNN node, with the call, results and weight names of torch's modules.

    It supports three features that torch's modules lack: other activations, which may differ by direction; a GRU that resets
    before the product, whose only bias is `bias_ih`; and a single direction that reads the sequence from its end. The output is
    always in the time order of the input.

    Example:
        >>> import numpy as np
        >>> from frameworks.emulation.keras import OnnxRecurrent
        >>> layer = OnnxRecurrent("gru", 3, 4, reset_after=False)
        >>> output, h_n = layer(np.zeros((5, 2, 3), "float32"))
        >>> tuple(output.shape), tuple(h_n.shape)
        ((5, 2, 4), (1, 2, 4))
    """

    def __init__(
        self,
        cell: CellName,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        batch_first: bool = False,
        bidirectional: bool = False,
        go_backwards: bool = False,
        activations: Sequence[Mapping[str, str]] = (),
        reset_after: bool = True,
        **options: Any,
    ) -> None:
        """Make the layer.

        Args:
            cell: "lstm", "gru" or "rnn".
            input_size: the features of one time step.
            hidden_size: the units of one direction.
            bias: whether the gates have a bias.
            batch_first: whether the batch is the first axis of inputs and output, instead of time.
            bidirectional: whether a second direction reads the sequence from its end.
            go_backwards: whether the only direction reads the sequence from its end.
            activations: each direction's `activation` and `recurrent_activation`, as in a spec; tanh and sigmoid when empty.
            reset_after: whether a GRU applies its reset gate after the recurrent product.
            options: Keras's name, dtype and trainable.

        Raises:
            GatewiseError: for options that no spec supports.
        """
        ways = 2 if bidirectional else 1
        chosen = tuple(dict(each) for each in activations) or ({},) * ways
        if len(chosen) != ways or (bidirectional and go_backwards):
            raise InvalidValueError.because(
                "the directions of OnnxRecurrent",
                must="be forward, backward or both, with activations for each",
                but=f"are bidirectional={bidirectional}, go_backwards={go_backwards} and {len(chosen)} pairs of activations",
                remedy="Pass one entry of activations for each direction.",
            )
        arguments = {
            "cell": cell,
            "input_size": input_size,
            "hidden_size": hidden_size,
            "bias": bias,
            "batch_first": batch_first,
            "bidirectional": bidirectional,
            "go_backwards": go_backwards,
            "activations": chosen,
            "reset_after": reset_after,
        }
        TorchModule.__init__(self, arguments, options)
        self.prepare()
        self.spec, *_ = self.specs

    @property
    def specs(self) -> tuple[RecurrentSpec, ...]:
        """The spec of each direction."""
        return tuple(replace(self.spec, reset_after=self.reset_after, **chosen) for chosen in self.activations)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "activations": [dict(each) for each in self.activations]}
