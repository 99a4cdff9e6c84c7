"""A dropout that the model calls with training=True is active at inference; any other only while the port is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import pytest
import torch

from frameworks.models.pytorch.building import built
from tests.frameworks.models.pytorch.layers.comparing import Case, many, source_of

ALWAYS: dict[str, Case] = {
    "dropout": lambda k, x: k.Dropout(0.25)(x, training=True),
    "by step": lambda k, x: k.Dropout(0.5, noise_shape=(None, None, 1))(x, training=True),
    "by feature": lambda k, x: k.SpatialDropout1D(0.5)(x, training=True),
    "alpha": lambda k, x: k.AlphaDropout(0.25)(x, training=True),
    "alpha by step": lambda k, x: k.AlphaDropout(0.25, noise_shape=(None, None, 1))(x, training=True),
    "multiplied": lambda k, x: k.GaussianDropout(0.2)(x, training=True),
    "added": lambda k, x: k.GaussianNoise(0.5)(x, training=True),
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the outputs of a port in inference mode, for ones of (batch, time, features)."""
    model, names = many(keras, (50, 40), ALWAYS)
    port = built(source_of(model, "keras", tmp_path_factory.mktemp("model")))
    assert not port.training
    torch.manual_seed(0)
    outputs = port(torch.ones(40, 50, 40))
    return {name.rpartition(" ")[0]: output for name, output in zip(names, outputs, strict=True)}


def test_dropped_numbers_are_zero_and_the_others_are_scaled(results: dict[str, Any]) -> None:
    dropped = results["dropout"]
    assert dropped.unique().tolist() == pytest.approx([0, 4 / 3])
    assert dropped.mean() == pytest.approx(1, abs=0.01)


def test_a_noise_shape_drops_whole_steps(results: dict[str, Any]) -> None:
    by_step = results["by step"]
    assert (by_step == by_step[:, :, :1]).all()
    assert set(by_step.unique().tolist()) == {0.0, 2.0}
    assert by_step[:, :, 0].std(dim=1).min() > 0


def test_spatial_dropout_drops_whole_features(results: dict[str, Any]) -> None:
    by_feature = results["by feature"]
    assert (by_feature == by_feature[:, :1]).all()
    assert by_feature[:, 0].std(dim=1).min() > 0


@pytest.mark.parametrize("name", ["alpha", "alpha by step"])
def test_alpha_dropout_has_the_two_values_of_keras(results: dict[str, Any], name: str) -> None:
    dropped = -1.7580993408473766
    scale = ((1 - 0.25) * (1 + 0.25 * dropped**2)) ** -0.5
    expected = sorted([scale - scale * dropped * 0.25, scale * dropped * (1 - 0.25)])
    values = sorted(set(results[name].flatten().tolist()))
    assert values == pytest.approx(expected, rel=1e-5)
    assert (results[name] == values[0]).float().mean() == pytest.approx(0.25, abs=0.05)


def test_noise_has_the_spread_of_keras(results: dict[str, Any]) -> None:
    assert results["multiplied"].mean() == pytest.approx(1, abs=0.01)
    assert results["multiplied"].std() == pytest.approx((0.2 / 0.8) ** 0.5, abs=0.01)
    assert results["added"].std() == pytest.approx(0.5, abs=0.01)


def test_without_training_a_port_drops_only_while_it_is_trained(tmp_path: Path) -> None:
    cases: dict[str, Case] = {
        "dropout": lambda k, x: k.Dropout(0.25)(x),
        "by step": lambda k, x: k.Dropout(0.5, noise_shape=(None, None, 1))(x),
        "by feature": lambda k, x: k.SpatialDropout1D(0.5)(x),
        "multiplied": lambda k, x: k.GaussianDropout(0.2)(x),
        "added": lambda k, x: k.GaussianNoise(0.5)(x),
    }
    model, _ = many(keras, (5, 4), cases)
    port, ones = built(source_of(model, "keras", tmp_path)), torch.ones(3, 5, 4)
    assert all((output == ones).all() for output in port(ones))
    assert all((output != ones).any() for output in port.train()(ones))
