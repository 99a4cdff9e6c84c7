"""ONNX's recurrent nodes in torch: the emulated Keras cells with the call of torch's modules."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from frameworks.errors import InvalidValueError
from frameworks.keras_in_torch.layers.arguments import check_states
from frameworks.keras_in_torch.layers.call_and_states import KerasLayer
from frameworks.keras_in_torch.layers.recording import Unscriptable, untraced

Tensor = torch.Tensor


class OnnxRecurrent(Unscriptable, nn.Module):
    """One layer of an ONNX LSTM, GRU or RNN node, with the call and results of torch's modules.

    It supports three features that torch's modules lack: other activations, which may differ by direction; a GRU that resets
    before the product; and a single direction that reads the sequence from its end. The output is always in the time order of
    the input.

    Attributes:
        layer: the emulated Keras layer that computes the results and owns the parameters, which have torch's names. It returns
            whole sequences and states.
        batch_first: whether the batch is the first axis of inputs and output, instead of time.

    Example:
        >>> import torch
        >>> from frameworks.emulation.pytorch import KerasGRU, OnnxRecurrent
        >>> layer = KerasGRU(4, reset_after=False, return_sequences=True, return_state=True)
        >>> output, h_n = OnnxRecurrent(layer)(torch.zeros(5, 2, 3))
        >>> output.shape, h_n.shape
        (torch.Size([5, 2, 4]), torch.Size([1, 2, 4]))
    """

    def __init__(self, layer: KerasLayer, *, batch_first: bool = False) -> None:
        """Wrap a layer.

        Raises:
            GatewiseError: for a layer that returns less than whole sequences and states, or is stateful or stacked.
        """
        options = layer.options
        if not (options.return_sequences and options.return_state and not options.stateful and options.nesting == "layers"):
            raise InvalidValueError.because(
                "the layer of an OnnxRecurrent",
                must="have one cell per direction, return whole sequences and states, and not be stateful",
                but=f"has {options}",
                remedy="Make it with return_sequences=True and return_state=True.",
            )
        super().__init__()
        self.layer, self.batch_first = layer, batch_first

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, Any]:  # noqa: A002  torch's
        """Run the layer like a torch module.

        Args:
            input: (time, batch, input); (batch, time, input) with batch_first; (time, input) without a batch; or a
                PackedSequence.
            hx: h_0, or (h_0, c_0) of an LSTM, each (direction, batch, hidden), or (direction, hidden) without a batch; zeros
                when None.

        Returns:
            The output, (time, batch, direction * hidden), or laid out or packed as the input; and h_n, or (h_n, c_n) of an
            LSTM.

        Raises:
            GatewiseError: for arguments that do not fit the layer.
        """
        if isinstance(input, PackedSequence):
            return self._run_packed(input, hx)
        if input.ndim == 2:
            batched = None if hx is None else self._as_hx(tuple(state.unsqueeze(1) for state in self._states(hx)))
            output, finals = self._run(input.unsqueeze(0), batched, None)
            return output.squeeze(0), self._as_hx(tuple(state.squeeze(1) for state in finals))
        output, finals = self._run(input if self.batch_first else input.transpose(0, 1), hx, None)
        return output if self.batch_first else output.transpose(0, 1), self._as_hx(finals)

    def _run_packed(self, packed: PackedSequence, hx: Any) -> tuple[PackedSequence, Any]:
        x, lengths = pad_packed_sequence(packed, batch_first=True)
        output, finals = self._run(x, hx, torch.arange(x.shape[1]) < lengths.unsqueeze(1))
        if packed.sorted_indices is not None:
            order = packed.sorted_indices
            output, lengths = output[order], lengths[order.cpu()]
        data = pack_padded_sequence(output, lengths, batch_first=True).data
        return packed._replace(data=data), self._as_hx(finals)

    def _run(self, x: Tensor, hx: Any, mask: Tensor | None) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Run (batch, time, input), and return the output and the states, (direction, batch, hidden)."""
        names, ways = self._names, len(self.layer.readings)
        start = None if hx is None else self._rows(self._states(hx), x)
        output, *finals = self.layer(x, initial_state=start, mask=None if mask is None else mask.to(x.device))
        if self.layer.options.go_backwards:
            output = output.flip(1)
        return output, tuple(torch.stack(finals[place :: len(names)][:ways]) for place in range(len(names)))

    def _rows(self, states: tuple[Any, ...], x: Tensor) -> list[Tensor]:
        """Return states in the form of Keras's layers, forward before backward, h before c."""
        cells = [reading.cells[0] for reading in self.layer.readings]
        for name, state in zip(self._names, states, strict=True):
            _check_directions(f"{name}_0 of hx", state, len(cells))
        return [row for way, cell in enumerate(cells) for row in check_states("hx", [state[way] for state in states], cell, x)]

    def _states(self, hx: Any) -> tuple[Any, ...]:
        alone = len(self._names) == 1
        if isinstance(hx, (tuple, list)) is alone or (not alone and len(hx) != len(self._names)):
            raise InvalidValueError.because(
                "hx",
                must="be the tensor h_0" if alone else "be the pair (h_0, c_0)",
                but=f"is a {type(hx).__name__}",
                remedy="Pass the states as the layer returns them.",
            )
        return (hx,) if alone else tuple(hx)

    def _as_hx(self, states: tuple[Tensor, ...]) -> Any:
        return states if len(states) > 1 else states[0]

    @property
    def _names(self) -> tuple[str, ...]:
        return self.layer.slots[0].cell.state_names


@untraced
def _check_directions(subject: str, state: Any, directions: int) -> None:
    if not isinstance(state, Tensor) or state.ndim != 3 or state.shape[0] != directions:
        raise InvalidValueError.because(
            subject,
            must=f"be a tensor (direction, batch, hidden) of {directions} directions",
            but=f"is {tuple(state.shape) if isinstance(state, Tensor) else type(state).__name__}",
            remedy="Its axes are those of torch: the batch is always second.",
        )
