"""How `optimizer_like` treats each optimizer that Keras exports, as data that can be read without any framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Fate:
    """How `optimizer_like` treats one optimizer.

    Attributes:
        rule: the class in `frameworks.keras_in_torch.optimizers` that follows its rule, "module.Class", or None if it is
            refused.
        stock: the settings that must be off for the torch class of that name to be exact, or None if it never is.
        refused: the reason for a refusal, and a remedy.
    """

    rule: str | None = None
    stock: tuple[str, ...] | None = None
    refused: tuple[str, str] = ("", "")


FATES: Mapping[str, Fate] = MappingProxyType(
    {
        "SGD": Fate("rules.SGD", stock=("momentum",)),
        "Adam": Fate("rules.Adam"),
        "AdamW": Fate("rules.AdamW"),
        "RMSprop": Fate("rules.RMSprop"),
        "Adagrad": Fate("rules.Adagrad"),
        "Adadelta": Fate("rules.Adadelta", stock=()),
        "Adamax": Fate("rules.Adamax"),
        "Nadam": Fate("whole_tensor_rules.Nadam"),
        "Lion": Fate("rules.Lion"),
        "Adafactor": Fate("whole_tensor_rules.Adafactor"),
        "Ftrl": Fate("whole_tensor_rules.Ftrl"),
        "Lamb": Fate("whole_tensor_rules.Lamb"),
        "ScheduleFreeAdamW": Fate("whole_tensor_rules.ScheduleFreeAdamW"),
        "Muon": Fate(
            refused=(
                "it chooses between two rules by the names of Keras variables",
                "Use torch.optim.Muon for the matrices, and optimizer_like(keras.optimizers.AdamW(...)) for the rest.",
            )
        ),
        "LossScaleOptimizer": Fate(
            refused=(
                "it skips steps and changes its scale by what overflows",
                "Scale with torch.amp.GradScaler, and pass its inner_optimizer here.",
            )
        ),
        "MultiOptimizer": Fate(
            refused=("it holds several optimizers", "Make one of each of them, for the parameters that it trains."),
        ),
        "OptimizerMap": Fate(refused=("it is a part of MultiOptimizer", "Pass the optimizer in it.")),
        "Optimizer": Fate(refused=("it is the base class, without a rule", "Pass one of Keras's own optimizers.")),
    }
)
"""The fate of each optimizer by name in keras.optimizers."""
