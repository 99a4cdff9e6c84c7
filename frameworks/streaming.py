"""One time step of a recurrent torch module."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from frameworks import registry
from frameworks.adapter import is_adapter


def one_step(module: Any) -> Any:
    """Return one time step of a recurrent torch module as a module, for data that arrive step by step.

    Over the steps of a sequence, the results are those of the module over the whole sequence. The parameters are the module's
    own, and so is its training mode; dropout between layers is applied in training. The step can be exported by torch.export,
    torch.jit.trace and torch.onnx.export, with a free batch size.

    Args:
        module: what `convert` or `emulate` returns in PyTorch: nn.RNN, nn.LSTM, nn.GRU, a cell, or an emulated layer, cell or
            Sequential; or an adapter of one.

    Returns:
        A torch.nn.Module with the call `y, *states = step(x, *states, mask=None)`:

        * x: (batch, input), whatever the module's `batch_first`; token ids, (batch,), for a Sequential that begins with an
          embedding.
        * states: those of the previous step, none for the first. Their order is that of the module's results, without its
          nesting: h_n, and c_n of an LSTM, each (layer, batch, hidden), for a torch module; h, and c of an LSTM, each
          (batch, hidden), for a cell, and for each cell of an emulated layer and each layer of a Sequential.
          `step.initial_states(batch)` returns zeros in this order.
        * mask: (batch,) bool, False where a row has no step. Such a row keeps its states. Its y is what the module returns at a
          masked step: the last valid y, or zero with `zero_output_for_mask`; zero for a torch module, as after packing. An
          embedding with `mask_zero` or a KerasMasking makes the mask itself.
        * y: (batch, hidden), the output of this step.

        The stored states of a stateful layer are neither read nor changed.

    Raises:
        GatewiseError: for a module that needs later steps (two directions, `go_backwards`, a layer over time in a Sequential),
            and for anything else, with what to do; in the call, for states that do not fit, and in training for dropout within
            a cell, which Keras draws once per sequence.

    Example:
        >>> import torch
        >>> from gatewise import one_step
        >>> rnn = torch.nn.LSTM(3, 4, batch_first=True)
        >>> step, states = one_step(rnn), []
        >>> x = torch.randn(2, 5, 3)
        >>> for x_t in x.unbind(1):
        ...     y, *states = step(x_t, *states)
        >>> output, (h_n, c_n) = rnn(x)
        >>> torch.allclose(y, output[:, -1], atol=1e-6), torch.allclose(states[1], c_n, atol=1e-6)
        (True, True)
    """
    registry.load("pytorch")
    native = module.native if is_adapter(module) and hasattr(module, "native") else module
    return import_module("frameworks.keras_in_torch.one_step").OneStep(native)
