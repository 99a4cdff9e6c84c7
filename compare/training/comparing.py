"""Training a Keras model and its PyTorch port on the same batches with the same rule, and recording their distance."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.training.checkpoint import TrainingCheckpoint
from compare.training.parameters import is_stored, kind_of, reader
from compare.training.together import train_together
from compare.training.trajectory import Trajectory
from frameworks import loss_like, optimizer_like, registry
from frameworks.errors import InvalidTypeError, InvalidValueError, NoCounterpartError

Array = npt.NDArray[Any]
Batch = tuple[Any, Array]


def compare_training(  # noqa: PLR0913  all but four by name
    keras_model: Any,
    module: Any,
    batch_of: Callable[[int], Batch],
    steps: int,
    *,
    optimizer: Any,
    loss: Any,
    pairs: Sequence[tuple[Any, Any]] | None = None,
    every: int = 10,
    checkpoint: TrainingCheckpoint | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Trajectory:
    """Train a Keras model and its port side by side, with the same batches, loss and update rule.

    Both are trained in place, and the call does not make them equal first. Copy the weights before, and freeze torch's second
    biases; otherwise the distances show the difference. The rows of an embedding's gradient are summed before Keras's
    optimizer gets them. Keras's `fit` on TensorFlow does not sum them.

    Args:
        keras_model: a built model, on Keras's TensorFlow or torch backend.
        module: a torch.nn.Module that is called like the model.
        batch_of: a function from a step, counted from 0, to its inputs and targets as NumPy, always the same for the same step.
            Several inputs are a list, tuple or dict, and the module gets the same.
        steps: the number of steps.
        optimizer: a Keras optimizer; the module gets its `optimizer_like`.
        loss: a Keras loss or its name; the module gets its `loss_like`. A loss object for a float64 model needs
            dtype="float64".
        pairs: the Keras layers with parameters, each with its torch module. When None, the layers and the
            modules with parameters are paired in the order in which they were added.
        every: the number of steps between two measurements of the distances.
        checkpoint: the checkpoint to resume from and to save to, see `compare.training.train_together`.
        progress: a function called after each step with the numbers of finished steps and of all steps.

    Returns:
        The losses of "keras" and "pytorch", and the distances of each parameter, `LAYER.NAME`. An LSTM's biases are compared as
        their sum.

    Raises:
        GatewiseError: for an optimizer, schedule or loss without a counterpart; for parameters that do not pair up or that only
            one side trains; for dropout, regularisers and a mask that reaches the loss; and as `train_together`.

    Example:
        >>> import keras, numpy as np
        >>> from gatewise import compare_training, emulate
        >>> layer = keras.layers.LSTM(2)
        >>> model = keras.Sequential([keras.Input((5, 3)), layer])
        >>> port = emulate(layer)
        >>> batch = np.ones((4, 5, 3), "float32"), np.zeros((4, 2), "float32")
        >>> trajectory = compare_training(
        ...     model, port, lambda step: batch, steps=5, optimizer=keras.optimizers.Adam(0.01), loss="mse"
        ... )
        >>> trajectory.steps, bool(trajectory.farthest("pytorch").max() < 1e-5)
        (5, True)
    """
    registry.load("keras")
    registry.load("pytorch")
    from compare.training import keras as in_keras
    from compare.training import pytorch as in_pytorch

    loss_in_keras = _loss_object(loss, keras_model)
    paired = list(pairs) if pairs is not None else _pair_layers(keras_model, module)
    loss_in_torch = loss_like(loss_in_keras)
    torch_optimizer = _follow(optimizer, keras_model, module, paired)
    names = _names(paired)

    def keras_loss(inputs: Any, targets: Any) -> Any:
        prediction = keras_model(inputs, training=True)
        _require_no_mask(prediction)
        return loss_in_keras(targets, prediction)

    def torch_loss(inputs: Any, targets: Array) -> Any:
        import keras
        import torch

        module.train()
        return loss_in_torch(module(keras.tree.map_structure(torch.as_tensor, inputs)), torch.as_tensor(targets))

    sides: dict[str, Any] = {
        "keras": in_keras.KerasSide(
            keras_model, optimizer, keras_loss, reader(zip(names, (one for one, _ in paired), strict=True))
        ),
        "pytorch": in_pytorch.PyTorchSide(
            module, torch_optimizer, torch_loss, reader(zip(names, (one for _, one in paired), strict=True))
        ),
    }
    if steps:
        for name, side in sides.items():
            _require_determined(name, side, batch_of(0))
        _require_no_further_losses(keras_model)
    return train_together(sides, batch_of, steps, every=every, checkpoint=checkpoint, progress=progress)


def _loss_object(loss: Any, model: Any) -> Any:
    """Return the loss as an object; require it to compute in the model's dtype."""
    from frameworks.keras_in_torch.losses import named_loss

    if not model.weights:
        raise InvalidValueError.because(
            "the Keras model", must="be built", but="has no weights yet", remedy="Call it once on data."
        )
    dtype = str(model.weights[0].dtype)
    if isinstance(loss, str):
        return named_loss(loss, dtype)
    loss_dtype = getattr(loss, "dtype", dtype)
    if loss_dtype != dtype:
        raise InvalidValueError.because(
            "the loss",
            must=f"compute in the model's dtype, {dtype}",
            but=f"computes in {loss_dtype}",
            remedy=f'Make it with dtype="{dtype}".',
        )
    if getattr(loss, "reduction", "mean") in (None, "none"):
        raise InvalidValueError.because(
            "the loss", must="be one number per batch", but="has reduction 'none'", remedy="Make it with another reduction."
        )
    return loss


