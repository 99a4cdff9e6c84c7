"""Recurrent layers of Keras and PyTorch: their specs, weights and adapters, and their conversion into the other framework.

The public names load their modules when first used.
"""

from __future__ import annotations

from frameworks.lazy_imports import TYPE_CHECKING, lazy_names

if TYPE_CHECKING:
    from frameworks.biases import freeze_second_bias, half_rate_for_biases
    from frameworks.copying import CopySummary, convert, copy_weights
    from frameworks.emulation import emulate
    from frameworks.errors import GatewiseError
    from frameworks.initialisation import initialise_like_keras, initialise_like_pytorch
    from frameworks.losses import loss_like
    from frameworks.optimizers import optimizer_like, schedule_like
    from frameworks.options import KerasOptions
    from frameworks.output import RecurrentOutput
    from frameworks.registry import adapt, build
    from frameworks.spec import RecurrentSpec
    from frameworks.streaming import one_step
    from frameworks.weights import DirectionWeights, RecurrentWeights

__version__ = "0.2.0"

__all__ = [
    "CopySummary",
    "DirectionWeights",
    "GatewiseError",
    "KerasOptions",
    "RecurrentOutput",
    "RecurrentSpec",
    "RecurrentWeights",
    "adapt",
    "build",
    "convert",
    "copy_weights",
    "emulate",
    "freeze_second_bias",
    "half_rate_for_biases",
    "initialise_like_keras",
    "initialise_like_pytorch",
    "loss_like",
    "one_step",
    "optimizer_like",
    "schedule_like",
]

__getattr__, __dir__ = lazy_names(
    globals(),
    {
        "CopySummary": "frameworks.copying",
        "DirectionWeights": "frameworks.weights",
        "GatewiseError": "frameworks.errors",
        "KerasOptions": "frameworks.options",
        "RecurrentOutput": "frameworks.output",
        "RecurrentSpec": "frameworks.spec",
        "RecurrentWeights": "frameworks.weights",
        "adapt": "frameworks.registry",
        "build": "frameworks.registry",
        "convert": "frameworks.copying",
        "copy_weights": "frameworks.copying",
        "emulate": "frameworks.emulation",
        "freeze_second_bias": "frameworks.biases",
        "half_rate_for_biases": "frameworks.biases",
        "initialise_like_keras": "frameworks.initialisation",
        "initialise_like_pytorch": "frameworks.initialisation",
        "loss_like": "frameworks.losses",
        "one_step": "frameworks.streaming",
        "optimizer_like": "frameworks.optimizers",
        "schedule_like": "frameworks.optimizers",
    },
)
