"""The code for comparing the training of a user's model, run on a small one."""

from __future__ import annotations

from collections.abc import Callable

from compare.report.results import Results, exact, measured
from compare.report.snippets import run_snippet

_MODELS = """\
import keras
import numpy as np
import torch
from gatewise import copy_weights, freeze_second_bias

keras.utils.set_random_seed(1)
keras_model = keras.Sequential([keras.Input((5, 3), dtype="float64"), keras.layers.LSTM(4, dtype="float64", unroll=True)])

class Port(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = torch.nn.LSTM(3, 4, batch_first=True, dtype=torch.float64)

    def forward(self, x):
        return self.lstm(x)[1][0][0]

module = Port()
copy_weights(keras_model.layers[0], module.lstm)
freeze_second_bias(module)

def batch_of(step):
    rng = np.random.default_rng(step)
    return rng.normal(size=(8, 5, 3)), rng.normal(size=(8, 4))
"""
_CODE = """\
from gatewise import compare_training

course = compare_training(keras_model, module, batch_of, steps=20,          # batch_of(step) returns inputs and targets
                          optimizer=keras.optimizers.Adam(1e-3), loss="mse")
gap = course.loss_gap("pytorch")             # (step,)
distances = course.distances["pytorch"]      # by parameter: where the two diverge, and from which step
"""


def run(progress: Callable[[str], None]) -> Results:
    """Run the code."""
    progress("a model and its port")
    _, names = run_snippet(_MODELS, {"__name__": "__snippet__"})
    _, names = run_snippet(_CODE, names)
    return {
        "code": exact(_CODE),
        "loss gap": measured(names["gap"].max(), 1e-12),
        "distance": measured(max(values.max() for values in names["distances"].values()), 1e-12),
    }
