"""Training a Keras model and its PyTorch port on the same batches by the same rule, and recording how they part."""

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


def compare_training(  # noqa: PLR0913 - each by its name
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
    """Train a Keras model and its port side by side: the same batches, the same loss, the same rule.

    Both are trained in place, and nothing is made equal first: copy the weights before, and freeze torch's second biases, or
    the distances will show it. The gradient of an embedding is added up before Keras's optimizer gets it, as Keras's `fit` on
    TensorFlow does not.

    Args:
        keras_model: built; on Keras's TensorFlow or torch backend.
        module: a torch.nn.Module that is called as the model is.
        batch_of: gives the inputs and targets of a step, counted from 0, as NumPy; the same ones whenever it is asked. Several
            inputs as a list, tuple or dict, which the module is given too.
        steps: how many.
        optimizer: of Keras; the module's is `optimizer_like` of it.
        loss: one of Keras's, or its name; the module's is `loss_like` of it. In float64 it must be made with dtype="float64".
        pairs: the Keras layers that have parameters, each with the torch module that stands for it; when None, all of either
            model in the order in which they were added.
        every: how many steps between two measurements of the distances.
        checkpoint: where to go on from, and what to write now and then, see `compare.training.train_together`.
        progress: is told how many steps are finished, of how many.

    Returns:
        The losses of "keras" and "pytorch", and the distances by parameter, `LAYER.NAME`; an LSTM's two biases count by their
        sum.

    Raises:
        GatewiseError: for an optimizer, schedule or loss without a counterpart, parameters that do not pair up or that one
            side alone trains, dropout, regularisers, a mask that reaches the loss, and what `train_together` refuses.
    """
    registry.load("keras")
    registry.load("pytorch")
    from compare.training import keras as in_keras
    from compare.training import pytorch as in_pytorch

    theirs = _loss_object(loss, keras_model)
    found = list(pairs) if pairs is not None else _pair_layers(keras_model, module)
    ours = loss_like(theirs)
    followed = _follow(optimizer, keras_model, module, found)
    names = _names(found)

    def keras_loss(inputs: Any, targets: Any) -> Any:
        prediction = keras_model(inputs, training=True)
        _require_no_mask(prediction)
        return theirs(targets, prediction)

    def torch_loss(inputs: Any, targets: Array) -> Any:
        import keras
        import torch

        module.train()
        return ours(module(keras.tree.map_structure(torch.as_tensor, inputs)), torch.as_tensor(targets))

    sides: dict[str, Any] = {
        "keras": in_keras.KerasSide(
            keras_model, optimizer, keras_loss, reader(zip(names, (one for one, _ in found), strict=True))
        ),
        "pytorch": in_pytorch.PyTorchSide(
            module, followed, torch_loss, reader(zip(names, (one for _, one in found), strict=True))
        ),
    }
    if steps:
        for name, side in sides.items():
            _require_determined(name, side, batch_of(0))
        _require_no_further_losses(keras_model)
    return train_together(sides, batch_of, steps, every=every, checkpoint=checkpoint, progress=progress)


def _loss_object(loss: Any, model: Any) -> Any:
    """Give the loss as an object, in the model's dtype."""
    from frameworks.keras_in_torch.losses import named_loss

    if not model.weights:
        raise InvalidValueError.because(
            "the Keras model", must="be built", but="has no weights yet", remedy="Call it once on data."
        )
    dtype = str(model.weights[0].dtype)
    if isinstance(loss, str):
        return named_loss(loss, dtype)
    found = getattr(loss, "dtype", dtype)
    if found != dtype:
        raise InvalidValueError.because(
            "the loss",
            must=f"compute in the model's dtype, {dtype}",
            but=f"computes in {found}",
            remedy=f'Make it with dtype="{dtype}".',
        )
    if getattr(loss, "reduction", "mean") in (None, "none"):
        raise InvalidValueError.because(
            "the loss", must="be one number a batch", but="has reduction 'none'", remedy="Make it with another reduction."
        )
    return loss


def _follow(optimizer: Any, model: Any, module: Any, pairs: Sequence[tuple[Any, Any]]) -> Any:
    """Make the module's optimizer; refuse parameters that it would leave where they are."""
    import keras

    if not isinstance(optimizer, keras.optimizers.Optimizer):
        raise InvalidTypeError.because(
            "the optimizer", must="be one of Keras", but=f"is {optimizer!r}", remedy="Pass the object, such as model.optimizer."
        )
    if not optimizer.built:
        optimizer.build(model.trainable_variables)
    followed = optimizer_like(optimizer, pairs)
    trained = {id(parameter) for group in followed.param_groups for parameter in group["params"]}
    left = [name for name, one in module.named_parameters() if one.requires_grad and id(one) not in trained]
    if left:
        raise InvalidValueError.because(
            "the trainable parameters of the module",
            must="all pair up with variables of the Keras model",
            but=f"leave {', '.join(left)}",
            remedy="Pair each of them, or freeze those that Keras does not train with requires_grad_(False).",
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
    """Yield the layers with parameters, a recurrent one as a whole."""
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
    """Name each pair by its Keras layer, numbered where two are called alike."""
    names = [layer.name for layer, _ in pairs]
    return [name if names.count(name) == 1 else f"{name} ({names[:at].count(name)})" for at, name in enumerate(names)]


def _require_determined(name: str, side: Any, batch: Batch) -> None:
    """Refuse a model that draws random numbers in training, by its loss on one batch, twice."""
    import torch

    from frameworks.keras.tensors import to_numpy

    before = side.state()
    with torch.random.fork_rng(devices=[]):
        losses = [float(to_numpy(side.loss_of(*batch))) for _ in range(2)]
    side.restore(before)
    if losses[0] != losses[1] and not any(np.isnan(losses)):
        raise NoCounterpartError.because(
            f"the training of {name}",
            must="depend on parameters and batches alone",
            but=f"gives a loss of {losses[0]} and then of {losses[1]} on the same batch",
            remedy="Set the dropout rates to 0 for the comparison: the frameworks draw other numbers.",
        )


def _require_no_mask(prediction: Any) -> None:
    if getattr(prediction, "_keras_mask", None) is not None:
        raise NoCounterpartError.because(
            "the Keras model",
            must="give a prediction whose every time step counts in the loss",
            but="carries a mask to it, of an Embedding with mask_zero or a Masking layer, which the module has not",
            remedy="Train both with compare.training.train_together, and give torch's loss the mask: "
            "loss_like(loss)(prediction, target, mask=mask).",
        )


def _require_no_further_losses(model: Any) -> None:
    if model.losses:
        raise NoCounterpartError.because(
            "the Keras model",
            must="be trained on the loss alone",
            but=f"adds {len(model.losses)} losses of its own, by regularisers or add_loss",
            remedy="Leave them out for the comparison; in torch they belong into the training loop.",
        )
