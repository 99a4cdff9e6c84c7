"""The way back, from torch to Keras, and the refusals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from compare.report.pages.optimizers.experiment.distances import EXACTLY
from compare.report.pages.optimizers.experiment.training import (
    STEPS,
    apart,
    keras_variables,
    torch_parameters,
    train_keras,
    train_torch,
)
from compare.report.results import Results, exact, measured
from frameworks import GatewiseError, optimizer_like
from frameworks.keras_in_torch.optimizers.fates import FATES

BACK: tuple[str, ...] = (
    "SGD(parameters, lr=2**-10)",
    "SGD(parameters, lr=2**-10, momentum=0.9, nesterov=True)",
    "Adam(parameters, lr=2**-10)",
    "AdamW(parameters, lr=2**-10)",
    "RMSprop(parameters, lr=2**-10, momentum=0.9)",
)
"""Optimizers of torch; float32 holds their rate exactly."""
_HALF = STEPS // 2


def run_back() -> Results:
    """Train half of the steps in torch and the other half in Keras, and compare with all of them in torch."""
    return {text: _run_back(text) for text in BACK}


def _run_back(text: str) -> Results:
    import torch

    parameters = torch_parameters()
    optimizer = eval(f"torch.optim.{text}", {"torch": torch, "parameters": parameters})  # noqa: S307  own code
    halfway = train_torch(optimizer, parameters, last=_HALF)
    variables = keras_variables(halfway[-1])
    follower = optimizer_like(optimizer, variables)
    resumed = train_keras(follower, variables, first=_HALF)
    expected = train_torch(optimizer, parameters, first=_HALF)
    return {"class": exact(type(follower).__name__), "resumed": measured(apart(expected, resumed), EXACTLY)}


def run_refusals() -> Results:
    """Ask for the optimizers that are refused, and keep the messages."""
    return {name: exact(_refusal(name)) for name, fate in FATES.items() if fate.rule is None}


def _refusal(name: str) -> str:
    import keras

    kind = getattr(keras.optimizers, name)
    arguments: Mapping[str, tuple[Any, ...]] = {
        "LossScaleOptimizer": (keras.optimizers.SGD(),),
        "MultiOptimizer": (keras.optimizers.OptimizerMap(keras.optimizers.SGD()),),
        "OptimizerMap": (keras.optimizers.SGD(),),
        "Optimizer": (0.001,),
    }
    try:
        optimizer_like(kind(*arguments.get(name, ())), torch_parameters())
    except GatewiseError as error:
        return str(error)
    return "not refused"
