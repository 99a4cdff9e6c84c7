"""ONNX's recurrent nodes as Keras layers, called as torch's modules are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import keras

from frameworks.errors import InvalidValueError
from frameworks.spec import CellName, RecurrentSpec
from frameworks.torch_in_keras.layers.module import TorchModule
from frameworks.torch_in_keras.layers.recurrent_layers import TorchRecurrent


@keras.saving.register_keras_serializable(package="gatewise")
class OnnxRecurrent(TorchRecurrent):
    """One layer as ONNX's LSTM, GRU and RNN nodes compute it, with the call, results and names of weights of torch's modules.

    It does what torch's modules cannot: other activations, which may differ by direction, a GRU that resets before the product,
    whose one bias is `bias_ih`, and a direction that reads the sequence from its end alone. Its output is in the time order of
    the input always.
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
            input_size: features of one time step.
            hidden_size: units of one direction.
            bias: whether the gates have a bias.
            batch_first: whether the batch is the first axis of inputs and output, not time.
            bidirectional: whether a second direction reads the sequence from its end.
            go_backwards: whether the only direction does.
            activations: of each direction, `activation` and `recurrent_activation` of its spec; tanh and sigmoid when empty.
            reset_after: of a GRU: whether the reset gate is applied after the recurrent product.
            options: of Keras's layers: name, dtype and trainable.

        Raises:
            GatewiseError: for what no spec holds.
        """
        ways = 2 if bidirectional else 1
        chosen = tuple(dict(each) for each in activations) or ({},) * ways
        if len(chosen) != ways or (bidirectional and go_backwards):
            raise InvalidValueError.because(
                "the directions of OnnxRecurrent",
                must="be one, forward or backward, or both, with activations of each",
                but=f"are bidirectional={bidirectional}, go_backwards={go_backwards} and {len(chosen)} pairs of activations",
                remedy="Give activations one entry a direction.",
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
        """What each direction computes."""
        return tuple(replace(self.spec, reset_after=self.reset_after, **chosen) for chosen in self.activations)

    def get_config(self) -> dict[str, Any]:
        """Give the constructor's arguments."""
        return {**super().get_config(), "activations": [dict(each) for each in self.activations]}
