"""Keras's optimizers that have a class of the same family in torch."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from compare.report.pages.optimizers.experiment.comparison import Case, Comparison, Equation
from compare.report.pages.optimizers.experiment.equations import Rule

MEAN = "m = beta_1 * m + (1 - beta_1) * g"
SQUARE = "v = beta_2 * v + (1 - beta_2) * g**2"
_GREATEST = "v_max = max(v_max, v)"
_DECAY = "theta = theta - learning_rate * weight_decay * theta"
_TORCH_DECAY = "theta = theta - lr * weight_decay * theta"
KERAS_ADAM = "theta = theta - learning_rate * (sqrt(1 - beta_2**t) / (1 - beta_1**t)) * (m / (sqrt({v}) + epsilon))"
_TORCH_ADAM = "theta = theta - (lr / (1 - beta_1**t)) * (m / (sqrt({v}) / sqrt(1 - beta_2**t) + eps))"
_ADAM = "lr=learning_rate, betas=(beta_1, beta_2), eps=epsilon"
_EPSILON = (
    "Keras adds epsilon before the bias correction of the root, torch after it. torch's `eps` would have to change at every step "
    "to compensate, so no fixed value works."
)


def _adam(*before: str, torch_before: tuple[str, ...] = ()) -> tuple[Equation, Equation]:
    """Return Adam's equations, plain and with the greatest second moment, after the lines that come first."""
    plain = Equation(
        Rule((*before, MEAN, SQUARE, KERAS_ADAM.format(v="v"))),
        Rule((*torch_before, MEAN, SQUARE, _TORCH_ADAM.format(v="v"))),
    )
    greatest = Equation(
        Rule((*before, MEAN, SQUARE, _GREATEST, KERAS_ADAM.format(v="v_max"))),
        Rule((*torch_before, MEAN, SQUARE, _GREATEST, _TORCH_ADAM.format(v="v_max"))),
        "with `amsgrad=True`",
        {"amsgrad": True},
        name="amsgrad",
    )
    return plain, greatest


def _adadelta(rate: str, epsilon: str) -> Rule:
    return Rule(
        (
            "a = rho * a + (1 - rho) * g**2",
            f"d = (sqrt(b + {epsilon}) / sqrt(a + {epsilon})) * g",
            "b = rho * b + (1 - rho) * d**2",
            f"theta = theta - {rate} * d",
        )
    )


_RMSPROP_SQUARE = "v = rho * v + (1 - rho) * g**2"
_TORCH_RMSPROP_SQUARE = "v = alpha * v + (1 - alpha) * g**2"
_RMSPROP = "lr=learning_rate, alpha=rho, eps=epsilon, momentum=momentum, centered=centered"

