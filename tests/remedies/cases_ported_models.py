"""What a recurrent layer of a whole model cannot become in torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import torch

from frameworks.models.porting import port_model
from tests.remedies.following import case, refuses


@case
def dropout_stated_for_a_convolutional_layer(folder: Path) -> None:
    images = keras.Input((4, 5, 2))
    layer = keras.layers.ConvLSTM1D(3, 2, dropout=0.5)
    models: list[Any] = [keras.Model(images, layer(images, training=stated)) for stated in (True, None)]
    for model, name in zip(models, ("drops", "plain"), strict=True):
        model.save(folder / f"{name}.keras")
    with refuses("Call the layer without training=True in the Keras model, and save it again."):
        port_model(folder / "drops.keras")
    x = np.random.default_rng(0).normal(size=(2, 4, 5, 2)).astype("float32")
    result = port_model(folder / "plain.keras")(torch.from_numpy(x))
    np.testing.assert_allclose(result.detach(), np.asarray(models[1](x)), rtol=0, atol=1e-5)


@case
def states_kept_within_time_distributed(folder: Path) -> None:
    models: list[Any] = []
    for kept in (True, False):
        keras.utils.set_random_seed(0)
        layer = keras.layers.TimeDistributed(keras.layers.LSTM(3, stateful=kept))
        models.append(keras.Sequential([keras.Input((1, 4, 2), batch_size=2), layer]))
        models[-1].save(folder / f"{kept}.keras")
    with refuses("Save the model with stateful=False in that layer, which then begins each time step without states."):
        port_model(folder / "True.keras")
    x = np.random.default_rng(0).normal(size=(2, 1, 4, 2)).astype("float32")
    result = port_model(folder / "False.keras")(torch.from_numpy(x))
    np.testing.assert_allclose(result.detach(), np.asarray(models[0](x)), rtol=0, atol=1e-6)
