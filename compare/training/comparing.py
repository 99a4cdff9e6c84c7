"""Training a Keras model and its PyTorch port on the same batches with the same rule, and recording their distance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from compare.training.checkpoint import TrainingCheckpoint
from compare.training.layer_pairs import names_of, pair_layers
from compare.training.parameters import parameter_reader
from compare.training.together import TrainingStoppedError, train_together
from compare.training.trajectory import Trajectory
from frameworks import loss_like, optimizer_like, registry
from frameworks.errors import InvalidTypeError, InvalidValueError

if TYPE_CHECKING:
    from compare.training.first_difference import FirstDifference

Array = npt.NDArray[Any]
Batch = tuple[Any, ...]


def compare_training(  # noqa: PLR0913  all but four by name
    keras_model: Any,
    module: Any,
    batch_of: Callable[[int], Batch],
    steps: int,
    *,
    optimizer: Any,
    loss: Any,
    torch_loss: Callable[..., Any] | None = None,
    pairs: Sequence[tuple[Any, Any]] | None = None,
    without_dropout: bool = False,
    tolerance: float | None = None,
    every: int = 10,
    checkpoint: TrainingCheckpoint | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Trajectory:
    """Train a Keras model and its port side by side, with the same batches, loss and update rule.

    Both are trained in place, and the call does not make them equal first. Copy the weights before, and freeze torch's second
    biases; otherwise the distances show the difference.

    The loss is the one of Keras's `fit`. A mask that the Keras model passes on to its prediction counts in the losses of both
    sides, as do sample weights. The penalties of regularisers are added on both sides. The rows of an embedding's gradient are
    summed before Keras's optimizer gets them; Keras's `fit` on TensorFlow does not sum them.

    Args:
        keras_model: a built model with one output, on Keras's TensorFlow or torch backend.
        module: a torch.nn.Module that is called like the model.
        batch_of: a function from a step, counted from 0, to `(inputs, targets)` or `(inputs, targets, sample_weight)` as NumPy,
            always the same for the same step. Several inputs are a list, tuple or dict, and the module gets the same. Weights
            are (batch,) or, with a loss per time step, (batch, time) or (batch, 1).
        steps: the number of steps.
        optimizer: a Keras optimizer; the module gets its `optimizer_like`.
        loss: a Keras loss or its name; the module gets its `loss_like`. A loss object for a float64 model needs
            dtype="float64".
        torch_loss: the module's loss instead of `loss_like`: a function of prediction and target, and of `mask` and
            `sample_weight` by name where there are any, to a scalar tensor.
        pairs: the Keras layers with parameters, each with its torch module. When None, the layers and the
            modules with parameters are paired in the order in which they were added.
        without_dropout: train both with all rates of dropout and noise at 0, because the frameworks draw different random
            numbers. The rates are back in place afterwards, and the notes list them.
        tolerance: the largest difference, relative to max(1, max |expected|), at which predictions and losses before the first
            step are considered the same; `check_parity`'s when None.
        every: the number of steps between two measurements of the distances.
        checkpoint: the checkpoint to resume from and to save to, see `compare.training.train_together`.
        progress: a function called after each step with the numbers of finished steps and of all steps.

    Returns:
        The losses of "keras" and "pytorch", and the distances of each parameter, `LAYER.NAME`. An LSTM's biases are compared as
        their sum. Its notes say what differed before the first step, what was assumed, and what was not compared. Where the
        two first part, before or in a step, it says what `compare_models` and `diagnose` say of them.

    Raises:
        GatewiseError: for an optimizer, schedule, loss or regulariser without a counterpart; for parameters that do not pair up
            or that only one side trains; for random numbers such as dropout's; for a module that returns logits where the model
            returns probabilities; for sample weights that do not fit the losses; and as `train_together`.

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
        >>> print(trajectory)  # doctest: +ELLIPSIS
        5 steps.
        Largest difference of the losses: pytorch ...
    """
    registry.load("keras")
    registry.load("pytorch")
    from compare.training import dropout, first_batch, penalties
    from compare.training.first_difference import FirstDifference
    from compare.training.keras import KerasSide
    from compare.training.objective import Objective
    from compare.training.pytorch import PyTorchSide

    loss_in_keras = _loss_object(loss, keras_model, given_for_torch=torch_loss is not None)
    paired = list(dict.fromkeys(pairs)) if pairs is not None else pair_layers(keras_model, module)
    loss_in_torch = loss_like(loss_in_keras) if torch_loss is None else torch_loss
    torch_optimizer = _follow(optimizer, keras_model, module, paired)
    readers = [parameter_reader(dict(zip(names_of(paired), side, strict=True))) for side in zip(*paired, strict=True)]
    objective = Objective(keras_model, module, loss_in_keras, loss_in_torch, penalties.Penalties(keras_model, paired))
    keras_side = KerasSide(keras_model, optimizer, objective.in_keras, readers[0])
    objective.mask = lambda: keras_side.mask
    sides: dict[str, Any] = {
        "keras": keras_side,
        "pytorch": PyTorchSide(module, torch_optimizer, objective.in_torch, readers[1]),
    }
    silenced = dropout.without_dropout(keras_model, module) if without_dropout else nullcontext(())
    with silenced as silence:
        notes = tuple(silence)
        difference = None
        if steps:
            batch = _batch("batch_of(0)", batch_of(0))
            allowed, differences = first_batch.look(sides, objective, batch, tolerance, without_dropout=without_dropout)
            notes += differences + first_batch.assumptions(objective, paired)
            difference = FirstDifference(sides, objective, paired, allowed)
            difference.look_before(batch)
        try:
            trajectory = train_together(
                sides,
                lambda step: _batch(f"batch_of({step})", batch_of(step)),
                steps,
                every=every,
                checkpoint=checkpoint,
                progress=progress,
                watch=None if difference is None else difference.look_after,
            )
        except TrainingStoppedError as stopped:
            stopped.trajectory = _explained(stopped.trajectory, notes, difference)
            raise
    return _explained(trajectory, notes, difference)


def _explained(trajectory: Trajectory, notes: tuple[str, ...], difference: FirstDifference | None) -> Trajectory:
    if difference is None:
        return replace(trajectory, notes=notes)
    return replace(trajectory, notes=notes + difference.notes, comparison=difference.comparison)


def _batch(subject: str, given: Any) -> Batch:
    """Require a batch as Keras's `fit` takes it."""
    if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
        raise InvalidValueError.because(
            subject,
            must="be (inputs, targets) or (inputs, targets, sample_weight)",
            but=f"is a {type(given).__name__}" + (f" of {len(given)}" if isinstance(given, (tuple, list)) else ""),
            remedy="Return several inputs as one list, tuple or dict.",
        )
    inputs, targets, *weights = given
    return (inputs, targets, *(np.asarray(one) for one in weights if one is not None))


def _loss_object(loss: Any, model: Any, *, given_for_torch: bool) -> Any:
    """Return the loss as an object; require it to compute in the model's dtype."""
    import keras

    from frameworks.keras_in_torch.losses import named_loss

    if not isinstance(model, keras.layers.Layer):
        raise InvalidTypeError.because(
            "the first argument of compare_training",
            must="be a model of Keras 3",
            but=f"is a {type(model).__module__.partition('.')[0]} {type(model).__name__}",
            remedy="Build the same model with `keras`, and copy its weights: model.set_weights(old.get_weights()).",
        )
    if not model.weights:
        raise InvalidValueError.because(
            "the Keras model", must="be built", but="has no weights yet", remedy="Call it once on data."
        )
    dtype = str(model.weights[0].dtype)
    if isinstance(loss, str) and not given_for_torch:
        return named_loss(loss, dtype)
    if given_for_torch and not isinstance(loss, keras.losses.Loss):
        raise InvalidTypeError.because(
            "the loss beside a torch_loss",
            must="be a loss object of Keras",
            but=f"is {loss!r}",
            remedy="Pass the object, such as keras.losses.Poisson().",
        )
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