def _follow(optimizer: Any, model: Any, module: Any, pairs: Sequence[tuple[Any, Any]]) -> Any:
    """Make the module's optimizer; require it to train all trainable parameters."""
    import keras

    if not isinstance(optimizer, keras.optimizers.Optimizer):
        raise InvalidTypeError.because(
            "the optimizer",
            must="be a Keras optimizer",
            but=f"is {optimizer!r}",
            remedy="Pass the object, such as model.optimizer.",
        )
    if not optimizer.built:
        optimizer.build(model.trainable_variables)
    followed = optimizer_like(optimizer, pairs)
    trained = {id(parameter) for group in followed.param_groups for parameter in group["params"]}
    unpaired = [name for name, one in module.named_parameters() if one.requires_grad and id(one) not in trained]
    if unpaired:
        raise InvalidValueError.because(
            "the trainable parameters of the module",
            must="all pair up with variables of the Keras model",
            but=f"leave {', '.join(unpaired)}",
            remedy="Pair each of them; if Keras does not train one, freeze it with requires_grad_(False).",
        )
    return followed


def _pair_layers(model: Any, module: Any) -> list[tuple[Any, Any]]:
    layers, modules = (list(dict.fromkeys(leaves)) for leaves in (_keras_leaves(model), _torch_leaves(module)))
    kinds = [", ".join(kind_of(one).partition(" ")[2] for one in side) for side in (layers, modules)]
    if len(layers) != len(modules) or any(
        is_stored(one) != is_stored(other) for one, other in zip(layers, modules, strict=True)
    ):
        raise InvalidValueError.because(
            "the layers of the module",
            must=f"pair up with those of the Keras model, {kinds[0]}",
            but=f"are {kinds[1]}",
            remedy="Pass pairs=[(keras_layer, torch_module), ...].",
        )
    return list(zip(layers, modules, strict=True))


def _keras_leaves(layer: Any) -> Iterator[Any]:
    """Yield the innermost layers with parameters; a recurrent layer is yielded as a whole."""
    import keras

    inner = (
        []
        if isinstance(layer, (keras.layers.RNN, keras.layers.Bidirectional))
        else layer._flatten_layers(include_self=False, recursive=False)
    )
    inner = [one for one in inner if one.weights]
    if inner:
        for one in inner:
            yield from _keras_leaves(one)
    elif layer.weights:
        yield layer


def _torch_leaves(module: Any) -> Iterator[Any]:
    inner = [one for one in module.children() if any(True for _ in one.parameters())]
    if inner:
        for one in inner:
            yield from _torch_leaves(one)
    elif any(True for _ in module.parameters()):
        yield module


def _names(pairs: Sequence[tuple[Any, Any]]) -> list[str]:
    """Name each pair after the Keras layer, with a number if several layers have the same name."""
    names = [layer.name for layer, _ in pairs]
    return [name if names.count(name) == 1 else f"{name} ({names[:at].count(name)})" for at, name in enumerate(names)]


def _require_determined(name: str, side: Any, batch: Batch) -> None:
    """Require a model that draws no random numbers in training: its loss on one batch must be the same twice."""
    import torch

    from frameworks.keras.tensors import to_numpy

    before = side.state()
    with torch.random.fork_rng(devices=[]):
        losses = [float(to_numpy(side.loss_of(*batch))) for _ in range(2)]
    side.restore(before)
    if losses[0] != losses[1] and not any(np.isnan(losses)):
        raise NoCounterpartError.because(
            f"the training of {name}",
            must="depend only on parameters and batches",
            but=f"returns a loss of {losses[0]} and then {losses[1]} on the same batch",
            remedy="Set the dropout rates to 0 for the comparison: the frameworks draw different random numbers.",
        )


def _require_no_mask(prediction: Any) -> None:
    if getattr(prediction, "_keras_mask", None) is not None:
        raise NoCounterpartError.because(
            "the Keras model",
            must="return a prediction without a mask, so that the loss includes every time step",
            but="passes on a mask from an Embedding with mask_zero or a Masking layer, which the module does not have",
            remedy="Train both with compare.training.train_together, and pass the mask to torch's loss: "
            "loss_like(loss)(prediction, target, mask=mask).",
        )


def _require_no_further_losses(model: Any) -> None:
    if model.losses:
        raise NoCounterpartError.because(
            "the Keras model",
            must="have no loss other than the given one",
            but=f"adds {len(model.losses)} with regularisers or add_loss",
            remedy="Leave them out for the comparison; in torch they belong in the training loop.",
        )
