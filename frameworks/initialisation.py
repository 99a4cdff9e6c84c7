"""Initial weights, drawn from the other framework's distributions.

The distributions:

    tensor                   Keras                                           PyTorch
    kernel                   Glorot uniform over all gates at once           uniform within 1 / sqrt(hidden)
    recurrent kernel         one orthogonal matrix over all gates            uniform within 1 / sqrt(hidden)
    bias                     zero; one for an LSTM's forget gate             uniform within 1 / sqrt(hidden), twice
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
    """Redraw the parameters of a torch module in place, from the distributions that Keras's layers use by default.

    The second bias of nn.LSTM and nn.RNN becomes zero, because Keras has only one; the projection of an nn.LSTM is drawn as a
    Dense layer's kernel. The row of an Embedding's padding_idx becomes zero, as in torch: Keras has no such argument. A
    parameter that two modules share is drawn once, from the distribution of the first. Gradients, requires_grad and an
    optimizer's slots do not change.

    Args:
        torch_module: nn.RNN, nn.LSTM, nn.GRU or their cells; Linear, Embedding, Conv or normalisation; one of Keras's layers
            emulated in torch; or any module made only of these.
        seed: makes the draw repeatable and the same on every device, and leaves the global random state alone. Without it,
            numbers come from torch's global CPU generator.

    Returns:
        The module itself.

    Raises:
        GatewiseError: for any other kind of parameter, with its name, and for one without memory yet; nothing is written then.

    Source:
        keras/src/layers/rnn/{simple_rnn,lstm,gru}.py (`build` of the cells), keras/src/layers/core/{dense,embedding}.py.

    Example:
        >>> import torch
        >>> from gatewise import initialise_like_keras
        >>> lstm = initialise_like_keras(torch.nn.LSTM(3, 2), seed=0)
        >>> lstm.bias_ih_l0.tolist()
        [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    """
    _require(torch_module, "pytorch", seed)
    registry.load("pytorch")
    return import_module("frameworks.keras_in_torch.starts").initialise_like_keras(torch_module, seed)


def initialise_like_pytorch(keras_layer: Any, seed: int | None = None) -> Any:
    """Redraw the weights of a Keras layer in place, from the distributions that torch's modules use by default.

    torch draws two biases, which an LSTM or RNN adds. The single bias in Keras is therefore drawn as the sum of two uniform
    numbers, which has a triangular distribution. Of a GRU with reset_after both rows of the bias are drawn, and of one without
    it the only row. Row 0 of an Embedding is drawn like the others, also with mask_zero, because Keras trains it. A variable
    that two layers share is drawn once. The layer's own initialisers do not matter; whether it is trainable, and an optimizer's
    slots, do not change.

    Args:
        keras_layer: a built SimpleRNN, LSTM, GRU, Bidirectional, RNN or cell; Dense, Embedding, Conv or normalisation; one of
            torch's modules emulated in Keras; or any layer or model made only of these.
        seed: makes the draw repeatable on one backend and leaves every global random state alone. Without it, the seed of each
            weight comes from Python's `random`, as in Keras's initialisers.

    Returns:
        The layer itself.

    Raises:
        GatewiseError: for any other kind of weight, with its name, and for a layer that is not built; nothing is written then.

    Source:
        `reset_parameters` in torch/nn/modules/{rnn,linear,conv,sparse}.py.

    Example:
        >>> import keras
        >>> from gatewise import initialise_like_pytorch
        >>> dense = keras.layers.Dense(2)
        >>> dense.build((None, 4))
        >>> kernel, bias = initialise_like_pytorch(dense, seed=0).get_weights()
        >>> bool(abs(kernel).max() <= 1 / 4**0.5), bool(bias.any())
        (True, True)
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
            "the object to initialise",
            must=f"be {wanted}",
            but=f"is a {kind.__module__}.{kind.__qualname__}",
            remedy=f"{remedy}.",
        )
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63):
        raise InvalidValueError.because(
            "seed", must="be a whole number from 0 to 2**63 - 1, or None", but=f"is {seed!r}", remedy="Pass one, such as 0."
        )
