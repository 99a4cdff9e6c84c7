"""Optimizers of one framework that update as the other's do; each module is named for the framework that it is written in."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from frameworks import registry
from frameworks.errors import InvalidTypeError


def optimizer_like(optimizer: Any, parameters: Any = None) -> Any:
    """Make the optimizer of the other framework that updates as this one does.

    Towards PyTorch it is torch's own class where that follows Keras's rule exactly (SGD without momentum and Adadelta, without
    weight decay, clipping, moving average, accumulation or schedule), else one that follows Keras's rule step by step, in the
    arithmetic of the Keras backend that runs. A Keras learning-rate schedule is followed by the optimizer itself, before each
    step. Slots and the step count of an optimizer that has already worked are carried over.

    The rule is that of the gradient added up. On TensorFlow alone, Keras's `fit` gives the optimizer an embedding's gradient as
    one row a token, and a rule that squares it squares each row: where a batch holds a token twice, that training is another.

    Args:
        optimizer: one of Keras 3's own; or torch.optim's SGD, Adam, AdamW or RMSprop, with one parameter group.
        parameters: towards PyTorch the parameters to optimize, in the order of the Keras model's trainable variables; or pairs,
            `[(keras_layer, torch_module), ...]` or `[(keras_variable, parameter), ...]`, a variable's path standing for it as
            well. Recurrent layers, whose variables are not as many as torch's, go in pairs of layers. Towards Keras the
            variables in the order of torch's parameters, or pairs, and only for an optimizer that has already worked.

    Raises:
        GatewiseError: for an optimizer, schedule or setting without a counterpart, and for what does not pair up, by name.

    Example:
        >>> import keras, torch
        >>> module = torch.nn.LSTM(3, 4)
        >>> optimizer = optimizer_like(keras.optimizers.Adam(1e-3), module.parameters())
        >>> round(optimizer.param_groups[0]["lr"], 6)
        0.001
    """
    packages = {base.__module__.partition(".")[0] for base in type(optimizer).__mro__}
    if packages.isdisjoint({"keras", "tf_keras", "torch"}):
        raise InvalidTypeError.because(
            "the optimizer",
            must="be an optimizer of Keras or of torch.optim",
            but=f"is of type {type(optimizer).__qualname__}",
            remedy="Pass the optimizer itself, such as model.optimizer.",
        )
    if packages.isdisjoint({"keras", "tf_keras"}):
        registry.load("keras")
        return import_module("frameworks.torch_in_keras.optimizers").optimizer_like(optimizer, parameters)
    registry.load("pytorch")
    return import_module("frameworks.keras_in_torch.optimizers.porting").optimizer_like(optimizer, parameters)


def schedule_like(keras_schedule: Any, torch_optimizer: Any) -> Any:
    """Make the torch LRScheduler that sets the learning rates of a Keras schedule, in each parameter group.

    Args:
        keras_schedule: one of Keras's own, such as keras.optimizers.schedules.CosineDecay.
        torch_optimizer: whose learning rates to set. Call the scheduler's `step` after each of its steps, not each epoch.

    Raises:
        GatewiseError: for another schedule, by name, and for an optimizer that follows a schedule of its own.
    """
    registry.load("pytorch")
    return import_module("frameworks.keras_in_torch.optimizers.porting").schedule_like(keras_schedule, torch_optimizer)
