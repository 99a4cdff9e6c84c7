"""Keras's optimizers that look at a whole parameter, or have no class of the same family in torch."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from compare.report.pages.optimizers.experiment.comparison import Case, Comparison, Equation
from compare.report.pages.optimizers.experiment.equations import Rule
from compare.report.pages.optimizers.experiment.rules import MEAN, SQUARE

_ADAFACTOR_RATE = "beta_t = 1 - t**{decay}"
_ADAFACTOR = "theta = theta - max({least}, rms(theta)) * min({rate}, 1 / sqrt(t)) * (u / max(1, rms(u) / {threshold}))"
_KERAS_ADAFACTOR = _ADAFACTOR.format(least="epsilon_2", rate="learning_rate", threshold="clip_threshold")
_TORCH_ADAFACTOR = _ADAFACTOR.format(least="eps_2", rate="lr", threshold="d")


def _nadam(rate: str, epsilon: str, decay: str) -> Rule:
    return Rule(
        (
            f"u_now = beta_1 * (1 - 0.5 * 0.96**{decay.format(t='t')})",
            f"u_next = beta_1 * (1 - 0.5 * 0.96**{decay.format(t='(t + 1)')})",
            "product = product * u_now",
            MEAN,
            SQUARE,
            "n = (u_next / (1 - product * u_next)) * m + ((1 - u_now) / (1 - product)) * g",
            f"theta = theta - {rate} * (n / (sqrt(v / (1 - beta_2**t)) + {epsilon}))",
        ),
        {"product": "1"},
    )


FURTHER_RULES: Mapping[str, Comparison] = MappingProxyType(
    {
        "Nadam": Comparison(
            source="nadam.py",
            torch="NAdam",
            torch_source="nadam.py",
            difference="torch slows the growth of the momentum by `momentum_decay`, 0.004 by default, which Keras does not have. With "
            "`momentum_decay=1` the rules are the same up to two numbers kept in float32: the momentum product in torch, and 0.96 in "
            "Keras on TensorFlow.",
            rounded=("beta_1", "beta_2"),
            equations=(Equation(_nadam("learning_rate", "epsilon", "{t}"), _nadam("lr", "eps", "({t} * momentum_decay)")),),
            cases=(Case({}, "lr=learning_rate, betas=(beta_1, beta_2), eps=epsilon, momentum_decay=1"),),
        ),
        "Adafactor": Comparison(
            source="adafactor.py",
            torch="Adafactor",
            torch_source="_adafactor.py",
            difference="Keras adds its first epsilon to the squares. torch uses it as a lower bound of the second moment's root. Both "
            "matter only where a gradient is nearly zero. But torch's is by far the larger: its default is the distance between two "
            "floating-point numbers near one.",
            equations=(
                Equation(
                    Rule(
                        (
                            _ADAFACTOR_RATE.format(decay="beta_2_decay"),
                            "r = beta_t * r + (1 - beta_t) * rowmeans(g**2 + epsilon_1)",
                            "c = beta_t * c + (1 - beta_t) * columnmeans(g**2 + epsilon_1)",
                            "u = g / sqrt((r / mean(r)) * c)",
                            _KERAS_ADAFACTOR,
                        )
                    ),
                    Rule(
                        (
                            _ADAFACTOR_RATE.format(decay="beta2_decay"),
                            "r = beta_t * r + (1 - beta_t) * rowmeans(g**2)",
                            "c = beta_t * c + (1 - beta_t) * columnmeans(g**2)",
                            "u = g / max(sqrt((r / max(mean(r), eps_1)) * c), eps_1)",
                            _TORCH_ADAFACTOR,
                        )
                    ),
                    "for a matrix",
                    rank=2,
                    name="matrix",
                ),
                Equation(
                    Rule(
                        (
                            _ADAFACTOR_RATE.format(decay="beta_2_decay"),
                            "v = beta_t * v + (1 - beta_t) * (g**2 + epsilon_1)",
                            "u = g / sqrt(v)",
                            _KERAS_ADAFACTOR,
                        )
                    ),
                    Rule(
                        (
                            _ADAFACTOR_RATE.format(decay="beta2_decay"),
                            "v = beta_t * v + (1 - beta_t) * g**2",
                            "u = g / max(sqrt(v), eps_1)",
                            _TORCH_ADAFACTOR,
                        )
                    ),
                    "for a vector",
                    rank=1,
                    name="vector",
                ),
            ),
            cases=(
                Case(
                    {},
                    "lr=learning_rate, beta2_decay=beta_2_decay, eps=(epsilon_1**0.5, epsilon_2), d=clip_threshold",
                    matches=True,
                ),
            ),
        ),
        "Lion": Comparison(
            source="lion.py",
            difference="torch has no Lion.",
            equations=(
                Equation(
                    Rule(
                        (
                            "theta = theta - learning_rate * sign(beta_1 * m + (1 - beta_1) * g)",
                            "m = beta_2 * m + (1 - beta_2) * g",
                        )
                    )
                ),
            ),
        ),
        "Ftrl": Comparison(
            source="ftrl.py",
            difference="torch has no Ftrl. The parameter is computed anew from sums over all steps, so its initial value is forgotten.",
            equations=(
                Equation(
                    Rule(
                        (
                            "n = a + g**2",
                            "s = (n**(-learning_rate_power) - a**(-learning_rate_power)) / learning_rate",
                            "z = z + g + 2 * l2_shrinkage_regularization_strength * theta - s * theta",
                            "b = l2_regularization_strength + beta / (2 * learning_rate)",
                            "q = n**(-learning_rate_power) / learning_rate + 2 * b",
                            "theta = (clip(z, l1_regularization_strength) - z) / q",
                            "a = n",
                        ),
                        {"a": "initial_accumulator_value"},
                    )
                ),
            ),
        ),
        "Lamb": Comparison(
            source="lamb.py",
            difference="torch has no Lamb. It is Adam with its step scaled to the length of the parameter, unless either is zero.",
            equations=(
                Equation(
                    Rule(
                        (
                            MEAN,
                            SQUARE,
                            "d = (m / (1 - beta_1**t)) / (sqrt(v / (1 - beta_2**t)) + epsilon)",
                            "theta = theta - learning_rate * (norm(theta) / norm(d)) * d",
                        )
                    )
                ),
            ),
        ),
        "ScheduleFreeAdamW": Comparison(
            source="schedule_free_adamw.py",
            difference="torch has no ScheduleFreeAdamW. In the third line Keras's comments mention the previous z, but the code, on "
            "TensorFlow and on torch, reads the new one. So $\\beta_1$ cancels, and $\\theta$ is the mean of all z. "
            "`optimizer_like` follows the code.",
            equations=(
                Equation(
                    Rule(
                        (
                            SQUARE,
                            "z = z - learning_rate * (g / (sqrt(v / (1 - beta_2**t)) + epsilon))",
                            "x = (theta - (1 - beta_1) * z) / beta_1",
                            "theta = (1 - beta_1) * z + beta_1 * ((1 - 1 / t) * x + (1 / t) * z)",
                        ),
                        {"z": "theta"},
                    )
                ),
            ),
        ),
        "Muon": Comparison(
            source="muon.py",
            torch="Muon",
            torch_source="_muon.py",
            dtype="float32",
            difference="This is the rule for matrices. Keras trains everything else with Adam, including embeddings, which it "
            "recognises by name. torch's Muon refuses anything but matrices. Both orthogonalise by the same five steps, torch in "
            "bfloat16. torch's equation is the one with `adjust_lr_fn='match_rms_adamw'`; by default the step has another length. "
            "The errors are those in float32, since Keras's Muon cannot train float64 variables on TensorFlow.",
            equations=(
                Equation(
                    Rule(
                        (
                            "theta = theta - learning_rate * weight_decay * theta",
                            "m = momentum * m + g",
                            "theta = theta - learning_rate * rms_rate * sqrt(longest(theta)) * orthogonal(g + momentum * m)",
                        )
                    ),
                    Rule(
                        (
                            "theta = theta - lr * weight_decay * theta",
                            "m = momentum * m + (1 - momentum) * g",
                            "theta = theta - lr * 0.2 * sqrt(longest(theta)) * orthogonal((1 - momentum) * g + momentum * m)",
                        )
                    ),
                    "for a matrix",
                    rank=2,
                    name="matrix",
                    torch_flags={"adjust_lr_fn": "match_rms_adamw"},
                ),
            ),
            cases=(),
        ),
    }
)
"""The comparisons by the optimizer's name in keras.optimizers."""
