"""A whole Keras model as torch source: the same results, a statement per layer, names of the model.

Covers: `frameworks/models/porting.py`, `frameworks/models/pytorch`.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tf_keras
import torch

from frameworks import GatewiseError
from frameworks.models import Source, port_model, to_source

pytestmark = pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file:UserWarning")  # tf_keras's

RNG = np.random.default_rng(5)
TOKENS = RNG.integers(0, 7, (3, 6)).astype("int32")
TOKENS[0, 4:] = 0
OTHERS = RNG.integers(0, 7, (3, 4)).astype("int32")
VALUES = RNG.normal(size=(3, 6, 5)).astype("float32")
DOCUMENTS = RNG.integers(0, 7, (3, 4, 6)).astype("int32")

Make = Callable[[Any], Any]


def saved(model: Any, folder: Path) -> Path:
    for weight in model.weights:
        weight.assign((RNG.normal(size=weight.shape) * 0.4).astype(getattr(weight.dtype, "name", weight.dtype)))
    path = folder / ("model.keras" if model.__class__.__module__.startswith("keras.") else "model.h5")
    model.save(path)
    return path


def results(model: Any, inputs: tuple[Any, ...]) -> list[Any]:
    made = model(list(inputs) if len(inputs) > 1 else inputs[0])
    return [np.asarray(each) for each in (made if isinstance(made, (list, tuple)) else [made])]


def assert_same(model: Any, port: Any, *inputs: Any) -> None:
    expected = results(model, inputs)
    with torch.no_grad():
        made = port(*map(torch.from_numpy, inputs))
    assert isinstance(made, tuple) is (len(expected) > 1)
    for one, other in zip(expected, made if isinstance(made, tuple) else [made], strict=True):
        np.testing.assert_allclose(other.numpy(), one, atol=2e-6)


def branches(framework: Any) -> Any:
    layers = framework.layers
    x = framework.Input((6, 5), name="features")
    hidden = layers.Dense(4, activation="relu", name="hidden")(x)
    left, right = layers.Dense(3, name="left")(hidden), layers.Dense(3, activation="tanh", name="right")(hidden)
    added = layers.Add(name="added")([left, right])
    return framework.Model(x, [layers.Dense(2, name="logits")(added), added], name="two_branches")


def tagger(framework: Any) -> Any:
    layers = framework.layers
    tokens = framework.Input((None,), name="tokens", dtype="int32")
    x = layers.Embedding(7, 5, mask_zero=True, name="embedding")(tokens)
    x = layers.Bidirectional(layers.LSTM(4, return_sequences=True), name="both")(x)
    x = layers.TimeDistributed(layers.Dense(3), name="tags")(x)
    return framework.Model(tokens, layers.Dense(2, activation="softmax", name="head")(layers.LSTM(4, name="last")(x)))


def encoder_decoder(framework: Any) -> Any:
    layers = framework.layers
    source, target = (framework.Input((None,), name=name, dtype="int32") for name in ("source", "target"))
    embedding = layers.Embedding(7, 5, mask_zero=True, name="embedding")
    _, *states = layers.LSTM(4, return_state=True, name="encoder")(embedding(source))
    x = layers.LSTM(4, return_sequences=True, name="decoder")(embedding(target), initial_state=states)
    return framework.Model([source, target], layers.Dense(7, name="words")(x), name="translator")


def shared_nested(framework: Any) -> Any:
    layers = framework.layers
    words = framework.Input((None,), name="words", dtype="int32")
    x = layers.Embedding(7, 5, mask_zero=True)(words)
    encoder = framework.Model(words, layers.GRU(4, return_sequences=True)(x), name="sentence_encoder")
    steps = framework.Input((None, 4), name="steps")
    head = framework.Model(steps, layers.Dense(3)(layers.LSTM(5)(steps)), name="head")
    left, right = (framework.Input((None,), name=name, dtype="int32") for name in ("left", "right"))
    return framework.Model([left, right], layers.Concatenate()([head(encoder(left)), head(encoder(right))]), name="siamese")


def by_sentence(framework: Any) -> Any:
    layers = framework.layers
    words = framework.Input((6,), name="words", dtype="int32")
    encoder = framework.Model(words, layers.LSTM(4)(layers.Embedding(7, 5, mask_zero=True)(words)), name="sentence_encoder")
    document = framework.Input((4, 6), name="document", dtype="int32")
    x = layers.TimeDistributed(encoder)(document)
    return framework.Model(document, layers.GRU(3)(layers.TimeDistributed(layers.Dense(4))(x)))


def masked_words(framework: Any) -> Any:
    layers = framework.layers
    document = framework.Input((4, 6), name="document", dtype="int32")
    x = layers.Embedding(7, 5, mask_zero=True)(document)
    y = layers.TimeDistributed(layers.Embedding(7, 3, mask_zero=True))(document)  # which makes a mask in Keras 2 alone
    return framework.Model(document, [layers.TimeDistributed(layers.LSTM(4))(x), layers.TimeDistributed(layers.LSTM(2))(y)])


MODELS: dict[str, tuple[Make, tuple[Any, ...]]] = {
    "branches": (branches, (VALUES,)),
    "tagger": (tagger, (TOKENS,)),
    "encoder and decoder": (encoder_decoder, (TOKENS, OTHERS)),
    "shared and nested": (shared_nested, (TOKENS, OTHERS)),
    "sentence by sentence": (by_sentence, (DOCUMENTS,)),
    "masked words": (masked_words, (DOCUMENTS,)),
}


@pytest.mark.filterwarnings("ignore:.*does not support masking:UserWarning")  # Keras passes the mask on all the same
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("framework", [keras, tf_keras], ids=["keras", "tf_keras"])
def test_a_port_computes_what_the_model_does(framework: Any, name: str, tmp_path: Path) -> None:
    make, inputs = MODELS[name]
    model = make(framework)
    path = saved(model, tmp_path)
    assert_same(model, port_model(path), *inputs)
    assert_same(model, port_model(path), *(each[:1] for each in inputs))
    text = to_source(path).text
    assert max(map(len, text.splitlines())) <= 120
    (tmp_path / "port.py").write_text(text)
    lint: list[str | Path] = [Path(sys.executable).with_name("ruff"), "check", "--isolated", "--no-cache", tmp_path / "port.py"]
    assert subprocess.run(lint, capture_output=True, check=False).returncode == 0


def test_a_wrong_weight_does_not_pass(tmp_path: Path) -> None:
    model = branches(keras)
    port = port_model(saved(model, tmp_path))
    with torch.no_grad():
        port.left.weight[0, 0] += 0.1
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        assert_same(model, port, VALUES)


RUN = """
import builtins, importlib.util, sys
import numpy as np
known = builtins.__import__
def only_torch(name, *arguments, **named):
    if name.partition(".")[0] in "keras tf_keras tensorflow gatewise frameworks compare safetensors h5py".split():
        raise ImportError(name)
    return known(name, *arguments, **named)
