"""The weights that a framework starts from, drawn in the other: each module is named for the framework it is written in.

What is drawn, both ways:

    tensor                   Keras                                           PyTorch
    kernel                   Glorot uniform over all gates at once           uniform within 1 / sqrt(hidden)
    recurrent kernel         one orthogonal matrix over all gates            uniform within 1 / sqrt(hidden)
    bias                     zero, of an LSTM's forget gate one              uniform within 1 / sqrt(hidden), twice
    Embedding                uniform within 0.05                             normal, deviation 1; zero at padding_idx
    Dense, Linear, Conv      Glorot uniform; bias zero                       uniform within 1 / sqrt(fan in), the bias too
    normalisation            scale one, shift zero                           the same
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from frameworks import registry
from frameworks.errors import InvalidTypeError, InvalidValueError
from frameworks.rows import owner_of, row_of


def initialise_like_keras(torch_module: Any, seed: int | None = None) -> Any:
    """Draw the parameters of a torch module anew, in place, from what Keras's layers start from by default.

    An LSTM's and an RNN's second bias becomes zero, where Keras has but one; an nn.LSTM's projection starts as a Dense layer's
    kernel. The row of an Embedding's padding_idx becomes zero, as torch makes it: Keras has no such argument. A parameter that
    two modules share is drawn once, as the first of them starts. Gradients, requires_grad and an optimizer's slots stay.

    Args:
        torch_module: nn.RNN, nn.LSTM, nn.GRU, their cells; Linear, Embedding, Conv, normalisation; Keras's layers that are
            emulated in torch; or any module made of these alone.
        seed: makes the draw repeatable, the same on every device, and leaves the global random state alone; without it torch's
            global generator of the CPU is drawn from.

    Returns:
        The module itself.

    Raises:
        GatewiseError: for a parameter of any other kind, by name, and for one without memory yet; nothing is written then.

    Source:
        keras/src/layers/rnn/{simple_rnn,lstm,gru}.py (`build` of the cells), keras/src/layers/core/{dense,embedding}.py.
    """
    _require(torch_module, "pytorch", seed)
    registry.load("pytorch")
    return import_module("frameworks.keras_in_torch.starts").initialise_like_keras(torch_module, seed)


def initialise_like_pytorch(keras_layer: Any, seed: int | None = None) -> Any:
    """Draw the weights of a Keras layer anew, in place, from what torch's modules start from by default.

    torch draws two biases and an LSTM or RNN adds them: the one bias that Keras keeps is drawn as such a sum, whose
    distribution is a triangle; of a GRU with reset_after both rows are drawn, without it the one. An Embedding's row 0 is drawn
    as the others, with mask_zero too: Keras trains it. A variable that two layers share is drawn once. Whether a layer is
    trainable, whatever initialisers it was made with, and an optimizer's slots have no part in it, and stay.

    Args:
        keras_layer: built: SimpleRNN, LSTM, GRU, Bidirectional, RNN, their cells; Dense, Embedding, Conv, normalisation;
            torch's modules that are emulated in Keras; or any layer or model made of these alone.
        seed: makes the draw repeatable on one backend and leaves every global random state alone; without it a seed for each
            weight is drawn from Python's `random`, where Keras's own initialisers take theirs.

    Returns:
        The layer itself.

    Raises:
        GatewiseError: for a weight of any other kind, by name, and for a layer that is not built; nothing is written then.

    Source:
        `reset_parameters` in torch/nn/modules/{rnn,linear,conv,sparse}.py.
    """
    _require(keras_layer, "keras", seed)
    registry.load("keras")
    return import_module("frameworks.torch_in_keras.starts").initialise_like_pytorch(keras_layer, seed)


_WANTED = {
    "pytorch": ("a torch.nn.Module", "Pass the module itself; for Keras's layers there is initialise_like_pytorch"),
    "keras": ("a layer or model of Keras 3", "Pass the layer itself; for torch's modules there is initialise_like_keras"),
}


def _require(native: Any, framework: str, seed: object) -> None:
    wanted, remedy = _WANTED[framework]
    of_keras_2 = any(base.__module__.startswith("tf_keras.") for base in type(native).__mro__)
    if owner_of(native) is not row_of(framework) or of_keras_2:
        kind = type(native)
        raise InvalidTypeError.because(
            "what is initialised", must=f"be {wanted}", but=f"is a {kind.__module__}.{kind.__qualname__}", remedy=f"{remedy}."
        )
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63):
        raise InvalidValueError.because(
            "seed", must="be a whole number from 0 to 2**63 - 1, or None", but=f"is {seed!r}", remedy="Give one, such as 0."
        )
