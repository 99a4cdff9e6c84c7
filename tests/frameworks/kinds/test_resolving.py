"""A config is read by the table: defaults of its version, today's names, and what is unknown or refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from frameworks.errors import InvalidValueError, NoCounterpartError
from frameworks.kinds import left_out, options_of


def test_a_config_has_the_defaults_of_its_version_and_todays_names() -> None:
    old, new = (options_of("GRU", {"units": 3}, version) for version in ((2, 2, 4), (3, 15)))
    assert (old["reset_after"], old["recurrent_activation"]) == (False, "hard_sigmoid")
    assert (new["reset_after"], new["recurrent_activation"]) == (True, "sigmoid")
    assert options_of("LSTM", {"output_dim": 3, "inner_activation": "relu"}, (1, 2))["recurrent_activation"] == "relu"
    assert options_of("ConvLSTM2D", {"filters": 1, "kernel_size": 2}, (2, 21))["recurrent_activation"] == "hard_sigmoid"
    assert options_of("LeakyReLU", {"alpha": 0.1}, (2, 4)) == {"negative_slope": 0.1}
    assert options_of("Dropout", {"p": 0.25, "name": "drop", "trainable": True}) == {"rate": 0.25, "noise_shape": None}


def test_what_is_of_training_is_left_out_by_name() -> None:
    penalty = {"class_name": "L2", "config": {"l2": 0.1}}
    config = {"units": 3, "kernel_regularizer": penalty, "bias_constraint": None, "kernel_initializer": "zeros", "name": "d"}
    assert options_of("Dense", config) == {"units": 3, "activation": None, "use_bias": True}
    assert left_out("Dense", config) == {"kernel_regularizer": penalty}
    assert left_out("ActivityRegularization", {"l1": 0.5, "l2": 0.0}) == {"l1": 0.5}
    assert left_out("Dense", {"units": 3}) == {}


@pytest.mark.parametrize(
    ("name", "config", "words"),
    [
        ("Dense", {"units": 3, "sparsity": 2}, "sparsity of a Dense"),
        ("Dense", {"units": 3, "lora_rank": 2}, "lora_rank of a Dense must be None"),
        ("BatchNormalization", {"renorm": True}, "renorm of a BatchNormalization must be False"),
        ("StackedRNNCells", {"cells": [], "reverse_state_order": True}, "reverse_state_order"),
        ("Conv1DTranspose", {"filters": 2, "kernel_size": 2, "groups": 2}, "groups of a Conv1DTranspose must be 1"),
    ],
)
def test_an_unknown_or_refused_option_is_named(name: str, config: dict[str, Any], words: str) -> None:
    with pytest.raises(NoCounterpartError, match=words):
        options_of(name, config)
    assert options_of(
        name, {key: value for key, value in config.items() if key in ("units", "cells", "filters", "kernel_size")}
    )


def test_a_missing_option_without_a_default_is_named() -> None:
    with pytest.raises(InvalidValueError, match="state rate, which has no default"):
        options_of("Dropout", {"name": "drop"})
