"""Comparing the optimizers of both frameworks with the equations printed for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from compare.report.arrays import distance
from compare.report.pages.optimizers.experiment.comparison import Comparison, Equation
from compare.report.pages.optimizers.experiment.equations import Rule
from compare.report.pages.optimizers.experiment.training import (
    GRADIENTS,
    START,
    apply_in_keras,
    keras_variables,
    torch_parameters,
    train_torch,
)
from compare.report.results import Results, exact, measured

_STEPS = 4
_SETTINGS: Mapping[str, float] = {
    **dict.fromkeys(("learning_rate", "lr"), 2**-10),
    **dict.fromkeys(("epsilon", "eps"), 2**-5),
    **dict.fromkeys(("epsilon_1", "eps_1"), 0.75),
    **dict.fromkeys(("epsilon_2", "eps_2"), 0.75),
    **dict.fromkeys(("beta_2_decay", "beta2_decay"), -0.75),
    **dict.fromkeys(("rho", "alpha"), 0.9375),
    "beta_1": 0.875,
    "beta_2": 0.96875,
    "momentum": 0.75,
    "momentum_decay": 0.5,
    "weight_decay": 0.125,
    "lr_decay": 0.25,
    "initial_accumulator_value": 0.25,
    "clip_threshold": 0.5,
    "d": 1.25,
    "l1_regularization_strength": 0.125,
    "l2_regularization_strength": 0.0625,
    "l2_shrinkage_regularization_strength": 0.03125,
    "learning_rate_power": -0.5,
    "beta": 0.0625,
    "rms_rate": 0.25,
}
"""A number for every setting: exact in float32, and large enough to show where the rule uses it."""
_ALLOWED: Mapping[tuple[str, str], float] = {
    ("Nadam", "keras"): 1e-9,  # 0.96 is a float32 on TensorFlow
    ("Nadam", "torch"): 1e-9,  # the product is kept in float32
    ("Muon", "keras"): 1e-6,  # float32
    ("Muon", "torch"): 2e-4,  # orthogonalises in bfloat16
}
_EXACTLY = 1e-12


def check_equations(name: str, comparison: Comparison) -> Results:
    """Run every equation of an optimizer in float64 NumPy, and compare it with the optimizers of both frameworks.

    Returns:
        For each equation: its condition, the TeX of both rules, and the difference of each framework from its rule.
    """
    return {equation.name: _check(name, comparison, equation) for equation in comparison.equations}


def _check(name: str, comparison: Comparison, equation: Equation) -> Results:
    checked: dict[str, Any] = {
        "where": exact(equation.where),
        "keras": exact(equation.keras.tex()),
        "remarks": exact(equation.keras.remarks()),
        "keras off": measured(off_keras(name, comparison, equation, equation.keras), _ALLOWED.get((name, "keras"), _EXACTLY)),
    }
    if equation.torch is not None:
        error = off_torch(comparison, equation, equation.torch)
        checked["torch"] = exact(equation.torch.tex())
        checked["torch off"] = measured(error, _ALLOWED.get((name, "torch"), _EXACTLY))
    return checked


def off_keras(name: str, comparison: Comparison, equation: Equation, rule: Rule) -> float:
    """Return the difference of Keras's optimizer, with the settings of an equation, from a rule after some steps."""
    import keras

    at, settings = _parameters(equation), _settings(equation.keras)
    optimizer = getattr(keras.optimizers, name)(**settings, **equation.flags)
    variables = keras_variables([START[index] for index in at], comparison.dtype)
    optimizer.build(variables)
    for step in range(_STEPS):
        apply_in_keras(optimizer, variables, [GRADIENTS[index][step] for index in at])
    return distance(_run(rule, at), [keras.ops.convert_to_numpy(variable) for variable in variables])


def off_torch(comparison: Comparison, equation: Equation, rule: Rule) -> float:
    """Return the difference of torch's optimizer, with the settings of an equation, from a rule after some steps."""
    import torch

    at = _parameters(equation)
    parameters = torch_parameters([START[index] for index in at], comparison.dtype)
    arguments = _as_torch_takes(_settings(equation.torch or rule))
    optimizer = getattr(torch.optim, str(comparison.torch))(parameters, **arguments, **equation.flags, **equation.torch_flags)
    train_torch(optimizer, parameters, gradients=[GRADIENTS[index] for index in at], last=_STEPS)
    return distance(_run(rule, at), [parameter.detach().numpy() for parameter in parameters])


def _parameters(equation: Equation) -> list[int]:
    return [index for index, value in enumerate(START) if equation.rank in (None, value.ndim)]


def _settings(rule: Rule) -> dict[str, float]:
    return {name: _SETTINGS[name] for name in rule.settings}


def _as_torch_takes(settings: Mapping[str, float]) -> dict[str, Any]:
    """Gather the settings that torch accepts as pairs."""
    pairs = {"betas": ("beta_1", "beta_2"), "eps": ("eps_1", "eps_2")}
    given = {pair: tuple(settings[name] for name in names) for pair, names in pairs.items() if names[0] in settings}
    single = {name: value for name, value in settings.items() if not any(name in names for names in pairs.values())}
    return {**single, **given}


def _run(rule: Rule, at: list[int]) -> list[Any]:
    return [rule.run(START[index], list(GRADIENTS[index][:_STEPS]), _settings(rule)) for index in at]
