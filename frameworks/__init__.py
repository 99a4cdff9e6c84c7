"""What a recurrent layer is, how each framework spells it, and how its weights get from one to the other."""

from frameworks.biases import freeze_second_bias, half_rate_for_biases
from frameworks.copying import convert, copy_weights
from frameworks.emulation import emulate
from frameworks.errors import GatewiseError
from frameworks.initialisation import initialise_like_keras, initialise_like_pytorch
from frameworks.losses import loss_like
from frameworks.optimizers import optimizer_like, schedule_like
from frameworks.options import KerasOptions
from frameworks.output import RecurrentOutput
from frameworks.registry import adapt, build
from frameworks.spec import RecurrentSpec
from frameworks.weights import DirectionWeights, RecurrentWeights

__all__ = [
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
    "optimizer_like",
    "schedule_like",
]
