"""A layer without a module of its own that computes something else is named, with its line, rather than what reads it.

Covers: `compare/models/changed_layers.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from compare.models.comparison import Divergence
from compare.models.proving.proving import Port, load_port, prove
from tests.compare.models.proving.models import with_biases, write_port

layers = keras.layers
X = np.random.default_rng(0).normal(size=(3, 8, 3)).astype("float32")
RESHAPE = "x.reshape(x.shape[0], 4, 6)"
POOL = "self.pool(x.transpose(1, 2))"
MODELS: dict[str, Sequence[Any]] = {
    "reshape": (layers.Reshape((4, 6), name="reshape"), layers.Dense(2, name="d")),
    "maximum": (layers.GlobalMaxPooling1D(name="maximum"), layers.Dense(2, name="d")),
    "pool": (layers.MaxPooling1D(2, name="pool"), layers.Flatten(name="flat"), layers.Dense(2, name="d")),
    "last": (layers.GlobalMaxPooling1D(name="maximum"),),
}


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Any, Path]]:
    folder = tmp_path_factory.mktemp("ports")
    keras.utils.set_random_seed(0)
    found = {}
    for name, after in MODELS.items():
        model = keras.Sequential([keras.Input((8, 3), name="x"), layers.Conv1D(4, 3, name="conv"), *after], name="net")
        with_biases(model)
        found[name] = (model, write_port(model, folder / f"{name}.py"))
    return found


def first_of(ports: dict[str, tuple[Any, Path]], name: str, old: str, new: str) -> tuple[Divergence, int]:
    """Return where a changed port parts from its model, and the line that was changed."""
    model, path = ports[name]
    lines = path.read_text().splitlines(keepends=True)
    (at,) = [at for at, line in enumerate(lines) if old in line]
    lines[at] = lines[at].replace(old, new)
    changed = path.with_name(f"{name}_changed.py")
    changed.write_text("".join(lines))
    changed.with_suffix(".safetensors").write_bytes(path.with_suffix(".safetensors").read_bytes())
    (call,) = prove(model, Port(load_port(changed), changed.name), X).calls
    assert not call.comparison.passed
    assert call.comparison.first is not None
    return call.comparison.first, at + 1


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("reshape", RESHAPE, f"{RESHAPE} * 1.01", "multiply the result by 0.990099"),
        ("reshape", RESHAPE, RESHAPE.replace("x.re", "x.transpose(1, 2).re"), "not `conv`"),
        ("maximum", "x.amax(dim=1)", "x.mean(dim=1)", "`conv.amax(2)`, not `conv.mean(2)`"),
        ("maximum", "x.amax(dim=1)", "x.amin(dim=1)", ""),
    ],
    ids=["factor", "axes", "mean", "minimum"],
)
def test_the_changed_layer_and_its_line_are_named(
    ports: dict[str, tuple[Any, Path]], name: str, old: str, new: str, words: str
) -> None:
    first, line = first_of(ports, name, old, new)
    assert (first.kind, first.actual) == ("between", "d")
    said = f"`{name}` at {name}_changed.py:{line}, which d reads, must compute the same as in the expected model"
    assert first.fix.startswith(said)
    assert first.fix.endswith(words)
    assert "pass `" not in first.fix


def test_of_several_layers_all_are_named_with_their_lines(ports: dict[str, tuple[Any, Path]]) -> None:
    first, line = first_of(ports, "pool", POOL, "F.avg_pool1d(x.transpose(1, 2), 2)".replace("F.", "nn.functional."))
    assert first.fix.startswith(f"`pool`, `flat` at pool_changed.py:{line}-{line + 1}, which d reads, must compute")


def test_a_changed_last_layer_is_named(ports: dict[str, tuple[Any, Path]]) -> None:
    first, line = first_of(ports, "last", "x.amax(dim=1)", "x.mean(dim=1)")
    assert first.kind == "between"
    assert first.fix.startswith(f"`maximum` at last_changed.py, after line {line - 1}, which the model returns, must compute")


def test_a_wrong_use_of_a_layer_that_has_a_module_is_still_wiring(ports: dict[str, tuple[Any, Path]]) -> None:
    first, _ = first_of(ports, "last", "self.conv(x.transpose(1, 2))", "self.conv(x.transpose(1, 2).flip(2))")
    assert (first.kind, first.actual) == ("between", "conv")
    assert first.fix.startswith("pass `")


def test_a_module_in_the_place_of_another_is_named_itself(ports: dict[str, tuple[Any, Path]]) -> None:
    first, _ = first_of(ports, "pool", "nn.MaxPool1d(2)", "nn.AvgPool1d(2)")
    assert (first.kind, first.actual) == ("in", "pool")
    assert "max pooling" in first.fix
