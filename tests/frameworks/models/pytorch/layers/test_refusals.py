"""An option that the source cannot carry is refused by its layer, name and value, and an activation by its name.

Covers: `frameworks/models/pytorch/layers`, `frameworks/models/pytorch/operations`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import pytest
import tf_keras

from frameworks.activations import KERAS2_NAMES
from frameworks.errors import NoCounterpartError
from frameworks.models.pytorch.layers.activations import activated
from tests.conftest import Refused
from tests.frameworks.models.pytorch.layers.comparing import Case, many, source_of

REFUSED: dict[str, tuple[Case, tuple[int, ...], tuple[str, ...]]] = {
    "an interpolation": (
        lambda k, x: k.UpSampling2D(2, interpolation="bicubic", name="larger")(x),
        (4, 4, 2),
        ("larger", "interpolation", "'bicubic'"),
    ),
    "attention along another axis": (
        lambda k, x: k.MultiHeadAttention(2, 3, attention_axes=2, name="attend")(x, x),
        (4, 4, 2),
        ("attend", "attention_axes", "4 axes"),
    ),
    "an output of several axes": (
        lambda k, x: k.MultiHeadAttention(2, 3, output_shape=(2, 2), name="attend")(x, x),
        (4, 2),
        ("attend", "output_shape", "[2, 2]"),
    ),
    "padding by reflection": (
        lambda k, x: keras.ops.pad(x, ((0, 0), (1, 1), (0, 0)), mode="reflect"),
        (4, 2),
        ("keras.ops.pad", "mode='reflect'"),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_option_without_a_counterpart_is_refused(name: str, refused: Refused, tmp_path: Path) -> None:
    case, shape, words = REFUSED[name]
    model, _ = many(keras, shape, {"case": case})
    with refused(*words):
        source_of(model, "keras", tmp_path)


@pytest.mark.parametrize(
    "activation",
    [
        "my_function",
        {"class_name": "function", "module": "builtins", "config": "my_function", "registered_name": "function"},
        {"class_name": "function", "module": "mine", "config": "relu", "registered_name": "mine>relu"},
        {"class_name": "__lambda__", "config": {"value": "code"}},
        {"class_name": "Mine", "config": {}},
    ],
)
def test_a_function_of_ones_own_is_refused(activation: Any, refused: Refused) -> None:
    with refused("activation", "built-in activation of Keras"):
        activated("x", activation)


@pytest.mark.parametrize(("package", "version"), [(keras, (3,)), (tf_keras, (2, 21))])
def test_every_activation_of_keras_is_known_by_the_name_that_it_is_stored_under(package: Any, version: tuple[int, ...]) -> None:
    functions = [each for each in vars(package.activations).values() if callable(each)]
    stored = [
        package.activations.serialize(each) for each in functions if each.__name__ not in ("serialize", "deserialize", "get")
    ]
    assert len(stored) >= 14
    unknown = [name for name in stored if not _is_known(name, version)]
    assert unknown == (["threshold"] if package is keras else [])  # it takes two arguments: no layer can have it


def _is_known(name: str, version: tuple[int, ...]) -> bool:
    try:
        return bool(activated("x", name, version))
    except NoCounterpartError:
        return False


def test_a_name_means_what_it_did_in_the_version_that_wrote_it() -> None:
    assert activated("self.dense(x)", "hard_sigmoid", (2, 4)) == "torch.clamp(0.2 * self.dense(x) + 0.5, 0, 1)"
    assert activated("a + b", "hard_sigmoid", (2, 4)) == "torch.clamp(0.2 * (a + b) + 0.5, 0, 1)"
    assert activated("x", KERAS2_NAMES["hard_sigmoid"]) == activated("x", "hard_sigmoid", (2,))
    assert activated("x", "hard_sigmoid", (3, 1)) == "F.hardsigmoid(x)"
    slope = json.loads('{"class_name": "LeakyReLU", "config": {"alpha": 0.1}}')
    assert activated("x", slope, (2, 9)) == "F.leaky_relu(x, 0.1)"
    assert activated("x", {"module": "keras.layers", "class_name": "LeakyReLU", "config": {}}) == "F.leaky_relu(x, 0.3)"
