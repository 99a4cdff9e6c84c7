"""The distance from Keras's parameters: with torch's defaults, with the closest settings, and with `optimizer_like`."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from typing import Any

import numpy as np

from compare.report.pages.optimizers.experiment.comparison import Case, Comparison
from compare.report.pages.optimizers.experiment.tex import symbol
from compare.report.pages.optimizers.experiment.training import (
    STEPS,
    Path,
    apart,
    curve,
    keras_variables,
    torch_parameters,
    train_keras,
    train_torch,
)
from compare.report.results import Results, control, environment, exact, measured
from frameworks import optimizer_like
from frameworks.keras_in_torch.optimizers.fates import FATES

EXACTLY = 1e-12
_COARSE = 1e-7
"""The limit for Adafactor and Lamb on backends other than TensorFlow, where Keras computes in float32 in any case."""
_IN_FLOAT32 = ("Adafactor", "Lamb")
_SLOTS_FROM = STEPS // 2


def run_case(name: str, comparison: Comparison, case: Case) -> Results:
    """Train in Keras, and on the same gradients in torch in every possible way.

    Returns:
        The settings, the distances after the last step, and the distances along the way.
    """
    import keras

    variables = keras_variables()
    optimizer = getattr(keras.optimizers, name)(**case.settings)
    followers: dict[str, tuple[Any, list[Any]]] = {}

    def follow(first: int) -> None:
        if FATES[name].rule and first in (0, _SLOTS_FROM):
            parameters = torch_parameters([keras.ops.convert_to_numpy(variable) for variable in variables])
            followers["ours" if first == 0 else "resumed"] = optimizer_like(optimizer, parameters), parameters

    expected = train_keras(optimizer, variables, follow)
    case_results: dict[str, Any] = {"settings": exact(_shown(case.settings))}
    curves = {}
    for way, (follower, parameters) in followers.items():
        path = train_torch(follower, parameters, first=_SLOTS_FROM if way == "resumed" else 0)
        case_results[way] = measured(apart(expected, path), tolerance(name))
        case_results[f"{way}, class"] = exact(f"{type(follower).__module__.partition('.')[0]}.{type(follower).__name__}")
        curves[way] = path
    if comparison.torch is not None:
        curves |= _stock(comparison, case, optimizer)
        case_results["stock"] = control(apart(expected, curves["stock"]))
        distance = apart(expected, curves["matching"])
        case_results["matching settings"] = exact(case.matching)
        case_results["matching"] = measured(distance, tolerance(name)) if case.matches else control(distance)
    ways = {way: curve(expected, path) for way, path in curves.items() if way != "resumed"}
    return {**case_results, "curves": environment(ways)}


def tolerance(name: str) -> float:
    """Return the largest distance allowed for `optimizer_like`."""
    import keras

    return _COARSE if name in _IN_FLOAT32 and keras.config.backend() != "tensorflow" else EXACTLY


def read_defaults(name: str, comparison: Comparison) -> Results:
    """Read the defaults of the settings in the equations from both constructors.

    Returns:
        For each framework a list of [symbol in TeX, name of the argument, default].
    """
    import keras
    import torch

    sides = {"keras": getattr(keras.optimizers, name)}
    if comparison.torch is not None:
        sides["torch"] = getattr(torch.optim, comparison.torch)
    defaults = {}
    for side, constructor in sides.items():
        rules = [getattr(equation, side) for equation in comparison.equations]
        names = dict.fromkeys(one for rule in rules for one in rule.settings)
        defaults[side] = exact([[symbol(one), *_default(constructor, one)] for one in names])
    return defaults


def _default(constructor: Any, name: str) -> tuple[str, str]:
    """Return the constructor's name for a setting, and its default."""
    parameters = signature(constructor).parameters
    if name in parameters:
        return name, repr(parameters[name].default)
    pair, place = {"beta": ("betas", 1), "eps": ("eps", 1)}[name.partition("_")[0]][0], int(name[-1]) - 1
    return f"{pair}[{place}]", repr(parameters[pair].default[place])


def _stock(comparison: Comparison, case: Case, optimizer: Any) -> dict[str, Path]:
    """Train with torch's class: with its defaults, and with the closest settings."""
    import torch

    kind = getattr(torch.optim, str(comparison.torch))
    given = {name: value for name, value in case.settings.items() if name in signature(kind).parameters}
    paths = {}
    for way, arguments in (("stock", given), ("matching", _matching(comparison, case, optimizer))):
        parameters = torch_parameters()
        paths[way] = train_torch(kind(parameters, **arguments), parameters)
    return paths


def _matching(comparison: Comparison, case: Case, optimizer: Any) -> dict[str, Any]:
    """Compute the closest settings from the numbers as Keras's backend stores them."""
    import keras

    on_tensorflow = keras.config.backend() == "tensorflow"
    config = optimizer.get_config()
    config |= {name: float(np.float32(config[name])) for name in comparison.rounded if on_tensorflow}
    arguments: dict[str, Any] = eval(f"dict({case.matching})", config)  # noqa: S307  this project's own code
    return arguments


def _shown(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in settings.items())