RULES: Mapping[str, Comparison] = MappingProxyType(
    {
        "SGD": Comparison(
            source="sgd.py",
            torch="SGD",
            torch_source="sgd.py",
            difference="Without momentum there is no difference. With momentum, Keras's velocity includes the learning rate and "
            "torch's buffer does not. The two are equal as long as the learning rate is constant.",
            rounded=("momentum",),
            equations=(
                Equation(Rule(("theta = theta - learning_rate * g",)), Rule(("theta = theta - lr * g",))),
                Equation(
                    Rule(("m = momentum * m - learning_rate * g", "theta = theta + m")),
                    Rule(("b = momentum * b + g", "theta = theta - lr * b")),
                    "with `momentum`",
                    name="momentum",
                ),
                Equation(
                    Rule(("m = momentum * m - learning_rate * g", "theta = theta + momentum * m - learning_rate * g")),
                    Rule(("b = momentum * b + g", "theta = theta - lr * (g + momentum * b)")),
                    "with `momentum` and `nesterov=True`",
                    {"nesterov": True},
                    name="nesterov",
                ),
            ),
            cases=(
                Case({}, "lr=learning_rate", matches=True),
                Case({"momentum": 0.9}, "lr=learning_rate, momentum=momentum", matches=True),
                Case({"momentum": 0.9, "nesterov": True}, "lr=learning_rate, momentum=momentum, nesterov=True", matches=True),
            ),
        ),
        "Adam": Comparison(
            source="adam.py",
            torch="Adam",
            torch_source="adam.py",
            difference=_EPSILON,
            equations=_adam(),
            cases=(
                Case({}, _ADAM),
                Case({"amsgrad": True}, f"{_ADAM}, amsgrad=True"),
                Case({"epsilon": 1e-3}, _ADAM),
            ),
        ),
        "AdamW": Comparison(
            source="adamw.py",
            torch="AdamW",
            torch_source="adamw.py",
            difference=f"The difference is the same as for Adam. {_EPSILON} The weight decay follows the same rule, with another default.",
            equations=_adam(_DECAY, torch_before=(_TORCH_DECAY,))[:1],
            cases=(Case({}, f"{_ADAM}, weight_decay=weight_decay"),),
        ),
        "RMSprop": Comparison(
            source="rmsprop.py",
            torch="RMSprop",
            torch_source="rmsprop.py",
            difference="Keras adds epsilon under the root, torch outside it, so no fixed value works. And Keras's momentum includes "
            "the learning rate, as in SGD.",
            equations=(
                Equation(
                    Rule((_RMSPROP_SQUARE, "theta = theta - learning_rate * (g / sqrt(v + epsilon))")),
                    Rule((_TORCH_RMSPROP_SQUARE, "theta = theta - lr * (g / (sqrt(v) + eps))")),
                ),
                Equation(
                    Rule(
                        (
                            _RMSPROP_SQUARE,
                            "m = momentum * m + learning_rate * (g / sqrt(v + epsilon))",
                            "theta = theta - m",
                        )
                    ),
                    Rule((_TORCH_RMSPROP_SQUARE, "b = momentum * b + g / (sqrt(v) + eps)", "theta = theta - lr * b")),
                    "with `momentum`",
                    name="momentum",
                ),
                Equation(
                    Rule(
                        (
                            _RMSPROP_SQUARE,
                            "g_mean = rho * g_mean + (1 - rho) * g",
                            "theta = theta - learning_rate * (g / sqrt(v - g_mean**2 + epsilon))",
                        )
                    ),
                    Rule(
                        (
                            _TORCH_RMSPROP_SQUARE,
                            "g_mean = alpha * g_mean + (1 - alpha) * g",
                            "theta = theta - lr * (g / (sqrt(v - g_mean**2) + eps))",
                        )
                    ),
                    "with `centered=True`",
                    {"centered": True},
                    name="centered",
                ),
            ),
            cases=(
                Case({}, _RMSPROP),
                Case({"momentum": 0.9}, _RMSPROP),
                Case({"centered": True}, _RMSPROP),
            ),
        ),
        "Adagrad": Comparison(
            source="adagrad.py",
            torch="Adagrad",
            torch_source="adagrad.py",
            difference="Keras adds epsilon under the root, torch outside it. The sum under the root only grows, so torch's sum can "
            "start with Keras's epsilon in it. With `eps=0` the two are then the same.",
            rounded=("initial_accumulator_value",),
            equations=(
                Equation(
                    Rule(
                        ("a = a + g**2", "theta = theta - learning_rate * (g / sqrt(a + epsilon))"),
                        {"a": "initial_accumulator_value"},
                    ),
                    Rule(
                        ("a = a + g**2", "theta = theta - (lr / (1 + (t - 1) * lr_decay)) * (g / (sqrt(a) + eps))"),
                        {"a": "initial_accumulator_value"},
                    ),
                ),
            ),
            cases=(
                Case(
                    {},
                    "lr=learning_rate, initial_accumulator_value=initial_accumulator_value + epsilon, eps=0",
                    matches=True,
                ),
            ),
        ),
        "Adadelta": Comparison(
            source="adadelta.py",
            torch="Adadelta",
            torch_source="adadelta.py",
            difference="The rules are the same. Only the defaults differ: torch's learning rate is a thousand times larger.",
            equations=(Equation(_adadelta("learning_rate", "epsilon"), _adadelta("lr", "eps")),),
            cases=(Case({}, "lr=learning_rate, rho=rho, eps=epsilon", matches=True),),
        ),
        "Adamax": Comparison(
            source="adamax.py",
            torch="Adamax",
            torch_source="adamax.py",
            difference="Keras adds epsilon to the norm when it divides by it. torch adds it to |g| inside the maximum, so it decays with "
            "the norm. No fixed value works.",
            equations=(
                Equation(
                    Rule(
                        (
                            MEAN,
                            "u = max(beta_2 * u, abs(g))",
                            "theta = theta - (learning_rate / (1 - beta_1**t)) * (m / (u + epsilon))",
                        )
                    ),
                    Rule(
                        (
                            MEAN,
                            "u = max(beta_2 * u, abs(g) + eps)",
                            "theta = theta - (lr / (1 - beta_1**t)) * (m / u)",
                        )
                    ),
                ),
            ),
            cases=(Case({}, _ADAM),),
        ),
    }
)
"""The comparisons by the optimizer's name in keras.optimizers."""
