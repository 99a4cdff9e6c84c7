"""A Keras optimizer and torch's class of the same family, as data: equations, closest settings, cases to try."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from compare.report.pages.optimizers.experiment.equations import Rule


@dataclass(frozen=True)
class Equation:
    """The rule of both frameworks under some settings.

    Args:
        keras: Keras's rule.
        torch: torch's rule, or None.
        where: the condition of the rule in words, such as "with `momentum`"; empty for the plain rule.
        flags: the settings that select the rule, by their names in both frameworks.
        rank: rank of the parameters that follow the rule; None for all.
        torch_flags: further settings that select the rule in torch.
        name: identifier among the equations of an optimizer.
    """

    keras: Rule
    torch: Rule | None = None
    where: str = ""
    flags: Mapping[str, Any] = field(default_factory=dict)
    rank: int | None = None
    torch_flags: Mapping[str, Any] = field(default_factory=dict)
    name: str = "plain"


@dataclass(frozen=True)
class Case:
    """A setting in which both frameworks train.

    Args:
        settings: settings of the Keras optimizer, and of torch's if the names are the same; all others are defaults.
        matching: the arguments that bring torch's class as close as possible, in terms of Keras's settings; None if torch has
            no such class.
        matches: whether these arguments make torch's class exact.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    matching: str | None = None
    matches: bool = False


@dataclass(frozen=True)
class Comparison:
    """An optimizer of Keras.

    Args:
        source: the file of Keras's rule, in keras/src/optimizers.
        difference: the difference in torch, in a few sentences.
        equations: one for each form of the rule.
        cases: the cases to try, the default first; empty if `optimizer_like` refuses the optimizer.
        torch: the name of torch's class, or None.
        torch_source: the file of torch's rule, in torch/optim.
        rounded: the settings that the TensorFlow backend rounds to float32.
        dtype: dtype of the parameters.
    """

    source: str
    difference: str
    equations: tuple[Equation, ...]
    cases: tuple[Case, ...] = (Case(),)
    torch: str | None = None
    torch_source: str = ""
    rounded: tuple[str, ...] = ()
    dtype: str = "float64"
