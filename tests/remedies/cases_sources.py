"""Remedies of the sources of whole models."""

from __future__ import annotations

import copy
import importlib.util
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import torch

from gatewise import port_model, to_source
from tests.remedies.arrays import LAYERS
from tests.remedies.following import case, refuses

X = np.random.default_rng(0).standard_normal((3, 4)).astype("float32")


def saved(model: Any, folder: Path) -> Path:
    model.save(folder / "model.keras")
    return folder / "model.keras"


def assert_same(model: Any, port: Any) -> None:
    np.testing.assert_allclose(port(torch.from_numpy(X)).detach().numpy(), np.asarray(model(X)), atol=1e-5)


def chain(*policies: str) -> Any:
    return keras.Sequential([keras.Input((4,)), *(LAYERS.Dense(3, dtype=each) for each in policies)])


@case
def the_arguments_of_a_source(folder: Path) -> None:
    model = chain("float32")
    path = saved(model, folder)
    with refuses("Leave it out. gatewise port OLD.h5 NEW.keras writes a Keras model for today's Keras."):
        to_source(path, "keras")
    assert to_source(path).to == "pytorch"
    with refuses("Leave it out. Inputs for its proof are --inputs FILE.npz."):
        to_source(path, example=(X,))
    module = torch.nn.Sequential(torch.nn.Linear(4, 3))
    with refuses("Pass them: to_source(module, example=(x, lengths)), or --inputs FILE.npz."):
        to_source(module)
    with refuses("Leave it out. Load the weights into the module first, or pass --weights FILE."):
        to_source(module, weights="w.pt", example=(torch.from_numpy(X),))
    with refuses("Leave it out."):
        to_source(module, padding="end", example=(torch.from_numpy(X),))
    found = port_model(module, example=(torch.from_numpy(X),))
    np.testing.assert_allclose(np.asarray(found(X)), module(torch.from_numpy(X)).detach().numpy(), atol=1e-5)
    with refuses('"any" is exact for every mask; "end" packs, and refuses a mask with a hole.'):
        to_source(path, padding="start")  # type: ignore[arg-type]
    assert_same(model, port_model(path, padding="end"))


@case
def policies_of_a_source(folder: Path) -> None:
    for policies, remedy in (
        (("mixed_float16",), "Build the model with the policy float32, give it these weights with set_weights, and port that."),
        (("float32", "float64"), "Build the model with one policy, give it these weights with set_weights, and port that."),
    ):
        model, rebuilt = chain(*policies), chain(*("float32" for _ in policies))
        with refuses(remedy):
            to_source(saved(model, folder))
        rebuilt.set_weights(model.get_weights())
        assert_same(rebuilt, port_model(saved(rebuilt, folder)))


@case
def a_source_with_gaps(folder: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), LAYERS.Dense(3), LAYERS.Lambda(lambda x: x * 2, name="double")])
    path = saved(model, folder)
    with refuses("Write it with to_source(model).write(path), fill in what raises NotImplementedError, and call build()."):
        port_model(path)
    written, _ = to_source(path).write(folder / "port")
    written.write_text(written.read_text().replace("raise NotImplementedError(", "return 2 * x  # ("))
    spec = importlib.util.spec_from_file_location("port", written)
    assert spec is not None
    assert spec.loader is not None
    port = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(port)
    assert_same(model, port.build())


@case
def a_nested_model_in_training_in_some_calls(folder: Path) -> None:
    x = keras.Input((4,))
    inner = keras.Sequential([keras.Input((4,)), LAYERS.Dropout(0.5), LAYERS.Dense(4)], name="inner")
    with refuses("Save the model with two copies of it."):
        to_source(saved(keras.Model(x, inner(inner(x), training=True)), folder))
    copy = keras.models.clone_model(inner)
    copy.name = "copy"
    copied = keras.Model(x, copy(inner(x), training=True))
    copy.set_weights(inner.get_weights())
    port = port_model(saved(copied, folder))
    torch.manual_seed(0)
    first, second = port(torch.from_numpy(X)), port(torch.from_numpy(X))
    assert not torch.equal(first, second)


@case
def an_architecture_of_another_model(folder: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), LAYERS.LeakyReLU(), LAYERS.Dense(3)])
    path, architecture = saved(model, folder), json.loads(model.to_json())

    def reads(layers: list[Any]) -> None:
        layers[2]["config"]["units"] = 7

    def holds_text(layers: list[Any]) -> None:
        layers[1]["config"]["negative_slope"] = "0) or exit("

    for change, remedy in (
        (reads, "Check that the architecture belongs to these weights."),
        (holds_text, "Check that the architecture belongs to a model that Keras built."),
    ):
        changed = copy.deepcopy(architecture)
        change(changed["config"]["layers"])
        with refuses(remedy):
            to_source(path, architecture=changed)
    assert_same(model, port_model(path, architecture=architecture))


@case
def a_layer_that_is_called_with_no_tensor(folder: Path) -> None:
    x = keras.Input((4,))
    model = keras.Model(x, LAYERS.ReLU(name="relu")(LAYERS.Dense(3)(x)))
    path, architecture = saved(model, folder), json.loads(model.to_json())
    changed = copy.deepcopy(architecture)
    changed["config"]["layers"][2]["inbound_nodes"][0]["args"] = ["exit()"]
    with refuses("Check that the weights and the architecture belong to each other, and that Keras opens the model."):
        to_source(path, architecture=changed)
    assert_same(model, port_model(path, architecture=architecture))