builtins.__import__ = only_torch
spec = importlib.util.spec_from_file_location("port", sys.argv[1])
port = importlib.util.module_from_spec(spec)
spec.loader.exec_module(port)
import torch
model = port.build()
assert not model.training and all(parameter.requires_grad for parameter in model.parameters())
assert model.state_dict().keys() == port.load(sys.argv[1].replace(".py", ".safetensors")).keys()
made = model(*(torch.from_numpy(each) for each in np.load(sys.argv[2]).values()))
np.save(sys.argv[3], made.detach().numpy())
"""


def test_the_written_files_need_torch_alone(tmp_path: Path) -> None:
    model = encoder_decoder(keras)
    written = to_source(saved(model, tmp_path)).write(tmp_path / "translator")
    assert [each.name for each in written] == ["translator.py", "translator.safetensors"]
    np.savez(tmp_path / "inputs.npz", TOKENS, OTHERS)
    command: list[str | Path] = [sys.executable, "-I", "-c", RUN, written[0], tmp_path / "inputs.npz", tmp_path / "made.npy"]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    np.testing.assert_allclose(np.load(tmp_path / "made.npy"), results(model, (TOKENS, OTHERS))[0], atol=2e-6)


def forward_of(source: Source, name: str) -> list[str]:
    found = next(each for each in ast.parse(source.text).body if isinstance(each, ast.ClassDef) and each.name == name)
    (forward,) = (each for each in found.body if isinstance(each, ast.FunctionDef) and each.name == "forward")
    return [ast.unparse(each) for each in forward.body]


def test_a_chain_reuses_x_and_branches_have_the_names_of_their_layers(tmp_path: Path) -> None:
    source = to_source(saved(branches(keras), tmp_path))
    assert forward_of(source, "TwoBranches") == [
        "hidden = torch.relu(self.hidden(features))",
        "left = self.left(hidden)",
        "right = torch.tanh(self.right(hidden))",
        "added = left + right",
        "logits = self.logits(added)",
        "return (logits, added)",
    ]
    assert "(batch, 6, 4)" in source.text
    assert [(row.layer, row.here) for row in source.table] == [
        ("features", "features"),
        ("hidden", "self.hidden"),
        ("left", "self.left"),
        ("right", "self.right"),
        ("added", "added"),
        ("logits", "self.logits"),
    ]


def test_a_mask_is_written_only_where_it_is_used(tmp_path: Path) -> None:
    layers = keras.layers
    tokens = keras.Input((None,), name="tokens", dtype="int32")
    x = layers.Dense(3)(layers.Embedding(7, 5, mask_zero=True)(tokens))
    unused = to_source(saved(keras.Model(tokens, x), tmp_path)).text
    assert "mask" not in unused.partition("class ")[2].partition("def build")[0]
    used = to_source(saved(keras.Model(tokens, layers.GRU(4)(x)), tmp_path)).text
    assert used.count("mask = tokens != 0") == 1


def test_a_result_that_nothing_reads_has_no_variable(tmp_path: Path) -> None:
    x = keras.Input((None, 5), name="values")
    _, state = keras.layers.GRU(4, return_sequences=True, return_state=True, name="reader")(x)
    source = to_source(saved(keras.Model(x, state, name="reading"), tmp_path))
    assert forward_of(source, "Reading") == ["_, h = self.reader(values)", "return h[-1]"]


def test_a_frozen_layer_is_frozen(tmp_path: Path) -> None:
    model = branches(keras)
    model.get_layer("left").trainable = False
    path = saved(model, tmp_path)
    assert "self.left = nn.Linear(4, 3).requires_grad_(False)" in to_source(path).text
    frozen = {name for name, each in port_model(path).named_parameters() if not each.requires_grad}
    assert frozen == {"left.weight", "left.bias"}
    model.trainable = False
    path = saved(model, tmp_path)
    assert to_source(path).text.count("requires_grad_") == 1
    assert not any(each.requires_grad for each in port_model(path).parameters())


@pytest.mark.parametrize("policy", ["float16", "float64"])
def test_half_and_double_precision_are_carried(policy: str, tmp_path: Path) -> None:
    layers = keras.layers
    x = keras.Input((6, 5), name="values")
    model = keras.Model(x, layers.Dense(2, dtype=policy)(layers.LSTM(4, dtype=policy)(x)))
    port = port_model(saved(model, tmp_path))
    made = port(torch.from_numpy(VALUES))
    assert made.dtype == getattr(torch, policy)
    error = np.abs(made.detach().numpy() - results(model, (VALUES,))[0]).max()
    assert error < (4e-3 if policy == "float16" else 1e-14)
    assert port.float()(torch.from_numpy(VALUES)).dtype == torch.float32


@pytest.mark.parametrize("policies", [("mixed_float16", "mixed_float16"), ("float32", "float64")])
def test_mixed_precision_is_refused_by_name(policies: tuple[str, str], tmp_path: Path) -> None:
    layers = keras.layers
    x = keras.Input((6, 5))
    first, second = policies
    model = keras.Model(x, layers.Dense(2, dtype=second, name="second")(layers.Dense(4, dtype=first, name="first")(x)))
    with pytest.raises(GatewiseError, match=r"dtype of Dense '(first|second)' must be"):
        to_source(saved(model, tmp_path))
