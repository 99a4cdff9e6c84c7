"""An optimizer of Keras beside torch's class of its family, as data: equations, the settings that match, what is tried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from compare.report.pages.optimizers.experiment.equations import Rule


@dataclass(frozen=True)
class Equation:
    """The rule of both frameworks under some settings.

    Args:
        keras: Keras's.
        torch: torch's; None where it has none.
        where: when it is this one, such as "momentum"; empty for the plain rule.
        flags: what must be set for it, by the names of both frameworks.
        rank: of the parameters that it is for; None for all.
        torch_flags: what must be set of torch's for it, besides.
    """

    keras: Rule
    torch: Rule | None = None
    where: str = ""
    flags: Mapping[str, Any] = field(default_factory=dict)
    rank: int | None = None
    torch_flags: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """A setting in which both frameworks train.

    Args:
        settings: of the Keras optimizer, all others as they are by default; of torch's too, by the same names.
        matching: torch's arguments that bring it as near as can be, in terms of Keras's settings; None without a relative.
        matches: whether that is exact.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    matching: str | None = None
    matches: bool = False


@dataclass(frozen=True)
class Comparison:
    """An optimizer of Keras.

    Args:
        source: of Keras's rule, in keras/src/optimizers.
        difference: in a sentence or two.
        equations: one for each form of the rule.
        cases: what is tried, the default first; none where our own is refused.
        torch: the name of torch's class; None where it has none.
        torch_source: of torch's rule, in torch/optim.
        rounded: the settings that the TensorFlow backend rounds to float32.
        dtype: of the parameters.
    """

    source: str
    difference: str
    equations: tuple[Equation, ...]
    cases: tuple[Case, ...] = (Case(),)
    torch: str | None = None
    torch_source: str = ""
    rounded: tuple[str, ...] = ()
    dtype: str = "float64"
