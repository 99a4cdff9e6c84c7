"""Optimizers and learning-rate schedules of one framework that follow the other framework's rules."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from frameworks import registry
from frameworks.errors import InvalidTypeError
from frameworks.rows import owner_of, row_of


def optimizer_like(optimizer: Any, parameters: Any = None) -> Any:
    """Return an optimizer of the other framework that makes the same updates as this one.

    For a Keras optimizer the result is the torch class of that name if it follows Keras's rule exactly: SGD without momentum,
    and Adadelta, both without weight decay, clipping, moving average, accumulation or schedule. Otherwise it is an optimizer
    that follows Keras's rule step by step, with the roundings of the current Keras backend, and that applies a learning-rate
    schedule itself before each step. If the optimizer has already made steps, its slots and step count are carried over.

    The rule is applied to the whole gradient of a parameter. Keras's `fit` on TensorFlow differs for embeddings: the optimizer
    gets one gradient row per token, and a rule that squares gradients squares each row. Training differs if a token occurs
    twice in a batch.

    Args:
        optimizer: a built-in optimizer of Keras 3; or torch.optim's SGD, Adam, AdamW or RMSprop, with one parameter group.
        parameters: if the optimizer is Keras's, the torch parameters to optimize, in the order of the Keras model's trainable
            variables; or pairs, `[(keras_layer, torch_module), ...]` or `[(keras_variable, parameter), ...]`, in which the
            path of a variable may replace it. Pair recurrent layers as layers, because torch has a different number of arrays
            in them. If the optimizer is torch's, and only if it has already made steps, the Keras variables in the order of
            torch's parameters, or pairs.

    Returns:
        A torch.optim.Optimizer for a Keras optimizer, a keras.optimizers.Optimizer for a torch one.

    Raises:
        GatewiseError: for an optimizer, schedule or setting without a counterpart, and for variables and parameters that do not
            pair up, with their names.

    Example:
        >>> import keras, torch
        >>> from gatewise import optimizer_like
        >>> module = torch.nn.Linear(3, 2)
        >>> optimizer = optimizer_like(keras.optimizers.Adam(0.01), module.parameters())
        >>> module(torch.ones(1, 3)).sum().backward()
        >>> optimizer.step()
        >>> optimizer.iterations
        1
    """
    owner = owner_of(optimizer)
    if owner not in (row_of("keras"), row_of("pytorch")):
        raise InvalidTypeError.because(
            "the optimizer",
            must="be an optimizer of Keras or of torch.optim",
            but=f"is of type {type(optimizer).__qualname__}",
            remedy="Pass the optimizer itself, such as model.optimizer.",
        )
    if owner is row_of("pytorch"):
        registry.load("keras")
        return import_module("frameworks.torch_in_keras.optimizers").optimizer_like(optimizer, parameters)
    registry.load("pytorch")
    return import_module("frameworks.keras_in_torch.optimizers.porting").optimizer_like(optimizer, parameters)


def schedule_like(keras_schedule: Any, torch_optimizer: Any) -> Any:
    """Return the torch LRScheduler that follows a Keras learning-rate schedule, in every parameter group.

    Call the scheduler's `step` after each step of the optimizer, not after each epoch: Keras's schedules count steps.

    Args:
        keras_schedule: a built-in schedule, such as keras.optimizers.schedules.CosineDecay.
        torch_optimizer: the optimizer whose learning rates are set.

    Returns:
        A torch.optim.lr_scheduler.LRScheduler.

    Raises:
        GatewiseError: for any other schedule, with its name, and for an optimizer that already follows a schedule.

    Example:
        >>> import keras, torch
        >>> from gatewise import schedule_like
        >>> optimizer = torch.optim.SGD(torch.nn.Linear(3, 2).parameters(), lr=1.0)
        >>> decay = keras.optimizers.schedules.ExponentialDecay(1.0, decay_steps=1, decay_rate=0.5)
        >>> scheduler = schedule_like(decay, optimizer)
        >>> optimizer.step()
        >>> scheduler.step()
        >>> scheduler.get_last_lr()
        [0.5]
    """
    registry.load("pytorch")
    return import_module("frameworks.keras_in_torch.optimizers.porting").schedule_like(keras_schedule, torch_optimizer)
